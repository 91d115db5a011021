//! What a translation must contain: required terms, and protected spans.
//!
//! Strings only: which terms of a glossary a sentence calls for, in which alternative spellings, which spans of it are an
//! address, code or a placeholder, and whether a target contains all of them. How a model is made to write a term belongs to
//! `search`. Invariant: the terms of a sentence do not overlap, and each has at least one spelling.

mod cover;
mod inflection;
mod spans;

use std::collections::HashMap;
use std::ops::Range;

use anyhow::{Context, Result, ensure};

pub use cover::{Alternatives, TermMatch, cover, missing};
pub use spans::{is_sign, spans};

use crate::error::{Error, ErrorKind, WithHint};
use crate::language::Language;
use inflection::WordForm;

/// Required terms: source terms, each with its target term.
#[derive(Clone, Debug, Default)]
pub struct Glossary {
    entries: Vec<GlossaryEntry>,
    /// Each form of an entry's first word, in small letters, and the entries that may begin with it.
    starts: HashMap<String, Vec<usize>>,
}

/// One line of a glossary.
#[derive(Clone, Debug)]
struct GlossaryEntry {
    line: usize,
    source: String,
    target: String,
    words: Vec<WordPattern>,
    /// Spellings of the target, and those of its plural.
    singular: Vec<String>,
    plural: Vec<String>,
}

/// One word of a source term.
#[derive(Clone, Debug)]
struct WordPattern {
    text: String,
    /// Whether white space stands before the word.
    spaced: bool,
    forms: Vec<WordForm>,
}

/// A term that a sentence calls for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term<'a> {
    /// The bytes of the source term in the sentence.
    pub range: Range<usize>,
    /// The required target term.
    pub target: &'a str,
    /// The spellings of the target term; any of them will do.
    pub alternatives: Vec<&'a str>,
}

/// A match of an entry, before overlaps are resolved.
struct Match {
    entry: usize,
    range: Range<usize>,
    /// Whether it is letter for letter as in the glossary.
    exact: bool,
    plural: bool,
}

impl Glossary {
    /// Reads lines of source term, tab, required target term. Empty lines and those that begin with `#` are
    /// left out. `from` and `to` are codes of languages: inflected forms are known of Dutch, plurals of English.
    ///
    /// # Errors
    /// Names the line that is not UTF-8, has no tab or two, lacks a term, or contradicts another.
    pub fn parse(bytes: &[u8], from: &str, to: &str) -> Result<Self, Error> {
        Self::read(bytes, from, to).map_err(|error| Error::from(error).or_kind(ErrorKind::Input))
    }

    fn read(bytes: &[u8], from: &str, to: &str) -> Result<Self> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let dutch = Language::known(from) == Some(Language::Dutch);
        let english = Language::known(to) == Some(Language::English);
        let mut glossary = Self::default();
        let mut known: HashMap<String, usize> = HashMap::new();
        for (number, line) in (1..).zip(bytes.split(|&byte| byte == b'\n')) {
            let entry = parse_line(line, number, dutch, english);
            let Some(entry) = entry.with_context(|| format!("line {number}"))? else { continue };
            if let Some(&other) = known.get(&entry.source) {
                let other: &GlossaryEntry = &glossary.entries[other];
                ensure!(
                    other.target == entry.target,
                    format!(
                        "line {number}: `{}` is to be `{}`, but in line {} it is `{}`",
                        entry.source, entry.target, other.line, other.target
                    )
                    .with_hint("keep one of the two lines")
                );
                continue;
            }
            known.insert(entry.source.clone(), glossary.entries.len());
            glossary.add(entry);
        }
        Ok(glossary)
    }

    fn add(&mut self, entry: GlossaryEntry) {
        for form in entry.words.first().map(|word| word.forms.as_slice()).unwrap_or_default() {
            self.starts.entry(form.text.clone()).or_default().push(self.entries.len());
        }
        self.entries.push(entry);
    }

    /// The required target terms, each with the number of its line.
    pub fn targets(&self) -> impl Iterator<Item = (usize, &str)> {
        self.entries.iter().map(|entry| (entry.line, entry.target.as_str()))
    }

    /// The glossary's terms in one text: equal texts require the same terms.
    #[must_use]
    pub fn describe(&self) -> String {
        let lines = self.entries.iter().map(|entry| format!("{}\t{}", entry.source, entry.target));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// The terms that a sentence calls for, in its order. Of matches that overlap the longest counts, then the
    /// one that is letter for letter the glossary's, then the first.
    #[must_use]
    pub fn terms(&self, sentence: &str) -> Vec<Term<'_>> {
        let words = words(sentence);
        let mut matches: Vec<Match> =
            (0..words.len()).flat_map(|first| self.matches(sentence, &words, first)).collect();
        matches
            .sort_by_key(|found| (std::cmp::Reverse(found.range.len()), !found.exact, found.range.start, found.entry));
        let mut kept: Vec<Match> = Vec::new();
        for found in matches {
            if kept.iter().all(|other| other.range.end <= found.range.start || found.range.end <= other.range.start) {
                kept.push(found);
            }
        }
        kept.sort_by_key(|found| found.range.start);
        kept.into_iter().map(|found| self.term(&found)).collect()
    }

    fn term(&self, found: &Match) -> Term<'_> {
        let entry = &self.entries[found.entry];
        let plural = entry.plural.iter().filter(|_| found.plural);
        let alternatives = entry.singular.iter().chain(plural).map(String::as_str).collect();
        Term { range: found.range.clone(), target: &entry.target, alternatives }
    }

    /// The entries that the words from `first` on match.
    fn matches<'a>(&'a self, text: &'a str, words: &'a [TextWord], first: usize) -> impl Iterator<Item = Match> + 'a {
        let start = with_plain_apostrophes(&text[words[first].range.clone()]).to_lowercase();
        let entries = self.starts.get(&start).map(Vec::as_slice).unwrap_or_default();
        entries.iter().filter_map(move |&entry| {
            let patterns = &self.entries[entry].words;
            let here = words.get(first..first + patterns.len())?;
            let mut found =
                Match { entry, range: words[first].range.start..here.last()?.range.end, exact: false, plural: false };
            for (at, (pattern, word)) in patterns.iter().zip(here).enumerate() {
                if at > 0 && pattern.spaced != word.spaced {
                    return None;
                }
                found.plural |= pattern.matches(&text[word.range.clone()])?.plural;
            }
            found.exact = text[found.range.clone()] == self.entries[entry].source;
            Some(found)
        })
    }
}

impl WordPattern {
    /// The form in which a word of a text matches this pattern. Capitals of the pattern must be capitals there, so that `EU` is
    /// not `eu`; small letters may be capitals, as at the start of a sentence.
    fn matches(&self, word: &str) -> Option<&WordForm> {
        let word = with_plain_apostrophes(word);
        let capitals = self.text.chars().zip(word.chars()).all(|(mine, theirs)| !mine.is_uppercase() || mine == theirs);
        let small = word.to_lowercase();
        self.forms.iter().find(|form| capitals && form.text == small)
    }
}

fn parse_line(line: &[u8], number: usize, dutch: bool, english: bool) -> Result<Option<GlossaryEntry>> {
    let line = std::str::from_utf8(line).map_err(|error| {
        anyhow::anyhow!(
            format!("not valid UTF-8 at byte {} of the line", error.valid_up_to())
                .with_hint("convert the file first, for instance with `iconv -f WINDOWS-1252 -t UTF-8`")
        )
    })?;
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.trim().is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let hint = "a line is a source term, a tab, and the target term";
    let fields: Vec<&str> = line.split('\t').map(str::trim).collect();
    let [source, target] = fields[..] else {
        anyhow::bail!(format!("{} tabs instead of one in `{line}`", fields.len() - 1).with_hint(hint))
    };
    ensure!(!source.is_empty(), "no source term before the tab".with_hint(hint));
    ensure!(!target.is_empty(), format!("no target term for `{source}`").with_hint(hint));
    ensure!(
        !line.contains(|c: char| c.is_control() && c != '\t'),
        format!("a control character in `{source}`").with_hint(hint)
    );
    let pattern = |word: TextWord| {
        let text = with_plain_apostrophes(&source[word.range]);
        let small = text.to_lowercase();
        let forms = if dutch { inflection::dutch(&small) } else { vec![WordForm { text: small, plural: false }] };
        WordPattern { text, spaced: word.spaced, forms }
    };
    let plural = if english { inflection::english_plural(target) } else { None };
    Ok(Some(GlossaryEntry {
        line: number,
        words: words(source).into_iter().map(pattern).collect(),
        singular: capitalisations(target),
        plural: plural.map(|plural| capitalisations(&plural)).unwrap_or_default(),
        source: source.to_owned(),
        target: target.to_owned(),
    }))
}

/// The plurals that a Dutch word in small letters may have; rules of spelling also make some that do not exist.
pub(crate) fn plurals(word: &str) -> Vec<String> {
    inflection::dutch(word).into_iter().filter(|form| form.plural).map(|form| form.text).collect()
}

/// The spellings of a term within a sentence and at the start of one.
fn capitalisations(term: &str) -> Vec<String> {
    let mut letters = term.chars();
    let first = letters.next().map(|c| c.to_uppercase().collect::<String>()).unwrap_or_default();
    let capital = first + letters.as_str();
    if capital == term { vec![capital] } else { vec![term.to_owned(), capital] }
}

/// A word or a sign of a text.
struct TextWord {
    range: Range<usize>,
    /// Whether white space stands before it.
    spaced: bool,
}

/// The words and signs of a text: letters and digits, with apostrophes between them, make a word.
fn words(text: &str) -> Vec<TextWord> {
    let mut words: Vec<TextWord> = Vec::new();
    let mut spaced = false;
    let mut rest = text.char_indices().peekable();
    while let Some((at, c)) = rest.next() {
        if c.is_whitespace() {
            spaced = true;
            continue;
        }
        let mut end = at + c.len_utf8();
        while c.is_alphanumeric()
            && let Some(&(next, d)) = rest.peek()
            && (d.is_alphanumeric()
                || is_apostrophe(d) && text[next + d.len_utf8()..].starts_with(char::is_alphanumeric))
        {
            end = next + d.len_utf8();
            rest.next();
        }
        words.push(TextWord { range: at..end, spaced: std::mem::take(&mut spaced) });
    }
    words
}

fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '’')
}

/// A word with plain apostrophes, as keyboards have them, for typographic ones.
fn with_plain_apostrophes(word: &str) -> String {
    word.replace('’', "'")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glossary(text: &str) -> Glossary {
        Glossary::parse(text.as_bytes(), "nl", "en").unwrap()
    }

    /// What is required for a sentence: the source as it stands there, and the target.
    fn required<'a>(glossary: &'a Glossary, sentence: &'a str) -> Vec<(&'a str, &'a str)> {
        glossary.terms(sentence).into_iter().map(|term| (&sentence[term.range], term.target)).collect()
    }

    #[test]
    fn inflected_and_capitalised_forms_match() {
        let glossary = glossary(
            "raadslid\tcouncil member\nrood\tcrimson\nEU\tthe Union\nfoto\tpicture\nhoge raad\tsupreme court\n",
        );
        for (sentence, expected) in [
            (
                "Raadsleden willen een rode EU.",
                &[("Raadsleden", "council member"), ("rode", "crimson"), ("EU", "the Union")][..],
            ),
            ("eu is niets, RAADSLID wel", &[("RAADSLID", "council member")]),
            ("Twee foto’s van de Hoge Raad", &[("foto’s", "picture"), ("Hoge Raad", "supreme court")]),
            ("De EU-top, rood-wit", &[("EU", "the Union"), ("rood", "crimson")]),
            ("raadslidmaatschap en hogeraad", &[]),
            ("hoge  raad en hoge, raad", &[("hoge  raad", "supreme court")]),
        ] {
            assert_eq!(required(&glossary, sentence), expected, "{sentence}");
        }
        assert!(required(&Glossary::parse(b"raad\tcouncil", "fr", "en").unwrap(), "raden").is_empty());
    }

    #[test]
    fn the_longest_match_wins() {
        let glossary = glossary("hoge raad\tA\nraad van state\tB\nraad\tC\nRaad\tD\n");
        for (sentence, expected) in [
            ("hoge raad van state", &[("raad van state", "B")][..]),
            ("hoge raad, raad", &[("hoge raad", "A"), ("raad", "C")]),
            ("de Raad en de raad", &[("Raad", "D"), ("raad", "C")]),
            ("raad raad", &[("raad", "C"), ("raad", "C")]),
        ] {
            assert_eq!(required(&glossary, sentence), expected, "{sentence}");
        }
    }

    #[test]
    fn a_term_may_be_written_in_several_ways() {
        let glossary = glossary("maatregel\tpolicy\nHaag\tThe Hague\n");
        let alternatives = |sentence: &'static str| glossary.terms(sentence)[0].alternatives.clone();
        assert_eq!(alternatives("maatregel"), ["policy", "Policy"]);
        assert_eq!(alternatives("maatregelen"), ["policy", "Policy", "policies", "Policies"]);
        assert_eq!(alternatives("Haag"), ["The Hague"]);
    }

    #[test]
    fn comments_and_empty_lines_are_left_out() {
        let glossary = glossary("\u{feff}# terms\r\n\r\n  raad \t council \r\nraad\tcouncil\n\t \n");
        assert_eq!(glossary.targets().collect::<Vec<_>>(), [(3, "council")]);
        assert_eq!(glossary.describe(), "raad\tcouncil");
    }

    #[test]
    fn a_bad_line_is_named() {
        for (text, said) in [
            (&b"a\tb\nraad council"[..], "line 2: 0 tabs"),
            (b"a\tb\tc", "line 1: 2 tabs"),
            (b"\n\tcouncil", "line 2: no source term"),
            (b"raad\t ", "line 1: no target term for `raad`"),
            (b"# x\nraad\tcaf\xe9", "line 2: not valid UTF-8 at byte 8"),
            (b"raad\tcouncil\n\nraad\tboard", "line 3: `raad` is to be `board`, but in line 1 it is `council`"),
            (b"raad\tcoun\x07cil", "line 1: a control character"),
        ] {
            let error = format!("{:#}", Glossary::parse(text, "nl", "en").unwrap_err());
            assert!(error.starts_with(said) && error.contains("\nhint: "), "{error}");
        }
    }
}
