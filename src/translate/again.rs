//! What a model repeats over and over is asked for again, with a guard against it.
//!
//! Invariant: whether a text is decoded again, and which of the two generations is kept, depends on nothing
//! but that text; so rows stay as they are whatever is beside them.

use anyhow::Result;

use super::{Answer, Generate, Looked, Translator};
use crate::check::{self, Finding, Flag};
use crate::engine::{Divergence, Generation};

/// What decoding a text again gave.
#[derive(Clone, Debug)]
pub(super) enum Again {
    /// A better generation; this was the matter with the first.
    Better(String),
    /// None that is better.
    NoBetter,
    /// Nothing else: it was not decoded, since the guard would have changed nothing.
    Same,
}

impl Again {
    /// What a reader should know of it.
    pub(super) fn finding(&self) -> Finding {
        let reason = match self {
            Self::Better(first) => format!("decoded again with a guard against repetition: at first, {first}"),
            Self::NoBetter => "decoding again with a guard against repetition gave nothing better".to_owned(),
            Self::Same => "a guard against repetition would change nothing".to_owned(),
        };
        Finding::new(Flag::Repetition, reason)
    }
}

/// Whether a model is to be asked again because of what was found, and may say something else then.
pub(super) fn is_needed(generation: &Generation, findings: &[Finding]) -> bool {
    repetition(findings).is_some() && !would_be_same(generation)
}

fn would_be_same(generation: &Generation) -> bool {
    matches!(generation.divergence, Divergence::Never)
}

fn repetition(findings: &[Finding]) -> Option<&Finding> {
    findings.iter().find(|finding| finding.flag == Flag::Repetition)
}

/// Asks the model again wherever it repeats itself, and keeps the better generation.
pub(super) fn guard<G: Generate + ?Sized>(translator: &Translator<'_, G>, mut answers: Vec<&mut Answer>) -> Result<()> {
    answers.retain(|answer| repetition(&answer.findings).is_some());
    let (same, answers): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| would_be_same(&answer.generation));
    for answer in same {
        answer.again = Some(Again::Same);
    }
    let texts: Vec<_> = answers.iter().map(|answer| (answer.source.as_str(), &answer.generation.divergence)).collect();
    let guarded = if texts.is_empty() { None } else { translator.model.generate_guarded(&texts)? };
    for (answer, generation) in answers.into_iter().zip(guarded.into_iter().flatten()) {
        let Looked { text, findings } = translator.look(&answer.source, &generation);
        let generation = Generation { text, ..generation };
        let first = faults(&answer.source, &answer.generation, &answer.findings);
        answer.again = Some(if faults(&answer.source, &generation, &findings) < first {
            let reason = repetition(&answer.findings).map(|finding| finding.reason.clone());
            (answer.generation, answer.findings) = (generation, findings);
            Again::Better(reason.unwrap_or_default())
        } else {
            Again::NoBetter
        });
    }
    Ok(())
}

/// What is wrong with a generation: how many flags it would carry, and how many tokens repeat.
fn faults(source: &str, generation: &Generation, findings: &[Finding]) -> (usize, usize) {
    let flags = check::flags(findings).len();
    (flags + usize::from(generation.truncated), check::repeated(source, &generation.text))
}
