//! Articles through models: which models, loaded once, and what they do to articles and lines.
//!
//! The command line, the server and a program that embeds the library all go this way: [`PipelineOptions`] say what is
//! wanted, [`Models`] are chosen and loaded by them, and a [`Pipeline`] makes reports with those.
//!
//! Invariant: no text is worked on as if it were in another language than the one it was detected in. If the model does not
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

/// Hears what is said while models are chosen and loaded. `()` ignores it.
pub trait Listener {
    /// Takes note of what was chosen where nothing was named.
    fn notice(&self, _text: &str) {}
    /// Takes note of what may not be as it was meant.
    fn warning(&self, _text: &str) {}
    /// Takes note of a detail, such as the time it took to load a model.
    fn detail(&self, _text: &str) {}
}

impl Listener for () {}

/// What is done to some articles, and the sessions that are ready for it.
#[doc(hidden)]
#[derive(Clone, Copy, Default)]
pub struct DigestSteps<'a> {
    /// The translation, if one is wanted.
    pub translation: Option<TranslationStep<'a>>,
    /// The summary, if one is wanted.
    pub summary: Option<SummaryStep<'a>>,
}

/// How articles are translated.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct TranslationStep<'a> {
    /// What translates.
    pub model: &'a dyn Generate,
    /// The code of the language of the articles.
    pub from: &'a str,
    /// The code of the language of the translations.
    pub to: &'a str,
    /// Terms that the translations must have.
    pub glossary: Option<&'a Glossary>,
    /// What is known of earlier runs.
    pub memory: Option<&'a MemoryScope<'a>>,
}

/// How articles are summarised.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct SummaryStep<'a> {
    /// What writes the summaries; `None` takes the articles' own sentences.
    pub writer: Option<&'a dyn SummaryWriter>,
    /// The code of the language of what is summarised, unless the summary model reads the source of a translation.
    pub language: &'a str,
    /// How long a summary is, where that is not left to the model.
    pub length: Option<Length>,
    /// The model's options say how many tokens a summary has.
    pub own_limits: bool,
}

impl Models {
    /// What makes reports of articles by these steps.
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

/// Models that are loaded, and what is wanted of them.
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
    /// When there is no such model, it cannot be used, or it is not for what is wanted.
    pub fn load(options: PipelineOptions) -> Result<Self, Error> {
        Self::load_with(options, &())
    }

    /// Chooses and loads the models that the options ask for. `listener` hears what was chosen where no model was named.
    ///
    /// # Errors
    /// When there is no such model, it cannot be used, or it is not for what is wanted.
    pub fn load_with(options: PipelineOptions, listener: &dyn Listener) -> Result<Self, Error> {
        let models = Models::load(&options, listener).map_err(|error| Error::from(error).or_kind(ErrorKind::Model))?;
        Ok(Self { options, models, glossary: None, memory: None })
    }

    /// Has translations contain the terms of a glossary.
    #[must_use]
    pub fn with_glossary(self, glossary: Option<Glossary>) -> Self {
        Self { glossary, ..self }
    }

    /// The options that the pipeline was loaded by.
    #[must_use]
    pub fn options(&self) -> &PipelineOptions {
        &self.options
    }

    /// The models.
    #[must_use]
    pub fn models(&self) -> &Models {
        &self.models
    }

    /// The terms that translations contain.
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

    /// The reports of articles, in their order. `detected` is the code of the language that they were found to be in, if that
    /// was looked for.
    ///
    /// # Errors
    /// When a model fails, or does not read that language.
    pub fn reports(&self, articles: Vec<Document>, detected: Option<&str>) -> Result<Vec<Report>, Error> {
        let (models, options) = (&self.models, &self.options);
        let translation = models.translation.as_ref().map(|model| session(model, detected)).transpose()?;
        // Where there is a translation, the summary model reads that, whatever the article is in.
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

    /// A segment for each line: translated, or given to the model as it is if the task is to generate. `detected` is the code
    /// of the language that the lines were found to be in, if that was looked for.
    ///
    /// # Errors
    /// When the model fails, or does not read that language.
    pub fn lines(&self, lines: &[&str], detected: Option<&str>) -> Result<Vec<Segment>, Error> {
        let model = self.models.translation()?;
        let session = session(model, detected)?;
        if self.options.task != PipelineTask::Translate {
            let generations = session.generate(lines)?;
            let segments = lines.iter().zip(generations);
            return Ok(segments.map(|(line, generation)| Segment::generated(line, generation)).collect());
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

/// A session for the language of the options, or for the one that was detected.
fn session<'a>(model: &'a LoadedModel, detected: Option<&str>) -> Result<Session<'a>> {
    detected.map_or_else(|| model.session(), |from| model.session_from(from))
}
