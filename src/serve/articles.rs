//! Articles of a request, translated and summarised by the models that all requests share.
//!
//! Invariant: what comes of an article is what the command line makes of it with the same models.

use anyhow::Result;
use kortom::digest::{Digest, Summarizing, Translating, Writing};
use kortom::document::Document;
use kortom::engine::Session;
use kortom::report::Report;
use kortom::segment::Language;
use kortom::summarize::Length;

use super::client::{Answers, QueuedWriter, RequestContext};
use super::models::{Pair, SummaryModel, Task};

/// What is to be done with articles.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Translate them, between these languages.
    pub translate: Option<Pair>,
    /// Summarise them.
    pub summarize: bool,
    /// How long, where somebody says.
    pub length: Option<Length>,
    /// The language of what is summarised.
    pub language: String,
}

/// The models of a request, made ready for what it wishes.
pub struct Sessions<'a> {
    context: &'a RequestContext<'a>,
    wish: &'a Wish,
    alternatives: usize,
    translation: Option<Session<'a>>,
    summary: Option<(&'a SummaryModel, QueuedWriter<'a>)>,
}

impl<'a> Sessions<'a> {
    /// The models for a wish, with this many alternatives for each text that is translated.
    ///
    /// # Errors
    /// When a model cannot do that.
    pub fn new(context: &'a RequestContext<'a>, wish: &'a Wish, alternatives: usize) -> Result<Self> {
        let models = context.models;
        let session = |pair: &Pair| models.session(&Task::Translate(pair.clone(), alternatives));
        let translation = wish.translate.as_ref().map(session).transpose()?;
        let reads = |summary: &&SummaryModel| {
            let from = wish.translate.as_ref().filter(|_| summary.source).map_or(&wish.language, |pair| &pair.from);
            summary.language == *from
        };
        let summary = models.summary.as_ref().filter(|_| wish.summarize).filter(reads);
        let summary = summary.map(|summary| anyhow::Ok((summary, QueuedWriter::new(context)?))).transpose()?;
        Ok(Self { context, wish, alternatives, translation, summary })
    }

    /// What makes reports of articles.
    pub fn digest(&self) -> Digest<'_> {
        let Self { context, wish, .. } = self;
        let models = context.models;
        let translating = wish.translate.as_ref().zip(self.translation.as_ref()).map(|(pair, session)| Translating {
            model: session,
            name: models.names().0.to_owned(),
            from: &pair.from,
            to: &pair.to,
            glossary: models.glossary(pair),
        });
        let writing = self.summary.as_ref().map(|(summary, writer)| Writing {
            model: writer,
            name: summary.model.engine.name().to_owned(),
            from: &summary.language,
            source: summary.source,
            own_limits: false,
        });
        let language = Language::of(writing.as_ref().map_or(&wish.language, |writing| writing.from));
        let length = wish.length.or(models.length);
        let summarizing = wish.summarize.then_some(Summarizing { length, language, writing });
        Digest { translating, summarizing }
    }

    /// What the worker answers to the plan of a translation, where one is wished for.
    pub fn answers(&self) -> Option<Answers<'_>> {
        let (session, pair) = self.translation.as_ref().zip(self.wish.translate.as_ref())?;
        Some(Answers::new(self.context, session, pair, self.alternatives))
    }
}

/// One report for each article.
///
/// # Errors
/// When a model fails, or it takes too long.
pub fn reports(context: &RequestContext<'_>, wish: &Wish, documents: Vec<Document>) -> Result<Vec<Report>> {
    let sessions = Sessions::new(context, wish, 0)?;
    let digest = sessions.digest();
    let translations = match digest.translator().zip(sessions.answers()) {
        Some((translator, mut answers)) => {
            let mut plan = translator.plan(&documents)?;
            while answers.next(&mut plan)?.is_some() {}
            Some(plan.finish()?)
        }
        None => None,
    };
    digest.finish(documents, translations)
}
