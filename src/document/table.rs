//! Tables as text: `.csv` and `.tsv`.
//!
//! `ReadOptions` names the columns with text. Each line of such a cell is a block; in a cell of HTML or Markdown, each paragraph is.
//! Invariant: everything else is in the gaps, so separators, quotation marks, line ends and other columns keep their bytes. A cell
//! whose translation needs quotation marks gets them. A row with more or fewer cells than the first is kept as it is, with a
//! warning. The crates for such tables do not give the positions of cells, so this module finds them itself.

use std::ops::Range;

use anyhow::{Result, bail, ensure};

use super::envelope::{self, Envelope, FieldFormat};
use super::markup::{Inline, MarkKind, Style};
use super::{Block, BlockKind, Document, Format, ReadOptions};
use crate::error::WithHint;

/// The separators that are tried, the likeliest first.
const SEPARATORS: [char; 4] = [',', ';', '\t', '|'];
/// Number of rows by which the separator is found.
const TRIED_ROWS: usize = 20;
/// The most rows that a warning names.
const MOST_NAMED: usize = 3;

/// A row: the ranges of its cells with their quotation marks, and the line that it begins in.
struct Row {
    cells: Vec<Range<usize>>,
    line: usize,
}

/// Reads a table whose cells are separated by commas or the like.
pub(super) fn csv(input: &str, text: &str, options: &ReadOptions) -> Result<Document> {
    let (start, named) = head(text);
    let separator = named.unwrap_or_else(|| separator(&text[start..]));
    read(input, text, Format::Csv, (start, separator), options)
}

/// The separator with which most of the first rows are as wide as the very first, and that one the widest.
fn separator(text: &str) -> char {
    let fits = |separator| {
        let widths: Vec<usize> = rows(text, 0, separator).take(TRIED_ROWS).map(|row| row.cells.len()).collect();
        let width = widths.first().copied().unwrap_or(0);
        // With a separator that does not occur, all rows have one cell.
        let alike = if width > 1 { widths.iter().filter(|&&other| other == width).count() } else { 0 };
        (alike, width)
    };
    SEPARATORS.into_iter().rev().max_by_key(|&separator| fits(separator)).unwrap_or(',')
}

/// Reads a table whose cells are separated by tabs.
pub(super) fn tsv(input: &str, text: &str, options: &ReadOptions) -> Result<Document> {
    let (start, _) = head(text);
    read(input, text, Format::Tsv, (start, '\t'), options)
}

/// The position of the first row, and the separator if a line such as `sep=;` of Excel names it.
fn head(text: &str) -> (usize, Option<char>) {
    let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let line = text[start..].split_inclusive('\n').next().unwrap_or_default();
    match line
        .strip_prefix("sep=")
        .map(|rest| rest.trim_end_matches(['\r', '\n']).chars().collect::<Vec<_>>())
        .as_deref()
    {
        Some([separator]) => (start + line.len(), Some(*separator)),
        _ => (start, None),
    }
}

fn read(
    input: &str,
    text: &str,
    format: Format,
    (start, separator): (usize, char),
    options: &ReadOptions,
) -> Result<Document> {
    let mut rows = rows(text, start, separator).peekable();
    let Some(first) = rows.peek() else { return Ok(Document::assemble(input, text, format, Vec::new())) };
    let width = first.cells.len();
    let (columns, headed) = columns(text, first, options)?;
    if headed {
        rows.next();
    }
    let (mut blocks, mut ragged) = (Vec::new(), Vec::new());
    for row in rows {
        if row.cells.len() != width {
            ragged.push((row.line, row.cells.len()));
            continue;
        }
        for &column in &columns {
            blocks.extend(cell(text, row.cells[column].clone(), separator, options.field_format));
        }
    }
    let mut document = Document::assemble(input, text, format, blocks);
    if !ragged.is_empty() {
        let named = ragged.iter().take(MOST_NAMED).map(|(line, cells)| format!("line {line} has {cells} cells"));
        let more = if ragged.len() > MOST_NAMED {
            format!(" and {} more rows", ragged.len() - MOST_NAMED)
        } else {
            String::new()
        };
        let named = named.collect::<Vec<_>>().join(", ");
        document.warnings.push(format!("{named}{more}, the first row {width}: left as they are"));
    }
    Ok(document)
}

/// The numbers of the columns with text, and whether the first row has their names. A field is a number from 1 up to
/// their count, or a name in that row.
fn columns(text: &str, first: &Row, options: &ReadOptions) -> Result<(Vec<usize>, bool)> {
    let names: Vec<String> = first.cells.iter().map(|cell| said(&text[cell.clone()]).trim().to_owned()).collect();
    let mut columns = Vec::new();
    let mut headed = false;
    for field in options.fields() {
        let counted =
            field.parse::<usize>().ok().filter(|number| (1..=names.len()).contains(number)).map(|number| number - 1);
        // In a table without names, a number in the first row is a value.
        let named = names.iter().position(|name| name == field).filter(|_| counted.is_none());
        headed |= named.is_some();
        let Some(column) = counted.or(named) else {
            let known = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            bail!(format!("no column `{field}`").with_hint(format!(
                "name the columns with text with `--field`, or count them from 1; there is {known}"
            )));
        };
        columns.push(column);
    }
    columns.sort_unstable();
    columns.dedup();
    ensure!(!columns.is_empty(), "no column is named");
    Ok((columns, headed))
}

/// The text of a cell.
fn said(cell: &str) -> String {
    match inside_quotes(cell) {
        Some(quoted) => cell[quoted].replace("\"\"", "\""),
        None => cell.to_owned(),
    }
}

/// The range of a cell between its quotation marks; `None` in a cell that has text outside of them, as in `"Yes," he said`: there
/// the marks belong to the text.
fn inside_quotes(cell: &str) -> Option<Range<usize>> {
    let end = quoted_end(cell)?;
    cell[end..].trim().is_empty().then(|| 1..end - 1)
}

/// The blocks of a cell.
fn cell(text: &str, cell: Range<usize>, separator: char, format: FieldFormat) -> Vec<(Range<usize>, Block)> {
    let written = &text[cell.clone()];
    let at = cell.start;
    if let Some(inside) = inside_quotes(written) {
        return envelope::blocks(
            &written[inside.clone()],
            at + inside.start,
            Envelope::Quoted,
            format,
            BlockKind::Cell,
        );
    }
    let envelope = Envelope::Unquoted(separator);
    if format != FieldFormat::Text {
        return envelope::blocks(written, at, envelope, format, BlockKind::Cell);
    }
    // The space before the text is a mark of the block: quotation marks only count at the front of a cell.
    let written = written.trim_end();
    let said = written.trim_start();
    if !said.contains(char::is_alphabetic) {
        return Vec::new();
    }
    let mut inline = Inline::default();
    inline.mark(MarkKind::Leading, &written[..written.len() - said.len()]);
    inline.text(said);
    let mut block = inline.finish(BlockKind::Cell, written, Style::Plain);
    block.markup = block.markup.map(|markup| Box::new(markup.enveloped(written, envelope)));
    vec![(at..at + written.len(), block)]
}

/// The rows of a table, without empty lines.
fn rows(text: &str, start: usize, separator: char) -> impl Iterator<Item = Row> {
    let mut at = start;
    let mut line = 1 + text[..start].matches('\n').count();
    std::iter::from_fn(move || {
        while let Some(rest) = text[at..].strip_prefix(['\n', '\r']) {
            line += usize::from(text[at..].starts_with('\n'));
            at = text.len() - rest.len();
        }
        if at == text.len() {
            return None;
        }
        let mut row = Row { cells: Vec::new(), line };
        loop {
            let end = at + cell_end(&text[at..], separator);
            row.cells.push(at..end);
            line += text[at..end].matches('\n').count();
            at = end;
            match text[at..].chars().next().filter(|&next| next == separator) {
                Some(next) => at += next.len_utf8(),
                None => return Some(row),
            }
        }
    })
}

/// The length of the cell at the front of a text.
fn cell_end(text: &str, separator: char) -> usize {
    let at = quoted_end(text).unwrap_or(0);
    at + text[at..].find([separator, '\n', '\r']).unwrap_or(text.len() - at)
}

/// The end of the quotation at the front of a text, behind its second quotation mark; `None` if there is none.
fn quoted_end(text: &str) -> Option<usize> {
    text.strip_prefix('"')?;
    let mut at = 1;
    while let Some(mark) = text[at..].find('"') {
        at += mark + 1;
        // A quotation mark that is doubled ends nothing.
        match text[at..].strip_prefix('"') {
            Some(_) => at += 1,
            None => return Some(at),
        }
    }
    None
}
