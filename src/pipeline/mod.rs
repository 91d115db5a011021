//! Pipelines: models that are chosen and loaded once, and what they make of articles and lines.
//!
//! The command line, the server and programs that embed the library use a pipeline in one way: [`PipelineOptions`]
//! say what is wanted, [`Models`] are chosen and loaded by them, and a [`Pipeline`] makes reports with these models.
//!
//! Invariant: no text is processed as if it were in another language than the detected one. If the model does not
//! read that language, this is an error of the text.

mod choice;
mod models;
mod options;
mod remember;

use anyhow::Result;

use crate::check::Checks;
use crate::digest::{Digest, Summarizing, Translating, Writing};
use crate::document::{Document, Format};
use crate::engine::Session;
use crate::error::{Error, ErrorKind};
use crate::glossary::Glossary;
use crate::memory::MemoryScope;
use crate::report::Report;
use crate::segment::Language;
use crate::summarize::abstractive::SummaryWriter;
use crate::summarize::recall::RememberingWriter;
use crate::translate::{Generate, Segment, Translator};

#[doc(hidden)]
pub use choice::refuse_decoding_without_model;
pub use models::Models;
#[doc(hidden)]
pub use models::{LoadedModel, ModelKey, SummaryModel};
pub use options::{DecodingLayers, PipelineOptions, PipelineTask, SummaryRequest};

use remember::PipelineMemory;

#[doc(inline)]
pub use crate::engine::GlobalAttention;
#[doc(inline)]
pub use crate::engine::settings::Overrides;
#[doc(inline)]
pub use crate::summarize::{Length, SummaryMethod};

/// Receives messages while models are chosen and loaded. `()` ignores them.
pub trait Listener {
    /// Receives a notice, such as which model was chosen because none was named.
    fn notice(&self, _text: &str) {}
    /// Receives a warning about what may not be as the user meant it.
    fn warning(&self, _text: &str) {}
    /// Receives a detail, such as the time in which a model was loaded.
    fn detail(&self, _text: &str) {}
}

impl Listener for () {}

/// The steps that are done to articles, with their sessions.
#[doc(hidden)]
#[derive(Clone, Copy, Default)]
pub struct DigestSteps<'a> {
    /// The translation, if one is wanted.
    pub translation: Option<TranslationStep<'a>>,
    /// The summary, if one is wanted.
    pub summary: Option<SummaryStep<'a>>,
}

/// The translation of articles.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct TranslationStep<'a> {
    /// The session of the model that translates.
    pub model: &'a dyn Generate,
    /// The code of the language of the articles.
    pub from: &'a str,
    /// The code of the language of the translations.
    pub to: &'a str,
    /// Terms that the translations must have.
    pub glossary: Option<&'a Glossary>,
    /// The part of the memory for these translations; `None` without a memory.
    pub memory: Option<&'a MemoryScope<'a>>,
}

/// The summaries of articles.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct SummaryStep<'a> {
    /// The writer of the summaries; `None` for summaries of the articles' own sentences.
    pub writer: Option<&'a dyn SummaryWriter>,
    /// The code of the language of the texts to summarise. It is ignored if the summary model reads the source of a
    /// translation.
    pub language: &'a str,
    /// The length of summaries; `None` leaves it to the model.
    pub length: Option<Length>,
    /// Whether the user set the length of a summary in tokens. A requested number of sentences then only cuts the
    /// summary.
    pub own_limits: bool,
}

impl Models {
    /// The digest that makes reports of articles by these steps.
    #[doc(hidden)]
    #[must_use]
    pub fn digest<'a>(&self, steps: &DigestSteps<'a>) -> Digest<'a> {
        let name = |model: &LoadedModel| model.engine().name().to_owned();
        let translating = steps.translation.map(|TranslationStep { model, from, to, glossary, memory }| {
            let name = self.translation.as_ref().map(name).unwrap_or_default();
            Translating { model, name, from, to, glossary, memory }
        });
        let summarizing = steps.summary.map(|step| {
            let model = step.writer.zip(self.summary.as_ref());
            let source = model.is_some_and(|(_, summary)| summary.source);
            let from = steps.translation.filter(|_| source).map_or(step.language, |translation| translation.from);
            let writing = model.map(|(writer, summary)| Writing {
                model: writer,
                name: name(&summary.model),
                from,
                source,
                own_limits: step.own_limits,
            });
            Summarizing { length: step.length, language: Language::of(from), writing }
        });
        Digest { translating, summarizing }
    }
}

/// Loaded models with the options that they were loaded by, a glossary and a memory.
pub struct Pipeline {
    options: PipelineOptions,
    models: Models,
    glossary: Option<Glossary>,
    memory: Option<PipelineMemory>,
}

impl Pipeline {
    /// Chooses and loads the models that the options ask for.
    ///
    /// # Errors
    /// When there is no such model, it cannot be used, or it cannot do what is wanted.
    pub fn load(options: PipelineOptions) -> Result<Self, Error> {
        Self::load_with(options, &())
    }

    /// Chooses and loads the models that the options ask for. `listener` receives notices and warnings about them.
    ///
    /// # Errors
    /// When there is no such model, it cannot be used, or it cannot do what is wanted.
    pub fn load_with(options: PipelineOptions, listener: &dyn Listener) -> Result<Self, Error> {
        let models = Models::load(&options, listener).map_err(|error| Error::from(error).or_kind(ErrorKind::Model))?;
        Ok(Self { options, models, glossary: None, memory: None })
    }

    /// The pipeline with a glossary, whose terms its translations must contain.
    #[must_use]
    pub fn with_glossary(self, glossary: Option<Glossary>) -> Self {
        Self { glossary, ..self }
    }

    /// The options that the pipeline was loaded by.
    #[must_use]
    pub fn options(&self) -> &PipelineOptions {
        &self.options
    }

    /// The models of the pipeline.
    #[must_use]
    pub fn models(&self) -> &Models {
        &self.models
    }

    /// The glossary of the pipeline.
    #[must_use]
    pub fn glossary(&self) -> Option<&Glossary> {
        self.glossary.as_ref()
    }

    /// The report of one article of plain text.
    ///
    /// # Errors
    /// When a model fails.
    pub fn digest(&self, article: &str) -> Result<Report, Error> {
        let documents = vec![Document::parse("-", article, Format::Text)];
        Ok(self.reports(documents, None)?.pop().unwrap_or_default())
    }

    /// The reports of articles, in their order. `detected` is the code of the language that was detected for all of
    /// them; `None` if it was not detected.
    ///
    /// # Errors
    /// When a model fails, or does not read that language.
    pub fn reports(&self, articles: Vec<Document>, detected: Option<&str>) -> Result<Vec<Report>, Error> {
        let (models, options) = (&self.models, &self.options);
        let translation = models.translation.as_ref().map(|model| session(model, detected)).transpose()?;
        // In a digest the summary model reads the translation, whatever the language of the article.
        let read = detected.filter(|_| options.task == PipelineTask::Summarize);
        let (from, to) = (detected.unwrap_or(options.source_language()), options.target_language());
        let asked = models.translation.as_ref().zip(translation.as_ref());
        let memory = asked.map(|asked| self.scope(asked, (from, to), false)).transpose()?.flatten();
        let language = read.unwrap_or(options.summary_language());
        let writer = models.summary.as_ref().map(|summary| -> Result<_> {
            let session = session(&summary.model, read)?;
            let memory = self.summary_scope((&summary.model, &session), language)?;
            Ok(RememberingWriter::new(session, memory))
        });
        let writer = writer.transpose()?;
        let steps = DigestSteps {
            translation: translation.as_ref().map(|session| TranslationStep {
                model: session,
                from,
                to,
                glossary: self.glossary(),
                memory: memory.as_ref(),
            }),
            summary: options.summary.map(|wanted| SummaryStep {
                writer: writer.as_ref().map(|writer| writer as &dyn SummaryWriter),
                language,
                length: wanted.length,
                own_limits: options.sets_summary_tokens(),
            }),
        };
        Ok(models.digest(&steps).run(articles)?)
    }

    /// One segment for each line. If the task is to translate, lines are translated; otherwise they are given to the
    /// model as they are. `detected` is the code of the language that was detected for all lines; `None` if it was
    /// not detected.
    ///
    /// # Errors
    /// When the model fails, or does not read that language.
    pub fn lines(&self, lines: &[&str], detected: Option<&str>) -> Result<Vec<Segment>, Error> {
        let model = self.models.translation()?;
        let session = session(model, detected)?;
        if self.options.task != PipelineTask::Translate {
            let generations = session.generate(lines)?;
            let pairs: Vec<_> = lines.iter().copied().zip(&generations).collect();
            let alignments = if session.aligns() { session.align(&pairs)? } else { Vec::new() };
            return Ok(Segment::all_generated(lines, generations, &alignments));
        }
        let (from, to) = (detected.unwrap_or(self.options.source_language()), self.options.target_language());
        let document = Document::parse("-", &lines.join("\n"), Format::Lines);
        let translator = Translator::new(&session, Language::of(from), Language::of(to));
        let memory = self.scope((model, &session), (from, to), false)?;
        let translator = translator.checking(Checks::of(from, to)).with_glossary(self.glossary());
        let translator = translator.remembering(memory.as_ref());
        Ok(translator.translate(&[document])?.into_iter().flat_map(|translation| translation.segments).collect())
    }
}

/// A session for the detected language, or for the language of the options if none was detected.
fn session<'a>(model: &'a LoadedModel, detected: Option<&str>) -> Result<Session<'a>> {
    detected.map_or_else(|| model.session(), |from| model.session_from(from))
}
