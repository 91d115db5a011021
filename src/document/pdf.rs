//! Articles in PDF, as far as they can be read.
//!
//! A PDF says where letters stand, and not which of them form words, lines and paragraphs. `glyphs` finds the letters of a page.
//! `fragments` and `lines` join them into lines, `margins` removes headers, footers and page numbers, `columns` orders the lines,
//! and `paragraphs` and `words` join lines into paragraphs. The result is an article in Markdown; a PDF is never written.
//! Invariant: no more is unpacked than `limits` allows, and no password is tried.

mod columns;
mod fragments;
mod glyphs;
mod limits;
mod lines;
mod margins;
mod paragraphs;
mod words;

use anyhow::{Result, ensure};
use hayro_font::hayro_syntax::{LoadPdfError, Pdf};

use super::markup::{Style, escape};
use super::{Content, Document, ReadOptions, markdown};
use crate::error::{Error, WithHint};
use columns::{Column, columns};
use glyphs::PageReader;
use limits::UnpackLimit;
use lines::{TextLine, lines};
use paragraphs::{ParagraphKind, TextParagraph, paragraphs};

/// A password that no PDF has. With it the crate refuses every encrypted PDF, also one that opens without a password, because
/// `limits` cannot measure what is encrypted.
const NOT_A_PASSWORD: &str = "\u{0}no password is tried\u{0}";
/// The warning of every article that is read from a PDF.
const LAYOUT: &str = "the layout of a PDF is not kept: its text comes out as Markdown";

/// Reads an article from a PDF.
pub(super) fn read(input: &str, content: Content, options: &ReadOptions) -> Result<Document> {
    let bytes = content.bytes()?;
    if bytes.trim_ascii().is_empty() {
        return Ok(markdown::parse(input, ""));
    }
    let limit = UnpackLimit::new(options.max_unpacked);
    limit.measure(&bytes)?;
    let pdf = Pdf::new_with_password(bytes, NOT_A_PASSWORD).map_err(refusal)?;
    let reader = PageReader::new(&limit);
    let (mut pages, mut pictures) = (Vec::new(), Vec::new());
    let (mut known, mut unknown) = (0, 0);
    for (index, page) in pdf.pages().iter().enumerate() {
        let drawn = reader.read(page)?;
        unknown += drawn.unknown;
        known += drawn.fragments.iter().map(|fragment| fragment.text.len()).sum::<usize>();
        if drawn.fragments.is_empty() && drawn.has_picture {
            pictures.push(index + 1);
        }
        pages.push(lines(drawn.fragments));
    }
    ensure!(known > unknown, without_text(unknown > 0));
    let text = written(&paragraphs(&in_order(pages)));
    let mut document = markdown::parse(input, &text);
    document.warnings.push(LAYOUT.to_owned());
    document.warnings.extend(without_text_on(&pictures));
    Ok(document)
}

/// The columns of all pages in reading order. On each page, upright lines come first, then those that are turned.
fn in_order(pages: Vec<Vec<Vec<TextLine>>>) -> Vec<Column> {
    let (mut upright, others): (Vec<Vec<TextLine>>, Vec<Vec<Vec<TextLine>>>) = pages
        .into_iter()
        .map(|page| {
            let mut turned = page.into_iter();
            (turned.next().unwrap_or_default(), turned.collect())
        })
        .unzip();
    margins::strip(&mut upright);
    upright
        .into_iter()
        .zip(others)
        .flat_map(|(page, others)| std::iter::once(page).chain(others))
        .flat_map(columns)
        .collect()
}

/// Paragraphs as Markdown.
fn written(paragraphs: &[TextParagraph]) -> String {
    let mut text = String::new();
    let mut before = None;
    for paragraph in paragraphs {
        if before.is_some() {
            let is_list = before == Some(ParagraphKind::Item) && paragraph.kind == ParagraphKind::Item;
            text += if is_list { "\n" } else { "\n\n" };
        }
        before = Some(paragraph.kind);
        let escaped = |said: &str| escape(said, Style::Markdown, true);
        match (paragraph.kind, paragraph.text.split_once(' ')) {
            (ParagraphKind::Heading(level), _) => {
                text += &format!("{} {}", "#".repeat(level), escaped(&paragraph.text));
            }
            (ParagraphKind::Item, Some((sign, rest))) if sign.starts_with(|first: char| first.is_ascii_digit()) => {
                text += &format!("{sign} {}", escaped(rest.trim_start()));
            }
            (ParagraphKind::Item, Some((sign, rest))) if !sign.contains(char::is_alphabetic) => {
                text += &format!("- {}", escaped(rest.trim_start()));
            }
            _ => text += &escaped(&paragraph.text),
        }
    }
    text.push('\n');
    text
}

fn refusal(error: LoadPdfError) -> Error {
    match error {
        LoadPdfError::Decryption(_) => "this PDF is encrypted".with_hint(
            "save it without a password and without limits of use, for instance with `qpdf --decrypt IN.pdf OUT.pdf`",
        ),
        LoadPdfError::Invalid => {
            "this is no PDF, or it is damaged".with_hint("open it in a viewer and save it anew, or fetch it again")
        }
    }
}

/// The error for a PDF without readable text. `drawn` says that there are letters, but their fonts do not tell which.
fn without_text(drawn: bool) -> Error {
    let error =
        if drawn { "its letters do not say which text they are" } else { "there is no text in it: it may be a scan" };
    error.with_hint("OCR it first, for instance with `ocrmypdf --force-ocr IN.pdf OUT.pdf`")
}

/// A warning that names the pages that are pictures only; `None` without such pages.
fn without_text_on(pages: &[usize]) -> Option<String> {
    let (first, rest) = pages.split_first()?;
    let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
    Some(format!("page {first}{more} is a picture without text: if there is text to be seen, OCR it first"))
}
