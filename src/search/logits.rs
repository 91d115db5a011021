//! The rules that change logits, as *edits*: the few tokens of a row that they touch.
//!
//! Responsible for: which tokens transformers' logits processors would ban, penalise or force after a
//! given history, and what the best tokens and their log-probabilities are then. Invariant: edited tokens
//! are listed ascending, each once, all in the vocabulary. Leaves the reading of rows to
//! `kernels::topk`, and the choice to `greedy`, `beam` and `sample`.

use std::collections::HashMap;

use anyhow::{Result, ensure};

use super::guard::{GUARD, repetitions};
use super::required::{Progress, Required};
use super::{SearchOptions, Sequence, beam};
use crate::batch::TokenId;
use crate::error::WithHint;
use crate::kernels::topk::{Logits, RowTop};

/// What the rules change: greedy search and sampling apply them to the logits, beam search to
/// log-probabilities. With a repetition penalty the two differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Domain {
    Logits,
    LogProbabilities,
}

/// The rules of one search, prepared for all its rows.
pub(super) struct LogitRules<'a> {
    options: &'a SearchOptions,
    domain: Domain,
    /// How many of the best tokens of a row are compared; `None` for all.
    k: Option<usize>,
    /// The size of the vocabulary, once there are logits.
    v: usize,
    /// Banned in every row, ascending.
    always: Vec<TokenId>,
    /// Bad words of two tokens or more: what comes before the last token, and the last token.
    bad_ends: Vec<(&'a [TokenId], TokenId)>,
}

/// What the rules must know of a sequence besides its history.
pub(super) struct RuleContext<'a> {
    /// What followed each sequence of n - 1 tokens in the source.
    source_ngrams: HashMap<Vec<TokenId>, Vec<TokenId>>,
    /// What its target must contain.
    required: Option<Required<'a>>,
    /// No n-gram of this length may occur twice.
    no_repeat: Option<usize>,
}

impl<'a> RuleContext<'a> {
    pub fn new(sequence: &Sequence<'_, 'a>, options: &SearchOptions) -> Self {
        let n = options.encoder_no_repeat_ngram_size;
        let source_ngrams = if n == 0 { HashMap::new() } else { ngrams(sequence.source, n) };
        let usual = Some(options.no_repeat_ngram_size).filter(|&n| n > 0);
        // Of two lengths the shorter allows less.
        let no_repeat = usual.into_iter().chain(sequence.guard.map(|_| GUARD)).min();
        Self { source_ngrams, required: sequence.required, no_repeat }
    }
}

/// What the rules change in one row.
#[derive(Clone, Debug, Default, PartialEq)]
struct LogitEdits {
    banned: Vec<TokenId>,
    penalised: Vec<TokenId>,
    /// When set, these tokens have the value 0 and all others cannot be.
    forced: Option<Vec<TokenId>>,
    constraints: ConstraintEdits,
}

/// What required terms change in one row.
#[derive(Clone, Debug, Default, PartialEq)]
struct ConstraintEdits {
    /// These cannot be, but keep their share of the probability: it is not the model that rules them out.
    withheld: Vec<TokenId>,
    /// Tokens that bring terms nearer, ascending, and how many tokens are missing after each; no rule but
    /// suppression bans them.
    wanted: Vec<(TokenId, usize)>,
    /// How many tokens are missing after any other.
    missing: usize,
}

/// One row after the rules.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Candidates {
    /// The best tokens that can be, best first, with their values in the rules' domain (and renormalised
    /// where that is wanted, which in the domain of logits changes no choice).
    pub best: Vec<(TokenId, f32)>,
    /// The logarithm of the sum of the exponentials of all values.
    pub log_sum: f64,
    /// Whether a rule forces the token, and the model would not have ended here by itself.
    pub cut: bool,
    /// Tokens that bring required terms nearer, ascending, with their values and with how many tokens are missing
    /// after each.
    pub wanted: Vec<(TokenId, f32, usize)>,
    /// How many tokens of required terms are missing after any other token.
    pub missing: usize,
}

impl<'a> LogitRules<'a> {
    pub fn new(options: &'a SearchOptions) -> Self {
        // transformers takes end-of-sentence tokens out of the bad words.
        let bad = || options.bad_words.iter().filter(|word| !(word.len() == 1 && options.eos.contains(&word[0])));
        let mut always: Vec<TokenId> = bad().filter(|word| word.len() == 1).map(|word| word[0]).collect();
        always.extend(&options.suppress);
        let bad_ends = bad().filter(|word| word.len() > 1).filter_map(|word| word.split_last()).map(|(l, p)| (p, *l));
        let domain = if options.num_beams > 1 { Domain::LogProbabilities } else { Domain::Logits };
        let k = match options.sampling {
            _ if options.num_beams > 1 => Some(beam::continuations(options)),
            Some(sampling) => Some(sampling.top_k).filter(|&k| k > 0),
            None => Some(1),
        };
        Self { options, domain, k, v: 0, always, bad_ends: bad_ends.collect() }
    }

    /// The best candidates of every row of `logits` `[rows, v]`; `rows` gives each row's sequence and its history: the start
    /// tokens and all since.
    pub fn candidates(&mut self, logits: &Logits, rows: &[(&RuleContext, &[TokenId])]) -> Result<Vec<Candidates>> {
        let (_, v) = logits.dims()?;
        if self.v != v {
            check_vocabulary(v, self.options)?;
            self.v = v;
        }
        let k = self.k.unwrap_or(v);
        let edits: Vec<LogitEdits> = rows.iter().map(|(context, history)| self.edits(context, history)).collect();
        let edited: Vec<Vec<TokenId>> = edits.iter().map(LogitEdits::tokens).collect();
        let tops = logits.top_k(k, &edited)?;
        let rows = edits.iter().zip(&edited).zip(tops);
        Ok(rows.map(|((edits, edited), top)| self.apply(edits, edited, top, k)).collect())
    }

    /// What the rules change after `history`.
    fn edits(&self, context: &RuleContext, history: &[TokenId]) -> LogitEdits {
        let mut banned = self.always.clone();
        self.ban_repetitions(context, history, &mut banned);
        banned.extend(self.bad_ends.iter().filter(|(before, _)| history.ends_with(before)).map(|&(_, last)| last));
        let new = history.len() - self.options.start.len();
        if history.len() < self.options.min_length || new < self.options.min_new_tokens {
            banned.extend(&self.options.eos);
        }
        banned.extend(self.suppressed_at(new));
        let penalises = (self.options.repetition_penalty - 1.0).abs() > f64::EPSILON;
        let penalised = if penalises { history.to_vec() } else { Vec::new() };
        let forced = self.forced(history);
        let constraints =
            context.required.map(|required| self.constraint_edits(&required, &history[self.options.start.len()..]));
        let constraints = match (constraints.unwrap_or_default(), &forced) {
            (constraints, None) => constraints,
            (ConstraintEdits { missing, .. }, Some(_)) => ConstraintEdits { missing, ..ConstraintEdits::default() },
        };
        // A required term may repeat what was said.
        let banned = self.tidy(banned, &constraints.wanted.iter().map(|wanted| wanted.0).collect::<Vec<_>>());
        LogitEdits {
            penalised: self.tidy(penalised, &[&banned[..], &constraints.withheld].concat()),
            forced,
            banned,
            constraints,
        }
    }

    /// What required terms ask for after `tokens`: no end while any is missing, no letters after one that has ended.
    fn constraint_edits(&self, required: &Required, tokens: &[TokenId]) -> ConstraintEdits {
        let Progress { missing, mut next, at_end } = required.progress(tokens);
        next.retain(|(token, _)| (*token as usize) < self.v && !self.always.contains(token));
        let ends = if missing > 0 { self.options.eos.as_slice() } else { &[] };
        let letters = if at_end { required.continuing() } else { &[] };
        let wanted: Vec<TokenId> = next.iter().map(|wanted| wanted.0).collect();
        ConstraintEdits { withheld: self.tidy([ends, letters].concat(), &wanted), wanted: next, missing }
    }

    fn ban_repetitions(&self, context: &RuleContext, history: &[TokenId], banned: &mut Vec<TokenId>) {
        banned.extend(context.no_repeat.into_iter().flat_map(|n| repetitions(history, n)));
        let n = self.options.encoder_no_repeat_ngram_size;
        if n > 0 && history.len() + 1 >= n {
            banned.extend(context.source_ngrams.get(&history[history.len() + 1 - n..]).into_iter().flatten());
        }
    }

    /// The tokens that may not be the first free one, if it is the turn of that.
    fn suppressed_at(&self, new: usize) -> &[TokenId] {
        let first_is_forced = self.options.start.len() == 1 && self.options.forced_bos.is_some();
        if new == usize::from(first_is_forced) { &self.options.begin_suppress } else { &[] }
    }

    /// The tokens of which one must come next, if any must. A forced token overrides every ban but
    /// suppression, as in transformers.
    fn forced(&self, history: &[TokenId]) -> Option<Vec<TokenId>> {
        let options = self.options;
        let new = history.len() - options.start.len();
        let forced = if new + 1 == options.max_new_tokens && !options.forced_eos.is_empty() {
            options.forced_eos.clone()
        } else if history.len() == 1 {
            vec![options.forced_bos?]
        } else {
            return None;
        };
        let mut lost = options.suppress.clone();
        lost.extend(self.suppressed_at(new));
        Some(self.tidy(forced, &lost))
    }

    /// Ascending, each once, in the vocabulary, and none of `without`.
    fn tidy(&self, mut tokens: Vec<TokenId>, without: &[TokenId]) -> Vec<TokenId> {
        tokens.retain(|&token| (token as usize) < self.v && !without.contains(&token));
        tokens.sort_unstable();
        tokens.dedup();
        tokens
    }

    fn apply(&self, edits: &LogitEdits, edited: &[TokenId], top: RowTop, k: usize) -> Candidates {
        let mut free = self.apply_free(edits, edited, top, k);
        let Some(forced) = &edits.forced else { return free };
        let own_choice = free.best.first().is_some_and(|(token, _)| self.options.eos.contains(token));
        let log_sum = (forced.len() as f64).ln();
        let value = if self.options.renormalize { -log_sum as f32 } else { 0.0 };
        free.best = forced.iter().take(k).map(|&token| (token, value)).collect();
        free.log_sum = if self.options.renormalize { 0.0 } else { log_sum };
        free.cut = !own_choice;
        free
    }

    /// The candidates without forced tokens.
    fn apply_free(&self, edits: &LogitEdits, edited: &[TokenId], top: RowTop, k: usize) -> Candidates {
        let whole = if self.domain == Domain::LogProbabilities { top.rest.log_with(&top.edited) } else { 0.0 };
        let has = |tokens: &[TokenId], token: TokenId| tokens.binary_search(&token).is_ok();
        let wanted = |token: TokenId| edits.constraints.wanted.binary_search_by_key(&token, |wanted| wanted.0).ok();
        let apart = || edited.iter().copied().zip(top.edited.iter().copied()).filter(|(_, x)| *x > f32::NEG_INFINITY);
        // Still on the scale of the row, so that they can be summed with the others.
        let kept: Vec<(TokenId, f32)> = apart()
            .filter_map(|(token, x)| {
                if has(&edits.penalised, token) {
                    Some((token, (self.penalise(f64::from(x) - whole) + whole) as f32))
                } else {
                    wanted(token).map(|_| (token, x))
                }
            })
            .collect();
        let withheld = apart().filter(|(token, _)| has(&edits.constraints.withheld, *token));
        let values: Vec<f32> = kept.iter().copied().chain(withheld).map(|(_, x)| x).collect();
        let after = top.rest.log_with(&values);
        let shift = if self.options.renormalize { after } else { whole };
        let value = |x: f32| (f64::from(x) - shift) as f32;
        let near = |&(token, x): &(TokenId, f32)| Some((token, value(x), edits.constraints.wanted[wanted(token)?].1));
        let near = kept.iter().filter_map(near).collect();
        let mut best = top.top;
        best.extend(kept);
        best.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        best.truncate(k);
        for (_, x) in &mut best {
            *x = value(*x);
        }
        Candidates { best, log_sum: after - shift, cut: false, wanted: near, missing: edits.constraints.missing }
    }

    fn penalise(&self, x: f64) -> f64 {
        if x < 0.0 { x * self.options.repetition_penalty } else { x / self.options.repetition_penalty }
    }
}

impl LogitEdits {
    /// All tokens whose logits are not simply their own.
    fn tokens(&self) -> Vec<TokenId> {
        let mut tokens = [self.banned.as_slice(), &self.penalised, &self.constraints.withheld].concat();
        tokens.extend(self.constraints.wanted.iter().map(|wanted| wanted.0));
        tokens.sort_unstable();
        tokens.dedup();
        tokens
    }
}

/// What followed each sequence of `n` - 1 tokens.
fn ngrams(tokens: &[TokenId], n: usize) -> HashMap<Vec<TokenId>, Vec<TokenId>> {
    let mut found: HashMap<Vec<TokenId>, Vec<TokenId>> = HashMap::new();
    for window in tokens.windows(n) {
        found.entry(window[..n - 1].to_vec()).or_default().push(window[n - 1]);
    }
    found
}

fn check_vocabulary(v: usize, options: &SearchOptions) -> Result<()> {
    if let Some((name, token)) = options.highest_token() {
        ensure!(
            (token as usize) < v,
            format!("`{name}` names token {token}, but the model has {v} tokens")
                .with_hint("the settings and the weights are of different checkpoints")
        );
    }
    Ok(())
}
