//! The part of a memory that one model with its settings can use.
//!
//! Invariant: two texts have equal keys exactly if everything that decides their outputs is equal.

use sha2::{Digest, Sha256};

use super::kept::{Lookup, NewText};
use super::{Kept, Memory, Recalled, Similar, language, on_one_line};

/// A memory for one model with its settings, between two languages.
pub struct MemoryScope<'a> {
    memory: &'a Memory,
    /// The hash of the settings that decide the output for any text; `None` if only corrections are used.
    settings: Option<[u8; 32]>,
    model: String,
    from: String,
    to: String,
    /// The least similarity of similar sources, in percent; `None` if similar sources are not looked up.
    similar: Option<u8>,
}

/// All that decides the output for a text, beside the settings of a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextKey<'a> {
    /// The kind of output: a constant of [`MemoryScope`].
    pub kind: &'static str,
    /// The text.
    pub source: &'a str,
    /// Everything else that decides the output.
    pub rest: &'a str,
}

impl<'a> MemoryScope<'a> {
    /// The kind of a translated sentence, which may have a correction.
    pub const SEGMENT: &'static str = "segment";
    /// The kind of a text that no model translates because it is copied, but that may have a correction.
    pub const COPIED: &'static str = "copied";
    /// The kind of a summary, which has no corrections.
    pub const SUMMARY: &'static str = "summary";

    /// The part of `memory` for `settings`, which must contain everything that decides the outputs of `model`.
    /// Without settings only corrections are recalled, and nothing is kept. `from` and `to` are codes of languages.
    #[must_use]
    pub fn new(memory: &'a Memory, settings: Option<&[u8]>, model: &str, from: &str, to: &str) -> Self {
        let settings = settings.map(|settings| Sha256::digest(settings).into());
        let (model, from, to) = (model.to_owned(), language(from), language(to));
        Self { memory, settings, model, from, to, similar: None }
    }

    /// The scope with look-ups of sources that are similar by `percent` or more; without them for `None`.
    #[must_use]
    pub fn with_similar(self, percent: Option<u8>) -> Self {
        Self { similar: percent, ..self }
    }

    /// Looks up texts: one result for each, `None` if nothing is known.
    #[must_use]
    pub fn recall(&self, texts: &[TextKey]) -> Vec<Option<Recalled>> {
        self.look_up(texts, self.settings.is_none())
    }

    /// Looks up the corrections of texts: one result for each, `None` if there is none.
    #[must_use]
    pub fn recall_corrections(&self, texts: &[TextKey]) -> Vec<Option<Recalled>> {
        self.look_up(texts, true)
    }

    fn look_up(&self, texts: &[TextKey], only_corrected: bool) -> Vec<Option<Recalled>> {
        let wanted = |text: &TextKey| Lookup {
            key: self.key(text),
            source: (text.kind != Self::SUMMARY).then(|| on_one_line(text.source)),
            only_corrected: only_corrected || text.kind == Self::COPIED,
            from: &self.from,
            to: &self.to,
        };
        self.memory.recall(&texts.iter().map(wanted).collect::<Vec<_>>())
    }

    /// Keeps the outputs for texts in one transaction.
    pub fn keep(&self, texts: &[(TextKey, Kept)]) {
        if self.settings.is_none() {
            return;
        }
        let new =
            |(text, kept): &'_ (TextKey<'_>, Kept)| (self.key(text), text.kind, text.source.to_owned(), kept.clone());
        let new: Vec<_> = texts.iter().map(new).collect();
        let texts = new.iter().map(|(key, kind, source, kept)| NewText {
            key: *key,
            kind,
            model: &self.model,
            from: &self.from,
            to: &self.to,
            source,
            kept,
        });
        self.memory.keep(&texts.collect::<Vec<_>>());
    }

    /// Known translations of sources that are similar to this one, the most similar first; none unless the scope has
    /// a percentage for them.
    #[must_use]
    pub fn similar(&self, source: &str) -> Vec<Similar> {
        let Some(percent) = self.similar else { return Vec::new() };
        self.memory.similar(&on_one_line(source), &self.from, &self.to, percent)
    }

    /// The key of a text: each part with its length, so that no two sequences of parts are the same bytes.
    fn key(&self, text: &TextKey) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.settings.unwrap_or_default());
        for part in [text.kind, text.rest, text.source] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        hash.finalize().into()
    }
}
