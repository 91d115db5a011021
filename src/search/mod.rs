//! Search for the likeliest targets of a model that predicts one token at a time.
//!
//! The loop, for all sentences (*sequences*) that run at once:
//!
//! 1. admit new sequences, if any wait: each gets one row of the model, after the rows of the others (`Search::admit`);
//! 2. drop the rows of finished sequences, and put those of beams in their new order (`Step::select`);
//! 3. feed each row its next token, of the start or the one that was chosen; get a row of logits for each (`Step::step`);
//! 4. list what the rules change in each row: tokens that are banned, penalised or forced (`logits`);
//! 5. take each row's best tokens and its sum of exponentials in one pass (`kernels::topk`), and apply the changes to
//!    them;
//! 6. choose the best token of each row (`greedy`), a random token (`sample`), or the best continuations of all rows of a
//!    sequence (`beam`); set hypotheses that end aside; continue at 1 until no sequence is left.
//!
//! A search with a guard against repetition resumes at the step where a search without the guard would first have chosen
//! differently (`guard`).
//!
//! Responsible for tokens and scores equal to those of `generate` in transformers 5.23. Invariant: the result for a
//! sequence does not depend, in any bit, on the other sequences or on when it was admitted. Sequences whose target must
//! contain terms (`required`) are searched with beams that are divided among banks; transformers has no such search.
//! Computing logits belongs to `model`; when a sequence is admitted, and where options come from, belongs to `engine`.

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

/// A model as the search sees it. A fresh model has one row per sequence.
pub trait Step {
    /// Feeds one token per row; returns the logits of the next token, `[rows, v]`.
    ///
    /// # Errors
    /// When the model cannot compute them.
    fn step(&mut self, tokens: &[TokenId]) -> Result<Logits>;

    /// Keeps the rows with these indices, in this order; a row may be repeated (beams) or left out (finished).
    ///
    /// # Errors
    /// When the model cannot rearrange its state.
    fn select(&mut self, rows: &[usize]) -> Result<()>;
}

/// A source sentence to search targets for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sequence<'s, 'r> {
    /// The source tokens, unpadded; only `encoder_no_repeat_ngram_size` reads them.
    pub source: &'s [TokenId],
    /// The sequence's index among all sequences of the caller, across batches: sampling depends on the seed and this
    /// index.
    pub index: u64,
    /// Terms that the target must contain; needs at least two beams.
    pub required: Option<Required<'r>>,
    /// With a guard against repetition, the point where the search resumes; `None`: a search without a guard.
    pub guard: Option<&'s ResumePoint>,
}

/// A target of a sequence.
#[derive(Clone, Debug, PartialEq)]
pub struct Hypothesis {
    /// The new tokens, without the start tokens; the last one is an end-of-sentence token if the hypothesis ended with
    /// one.
    pub tokens: Vec<TokenId>,
    /// Sum of the token scores, divided by the length to the power of the length penalty. With beams this is
    /// `sequences_scores` of transformers.
    pub score: f32,
    /// The log-probability of each token after all rules, as the search added it.
    pub token_scores: Vec<f32>,
    /// Whether the maximum length ended it instead of the model: there is no end-of-sentence token, or a rule forced one
    /// where the model would have taken another token.
    pub truncated: bool,
    /// Number of tokens of required terms that it lacks.
    pub missing: usize,
}

/// The result of the search for one sequence.
#[derive(Clone, Debug, Default)]
pub struct SearchResult {
    /// The hypotheses, best first: `n_best`, or fewer if the rules leave no more.
    pub hypotheses: Vec<Hypothesis>,
    /// The step at which a guard against repetition would first have changed the search.
    pub resume_point: ResumePoint,
}

/// Searches for the targets of all sequences at once; returns their results in the same order.
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

/// A search over several running sequences.
pub struct Search<'a> {
    options: &'a SearchOptions,
    rules: LogitRules<'a>,
    running: Vec<RunningSequence<'a>>,
    /// Number of sequences admitted so far.
    admitted: usize,
    /// Number of rows that the model has.
    rows: usize,
}

/// A sequence whose search is not finished.
struct RunningSequence<'a> {
    /// Number of sequences that were admitted before it, by which results are assigned.
    number: usize,
    context: RuleContext<'a>,
    /// Number of tokens that its rows have been fed.
    fed: usize,
    /// Its first row, which is its only one while start tokens are fed.
    row: usize,
    strategy: Box<dyn Strategy + 'a>,
}

/// The way in which the hypotheses of one sequence are chosen.
trait Strategy: Send {
    /// The running hypotheses; at first one that has the start tokens only.
    fn prefixes(&self) -> Vec<&Prefix>;

    /// The running hypotheses, to change their rows.
    fn prefixes_mut(&mut self) -> Vec<&mut Prefix>;

    /// Takes the next token of each running hypothesis from the candidates of its row; returns the result once the
    /// sequence is finished.
    fn advance(&mut self, candidates: &[Candidates]) -> Result<Option<SearchResult>>;
}

/// A running hypothesis.
#[derive(Clone, Debug)]
struct Prefix {
    /// The model's row that continues it.
    row: usize,
    /// The start tokens and all tokens since.
    history: Vec<TokenId>,
    token_scores: Vec<f32>,
}

impl<'a> Search<'a> {
    /// A search without sequences.
    ///
    /// # Errors
    /// When the options have no valid meaning, see [`SearchOptions::check`].
    pub fn new(options: &'a SearchOptions) -> Result<Self> {
        options.check()?;
        Ok(Self { options, rules: LogitRules::new(options), running: Vec::new(), admitted: 0, rows: 0 })
    }

    /// Number of running sequences.
    #[must_use]
    pub fn running(&self) -> usize {
        self.running.len()
    }

    /// Admits sequences. The model must already have their rows, in the same order, after its other rows, and must have
    /// been fed the tokens of [`Sequence::prefill`].
    ///
    /// # Errors
    /// When a sequence has required terms but the options have one beam only, or when a resume point has more hypotheses
    /// than there are beams.
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
            // A resumed search has a row for each hypothesis. Any other has a single row, which all hypotheses get once the
            // start tokens are fed.
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

    /// Feeds the model one token for each running hypothesis, and chooses the next tokens. Returns the number and the
    /// result of each sequence that is now finished.
    ///
    /// # Errors
    /// When the options name a token that the model does not have, when they allow no first token, or when the model
    /// fails. If they allow no token later on, a hypothesis ends there, truncated.
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

    /// Selects the rows that are still needed and feeds each its next token; returns the logits of the tokens after
    /// those.
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

    /// For each of the sequence's rows, the context of the rules and the row's history.
    fn rows(&self, options: &SearchOptions) -> Vec<(&RuleContext<'a>, &[TokenId])> {
        let mut prefixes = self.strategy.prefixes();
        if self.fed <= options.start.len() {
            prefixes.truncate(1);
        }
        prefixes.into_iter().map(|prefix| (&self.context, prefix.history.as_slice())).collect()
    }

    /// Takes the next tokens, see [`Strategy::advance`]. While start tokens are fed, there is nothing to choose.
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

    /// The new tokens, without the start tokens.
    fn tokens(&self, options: &SearchOptions) -> Vec<TokenId> {
        self.history[options.start.len()..].to_vec()
    }
}

/// The error when the rules ban every first token.
fn no_choice() -> anyhow::Error {
    anyhow::anyhow!("the decoding rules leave no token to begin with".with_hint("suppress or ban fewer tokens"))
}

/// The score of a hypothesis of `length` new tokens whose token scores add up to `sum`.
fn normalized(sum: f32, length: usize, length_penalty: f64) -> f32 {
    // The power is in f64 and the division in f32, as in transformers.
    sum / (length as f64).powf(length_penalty) as f32
}
