//! The weights of sixteen outputs in eight bits, in lines of 64 bytes: what their sums are finished with, and their cells, each
//! of which has [`DEPTH`] inputs of every output.
//!
//! With VNNI products are added in 32 bits at once, and cells stand in the order of their inputs. AVX2 and AVX-512 without VNNI multiply
//! bytes and add two products in 16 bits; to widen those sums takes as long as the products themselves. For these,
//! cells stand in pairs whose sums are added before they are widened, and a panel says in which order. Invariant: the four products that a pair adds in
//! 16 bits fit them whatever the activations are, for of the four weights neither the positive nor the negative ones add up to more
//! than [`REACH`]. Most neighbours make such a pair; the others find another partner, and those that find none stand alone at the end.

use super::super::super::pages::Plain;
use super::super::super::simd::{Level, WIDE};

/// Inputs that one instruction multiplies and adds for each output.
pub const DEPTH: usize = 4;
/// The greatest quantised weight, by magnitude: two products fit 16 bits, as 2 · 255 · 64 < 2^15.
pub const WEIGHT: f32 = 64.0;
/// What the weights of one sign may add up to: 255 · 128 < 2^15.
const REACH: u8 = 128;
/// Partners that a cell tries before it stands alone, so that packing takes no longer than the cells are many.
const TRIES: usize = 32;
/// Cells that can be told apart by their order.
const CELLS: usize = 1 << 16;

/// 64 bytes: a [`Cell`], half of [`Scales`], or some of the order.
#[repr(C, align(64))]
#[derive(Clone, Copy)]
pub struct Line([u8; 64]);

// SAFETY: bytes, aligned to as many.
unsafe impl Plain for Line {}

/// [`DEPTH`] inputs of each output.
#[repr(C, align(64))]
#[derive(Clone, Copy)]
pub struct Cell(pub [[i8; DEPTH]; WIDE]);

impl Cell {
    /// Nothing but noughts.
    pub const EMPTY: Self = Self([[0; DEPTH]; WIDE]);
}

/// What a panel's sums are finished with.
#[repr(C, align(64))]
#[derive(Clone, Copy)]
pub struct Scales {
    /// What one step of each output's weights is worth.
    pub steps: [f32; WIDE],
    /// The sum of each output's quantised weights: what a row's zero point adds.
    pub sums: [i32; WIDE],
}

/// Lines that hold a panel's scales.
const SCALES: usize = size_of::<Scales>() / size_of::<Line>();

/// How the cells of a panel follow one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As their inputs do.
    Plain,
    /// In pairs that may be added in 16 bits.
    Pairs,
}

impl Order {
    /// What the instructions in use are fastest with. All can read both.
    pub fn current() -> Self {
        match Level::current() {
            Level::Avx2 | Level::Avx512 => Self::Pairs,
            Level::Generic | Level::AvxVnni | Level::Avx512Vnni => Self::Plain,
        }
    }
}

/// Where the parts of a panel are.
#[derive(Clone, Copy)]
pub struct Layout {
    /// How its cells follow one another.
    pub order: Order,
    /// Cells, the last of which may be empty.
    pub depth: usize,
    /// Lines before the cells.
    head: usize,
}

/// A panel to be read.
pub struct Panel<'a> {
    pub scales: &'a Scales,
    /// Pairs of cells; the cells after them stand alone.
    pub pairs: usize,
    /// For each cell in its place the number of the inputs it multiplies, in units of [`DEPTH`]; nothing where cells are
    /// in plain order.
    pub places: &'a [u16],
    pub cells: &'a [Cell],
}

impl Layout {
    /// Of a matrix with `k` inputs.
    ///
    /// # Panics
    /// When they are more than 262,144.
    pub fn new(k: usize, order: Order) -> Self {
        let (depth, numbers) = match order {
            Order::Plain => (k.div_ceil(DEPTH), 0),
            Order::Pairs => {
                // An even number, so that none needs to stay without a partner.
                let depth = k.div_ceil(DEPTH).next_multiple_of(2);
                // That of the pairs, and a place for each cell.
                (depth, 1 + depth)
            }
        };
        assert!(depth <= CELLS, "a layer with {k} inputs");
        Self { order, depth, head: SCALES + (numbers * size_of::<u16>()).div_ceil(size_of::<Line>()) }
    }

    /// Lines of a panel.
    pub fn lines(self) -> usize {
        self.head + self.depth
    }

    /// Panel `number` of `lines`.
    #[inline(always)]
    pub fn panel(self, lines: &[Line], number: usize) -> Panel<'_> {
        let (head, cells) = lines[number * self.lines()..][..self.lines()].split_at(self.head);
        let (scales, numbers) = head.split_at(SCALES);
        // SAFETY: as many lines as a `Scales` has, of its alignment; and a cell is a line. Both are plain.
        let (scales, cells) =
            unsafe { (&*scales.as_ptr().cast(), std::slice::from_raw_parts(cells.as_ptr().cast(), cells.len())) };
        let (pairs, places): (_, &[u16]) = match self.order {
            Order::Plain => (0, &[]),
            Order::Pairs => {
                // SAFETY: the lines have room for as many plain numbers.
                let numbers = unsafe { std::slice::from_raw_parts(numbers.as_ptr().cast::<u16>(), 1 + self.depth) };
                (numbers[0].into(), &numbers[1..])
            }
        };
        Panel { scales, pairs, places, cells }
    }

    /// Whether all panels name only cells that there are, which those who multiply rely on.
    pub fn holds(self, lines: &[Line]) -> bool {
        self.order == Order::Plain
            || (0..lines.len() / self.lines()).all(|number| {
                let panel = self.panel(lines, number);
                2 * panel.pairs <= self.depth && panel.places.iter().all(|&cell| usize::from(cell) < self.depth)
            })
    }

    /// Quantises outputs, at most sixteen, to the `lines` of a panel; `fill(output, values)` writes the weights of one.
    /// `values` and `cells` are room for those of one output, and of all.
    pub fn pack(
        self,
        outputs: usize,
        fill: impl Fn(usize, &mut [f32]),
        lines: &mut [Line],
        (values, cells): (&mut [f32], &mut [Cell]),
    ) {
        let mut scales = Scales { steps: [0.0; WIDE], sums: [0; WIDE] };
        cells.fill(Cell::EMPTY);
        for output in 0..outputs {
            fill(output, values);
            (scales.steps[output], scales.sums[output]) = quantise(values, output, cells);
        }
        let (head, rest) = lines.split_at_mut(self.head);
        // SAFETY: as in `panel`.
        unsafe { head.as_mut_ptr().cast::<Scales>().write(scales) };
        match self.order {
            Order::Plain => write(rest, &*cells),
            Order::Pairs => {
                let (pairs, places) = arrange(cells);
                let slots = head[SCALES..].as_mut_ptr().cast::<u16>();
                for (at, &number) in std::iter::once(&pairs).chain(&places).enumerate() {
                    // SAFETY: as in `panel`.
                    unsafe { slots.add(at).write(number) };
                }
                write(rest, places.iter().map(|&cell| &cells[usize::from(cell)]));
            }
        }
    }
}

/// One cell to a line.
fn write<'a>(lines: &mut [Line], cells: impl IntoIterator<Item = &'a Cell>) {
    for (line, cell) in lines.iter_mut().zip(cells) {
        // SAFETY: a cell is a line.
        unsafe { std::ptr::from_mut(line).cast::<Cell>().write(*cell) };
    }
}

/// Writes one output's weights; the worth of a step, and their sum.
fn quantise(values: &[f32], output: usize, cells: &mut [Cell]) -> (f32, i32) {
    let greatest = values.iter().fold(0f32, |greatest, x| greatest.max(x.abs()));
    if greatest == 0.0 {
        return (0.0, 0);
    }
    let step = greatest / WEIGHT;
    let mut sum = 0;
    for (cell, values) in cells.iter_mut().zip(values.chunks(DEPTH)) {
        for (slot, value) in cell.0[output].iter_mut().zip(values) {
            *slot = (value / step).round() as i8;
            sum += i32::from(*slot);
        }
    }
    (step, sum)
}

/// The cells in pairs, and then those without a partner; the number of pairs stands before them.
fn arrange(cells: &[Cell]) -> (u16, Vec<u16>) {
    let reaches: Vec<Reach> = cells.iter().map(Reach::of).collect();
    let fit = |a: usize, b: usize| reaches[a].fits(&reaches[b]);
    let (mut pairs, mut loose, mut alone) = (Vec::with_capacity(cells.len() / 2), Vec::new(), Vec::new());
    for first in (0..cells.len()).step_by(2) {
        if fit(first, first + 1) {
            pairs.push([first, first + 1]);
        } else {
            loose.extend([first, first + 1]);
        }
    }
    while let Some(cell) = loose.pop() {
        match loose.iter().rev().take(TRIES).position(|&other| fit(cell, other)) {
            Some(back) => pairs.push([cell, loose.remove(loose.len() - 1 - back)]),
            None => alone.push(cell),
        }
    }
    // Two that found nobody take the cells of a pair apart, if each fits one of them. Cells are even in number, and so are they.
    let mut left = Vec::new();
    for &two in alone.as_chunks::<2>().0 {
        let suits = |[c, d]: [usize; 2]| fit(two[0], c) && fit(two[1], d);
        let found = (0..pairs.len()).rev().take(TRIES).find_map(|at| {
            let [c, d] = pairs[at];
            [[c, d], [d, c]].into_iter().find(|&others| suits(others)).map(|others| (at, others))
        });
        match found {
            Some((at, [c, d])) => {
                pairs[at] = [two[0], c];
                pairs.push([two[1], d]);
            }
            None => left.extend(two),
        }
    }
    let order = pairs.as_flattened().iter().chain(&left).map(|&cell| cell as u16).collect();
    (pairs.len() as u16, order)
}

/// How far the products of a cell that are added in 16 bits can reach: of each two weights what is positive, and what is negative.
struct Reach([u8; 4 * WIDE]);

impl Reach {
    fn of(cell: &Cell) -> Self {
        let (twos, _) = cell.0.as_flattened().as_chunks::<2>();
        let mut reach = [0; 4 * WIDE];
        for (reach, [a, b]) in reach.as_chunks_mut::<2>().0.iter_mut().zip(twos) {
            *reach = [
                a.max(&0).unsigned_abs() + b.max(&0).unsigned_abs(),
                a.min(&0).unsigned_abs() + b.min(&0).unsigned_abs(),
            ];
        }
        Self(reach)
    }

    /// Whether both together stay within [`REACH`].
    fn fits(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).fold(0, |most, (a, b)| most.max(a.saturating_add(*b))) <= REACH
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::super::noise;
    use super::*;

    fn packed(w: &[f32], k: usize) -> (Layout, Vec<Line>) {
        let layout = Layout::new(k, Order::Pairs);
        let mut lines = vec![Line([0; 64]); layout.lines()];
        let mut room = (vec![0.0; k], vec![Cell::EMPTY; layout.depth]);
        let fill = |output: usize, values: &mut [f32]| values.copy_from_slice(&w[output * k..][..k]);
        layout.pack(w.len() / k, fill, &mut lines, (&mut room.0, &mut room.1));
        (layout, lines)
    }

    #[test]
    fn no_activations_take_a_pair_out_of_sixteen_bits() {
        for k in [8, 100, 517] {
            let (layout, lines) = packed(&noise(WIDE * k, 3), k);
            let panel = layout.panel(&lines, 0);
            let mut seen = panel.places.to_vec();
            seen.sort_unstable();
            assert!(seen.into_iter().map(usize::from).eq(0..layout.depth), "every cell once");
            for pair in panel.cells[..2 * panel.pairs].chunks(2) {
                for output in 0..WIDE {
                    for half in [0, 2] {
                        let four = pair.iter().flat_map(|cell| &cell.0[output][half..half + 2]).map(|&w| i32::from(w));
                        let most: i32 = four.clone().filter(|&w| w > 0).map(|w| 255 * w).sum();
                        let least: i32 = four.filter(|&w| w < 0).map(|w| 255 * w).sum();
                        assert!(most <= i16::MAX.into() && least >= i16::MIN.into(), "{least} to {most}");
                    }
                }
            }
        }
    }

    #[test]
    fn cells_that_do_not_fit_their_neighbours_find_other_partners() {
        // Two cells of the greatest weights, and two of the least, in turn: neighbours add up, the others do not.
        let w: Vec<f32> =
            (0..WIDE * 64).map(|i| if (i / (2 * DEPTH)).is_multiple_of(2) { 1.0 } else { -1.0 }).collect();
        let (layout, lines) = packed(&w, 64);
        assert_eq!((layout.panel(&lines, 0).pairs, layout.depth), (8, 16));
    }

    #[test]
    fn cells_that_find_nobody_take_a_pair_apart() {
        // Neighbours alike: two of the greatest weights, and two of noughts, which make a pair at first.
        let w: Vec<f32> = (0..WIDE * 16).map(|i| if i % 16 < 8 { 1.0 } else { 0.0 }).collect();
        let (layout, lines) = packed(&w, 16);
        let panel = layout.panel(&lines, 0);
        assert_eq!((panel.pairs, layout.depth), (2, 4));
    }

    #[test]
    fn weights_that_fit_nowhere_stand_alone() {
        let (layout, lines) = packed(&[1.0; WIDE * 40], 40);
        let panel = layout.panel(&lines, 0);
        assert_eq!((panel.pairs, panel.places.len()), (0, 10));
        assert!(panel.cells.iter().all(|cell| cell.0 == [[64; DEPTH]; WIDE]));
    }

    #[test]
    fn an_order_that_names_no_cell_is_seen() {
        let (layout, mut lines) = packed(&noise(WIDE * 40, 3), 40);
        assert!(layout.holds(&lines));
        for (at, value) in [(0, 6), (2, 10)] {
            let kept = lines[SCALES];
            lines[SCALES].0[at] = value;
            assert!(!layout.holds(&lines), "{at}");
            lines[SCALES] = kept;
        }
    }
}
