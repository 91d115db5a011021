//! Texts to texts with one model: tokenizer, batches, encoder, search, and back.
//!
//! Invariant: what a text becomes does not depend on the texts beside it, their number or their order (on a card, but
//! for the rounding of sums). A source that the model cannot take is an error, never cut. How articles are divided into texts belongs to
//! `translate` and `summarize`.

mod batching;
mod checkpoint;
mod decoding;
mod input;
mod lanes;
mod memory;
mod required;
mod session;
pub mod settings;
mod work;

use std::path::PathBuf;
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::device::Placement;
use crate::files::ModelFiles;
use crate::model::{self, DecoderState, Seq2Seq, Spec, Weights};
use crate::search::Edges;
use crate::tokenizer::Tokenizer;

pub use crate::model::spec::GlobalAttention;
pub use crate::search::{Divergence, GUARD};
pub use checkpoint::{Checkpoint, Settled};
pub use decoding::{Scheduler, Source};
pub use input::{Constraint, Input};
pub use session::{Candidate, Generation, Session, SourceTooLong};
pub use work::{Gauge, Work};

use batching::Room;
use settings::{Caller, Overrides};

/// A loaded checkpoint.
pub struct Engine {
    checkpoint: Checkpoint,
    model: Seq2Seq,
    parameters: usize,
    placement: Placement,
    room: Room,
    load: Duration,
    gauge: Gauge,
    /// Where words may begin and end, once anybody asks.
    edges: OnceLock<Edges>,
    /// Decoders without rows, for the next lanes: their memory is not new.
    rested: Mutex<Vec<DecoderState>>,
}

/// What somebody wants from a model; everything left out is settled by the checkpoint.
#[derive(Clone, Debug)]
pub struct Request {
    /// Settings of one call, an object under transformers' names.
    pub call: Option<Value>,
    /// From the command line.
    pub flags: Overrides,
    /// From the user's config file.
    pub user: Overrides,
    /// The catalogue's settings of an alias.
    pub catalogue: Option<Value>,
    /// A task of `task_specific_params`, such as `summarization`.
    pub task: Option<String>,
    /// What a pipeline was made with, an object under transformers' names.
    pub defaults: Option<Value>,
    /// Who decodes.
    pub caller: Caller,
    /// Language of the source.
    pub from: Option<String>,
    /// Language of the target.
    pub to: Option<String>,
    /// Text before every source; `None` takes that of the task, if it has one.
    pub prefix: Option<String>,
    /// Which tokens see everything, of models that leave that to the caller. `None` is none, and the first for a task, as
    /// their makers ask.
    pub global_attention: Option<GlobalAttention>,
    /// Whether English punctuation of the output is drawn to the word before it; `None` leaves that to the checkpoint.
    pub clean_up: Option<bool>,
    /// Padded source tokens per batch; `None` takes what suits the device.
    pub batch_tokens: Option<usize>,
}

impl Request {
    /// Nothing but the checkpoint's own settings.
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
            clean_up: None,
            batch_tokens: None,
        }
    }
}

impl Engine {
    /// Loads a checkpoint as it lies.
    ///
    /// # Errors
    /// When a file is missing, damaged, or of another model than its neighbours.
    pub fn load(files: &ModelFiles, placement: &Placement) -> Result<Self> {
        let begin = Instant::now();
        let checkpoint = Checkpoint::open(files)?;
        let loaded = || -> Result<_> {
            let weights = Weights::open(files)?;
            memory::place(placement, |placement| {
                let spec = checkpoint.spec.clone();
                let placement = suited(placement, &spec)?;
                let model = if placement.int8 {
                    Seq2Seq::load_int8(spec, &weights, stored(files, &placement).as_deref())?
                } else {
                    Seq2Seq::load(spec, &weights, &placement.device, placement.dtype)?
                };
                Ok((model, weights.parameters(), placement))
            })
        };
        let (model, parameters, placement) =
            loaded().with_context(|| format!("cannot load the model `{}`", files.name()))?;
        let room = Room::on(&placement.device);
        Ok(Self {
            checkpoint,
            model,
            parameters,
            room,
            placement,
            load: begin.elapsed(),
            gauge: Gauge::default(),
            edges: OnceLock::new(),
            rested: Mutex::default(),
        })
    }

    /// `name@revision`.
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

    /// Where and in which type it computes; not always what was asked for, see [`Placement::with_wide_range`],
    /// [`Placement::with_eight_bits`] and [`Placement::instead`].
    #[must_use]
    pub fn placement(&self) -> &Placement {
        &self.placement
    }

    /// What has to be said about the work since the last time, a line each.
    #[must_use]
    pub fn take_notices(&self) -> Vec<String> {
        self.room.take_notices()
    }

    /// Parameters in the weights' files.
    #[must_use]
    pub fn parameters(&self) -> usize {
        self.parameters
    }

    /// Most source tokens, specials included, that the model was made for.
    #[must_use]
    pub fn window(&self) -> usize {
        self.checkpoint.window()
    }

    /// Where the time went so far.
    #[must_use]
    pub fn work(&self) -> Work {
        Work { load: self.load, ..self.gauge.read() }
    }

    /// The same for another thread, while this one generates.
    #[must_use]
    pub fn gauge(&self) -> Gauge {
        self.gauge.clone()
    }

    /// Settles a request.
    ///
    /// # Errors
    /// When a setting is impossible, or the model does not know a language.
    pub fn session(&self, request: &Request) -> Result<Session<'_>> {
        let settled = self.checkpoint.settle(request)?;
        Ok(Session { engine: self, settled, batch_tokens: request.batch_tokens })
    }

    /// The name of the checkpoint's settings for a task: those for this language where it has some.
    #[must_use]
    pub fn task(&self, name: &str, language: &str) -> String {
        self.checkpoint.task(name, language)
    }
}

/// What was asked for, as this model can have it.
fn suited(placement: &Placement, spec: &Spec) -> Result<Placement> {
    let placement = if spec.wide_range { placement.with_wide_range()? } else { placement.clone() };
    let faster = spec.eight_bits && model::eight_bits_are_faster();
    Ok(if faster { placement.with_eight_bits() } else { placement })
}

/// Where the eight-bit weights of a model in a folder are stored; each adapter of it has a file of its own.
fn stored(files: &ModelFiles, placement: &Placement) -> Option<PathBuf> {
    let place = files.path("config.json")?.canonicalize().ok()?;
    let mut name = place.into_os_string().into_encoded_bytes();
    if let Some(adapter) = files.adapter() {
        let place = adapter.path("adapter_config.json")?.canonicalize().ok()?;
        name.extend(place.into_os_string().into_encoded_bytes());
    }
    let name = Sha256::digest(name);
    Some(placement.cache.as_ref()?.join(format!("{name:x}.int8")))
}
