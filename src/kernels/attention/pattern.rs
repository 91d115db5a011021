//! Attention patterns: which positions of its own sequence a token sees. It may be all of them, neighbours, its block, or
//! a few tokens that all see.
//!
//! A sequence may have *extra* rows before its tokens: global tokens (PEGASUS-X), or the sum of each block of tokens
//! (LongT5). Positions (`place`) count these rows first. Invariant: what a token sees depends only on its position and on
//! the length of its own sequence. Except for a few tokens of each sequence, its size is bounded by the pattern, not by
//! the length.

use std::ops::Range;

/// Most runs of positions that a token sees; some may be empty.
pub const RUNS: usize = 3;

/// An attention pattern: what a token sees of its own sequence. A decoder's token never sees a later one, whatever the
/// pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// The whole sequence.
    Full,
    /// The whole sequence, and extra rows before it that see nothing themselves (MVP's prompts, Tang et al. 2022).
    Prompted {
        /// Number of extra rows.
        prompts: usize,
    },
    /// A window of tokens around each token (Longformer, Beltagy et al. 2020; LongT5's local attention, Guo et al. 2022).
    Window {
        /// Number of tokens in the window before the token.
        before: usize,
        /// Number of tokens in the window after the token.
        after: usize,
        /// Whether all tokens see the first token too.
        first: bool,
    },
    /// A window of tokens around each token, and the sums of all blocks of tokens (LongT5's transient-global attention).
    WindowAndSums {
        /// Number of tokens in the window on either side.
        radius: usize,
        /// Tokens per block; tokens after the last whole block belong to it.
        block: usize,
    },
    /// The token's own block, and global tokens, which see everything (PEGASUS-X, Phang et al. 2022).
    Blocks {
        /// Tokens per block.
        size: usize,
        /// Number of tokens by which block boundaries are moved towards the start.
        shift: usize,
        /// Number of global tokens.
        globals: usize,
    },
    /// The token's own block and its neighbours, and the first and the last block, whose tokens see everything (BigBird,
    /// Zaheer et al. 2020). Short sequences have full attention.
    BigBird {
        /// Tokens per block.
        block: usize,
        /// Number of random blocks. transformers draws none outside training: it takes the first block once more for
        /// each.
        random: usize,
    },
}

/// A run of consecutive positions that a token sees.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// The positions; extra rows are counted first.
    pub places: Range<usize>,
    /// Biases of their scores.
    pub added: Added,
}

/// The biases that are added to the scores of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Added {
    /// One number for all positions.
    Constant(f32),
    /// Biases by distance; the first position is `n` tokens after the query.
    ByDistance(isize),
    /// Biases by distance in blocks; the first position is `n` blocks after the query's block.
    ByBlock(isize),
}

impl Run {
    fn new(places: Range<usize>, added: Added) -> Self {
        Self { places, added }
    }

    fn plain(places: Range<usize>) -> Self {
        Self::new(places, Added::Constant(0.0))
    }

    /// A run without positions.
    fn none() -> Self {
        Self::plain(0..0)
    }
}

impl Pattern {
    /// Number of extra rows before a sequence of `length` tokens.
    #[must_use]
    pub fn extra(self, length: usize) -> usize {
        match self {
            Self::Blocks { globals, .. } => globals,
            Self::Prompted { prompts } => prompts,
            Self::WindowAndSums { block, .. } => length / block,
            _ => 0,
        }
    }

    /// Whether extra rows are queries too. Otherwise tokens see them, but they see nothing.
    #[must_use]
    pub fn extra_rows_attend(self) -> bool {
        matches!(self, Self::Blocks { .. })
    }

    /// The most positions that a token of a sequence of `length` tokens sees, except for the few tokens that see
    /// everything.
    #[must_use]
    pub fn seen(self, length: usize) -> usize {
        let most = match self {
            Self::Full => length,
            Self::Prompted { prompts } => length + prompts,
            Self::Window { before, after, .. } => before + after + 2,
            Self::WindowAndSums { radius, block } => 2 * radius + 1 + length / block,
            Self::Blocks { size, globals, .. } => size + globals,
            Self::BigBird { block, random } => (5 + 2 * random) * block,
        };
        most.min(length + self.extra(length))
    }

    /// The distance from which on no token sees another, in sequences of up to `length` tokens.
    #[must_use]
    pub fn reach(self, length: usize) -> usize {
        match self {
            Self::Window { before, after, .. } => before.max(after).min(length) + 1,
            Self::WindowAndSums { radius, .. } => radius.min(length) + 1,
            _ => length,
        }
    }

    /// Number of tokens of its past that a decoder's token sees, itself included; `None`: all.
    #[must_use]
    pub fn remembered(self) -> Option<usize> {
        match self {
            Self::Window { before, first: false, .. } => Some(before + 1),
            _ => None,
        }
    }

    /// The runs that the row at position `place` sees, in a sequence of `length` tokens.
    #[must_use]
    pub fn runs(self, place: usize, length: usize) -> [Run; RUNS] {
        let extra = self.extra(length);
        let Some(token) = place.checked_sub(extra) else { return everything(extra + length) };
        match self {
            Self::Window { before, after, first } => {
                let near = near(token, [before, after], length);
                let start = if first { near.start.max(1) } else { near.start };
                [Run::plain(0..usize::from(first)), by_distance(start..near.end, token, 0), Run::none()]
            }
            Self::WindowAndSums { radius, block } => {
                let own = (token / block).min(extra.saturating_sub(1));
                let sums = Run::new(0..extra, Added::ByBlock(-(own as isize)));
                [sums, by_distance(near(token, [radius; 2], length), token, extra), Run::none()]
            }
            Self::Blocks { size, shift, globals } => {
                let start = (token + shift) / size * size;
                let own = start.saturating_sub(shift)..(start + size - shift).min(length);
                [Run::plain(0..globals), Run::plain(own.start + globals..own.end + globals), Run::none()]
            }
            Self::BigBird { block, random } if length > (5 + 2 * random) * block => {
                big_bird(token / block, block, random, length)
            }
            Self::Full | Self::Prompted { .. } | Self::BigBird { .. } => everything(extra + length),
        }
    }
}

/// What some queries see together: for each of their runs the smallest range that contains it for every query.
pub type Union = [Range<usize>; RUNS];

/// The union of the runs of some queries.
#[must_use]
pub fn union(of: &[[Run; RUNS]]) -> Union {
    std::array::from_fn(|run| {
        let seen = || of.iter().map(|runs| &runs[run].places).filter(|places| !places.is_empty());
        let start = seen().map(|places| places.start).min().unwrap_or(0);
        start..seen().map(|places| places.end).max().unwrap_or(start)
    })
}

fn everything(places: usize) -> [Run; RUNS] {
    [Run::plain(0..places), Run::none(), Run::none()]
}

fn near(token: usize, [before, after]: [usize; 2], length: usize) -> Range<usize> {
    token.saturating_sub(before)..token.saturating_add(after + 1).min(length)
}

/// A run of tokens with biases by their distance from `token`; `extra` rows stand before the tokens.
fn by_distance(tokens: Range<usize>, token: usize, extra: usize) -> Run {
    let first = tokens.start as isize - token as isize;
    Run::new(tokens.start + extra..tokens.end + extra, Added::ByDistance(first))
}

/// The runs that tokens of block `own` see, in a sequence that is long enough for sparse attention.
fn big_bird(own: usize, block: usize, random: usize, length: usize) -> [Run; RUNS] {
    let last = length.div_ceil(block) - 1;
    if own == 0 || own == last {
        return everything(length);
    }
    let blocks = |blocks: Range<usize>| Run::plain(blocks.start * block..(blocks.end * block).min(length));
    // The reference sees the first block `1 + random` times: the same as adding the logarithm to its scores.
    let first = Run::new(0..block, Added::Constant((1.0 + random as f32).ln()));
    let middle = own.saturating_sub(1).max(1)..(own + 2).min(last);
    [first, blocks(middle), blocks(last..last + 1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(pattern: Pattern, place: usize, length: usize) -> Vec<usize> {
        pattern.runs(place, length).into_iter().flat_map(|run| run.places).collect()
    }

    #[test]
    fn a_window_ends_where_the_sequence_does() {
        let window = |first| Pattern::Window { before: 2, after: 2, first };
        assert_eq!(seen(window(false), 0, 9), [0, 1, 2]);
        assert_eq!(seen(window(false), 4, 9), [2, 3, 4, 5, 6]);
        assert_eq!(seen(window(false), 8, 9), [6, 7, 8]);
        // The first token is seen by all, and once.
        assert_eq!(seen(window(true), 1, 9), [0, 1, 2, 3]);
        assert_eq!(seen(window(true), 8, 9), [0, 6, 7, 8]);
        assert_eq!(window(true).runs(6, 9)[1].added, Added::ByDistance(-2));
        let uneven = Pattern::Window { before: 1, after: 3, first: false };
        assert_eq!(seen(uneven, 4, 9), [3, 4, 5, 6, 7]);
        assert_eq!((uneven.reach(9), uneven.seen(9)), (4, 6));
    }

    #[test]
    fn a_decoder_forgets_what_no_later_token_sees() {
        let window = |before| Pattern::Window { before, after: 0, first: false };
        assert_eq!((window(3).remembered(), Pattern::Full.remembered()), (Some(4), None));
    }

    #[test]
    fn sums_stand_in_front_and_tokens_left_over_belong_to_the_last() {
        let pattern = Pattern::WindowAndSums { radius: 1, block: 4 };
        assert_eq!(seen(pattern, 2, 11), [0, 1, 2, 3]);
        assert_eq!(seen(pattern, 2 + 10, 11), [0, 1, 11, 12]);
        assert_eq!(pattern.runs(2 + 10, 11)[0].added, Added::ByBlock(-1));
        assert_eq!(pattern.runs(2 + 3, 11)[0].added, Added::ByBlock(0));
        assert_eq!(seen(pattern, 1, 3), [0, 1, 2], "too short for a sum");
    }

    #[test]
    fn blocks_see_themselves_and_global_tokens_all() {
        let blocks = |shift| Pattern::Blocks { size: 4, shift, globals: 2 };
        assert_eq!(seen(blocks(0), 2 + 5, 7), [0, 1, 6, 7, 8]);
        assert_eq!(seen(blocks(2), 2, 7), [0, 1, 2, 3]);
        assert_eq!(seen(blocks(2), 2 + 2, 7), [0, 1, 4, 5, 6, 7]);
        assert_eq!(seen(blocks(2), 1, 7), (0..9).collect::<Vec<_>>());
    }

    #[test]
    fn big_birds_blocks_are_each_seen_once() {
        let pattern = Pattern::BigBird { block: 2, random: 1 };
        assert_eq!(seen(pattern, 4, 14), (0..14).collect::<Vec<_>>(), "a short one sees everything");
        assert_eq!(seen(pattern, 1, 15), (0..15).collect::<Vec<_>>());
        assert_eq!(seen(pattern, 14, 15), (0..15).collect::<Vec<_>>());
        assert_eq!(seen(pattern, 2, 15), [0, 1, 2, 3, 4, 5, 14]);
        assert_eq!(seen(pattern, 6, 15), [0, 1, 4, 5, 6, 7, 8, 9, 14]);
        assert_eq!(seen(pattern, 12, 15), [0, 1, 10, 11, 12, 13, 14]);
        assert_eq!(pattern.runs(6, 15)[0].added, Added::Constant(2f32.ln()));
    }
}
