//! The limits on batches, and what happens when memory runs out.
//!
//! Invariant: every sequence is decoded, whatever the size of its batch. A batch that the device has no memory for is cut
//! in two and decoded again, and a notice says so. On a GPU, sums depend on the size of a batch, so scores may differ in
//! their last digits; on the CPU nothing differs.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use candle_core::{DType, Device};

use crate::batch::{Batch, TokenId, batches};
use crate::device::GpuInfo;
use crate::error::{ErrorKind, Explain, WithHint};
use crate::model::Spec;
use crate::model::spec::Pattern;
use crate::search::SearchOptions;

use super::oom::is_out_of_memory;

/// Padded source tokens of running sentences on the CPU: enough rows to keep it busy, few enough for their states to stay
/// in its caches.
const CPU_TOKENS: usize = 1536;
/// Padded source tokens within which `min_sentences` sentences may run, however long they are. Encoded, they take some
/// hundred KB per token.
const MIN_SENTENCES_TOKENS: usize = 16_384;
/// Number of rows from which on a thread spends more time computing than reading weights.
pub(super) const ROWS_PER_THREAD: usize = 12;
/// Number of rows that keeps any GPU busy.
const GPU_ROWS: usize = 4096;
/// candle's kernels count the elements of a tensor in 31 bits, and overflow silently.
const MOST_ELEMENTS: usize = (1 << 31) - 1;
/// Most matrices that one call multiplies: the limit of the grid axis that kernels put them on.
const MOST_PRODUCTS: usize = (1 << 16) - 1;
/// The share of a GPU's free memory that a batch's estimate may reach, since the estimate is rough.
const MEMORY_SHARE: f64 = 0.7;

/// The limits on the size of a batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct BatchLimits {
    /// Most padded source tokens.
    tokens: usize,
    /// Most sentences.
    sentences: usize,
    /// Number of sentences that are always allowed within [`MIN_SENTENCES_TOKENS`].
    min_sentences: usize,
    /// Most bytes, as estimated by `need`.
    bytes: usize,
    /// Most elements of the largest tensor.
    elements: usize,
    need: MemoryNeed,
    /// Number of rows per sentence.
    rows: usize,
    /// Whether the caller gave the number of tokens.
    tokens_given: bool,
}

/// An estimate of the memory that decoding needs.
#[derive(Clone, Copy, Debug, PartialEq)]
struct MemoryNeed {
    /// Bytes per sentence: its logits.
    sentence: usize,
    /// Bytes per source token: its states, and its keys and values for the decoder.
    token: usize,
    /// Bytes per pair of source tokens of which one attends to the other.
    pair: usize,
    /// The encoder's attention pattern: which source tokens attend to which.
    pattern: Pattern,
    /// Bytes per target token: keys and values in every beam.
    target: usize,
    /// Most tokens of a target.
    max_target: usize,
    /// Elements of the largest tensor per sentence, per source token, and per pair of tokens that attend; the greatest of
    /// the three counts.
    elements: [usize; 3],
}

impl BatchLimits {
    /// The limits for a model of type `dtype`: on a GPU with `free` bytes of memory, or on the CPU (`None`). `tokens` is
    /// the number of padded source tokens that the caller gave, if any.
    fn new(spec: &Spec, dtype: DType, options: &SearchOptions, tokens: Option<usize>, free: Option<usize>) -> Self {
        let need = MemoryNeed::of(spec, dtype.size_in_bytes(), options);
        let rows = options.num_beams.max(options.n_best);
        let whole = Self {
            tokens: usize::MAX,
            sentences: usize::MAX,
            min_sentences: 1,
            bytes: usize::MAX,
            elements: usize::MAX,
            need,
            rows,
            tokens_given: tokens.is_some(),
        };
        let limits = match free {
            None => Self { tokens: CPU_TOKENS, min_sentences: ROWS_PER_THREAD.div_ceil(rows), ..whole },
            Some(free) => {
                let heads = spec.encoder.heads.max(spec.decoder.heads);
                let sentences = (GPU_ROWS.min(MOST_PRODUCTS / heads) / rows).max(1);
                Self { sentences, bytes: (free as f64 * MEMORY_SHARE) as usize, elements: MOST_ELEMENTS, ..whole }
            }
        };
        match tokens {
            // A caller who gives a number does so because the estimate is wrong.
            Some(tokens) => Self { tokens, min_sentences: 1, bytes: usize::MAX, ..limits },
            None => limits,
        }
    }

    /// Number of workers, at most `threads`, that have enough to do within these limits if the longest sentence has
    /// `longest` tokens.
    pub fn workers(&self, longest: usize, threads: usize) -> usize {
        let sentences = self.tokens / longest.max(1);
        if self.tokens_given { (sentences * self.rows / ROWS_PER_THREAD).clamp(1, threads) } else { threads }
    }

    /// Number of workers that have enough to do with this many sentences.
    pub fn workers_for(&self, sentences: usize) -> usize {
        (sentences * self.rows).div_ceil(ROWS_PER_THREAD)
    }

    /// The limits of `workers` workers together, of `all` workers that decode side by side.
    pub fn share(&self, workers: usize, all: usize) -> Self {
        Self { tokens: self.tokens * workers / all, ..*self }
    }

    /// Whether `sentences` sentences, the longest of `longest` tokens, may form one batch.
    pub fn fits(&self, sentences: usize, longest: usize) -> bool {
        let within = |each: usize, most: usize| sentences.saturating_mul(each) <= most;
        sentences <= 1
            || (sentences <= self.min_sentences && within(longest, MIN_SENTENCES_TOKENS))
            || (sentences <= self.sentences
                && within(longest, self.tokens)
                && within(self.need.bytes(longest), self.bytes)
                && within(self.need.elements(longest), self.elements))
    }
}

impl MemoryNeed {
    fn of(spec: &Spec, size: usize, options: &SearchOptions) -> Self {
        let rows = options.num_beams.max(options.n_best);
        let [encoder, decoder] = [&spec.encoder, &spec.decoder].map(|stack| stack.heads * stack.head_width);
        // Bytes of keys and values of one position in all layers.
        let position = 2 * spec.decoder.kv_heads * spec.decoder.head_width * spec.decoder.layers * size;
        let padded = spec.vocabulary + 1024;
        // The KV cache has capacity for at most twice as many tokens as there are.
        let cache = decoder * 2 * options.max_new_tokens.max(32);
        Self {
            // Logits exist padded in the model's type, in f32, with the maximum subtracted, and as exponentials.
            sentence: rows * spec.vocabulary * (2 * size + 12),
            token: position + 2 * size * (8 * spec.encoder.width + 2 * spec.encoder.inner),
            pair: spec.encoder.heads * (8 + 2 * size),
            pattern: spec.encoder.pattern(0),
            // While the KV cache grows or is gathered, it exists twice; and its capacity may exceed its size by half.
            target: 3 * rows * position,
            max_target: options.max_new_tokens,
            elements: [
                rows * padded.max(cache),
                (3 * encoder).max(2 * decoder).max(spec.encoder.inner).max(spec.encoder.width),
                spec.encoder.heads,
            ],
        }
    }

    /// Estimated bytes per sentence; a target is assumed to be at most twice as long as its source.
    fn bytes(&self, longest: usize) -> usize {
        let target = (2 * longest).max(32).min(self.max_target);
        self.sentence
            + target.saturating_mul(self.target)
            + longest.saturating_mul(self.token + self.pattern.seen(longest) * self.pair)
    }

    fn elements(&self, longest: usize) -> usize {
        let [sentence, token, pair] = self.elements;
        sentence.max(longest * token).max(longest * self.pattern.seen(longest) * pair)
    }
}

/// The memory of a device: what was free after loading, and the batch sizes at which it ran out.
#[derive(Debug, Default)]
pub(super) struct MemoryBudget {
    /// Bytes that were free after the model was loaded; only GPUs report them.
    free: Option<usize>,
    found: Mutex<OomHistory>,
}

#[derive(Debug, Default)]
struct OomHistory {
    /// Sentences and padded tokens of the smallest half of a batch that ran out of memory.
    smallest: Option<(usize, usize)>,
    notices: Vec<String>,
}

impl MemoryBudget {
    /// The current memory of `device`.
    pub fn on(device: &Device) -> Self {
        Self { free: GpuInfo::of(device).map(|gpu| gpu.free), found: Mutex::default() }
    }

    /// Messages for the user about batches; each is returned once.
    pub fn take_notices(&self) -> Vec<String> {
        std::mem::take(&mut self.found().notices)
    }

    /// The limits on batches, see [`BatchLimits::new`].
    pub fn limits(&self, spec: &Spec, dtype: DType, options: &SearchOptions, tokens: Option<usize>) -> BatchLimits {
        BatchLimits::new(spec, dtype, options, tokens, self.free)
    }

    /// Decodes all sequences in batches within `limits`, or in smaller ones where memory runs out; passes each batch and
    /// its result to `done`.
    pub fn each_batch<T>(
        &self,
        sequences: Vec<Vec<TokenId>>,
        limits: &BatchLimits,
        decode: impl Fn(&Batch) -> Result<T>,
        mut done: impl FnMut(&Batch, T) -> Result<()>,
    ) -> Result<()> {
        let within = |sentences, longest| self.within(limits).fits(sentences, longest);
        let mut waiting: VecDeque<Batch> = batches(sequences, within).into();
        while let Some(batch) = waiting.pop_front() {
            let sentences = batch.ids.len();
            // The limits may have shrunk since the batch was made.
            let found = if within(sentences, batch.longest()) { decode(&batch) } else { Err(Halve.into()) };
            match found {
                Ok(found) => done(&batch, found)?,
                Err(error) if sentences > 1 && (error.is::<Halve>() || is_out_of_memory(&error)) => {
                    if !error.is::<Halve>() {
                        self.shrink(sentences / 2, sentences * batch.longest() / 2);
                    }
                    let (first, second) = halves(batch);
                    // In front, so that the halves keep their place in the order.
                    waiting.push_front(second);
                    waiting.push_front(first);
                }
                Err(error) if is_out_of_memory(&error) => {
                    return Err(error).explain(|| {
                        "the device has not enough memory for a single text"
                            .with_hint("use fewer beams, a smaller model, or `--device cpu`")
                            .or_kind(ErrorKind::Device)
                    });
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The limits, lowered to the batch sizes that the device turned out to have memory for.
    pub fn within(&self, limits: &BatchLimits) -> BatchLimits {
        let (sentences, tokens) = self.found().smallest.unwrap_or((usize::MAX, usize::MAX));
        BatchLimits { sentences: limits.sentences.min(sentences), tokens: limits.tokens.min(tokens), ..*limits }
    }

    fn shrink(&self, sentences: usize, tokens: usize) {
        let mut found = self.found();
        found.smallest = Some((sentences, tokens));
        found.notices.push(format!(
            "out of memory on the device: going on with half the batch, {sentences} texts and {tokens} source tokens at most"
        ));
    }

    fn found(&self) -> MutexGuard<'_, OomHistory> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The error for a batch that exceeds what is known to fit.
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

    fn limits(tokens: Option<usize>, free: Option<usize>, beams: usize) -> BatchLimits {
        let options = SearchOptions { num_beams: beams, ..SearchOptions::greedy(0, 1, 512) };
        BatchLimits::new(&spec(), DType::F16, &options, tokens, free)
    }

    fn sequences() -> Vec<Vec<TokenId>> {
        (0..40).map(|i| vec![i; 1 + (i as usize * 7) % 13]).collect()
    }

    /// Runs a device with memory for `most` padded tokens: each sequence's own id, as often as it was decoded.
    fn run(budget: &MemoryBudget, limits: &BatchLimits, most: usize) -> Result<(Vec<Vec<TokenId>>, Vec<usize>)> {
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
        budget.each_batch(sequences(), limits, decode, |batch, ids| {
            batch.order.iter().zip(ids).for_each(|(&place, id)| found[place].push(id));
            Ok(())
        })?;
        Ok((found, sizes.into_inner()))
    }

    #[test]
    fn out_of_memory_halves_the_batch_and_says_so() {
        let (budget, limits) = (MemoryBudget::default(), limits(Some(200), None, 1));
        let (found, sizes) = run(&budget, &limits, 60).unwrap();
        assert_eq!(found, (0..40).map(|id| vec![id]).collect::<Vec<_>>());
        let notices = budget.take_notices();
        assert_eq!(notices.len(), 2, "{notices:?}");
        assert!(notices[0].starts_with("out of memory") && !notices[0].contains('\n'), "{notices:?}");
        assert_eq!(sizes.iter().filter(|&&size| size > 60).count(), 2, "it tried what had failed: {sizes:?}");
        // What was found out holds from then on, and is said once.
        let (_, sizes) = run(&budget, &limits, 60).unwrap();
        assert!(sizes.iter().all(|&size| size <= 60), "{sizes:?}");
        assert!(budget.take_notices().is_empty());
    }

    #[test]
    fn one_text_that_is_too_much_is_an_error() {
        let error = run(&MemoryBudget::default(), &limits(None, None, 1), 12).unwrap_err();
        assert!(error.to_string().contains("hint: use fewer beams"), "{error}");
        let other = MemoryBudget::default().each_batch(
            sequences(),
            &limits(None, None, 1),
            |_| anyhow::bail!("no such row"),
            |_, ()| Ok(()),
        );
        assert_eq!(other.unwrap_err().to_string(), "no such row");
    }

    #[test]
    fn a_gpu_takes_what_its_memory_holds() {
        let size = |limits: &BatchLimits| (1..1 << 20).take_while(|&sentences| limits.fits(sentences, 30)).count();
        let at = |gibibytes: usize, beams| size(&limits(None, Some(gibibytes << 30), beams));
        assert_eq!(size(&limits(None, None, 4)), CPU_TOKENS / 30);
        assert_eq!((at(128, 1), at(128, 4)), (GPU_ROWS, GPU_ROWS / 4));
        assert!(at(1, 4) < at(2, 4) && at(2, 4) < at(128, 4), "{} {}", at(1, 4), at(2, 4));
        assert_eq!(at(0, 4), 1);
        // Summaries of whole windows: it is not memory that ends such a batch on a large GPU.
        let wide = Spec { encoder: Stack { heads: 16, layers: 12, inner: 4096, ..spec().encoder }, ..spec() };
        let options = SearchOptions { num_beams: 4, ..SearchOptions::greedy(0, 1, 142) };
        let limits_of = |free: usize| BatchLimits::new(&wide, DType::F16, &options, None, Some(free));
        let found = (1..1 << 20).take_while(|&sentences| limits_of(128 << 30).fits(sentences, 1024)).count();
        assert_eq!(found, MOST_ELEMENTS / (16 << 20));
        assert!(limits_of(128 << 30).fits(1, 1 << 20), "one text is always tried");
        let rows = |heads| {
            let wide = Spec { decoder: Stack { heads, ..spec().decoder }, ..spec() };
            size(&BatchLimits::new(&wide, DType::F16, &SearchOptions::greedy(0, 1, 20), None, Some(1 << 40)))
        };
        assert_eq!((rows(8), rows(16), rows(32)), (GPU_ROWS, GPU_ROWS - 1, MOST_PRODUCTS / 32));
        // Whole documents go one at a time where many sentences would go together.
        let document = |longest| (1..100).take_while(|&n| limits(None, None, 1).fits(n, longest)).count();
        assert_eq!([document(1024), document(4096), document(16_384), document(100_000)], [12, 4, 1, 1]);
        // A GPU with little memory gets batches that fit by the estimate, and none is larger.
        assert_eq!(size(&limits(Some(90), Some(1 << 40), 4)), 3);
    }
}
