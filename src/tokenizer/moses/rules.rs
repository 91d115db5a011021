//! Rules that replace matches of regular expressions, applied one after another.

use anyhow::{Result, anyhow};
use regex_automata::meta::Regex;

/// A rule: a pattern, and the text that replaces every match; `$1` stands for the first group of the match.
#[derive(Debug)]
pub(super) struct Rule {
    pattern: Regex,
    with: String,
}

impl Rule {
    /// Compiles a pattern. In brackets it may use Moses' character classes: `ALPHA` (letters), `ALNUM` (letters and
    /// digits), `LOWER` (lower-case letters) and `NUMBER` (numbers).
    pub(super) fn new(pattern: &str, with: &str) -> Result<Self> {
        let pattern = CLASSES.iter().fold(pattern.to_owned(), |pattern, (name, class)| pattern.replace(name, class));
        Ok(Self { pattern: Regex::new(&pattern).map_err(|error| anyhow!("{error}"))?, with: with.to_owned() })
    }

    /// Compiles several rules.
    pub(super) fn all(rules: &[(&str, &str)]) -> Result<Vec<Self>> {
        rules.iter().map(|(pattern, with)| Self::new(pattern, with)).collect()
    }

    /// The text with every match replaced.
    pub(super) fn apply(&self, text: &str) -> String {
        let mut replaced = String::with_capacity(text.len());
        let mut end = 0;
        for found in self.pattern.captures_iter(text) {
            let Some(whole) = found.get_match() else { continue };
            replaced.push_str(&text[end..whole.start()]);
            found.interpolate_string_into(text, &self.with, &mut replaced);
            end = whole.end();
        }
        replaced.push_str(&text[end..]);
        replaced
    }

    /// Whether the text has a match.
    pub(super) fn is_match(&self, text: &str) -> bool {
        self.pattern.is_match(text)
    }
}

/// The text after all rules, one after another.
pub(super) fn applied(rules: &[Rule], text: &str) -> String {
    rules.iter().fold(text.to_owned(), |text, rule| rule.apply(&text))
}

/// Moses' character classes. Its lists are of an old Unicode version: they lack ideographs, Hangul and nearly everything
/// beyond the first plane, but contain the marks that join or change consonants in Indian scripts.
const CLASSES: [(&str, &str); 4] = [
    (
        "ALNUM",
        r"[[\p{Alphabetic}\p{Nd}]--[\x{3005}\x{3007}\x{3021}-\x{3029}\x{3038}-\x{303B}\x{3400}-\x{9FFF}\x{AC00}-\x{D7A3}\x{F900}-\x{FAFF}\x{10000}-\x{10FFFF}]]\x{93C}\x{94D}\x{9BC}\x{9CD}\x{A3C}\x{A4D}\x{ABC}\x{ACD}\x{AFD}-\x{AFF}\x{B3C}\x{B4D}\x{BCD}\x{C4D}\x{CBC}\x{CCD}\x{D3B}\x{D3C}\x{D4D}\x{DCA}\x{EBA}\x{1039}\x{1714}\x{1BAB}\x{1C37}\x{A8C4}\x{A8F3}\x{A8F4}\x{A953}\x{AAF6}",
    ),
    (
        "ALPHA",
        r"[\p{Alphabetic}--[\x{3005}\x{3007}\x{3021}-\x{3029}\x{3038}-\x{303B}\x{3400}-\x{9FFF}\x{AC00}-\x{D7A3}\x{F900}-\x{FAFF}\x{10000}-\x{10FFFF}]]",
    ),
    ("LOWER", r"[\p{Lowercase}--[\x{10D0}-\x{10FF}\x{10000}-\x{10FFFF}]]"),
    ("NUMBER", r"[\p{N}--[\x{3007}\x{3021}-\x{3029}\x{3038}-\x{303A}\x{10000}-\x{10FFFF}]]"),
];
