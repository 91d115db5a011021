//! Summaries that a memory knows, and those that it is to know.
//!
//! Invariant: what is recalled is all that `abstractive` looks at in a generation.

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::abstractive::{LengthLimits, SummaryWriter};
use crate::engine::Generation;
use crate::memory::{Kept, MemoryScope, Recalled, TextKey};

/// A model that writes only what a memory does not know, where there is one.
pub struct RememberingWriter<'a, W> {
    writer: W,
    memory: Option<MemoryScope<'a>>,
}

/// What is kept of a generation beside its text.
#[derive(Deserialize, Serialize)]
struct Details {
    source_tokens: usize,
    target_tokens: usize,
    truncated: bool,
}

impl<'a, W: SummaryWriter> RememberingWriter<'a, W> {
    /// `writer` with what `memory` knows of it.
    #[must_use]
    pub fn new(writer: W, memory: Option<MemoryScope<'a>>) -> Self {
        Self { writer, memory }
    }
}

impl<W: SummaryWriter> SummaryWriter for RememberingWriter<'_, W> {
    fn write(&self, texts: &[&str], limits: Option<LengthLimits>) -> Result<Vec<Generation>> {
        let Some(memory) = &self.memory else { return self.writer.write(texts, limits) };
        let rest = format!("{limits:?}");
        let key = |source| TextKey { kind: MemoryScope::SUMMARY, source, rest: &rest };
        let keys: Vec<TextKey> = texts.iter().map(|text| key(text)).collect();
        let mut written: Vec<Option<Generation>> = memory.recall(&keys).into_iter().map(recalled).collect();
        let missing = || texts.iter().zip(&written).filter(|(_, known)| known.is_none()).map(|(text, _)| *text);
        let missing: Vec<&str> = missing().collect();
        if missing.is_empty() {
            return Ok(written.into_iter().flatten().collect());
        }
        let made = self.writer.write(&missing, limits)?;
        let new = missing.iter().zip(&made).filter_map(|(text, generation)| Some((key(text), kept(generation)?)));
        memory.keep(&new.collect::<Vec<_>>());
        let mut made = made.into_iter();
        written.iter_mut().filter(|known| known.is_none()).for_each(|missing| *missing = made.next());
        Ok(written.into_iter().flatten().collect())
    }

    fn count_tokens(&self, text: &str) -> Result<usize> {
        self.writer.count_tokens(text)
    }

    fn window(&self) -> usize {
        self.writer.window()
    }

    fn least_tokens(&self) -> usize {
        self.writer.least_tokens()
    }
}

fn kept(generation: &Generation) -> Option<Kept> {
    let &Generation { source_tokens, target_tokens, truncated, .. } = generation;
    let details = serde_json::to_string(&Details { source_tokens, target_tokens, truncated }).ok()?;
    Some(Kept { target: generation.text.clone(), details })
}

/// The generation that was kept; none where it cannot be read.
fn recalled(known: Option<Recalled>) -> Option<Generation> {
    let Some(Recalled::Kept(Kept { target, details })) = known else { return None };
    let Details { source_tokens, target_tokens, truncated } = serde_json::from_str(&details).ok()?;
    Some(Generation { text: target, source_tokens, target_tokens, truncated, ..Generation::default() })
}
