//! Checks: what a user should look at in a translation or a summary, and why.
//!
//! Responsible for the flags, and for finding what deserves one by comparing a sentence and its translation as strings.
//! Invariant: the checks are pure and linear in the length of the texts; they change nothing, and the findings of one
//! pair do not depend on any other. They know Dutch and English. For other languages only those checks run that need no
//! knowledge of a language. Decoding again belongs to `translate`.

mod amounts;
mod calendar;
mod cardinal;
mod copied;
mod digits;
mod exonyms;
mod length;
mod measure;
mod names;
mod quantity;
mod quotes;
mod repetition;
pub(crate) mod words;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::language::Language;

pub(crate) use calendar::is_in_calendar;
pub(crate) use exonyms::{is_common, is_ordinary, is_put_together};
pub(crate) use names::starts_sentence;
pub use repetition::{repeated, repetition};

/// The kind of problem that a segment or a summary may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flag {
    /// The output was cut at the maximum length.
    Truncated,
    /// A number of the source is missing or changed.
    Number,
    /// A date or a time of the source is missing or changed.
    Date,
    /// A name of the source is missing, or one was added.
    Name,
    /// A quotation is opened but not closed, or lost.
    Quote,
    /// The output is much shorter or longer than a translation of this source should be.
    Length,
    /// Words are repeated over and over.
    Repetition,
    /// The source was copied instead of translated.
    Untranslated,
    /// The model itself finds its output unlikely.
    LowScore,
    /// A term that the glossary requires is missing.
    Glossary,
    /// The summary has a number that the article does not have.
    UnsupportedNumber,
    /// The summary has a name that the article does not have.
    UnsupportedName,
}

impl fmt::Display for Flag {
    /// Writes the name of the flag in reports.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "truncated",
            Self::Number => "number",
            Self::Date => "date",
            Self::Name => "name",
            Self::Quote => "quote",
            Self::Length => "length",
            Self::Repetition => "repetition",
            Self::Untranslated => "untranslated",
            Self::LowScore => "low-score",
            Self::Glossary => "glossary",
            Self::UnsupportedNumber => "unsupported-number",
            Self::UnsupportedName => "unsupported-name",
        })
    }
}

/// A problem of a segment or a summary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The kind of problem.
    pub flag: Flag,
    /// The problem in words, such as "`30.000` is missing".
    pub reason: String,
}

impl Finding {
    /// A finding of this kind, with the reason in words.
    #[must_use]
    pub fn new(flag: Flag, reason: String) -> Self {
        Self { flag, reason }
    }

    /// The finding that the output was cut.
    #[must_use]
    pub fn truncated() -> Self {
        Self::new(Flag::Truncated, "cut at the longest output allowed".to_owned())
    }

    fn missing(flag: Flag, what: &str) -> Self {
        Self::new(flag, format!("`{what}` is missing"))
    }

    fn invented(flag: Flag, what: &str) -> Self {
        Self::new(flag, format!("`{what}` is not in the source"))
    }
}

/// The flags of findings, each once, sorted.
#[must_use]
pub fn flags(findings: &[Finding]) -> Vec<Flag> {
    let flags: BTreeSet<Flag> = findings.iter().map(|finding| finding.flag).collect();
    flags.into_iter().collect()
}

/// Counts of segments and summaries with flags, and of each flag.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlagCount {
    /// Number of segments that were checked.
    pub segments: usize,
    /// Number of segments with a flag.
    pub flagged: usize,
    /// Number of summaries with a flag.
    pub summaries: usize,
    /// Number of segments and summaries with each flag.
    pub flags: BTreeMap<Flag, usize>,
}

impl FlagCount {
    /// Counts a segment with its flags.
    pub fn segment(&mut self, flags: &[Flag]) {
        self.segments += 1;
        self.flagged += usize::from(!flags.is_empty());
        self.flags(flags);
    }

    /// Counts a summary with its flags.
    pub fn summary(&mut self, flags: &[Flag]) {
        self.summaries += usize::from(!flags.is_empty());
        self.flags(flags);
    }

    fn flags(&mut self, flags: &[Flag]) {
        for &flag in flags {
            *self.flags.entry(flag).or_default() += 1;
        }
    }

    /// Adds another count to this one.
    pub fn add(&mut self, other: &Self) {
        self.segments += other.segments;
        self.flagged += other.flagged;
        self.summaries += other.summaries;
        for (&flag, count) in &other.flags {
            *self.flags.entry(flag).or_default() += count;
        }
    }

    /// Whether any segment or summary has a flag.
    #[must_use]
    pub fn any(&self) -> bool {
        self.flagged + self.summaries > 0
    }
}

impl fmt::Display for FlagCount {
    /// Writes a line such as `3 of 120 segments flagged: 2 number, 1 name`.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let summaries = match self.summaries {
            0 => String::new(),
            1 => "1 summary".to_owned(),
            several => format!("{several} summaries"),
        };
        let segments = format!("{} of {} segments", self.flagged, self.segments);
        let what: Vec<String> = [segments, summaries]
            .into_iter()
            .zip([self.flagged, self.summaries])
            .filter_map(|(what, count)| (count > 0).then_some(what))
            .collect();
        let mut flags: Vec<_> = self.flags.iter().collect();
        flags.sort_by_key(|&(_, &count)| usize::MAX - count);
        let flags: Vec<String> = flags.iter().map(|(flag, count)| format!("{count} {flag}")).collect();
        write!(f, "{} flagged: {}", what.join(" and "), flags.join(", "))
    }
}

/// The checks of translations between two languages.
#[derive(Clone, Copy, Debug)]
pub struct Checks {
    languages: Option<(Language, Language)>,
}

impl Checks {
    /// The checks for a pair of language codes.
    #[must_use]
    pub fn of(from: &str, to: &str) -> Self {
        Self { languages: Language::known(from).zip(Language::known(to)).filter(|(from, to)| from != to) }
    }

    /// The problems of a translation.
    #[must_use]
    pub fn findings(self, source: &str, target: &str) -> Vec<Finding> {
        let [from, to] = [source, target].map(words::tokens);
        let mut findings = Vec::new();
        if let Some((language, other)) = self.languages {
            let source_side = amounts::Side { text: source, tokens: &from, language };
            let target_side = amounts::Side { text: target, tokens: &to, language: other };
            findings = amounts::findings(&source_side, &target_side);
            findings.extend(names::findings(&from, &to, (language, other)));
            findings.extend(quotes::findings(source, target));
            findings.extend(length::finding(source, target, language));
        }
        findings.extend(repetition(source, target));
        findings.extend(copied::finding(&from, &to, self.languages.map(|(from, _)| from)));
        each_once(findings)
    }
}

/// The mean log-probability per token below which a translation is most likely bad. Chosen on 446 of the bundled model's
/// translations, and measured on 551 others (`benches/results/2026-11-22-checks.md`).
pub const LOW_SCORE: f32 = -0.8;

/// The finding for a translation whose tokens have this mean log-probability, if it is low.
#[must_use]
pub fn low_score(mean: f32) -> Option<Finding> {
    let reason = || format!("the model finds its own words unlikely ({mean:.2} a token)");
    (mean < LOW_SCORE).then(|| Finding::new(Flag::LowScore, reason()))
}

/// The numbers and names of a summary that are not in its article; both are in one language.
#[must_use]
pub fn unsupported(summary: &str, article: &str, language: &str) -> Vec<Finding> {
    // Both texts are read in the same way, so an unknown language does no harm.
    let language = Language::known(language).unwrap_or(Language::English);
    let tokens = [summary, article].map(words::tokens);
    let claimed = amounts::Side { text: summary, tokens: &tokens[0], language };
    let support = amounts::Side { text: article, tokens: &tokens[1], language };
    let numbers = amounts::unsupported(&claimed, &support).into_iter().map(|number| (Flag::UnsupportedNumber, number));
    let names =
        names::unsupported(&tokens[0], &tokens[1], language).into_iter().map(|name| (Flag::UnsupportedName, name));
    let finding = |(flag, what)| Finding::new(flag, format!("`{what}` is not in the article"));
    each_once(numbers.chain(names).map(finding).collect())
}

/// The findings without duplicates.
fn each_once(mut findings: Vec<Finding>) -> Vec<Finding> {
    let mut known = HashSet::new();
    findings.retain(|finding| known.insert((finding.flag, finding.reason.clone())));
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_command_line() {
        for flag in [Flag::LowScore, Flag::UnsupportedName, Flag::Truncated, Flag::Untranslated, Flag::Glossary] {
            assert_eq!(serde_json::to_value(flag).unwrap(), flag.to_string());
        }
        let names = serde_json::to_string(&[Flag::LowScore, Flag::UnsupportedNumber, Flag::Truncated]).unwrap();
        assert_eq!(names, r#"["low-score","unsupported-number","truncated"]"#);
    }
}
