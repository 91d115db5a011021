//! How many sentences go through a model at once, and what happens when that was too many.
//!
//! Invariant: every sequence is decoded once, in a batch whose size hides nothing: one that the device has no memory
//! for is cut in two and decoded again, and whoever asks is told. On a card sums depend on the size of a batch, so there
//! a score may differ in its last digits; on the CPU nothing does.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use candle_core::{DType, Device};

use crate::batch::{Batch, TokenId, batches};
use crate::device::Card;
use crate::model::Spec;
use crate::model::spec::Pattern;
use crate::search::SearchOptions;

use super::memory::is_out_of_memory;

/// Padded source tokens under way on the CPU: enough rows to keep it busy, few enough for their states to stay in its
/// caches.
const CPU_TOKENS: usize = 1536;
/// Padded source tokens of sentences that are not too many, however long: their memory takes some hundred KB a token.
const LEAST_TOKENS: usize = 16_384;
/// Rows with which one thread is busier computing than reading weights.
pub(super) const ROWS_PER_THREAD: usize = 12;
/// Rows with which any card is busy.
const CARD_ROWS: usize = 4096;
/// Candle's kernels count the elements of a tensor in 31 bits, and say nothing where there are more.
const MOST_ELEMENTS: usize = (1 << 31) - 1;
/// Matrices that one call multiplies: the length of the axis on which kernels put them.
const MOST_PRODUCTS: usize = (1 << 16) - 1;
/// How much of a card's free memory a batch may be expected to take: the estimate is a rough one.
const SHARE: f64 = 0.7;

/// What a batch may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Limits {
    /// Padded source tokens.
    tokens: usize,
    /// Sentences.
    sentences: usize,
    /// Sentences that are not too many, however long, up to [`LEAST_TOKENS`].
    least: usize,
    /// Bytes, by the estimate of `need`.
    bytes: usize,
    /// Elements of the largest tensor.
    elements: usize,
    need: Need,
    /// Rows of a sentence.
    rows: usize,
    /// Whether somebody asked for so many tokens.
    asked: bool,
}

/// What decoding takes.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Need {
    /// Bytes for each sentence: its logits.
    sentence: usize,
    /// Bytes for each token of its source: its states and its memory.
    token: usize,
    /// Bytes for each pair of source tokens of which one sees the other: attention.
    pair: usize,
    /// Which do.
    pattern: Pattern,
    /// Bytes for each token of its target: keys and values in every beam.
    target: usize,
    /// Most tokens of a target.
    most: usize,
    /// Elements of the largest tensor, for each sentence, for each token of its source, and for each such pair of these.
    elements: [usize; 3],
}

impl Limits {
    /// For a model in `dtype` with `free` bytes of a card's memory, or on the CPU; `tokens` where somebody asked for
    /// so many.
    fn new(spec: &Spec, dtype: DType, options: &SearchOptions, tokens: Option<usize>, free: Option<usize>) -> Self {
        let need = Need::of(spec, dtype.size_in_bytes(), options);
        let rows = options.num_beams.max(options.n_best);
        let whole = Self {
            tokens: usize::MAX,
            sentences: usize::MAX,
            least: 1,
            bytes: usize::MAX,
            elements: usize::MAX,
            need,
            rows,
            asked: tokens.is_some(),
        };
        let limits = match free {
            None => Self { tokens: CPU_TOKENS, least: ROWS_PER_THREAD.div_ceil(rows), ..whole },
            Some(free) => {
                let heads = spec.encoder.heads.max(spec.decoder.heads);
                let sentences = (CARD_ROWS.min(MOST_PRODUCTS / heads) / rows).max(1);
                Self { sentences, bytes: (free as f64 * SHARE) as usize, elements: MOST_ELEMENTS, ..whole }
            }
        };
        match tokens {
            // Whoever says how many does so because the estimate is wrong.
            Some(tokens) => Self { tokens, least: 1, bytes: usize::MAX, ..limits },
            None => limits,
        }
    }

    /// On how many of `threads` these limits leave enough to do, where the longest sentence has so many tokens.
    pub fn lanes(&self, longest: usize, threads: usize) -> usize {
        let sentences = self.tokens / longest.max(1);
        if self.asked { (sentences * self.rows / ROWS_PER_THREAD).clamp(1, threads) } else { threads }
    }

    /// To how many lanes so many sentences give enough to do.
    pub fn lanes_for(&self, sentences: usize) -> usize {
        (sentences * self.rows).div_ceil(ROWS_PER_THREAD)
    }

    /// For some of the lanes that decode side by side.
    pub fn share(&self, lanes: usize, of: usize) -> Self {
        Self { tokens: self.tokens * lanes / of, ..*self }
    }

    /// Whether so many sentences, the longest of so many tokens, are one batch.
    pub fn fits(&self, sentences: usize, longest: usize) -> bool {
        let within = |each: usize, most: usize| sentences.saturating_mul(each) <= most;
        sentences <= 1
            || (sentences <= self.least && within(longest, LEAST_TOKENS))
            || (sentences <= self.sentences
                && within(longest, self.tokens)
                && within(self.need.bytes(longest), self.bytes)
                && within(self.need.elements(longest), self.elements))
    }
}

impl Need {
    fn of(spec: &Spec, size: usize, options: &SearchOptions) -> Self {
        let rows = options.num_beams.max(options.n_best);
        let [encoder, decoder] = [&spec.encoder, &spec.decoder].map(|stack| stack.heads * stack.head_width);
        // Keys and values of one position in all layers.
        let position = 2 * decoder * spec.decoder.layers * size;
        let padded = spec.vocabulary + 1024;
        // Keys of a past have room for twice as many tokens as there are, at most.
        let past = decoder * 2 * options.max_new_tokens.max(32);
        Self {
            // In their own type, padded, in f32, less the maximum, and their exponentials.
            sentence: rows * spec.vocabulary * (2 * size + 12),
            token: position + 2 * size * (8 * spec.encoder.width + 2 * spec.encoder.inner),
            pair: spec.encoder.heads * (8 + 2 * size),
            pattern: spec.encoder.pattern(0),
            // Grown and gathered they are there twice, and grown by half too much.
            target: 3 * rows * position,
            most: options.max_new_tokens,
            elements: [
                rows * padded.max(past),
                (3 * encoder).max(2 * decoder).max(spec.encoder.inner).max(spec.encoder.width),
                spec.encoder.heads,
            ],
        }
    }

    /// An estimate; a target is taken to be twice as long as its source at most.
    fn bytes(&self, longest: usize) -> usize {
        let target = (2 * longest).max(32).min(self.most);
        self.sentence
            + target.saturating_mul(self.target)
            + longest.saturating_mul(self.token + self.pattern.seen(longest) * self.pair)
    }

    fn elements(&self, longest: usize) -> usize {
        let [sentence, token, pair] = self.elements;
        sentence.max(longest * token).max(longest * self.pattern.seen(longest) * pair)
    }
}

/// What a device turned out to have room for.
#[derive(Debug, Default)]
pub(super) struct Room {
    /// Bytes that were free when the model had been loaded; only cards tell.
    free: Option<usize>,
    found: Mutex<Found>,
}

#[derive(Debug, Default)]
struct Found {
    /// Sentences and padded tokens of the smallest half that was made of a batch.
    most: Option<(usize, usize)>,
    notices: Vec<String>,
}

impl Room {
    /// The room that `device` has now.
    pub fn on(device: &Device) -> Self {
        Self { free: Card::of(device).map(|card| card.free), found: Mutex::default() }
    }

    /// What has to be said about batches, once.
    pub fn take_notices(&self) -> Vec<String> {
        std::mem::take(&mut self.found().notices)
    }

    /// Limits for batches, see [`Limits::new`].
    pub fn limits(&self, spec: &Spec, dtype: DType, options: &SearchOptions, tokens: Option<usize>) -> Limits {
        Limits::new(spec, dtype, options, tokens, self.free)
    }

    /// Decodes all sequences in batches within `limits`, or less where memory runs out; gives each batch and what came
    /// of it to `done`.
    pub fn each_batch<T>(
        &self,
        sequences: Vec<Vec<TokenId>>,
        limits: &Limits,
        decode: impl Fn(&Batch) -> Result<T>,
        mut done: impl FnMut(&Batch, T) -> Result<()>,
    ) -> Result<()> {
        let within = |sentences, longest| self.within(limits).fits(sentences, longest);
        let mut waiting: VecDeque<Batch> = batches(sequences, within).into();
        while let Some(batch) = waiting.pop_front() {
            let sentences = batch.ids.len();
            let found = if within(sentences, batch.longest()) { decode(&batch) } else { Err(Halve.into()) };
            match found {
                Ok(found) => done(&batch, found)?,
                Err(error) if sentences > 1 && (error.is::<Halve>() || is_out_of_memory(&error)) => {
                    if !error.is::<Halve>() {
                        self.shrink(sentences / 2, sentences * batch.longest() / 2);
                    }
                    let (first, second) = halves(batch);
                    waiting.push_front(second);
                    waiting.push_front(first);
                }
                Err(error) if is_out_of_memory(&error) => {
                    return Err(error).context(
                        "the device has not enough memory for a single text\n\
                         hint: use fewer beams, a smaller model, or `--device cpu`",
                    );
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The limits, or what the device turned out to have room for.
    pub fn within(&self, limits: &Limits) -> Limits {
        let (sentences, tokens) = self.found().most.unwrap_or((usize::MAX, usize::MAX));
        Limits { sentences: limits.sentences.min(sentences), tokens: limits.tokens.min(tokens), ..*limits }
    }

    fn shrink(&self, sentences: usize, tokens: usize) {
        let mut found = self.found();
        found.most = Some((sentences, tokens));
        found.notices.push(format!(
            "out of memory on the device: going on with half the batch, {sentences} texts and {tokens} source tokens at most"
        ));
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A batch is larger than what has been found to be too large.
#[derive(Debug, thiserror::Error)]
#[error("the batch is too large")]
struct Halve;

fn halves(mut batch: Batch) -> (Batch, Batch) {
    let middle = batch.ids.len() / 2;
    let second = Batch { ids: batch.ids.split_off(middle), order: batch.order.split_off(middle) };
    (batch, second)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use crate::model::spec::Stack;

    use super::*;

    fn spec() -> Spec {
        let config = include_str!("../../models/kortom-nl-en/config.json");
        crate::model::family::parse(&serde_json::from_str(config).unwrap()).unwrap()
    }

    fn limits(tokens: Option<usize>, free: Option<usize>, beams: usize) -> Limits {
        let options = SearchOptions { num_beams: beams, ..SearchOptions::greedy(0, 1, 512) };
        Limits::new(&spec(), DType::F16, &options, tokens, free)
    }

    fn sequences() -> Vec<Vec<TokenId>> {
        (0..40).map(|i| vec![i; 1 + (i as usize * 7) % 13]).collect()
    }

    /// A device with room for so many padded tokens: each sequence's own id, as often as it was decoded.
    fn run(room: &Room, limits: &Limits, most: usize) -> Result<(Vec<Vec<TokenId>>, Vec<usize>)> {
        let mut found = vec![Vec::new(); 40];
        let sizes = RefCell::new(Vec::new());
        let decode = |batch: &Batch| {
            let size = batch.ids.len() * batch.longest();
            sizes.borrow_mut().push(size);
            if size > most {
                let driver = candle_core::Error::Msg("DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")".into());
                return Err(anyhow::Error::from(driver).context("a step failed"));
            }
            Ok(batch.ids.iter().map(|ids| ids[0]).collect::<Vec<_>>())
        };
        room.each_batch(sequences(), limits, decode, |batch, ids| {
            batch.order.iter().zip(ids).for_each(|(&place, id)| found[place].push(id));
            Ok(())
        })?;
        Ok((found, sizes.into_inner()))
    }

    #[test]
    fn out_of_memory_halves_the_batch_and_says_so() {
        let (room, limits) = (Room::default(), limits(Some(200), None, 1));
        let (found, sizes) = run(&room, &limits, 60).unwrap();
        assert_eq!(found, (0..40).map(|id| vec![id]).collect::<Vec<_>>());
        let notices = room.take_notices();
        assert_eq!(notices.len(), 2, "{notices:?}");
        assert!(notices[0].starts_with("out of memory") && !notices[0].contains('\n'), "{notices:?}");
        assert_eq!(sizes.iter().filter(|&&size| size > 60).count(), 2, "it tried what had failed: {sizes:?}");
        // What was found out holds from then on, and is said once.
        let (_, sizes) = run(&room, &limits, 60).unwrap();
        assert!(sizes.iter().all(|&size| size <= 60), "{sizes:?}");
        assert!(room.take_notices().is_empty());
    }

    #[test]
    fn one_text_that_is_too_much_is_an_error() {
        let error = run(&Room::default(), &limits(None, None, 1), 12).unwrap_err();
        assert!(error.to_string().contains("hint: use fewer beams"), "{error}");
        let other = Room::default().each_batch(
            sequences(),
            &limits(None, None, 1),
            |_| anyhow::bail!("no such row"),
            |_, ()| Ok(()),
        );
        assert_eq!(other.unwrap_err().to_string(), "no such row");
    }

    #[test]
    fn a_card_takes_what_its_memory_holds() {
        let size = |limits: &Limits| (1..1 << 20).take_while(|&sentences| limits.fits(sentences, 30)).count();
        let at = |gibibytes: usize, beams| size(&limits(None, Some(gibibytes << 30), beams));
        assert_eq!(size(&limits(None, None, 4)), CPU_TOKENS / 30);
        assert_eq!((at(128, 1), at(128, 4)), (CARD_ROWS, CARD_ROWS / 4));
        assert!(at(1, 4) < at(2, 4) && at(2, 4) < at(128, 4), "{} {}", at(1, 4), at(2, 4));
        assert_eq!(at(0, 4), 1);
        // Summaries of whole windows: it is not memory that ends such a batch on a large card.
        let wide = Spec { encoder: Stack { heads: 16, layers: 12, inner: 4096, ..spec().encoder }, ..spec() };
        let options = SearchOptions { num_beams: 4, ..SearchOptions::greedy(0, 1, 142) };
        let limits_of = |free: usize| Limits::new(&wide, DType::F16, &options, None, Some(free));
        let found = (1..1 << 20).take_while(|&sentences| limits_of(128 << 30).fits(sentences, 1024)).count();
        assert_eq!(found, MOST_ELEMENTS / (16 << 20));
        assert!(limits_of(128 << 30).fits(1, 1 << 20), "one text is always tried");
        let rows = |heads| {
            let wide = Spec { decoder: Stack { heads, ..spec().decoder }, ..spec() };
            size(&Limits::new(&wide, DType::F16, &SearchOptions::greedy(0, 1, 20), None, Some(1 << 40)))
        };
        assert_eq!((rows(8), rows(16), rows(32)), (CARD_ROWS, CARD_ROWS - 1, MOST_PRODUCTS / 32));
        // Whole documents go one at a time where many sentences would go together.
        let document = |longest| (1..100).take_while(|&n| limits(None, None, 1).fits(n, longest)).count();
        assert_eq!([document(1024), document(4096), document(16_384), document(100_000)], [12, 4, 1, 1]);
        // A card with a little memory gets batches that it holds by the estimate, and no more are asked for.
        assert_eq!(size(&limits(Some(90), Some(1 << 40), 4)), 3);
    }
}
