//! Sequences of token ids, grouped so that little of the work is padding.
//!
//! Invariant: every sequence is in exactly one batch, and `Batch::order` has its index among all sequences, so
//! results go back to their places. Which tokens a text becomes belongs to `tokenizer`.

/// One entry of a model's vocabulary.
pub type TokenId = u32;

/// Sequences that are encoded together, right-padded to the longest of them when they become a tensor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// The sequences, each with at least one token.
    pub ids: Vec<Vec<TokenId>>,
    /// For each sequence, its index among all that were batched.
    pub order: Vec<usize>,
}

impl Batch {
    /// Length of the longest sequence, in tokens: the time axis `s` of the padded batch.
    #[must_use]
    pub fn longest(&self) -> usize {
        self.ids.iter().map(Vec::len).max().unwrap_or(0)
    }
}

/// Sorts sequences by length and cuts them into batches for which `fits(rows, longest)` holds; a sequence that does
/// not fit alone gets a batch of its own. Longest first, so that the batch with the greatest need of memory is met
/// first.
#[must_use]
pub fn batches(sequences: Vec<Vec<TokenId>>, fits: impl Fn(usize, usize) -> bool) -> Vec<Batch> {
    let mut sorted: Vec<(usize, Vec<TokenId>)> = sequences.into_iter().enumerate().collect();
    sorted.sort_by_key(|(index, ids)| (usize::MAX - ids.len(), *index));
    let mut batches: Vec<Batch> = Vec::new();
    for (index, ids) in sorted {
        let room = batches.last().is_some_and(|batch| fits(batch.ids.len() + 1, batch.longest()));
        if !room {
            batches.push(Batch::default());
        }
        if let Some(batch) = batches.last_mut() {
            batch.ids.push(ids);
            batch.order.push(index);
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sequence_is_in_one_batch_and_budgets_hold() {
        let sequences: Vec<Vec<TokenId>> = (0..50).map(|i| vec![1; 1 + (i * 7) % 23]).collect();
        let batches = batches(sequences.clone(), |rows, longest| rows * longest <= 60);
        let mut seen = vec![false; sequences.len()];
        for batch in &batches {
            assert!(batch.ids.len() * batch.longest() <= 60);
            for (ids, &index) in batch.ids.iter().zip(&batch.order) {
                assert_eq!(ids, &sequences[index]);
                assert!(!std::mem::replace(&mut seen[index], true));
            }
        }
        assert!(seen.iter().all(|&seen| seen));
    }

    #[test]
    fn a_sequence_over_the_budget_stands_alone() {
        let fits = |rows, longest| rows * longest <= 10;
        let batches = batches(vec![vec![1; 3], vec![1; 100], vec![1; 2]], fits);
        assert_eq!(batches.iter().map(|batch| batch.order.clone()).collect::<Vec<_>>(), [vec![1], vec![0, 2]]);
    }
}
