//! Texts that are read before they are translated: articles, or lines; all of them, or a window at a time.

use std::ops::ControlFlow;
use std::path::Path;

use anyhow::{Context, Result, bail};
use kortom::compare::ComparedText;
use kortom::document::Document;
use kortom::error::WithHint;
use kortom::pipeline::Pipeline;
use kortom::translate::Segment;

use super::articles::{Article, Reading};
use super::inputs::Failure;
use super::job::Job;
use super::lines::{Line, read_lines};
use super::progress::Screen;
use super::run_progress::{RunProgress, gauges};
use super::score::texts::read as read_references;

/// Bytes of the texts of a window.
const WINDOW: u64 = 1 << 20;

/// The segments of each text; `None` if it could not be translated.
pub type TranslatedTexts = Vec<Option<Vec<Segment>>>;

/// Texts that were read.
pub struct SourceTexts {
    /// Number of inputs that could not be read; each was printed.
    pub failed: usize,
    bytes: u64,
    texts: Vec<SourceText>,
    references: Vec<String>,
    lines: bool,
}

/// An article, or a line.
struct SourceText {
    name: String,
    content: TextContent,
}

enum TextContent {
    Article(Box<Document>),
    Line(String),
}

impl SourceTexts {
    /// Reads all inputs of a job, and prints those that cannot be read.
    pub fn read(job: &Job, screen: &mut Screen) -> Self {
        let mut read = Self::none(job);
        read.all(job, screen, &mut |_, _| ControlFlow::Continue(()));
        read
    }

    /// Reads all inputs of a job, and gives them to `work` in windows of about [`WINDOW`] bytes, so that there is no more in
    /// memory. Returns the number of inputs that could not be read; each was printed.
    ///
    /// # Errors
    /// When `work` fails.
    pub fn in_windows(
        job: &Job,
        screen: &mut Screen,
        mut work: impl FnMut(&Self, &mut Screen) -> Result<()>,
    ) -> Result<usize> {
        let mut read = Self::none(job);
        let mut outcome = Ok(());
        read.all(job, screen, &mut |read, screen| {
            if outcome.is_ok() && read.bytes >= WINDOW {
                outcome = work(read, screen);
                read.texts.clear();
                read.bytes = 0;
            }
            if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        outcome?;
        if !read.texts.is_empty() {
            work(&read, screen)?;
        }
        Ok(read.failed)
    }

    fn none(job: &Job) -> Self {
        Self { failed: 0, bytes: 0, texts: Vec::new(), references: Vec::new(), lines: job.lines }
    }

    /// Reads all inputs of a job. `after` is called after each text.
    fn all(
        &mut self,
        job: &Job,
        screen: &mut Screen,
        after: &mut dyn FnMut(&mut Self, &mut Screen) -> ControlFlow<()>,
    ) {
        job.found.failures.iter().for_each(|failure| self.fail(failure, screen));
        let reading = Reading::of(job);
        for source in &job.found.sources {
            if job.lines {
                read_lines(source, &mut |line| {
                    self.take(line, |line: Line| line.into_text(), TextContent::Line, screen);
                    after(self, screen)
                });
            } else {
                let document = |article: Article| article.into_document();
                let content = |document| TextContent::Article(Box::new(document));
                reading.read(source, &mut |article| {
                    self.take(article, document, content, screen);
                    after(self, screen)
                });
            }
        }
    }

    fn take<Item, Text>(
        &mut self,
        read: Result<(Item, usize), Failure>,
        text: impl Fn(Item) -> Result<(String, Text), Failure>,
        content: impl Fn(Text) -> TextContent,
        screen: &Screen,
    ) {
        match read.and_then(|(item, bytes)| Ok((text(item)?, bytes))) {
            Ok(((name, text), bytes)) => {
                self.bytes += bytes as u64;
                self.texts.push(SourceText { name, content: content(text) });
            }
            Err(failure) => self.fail(&failure, screen),
        }
    }

    fn fail(&mut self, failure: &Failure, screen: &Screen) {
        self.failed += 1;
        screen.failure(failure);
    }

    /// Reads the reference of each line from a file.
    ///
    /// # Errors
    /// When the file cannot be read, or its number of lines differs from that of the input.
    pub fn add_references(&mut self, path: &Path) -> Result<()> {
        self.references = read_references(path, None)?;
        let (have, wanted) = (self.references.len(), self.texts.len());
        if have != wanted {
            bail!(
                format!("the reference `{}` has {have} lines and the input has {wanted}", path.display())
                    .with_hint("each line of the input is compared with the same line of the reference")
            );
        }
        Ok(())
    }

    /// Whether there is nothing to translate.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// The names of the texts.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().map(|text| text.name.as_str())
    }

    /// The noun for what is counted: articles, or lines.
    fn noun(&self) -> &'static str {
        if self.lines { "lines" } else { "articles" }
    }

    /// What a pipeline makes of each text, and what could not be translated.
    pub fn translate(&self, pipeline: &Pipeline, screen: &mut Screen) -> (TranslatedTexts, Vec<Failure>) {
        let models = pipeline.models();
        screen.begin(RunProgress::new(self.noun(), Some(self.bytes), None, gauges(models)));
        screen.working(self.bytes);
        let mut failures = Vec::new();
        let translated = together(pipeline, &self.texts, &mut failures);
        screen.end();
        models.notices().iter().for_each(|notice| screen.notice(notice));
        (translated, failures)
    }

    /// What there is of a system that cannot be used: nothing for each text.
    pub fn with_none(&self) -> TranslatedTexts {
        vec![None; self.texts.len()]
    }

    /// The texts with what two systems made of them.
    pub fn with(self, first: TranslatedTexts, second: TranslatedTexts) -> Vec<ComparedText> {
        let mut references = self.references.into_iter();
        let sides = first.into_iter().zip(second);
        let text = |(text, (one, other)): (SourceText, _)| ComparedText {
            name: text.name,
            segments: [one, other],
            references: references.next().into_iter().collect(),
        };
        self.texts.into_iter().zip(sides).map(text).collect()
    }
}

/// What a pipeline makes of texts. Where they fail together, each half is tried alone.
fn together(pipeline: &Pipeline, texts: &[SourceText], failures: &mut Vec<Failure>) -> TranslatedTexts {
    match segments(pipeline, texts) {
        Ok(segments) => segments.into_iter().map(Some).collect(),
        Err(error) if texts.len() < 2 => {
            failures.extend(texts.first().map(|text| Failure { name: text.name.clone(), error }));
            vec![None; texts.len()]
        }
        Err(_) => {
            let (one, other) = texts.split_at(texts.len() / 2);
            let mut translated = together(pipeline, one, failures);
            translated.extend(together(pipeline, other, failures));
            translated
        }
    }
}

/// The segments of each text: of an article all its sentences, of a line the line.
fn segments(pipeline: &Pipeline, texts: &[SourceText]) -> Result<Vec<Vec<Segment>>> {
    let mut articles = Vec::new();
    let mut lines = Vec::new();
    for text in texts {
        match &text.content {
            TextContent::Article(document) => articles.push((**document).clone()),
            TextContent::Line(line) if line.is_empty() => {}
            TextContent::Line(line) => lines.push(line.as_str()),
        }
    }
    let reports = if articles.is_empty() { Vec::new() } else { pipeline.reports(articles, None)? };
    let mut articles = reports.into_iter().map(|report| report.segments);
    let mut lines = if lines.is_empty() { Vec::new() } else { pipeline.lines(&lines, None)? }.into_iter();
    let made = |text: &SourceText| match &text.content {
        TextContent::Article(_) => articles.next(),
        TextContent::Line(line) if line.is_empty() => Some(vec![Segment::default()]),
        TextContent::Line(_) => lines.next().map(|segment| vec![segment]),
    };
    texts.iter().map(made).collect::<Option<_>>().context("the model gave no result for a text")
}
