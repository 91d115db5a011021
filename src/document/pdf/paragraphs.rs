//! Lines that belong together become paragraphs, headings and items of lists.
//!
//! Invariant: every line is in one paragraph. A line begins a new paragraph after an indent, a gap or a bullet, with a change of the
//! font's size, as a note, and after a line that ends early. A paragraph may continue in the next column or on the next page. Words
//! that are divided at the end of a line are joined by `words`.

mod headings;
mod notes;

use std::collections::HashMap;

use super::columns::Column;
use super::fragments::{is_bullet, is_sign};
use super::lines::{CELL, TextLine, halves, usual_size};
use super::words::Words;
pub(super) use headings::LEAST_HEADING;
use headings::set_headings;
use notes::begins_note;

/// An indent is at least this many sizes of the letters.
const LEAST_INDENT: f32 = 0.7;
/// Lines of a paragraph are at most this much further apart than usual.
const WIDEST_LEADING: f32 = 1.25;
/// The distance of lines in sizes of their letters, if a text has no usual one.
const USUAL_LEADING: f32 = 1.25;
/// A heading has at most this many lines and letters.
const MOST_HEADING_LINES: usize = 4;
const LONGEST_HEADING: usize = 200;
/// The least number of lines by which the right edge of a column is known.
const LEAST_LINES: usize = 3;
/// Paragraphs of a text begin with an indent if at least one in this many lines has an indent.
const LINES_OF_INDENT: usize = 40;
/// The most notes and captions between the two parts of a paragraph.
const MOST_BETWEEN: usize = 4;

/// The kind of a paragraph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ParagraphKind {
    /// A heading of this level; the title has level 1.
    Heading(usize),
    /// Running text.
    Text,
    /// An item of a list, with a bullet or a number.
    Item,
    /// A cell of a table.
    Cell,
}

/// A paragraph of the article.
#[derive(Clone, Debug)]
pub(super) struct TextParagraph {
    /// Its kind.
    pub(super) kind: ParagraphKind,
    /// Its text.
    pub(super) text: String,
    size: f32,
    bold: bool,
    lines: usize,
    /// Whether it ends its column with a full line, so that it may continue in the next column.
    fills_column: bool,
    /// Whether it begins its column without an indent, so that it may continue a paragraph of the column before.
    begins_column: bool,
}

/// The paragraphs of columns that are in reading order.
pub(super) fn paragraphs(columns: &[Column]) -> Vec<TextParagraph> {
    let lines = || columns.iter().flat_map(|column| &column.lines);
    let words = Words::of(lines().map(|line| &*line.text));
    let measures = Measures::of(columns);
    let mut paragraphs = Vec::new();
    for column in columns {
        paragraphs.extend(measures.paragraphs(column, &words));
    }
    let mut paragraphs = continued(paragraphs, &measures, &words);
    set_headings(&mut paragraphs, measures.size);
    paragraphs
}

/// Measures of the article's layout.
struct Measures {
    /// The size of most letters.
    size: f32,
    /// The usual distance of lines, by the size of their letters in halves of a point.
    leading: HashMap<i32, f32>,
    /// Whether paragraphs begin with an indent.
    indents: bool,
}

impl Measures {
    fn of(columns: &[Column]) -> Self {
        let mut gaps: HashMap<i32, HashMap<i32, f32>> = HashMap::new();
        for pair in columns.iter().flat_map(|column| column.lines.windows(2)) {
            let gap = pair[0].baseline - pair[1].baseline;
            if halves(pair[0].size) == halves(pair[1].size) && gap < 3.0 * pair[0].size {
                // Long lines count more than short ones.
                let width = pair[0].right - pair[0].left;
                *gaps.entry(halves(pair[0].size)).or_default().entry(halves(gap)).or_default() += width;
            }
        }
        let size = usual_size(columns.iter().flat_map(|column| &column.lines));
        let usual = |gaps: HashMap<i32, f32>| {
            gaps.into_iter()
                .max_by(|one, other| one.1.total_cmp(&other.1).then(other.0.cmp(&one.0)))
                .map(|(gap, _)| gap)
        };
        let leading = gaps.into_iter().filter_map(|(size, gaps)| Some((size, usual(gaps)? as f32 / 2.0))).collect();
        let count: usize = columns.iter().map(|column| column.lines.len()).sum();
        let is_indent = |lines: &&[TextLine]| {
            let least = LEAST_INDENT * lines[1].size;
            lines[1].left - lines[0].left > least && lines[1].left - lines[2].left > least
        };
        let indents = columns.iter().flat_map(|column| column.lines.windows(3)).filter(is_indent).count();
        Self { size, leading, indents: indents * LINES_OF_INDENT >= count && indents > 0 }
    }

    fn leading(&self, line: &TextLine) -> f32 {
        self.leading.get(&halves(line.size)).copied().unwrap_or(USUAL_LEADING * line.size)
    }

    /// The paragraphs of one column.
    fn paragraphs(&self, column: &Column, words: &Words) -> Vec<TextParagraph> {
        let mut paragraphs = Vec::new();
        let mut open: Vec<&TextLine> = Vec::new();
        for line in &column.lines {
            if !open.is_empty() && self.begins(line, &open, column) {
                paragraphs.extend(TextParagraph::all_of(&std::mem::take(&mut open), words));
            }
            open.push(line);
        }
        if !open.is_empty() {
            paragraphs.extend(TextParagraph::all_of(&open, words));
        }
        let says_edges = column.lines.len() >= LEAST_LINES;
        if let (Some(paragraph), Some(line)) = (paragraphs.first_mut(), column.lines.first()) {
            paragraph.begins_column = says_edges && line.left - column.left < LEAST_INDENT * line.size;
        }
        if let (Some(paragraph), Some(line)) = (paragraphs.last_mut(), column.lines.last()) {
            paragraph.fills_column = says_edges && column.right - line.right < line.size;
        }
        paragraphs
    }

    /// Whether a line of a column begins a new paragraph after the lines of the open one.
    fn begins(&self, line: &TextLine, open: &[&TextLine], column: &Column) -> bool {
        let before = open[open.len() - 1];
        let gap = before.baseline - line.baseline;
        let differs = (before.size - line.size).abs() > 0.08 * before.size.max(line.size);
        let is_far = gap > WIDEST_LEADING * self.leading(before).max(before.size);
        let in_table = before.text.contains(CELL) || line.text.contains(CELL);
        if differs || is_far || in_table || is_leader(&before.text) || begins_note(line, self.size) {
            return true;
        }
        let ended = ends_sentence(&before.text);
        // A quotation is narrower than its column, so the line is compared with those that have the same left edge.
        let beside = column.lines.iter().filter(|other| (other.left - line.left).abs() < 0.3 * line.size);
        let room = beside.map(|other| other.right).fold(line.right, f32::max) - before.right;
        let is_short = room > 3.0 * line.size;
        if before.bold != line.bold && (ended || is_short || open.iter().all(|line| line.bold)) {
            return true;
        }
        let is_item = sign_length(&open[0].text) > 0;
        let indent = line.left - before.left;
        let moved = indent.abs() > LEAST_INDENT * line.size;
        if sign_length(&line.text) > 0 && (is_bulleted(&line.text) || ended || is_item || is_short || moved) {
            return true;
        }
        if is_centred(before, line, column) {
            return false;
        }
        let indented = if is_item { indent > 0.0 && open.len() > 1 } else { indent > 0.0 };
        let outdented = indent < 0.0 && (open.len() > 1 || is_item);
        // The first line of a note may stand further in or out than its others.
        let is_second_of_note = open.len() == 1 && begins_note(before, self.size);
        moved && !is_second_of_note && (indented || outdented) || self::ends_early(before, line, room)
    }
}

impl TextParagraph {
    /// The paragraph of these lines; the cells of a line of a table are paragraphs of their own.
    fn all_of(lines: &[&TextLine], words: &Words) -> Vec<Self> {
        match lines {
            [line] if line.text.contains(CELL) => {
                let cell = |text: &str| Self {
                    kind: ParagraphKind::Cell,
                    ..Self::of(&[&TextLine { text: text.to_owned(), ..(*line).clone() }], words)
                };
                line.text.split(CELL).map(cell).collect()
            }
            _ => vec![Self::of(lines, words)],
        }
    }

    fn of(lines: &[&TextLine], words: &Words) -> Self {
        let mut text = String::new();
        for line in lines {
            words.append(&mut text, &line.text);
        }
        let kind = if sign_length(&text) > 0 { ParagraphKind::Item } else { ParagraphKind::Text };
        let size = lines.iter().map(|line| line.size).fold(0.0, f32::max);
        let (fills_column, begins_column) = (false, false);
        let bold = lines.iter().all(|line| line.bold);
        Self { kind, text, size, bold, lines: lines.len(), fills_column, begins_column }
    }

    /// Whether it is short enough for a heading.
    fn is_short(&self) -> bool {
        let is_cell = self.kind == ParagraphKind::Cell;
        !is_cell && self.lines <= MOST_HEADING_LINES && self.text.len() <= LONGEST_HEADING
    }

    /// Whether the next paragraph may continue it.
    fn is_unfinished(&self) -> bool {
        !ends_sentence(&self.text) && !is_leader(&self.text) && !self.text.ends_with([';', ')'])
    }
}

/// Whether a line ends so early that the first word of the next line would have fitted on it.
fn ends_early(before: &TextLine, line: &TextLine, room: f32) -> bool {
    let letters = line.text.chars().count().max(1) as f32;
    let word = line.text.split(' ').next().unwrap_or_default().chars().count() as f32;
    let needed = (word + 1.0) * (line.right - line.left) / letters;
    let fits = room > needed + 0.5 * line.size;
    let begins = line.text.trim_start_matches(['"', '\'', '“', '„', '‘', '’', '(', '«']);
    let begins = begins.starts_with(|first: char| first.is_uppercase() || first.is_ascii_digit());
    let is_very_short = room > 0.4 * (room + before.right - before.left);
    fits && begins && (ends_sentence(&before.text) || is_very_short)
}

/// Whether two lines have the same middle and not the same edges.
fn is_centred(one: &TextLine, other: &TextLine, column: &Column) -> bool {
    let near = |from: f32, to: f32| (from - to).abs() < 0.4 * one.size;
    let middle = |line: &TextLine| f32::midpoint(line.left, line.right);
    let of_column = f32::midpoint(column.left, column.right);
    near(middle(one), middle(other)) && near(middle(one), of_column) && !near(one.left, other.left)
}

/// Whether a text ends as a sentence does.
fn ends_sentence(text: &str) -> bool {
    let text = text
        .trim_end_matches(['"', '\'', '”', '’', '“', '»', ')', ']', '⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹']);
    text.ends_with(['.', '!', '?', '…', ':'])
}

/// Whether a line has a row of dots, as in a table of contents.
fn is_leader(text: &str) -> bool {
    text.contains("....") || text.contains(". . . .")
}

/// The length of a list's bullet or number with the space after it; 0 without one.
fn sign_length(text: &str) -> usize {
    let Some((sign, rest)) = text.split_once(' ') else { return 0 };
    let rest = rest.trim_start();
    if is_sign(sign) && !rest.is_empty() { text.len() - rest.len() } else { 0 }
}

fn is_bulleted(text: &str) -> bool {
    text.split(' ').next().is_some_and(|sign| is_bullet(sign) && sign != "-")
}

/// Joins the parts of paragraphs that were divided by a note, a caption, or the end of a column or page.
fn continued(paragraphs: Vec<TextParagraph>, measures: &Measures, words: &Words) -> Vec<TextParagraph> {
    let is_body = |paragraph: &TextParagraph| halves(paragraph.size) == halves(measures.size);
    let goes_on = |before: &TextParagraph, next: &TextParagraph| {
        // A new sentence after the end of a column continues the paragraph, unless it has an indent.
        let fits = before.fills_column && next.begins_column && before.bold == next.bold;
        let is_inside = next.text.starts_with(char::is_lowercase) || fits;
        is_inside && before.is_unfinished() || fits && measures.indents
    };
    let mut joined: Vec<TextParagraph> = Vec::with_capacity(paragraphs.len());
    for paragraph in paragraphs {
        let is_text = is_body(&paragraph) && paragraph.kind == ParagraphKind::Text;
        let mut recent = joined.iter_mut().rev().take(1 + MOST_BETWEEN).take_while(|_| is_text);
        match recent.find(|before| is_body(before)).filter(|before| goes_on(before, &paragraph)) {
            Some(before) => {
                words.append(&mut before.text, &paragraph.text);
                before.lines += paragraph.lines;
                before.bold &= paragraph.bold;
                before.fills_column = paragraph.fills_column;
            }
            None => joined.push(paragraph),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::pdf::columns::columns;

    /// A line of letters that are 5 points wide.
    fn line(text: &str, left: f32, baseline: f32) -> TextLine {
        let right = left + 5.0 * text.chars().count() as f32;
        TextLine { text: text.to_owned(), left, right, baseline, size: 10.0, bold: false }
    }

    fn said(lines: Vec<TextLine>) -> Vec<(ParagraphKind, String)> {
        paragraphs(&columns(lines)).into_iter().map(|paragraph| (paragraph.kind, paragraph.text)).collect()
    }

    #[test]
    fn indents_gaps_and_short_lines_begin_paragraphs() {
        let lines = vec![
            line("De brug over het kanaal is de hele", 0.0, 700.0),
            line("week dicht voor het verkeer.", 0.0, 688.0),
            line("Dat meldt de gemeente. Wie naar de", 0.0, 676.0),
            line("andere kant wil, moet omrijden over", 0.0, 664.0),
            line("   Wierdum en dan langs het water naar", 8.0, 652.0),
            line("de haven.", 0.0, 640.0),
            line("Een nieuwe alinea na wit.", 0.0, 616.0),
        ];
        let texts: Vec<String> = said(lines).into_iter().map(|(_, text)| text).collect();
        assert_eq!(texts.len(), 4, "{texts:?}");
        assert_eq!(texts[0], "De brug over het kanaal is de hele week dicht voor het verkeer.");
        assert!(texts[1].ends_with("omrijden over") && texts[2].ends_with("naar de haven."), "{texts:?}");
    }

    #[test]
    fn items_hang_and_headings_are_large_or_bold() {
        let title = TextLine { size: 16.0, ..line("De titel", 0.0, 740.0) };
        let bold = TextLine { bold: true, ..line("Een kop", 0.0, 712.0) };
        let lines = vec![
            title,
            bold,
            line("Gewone tekst van het artikel die lang is.", 0.0, 700.0),
            line("• Het eerste punt loopt door op de", 10.0, 688.0),
            line("volgende regel", 20.0, 676.0),
            line("• Het tweede punt", 10.0, 664.0),
        ];
        let item = |text: &str| (ParagraphKind::Item, text.to_owned());
        let expected = [
            (ParagraphKind::Heading(1), "De titel".to_owned()),
            (ParagraphKind::Heading(2), "Een kop".to_owned()),
            (ParagraphKind::Text, "Gewone tekst van het artikel die lang is.".to_owned()),
            item("• Het eerste punt loopt door op de volgende regel"),
            item("• Het tweede punt"),
        ];
        assert_eq!(said(lines), expected);
    }

    #[test]
    fn notes_stand_alone_and_their_first_lines_may_be_moved() {
        let note = |text: &str, left: f32, baseline: f32| TextLine { size: 8.0, ..line(text, left, baseline) };
        let lines = vec![
            line("De brug over het kanaal is de hele week dicht¹", 0.0, 700.0),
            line("voor het verkeer, zegt de gemeente.²", 0.0, 688.0),
            note("¹Zo staat het in het verslag van de raad.", 12.0, 600.0),
            note("²Wie meer over de brug wil weten, kan te-", 12.0, 590.0),
            note("recht in het archief van het dorp, waar ook", 0.0, 580.0),
            note("de tekeningen liggen.", 0.0, 570.0),
            note("3 Ook de brieven van de gemeente zijn daar", 0.0, 560.0),
            note("te vinden.", 12.0, 550.0),
        ];
        let texts: Vec<String> = said(lines).into_iter().map(|(_, text)| text).collect();
        let expected = [
            "De brug over het kanaal is de hele week dicht¹ voor het verkeer, zegt de gemeente.²",
            "¹Zo staat het in het verslag van de raad.",
            "²Wie meer over de brug wil weten, kan terecht in het archief van het dorp, waar ook de tekeningen liggen.",
            "3 Ook de brieven van de gemeente zijn daar te vinden.",
        ];
        assert_eq!(texts, expected);
    }

    #[test]
    fn a_paragraph_goes_on_in_the_next_column_over_a_note() {
        let note = TextLine { size: 7.0, ..line("¹ Een noot onder aan de kolom.", 0.0, 600.0) };
        let lines = vec![
            line("Deze zin begint in de linkerkolom en loopt", 300.0, 900.0),
            line("De brug over het kanaal is de hele week dicht, zegt", 0.0, 700.0),
            line("Zo gaat dat.", 300.0, 690.0),
            note,
            line("de wethouder van verkeer.", 300.0, 580.0),
        ];
        let texts: Vec<String> = said(lines).into_iter().map(|(_, text)| text).collect();
        assert!(texts.iter().any(|text| text.ends_with("en loopt")), "{texts:?}");
        let columns = [
            columns(vec![line("De brug over het kanaal is de hele week ge-", 0.0, 700.0)]),
            columns(vec![TextLine { size: 7.0, ..line("¹ Een noot.", 0.0, 600.0) }]),
            columns(vec![line("sloten voor het verkeer over de weg.", 300.0, 700.0)]),
        ];
        let columns: Vec<Column> = columns.into_iter().flatten().collect();
        let texts: Vec<String> = paragraphs(&columns).into_iter().map(|paragraph| paragraph.text).collect();
        assert_eq!(
            texts,
            ["De brug over het kanaal is de hele week gesloten voor het verkeer over de weg.", "¹ Een noot."]
        );
    }
}
