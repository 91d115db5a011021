//! From texts to texts with one model: tokenizer, batches, encoder, search, and back.
//!
//! Invariant: the generation of a text does not depend on the texts beside it, their number or their order (on a GPU,
//! except for the rounding of sums). A source that is too long for the model is an error; it is never cut. How articles
//! are divided into texts belongs to `translate` and `summarize`.

mod alignment;
mod batching;
mod checkpoint;
mod decoding;
mod input;
mod oom;
mod required;
mod session;
pub mod settings;
mod stats;
mod workers;

use std::path::PathBuf;
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::device::Placement;
use crate::files::ModelFiles;
use crate::model::{self, DecoderState, Seq2Seq, Spec, open_weights};
use crate::search::WordBoundaries;
use crate::tokenizer::Tokenizer;

pub use crate::model::spec::{AlignmentHead, GlobalAttention};
pub use crate::search::{GUARD, ResumePoint};
pub use alignment::WordAlignment;
pub use checkpoint::{Checkpoint, ResolvedRequest};
pub use decoding::{Scheduler, Source};
pub use input::{Constraint, Input};
pub use session::{Alternative, Generation, Session, SourceTooLong};
pub use stats::{LiveStats, Stats};

use batching::MemoryBudget;
use settings::{Caller, Overrides};

/// A loaded checkpoint, ready to generate.
pub struct Engine {
    checkpoint: Checkpoint,
    model: Seq2Seq,
    parameters: usize,
    placement: Placement,
    budget: MemoryBudget,
    load: Duration,
    stats: LiveStats,
    /// The word boundaries of the vocabulary, computed when a generation first has constraints.
    boundaries: OnceLock<WordBoundaries>,
    /// A free list of decoder states without rows. Reusing their memory saves the system filling new memory with zeros.
    free_states: Mutex<Vec<DecoderState>>,
}

/// What a caller wants of a model; the checkpoint decides everything that is left open.
#[derive(Clone, Debug)]
pub struct Request {
    /// Settings of one call, as an object with transformers' names.
    pub call: Option<Value>,
    /// Settings from the command line.
    pub flags: Overrides,
    /// Settings from the user's config file.
    pub user: Overrides,
    /// Settings of an alias from the catalogue.
    pub catalogue: Option<Value>,
    /// A task of `task_specific_params`, such as `summarization`.
    pub task: Option<String>,
    /// Settings that a pipeline was made with, as an object with transformers' names.
    pub defaults: Option<Value>,
    /// Which command or interface decodes.
    pub caller: Caller,
    /// Language of the source.
    pub from: Option<String>,
    /// Language of the target.
    pub to: Option<String>,
    /// Text before every source; `None` takes that of the task, if it has one.
    pub prefix: Option<String>,
    /// Which source tokens have global attention, in models that leave this to the caller. `None`: the first token for a
    /// task, as the makers of such models recommend, and no token otherwise.
    pub global_attention: Option<GlobalAttention>,
    /// The head that says which words of source and target belong together; `None` where nobody asks.
    pub alignment: Option<AlignmentHead>,
    /// Whether spaces before English punctuation are removed from the output; `None`: the checkpoint decides.
    pub clean_up: Option<bool>,
    /// Padded source tokens per batch; `None`: what suits the device.
    pub batch_tokens: Option<usize>,
}

impl Request {
    /// A request that leaves everything to the checkpoint.
    #[must_use]
    pub fn new(caller: Caller) -> Self {
        Self {
            call: None,
            flags: Overrides::default(),
            user: Overrides::default(),
            catalogue: None,
            task: None,
            defaults: None,
            caller,
            from: None,
            to: None,
            prefix: None,
            global_attention: None,
            alignment: None,
            clean_up: None,
            batch_tokens: None,
        }
    }
}

impl Engine {
    /// Loads the checkpoint in a folder.
    ///
    /// # Errors
    /// When a file is missing, damaged, or of another model than the other files.
    pub fn load(files: &ModelFiles, placement: &Placement) -> Result<Self> {
        let begin = Instant::now();
        let loaded = || -> Result<_> {
            let (config, spec) = Checkpoint::specification(files)?;
            let own_spec = spec.clone();
            // The tokenizer is read while the weights are, each of which takes about as long.
            let mut checkpoint = None;
            let model = rayon::in_place_scope(|scope| {
                scope.spawn(|_| checkpoint = Some(Checkpoint::with_specification(files, config, own_spec)));
                load_model(files, &spec, placement)
            });
            Ok((checkpoint.context("the checkpoint was not opened")??, model?))
        };
        let (checkpoint, (model, parameters, placement)) =
            loaded().with_context(|| format!("cannot load the model `{}`", files.name()))?;
        let budget = MemoryBudget::on(&placement.device);
        Ok(Self {
            checkpoint,
            model,
            parameters,
            budget,
            placement,
            load: begin.elapsed(),
            stats: LiveStats::default(),
            boundaries: OnceLock::new(),
            free_states: Mutex::default(),
        })
    }

    /// The model's name and revision, `name@revision`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.checkpoint.name
    }

    /// The tokenizer.
    #[must_use]
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.checkpoint.tokenizer
    }

    /// The transformer.
    #[must_use]
    pub fn model(&self) -> &Seq2Seq {
        &self.model
    }

    /// The device and type that the engine computes with. They may differ from what was requested, see
    /// [`Placement::with_wide_range`], [`Placement::with_int8`] and [`Placement::fallback`].
    #[must_use]
    pub fn placement(&self) -> &Placement {
        &self.placement
    }

    /// Messages for the user since the last call, one line each.
    #[must_use]
    pub fn take_notices(&self) -> Vec<String> {
        self.budget.take_notices()
    }

    /// Number of parameters in the weights' files.
    #[must_use]
    pub fn parameters(&self) -> usize {
        self.parameters
    }

    /// The most source tokens, special ones included, that the model was made for.
    #[must_use]
    pub fn window(&self) -> usize {
        self.checkpoint.window()
    }

    /// Time and tokens so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats { load: self.load, ..self.stats.read() }
    }

    /// The engine's statistics, for another thread to read while this one generates.
    #[must_use]
    pub fn live_stats(&self) -> LiveStats {
        self.stats.clone()
    }

    /// Resolves a request to a session.
    ///
    /// # Errors
    /// When a setting is impossible, or the model does not know a language.
    pub fn session(&self, request: &Request) -> Result<Session<'_>> {
        let resolved = self.checkpoint.resolve(request)?;
        Ok(Session { engine: self, resolved, batch_tokens: request.batch_tokens })
    }

    /// The key in the checkpoint's `task_specific_params` for a task: the one for this language if there is one.
    #[must_use]
    pub fn task(&self, name: &str, language: &str) -> String {
        self.checkpoint.task(name, language)
    }
}

/// Loads the transformer; returns it with the number of its parameters and the placement in use.
fn load_model(files: &ModelFiles, spec: &Spec, placement: &Placement) -> Result<(Seq2Seq, usize, Placement)> {
    let weights = open_weights(files)?;
    // The weights are opened before, so that a second attempt, on the fallback device, does not open them again.
    oom::load_or_fall_back(placement, |placement| {
        let placement = effective_placement(placement, spec)?;
        let model = if placement.int8 {
            Seq2Seq::load_int8(spec.clone(), &weights, int8_cache(files, &placement).as_deref())?
        } else {
            Seq2Seq::load(spec.clone(), &weights, &placement.device, placement.dtype)?
        };
        Ok((model, weights.parameters(), placement))
    })
}

/// The requested placement, adapted to what this model needs.
fn effective_placement(placement: &Placement, spec: &Spec) -> Result<Placement> {
    let placement = if spec.wide_range { placement.with_wide_range()? } else { placement.clone() };
    let faster = spec.int8 && model::int8_is_faster();
    Ok(if faster { placement.with_int8() } else { placement })
}

/// The file for the int8 weights of a model; with an adapter, the model has another file.
fn int8_cache(files: &ModelFiles, placement: &Placement) -> Option<PathBuf> {
    let place = files.path("config.json")?.canonicalize().ok()?;
    let mut name = place.into_os_string().into_encoded_bytes();
    if let Some(adapter) = files.adapter() {
        let place = adapter.path("adapter_config.json")?.canonicalize().ok()?;
        name.extend(place.into_os_string().into_encoded_bytes());
    }
    let name = Sha256::digest(name);
    Some(placement.cache.as_ref()?.join(format!("{name:x}.int8")))
}
