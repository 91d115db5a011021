//! The int8 weights of sixteen outputs: a *panel*, in lines of 64 bytes. The scales of its sums come first, then its
//! cells. A cell has the weights of [`DEPTH`] inputs for each output.
//!
//! With VNNI, products are added in 32 bits at once, and cells stand in the order of their inputs. AVX2 and AVX-512
//! without VNNI multiply bytes and add two products in 16 bits; widening these sums takes as long as the products
//! themselves. For them, cells stand in pairs whose 16-bit sums are added before they are widened, and the panel lists
//! the order of its cells.
//!
//! Invariant: the four products that a pair adds in 16 bits fit into 16 bits, whatever the activations are. This holds
//! if, of the four weights, neither the positive nor the negative ones add up to more than [`MAX_SAME_SIGN`] in size.
//! Most neighbouring cells form such a pair. The others look for another partner; cells without a partner stand unpaired
//! at the end.
//!
//! Example: a panel of 16 inputs has four cells, 0 to 3. If 0 and 1 fit together and 2 and 3 do not, the order is 0, 1,
//! 3, 2 with one pair, and the last two cells are multiplied one by one.

use super::super::super::pages::Plain;
use super::super::super::simd::{self, Level, WIDE};
use super::quantise::QuantiseOutput;

/// Number of inputs that one instruction multiplies and adds for each output.
pub const DEPTH: usize = 4;
/// The greatest quantised weight in size: two products fit 16 bits, as 2 · 255 · 64 < 2^15.
pub const WEIGHT: f32 = 64.0;
/// The most that weights of one sign may add up to in a pair: 255 · 128 < 2^15.
const MAX_SAME_SIGN: u8 = 128;
/// Number of partners that a cell tries before it stays unpaired; a bound keeps packing linear in the number of cells.
const MAX_TRIES: usize = 32;
/// Most cells of a panel, since cell numbers are stored in 16 bits.
const CELLS: usize = 1 << 16;

/// 64 bytes of a panel: a [`WeightCell`], half of [`Scales`], or a part of the order of cells.
#[repr(C, align(64))]
#[derive(Clone, Copy)]
pub struct CacheLine([u8; 64]);

// SAFETY: all-zero bytes are a value, and the alignment is 64 bytes.
unsafe impl Plain for CacheLine {}

/// The weights of [`DEPTH`] inputs for each output of a panel.
#[repr(C, align(64))]
#[derive(Clone, Copy)]
pub struct WeightCell(pub [[i8; DEPTH]; WIDE]);

impl WeightCell {
    /// A cell of zeros.
    pub const EMPTY: Self = Self([[0; DEPTH]; WIDE]);
}

/// The scales that turn a panel's integer sums into outputs.
#[repr(C, align(64))]
#[derive(Clone, Copy)]
pub struct Scales {
    /// The quantisation step of each output.
    pub steps: [f32; WIDE],
    /// The sum of each output's quantised weights; times a row's zero point it is subtracted from the row's sum.
    pub sums: [i32; WIDE],
}

/// Number of lines that a panel's scales take.
const SCALES: usize = size_of::<Scales>() / size_of::<CacheLine>();

/// The order of a panel's cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Cells in the order of their inputs.
    Plain,
    /// Cells in pairs whose products may be added in 16 bits.
    Pairs,
}

impl Order {
    /// The order that is fastest with the instruction set in use. Every instruction set can read both.
    pub fn current() -> Self {
        match Level::current() {
            Level::Avx2 | Level::Avx512 => Self::Pairs,
            Level::Generic | Level::AvxVnni | Level::Avx512Vnni => Self::Plain,
        }
    }
}

/// The memory layout of a panel.
#[derive(Clone, Copy)]
pub struct Layout {
    /// The order of the cells.
    pub order: Order,
    /// Number of cells; the last one may be zeros.
    pub depth: usize,
    /// Number of lines before the cells.
    head: usize,
}

/// A view of the parts of one panel.
pub struct Panel<'a> {
    pub scales: &'a Scales,
    /// Number of pairs of cells; the cells after them are unpaired.
    pub pairs: usize,
    /// For each cell, the index of its first input divided by [`DEPTH`]; empty if cells are in plain order.
    pub cell_inputs: &'a [u16],
    pub cells: &'a [WeightCell],
}

impl Layout {
    /// The layout of the panels of a matrix with `k` inputs.
    ///
    /// # Panics
    /// When `k` is more than 262,144.
    pub fn new(k: usize, order: Order) -> Self {
        let (depth, numbers) = match order {
            Order::Plain => (k.div_ceil(DEPTH), 0),
            Order::Pairs => {
                // An even number of cells, so that every cell can have a partner.
                let depth = k.div_ceil(DEPTH).next_multiple_of(2);
                // Numbers before the cells: the number of pairs, and the inputs of each cell.
                (depth, 1 + depth)
            }
        };
        assert!(depth <= CELLS, "a layer with {k} inputs");
        Self { order, depth, head: SCALES + (numbers * size_of::<u16>()).div_ceil(size_of::<CacheLine>()) }
    }

    /// Number of lines of one panel.
    pub fn lines(self) -> usize {
        self.head + self.depth
    }

    /// A view of panel `number` in the memory of a matrix.
    #[inline(always)]
    pub fn panel(self, lines: &[CacheLine], number: usize) -> Panel<'_> {
        let (head, cells) = lines[number * self.lines()..][..self.lines()].split_at(self.head);
        let (scales, numbers) = head.split_at(SCALES);
        // SAFETY: `scales` has as many lines as a `Scales`, of its alignment, and a cell is one line. Any bytes are valid
        // in both.
        let (scales, cells) =
            unsafe { (&*scales.as_ptr().cast(), std::slice::from_raw_parts(cells.as_ptr().cast(), cells.len())) };
        let (pairs, cell_inputs): (_, &[u16]) = match self.order {
            Order::Plain => (0, &[]),
            Order::Pairs => {
                // SAFETY: `new` made room for `1 + depth` numbers in these lines, and any bytes are valid numbers.
                let numbers = unsafe { std::slice::from_raw_parts(numbers.as_ptr().cast::<u16>(), 1 + self.depth) };
                (numbers[0].into(), &numbers[1..])
            }
        };
        Panel { scales, pairs, cell_inputs, cells }
    }

    /// Whether all panels name only cells that exist, which unchecked multiplication relies on.
    pub fn holds(self, lines: &[CacheLine]) -> bool {
        self.order == Order::Plain
            || (0..lines.len() / self.lines()).all(|number| {
                let panel = self.panel(lines, number);
                2 * panel.pairs <= self.depth && panel.cell_inputs.iter().all(|&cell| usize::from(cell) < self.depth)
            })
    }

    /// Quantises up to sixteen outputs into the `lines` of a panel; `fill(output, values)` writes the weights of one.
    /// `values` and `cells` are buffers, for the weights of one output and for the cells of all.
    pub fn pack(
        self,
        outputs: usize,
        fill: impl Fn(usize, &mut [f32]),
        lines: &mut [CacheLine],
        (values, cells): (&mut [f32], &mut [WeightCell]),
    ) {
        let mut scales = Scales { steps: [0.0; WIDE], sums: [0; WIDE] };
        let mut quantised = vec![0; (cells.len() * DEPTH).next_multiple_of(WIDE)];
        cells.fill(WeightCell::EMPTY);
        for output in 0..outputs {
            fill(output, values);
            let (step, sum) = (&mut scales.steps[output], &mut scales.sums[output]);
            simd::run(QuantiseOutput { values, quantised: &mut quantised, step, sum });
            for (cell, &weights) in cells.iter_mut().zip(quantised.as_chunks().0) {
                cell.0[output] = weights.map(u8::cast_signed);
            }
        }
        let (head, rest) = lines.split_at_mut(self.head);
        // SAFETY: as in `panel`.
        unsafe { head.as_mut_ptr().cast::<Scales>().write(scales) };
        match self.order {
            Order::Plain => write(rest, &*cells),
            Order::Pairs => {
                let (pairs, cell_inputs) = pair_up(cells);
                let slots = head[SCALES..].as_mut_ptr().cast::<u16>();
                for (at, &number) in std::iter::once(&pairs).chain(&cell_inputs).enumerate() {
                    // SAFETY: as in `panel`.
                    unsafe { slots.add(at).write(number) };
                }
                write(rest, cell_inputs.iter().map(|&cell| &cells[usize::from(cell)]));
            }
        }
    }
}

/// Writes one cell to each line.
fn write<'a>(lines: &mut [CacheLine], cells: impl IntoIterator<Item = &'a WeightCell>) {
    for (line, cell) in lines.iter_mut().zip(cells) {
        // SAFETY: a cell has the size and alignment of a line.
        unsafe { std::ptr::from_mut(line).cast::<WeightCell>().write(*cell) };
    }
}

/// Pairs cells; returns the number of pairs and the order of the cells: paired ones first, then unpaired ones.
fn pair_up(cells: &[WeightCell]) -> (u16, Vec<u16>) {
    let sums: Vec<SignSums> = cells.iter().map(SignSums::of).collect();
    let fit = |a: usize, b: usize| sums[a].fits(&sums[b]);
    let (mut pairs, mut loose, mut alone) = (Vec::with_capacity(cells.len() / 2), Vec::new(), Vec::new());
    for first in (0..cells.len()).step_by(2) {
        if fit(first, first + 1) {
            pairs.push([first, first + 1]);
        } else {
            loose.extend([first, first + 1]);
        }
    }
    while let Some(cell) = loose.pop() {
        match loose.iter().rev().take(MAX_TRIES).position(|&other| fit(cell, other)) {
            Some(back) => pairs.push([cell, loose.remove(loose.len() - 1 - back)]),
            None => alone.push(cell),
        }
    }
    // Two unpaired cells may split a pair if each fits one of its cells. The number of cells is even, and so is that of
    // unpaired ones.
    let mut left = Vec::new();
    for &two in alone.as_chunks::<2>().0 {
        let suits = |[c, d]: [usize; 2]| fit(two[0], c) && fit(two[1], d);
        let found = (0..pairs.len()).rev().take(MAX_TRIES).find_map(|at| {
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

/// The size of a cell's weights by sign: for each two weights whose products are added in 16 bits, the sum of the
/// positive and of the negative ones.
struct SignSums([u8; 4 * WIDE]);

impl SignSums {
    fn of(cell: &WeightCell) -> Self {
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

    /// Whether the sums of both cells together stay within [`MAX_SAME_SIGN`].
    fn fits(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).fold(0, |most, (a, b)| most.max(a.saturating_add(*b))) <= MAX_SAME_SIGN
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::super::noise;
    use super::*;

    fn packed(w: &[f32], k: usize) -> (Layout, Vec<CacheLine>) {
        let layout = Layout::new(k, Order::Pairs);
        let mut lines = vec![CacheLine([0; 64]); layout.lines()];
        let mut room = (vec![0.0; k], vec![WeightCell::EMPTY; layout.depth]);
        let fill = |output: usize, values: &mut [f32]| values.copy_from_slice(&w[output * k..][..k]);
        layout.pack(w.len() / k, fill, &mut lines, (&mut room.0, &mut room.1));
        (layout, lines)
    }

    #[test]
    fn weights_are_rounded_half_away_from_zero() {
        // 130 inputs, so that neither vectors nor cells divide them; halves of a step among them, and either side of one.
        let mut w = noise(WIDE * 130, 5);
        for (output, w) in w.chunks_mut(130).enumerate() {
            w[0] = 64.0 * if output % 2 == 0 { 1.0 } else { -1.0 };
            for (place, w) in w[1..100].iter_mut().enumerate() {
                *w = place as f32 - 49.5;
            }
            w[100] = 0.5f32.next_down();
            w[101] = (-0.5f32).next_up();
        }
        let (layout, lines) = packed(&w, 130);
        let panel = layout.panel(&lines, 0);
        for (output, w) in w.chunks(130).enumerate() {
            let mut sum = 0;
            for (cell, &input) in panel.cells.iter().zip(panel.cell_inputs) {
                for (at, &found) in (DEPTH * usize::from(input)..).zip(&cell.0[output]) {
                    assert_eq!(found, w.get(at).map_or(0, |w| w.round() as i8), "{output} {at}");
                    sum += i32::from(found);
                }
            }
            assert_eq!((panel.scales.steps[output], panel.scales.sums[output]), (1.0, sum), "{output}");
        }
    }

    #[test]
    fn no_activations_take_a_pair_out_of_sixteen_bits() {
        for k in [8, 100, 517] {
            let (layout, lines) = packed(&noise(WIDE * k, 3), k);
            let panel = layout.panel(&lines, 0);
            let mut seen = panel.cell_inputs.to_vec();
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
    fn cells_without_a_partner_split_a_pair() {
        // Neighbours alike: two of the greatest weights, and two of zeros, which make a pair at first.
        let w: Vec<f32> = (0..WIDE * 16).map(|i| if i % 16 < 8 { 1.0 } else { 0.0 }).collect();
        let (layout, lines) = packed(&w, 16);
        let panel = layout.panel(&lines, 0);
        assert_eq!((panel.pairs, layout.depth), (2, 4));
    }

    #[test]
    fn weights_that_fit_nowhere_stand_alone() {
        let (layout, lines) = packed(&[1.0; WIDE * 40], 40);
        let panel = layout.panel(&lines, 0);
        assert_eq!((panel.pairs, panel.cell_inputs.len()), (0, 10));
        assert!(panel.cells.iter().all(|cell| cell.0 == [[64; DEPTH]; WIDE]));
    }

    #[test]
    fn an_order_that_names_no_cell_is_refused() {
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
