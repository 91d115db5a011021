//! What a model answered to a text, and whether it is asked again.
//!
//! Invariant: whether a text is decoded again with a guard against repetition, and which of the two generations is kept,
//! depends on nothing but that text; so rows stay as they are whatever is beside them.

use crate::check::{self, Finding, Flag};
use crate::engine::{Generation, ResumePoint};

/// A model's answer to a text, with what is found wrong with it.
pub(super) struct Answer {
    /// The generation that is kept.
    pub generation: Generation,
    /// What is found wrong with it.
    pub findings: Vec<Finding>,
    /// What came of decoding the text again.
    pub retry: Retry,
    /// The first generation, where another one is kept.
    replaced: Option<Generation>,
}

/// What decoding a text again gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Retry {
    /// The model did not repeat itself, or could not be asked again.
    NotNeeded,
    /// The model is asked again and has not answered yet.
    Pending,
    /// The text was not decoded again, since the guard would have changed nothing.
    Same,
    /// A better generation; this was the matter with the first.
    Better(String),
    /// No better generation.
    NoBetter,
}

impl Retry {
    /// Whether the text was decoded a second time.
    pub fn is_made(&self) -> bool {
        matches!(self, Self::Better(_) | Self::NoBetter)
    }

    /// What a reader should know of it.
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
    /// The first answer to a text; where the model repeats itself and `can_guard`, the text is to be decoded again.
    pub fn new(generation: Generation, findings: Vec<Finding>, can_guard: bool) -> Self {
        let retry = match generation.resume_point {
            _ if !can_guard || repetition(&findings).is_none() => Retry::NotNeeded,
            ResumePoint::Never => Retry::Same,
            _ => Retry::Pending,
        };
        Self { generation, findings, retry, replaced: None }
    }

    /// Keeps the better one of the first generation of the text `source` and this one, which has a guard.
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

    /// The text of a hypothesis by its rank; the best one, of rank 0, is the generation that is kept, which also stands for
    /// those that there are not.
    pub fn text(&self, rank: usize) -> &str {
        let hypotheses = &self.replaced.as_ref().unwrap_or(&self.generation).hypotheses;
        let other = hypotheses.get(rank).filter(|_| rank > 0);
        other.map_or(&self.generation.text, |other| &other.text)
    }
}

fn repetition(findings: &[Finding]) -> Option<&Finding> {
    findings.iter().find(|finding| finding.flag == Flag::Repetition)
}

/// What is wrong with a generation: how many flags it would carry, and how many tokens repeat.
fn faults(source: &str, generation: &Generation, findings: &[Finding]) -> (usize, usize) {
    let flags = check::flags(findings).len();
    (flags + usize::from(generation.truncated), check::repeated(source, &generation.text))
}
