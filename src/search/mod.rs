//! From a model that says what may come next to the sentences it most likely means.
//!
//! The loop, for all sentences (*items*) that are under way at once:
//!
//! 1. take in new items, if any wait: each has one row of the model, after those of the others (`Search::join`);
//! 2. leave out the rows of items that are over, and put those of beams in their new order (`Step::select`);
//! 3. feed each row its next token: of the start, or the one that was chosen; get a row of logits for each
//!    (`Step::step`);
//! 4. write down what the rules change in each row: tokens banned, made less likely, forced (`logits`);
//! 5. take each row's best tokens and its sum of exponentials in one go (`kernels::topk`), and apply the
//!    changes to them;
//! 6. choose: the best token of each row (`greedy`), a token by chance (`sample`), or the best
//!    continuations of all rows of an item (`beam`); hypotheses that end are put aside; go on at 1 until no item is left.
//!
//! A search with a guard against repetition goes on from where one without would first have gone another way (`guard`).
//!
//! Responsible for: tokens and scores equal to those of transformers 5.23's `generate`. Invariant: what an
//! item gets does not depend on the other items, nor on when it joined them, in no bit. Items with terms that their
//! target must contain (`required`) are searched by beams of which each bank has its share; transformers has nothing like
//! it. Leaves to others: what a row of logits is made from (`model`), which items join when, and where the options come
//! from (`engine`).

mod beam;
mod greedy;
mod guard;
mod logits;
mod options;
mod required;
mod sample;

use anyhow::{Result, ensure};

use crate::batch::TokenId;

pub use crate::kernels::topk::Logits;
pub use guard::{Divergence, Fork, GUARD};
pub use options::{EarlyStopping, Sampling, SearchOptions};
pub use required::{Edges, LEAST_BEAMS, Required};

use beam::Beams;
use greedy::Greedy;
use logits::{Candidates, Rules, Subject};

/// All that a search knows of a model. A fresh one has one row per item.
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

/// One sentence to find hypotheses for, as far as a search must know it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Item<'s, 'r> {
    /// Its source tokens, unpadded, for `encoder_no_repeat_ngram_size`.
    pub source: &'s [TokenId],
    /// Its place among all that the caller wants, in whatever batches: sampling draws by seed and place.
    pub place: u64,
    /// What its target must contain, if anything; needs beams.
    pub required: Option<Required<'r>>,
    /// With this it is guarded against repetition, from where a search without parts from that.
    pub guard: Option<&'s Divergence>,
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

/// What a search found for one item.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The hypotheses, best first: `n_best` of them, or fewer where the rules leave no more.
    pub hypotheses: Vec<Hypothesis>,
    /// Where a guard against repetition would first have made a difference.
    pub divergence: Divergence,
}

/// What there is to find for each item.
///
/// # Errors
/// As [`Search::join`] and [`Search::advance`].
pub fn search(model: &mut dyn Step, items: &[Item], options: &SearchOptions) -> Result<Vec<Found>> {
    let mut search = Search::new(options)?;
    search.join(items)?;
    let mut all = vec![Found::default(); items.len()];
    while search.items() > 0 {
        for (item, found) in search.advance(model)? {
            all[item] = found;
        }
    }
    Ok(all)
}

/// Items on their way to their hypotheses.
pub struct Search<'a> {
    options: &'a SearchOptions,
    rules: Rules<'a>,
    open: Vec<Open<'a>>,
    /// How many items have joined so far.
    joined: usize,
    /// Rows that the model has.
    rows: usize,
}

/// One item under way.
struct Open<'a> {
    /// How many had joined before it.
    number: usize,
    subject: Subject<'a>,
    /// How many tokens its rows have been fed.
    fed: usize,
    /// Its first row: its only one, as long as it is fed the start tokens.
    row: usize,
    method: Box<dyn Method + 'a>,
}

/// How the hypotheses of one item are chosen.
trait Method: Send {
    /// The open hypotheses; to begin with, the start tokens.
    fn heads(&self) -> Vec<&Head>;

    /// The same.
    fn heads_mut(&mut self) -> Vec<&mut Head>;

    /// Takes the next token of each open hypothesis out of the candidates of its row; what was found, when the item is over.
    fn advance(&mut self, candidates: &[Candidates]) -> Result<Option<Found>>;
}

/// An open hypothesis.
#[derive(Clone, Debug)]
struct Head {
    /// The model's row from which it goes on.
    row: usize,
    /// The start tokens and all since.
    history: Vec<TokenId>,
    token_scores: Vec<f32>,
}

impl<'a> Search<'a> {
    /// Without items.
    ///
    /// # Errors
    /// When the options have no meaning.
    pub fn new(options: &'a SearchOptions) -> Result<Self> {
        options.check()?;
        Ok(Self { options, rules: Rules::new(options), open: Vec::new(), joined: 0, rows: 0 })
    }

    /// How many items are under way.
    #[must_use]
    pub fn items(&self) -> usize {
        self.open.len()
    }

    /// Takes in items. The model must have got the rows of each of them, in their order after those that it had, and have
    /// fed them what [`Item::fed`] says.
    ///
    /// # Errors
    /// When an item has required terms, and there are no beams for them, or a fork of more hypotheses than there are beams.
    pub fn join(&mut self, items: &[Item<'_, 'a>]) -> Result<()> {
        ensure!(
            self.options.num_beams > 1 || items.iter().all(|item| item.required.is_none()),
            "required terms cannot be searched for with one beam\nhint: use {LEAST_BEAMS} beams"
        );
        for item in items {
            let mut method: Box<dyn Method + 'a> = if self.options.num_beams > 1 {
                Box::new(Beams::new(item, self.options))
            } else {
                Box::new(Greedy::new(item, self.options))
            };
            let (subject, fed) = (Subject::new(item, self.options), item.fed());
            ensure!(fed.len() <= self.options.num_beams, "a search of fewer beams cannot go on from {}", fed.len());
            method.heads_mut().into_iter().zip(self.rows..).for_each(|(head, row)| head.row = row);
            self.open.push(Open { number: self.joined, subject, fed: fed[0].len(), row: self.rows, method });
            self.joined += 1;
            self.rows += fed.len();
        }
        Ok(())
    }

    /// Has another search, with a model of its own, go on with every second item. The rows that its model must get after its
    /// own, by their numbers in the model here; and by how many had joined before each item, here and there.
    pub fn halve(&mut self, other: &mut Self) -> (Vec<usize>, Vec<(usize, usize)>) {
        let (mut rows, mut numbers) = (Vec::new(), Vec::new());
        for (place, mut item) in std::mem::take(&mut self.open).into_iter().enumerate() {
            if place % 2 == 0 {
                self.open.push(item);
                continue;
            }
            for row in item.rows_mut(self.options) {
                let known = rows.iter().position(|known| known == row).unwrap_or(rows.len());
                if known == rows.len() {
                    rows.push(*row);
                }
                *row = other.rows + known;
            }
            numbers.push((item.number, other.joined));
            item.number = other.joined;
            other.joined += 1;
            other.open.push(item);
        }
        other.rows += rows.len();
        (rows, numbers)
    }

    /// Feeds the model one token for each open hypothesis, and chooses the next. The items that are now over, by how many
    /// had joined before them, with what was found for them.
    ///
    /// # Errors
    /// When the options name a token that the model does not have, or allow no token to begin with; and when the model
    /// fails. Where they allow none later on, the hypothesis ends there, truncated.
    pub fn advance(&mut self, model: &mut dyn Step) -> Result<Vec<(usize, Found)>> {
        let logits = self.feed(model)?;
        let rows: Vec<_> = self.open.iter().flat_map(|item| item.rows(self.options)).collect();
        let candidates = self.rules.candidates(&logits, &rows)?;
        let (mut over, mut open) = (Vec::new(), Vec::with_capacity(self.open.len()));
        for mut item in std::mem::take(&mut self.open) {
            match item.advance(&candidates, self.options)? {
                Some(found) => over.push((item.number, found)),
                None => open.push(item),
            }
        }
        self.open = open;
        Ok(over)
    }

    /// Gives the model the rows that are still of use, and a token for each; the next logits.
    fn feed(&mut self, model: &mut dyn Step) -> Result<Logits> {
        let (mut kept, mut tokens) = (Vec::with_capacity(self.rows), Vec::with_capacity(self.rows));
        for (row, token) in self.open.iter_mut().flat_map(|item| item.next(self.options)) {
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

impl<'a> Open<'a> {
    /// Its rows, with the token that each is fed next.
    fn next(&mut self, options: &SearchOptions) -> Vec<(&mut usize, TokenId)> {
        self.fed += 1;
        if let Some(&token) = options.start.get(self.fed - 1) {
            return vec![(&mut self.row, token)];
        }
        self.method.heads_mut().into_iter().map(Head::next).collect()
    }

    /// The rows that it goes on from.
    fn rows_mut(&mut self, options: &SearchOptions) -> Vec<&mut usize> {
        if self.fed < options.start.len() {
            return vec![&mut self.row];
        }
        self.method.heads_mut().into_iter().map(|head| &mut head.row).collect()
    }

    /// Of each of its rows, the subject and what the row has been fed.
    fn rows(&self, options: &SearchOptions) -> Vec<(&Subject<'a>, &[TokenId])> {
        let mut heads = self.method.heads();
        if self.fed <= options.start.len() {
            heads.truncate(1);
        }
        heads.into_iter().map(|head| (&self.subject, head.history.as_slice())).collect()
    }

    /// Takes the next tokens, see [`Method::advance`].
    fn advance(&mut self, candidates: &[Candidates], options: &SearchOptions) -> Result<Option<Found>> {
        if self.fed < options.start.len() {
            return Ok(None);
        }
        if self.fed == options.start.len() {
            self.method.heads_mut().into_iter().for_each(|head| head.row = self.row);
        }
        self.method.advance(candidates)
    }
}

impl Head {
    fn new(start: &[TokenId]) -> Self {
        Self { row: 0, history: start.to_vec(), token_scores: Vec::new() }
    }

    /// Its row, and the token that the row is fed next.
    fn next(&mut self) -> (&mut usize, TokenId) {
        (&mut self.row, self.history[self.history.len() - 1])
    }

    /// The new tokens.
    fn tokens(&self, options: &SearchOptions) -> Vec<TokenId> {
        self.history[options.start.len()..].to_vec()
    }
}

/// What a caller hears when the rules ban every first token.
fn no_choice() -> anyhow::Error {
    anyhow::anyhow!("the decoding rules leave no token to begin with\nhint: suppress or ban fewer tokens")
}

/// The score of a hypothesis of `length` new tokens whose scores add up to `sum`.
fn normalized(sum: f32, length: usize, length_penalty: f64) -> f32 {
    // The power in f64 and the division in f32, as transformers does.
    sum / (length as f64).powf(length_penalty) as f32
}
