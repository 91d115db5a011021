//! Runs over whole articles: `digest`, `translate`, `summarize`.
//!
//! Invariant: when a window fails as a whole, its articles are tried one by one, so that only the one
//! at fault is lost. What happens to an article is `kortom::digest`'s affair.

use std::ops::ControlFlow;

use anyhow::{Result, anyhow, bail};
use kortom::digest::Digest;
use kortom::document::jsonl::Records;
use kortom::document::{Document, Format as DocumentFormat};
use kortom::render::Format;
use kortom::report::Report;

use super::engines::Models;
use super::inputs::{Failure, Source};
use super::options::InputFormat;
use super::run::{Emit, Piece, Reader, Work};

/// The work on whole articles.
pub struct Articles<'a> {
    /// What is done to each.
    pub digest: Digest<'a>,
    /// The JSONL field that holds the article.
    pub field: String,
    /// All of a web page is the article.
    pub html_whole: bool,
    /// The models, which may have something to say.
    pub models: &'a Models,
}

/// One article and how its report is written.
pub struct Article {
    document: Document,
    name: String,
    output: Format,
}

impl Work for Articles<'_> {
    type Item = Article;

    fn reader(&self) -> Reader<Article> {
        let (field, html_whole) = (self.field.clone(), self.html_whole);
        Box::new(move |source, emit| match source.format {
            InputFormat::Jsonl => read_records(source, &field, emit),
            format => read_article(source, document_format(format, html_whole), emit),
        })
    }

    fn work(&mut self, articles: Vec<Article>) -> Vec<Result<Piece, Failure>> {
        let documents: Vec<Document> = articles.iter().map(|article| article.document.clone()).collect();
        match self.digest.run(documents) {
            Ok(reports) => articles.iter().zip(&reports).map(|(article, report)| Ok(piece(article, report))).collect(),
            Err(error) if articles.len() == 1 => vec![Err(Failure { name: articles[0].name.clone(), error })],
            Err(_) => articles.into_iter().flat_map(|article| self.work(vec![article])).collect(),
        }
    }

    fn notices(&self) -> Vec<String> {
        self.models.notices()
    }
}

fn piece(article: &Article, report: &Report) -> Piece {
    let mut text = article.output.article(report);
    // Records stand below each other, whatever their last character is.
    if article.document.format == DocumentFormat::Jsonl && article.output != Format::Json && !text.ends_with('\n') {
        text.push('\n');
    }
    Piece {
        name: article.name.clone(),
        text,
        flags: report.flag_count(),
        tokens: report.segments.iter().map(|segment| segment.tokens).sum::<usize>() + report.summary_tokens,
        passes: report.passes,
        warnings: report.warnings.iter().map(|warning| format!("`{}`: {warning}", article.name)).collect(),
        failure: None,
    }
}

/// A source that is one article.
fn read_article(source: &Source, format: DocumentFormat, emit: &mut Emit<'_, Article>) {
    let article = source.read_article().and_then(|text| {
        let mut document = Document::read(&source.name, &text, format)?;
        document.id = Some(source.relative.with_extension("").to_string_lossy().into_owned());
        let article = Article { document, name: source.name.clone(), output: source.output };
        Ok((article, text.len()))
    });
    // It is the only one, so whether to stop makes no difference.
    let _ = emit(article.map_err(|error| Failure { name: source.name.clone(), error }));
}

/// A source with an article in each line.
fn read_records(source: &Source, field: &str, emit: &mut Emit<'_, Article>) {
    let reader = match source.open() {
        Ok(reader) => reader,
        Err(error) => {
            let _ = emit(Err(Failure { name: source.name.clone(), error }));
            return;
        }
    };
    let mut records = Records::new(reader, &source.name, field);
    while let Some(record) = records.next() {
        let name = format!("{}:{}", source.name, records.line());
        // The line is in the name already.
        let record = record.map_err(|error| anyhow!(error.root_cause().to_string()));
        let article = record.and_then(|document| one_record(document, name.clone(), source));
        if emit(article.map_err(|error| Failure { name, error })) == ControlFlow::Break(()) {
            return;
        }
    }
}

fn one_record(mut document: Document, name: String, source: &Source) -> Result<(Article, usize)> {
    let bytes = document.text().len();
    if document.text().trim().is_empty() {
        bail!("the article is empty\nhint: look whether it was saved as it should be, or leave it out");
    }
    let line = name.rsplit(':').next().unwrap_or_default();
    let stem = source.relative.with_extension("");
    document.id.get_or_insert_with(|| format!("{}:{line}", stem.display()));
    Ok((Article { document, name, output: source.output }, bytes))
}

/// How the library reads a format.
fn document_format(format: InputFormat, html_whole: bool) -> DocumentFormat {
    match format {
        InputFormat::Text | InputFormat::Auto => DocumentFormat::Text,
        InputFormat::Markdown => DocumentFormat::Markdown,
        InputFormat::Html if html_whole => DocumentFormat::HtmlWhole,
        InputFormat::Html => DocumentFormat::Html,
        InputFormat::Srt => DocumentFormat::Srt,
        InputFormat::Jsonl => DocumentFormat::Jsonl,
        InputFormat::Lines => DocumentFormat::Lines,
    }
}
