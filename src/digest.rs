//! Reports of articles that are translated, summarised, or both.
//!
//! Invariant: there is one report for each article, in their order. All sentences of all articles go to the
//! translation model in one call, and all parts of each pass of a summary to the summary model. Problems of one
//! article are in the warnings of its report.

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

/// The translation of articles, as one step of a [`Digest`].
pub struct Translating<'a> {
    /// The model, with its decoding options.
    pub model: &'a dyn Generate,
    /// The model's name in reports.
    pub name: String,
    /// Language of the articles, as a code.
    pub from: &'a str,
    /// Language of the translation, as a code.
    pub to: &'a str,
    /// Terms that the translation must have.
    pub glossary: Option<&'a Glossary>,
    /// Translations of earlier runs, and where those of this run are kept.
    pub memory: Option<&'a MemoryScope<'a>>,
}

/// The summary of articles, as one step of a [`Digest`].
pub struct Summarizing<'a> {
    /// The length of the summary. `None` means the length that the model chooses, or the default length if no model
    /// writes it.
    pub length: Option<Length>,
    /// Language of the text that is summarised.
    pub language: Language,
    /// The model that writes the summary; `None` for a summary of the article's own sentences.
    pub writing: Option<Writing<'a>>,
}

/// A model that writes summaries.
pub struct Writing<'a> {
    /// The model, with its decoding options.
    pub model: &'a dyn SummaryWriter,
    /// The model's name in reports.
    pub name: String,
    /// Language of the text that the model reads, as a code.
    pub from: &'a str,
    /// Whether the model reads the article and not its translation.
    pub source: bool,
    /// Whether the user set the length of a summary in tokens. A requested number of sentences then only cuts the
    /// summary.
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

/// The work to be done with articles.
#[derive(Default)]
pub struct Digest<'a> {
    /// The translation, if articles are translated.
    pub translating: Option<Translating<'a>>,
    /// The summary, if articles are summarised: of the translation where there is one.
    pub summarizing: Option<Summarizing<'a>>,
}

impl Digest<'_> {
    /// Translates and summarises articles: one report for each.
    ///
    /// # Errors
    /// When a model fails.
    pub fn run(&self, documents: Vec<Document>) -> Result<Vec<Report>> {
        let translations = self.translator().map(|translator| translator.translate(&documents)).transpose()?;
        self.finish(documents, translations)
    }

    /// The translator of the articles; `None` if they are not translated.
    #[must_use]
    pub fn translator(&self) -> Option<Translator<'_, dyn Generate + '_>> {
        let step = self.translating.as_ref()?;
        let translator = Translator::new(step.model, Language::of(step.from), Language::of(step.to)).restoring();
        let translator = translator.checking(Checks::of(step.from, step.to)).with_glossary(step.glossary);
        let translator = translator.reading(step.from);
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

    /// One summary for each article, of its translation or its source; `None` if no summary is requested.
    fn summaries(&self, documents: &[Document], translations: &[Option<Translation>]) -> Result<Vec<Option<Summary>>> {
        let Some(step) = &self.summarizing else { return Ok(documents.iter().map(|_| None).collect()) };
        let of_source = step.writing.as_ref().is_some_and(|writing| writing.source);
        let mut read: Vec<&Document> = documents.iter().collect();
        for (read, translation) in read.iter_mut().zip(translations).filter(|_| !of_source) {
            *read = translation.as_ref().map_or(*read, |translation| &translation.document);
        }
        Ok(step.summarize(&read)?.into_iter().map(Some).collect())
    }

    /// A warning if the article is clearly in another language than that of the model that reads it.
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
        // Only summaries that a model wrote are checked: sentences of the article claim nothing that is not in it.
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

/// The text of an article for a reader. Markup is removed, but not from Markdown, which reads well as it is, and not
/// from the fields of a JSONL record.
fn readable(document: &Document) -> String {
    if document.has_markup() && !matches!(document.format, Format::Markdown | Format::Jsonl) {
        document.without_markup().body()
    } else {
        document.body()
    }
}
