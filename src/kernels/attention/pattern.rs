//! What a token sees of its own sequence: all of it, its neighbours, its block, a few tokens that all see.
//!
//! A sequence may have *extra* rows in front of its tokens: global tokens (PEGASUS-X), or the sum of each block of tokens
//! (LongT5). Places count these rows first. Invariant: what a token sees depends on its place and on the length of its own
//! sequence only, and, but for a few tokens of each sequence, is bounded by the pattern, not by the length.

use std::ops::Range;

/// Runs of places that a token sees, at most; some may be empty.
pub const RUNS: usize = 3;

/// What a token sees of its own sequence. A decoder's token never sees a later one, whatever the pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// All of it.
    Full,
    /// All of it, and so many rows in front that only are looked at (MVP's prompts, Tang et al. 2022).
    Prompted {
        /// How many rows.
        prompts: usize,
    },
    /// Tokens near by (Longformer, Beltagy et al. 2020; LongT5's local attention, Guo et al. 2022).
    Window {
        /// How many tokens before it the first of them is.
        before: usize,
        /// How many tokens after it the last of them is.
        after: usize,
        /// Whether all see the first token too.
        first: bool,
    },
    /// Tokens near by, and the sums of all blocks of tokens (LongT5's transient-global attention).
    WindowAndSums {
        /// How many tokens away the last of them is, on either side.
        radius: usize,
        /// Tokens of a block; those after the last whole block belong to it.
        block: usize,
    },
    /// The token's own block, and global tokens, which see everything (PEGASUS-X, Phang et al. 2022).
    Blocks {
        /// Tokens of a block.
        size: usize,
        /// How many tokens sooner blocks end than they would.
        shift: usize,
        /// How many global tokens there are.
        globals: usize,
    },
    /// The blocks beside the token's own, the first and the last, whose tokens see everything (BigBird, Zaheer et al.
    /// 2020). Short sequences see everything.
    BigBird {
        /// Tokens of a block.
        block: usize,
        /// Random blocks. transformers draws none where it does not train: it takes the first block once more for each.
        random: usize,
    },
}

/// A run of places that a token sees.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// The places, extra rows first.
    pub places: Range<usize>,
    /// What is added to their scores.
    pub added: Added,
}

/// What is added to the scores of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Added {
    /// A number.
    Constant(f32),
    /// Biases by distance; the first place is so many tokens after the one that looks.
    ByDistance(isize),
    /// Biases by distance in blocks; the first place is so many blocks after that of the token that looks.
    ByBlock(isize),
}

impl Run {
    fn new(places: Range<usize>, added: Added) -> Self {
        Self { places, added }
    }

    fn plain(places: Range<usize>) -> Self {
        Self::new(places, Added::Constant(0.0))
    }

    /// No place.
    fn none() -> Self {
        Self::plain(0..0)
    }
}

impl Pattern {
    /// How many rows stand in front of a sequence of `length` tokens.
    #[must_use]
    pub fn extra(self, length: usize) -> usize {
        match self {
            Self::Blocks { globals, .. } => globals,
            Self::Prompted { prompts } => prompts,
            Self::WindowAndSums { block, .. } => length / block,
            _ => 0,
        }
    }

    /// Whether the rows in front of a sequence look at it, or are only looked at.
    #[must_use]
    pub fn extra_rows_attend(self) -> bool {
        matches!(self, Self::Blocks { .. })
    }

    /// How many places a token of a sequence of `length` tokens sees at most, but for the few that see everything.
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

    /// From which distance between tokens on none sees another, in sequences of up to `length` tokens.
    #[must_use]
    pub fn reach(self, length: usize) -> usize {
        match self {
            Self::Window { before, after, .. } => before.max(after).min(length) + 1,
            Self::WindowAndSums { radius, .. } => radius.min(length) + 1,
            _ => length,
        }
    }

    /// How many tokens of its past a decoder's token sees, itself included, where it does not see all of them.
    #[must_use]
    pub fn remembered(self) -> Option<usize> {
        match self {
            Self::Window { before, first: false, .. } => Some(before + 1),
            _ => None,
        }
    }

    /// What the row at `place` sees in a sequence of `length` tokens.
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

/// What some queries see together: for each of their runs the smallest that holds those of all.
pub type Union = [Range<usize>; RUNS];

/// What rows with these runs see together.
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

/// A run of tokens with biases by their distance from `token`.
fn by_distance(tokens: Range<usize>, token: usize, extra: usize) -> Run {
    let first = tokens.start as isize - token as isize;
    Run::new(tokens.start + extra..tokens.end + extra, Added::ByDistance(first))
}

/// What the tokens of block `own` see where a sequence is long enough for that to be less than everything.
fn big_bird(own: usize, block: usize, random: usize, length: usize) -> [Run; RUNS] {
    let last = length.div_ceil(block) - 1;
    if own == 0 || own == last {
        return everything(length);
    }
    let blocks = |blocks: Range<usize>| Run::plain(blocks.start * block..(blocks.end * block).min(length));
    // To look at the first block several times is to give it so much more weight.
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
