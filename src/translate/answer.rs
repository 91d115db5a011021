//! The answer of a model to a text, and whether the text is decoded again.
//!
//! Invariant: whether a text is decoded again with a guard against repetition, and which of the two generations is
//! kept, depends on that text alone, and not on the rows beside it.

use crate::check::{self, Finding, Flag};
use crate::engine::{Generation, ResumePoint};

/// The answer of a model to a text, with the findings of the checks.
pub(super) struct Answer {
    /// The generation that is kept.
    pub generation: Generation,
    /// The findings about it.
    pub findings: Vec<Finding>,
    /// The result of decoding the text again.
    pub retry: Retry,
    /// The first generation, if the second one is kept.
    replaced: Option<Generation>,
}

/// The result of decoding a text again with a guard against repetition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Retry {
    /// The model did not repeat itself, or cannot decode with a guard.
    NotNeeded,
    /// The text is to be decoded again.
    Pending,
    /// The text was not decoded again, since the guard would have changed nothing.
    Same,
    /// The second generation is better; the reason why the first was decoded again.
    Better(String),
    /// The second generation is not better.
    NoBetter,
}

impl Retry {
    /// Whether the text was decoded a second time.
    pub fn is_made(&self) -> bool {
        matches!(self, Self::Better(_) | Self::NoBetter)
    }

    /// The finding about the retry for a reader; `None` if there is nothing to report.
    pub fn finding(&self) -> Option<Finding> {
        let reason = match self {
            Self::NotNeeded | Self::Pending => return None,
            Self::Same => "a guard against repetition would change nothing".to_owned(),
            Self::Better(first) => format!("decoded again with a guard against repetition: at first, {first}"),
            Self::NoBetter => "decoding again with a guard against repetition gave nothing better".to_owned(),
        };
        Some(Finding::new(Flag::Repetition, reason))
    }
}

impl Answer {
    /// The first answer to a text. If the model repeats itself and `can_guard` is set, the text is to be decoded
    /// again.
    pub fn new(generation: Generation, findings: Vec<Finding>, can_guard: bool) -> Self {
        let retry = match generation.resume_point {
            _ if !can_guard || repetition(&findings).is_none() => Retry::NotNeeded,
            ResumePoint::Never => Retry::Same,
            _ => Retry::Pending,
        };
        Self { generation, findings, retry, replaced: None }
    }

    /// Compares the first generation of the text `source` with the one that was guarded, and keeps the better.
    pub fn compare(&mut self, source: &str, guarded: Generation, findings: Vec<Finding>) {
        let first = faults(source, &self.generation, &self.findings);
        self.retry = if faults(source, &guarded, &findings) < first {
            let reason = repetition(&self.findings).map(|finding| finding.reason.clone());
            self.replaced = Some(std::mem::replace(&mut self.generation, guarded));
            self.findings = findings;
            Retry::Better(reason.unwrap_or_default())
        } else {
            Retry::NoBetter
        };
    }

    /// The text of the hypothesis of this rank. Rank 0, and any rank that does not exist, is the generation that is
    /// kept.
    pub fn text(&self, rank: usize) -> &str {
        let hypotheses = &self.replaced.as_ref().unwrap_or(&self.generation).hypotheses;
        let other = hypotheses.get(rank).filter(|_| rank > 0);
        other.map_or(&self.generation.text, |other| &other.text)
    }
}

fn repetition(findings: &[Finding]) -> Option<&Finding> {
    findings.iter().find(|finding| finding.flag == Flag::Repetition)
}

/// The faults of a generation: the number of its flags, and the number of repeated tokens.
fn faults(source: &str, generation: &Generation, findings: &[Finding]) -> (usize, usize) {
    let flags = check::flags(findings).len();
    (flags + usize::from(generation.truncated), check::repeated(source, &generation.text))
}
