//! The self-attention cache of a decoder: which rows it has, and the keys and values of their tokens.

use anyhow::{Context, Result};
use candle_core::{DType, Device, Tensor};

use super::fuses;
use crate::kernels::attention::{FIRST_CAPACITY, KvCache};

/// Capacity of a layer's keys, and of its values, that survives [`PastKeys::clear`], in f32 values: 2 MiB.
const KEPT: usize = 1 << 19;

/// The slots of the tokens of a decoder's rows, which are the same in the KV caches of all its layers.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// For each row, the slots of its tokens in order of time, the current one last. Tokens outside the window are
    /// dropped.
    slots: Vec<Vec<u32>>,
    /// Number of tokens that a row can see, the current one included; `None`: all.
    window: Option<usize>,
    /// Number of rows of predicted tokens, which are the last rows; their keys are not kept.
    predicting: usize,
}

impl Past {
    /// A past without rows, each of whose rows will see its last `window` tokens (`None`: all).
    #[must_use]
    pub fn within(window: Option<usize>) -> Self {
        Self { window, ..Self::default() }
    }

    /// Number of tokens that a row can see, the current one included; `None`: all.
    #[must_use]
    pub fn window(&self) -> Option<usize> {
        self.window
    }

    /// For each row, the slots of its tokens in order of time, the current one last. Tokens outside the window are
    /// dropped.
    #[must_use]
    pub fn slots(&self) -> &[Vec<u32>] {
        &self.slots
    }

    /// Number of rows that are not of predicted tokens.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.slots.len() - self.predicting
    }

    /// Number of tokens in the longest past within the window, the current one included, predicted ones not.
    #[must_use]
    pub fn time(&self) -> usize {
        self.slots[..self.remembered()].iter().map(Vec::len).max().unwrap_or(0)
    }

    /// A copy with one more row for each row, after all others: the row's past and a predicted token, in a free slot.
    #[must_use]
    pub fn with_predicting(&self) -> Self {
        let mut free = self.free();
        let next = self.slots.iter().map(|slots| slots.iter().copied().chain(free.next()).collect());
        let slots = self.slots.iter().cloned().chain(next).collect();
        Self { slots, window: self.window, predicting: self.slots.len() }
    }

    /// Adds `rows` rows without a past, after the others.
    pub fn add_rows(&mut self, rows: usize) {
        self.slots.resize(self.slots.len() + rows, Vec::new());
    }

    /// Appends a new token to every row. Each gets the lowest slot that no row uses: as rows and beams come and go, slots
    /// are reused, and memory that is never written is never committed by the system.
    pub fn advance(&mut self) {
        let window = self.window;
        self.slots.iter_mut().for_each(|slots| forget(slots, window));
        let mut free = self.free();
        for slots in &mut self.slots {
            slots.extend(free.next());
        }
    }

    /// The slots that no row uses, ascending, without end.
    fn free(&self) -> impl Iterator<Item = u32> + use<> {
        let mut held = Vec::new();
        for slot in self.slots.iter().flatten().map(|&slot| slot as usize) {
            if held.len() <= slot {
                held.resize(slot + 1, false);
            }
            held[slot] = true;
        }
        (0..).filter(move |&slot| held.get(slot as usize) != Some(&true))
    }

    /// The past of tokens that are computed at once, one row each, in slots that are free here. Each token follows its
    /// parent, which is the index of an earlier one, or is the first of its sequence (`None`).
    #[must_use]
    pub fn tree(&self, parents: &[Option<usize>]) -> Self {
        let mut free = self.free();
        let mut slots: Vec<Vec<u32>> = Vec::with_capacity(parents.len());
        for parent in parents {
            let mut own = parent.map_or_else(Vec::new, |parent| slots[parent].clone());
            forget(&mut own, self.window);
            own.extend(free.next());
            slots.push(own);
        }
        Self { slots, window: self.window, predicting: 0 }
    }

    /// Replaces the past of `row` by that of row `its` of `other`, whose slots are in the same caches.
    pub fn adopt(&mut self, row: usize, other: &Self, its: usize) {
        self.slots[row].clone_from(&other.slots[its]);
    }

    /// Reorders rows: row `i` becomes what row `rows[i]` was.
    pub fn select(&mut self, rows: &[usize]) {
        self.slots = rows.iter().map(|&row| self.slots[row].clone()).collect();
    }
}

/// Drops a row's oldest token if its window is full, so that a new one fits.
fn forget(slots: &mut Vec<u32>, window: Option<usize>) {
    if window == Some(slots.len()) {
        slots.remove(0);
    }
}

/// The self-attention cache of one decoder layer: keys and values of past tokens.
pub enum PastKeys {
    /// Fused path: keys stay in the slot where they were written.
    InPlace(KvCache),
    /// Composed path: keys are contiguous, and gathered when rows are reordered.
    Contiguous(ContiguousKeys),
}

/// Keys and values of rows whose pasts all have one length, contiguous as matrix products take them.
#[derive(Default)]
pub struct ContiguousKeys {
    /// Keys and values, `[rows, kv_heads, capacity, width]` each.
    both: Option<(Tensor, Tensor)>,
    /// Number of tokens written since the past began.
    written: usize,
}

impl PastKeys {
    /// An empty cache, for the path that this type and device take.
    #[must_use]
    pub fn new(dtype: DType, device: &Device) -> Self {
        if fuses(dtype, device) {
            Self::InPlace(KvCache::default())
        } else {
            Self::Contiguous(ContiguousKeys::default())
        }
    }

    /// Whether keys stay in their slots when rows are reordered.
    #[must_use]
    pub fn are_in_place(&self) -> bool {
        matches!(self, Self::InPlace(_))
    }

    /// Forgets all rows. Up to 2 MiB each of keys and of values stay allocated, since the system has to fill new memory
    /// with zeros.
    pub fn clear(&mut self) {
        match self {
            Self::InPlace(cache) => cache.clear(KEPT),
            Self::Contiguous(gathered) => *gathered = ContiguousKeys::default(),
        }
    }

    /// Composed path: gathers the keys of these rows, `[rows]` indices. On the fused path there is nothing to do.
    ///
    /// # Errors
    /// When a row does not exist.
    pub fn select(&mut self, rows: &Tensor) -> Result<()> {
        if let Self::Contiguous(ContiguousKeys { both: Some((keys, values)), .. }) = self {
            (*keys, *values) = (keys.index_select(rows, 0)?, values.index_select(rows, 0)?);
        }
        Ok(())
    }
}

impl ContiguousKeys {
    /// Writes the keys and values `[rows, kv_heads, 1, width]` of each row's new token, and returns those of all tokens
    /// that the rows see. With a window the oldest token is overwritten, so the order is not that of time; no family
    /// combines a window with biases by distance.
    pub(super) fn with(&mut self, keys: &Tensor, values: &Tensor, past: &Past) -> Result<(Tensor, Tensor)> {
        let time = past.time();
        if time == 1 {
            self.written = 0;
        }
        let place = past.window().map_or(self.written, |window| self.written % window);
        self.written += 1;
        let (rows, heads, _, width) = keys.dims4()?;
        let now = self.both.as_ref().map(|(keys, _)| keys.dims().to_vec()).unwrap_or_default();
        let capacity = now.get(2).copied().unwrap_or(0);
        let wanted =
            [rows, heads, if capacity < time { (2 * capacity).max(FIRST_CAPACITY).max(time) } else { capacity }, width];
        let zeros = || Tensor::zeros(&wanted, keys.dtype(), keys.device());
        if now != wanted {
            self.both = Some(match self.both.take() {
                Some((keys, values)) => (grown(&keys, &wanted)?, grown(&values, &wanted)?),
                None => (zeros()?, zeros()?),
            });
        }
        let (all_keys, all_values) = self.both.as_ref().context("a past without keys")?;
        all_keys.slice_set(keys, 2, place)?;
        all_values.slice_set(values, 2, place)?;
        Ok((all_keys.narrow(2, 0, time)?, all_values.narrow(2, 0, time)?))
    }
}

/// `old`, copied to a tensor of `shape`, which is longer on one axis and zero there.
fn grown(old: &Tensor, shape: &[usize]) -> Result<Tensor> {
    let axis = old.dims().iter().zip(shape).position(|(now, wanted)| now < wanted).context("a past that shrinks")?;
    let new = Tensor::zeros(shape, old.dtype(), old.device())?;
    new.slice_set(&old.contiguous()?, axis, 0)?;
    Ok(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_remembers_a_window_takes_no_more_cells_than_it_has_tokens() {
        let mut past = Past::within(Some(3));
        past.add_rows(2);
        for _ in 0..20 {
            past.advance();
            past.select(&[1, 0]);
        }
        assert_eq!((past.time(), past.slots().len()), (3, 2));
        assert!(past.slots().iter().flatten().all(|&slot| slot < 6), "{past:?}");
        let mut all = Past::within(None);
        all.add_rows(1);
        (0..20).for_each(|_| all.advance());
        assert_eq!(all.slots()[0], (0..20).collect::<Vec<u32>>());
        let tree = past.tree(&[None, Some(0), Some(1), Some(2)]);
        let lengths: Vec<usize> = tree.slots().iter().map(Vec::len).collect();
        assert_eq!(lengths, [1, 2, 3, 3]);
        assert!(tree.slots()[3].starts_with(&tree.slots()[2][1..]));
    }

    #[test]
    fn a_token_to_come_has_a_slot_that_no_row_has_and_is_not_remembered() {
        let mut past = Past::within(None);
        past.add_rows(2);
        (0..2).for_each(|_| past.advance());
        let both = past.with_predicting();
        assert_eq!(both.slots(), [vec![0, 2], vec![1, 3], vec![0, 2, 4], vec![1, 3, 5]]);
        assert_eq!((both.remembered(), both.time(), past.remembered(), past.time()), (2, 2, 2, 2));
        past.advance();
        assert_eq!(past.slots(), [[0, 2, 4], [1, 3, 5]]);
    }

    #[test]
    fn gathered_keys_of_a_window_are_written_over() -> Result<()> {
        let (mut gathered, mut past) = (ContiguousKeys::default(), Past::within(Some(2)));
        past.add_rows(1);
        let mut seen = Vec::new();
        for step in 0..5 {
            past.advance();
            let new = Tensor::full(step as f32, (1, 1, 1, 1), &Device::Cpu)?;
            let (keys, _) = gathered.with(&new, &new, &past)?;
            seen = keys.flatten_all()?.to_vec1::<f32>()?;
        }
        assert_eq!(seen, [4.0, 3.0]);
        Ok(())
    }
}
