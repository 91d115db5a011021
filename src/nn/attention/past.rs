//! What a decoder remembers of its own tokens.

use anyhow::{Context, Result, bail};
use candle_core::{DType, Device, Tensor};

use super::{Shape, fuses};
use crate::kernels::attention::{FIRST_CAPACITY, KvCache};

/// Values for which keys, and values, keep their memory: 2 MiB.
const KEPT: usize = 1 << 19;

/// Which rows a decoder has, and where each finds its past. Shared by all layers.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// For each row, the cell of each of its tokens, the one being computed included.
    cells: Vec<Vec<u32>>,
}

impl Past {
    /// Rows now.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.cells.len()
    }

    /// For each row, the cell of each of its tokens, the one being computed included.
    #[must_use]
    pub fn cells(&self) -> &[Vec<u32>] {
        &self.cells
    }

    /// Tokens of the longest past, the one being computed included.
    #[must_use]
    pub fn time(&self) -> usize {
        self.cells.iter().map(Vec::len).max().unwrap_or(0)
    }

    /// More rows, without a past, after the others.
    pub fn add_rows(&mut self, rows: usize) {
        self.cells.resize(self.cells.len() + rows, Vec::new());
    }

    /// A new token in every row. It gets the lowest cell that no row has: rows and beams come and go, and memory that is never
    /// written is never there.
    pub fn advance(&mut self) {
        let mut free = self.free();
        for cells in &mut self.cells {
            cells.extend(free.next());
        }
    }

    /// The cells that no row has, in their order.
    fn free(&self) -> impl Iterator<Item = u32> + use<> {
        let mut held = Vec::new();
        for cell in self.cells.iter().flatten().map(|&cell| cell as usize) {
            if held.len() <= cell {
                held.resize(cell + 1, false);
            }
            held[cell] = true;
        }
        (0..).filter(move |&cell| held.get(cell as usize) != Some(&true))
    }

    /// Tokens that are computed at once, a row each, beside the rows here: each token comes after its parent, an earlier one
    /// of them, or is a first token.
    #[must_use]
    pub fn tree(&self, parents: &[Option<usize>]) -> Self {
        let mut free = self.free();
        let mut cells: Vec<Vec<u32>> = Vec::with_capacity(parents.len());
        for parent in parents {
            let mut own = parent.map_or_else(Vec::new, |parent| cells[parent].clone());
            own.extend(free.next());
            cells.push(own);
        }
        Self { cells }
    }

    /// A row's past becomes that of another's row.
    pub fn adopt(&mut self, row: usize, other: &Self, its: usize) {
        self.cells[row].clone_from(&other.cells[its]);
    }

    /// More rows, after the others, with the pasts that some rows have elsewhere: pairs of each cell there and its own here.
    pub fn import_rows(&mut self, other: &Self, rows: &[usize]) -> Vec<(u32, u32)> {
        let mut held: Vec<u32> = rows.iter().flat_map(|&row| &other.cells[row]).copied().collect();
        held.sort_unstable();
        held.dedup();
        let pairs: Vec<(u32, u32)> = held.into_iter().zip(self.free()).collect();
        let own = |cell: &u32| pairs[pairs.partition_point(|(theirs, _)| theirs < cell)].1;
        self.cells.extend(rows.iter().map(|&row| other.cells[row].iter().map(own).collect()));
        pairs
    }

    /// Row `i` becomes what row `rows[i]` was.
    pub fn select(&mut self, rows: &[usize]) {
        self.cells = rows.iter().map(|&row| self.cells[row].clone()).collect();
    }
}

/// Keys and values of one decoder layer's past.
pub enum PastKeys {
    /// Where they were written they stay: on the fused path.
    Staying(KvCache),
    /// `[rows, h, capacity, width]` each, as products take them, gathered when rows are reordered.
    Gathered(Option<(Tensor, Tensor)>),
}

impl PastKeys {
    /// Nothing yet.
    #[must_use]
    pub fn new(dtype: DType, device: &Device) -> Self {
        if fuses(dtype, device) { Self::Staying(KvCache::default()) } else { Self::Gathered(None) }
    }

    /// Whether they stay where they were written when rows are reordered.
    #[must_use]
    pub fn stay(&self) -> bool {
        matches!(self, Self::Staying(_))
    }

    /// Forgets all rows. Memory of some size is kept for others, since new memory has to be filled with zeros by the system.
    pub fn clear(&mut self) {
        match self {
            Self::Staying(cache) => cache.clear(KEPT),
            Self::Gathered(both) => *both = None,
        }
    }

    /// Takes over cells of another layer's past of this `inner`, see [`Past::import_rows`].
    ///
    /// # Errors
    /// When keys do not stay where they were written.
    pub fn copy(&mut self, other: &Self, cells: &[(u32, u32)], inner: usize) -> Result<()> {
        match (self, other) {
            (Self::Staying(mine), Self::Staying(theirs)) => Ok(mine.copy(theirs, cells, inner)?),
            _ => bail!("rows cannot go from one decoder to another on this device"),
        }
    }

    /// Gathers rows where keys do not stay in place.
    ///
    /// # Errors
    /// When a row does not exist.
    pub fn select(&mut self, rows: &Tensor) -> Result<()> {
        if let Self::Gathered(Some((keys, values))) = self {
            (*keys, *values) = (keys.index_select(rows, 0)?, values.index_select(rows, 0)?);
        }
        Ok(())
    }
}

/// Keys and values with room for the whole past of all rows, of the type and on the device of `like`.
pub(super) fn reserve<'a>(
    both: &'a mut Option<(Tensor, Tensor)>,
    past: &Past,
    heads: Shape,
    like: &Tensor,
) -> Result<(&'a Tensor, &'a Tensor)> {
    let now = both.as_ref().map(|(keys, _)| keys.dims().to_vec()).unwrap_or_default();
    let capacity = now.get(2).copied().unwrap_or(0);
    let reach = if capacity < past.time() { (2 * capacity).max(FIRST_CAPACITY).max(past.time()) } else { capacity };
    let wanted = [past.rows(), heads.heads, reach, heads.width];
    if now != wanted {
        *both = Some(if let Some((keys, values)) = both.take() {
            (grown(&keys, &wanted)?, grown(&values, &wanted)?)
        } else {
            let empty = || Tensor::zeros(&wanted, like.dtype(), like.device());
            (empty()?, empty()?)
        });
    }
    both.as_ref().map(|(keys, values)| (keys, values)).context("a past without keys")
}

/// `old` with zeros after its end, on the one axis that is longer.
fn grown(old: &Tensor, shape: &[usize]) -> Result<Tensor> {
    let axis = old.dims().iter().zip(shape).position(|(now, wanted)| now < wanted).context("a past that shrinks")?;
    let new = Tensor::zeros(shape, old.dtype(), old.device())?;
    new.slice_set(&old.contiguous()?, axis, 0)?;
    Ok(new)
}
