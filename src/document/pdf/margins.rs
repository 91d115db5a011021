//! Headers, footers and page numbers, which are removed.
//!
//! Invariant: only rows at the top or bottom edge of a page are removed, from the edge inwards: rows that another page has in the
//! same place with the same words (their numbers may differ), and numbers that stand by themselves.

use std::collections::{HashMap, HashSet};

use super::lines::TextLine;

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
    for page in pages {
        for is_top in [true, false] {
            let rows = rows(page, is_top);
            let goes = |at: usize| is_repeated(&rows[at]) || is_lone_number(&rows, at);
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
    let mut words = String::new();
    for c in row.iter().flat_map(|line| line.text.chars()) {
        match c {
            c if c.is_ascii_digit() && words.ends_with('#') => {}
            c if c.is_ascii_digit() => words.push('#'),
            c if c.is_whitespace() => {}
            c => words.push(c),
        }
    }
    let place = row[0].baseline / SAME_PLACE;
    [(words.clone(), 2 * place.floor() as i32), (words, 2 * (place + 0.5).floor() as i32 + 1)]
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
