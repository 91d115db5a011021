//! Plain text, as it comes from a news archive.
//!
//! An optional date in front, then paragraphs with blank lines between them. Short paragraphs without
//! a full stop are headings; a paragraph that ends in a credit, or starts with a photo button's label,
//! is a caption. A paragraph may be hard-wrapped: then its line breaks are inside the block, and become
//! spaces on the way to a model, so the English of a sentence comes back on one line. Invariant: blocks
//! hold no blank line and neither start nor end with white space. Plain text marks no title, so there
//! is none.

use std::ops::{Range, RangeInclusive};

use anyhow::{Result, bail};

use super::{BlockKind, Document, Format};
use crate::error::WithHint;

/// Lines wider than this, in bytes, were not wrapped by hand or by a mail program: each is a paragraph.
const WIDEST_WRAP: usize = 160;
/// A heading is at most this wide, in bytes.
const WIDEST_HEADING: usize = 90;
/// A heading that ends in a question or exclamation mark has at most this many words.
const MOST_WORDS_ASKED: usize = 6;
/// A credit is at most this long, in bytes.
const LONGEST_CREDIT: usize = 80;
/// What stands on the button that enlarges a photo.
const LABELS: [&str; 2] = ["Volledig scherm", "Full screen"];
/// What says who made a picture, besides the copyright sign.
const CREDITS: [&str; 4] = ["Foto:", "Beeld:", "Photo:", "Image:"];

/// The first bytes of documents of Word, `PowerPoint` and Excel until 2003.
const OLD_OFFICE: &[u8] = b"\xd0\xcf\x11\xe0";

type Blocks = Vec<(Range<usize>, BlockKind)>;

/// Cuts `text` into blocks.
pub(super) fn parse(input: &str, text: &str, format: Format) -> Document {
    let mut blocks = Blocks::new();
    let mut start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let date = date(text, start);
    if let Some(line) = &date {
        blocks.push((line.clone(), BlockKind::Date));
        start = line.end;
    }
    for paragraph in paragraphs(text, start) {
        for range in unwrap(text, &paragraph) {
            classify(text, range, &mut blocks);
        }
    }
    // A heading has something below it, so what comes last is none.
    if let Some((_, kind)) = blocks.iter_mut().rev().find(|(_, kind)| kind.is_translated())
        && *kind == BlockKind::Heading
    {
        *kind = BlockKind::Paragraph;
    }
    let mut document = Document::cut(input, text, format, &blocks);
    document.date = date.map(|line| text[line]["date ".len()..].trim_start().to_owned());
    document
}

/// Where `date YYYY-MM[-DD]` stands at the very start, if it does.
fn date(text: &str, start: usize) -> Option<Range<usize>> {
    let rest = text[start..].trim_start();
    let after = rest.strip_prefix("date ")?.trim_start();
    let day = &after[..after.find(char::is_whitespace).unwrap_or(after.len())];
    let at = text.len() - rest.len();
    is_date(day).then(|| at..text.len() - after.len() + day.len())
}

/// Whether this is `YYYY-MM` or `YYYY-MM-DD`, of a month and day that can be.
fn is_date(day: &str) -> bool {
    let number = |part: &str, digits: usize, range: RangeInclusive<u32>| {
        part.len() == digits
            && part.bytes().all(|byte| byte.is_ascii_digit())
            && part.parse().is_ok_and(|number| range.contains(&number))
    };
    match day.split('-').collect::<Vec<_>>()[..] {
        [year, month] => number(year, 4, 0..=9999) && number(month, 2, 1..=12),
        [year, month, day] => number(year, 4, 0..=9999) && number(month, 2, 1..=12) && number(day, 2, 1..=31),
        _ => false,
    }
}

/// The lines of `text[range]` without their ends: LF, CRLF or a lone CR.
fn lines(text: &str, range: &Range<usize>) -> Vec<Range<usize>> {
    let bytes = &text.as_bytes()[..range.end];
    let mut lines = Vec::new();
    let mut start = range.start;
    while let Some(length) = bytes[start..].iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
        let end = start + length;
        lines.push(start..end);
        start = end + if bytes[end..].starts_with(b"\r\n") { 2 } else { 1 };
    }
    lines.push(start..range.end);
    lines
}

/// `range` without the white space at both ends, or `None` when nothing is left.
fn trim(text: &str, range: Range<usize>) -> Option<Range<usize>> {
    let part = &text[range.clone()];
    let start = range.start + (part.len() - part.trim_start().len());
    let trimmed = part.trim();
    (!trimmed.is_empty()).then(|| start..start + trimmed.len())
}

/// The stretches between blank lines, trimmed.
fn paragraphs(text: &str, start: usize) -> Vec<Range<usize>> {
    let mut paragraphs: Vec<Range<usize>> = Vec::new();
    let mut open = false;
    for line in lines(text, &(start..text.len())) {
        match (trim(text, line), paragraphs.last_mut()) {
            (None, _) => open = false,
            (Some(line), Some(last)) if open => last.end = line.end,
            (Some(line), _) => {
                paragraphs.push(line);
                open = true;
            }
        }
    }
    paragraphs
}

/// Parts a paragraph at those line breaks that someone meant. A line break is the wrapping's, and no
/// break of the text, when the next word would not have fitted on its line, or a sentence runs over it.
fn unwrap(text: &str, paragraph: &Range<usize>) -> Vec<Range<usize>> {
    let lines: Vec<_> = lines(text, paragraph).into_iter().filter_map(|line| trim(text, line)).collect();
    let width = lines.iter().map(ExactSizeIterator::len).max().unwrap_or(0);
    let mut parts: Vec<Range<usize>> = Vec::new();
    let mut first = true;
    for line in lines {
        let next = &text[line.clone()];
        let meant = parts.last().is_none_or(|part| {
            let before = &text[part.clone()];
            let last = before.rfind(['\n', '\r']).map_or(before, |end| before[end + 1..].trim_start());
            is_meant(last, next, first, width)
        });
        first = meant;
        match parts.last_mut() {
            Some(part) if !meant => part.end = line.end,
            _ => parts.push(line),
        }
    }
    parts
}

/// Whether the break after `line` is one of the text; `first` when `line` starts its part.
fn is_meant(line: &str, next: &str, first: bool, width: usize) -> bool {
    if bullet(next) > 0 {
        return true;
    }
    if next.starts_with(char::is_lowercase) {
        return false;
    }
    let word = next.find(char::is_whitespace).unwrap_or(next.len());
    let fitted = width > WIDEST_WRAP || line.len() + 1 + word <= width;
    fitted && (ends_sentence(line) || (first && (width > WIDEST_WRAP || looks_like_heading(line))))
}

/// Whether `line` ends as a sentence does.
fn ends_sentence(line: &str) -> bool {
    line.trim_end_matches(['"', '\'', '”', '’', '“', '»', ')', ']']).ends_with(['.', '!', '?', '…', ':'])
}

/// Whether a line is short, starts as a title does, and has no full stop.
fn looks_like_heading(line: &str) -> bool {
    if line.len() > WIDEST_HEADING || line.contains(['\n', '\r']) || !line.contains(char::is_alphabetic) {
        return false;
    }
    let opening = line.starts_with(|first: char| first.is_lowercase());
    match line.chars().next_back() {
        Some('.' | '…' | ':' | ';' | ',') | None => false,
        Some('?' | '!') => !opening && line.split_whitespace().count() <= MOST_WORDS_ASKED,
        Some(_) => !opening && !ends_sentence(line),
    }
}

/// The length of a list item's mark (`- `, `* `, `• `, `12. `) with the space after it, or 0.
fn bullet(line: &str) -> usize {
    let rest = line.trim_start_matches(|mark: char| mark.is_ascii_digit());
    let digits = line.len() - rest.len();
    let after = match digits {
        0 => rest.strip_prefix(['-', '–', '—', '*', '•']),
        1 | 2 => rest.strip_prefix(['.', ')']),
        _ => None,
    };
    match after {
        Some(after) if after.starts_with([' ', '\t']) => line.len() - after.trim_start().len(),
        _ => 0,
    }
}

/// Says what `text[range]` is; a caption is parted from the label before and the credit after it.
fn classify(text: &str, range: Range<usize>, blocks: &mut Blocks) {
    let (label, rest) = split_label(text, range);
    let labelled = label.is_some();
    blocks.extend(label.map(|label| (label, BlockKind::Label)));
    let Some(rest) = rest else { return };
    let (said, credit) = split_credit(text, rest);
    let kind_of = |said: &Range<usize>| {
        let said = &text[said.clone()];
        match (labelled || credit.is_some(), bullet(said)) {
            (true, _) => (BlockKind::Caption, 0),
            (false, 0) if looks_like_heading(said) => (BlockKind::Heading, 0),
            (false, 0) => (BlockKind::Paragraph, 0),
            (false, mark) => (BlockKind::Item, mark),
        }
    };
    if let Some(said) = said {
        let (kind, mark) = kind_of(&said);
        blocks.push((said.start + mark..said.end, kind));
    }
    blocks.extend(credit.map(|credit| (credit, BlockKind::Credit)));
}

/// Takes a button's label off the front. It is one only when a caption, or nothing, comes after it:
/// a sentence may start with the same words.
fn split_label(text: &str, range: Range<usize>) -> (Option<Range<usize>>, Option<Range<usize>>) {
    let part = &text[range.clone()];
    for label in LABELS {
        if let Some(rest) = part.strip_prefix(label) {
            let caption = rest.trim_start();
            let parted = rest.len() > caption.len() && !caption.starts_with(char::is_lowercase);
            if rest.is_empty() || parted {
                let end = range.start + label.len();
                return (Some(range.start..end), trim(text, end..range.end));
            }
        }
    }
    (None, Some(range))
}

/// Takes a credit (`© AP`, `Foto: Jan Jansen`) off the end.
fn split_credit(text: &str, range: Range<usize>) -> (Option<Range<usize>>, Option<Range<usize>>) {
    let part = &text[range.clone()];
    let sign = part.rfind('©');
    let word = CREDITS.iter().filter_map(|word| Some((part.rfind(word)?, word))).max().filter(|(at, word)| {
        let before = part[..*at].trim_end();
        let named = !part[at + word.len()..].trim_start().starts_with(char::is_lowercase);
        named && !before.is_empty() && (ends_sentence(before) || before.ends_with(['(', '|', '/', '-', '–']))
    });
    match sign.or(word.map(|(at, _)| at)).filter(|&at| part.len() - at <= LONGEST_CREDIT) {
        Some(at) => {
            let at = range.start + part[..at].trim_end_matches(['(', '[']).len();
            (trim(text, range.start..at), Some(at..range.end))
        }
        None => (Some(range), None),
    }
}

/// The text of a file's bytes.
///
/// # Errors
/// When they are not UTF-8, or hold a NUL byte (then they are no text at all); names the offset.
pub fn decode(bytes: Vec<u8>) -> Result<String> {
    if bytes.starts_with(b"%PDF-") {
        let hint = if cfg!(feature = "pdf") {
            "name it with `--input-format pdf`"
        } else {
            "build kortom with `--features pdf`"
        };
        bail!("this is a PDF and no text".with_hint(hint));
    }
    if bytes.starts_with(OLD_OFFICE) {
        bail!("this is a document of an old edition of Office and no text".with_hint(
            "save it as DOCX, PPTX or XLSX, for instance with `soffice --convert-to docx FILE`, `pptx` or `xlsx`"
        ));
    }
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        bail!(
            "it is in UTF-16"
                .with_hint("convert the file to UTF-8 first, for instance with `iconv -f UTF-16 -t UTF-8`")
        );
    }
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => bail!(
            format!(
                "not valid UTF-8: the byte at offset {} is `0x{:02x}`",
                error.utf8_error().valid_up_to(),
                error.as_bytes()[error.utf8_error().valid_up_to()]
            )
            .with_hint("convert the file to UTF-8 first, for instance with `iconv -f WINDOWS-1252 -t UTF-8`")
        ),
    };
    if let Some(offset) = text.find('\0') {
        bail!(format!("not a text: there is a NUL byte at offset {offset}").with_hint(
            "a file in UTF-16 must be converted to UTF-8 first; other files with NUL bytes hold no article"
        ));
    }
    Ok(text)
}
