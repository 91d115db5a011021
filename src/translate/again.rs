//! What a model repeats over and over is asked for again, with a guard against it.
//!
//! Invariant: whether a text is decoded again, and which of the two generations is kept, depends on nothing
//! but that text; so rows stay as they are whatever is beside them.

use std::collections::HashMap;

use anyhow::Result;

use super::Generate;
use crate::check::{self, Checks, Finding, Flag};
use crate::engine::Generation;

/// What decoding a text again gave.
#[derive(Clone, Debug)]
pub(super) enum Again {
    /// A better generation; this was the matter with the first.
    Better(String),
    /// None that is better.
    NoBetter,
}

impl Again {
    /// What a reader should know of it.
    pub(super) fn finding(&self) -> Finding {
        let reason = match self {
            Self::Better(first) => format!("decoded again with a guard against repetition: at first, {first}"),
            Self::NoBetter => "decoding again with a guard against repetition gave nothing better".to_owned(),
        };
        Finding::new(Flag::Repetition, reason)
    }
}

/// Asks the model again wherever it repeats itself, and keeps the better generation. Returns what came of
/// it, by the places of the texts.
pub(super) fn guard<G: Generate + ?Sized>(
    model: &G,
    checks: Checks,
    sources: &[&str],
    generations: &mut [Generation],
) -> Result<HashMap<usize, Again>> {
    let loops =
        |(place, generation): (usize, &Generation)| Some((place, check::repetition(sources[place], &generation.text)?));
    let found: Vec<(usize, Finding)> = generations.iter().enumerate().filter_map(loops).collect();
    let texts: Vec<&str> = found.iter().map(|(place, _)| sources[*place]).collect();
    let guarded = if texts.is_empty() { None } else { model.generate_guarded(&texts)? };
    let mut again = HashMap::new();
    for ((place, first), guarded) in found.into_iter().zip(guarded.into_iter().flatten()) {
        let better = faults(checks, sources[place], &guarded) < faults(checks, sources[place], &generations[place]);
        if better {
            generations[place] = guarded;
        }
        again.insert(place, if better { Again::Better(first.reason) } else { Again::NoBetter });
    }
    Ok(again)
}

/// What is wrong with a generation: how many flags it would carry, and how many tokens repeat.
fn faults(checks: Checks, source: &str, generation: &Generation) -> (usize, usize) {
    let flags = check::flags(&checks.findings(source, &generation.text)).len();
    (flags + usize::from(generation.truncated), check::repeated(source, &generation.text))
}
