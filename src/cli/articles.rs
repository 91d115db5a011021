//! Runs over whole articles: `digest`, `translate`, `summarize`.
//!
//! Invariant: when a window fails as a whole, its articles are tried one by one, so that only the article at fault is
//! lost. A JSONL record that cannot be processed is written in its place, with an `error`. What is done to an article
//! belongs to `kortom::pipeline`.

use std::io::BufRead;
use std::ops::ControlFlow;

use anyhow::{Context, Result, anyhow, bail};
use kortom::detect::Detected;
use kortom::document::jsonl::JsonlRecords;
use kortom::document::{Document, Format as DocumentFormat, Holds, ReadOptions, decode};
use kortom::error::{self, WithHint};
use kortom::pipeline::Pipeline;
use kortom::render::{Body, ReportFormat};
use kortom::report::Report;

use super::detection;
use super::inputs::{Failure, Source};
use super::job::Job;
use super::progress::cause;
use super::windows::{Emit, Piece, Reader, Work};

/// The work on whole articles.
pub struct Articles<'a> {
    /// The job, which says how articles are read.
    pub job: &'a Job,
    /// The pipeline that makes their reports.
    pub pipeline: &'a Pipeline,
}

/// One article and how its report is written.
pub struct Article {
    document: Document,
    name: String,
    output: ReportFormat,
    /// Why the article cannot be processed; `None` if it can.
    error: Option<anyhow::Error>,
    detected: Option<Detected>,
}

/// How articles are read.
pub struct Reading {
    options: ReadOptions,
    html_whole: bool,
    detects: bool,
    typed: bool,
}

/// The line that ends typing at a terminal.
const LEAVE: &str = ":q";

impl Work for Articles<'_> {
    type Item = Article;

    fn reader(&self) -> Reader<Article> {
        let reading = Reading::of(self.job);
        Box::new(move |source, emit| reading.read(source, emit))
    }

    fn work(&mut self, articles: Vec<Article>) -> Vec<Result<Piece, Failure>> {
        let mut results: Vec<Option<Result<Piece, Failure>>> = articles.iter().map(|_| None).collect();
        let mut languages: Vec<Option<&str>> = articles.iter().map(Article::language).collect();
        languages.sort_unstable();
        languages.dedup();
        for language in languages {
            let same = |(_, article): &(usize, &Article)| article.error.is_none() && article.language() == language;
            let (places, same): (Vec<usize>, Vec<&Article>) = articles.iter().enumerate().filter(same).unzip();
            for (place, result) in places.into_iter().zip(self.together(&same, language)) {
                results[place] = Some(result);
            }
        }
        let whole = articles.into_iter().zip(results);
        whole.map(|(article, result)| result.unwrap_or_else(|| article.fail())).collect()
    }

    fn notices(&self) -> Vec<String> {
        self.pipeline.models().notices()
    }
}

impl Articles<'_> {
    /// Makes the reports of articles in one language. If they fail together, each is tried alone.
    fn together(&self, articles: &[&Article], language: Option<&str>) -> Vec<Result<Piece, Failure>> {
        if articles.is_empty() {
            return Vec::new();
        }
        let additions = self.job.additions;
        let documents = articles.iter().map(|article| article.document.clone()).collect();
        match self.pipeline.reports(documents, language).map_err(anyhow::Error::from) {
            Ok(reports) => {
                let piece = |(article, report): (&&Article, Report)| Ok(article.piece(additions.to(report)));
                articles.iter().zip(reports).map(piece).collect()
            }
            Err(error) if articles.len() == 1 => vec![articles[0].failed(error)],
            Err(_) => articles.iter().flat_map(|article| self.together(&[article], language)).collect(),
        }
    }
}

impl Article {
    fn new(document: Document, name: String, source: &Source) -> Self {
        Self { document, name, output: source.output, error: None, detected: None }
    }

    /// The article's name and document, or why it cannot be processed.
    pub fn into_document(self) -> Result<(String, Document), Failure> {
        match self.error {
            None => Ok((self.name, self.document)),
            Some(error) => Err(Failure { name: self.name, error }),
        }
    }

    fn language(&self) -> Option<&'static str> {
        self.detected.map(|found| found.language)
    }

    /// Detects the language of the article.
    fn detecting(mut self) -> Self {
        if self.error.is_none() {
            match detection::detect(&self.document.without_markup().body()) {
                Ok(found) => self.detected = found,
                Err(error) => self.error = Some(error),
            }
        }
        self
    }

    fn piece(&self, report: Report) -> Piece {
        let report = Report { detected: self.detected, ..report };
        Piece {
            name: self.name.clone(),
            body: self.body(&report),
            flags: report.flag_count(),
            tokens: report.segments.iter().map(|segment| segment.tokens).sum::<usize>() + report.summary_tokens,
            passes: report.passes,
            // With `--from auto` each article may be in a language of its own.
            segments: if self.detected.is_none() { report.segments.clone() } else { Vec::new() },
            warnings: report.warnings.iter().map(|warning| format!("`{}`: {warning}", self.name)).collect(),
            notice: self.notice(),
            failure: None,
        }
    }

    fn notice(&self) -> Option<String> {
        self.detected.map(|found| detection::told(&self.name, found))
    }

    fn body(&self, report: &Report) -> Body {
        let mut body = self.output.body(report);
        // Each record must end its line.
        if self.document.format == DocumentFormat::Jsonl
            && self.output != ReportFormat::Json
            && let Body::Text(text) = &mut body
            && !text.ends_with('\n')
        {
            text.push('\n');
        }
        body
    }

    /// The failure of an article that could not be processed at all.
    fn fail(mut self) -> Result<Piece, Failure> {
        let error = self.error.take();
        self.failed(error.unwrap_or_else(|| anyhow!("the model gave no result")))
    }

    /// The failure of an article. For a JSONL record that is written as JSON, the record is written with its `error`.
    fn failed(&self, error: anyhow::Error) -> Result<Piece, Failure> {
        let why = cause(&error);
        let failure = Failure { name: self.name.clone(), error };
        let is_record = self.document.format == DocumentFormat::Jsonl;
        if !is_record || !matches!(self.output, ReportFormat::Json | ReportFormat::Jsonl) {
            return Err(failure);
        }
        let report = Report {
            id: self.document.id.clone().unwrap_or_else(|| self.name.clone()),
            input: self.document.input.clone(),
            date: self.document.date.clone(),
            detected: self.detected,
            fields: self.document.fields.clone(),
            error: Some(why),
            ..Report::default()
        };
        let (name, body) = (self.name.clone(), self.body(&report));
        Ok(Piece { name, body, notice: self.notice(), failure: Some(failure), ..Piece::default() })
    }
}

impl Reading {
    /// The way in which a job reads its articles.
    pub fn of(job: &Job) -> Self {
        let (html_whole, detects) = (job.html_whole, job.detects());
        Self { options: job.reading.clone(), html_whole, detects, typed: job.is_typed() }
    }

    /// Reads the articles of a source.
    pub fn read(&self, source: &Source, emit: &mut Emit<'_, Article>) {
        match source.format.spec().holds {
            _ if self.typed => self.typed_lines(source, emit),
            Holds::Records => self.records(source, emit),
            Holds::Article | Holds::Lines => self.article(source, emit),
        }
    }

    fn look(&self, article: Article) -> Article {
        if self.detects { article.detecting() } else { article }
    }

    /// Reads a source that is one article.
    fn article(&self, source: &Source, emit: &mut Emit<'_, Article>) {
        let whole = self.html_whole && source.format == DocumentFormat::Html;
        let format = if whole { DocumentFormat::HtmlWhole } else { source.format };
        let article = source.content().and_then(|(content, size)| {
            let mut document = Document::read_with(&source.name, content, format, &self.options)?;
            if document.is_empty() {
                bail!("the article is empty".with_hint("look whether it was saved as it should be, or leave it out"));
            }
            document.id = Some(source.relative.with_extension("").to_string_lossy().into_owned());
            Ok((self.look(Article::new(document, source.name.clone(), source)), size))
        });
        // There is no other article in the source, so the request to stop can be ignored.
        let _ = emit(article.map_err(|error| Failure { name: source.name.clone(), error }));
    }

    /// Reads what is typed at a terminal, each line as an article.
    fn typed_lines(&self, source: &Source, emit: &mut Emit<'_, Article>) {
        let mut reader = match source.open() {
            Ok(reader) => reader,
            Err(error) => {
                let _ = emit(Err(Failure { name: source.name.clone(), error }));
                return;
            }
        };
        for number in 1.. {
            let mut bytes = Vec::new();
            let name = format!("{}:{number}", source.name);
            let read = match reader.read_until(b'\n', &mut bytes).context("cannot read on") {
                Ok(0) => return,
                Ok(length) => decode(bytes).map(|line| (line, length)),
                Err(error) => {
                    let _ = emit(Err(Failure { name, error }));
                    return;
                }
            };
            let article = match read {
                Ok((line, _)) if line.trim() == LEAVE => return,
                Ok((line, _)) if line.trim().is_empty() => continue,
                Ok((line, length)) => {
                    let text = format!("{}\n", line.trim_end());
                    let document = Document::parse(&source.name, &text, DocumentFormat::Text);
                    Ok((self.look(Article::new(document, name.clone(), source)), length))
                }
                Err(error) => Err(error),
            };
            if emit(article.map_err(|error| Failure { name, error })) == ControlFlow::Break(()) {
                return;
            }
        }
    }

    /// Reads a source of records, one article each.
    fn records(&self, source: &Source, emit: &mut Emit<'_, Article>) {
        let reader = match source.open() {
            Ok(reader) => reader,
            Err(error) => {
                let _ = emit(Err(Failure { name: source.name.clone(), error }));
                return;
            }
        };
        let mut records = JsonlRecords::with(reader, &source.name, self.options.clone());
        while let Some(record) = records.next() {
            let line = records.line();
            let name = format!("{}:{line}", source.name);
            let read = match record {
                Ok(document) => Ok(one_record(document, name, source)),
                // The line is in the name already.
                Err(error) => broken(records.take_broken(), error::root(&error).into(), name, source),
            };
            let read = read.map(|mut article| {
                let stem = source.relative.with_extension("");
                article.document.id.get_or_insert_with(|| format!("{}:{line}", stem.display()));
                // The whole record is held in memory, so all its fields count.
                let bytes = article.document.fields.iter().map(|field| field.name.len() + field.value.len()).sum();
                (self.look(article), bytes)
            });
            if emit(read) == ControlFlow::Break(()) {
                return;
            }
        }
    }
}

fn one_record(document: Document, name: String, source: &Source) -> Article {
    let empty =
        || anyhow!("the article is empty".with_hint("look whether it was saved as it should be, or leave it out"));
    let error = document.text().trim().is_empty().then(empty);
    Article { error, ..Article::new(document, name, source) }
}

/// The article of a line that is not a record, with the fields that could be read; a failure if the source could not
/// be read.
fn broken(document: Option<Document>, error: anyhow::Error, name: String, source: &Source) -> Result<Article, Failure> {
    match document {
        Some(document) => Ok(Article { error: Some(error), ..Article::new(document, name, source) }),
        None => Err(Failure { name, error }),
    }
}
