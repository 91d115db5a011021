//! Headers, footers and page numbers, which are removed.
//!
//! Invariant: only rows at the top or bottom edge of a page are removed, from the edge inwards: rows that another page has in the
//! same place with the same words (their numbers may differ), and numbers that stand by themselves. A row in the size of a heading
//! is only removed if a page before has had just these words, with the same numbers: it may be the heading of a chapter or a slide.

use std::collections::{HashMap, HashSet};

use super::lines::{TextLine, usual_size};
use super::paragraphs::LEAST_HEADING;

/// Number of rows at an edge that may be removed.
const MOST_ROWS: usize = 3;
/// A row is repeated if at least one in this many pages has it, and at least two pages.
const ONE_PAGE_OF: usize = 5;
/// Rows that differ by less than this many points are in the same place.
const SAME_PLACE: f32 = 3.0;
/// The least distance of a row that stands by itself from the text, in sizes of its letters.
const LEAST_GAP: f32 = 1.5;

/// A row at an edge: its words without numbers, and its place.
type RowKey = (String, i32);

/// Removes repeated rows and page numbers from pages. The lines of each page are sorted from top to bottom.
pub(super) fn strip(pages: &mut [Vec<TextLine>]) {
    let least_title = LEAST_HEADING * usual_size(pages.iter().flatten());
    // Titles, and the first page of each.
    let mut titles: HashMap<String, usize> = HashMap::new();
    let mut counts: HashMap<RowKey, usize> = HashMap::new();
    for page in &*pages {
        // On a page with few rows, a row may be near both edges; it counts once.
        let edges = [rows(page, true), rows(page, false)];
        let near = edges.iter().flat_map(|rows| rows.iter().take(MOST_ROWS));
        let keys: HashSet<RowKey> = near.flat_map(|row| keys(row)).collect();
        for key in keys {
            *counts.entry(key).or_default() += 1;
        }
    }
    let least = 2.max(pages.len().div_ceil(ONE_PAGE_OF));
    let is_repeated =
        |row: &[&TextLine]| keys(row).iter().any(|key| counts.get(key).is_some_and(|&count| count >= least));
    for (number, page) in pages.iter_mut().enumerate() {
        for is_top in [true, false] {
            let rows = rows(page, is_top);
            let mut is_new =
                |row: &[&TextLine]| is_title(row, least_title) && *titles.entry(words(row)).or_insert(number) == number;
            let mut goes = |at: usize| is_lone_number(&rows, at) || is_repeated(&rows[at]) && !is_new(&rows[at]);
            let gone = (0..rows.len().min(MOST_ROWS)).take_while(|&at| goes(at)).count();
            let count: usize = rows[..gone].iter().map(Vec::len).sum();
            if is_top {
                page.drain(..count);
            } else {
                page.truncate(page.len() - count);
            }
        }
    }
}

/// The rows of a page, from an edge inwards.
fn rows(page: &[TextLine], is_top: bool) -> Vec<Vec<&TextLine>> {
    let mut rows: Vec<Vec<&TextLine>> = Vec::new();
    let lines: Box<dyn Iterator<Item = &TextLine>> =
        if is_top { Box::new(page.iter()) } else { Box::new(page.iter().rev()) };
    for line in lines {
        let begun = rows.len();
        let same = |row: &&mut Vec<&TextLine>| (row[0].baseline - line.baseline).abs() <= 0.5 * line.size;
        match rows.last_mut().filter(same) {
            Some(row) => row.push(line),
            None if begun > MOST_ROWS => break,
            None => rows.push(vec![line]),
        }
    }
    rows
}

/// The text of a row with `#` for each number, and its place in two roundings: two places that are nearly equal have at least one
/// rounding in common.
fn keys(row: &[&TextLine]) -> [RowKey; 2] {
    let mut key = String::new();
    for c in words(row).chars() {
        match c {
            c if c.is_ascii_digit() && key.ends_with('#') => {}
            c if c.is_ascii_digit() => key.push('#'),
            c => key.push(c),
        }
    }
    let place = row[0].baseline / SAME_PLACE;
    [(key.clone(), 2 * place.floor() as i32), (key, 2 * (place + 0.5).floor() as i32 + 1)]
}

/// The text of a row, without white space.
fn words(row: &[&TextLine]) -> String {
    row.iter().flat_map(|line| line.text.chars()).filter(|c| !c.is_whitespace()).collect()
}

/// Whether a row has words in letters as large as those of a heading.
fn is_title(row: &[&TextLine], least: f32) -> bool {
    row.iter().any(|line| line.size >= least && line.text.contains(char::is_alphabetic))
}

/// Whether a row is a number that stands by itself, as a page number does.
fn is_lone_number(rows: &[Vec<&TextLine>], at: usize) -> bool {
    let [line] = rows[at][..] else { return false };
    let text = line.text.trim_matches(|c: char| c.is_whitespace() || "-–—|[]".contains(c));
    let is_number = (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let gap = rows.get(at + 1).map_or(f32::INFINITY, |next| (next[0].baseline - line.baseline).abs());
    is_number && gap > LEAST_GAP * line.size
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str, baseline: f32) -> TextLine {
        TextLine { text: text.to_owned(), right: 100.0, baseline, size: 10.0, ..TextLine::default() }
    }

    #[test]
    fn heads_and_numbers_go_and_text_stays() {
        let page = |number: usize, text: &str, last: &str| {
            vec![
                line(&format!("De krant {number}"), 800.0),
                line(text, 760.0),
                line(last, 748.0),
                line(&number.to_string(), 30.0),
            ]
        };
        let mut pages = vec![page(9, "Het begin.", "En verder."), page(10, "Het vervolg.", "Het slot.")];
        strip(&mut pages);
        let texts: Vec<Vec<&str>> = pages.iter().map(|page| page.iter().map(|line| &*line.text).collect()).collect();
        assert_eq!(texts, [["Het begin.", "En verder."], ["Het vervolg.", "Het slot."]]);
    }

    #[test]
    fn headings_of_chapters_stay_and_a_title_stays_once() {
        let page = |title: &str, text: &str| {
            let title = TextLine { size: 18.0, ..line(title, 780.0) };
            vec![title, line(text, 740.0), line(&format!("{text} Zo gaat het verder."), 728.0)]
        };
        let mut pages = vec![page("Hoofdstuk 1", "Het begin."), page("Hoofdstuk 2", "Het vervolg.")];
        strip(&mut pages);
        assert!(pages.iter().all(|page| page.len() == 3), "{pages:?}");
        let mut pages = vec![page("De brug", "Het begin."), page("De brug", "Het vervolg.")];
        strip(&mut pages);
        assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [3, 2]);
    }

    #[test]
    fn a_number_in_a_text_stays() {
        let mut pages = vec![vec![line("Er waren er", 760.0), line("12", 748.0)]];
        strip(&mut pages);
        assert_eq!(pages[0].len(), 2);
        let mut pages = vec![vec![line("Er staat maar één regel.", 760.0)]];
        strip(&mut pages);
        assert_eq!(pages[0].len(), 1);
        let mut pages = vec![vec![line("Er waren er twaalf.", 760.0), line("– 1 –", 40.0)]];
        strip(&mut pages);
        assert_eq!(pages[0].len(), 1);
    }
}
