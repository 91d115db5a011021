//! Articles become reports: translated, summarised, or both.
//!
//! Invariant: one report for each article, in their order; all sentences of all articles go to the model
//! in one call. What is wrong with one article is in its report's warnings.

use anyhow::Result;

use crate::check::{self, Checks};
use crate::document::{Document, Format};
use crate::language;
use crate::report::{Models, Report};
use crate::segment::Language;
use crate::summarize::{Length, extractive};
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
}

/// Summarises, with the article's own sentences.
pub struct Summarizing {
    /// How long the summary is to be.
    pub length: Length,
    /// Language of what is summarised.
    pub language: Language,
}

/// What is to be done with articles.
#[derive(Default)]
pub struct Digest<'a> {
    /// Translate them.
    pub translating: Option<Translating<'a>>,
    /// Put a summary on top, of the translation where there is one.
    pub summarizing: Option<Summarizing>,
}

/// One article of plain text: translated, with a short summary on top.
///
/// # Errors
/// When a model fails.
pub fn digest(article: &str, steps: &Digest<'_>) -> Result<Report> {
    let documents = vec![Document::parse("-", article, Format::Text)];
    Ok(steps.run(documents)?.pop().unwrap_or_default())
}

impl Digest<'_> {
    /// One report for each article.
    ///
    /// # Errors
    /// When a model fails.
    pub fn run(&self, documents: Vec<Document>) -> Result<Vec<Report>> {
        let translations: Vec<Option<Translation>> = match &self.translating {
            Some(step) => {
                let translator = Translator::new(step.model, Language::of(step.from), Language::of(step.to));
                let translator = translator.checking(Checks::of(step.from, step.to));
                translator.translate(&documents)?.into_iter().map(Some).collect()
            }
            None => documents.iter().map(|_| None).collect(),
        };
        let reports = documents.into_iter().zip(translations);
        Ok(reports.map(|(source, translation)| self.report(source, translation)).collect())
    }

    /// A warning when the article seems to be in another language than the model reads.
    fn foreign(&self, source: &Document) -> Option<String> {
        let expected = self.translating.as_ref()?.from;
        let found = language::guess(&readable(source)).filter(|&found| found != expected)?;
        Some(format!(
            "this looks like {}, not {}\nhint: a model that reads it is needed, with --from {found}",
            language::name(found),
            language::name(expected)
        ))
    }

    fn report(&self, source: Document, translation: Option<Translation>) -> Report {
        let mut report = Report {
            id: source.id.clone().unwrap_or_else(|| source.input.clone()),
            input: source.input.clone(),
            date: source.date.clone(),
            models: Models { translation: self.translating.as_ref().map(|step| step.name.clone()), summary: None },
            ..Report::default()
        };
        let read = translation.as_ref().map_or(&source, |translation| &translation.document);
        report.title = read.title().map(str::to_owned);
        if let Some(step) = &self.summarizing {
            let summary = extractive::summarize(read, step.length, step.language);
            let language = if step.language == Language::Dutch { "nl" } else { "en" };
            report.summary_notes = check::unsupported(&summary.text, &readable(read), language);
            report.summary = Some(summary.text);
            report.method = Some(summary.method);
        }
        if let Some(translation) = translation {
            report.translation = Some(readable(&translation.document));
            report.segments = translation.segments;
            report.warnings = translation.warnings;
            report.warnings.extend(self.foreign(&source));
            report.document = Some(translation.document);
        }
        report.languages = self.translating.as_ref().map(|step| (step.from.to_owned(), step.to.to_owned()));
        report.fields.clone_from(&source.fields);
        report.source = Some(source);
        report
    }
}

/// The text of an article: Markdown reads well as it is, the markup of pages and subtitles does not.
fn readable(document: &Document) -> String {
    if document.has_markup() && document.format != Format::Markdown {
        document.without_markup().body()
    } else {
        document.body()
    }
}
