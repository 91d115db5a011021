//! From a model that says what may come next to the sentences it most likely means.
//!
//! The loop, for all sentences (*sequences*) that run at once:
//!
//! 1. admit new sequences, if any wait: each gets one row of the model, after those of the others (`Search::admit`);
//! 2. leave out the rows of finished sequences, and put those of beams in their new order (`Step::select`);
//! 3. feed each row its next token: of the start, or the one that was chosen; get a row of logits for each
//!    (`Step::step`);
//! 4. write down what the rules change in each row: tokens banned, made less likely, forced (`logits`);
//! 5. take each row's best tokens and its sum of exponentials in one go (`kernels::topk`), and apply the
//!    changes to them;
//! 6. choose: the best token of each row (`greedy`), a token by chance (`sample`), or the best
//!    continuations of all rows of a sequence (`beam`); hypotheses that end are put aside; go on at 1 until no sequence
//!    is left.
//!
//! A search with a guard against repetition resumes where a search without the guard would first have chosen otherwise (`guard`).
//!
//! Responsible for: tokens and scores equal to those of transformers 5.23's `generate`. Invariant: what a
//! sequence gets does not depend, in any bit, on the other sequences or on when it was admitted. Sequences with terms that
//! their target must contain (`required`) are searched with beams that are divided among banks; transformers has no such
//! search. Leaves to others: what a row of logits is made from (`model`), when a sequence is admitted, and where the options
//! come from (`engine`).

mod beam;
mod greedy;
mod guard;
mod logits;
mod options;
mod required;
mod sample;

use anyhow::{Result, ensure};

use crate::batch::TokenId;
use crate::error::WithHint;

pub use crate::kernels::topk::Logits;
pub use guard::{GUARD, ResumePoint, SearchState};
pub use options::{EarlyStopping, Sampling, SearchOptions};
pub use required::{MIN_BEAMS, Required, WordBoundaries};

use beam::Beams;
use greedy::Greedy;
use logits::{Candidates, LogitRules, RuleContext};

/// All that a search knows of a model. A fresh model has one row per sequence.
pub trait Step {
    /// Feeds one token per row; the logits of the next token, `[rows, v]`.
    ///
    /// # Errors
    /// When the model cannot compute them.
    fn step(&mut self, tokens: &[TokenId]) -> Result<Logits>;

    /// Keeps these rows in this order; a row may repeat (beams) or be left out (finished).
    ///
    /// # Errors
    /// When the model cannot rearrange its state.
    fn select(&mut self, rows: &[usize]) -> Result<()>;
}

/// One source sentence to find hypotheses for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sequence<'s, 'r> {
    /// The source tokens, unpadded, for `encoder_no_repeat_ngram_size`.
    pub source: &'s [TokenId],
    /// The sequence's index among all of the caller, in whatever batches they run: sampling draws by seed and index.
    pub index: u64,
    /// What its target must contain, if anything; needs beams.
    pub required: Option<Required<'r>>,
    /// With a guard against repetition, where the search resumes one without a guard; `None` searches without a guard.
    pub guard: Option<&'s ResumePoint>,
}

/// One way to go on from the start token to an end.
#[derive(Clone, Debug, PartialEq)]
pub struct Hypothesis {
    /// The new tokens: with the end-of-sentence token where there is one, without the start token.
    pub tokens: Vec<TokenId>,
    /// Sum of the token scores over length to the power of the length penalty. For beams this is what
    /// transformers calls `sequences_scores`.
    pub score: f32,
    /// The log-probability of each token after all rules, as the search added it up.
    pub token_scores: Vec<f32>,
    /// Whether the maximum ended it and not the model: there is no end-of-sentence token, or a rule forced
    /// one there that was not the token the model would have taken.
    pub truncated: bool,
    /// How many tokens of required terms it lacks.
    pub missing: usize,
}

/// What a search found for one sequence.
#[derive(Clone, Debug, Default)]
pub struct SearchResult {
    /// The hypotheses, best first: `n_best` of them, or fewer where the rules leave no more.
    pub hypotheses: Vec<Hypothesis>,
    /// Where a guard against repetition would first have made a difference.
    pub resume_point: ResumePoint,
}

/// Searches for hypotheses of all sequences at once; the result of each, in their order.
///
/// # Errors
/// The errors of [`Search::admit`] and [`Search::advance`].
pub fn search(model: &mut dyn Step, sequences: &[Sequence], options: &SearchOptions) -> Result<Vec<SearchResult>> {
    let mut search = Search::new(options)?;
    search.admit(sequences)?;
    let mut all = vec![SearchResult::default(); sequences.len()];
    while search.running() > 0 {
        for (sequence, found) in search.advance(model)? {
            all[sequence] = found;
        }
    }
    Ok(all)
}

/// A search for the hypotheses of running sequences.
pub struct Search<'a> {
    options: &'a SearchOptions,
    rules: LogitRules<'a>,
    running: Vec<RunningSequence<'a>>,
    /// How many sequences have been admitted so far.
    admitted: usize,
    /// How many rows the model has.
    rows: usize,
}

/// A sequence whose search is not finished.
struct RunningSequence<'a> {
    /// How many sequences had been admitted before it.
    number: usize,
    context: RuleContext<'a>,
    /// How many tokens its rows have been fed.
    fed: usize,
    /// The first row, which is the only one while the sequence is fed the start tokens.
    row: usize,
    strategy: Box<dyn Strategy + 'a>,
}

/// How the hypotheses of one sequence are chosen.
trait Strategy: Send {
    /// The running hypotheses; to begin with, the start tokens.
    fn prefixes(&self) -> Vec<&Prefix>;

    /// The running hypotheses, to change their rows.
    fn prefixes_mut(&mut self) -> Vec<&mut Prefix>;

    /// Takes the next token of each running hypothesis out of the candidates of its row; the result, once the sequence is
    /// finished.
    fn advance(&mut self, candidates: &[Candidates]) -> Result<Option<SearchResult>>;
}

/// A hypothesis that has not ended.
#[derive(Clone, Debug)]
struct Prefix {
    /// The model's row that continues it.
    row: usize,
    /// The start tokens and all since.
    history: Vec<TokenId>,
    token_scores: Vec<f32>,
}

impl<'a> Search<'a> {
    /// A search without sequences.
    ///
    /// # Errors
    /// When the options have no meaning.
    pub fn new(options: &'a SearchOptions) -> Result<Self> {
        options.check()?;
        Ok(Self { options, rules: LogitRules::new(options), running: Vec::new(), admitted: 0, rows: 0 })
    }

    /// How many sequences are running.
    #[must_use]
    pub fn running(&self) -> usize {
        self.running.len()
    }

    /// Admits sequences. The model must already have the rows of each of them, in their order after its other rows, and have
    /// fed them the tokens of [`Sequence::prefill`].
    ///
    /// # Errors
    /// When a sequence has required terms and there is one beam only, or a resume point with more hypotheses than there are
    /// beams.
    pub fn admit(&mut self, sequences: &[Sequence<'_, 'a>]) -> Result<()> {
        ensure!(
            self.options.num_beams > 1 || sequences.iter().all(|sequence| sequence.required.is_none()),
            "required terms cannot be searched for with one beam".with_hint(format!("use {MIN_BEAMS} beams"))
        );
        for sequence in sequences {
            let mut strategy: Box<dyn Strategy + 'a> = if self.options.num_beams > 1 {
                Box::new(Beams::new(sequence, self.options))
            } else {
                Box::new(Greedy::new(sequence, self.options))
            };
            let (context, prefill) = (RuleContext::new(sequence, self.options), sequence.prefill());
            ensure!(
                prefill.len() <= self.options.num_beams,
                "a search of fewer beams cannot go on from {}",
                prefill.len()
            );
            strategy.prefixes_mut().into_iter().zip(self.rows..).for_each(|(prefix, row)| prefix.row = row);
            self.running.push(RunningSequence {
                number: self.admitted,
                context,
                fed: prefill[0].len(),
                row: self.rows,
                strategy,
            });
            self.admitted += 1;
            self.rows += prefill.len();
        }
        Ok(())
    }

    /// Hands every second running sequence over to another search, which has a model of its own. Returns the rows of this
    /// model that the other model must import after its own rows, and for each sequence its number here and its number there.
    pub fn hand_over_half(&mut self, other: &mut Self) -> (Vec<usize>, Vec<(usize, usize)>) {
        let (mut rows, mut numbers) = (Vec::new(), Vec::new());
        for (index, mut sequence) in std::mem::take(&mut self.running).into_iter().enumerate() {
            if index % 2 == 0 {
                self.running.push(sequence);
                continue;
            }
            for row in sequence.rows_mut(self.options) {
                // Rows that several hypotheses continue are imported once.
                let known = rows.iter().position(|known| known == row).unwrap_or(rows.len());
                if known == rows.len() {
                    rows.push(*row);
                }
                *row = other.rows + known;
            }
            numbers.push((sequence.number, other.admitted));
            sequence.number = other.admitted;
            other.admitted += 1;
            other.running.push(sequence);
        }
        other.rows += rows.len();
        (rows, numbers)
    }

    /// Feeds the model one token for each running hypothesis, and chooses the next. Returns the sequences that are now
    /// finished: each one's number and result.
    ///
    /// # Errors
    /// When the options name a token that the model does not have, or allow no token to begin with; and when the model
    /// fails. Where they allow none later on, the hypothesis ends there, truncated.
    pub fn advance(&mut self, model: &mut dyn Step) -> Result<Vec<(usize, SearchResult)>> {
        let logits = self.feed(model)?;
        let rows: Vec<_> = self.running.iter().flat_map(|sequence| sequence.rows(self.options)).collect();
        let candidates = self.rules.candidates(&logits, &rows)?;
        let (mut finished, mut running) = (Vec::new(), Vec::with_capacity(self.running.len()));
        for mut sequence in std::mem::take(&mut self.running) {
            match sequence.advance(&candidates, self.options)? {
                Some(found) => finished.push((sequence.number, found)),
                None => running.push(sequence),
            }
        }
        self.running = running;
        Ok(finished)
    }

    /// Selects the rows that are still needed, and feeds each its next token; the logits of the tokens after those.
    fn feed(&mut self, model: &mut dyn Step) -> Result<Logits> {
        let (mut kept, mut tokens) = (Vec::with_capacity(self.rows), Vec::with_capacity(self.rows));
        for (row, token) in self.running.iter_mut().flat_map(|sequence| sequence.next(self.options)) {
            kept.push(std::mem::replace(row, kept.len()));
            tokens.push(token);
        }
        if !kept.iter().copied().eq(0..self.rows) {
            model.select(&kept)?;
        }
        self.rows = kept.len();
        model.step(&tokens)
    }
}

impl<'a> RunningSequence<'a> {
    /// The sequence's rows, each with the token that it is fed next.
    fn next(&mut self, options: &SearchOptions) -> Vec<(&mut usize, TokenId)> {
        self.fed += 1;
        if let Some(&token) = options.start.get(self.fed - 1) {
            return vec![(&mut self.row, token)];
        }
        self.strategy.prefixes_mut().into_iter().map(Prefix::next).collect()
    }

    /// The rows that the sequence's hypotheses continue.
    fn rows_mut(&mut self, options: &SearchOptions) -> Vec<&mut usize> {
        if self.fed < options.start.len() {
            return vec![&mut self.row];
        }
        self.strategy.prefixes_mut().into_iter().map(|prefix| &mut prefix.row).collect()
    }

    /// For each of the sequence's rows, the context of the rules and the tokens that the row has been fed.
    fn rows(&self, options: &SearchOptions) -> Vec<(&RuleContext<'a>, &[TokenId])> {
        let mut prefixes = self.strategy.prefixes();
        if self.fed <= options.start.len() {
            prefixes.truncate(1);
        }
        prefixes.into_iter().map(|prefix| (&self.context, prefix.history.as_slice())).collect()
    }

    /// Takes the next tokens, see [`Strategy::advance`]. While the start tokens are fed there is nothing to choose.
    fn advance(&mut self, candidates: &[Candidates], options: &SearchOptions) -> Result<Option<SearchResult>> {
        if self.fed < options.start.len() {
            return Ok(None);
        }
        if self.fed == options.start.len() {
            self.strategy.prefixes_mut().into_iter().for_each(|prefix| prefix.row = self.row);
        }
        self.strategy.advance(candidates)
    }
}

impl Prefix {
    fn new(start: &[TokenId]) -> Self {
        Self { row: 0, history: start.to_vec(), token_scores: Vec::new() }
    }

    /// The prefix's row, and the token that the row is fed next.
    fn next(&mut self) -> (&mut usize, TokenId) {
        (&mut self.row, self.history[self.history.len() - 1])
    }

    /// The new tokens.
    fn tokens(&self, options: &SearchOptions) -> Vec<TokenId> {
        self.history[options.start.len()..].to_vec()
    }
}

/// The error when the rules ban every first token.
fn no_choice() -> anyhow::Error {
    anyhow::anyhow!("the decoding rules leave no token to begin with".with_hint("suppress or ban fewer tokens"))
}

/// The score of a hypothesis of `length` new tokens whose scores add up to `sum`.
fn normalized(sum: f32, length: usize, length_penalty: f64) -> f32 {
    // The power in f64 and the division in f32, as transformers does.
    sum / (length as f64).powf(length_penalty) as f32
}
