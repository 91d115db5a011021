//! Moses' tokenization: texts to words and words to texts (Koehn et al. 2007), as in sacremoses 0.2, which transformers
//! uses.
//!
//! Invariant: rules are applied in their order, each to the whole text, as there. Segmenting words into pieces belongs to
//! `words`.

mod abbreviations;
mod joining;
mod rules;

use anyhow::Result;

use self::abbreviations::{ABBREVIATIONS, Abbreviations};
use self::rules::{Rule, applied};

use crate::error::{Explain, WithHint};

pub(super) use self::joining::Joiner;

/// Rules for spaces around brackets and before punctuation, and for typographic characters, which become plain ones.
const PUNCTUATION: [(&str, &str); 43] = [
    (r"\r", ""),
    (r"\(", " ("),
    (r"\)", ") "),
    (" +", " "),
    (r"\) ([.!:?;,])", ")${1}"),
    (r"\( ", "("),
    (r" \)", ")"),
    (r"(\d) %", "${1}%"),
    (" :", ":"),
    (" ;", ";"),
    ("`", "'"),
    ("''", " \" "),
    ("„", "\""),
    ("“", "\""),
    ("”", "\""),
    ("–", "-"),
    ("—", " - "),
    (" +", " "),
    ("´", "'"),
    ("([a-zA-Z])‘([a-zA-Z])", "${1}'${2}"),
    ("([a-zA-Z])’([a-zA-Z])", "${1}'${2}"),
    ("‘", "'"),
    ("‚", "'"),
    ("’", "'"),
    ("''", "\""),
    ("´´", "\""),
    ("…", "..."),
    ("\u{a0}«\u{a0}", "\""),
    ("«\u{a0}", "\""),
    ("«", "\""),
    ("\u{a0}»\u{a0}", "\""),
    ("\u{a0}»", "\""),
    ("»", "\""),
    ("\u{a0}%", "%"),
    ("nº\u{a0}", "nº "),
    ("\u{a0}:", ":"),
    ("\u{a0}ºC", " ºC"),
    ("\u{a0}cm", " cm"),
    (r"\x{a0}\?", "?"),
    ("\u{a0}!", "!"),
    ("\u{a0};", ";"),
    (",\u{a0}", ", "),
    (" +", " "),
];

/// Rules for quotation marks beside commas and full stops, and for spaces in numbers.
const ENGLISH_PUNCTUATION: [(&str, &str); 2] = [("\"([,.]+)", "${1}\""), (r"(\d)\x{a0}(\d)", "${1}.${2}")];
const GERMAN_PUNCTUATION: [(&str, &str); 3] =
    [(",\"", "\","), (r#"(\.+)"(\s*[^<])"#, "\"${1}${2}"), (r"(\d)\x{a0}(\d)", "${1},${2}")];
const OTHER_PUNCTUATION: [(&str, &str); 1] = [(r"(\d)\x{a0}(\d)", "${1}.${2}")];

/// Rules for commas, except those within numbers.
const COMMAS: [(&str, &str); 3] =
    [("([^NUMBER]),", "${1} , "), (",([^NUMBER])", " , ${1}"), ("([NUMBER]),$", "${1} , ")];

/// Rules for apostrophes: in English they belong to what follows.
const ENGLISH_APOSTROPHES: [(&str, &str); 5] = [
    ("([^ALPHA])'([^ALPHA])", "${1} ' ${2}"),
    ("([^ALPHANUMBER])'([ALPHA])", "${1} ' ${2}"),
    ("([ALPHA])'([^ALPHA])", "${1} ' ${2}"),
    ("([ALPHA])'([ALPHA])", "${1} '${2}"),
    ("([NUMBER])'(s)", "${1} '${2}"),
];
const OTHER_APOSTROPHES: [(&str, &str); 1] = [("'", " ' ")];

/// Escapes of characters that have a meaning in Moses' own formats.
const ESCAPES: [(&str, &str); 8] = [
    ("&", "&amp;"),
    (r"\|", "&#124;"),
    ("<", "&lt;"),
    (">", "&gt;"),
    ("'", "&apos;"),
    ("\"", "&quot;"),
    (r"\[", "&#91;"),
    ("]", "&#93;"),
];

/// Splits texts of one language into words.
#[derive(Debug)]
pub(super) struct Cutter {
    abbreviations: &'static Abbreviations,
    punctuation: Vec<Rule>,
    control: Rule,
    /// All characters other than letters, digits, and punctuation with rules of its own.
    special: Rule,
    /// Rules for commas and apostrophes.
    signs: Vec<Rule>,
    letter: Rule,
    small: Rule,
    number: Rule,
    alphanumeric: Rule,
    end: Rule,
    escapes: Vec<Rule>,
}

impl Cutter {
    /// The splitter of a language, given by its code.
    ///
    /// # Errors
    /// When the abbreviations of the language are not known here.
    pub(super) fn new(language: &str) -> Result<Self> {
        let own = ABBREVIATIONS.iter().find(|(code, _)| *code == language);
        let (_, abbreviations) = own.explain(|| {
            let known = ABBREVIATIONS.iter().map(|(code, _)| *code).collect::<Vec<_>>().join(", ");
            format!("its source language is `{language}`, whose words kortom cannot cut as Moses does")
                .with_hint(format!("it can those of {known}"))
        })?;
        let punctuation: &[(&str, &str)] = match language {
            "en" => &ENGLISH_PUNCTUATION,
            "de" => &GERMAN_PUNCTUATION,
            _ => &OTHER_PUNCTUATION,
        };
        let apostrophes: &[(&str, &str)] = if language == "en" { &ENGLISH_APOSTROPHES } else { &OTHER_APOSTROPHES };
        Ok(Self {
            abbreviations,
            punctuation: Rule::all(&[&PUNCTUATION, punctuation].concat())?,
            control: Rule::new(r"\p{C}", "")?,
            special: Rule::new(r"([^ALNUM\s.'`,\-])", " ${1} ")?,
            signs: Rule::all(&[&COMMAS, apostrophes].concat())?,
            letter: Rule::new("[ALPHA]", "")?,
            small: Rule::new("^[LOWER]", "")?,
            number: Rule::new("^[0-9]", "")?,
            alphanumeric: Rule::new("^[ALNUM]$", "")?,
            end: Rule::new(r"\.' ?$", " . ' ")?,
            escapes: Rule::all(&ESCAPES)?,
        })
    }

    /// The words of a text, with Moses' escapes.
    pub(super) fn words(&self, text: &str) -> Vec<String> {
        let text = applied(&self.punctuation, &in_western_print(text));
        let text = self.control.apply(text.trim());
        let text = self.special.apply(&spaced(&text));
        let text = hide_rows_of_stops(&self.with_split_hyphens(&text));
        let text = self.with_split_stops(&applied(&self.signs, &text));
        let text = show_rows_of_stops(&self.end.apply(&spaced(&text)));
        applied(&self.escapes, &text).split_whitespace().map(str::to_owned).collect()
    }

    /// Splits at hyphens within words: `foo-bar` becomes `foo @-@ bar`.
    fn with_split_hyphens(&self, text: &str) -> String {
        let chars: Vec<char> = text.chars().collect();
        let within =
            |at: Option<&char>| at.is_some_and(|char| self.alphanumeric.is_match(char.encode_utf8(&mut [0; 4])));
        let mut split = String::with_capacity(text.len());
        for (place, &char) in chars.iter().enumerate() {
            let before = place.checked_sub(1).and_then(|before| chars.get(before));
            if char == '-' && within(before) && within(chars.get(place + 1)) {
                split.push_str(" @-@ ");
            } else {
                split.push(char);
            }
        }
        split
    }

    /// Splits full stops from words, except those of abbreviations and those before a word in lower case.
    fn with_split_stops(&self, text: &str) -> String {
        let words: Vec<&str> = text.split_whitespace().collect();
        let mut split = Vec::with_capacity(words.len());
        for (place, word) in words.iter().enumerate() {
            let stem = word.strip_suffix('.').filter(|stem| !stem.is_empty());
            let next = words.get(place + 1);
            split.push(match stem {
                Some(stem) if !self.keeps_stop(stem, next.copied()) => format!("{stem} ."),
                _ => (*word).to_owned(),
            });
        }
        split.join(" ")
    }

    fn keeps_stop(&self, stem: &str, next: Option<&str>) -> bool {
        let Abbreviations { always, before_numbers } = self.abbreviations;
        let one_of = |list: &str| list.split_whitespace().any(|known| known == stem);
        let initials = stem.contains('.') && self.letter.is_match(stem);
        initials
            || one_of(always) && !one_of(before_numbers)
            || next.is_some_and(|next| self.small.is_match(next))
            || one_of(before_numbers) && next.is_some_and(|next| self.number.is_match(next))
    }
}

/// Replaces East Asian punctuation, and a few European characters, by plain punctuation.
fn in_western_print(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut after_stop = false;
    for char in text.chars() {
        if after_stop && char.is_whitespace() {
            continue;
        }
        after_stop = matches!(char, '。' | '．');
        let other = match char {
            '。' | '．' => ". ",
            '，' | '、' => ",",
            '”' | '“' | '《' | '》' | '」' | '「' => "\"",
            '∶' | '：' => ":",
            '？' => "?",
            '）' => ")",
            '！' => "!",
            '（' => "(",
            '；' => ";",
            '～' => "~",
            '’' => "'",
            '…' => "...",
            '━' => "-",
            '〈' => "<",
            '〉' => ">",
            '【' => "[",
            '】' => "]",
            '％' => "%",
            '０'..='９' => {
                plain.extend(char::from_u32(u32::from(char) - 0xFEE0));
                continue;
            }
            _ => {
                plain.push(char);
                continue;
            }
        };
        plain.push_str(other);
    }
    plain
}

/// Replaces every run of white space by one space.
fn spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Replaces every run of full stops by a word that no rule changes: `..` becomes ` DOTDOTMULTI `.
fn hide_rows_of_stops(text: &str) -> String {
    let mut hidden = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("..") {
        let count = rest[start..].bytes().take_while(|&byte| byte == b'.').count();
        hidden.push_str(&rest[..start]);
        hidden.push(' ');
        hidden.push_str(&"DOT".repeat(count));
        hidden.push_str("MULTI");
        rest = &rest[start + count..];
        if !rest.is_empty() {
            hidden.push(' ');
        }
    }
    hidden + rest
}

/// Reverses [`hide_rows_of_stops`].
fn show_rows_of_stops(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(end) = rest.find("DOTMULTI") {
        let before = &rest[..end + 3];
        let start = before.trim_end_matches("DOT").len();
        shown.push_str(&rest[..start]);
        shown.push_str(&".".repeat((before.len() - start) / 3));
        rest = &rest[end + "DOTMULTI".len()..];
    }
    shown + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(language: &str, text: &str) -> String {
        Cutter::new(language).unwrap().words(text).join(" ")
    }

    #[test]
    fn words_are_those_of_sacremoses() {
        // Each found with sacremoses 0.2.
        assert_eq!(
            words("en", "He said, \"don't (really) go... to St. John's 3.5-km race!\" Mr."),
            "He said , &quot; don &apos;t ( really ) go ... to St. John &apos;s 3.5 @-@ km race ! &quot; Mr."
        );
        assert_eq!(
            words("nl", "Dhr. De Vries' nr. 5 kost 1.250,50 euro, d.w.z. veel."),
            "Dhr . De Vries &apos; nr. 5 kost 1.250,50 euro , d.w.z. veel ."
        );
    }

    #[test]
    fn rows_of_stops_stay_together() {
        for (text, hidden) in [("a....b", "a DOTDOTDOTDOTMULTI b"), ("x..", "x DOTDOTMULTI"), ("a. b", "a. b")] {
            assert_eq!(hide_rows_of_stops(text), hidden);
        }
        assert_eq!(show_rows_of_stops("a DOTDOTDOTDOTMULTI b DOTMULTI"), "a .... b .");
    }

    #[test]
    fn a_language_without_abbreviations_is_refused_with_those_that_have_some() {
        let said = Cutter::new("tlh").unwrap_err().to_string();
        assert!(said.contains("`tlh`") && said.contains("hint: it can those of de, en, nl, ru"), "{said}");
    }
}
