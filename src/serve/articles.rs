//! Articles of a request, translated and summarised by the models that all requests share.
//!
//! Invariant: the report of an article equals the one that the command line makes with these models.

use anyhow::Result;
use kortom::digest::Digest;
use kortom::document::Document;
use kortom::engine::Session;
use kortom::memory::MemoryScope;
use kortom::pipeline::{DigestSteps, SummaryModel, SummaryStep, TranslationStep};
use kortom::report::Report;
use kortom::summarize::Length;
use kortom::summarize::abstractive::SummaryWriter;
use kortom::summarize::recall::RememberingWriter;

use super::client::{Answers, QueuedWriter, RequestContext};
use super::models::{Pair, Task};

/// The work that a request wants for its articles.
#[derive(Clone, Debug)]
pub struct Wish {
    /// The languages of the translation; `None` without a translation.
    pub translate: Option<Pair>,
    /// Whether the translation says which words belong together.
    pub aligns: bool,
    /// Whether articles are summarised.
    pub summarize: bool,
    /// The length of summaries, if the request sets one.
    pub length: Option<Length>,
    /// The code of the language of the text that is summarised.
    pub language: String,
}

impl Wish {
    /// A translation, and nothing else.
    pub fn translation(pair: &Pair) -> Self {
        Self { translate: Some(pair.clone()), aligns: false, summarize: false, length: None, language: pair.to.clone() }
    }
}

/// The sessions of the models that a request needs.
pub struct Sessions<'a> {
    context: &'a RequestContext<'a>,
    wish: &'a Wish,
    alternatives: usize,
    translation: Option<Session<'a>>,
    writer: Option<RememberingWriter<'a, QueuedWriter<'a>>>,
    memory: Option<MemoryScope<'a>>,
}

impl<'a> Sessions<'a> {
    /// The sessions for a wish, with `alternatives` further translations of each text.
    ///
    /// # Errors
    /// When a model cannot do what is wished.
    pub fn new(context: &'a RequestContext<'a>, wish: &'a Wish, alternatives: usize) -> Result<Self> {
        let models = context.models;
        let session = |pair: &Pair| {
            let pair = pair.clone();
            models.session(&if wish.aligns { Task::Align(pair) } else { Task::Translate(pair, alternatives) })
        };
        let translation = wish.translate.as_ref().map(session).transpose()?;
        let reads = |summary: &&SummaryModel| {
            let from = wish.translate.as_ref().filter(|_| summary.source).map_or(&wish.language, |pair| &pair.from);
            summary.language == *from
        };
        let summary = models.models().summary.as_ref().filter(|_| wish.summarize).filter(reads);
        let writer = summary.map(|_| -> Result<_> {
            let writer = QueuedWriter::new(context)?;
            let memory = models.summary_memory(writer.session())?;
            Ok(RememberingWriter::new(writer, memory))
        });
        let writer = writer.transpose()?;
        let memory = match wish.translate.as_ref().zip(translation.as_ref()) {
            // The memory keeps restored hypotheses, but alternatives need those of each text. So only corrections are
            // recalled.
            Some((pair, session)) => models.memory(pair, session, alternatives > 0)?,
            None => None,
        };
        Ok(Self { context, wish, alternatives, translation, writer, memory })
    }

    /// The digest that makes the reports of articles.
    pub fn digest(&self) -> Digest<'_> {
        let Self { context, wish, .. } = self;
        let models = context.models;
        let translation =
            wish.translate.as_ref().zip(self.translation.as_ref()).map(|(pair, session)| TranslationStep {
                model: session,
                from: &pair.from,
                to: &pair.to,
                glossary: models.glossary(pair),
                memory: self.memory.as_ref(),
            });
        let summary = wish.summarize.then(|| SummaryStep {
            writer: self.writer.as_ref().map(|writer| writer as &dyn SummaryWriter),
            language: &wish.language,
            length: wish.length.or(models.summary_length()),
            own_limits: false,
        });
        models.models().digest(&DigestSteps { translation, summary })
    }

    /// The worker's answers to the plan of a translation; `None` if no translation is wished.
    pub fn answers(&self) -> Option<Answers<'_>> {
        let (session, pair) = self.translation.as_ref().zip(self.wish.translate.as_ref())?;
        Some(Answers::new(self.context, session, pair, self.alternatives))
    }
}

/// Makes the reports of articles, one for each, in their order.
///
/// # Errors
/// When a model fails, or the request takes too long.
pub fn reports(context: &RequestContext<'_>, wish: &Wish, documents: Vec<Document>) -> Result<Vec<Report>> {
    let sessions = Sessions::new(context, wish, 0)?;
    let digest = sessions.digest();
    let translations = match digest.translator().zip(sessions.answers()) {
        Some((translator, mut answers)) => {
            let mut plan = translator.plan(&documents)?;
            while answers.next(&mut plan)?.is_some() {}
            answers.align(&mut plan)?;
            Some(plan.finish()?)
        }
        None => None,
    };
    digest.finish(documents, translations)
}
