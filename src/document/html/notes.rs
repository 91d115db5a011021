//! Links to notes and back: part of a sentence, but none of its words.
//!
//! They are recognised by the roles of DPUB-ARIA and EPUB, by the classes that pandoc and `MediaWiki` write, by the names that Word,
//! `LibreOffice` and writers of Markdown give to notes, and as a raised number behind a word.

use html5gum::StartTag;

use super::name;

/// What the names of notes begin with.
const NAMES: [&str; 12] = [
    "fn",
    "_ftn",
    "_edn",
    "sdfootnote",
    "sdendnote",
    "footnote",
    "endnote",
    "cite_note",
    "note",
    "noot",
    "voetnoot",
    "eindnoot",
];
/// The fewest letters of a word in front of a raised number: what is shorter may be a unit, as in `m<sup>2</sup>`.
const FEWEST_LETTERS: usize = 3;

/// Whether an element is said to be the number or sign of a note.
pub(super) fn is_note_link(tag: &StartTag<usize>, name: &str) -> bool {
    const SIGNS: [&[u8]; 5] = [b"doc-noteref", b"doc-backlink", b"noteref", b"footnote-ref", b"footnote-back"];
    // A link of this class is any link of Sphinx.
    let is_sign = |word: &[u8]| SIGNS.contains(&word) || (name == "sup" && word == b"reference");
    let says = |attribute: &str| {
        let value = tag.attributes.get(attribute.as_bytes());
        value.is_some_and(|value| value.split(u8::is_ascii_whitespace).any(is_sign))
    };
    matches!(name, "a" | "sup") && ["role", "epub:type", "class"].into_iter().any(says)
}

/// What the tag of a link says about where it leads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum LinkTarget {
    /// To another page, or nowhere.
    #[default]
    Elsewhere,
    /// To a place on a page.
    Place,
    /// To a note, or from it back to the text.
    Note,
}

impl LinkTarget {
    /// The target of a link with this tag.
    pub(super) fn of(tag: &StartTag<usize>) -> Self {
        let value = |attribute: &str| tag.attributes.get(attribute.as_bytes()).map(|value| name(value));
        let place = value("href").and_then(|address| address.split_once('#').map(|(_, place)| place.to_owned()));
        let is_note = |said: &String| NAMES.iter().any(|name| said.starts_with(name));
        match &place {
            None => Self::Elsewhere,
            Some(place) if is_note(place) || value("name").as_ref().is_some_and(is_note) => Self::Note,
            Some(_) => Self::Place,
        }
    }
}

/// Whether a text is the sign of a note: a number or an asterisk, also in brackets; in a link also a letter.
pub(super) fn is_sign(text: &str, linked: bool) -> bool {
    let text = text.trim().trim_matches(['[', ']', '(', ')', '.']);
    let is_number = text
        .split([',', '-', '\u{2013}', ' '])
        .filter(|part| !part.is_empty())
        .all(|number| number.len() <= 3 && number.bytes().all(|byte| byte.is_ascii_digit()));
    let is_letter = text.len() == 1 || (text.len() <= 5 && text.chars().all(|c| "ivxlc".contains(c)));
    let is_mark = text.chars().all(|c| matches!(c, '*' | '\u{2020}' | '\u{2021}' | '\u{a7}'));
    let has_digit = text.contains(|c: char| c.is_ascii_digit());
    !text.is_empty() && ((is_number && has_digit) || is_mark || (linked && is_letter))
}

/// Whether a raised number after this text is that of a note, and not an exponent.
pub(super) fn takes_note(text: &str) -> bool {
    let letters = text.chars().rev().take_while(|c| c.is_alphabetic()).count();
    letters >= FEWEST_LETTERS || text.ends_with(['.', ',', ';', ':', '!', '?', ')', '\u{201d}', '\u{2019}', '"'])
}

/// Whether a text is only signs of a page, such as the arrow back from a note, and no punctuation of a sentence.
pub(super) fn is_ornament(text: &str) -> bool {
    let is_ornament = |c: char| {
        matches!(c, '#' | '*' | '^' | '\u{a7}' | '\u{b6}' | '\u{2020}' | '\u{2021}' | '\u{fe0e}' | '\u{fe0f}')
            || matches!(c, '\u{2190}'..='\u{21ff}' | '\u{2300}'..='\u{27bf}' | '\u{2b00}'..='\u{2bff}')
            || matches!(c, '\u{e000}'..='\u{f8ff}' | '\u{1f000}'..='\u{1faff}')
    };
    let text = text.trim();
    !text.is_empty() && text.chars().all(is_ornament)
}
