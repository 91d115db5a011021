//! The rules that change logits, as *edits* of the few tokens of a row that they touch.
//!
//! Responsible for two things: which tokens transformers' logits processors would ban, penalise or force after a history,
//! and which tokens are best after that, with their log-probabilities. Invariant: edited tokens are listed ascending,
//! each once, and all are in the vocabulary. Reading rows belongs to `kernels::topk`, and choosing tokens to `greedy`,
//! `beam` and `sample`.

use std::collections::HashMap;

use anyhow::{Result, ensure};

use super::guard::{GUARD, repetitions};
use super::required::{Progress, Required};
use super::{SearchOptions, Sequence, beam};
use crate::batch::TokenId;
use crate::error::WithHint;
use crate::kernels::topk::{Logits, RowTop};

/// The values that rules are applied to: logits in greedy search and sampling, log-probabilities in beam search. With a
/// repetition penalty the two differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Domain {
    Logits,
    LogProbabilities,
}

/// The rules of one search, prepared for all its rows.
pub(super) struct LogitRules<'a> {
    options: &'a SearchOptions,
    domain: Domain,
    /// Number of best tokens of a row that are compared; `None`: all.
    k: Option<usize>,
    /// The size of the vocabulary; 0 until there are logits.
    v: usize,
    /// Tokens that are banned in every row, ascending.
    always: Vec<TokenId>,
    /// Bad words of two or more tokens: the tokens before the last one, and the last one.
    bad_ends: Vec<(&'a [TokenId], TokenId)>,
}

/// What the rules need to know of a sequence besides its history.
pub(super) struct RuleContext<'a> {
    /// The tokens that follow each sequence of n - 1 tokens in the source, for `encoder_no_repeat_ngram_size`.
    source_ngrams: HashMap<Vec<TokenId>, Vec<TokenId>>,
    /// Terms that the target must contain.
    required: Option<Required<'a>>,
    /// Length of the n-grams that must not occur twice, if there is such a rule.
    no_repeat: Option<usize>,
}

impl<'a> RuleContext<'a> {
    pub fn new(sequence: &Sequence<'_, 'a>, options: &SearchOptions) -> Self {
        let n = options.encoder_no_repeat_ngram_size;
        let source_ngrams = if n == 0 { HashMap::new() } else { ngrams(sequence.source, n) };
        let usual = Some(options.no_repeat_ngram_size).filter(|&n| n > 0);
        // If there are two lengths, the shorter one is the stricter.
        let no_repeat = usual.into_iter().chain(sequence.guard.map(|_| GUARD)).min();
        Self { source_ngrams, required: sequence.required, no_repeat }
    }
}

/// What the rules change in one row.
#[derive(Clone, Debug, Default, PartialEq)]
struct LogitEdits {
    banned: Vec<TokenId>,
    penalised: Vec<TokenId>,
    /// If set, these tokens have the value 0 and all others are impossible.
    forced: Option<Vec<TokenId>>,
    constraints: ConstraintEdits,
}

/// What required terms change in one row.
#[derive(Clone, Debug, Default, PartialEq)]
struct ConstraintEdits {
    /// Tokens that are impossible but keep their share of the probability, since it is not the model that rules them out.
    withheld: Vec<TokenId>,
    /// Tokens that begin or continue a term, ascending, each with the number of missing tokens after it. No rule but
    /// suppression bans them.
    wanted: Vec<(TokenId, usize)>,
    /// Number of missing tokens after any other token.
    missing: usize,
}

/// One row after the rules.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Candidates {
    /// The best possible tokens, best first, with their values in the rules' domain. They are renormalised if the options
    /// say so, which in the domain of logits changes no choice.
    pub best: Vec<(TokenId, f32)>,
    /// The logarithm of the sum of the exponentials of all values.
    pub log_sum: f64,
    /// Whether a rule forces the token, and the model itself would not have ended here.
    pub cut: bool,
    /// Tokens that begin or continue a required term, ascending, each with its value and the number of missing tokens
    /// after it.
    pub wanted: Vec<(TokenId, f32, usize)>,
    /// Number of tokens of required terms that are missing after any other token.
    pub missing: usize,
}

impl<'a> LogitRules<'a> {
    pub fn new(options: &'a SearchOptions) -> Self {
        // transformers removes end-of-sentence tokens from the bad words.
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

    /// The best candidates of every row of `logits` `[rows, v]`. `rows` gives each row's context and its history: the
    /// start tokens and all tokens since.
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

    /// The edits after `history`.
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
        // A required term may repeat earlier tokens.
        let banned = self.tidy(banned, &constraints.wanted.iter().map(|wanted| wanted.0).collect::<Vec<_>>());
        LogitEdits {
            penalised: self.tidy(penalised, &[&banned[..], &constraints.withheld].concat()),
            forced,
            banned,
            constraints,
        }
    }

    /// The edits for required terms after `tokens`: no end while a term is missing, and no letters directly after a term
    /// that has ended.
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

    /// The tokens that must not be the first unforced one, if that is the `new`-th token.
    fn suppressed_at(&self, new: usize) -> &[TokenId] {
        let first_is_forced = self.options.start.len() == 1 && self.options.forced_bos.is_some();
        if new == usize::from(first_is_forced) { &self.options.begin_suppress } else { &[] }
    }

    /// The tokens of which one must come next, if there is such a rule. As in transformers, a forced token overrides
    /// every ban except suppression.
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

    /// Sorts the tokens, and removes duplicates, tokens outside the vocabulary and those in `without`.
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

    /// The candidates of a row before tokens are forced.
    fn apply_free(&self, edits: &LogitEdits, edited: &[TokenId], top: RowTop, k: usize) -> Candidates {
        let whole = if self.domain == Domain::LogProbabilities { top.rest.log_with(&top.edited) } else { 0.0 };
        let has = |tokens: &[TokenId], token: TokenId| tokens.binary_search(&token).is_ok();
        let wanted = |token: TokenId| edits.constraints.wanted.binary_search_by_key(&token, |wanted| wanted.0).ok();
        let apart = || edited.iter().copied().zip(top.edited.iter().copied()).filter(|(_, x)| *x > f32::NEG_INFINITY);
        // Kept on the scale of the row's logits, so that they can be summed with the others.
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
    /// All tokens whose logits any rule changes.
    fn tokens(&self) -> Vec<TokenId> {
        let mut tokens = [self.banned.as_slice(), &self.penalised, &self.constraints.withheld].concat();
        tokens.extend(self.constraints.wanted.iter().map(|wanted| wanted.0));
        tokens.sort_unstable();
        tokens.dedup();
        tokens
    }
}

/// The tokens that follow each sequence of `n` - 1 tokens.
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
