//! Articles become reports: translated, summarised, or both.
//!
//! Invariant: one report for each article, in their order; all sentences of all articles go to the model
//! in one call, and so do all parts of them that are summarised. What is wrong with one article is in its report's
//! warnings.

use anyhow::Result;

use crate::check::{self, Checks, Finding, Flag};
use crate::detect;
use crate::document::{Document, Format};
use crate::error::WithHint;
use crate::glossary::Glossary;
use crate::memory::MemoryScope;
use crate::report::{Passes, Report, UsedModels};
use crate::segment::Language;
use crate::summarize::abstractive::{Abstractive, SummaryWriter};
use crate::summarize::{Length, Summary, SummaryMethod, extractive};
use crate::translate::{Generate, Translation, Translator};

/// Translates.
pub struct Translating<'a> {
    /// The model, with its decoding options.
    pub model: &'a dyn Generate,
    /// What reports call it.
    pub name: String,
    /// Language of the articles, as a code.
    pub from: &'a str,
    /// Language of the translation, as a code.
    pub to: &'a str,
    /// Terms that the translation must have.
    pub glossary: Option<&'a Glossary>,
    /// What is known of earlier runs.
    pub memory: Option<&'a MemoryScope<'a>>,
}

/// Summarises.
pub struct Summarizing<'a> {
    /// How long the summary is to be. None leaves it to the model, or is the usual length without one.
    pub length: Option<Length>,
    /// Language of what is summarised.
    pub language: Language,
    /// What writes it; none for one that consists of the article's own sentences.
    pub writing: Option<Writing<'a>>,
}

/// Has a model write summaries.
pub struct Writing<'a> {
    /// The model, with its decoding options.
    pub model: &'a dyn SummaryWriter,
    /// What reports call it.
    pub name: String,
    /// Language of what it reads, as a code.
    pub from: &'a str,
    /// It reads the article and not its translation.
    pub source: bool,
    /// Its options say how many tokens a summary has, so that a number of sentences only cuts it.
    pub own_limits: bool,
}

impl Summarizing<'_> {
    /// One summary for each article.
    fn summarize(&self, documents: &[&Document]) -> Result<Vec<Summary>> {
        let (length, language) = (self.length, self.language);
        if let Some(Writing { model, own_limits, .. }) = &self.writing {
            return Abstractive { model: *model, language, length, own_limits: *own_limits }.summarize(documents);
        }
        let length = length.unwrap_or_default();
        Ok(documents.iter().map(|document| extractive::summarize(document, length, language)).collect())
    }
}

/// What is to be done with articles.
#[derive(Default)]
pub struct Digest<'a> {
    /// Translate them.
    pub translating: Option<Translating<'a>>,
    /// Put a summary on top, of the translation where there is one.
    pub summarizing: Option<Summarizing<'a>>,
}

impl Digest<'_> {
    /// One report for each article.
    ///
    /// # Errors
    /// When a model fails.
    pub fn run(&self, documents: Vec<Document>) -> Result<Vec<Report>> {
        let translations = self.translator().map(|translator| translator.translate(&documents)).transpose()?;
        self.finish(documents, translations)
    }

    /// What translates the articles, where they are translated.
    #[must_use]
    pub fn translator(&self) -> Option<Translator<'_, dyn Generate + '_>> {
        let step = self.translating.as_ref()?;
        let translator = Translator::new(step.model, Language::of(step.from), Language::of(step.to)).restoring();
        let translator = translator.checking(Checks::of(step.from, step.to)).with_glossary(step.glossary);
        Some(translator.remembering(step.memory))
    }

    /// One report for each article, from its translation if it was translated.
    ///
    /// # Errors
    /// When the model that summarises fails.
    pub fn finish(&self, documents: Vec<Document>, translations: Option<Vec<Translation>>) -> Result<Vec<Report>> {
        let translations: Vec<Option<Translation>> = match translations {
            Some(translations) => translations.into_iter().map(Some).collect(),
            None => documents.iter().map(|_| None).collect(),
        };
        let summaries = self.summaries(&documents, &translations)?;
        let parts = documents.into_iter().zip(translations).zip(summaries);
        Ok(parts.map(|((source, translation), summary)| self.report(source, translation, summary)).collect())
    }

    /// Summaries of what there is to read, where any are wanted.
    fn summaries(&self, documents: &[Document], translations: &[Option<Translation>]) -> Result<Vec<Option<Summary>>> {
        let Some(step) = &self.summarizing else { return Ok(documents.iter().map(|_| None).collect()) };
        let of_source = step.writing.as_ref().is_some_and(|writing| writing.source);
        let mut read: Vec<&Document> = documents.iter().collect();
        for (read, translation) in read.iter_mut().zip(translations).filter(|_| !of_source) {
            *read = translation.as_ref().map_or(*read, |translation| &translation.document);
        }
        Ok(step.summarize(&read)?.into_iter().map(Some).collect())
    }

    /// A warning when the article is clearly in another language than the model that reads it.
    fn foreign(&self, source: &Document) -> Option<String> {
        let writing = self.summarizing.as_ref().and_then(|step| step.writing.as_ref());
        let expected = self.translating.as_ref().map(|step| step.from).or(writing.map(|writing| writing.from))?;
        let seen = if source.format == Format::Jsonl { source.without_markup().body() } else { readable(source) };
        let found = detect::foreign(&seen, expected)?.language;
        Some(
            format!("this looks like {}, not {}", detect::name(found), detect::name(expected))
                .with_hint(format!("a model that reads it is needed, with --from {found}"))
                .to_string(),
        )
    }

    fn report(&self, source: Document, translation: Option<Translation>, summary: Option<Summary>) -> Report {
        let mut report = Report {
            id: source.id.clone().unwrap_or_else(|| source.input.clone()),
            input: source.input.clone(),
            date: source.date.clone(),
            models: UsedModels { translation: self.translating.as_ref().map(|step| step.name.clone()), summary: None },
            ..Report::default()
        };
        let read = translation.as_ref().map_or(&source, |translation| &translation.document);
        report.title = read.title().map(str::to_owned);
        // Whole sentences of an article claim nothing that is not in it.
        let written = summary.as_ref().filter(|summary| summary.method == SummaryMethod::Abstractive);
        if let (Some(summary), Some(step)) = (written, &self.summarizing) {
            let of_source = step.writing.as_ref().is_some_and(|writing| writing.source);
            let language = if step.language == Language::Dutch { "nl" } else { "en" };
            let article = readable(if of_source { &source } else { read });
            report.summary_notes = check::unsupported(&summary.text, &article, language);
        }
        if let (Some(translation), Some(step)) = (translation, &self.translating) {
            report.translation = Some(readable(&translation.document));
            report.segments = translation.segments;
            report.warnings = translation.warnings;
            report.document = Some(translation.document.in_language(&source, step.to));
        }
        report.warnings.extend(source.warnings.iter().cloned().chain(self.foreign(&source)));
        if let Some(summary) = summary {
            self.add_summary(&mut report, summary);
        }
        report.languages = self.translating.as_ref().map(|step| (step.from.to_owned(), step.to.to_owned()));
        report.fields.clone_from(&source.fields);
        report.source = Some(source);
        report
    }

    fn add_summary(&self, report: &mut Report, summary: Summary) {
        report.method = Some(summary.method);
        if summary.method == SummaryMethod::Abstractive {
            let writing = self.summarizing.as_ref().and_then(|step| step.writing.as_ref());
            report.models.summary = writing.map(|writing| writing.name.clone());
            report.passes = Some(Passes { passes: summary.passes, parts: summary.parts });
        }
        report.summary_tokens = summary.tokens;
        report.summary = Some(summary.text);
        report.summary_notes.extend(summary.flags.contains(&Flag::Truncated).then(Finding::truncated));
        report.warnings.extend(summary.warnings);
    }
}

/// The text of an article: Markdown reads well as it is, the markup of pages and subtitles does not. A record's field stays
/// what it is.
fn readable(document: &Document) -> String {
    if document.has_markup() && !matches!(document.format, Format::Markdown | Format::Jsonl) {
        document.without_markup().body()
    } else {
        document.body()
    }
}
