//! The part of a memory that one model with its settings can use.
//!
//! Invariant: two texts have the same key exactly if all that decides what is made of them is the same.

use sha2::{Digest, Sha256};

use super::kept::{NewText, Wanted};
use super::{Kept, Memory, Recalled, Similar, language, on_one_line};

/// A memory for one model with its settings, between two languages.
pub struct MemoryScope<'a> {
    memory: &'a Memory,
    /// The hash of all that decides what is made of any text; none where only corrections count.
    settings: Option<[u8; 32]>,
    model: String,
    from: String,
    to: String,
    /// From how many percent on sources are similar.
    similar: Option<u8>,
}

/// What decides what is made of a text, beside the settings of a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextKey<'a> {
    /// What is made of it: a kind of [`MemoryScope`].
    pub kind: &'static str,
    /// The text.
    pub source: &'a str,
    /// All else.
    pub rest: &'a str,
}

impl<'a> MemoryScope<'a> {
    /// The kind of texts that corrections are for.
    pub const SEGMENT: &'static str = "segment";
    /// The kind of texts that are no model's affair, but may have a correction.
    pub const COPIED: &'static str = "copied";
    /// The kind of texts that sum up others.
    pub const SUMMARY: &'static str = "summary";

    /// The part of `memory` for `settings`, which say all that decides what `model` makes of a text. Without settings only
    /// corrections are recalled and nothing is kept. `from` and `to` are codes of languages.
    #[must_use]
    pub fn new(memory: &'a Memory, settings: Option<&[u8]>, model: &str, from: &str, to: &str) -> Self {
        let settings = settings.map(|settings| Sha256::digest(settings).into());
        let (model, from, to) = (model.to_owned(), language(from), language(to));
        Self { memory, settings, model, from, to, similar: None }
    }

    /// With sources that are similar by this many percent or more.
    #[must_use]
    pub fn with_similar(self, percent: Option<u8>) -> Self {
        Self { similar: percent, ..self }
    }

    /// What is known of each text. There are no corrections of summaries.
    #[must_use]
    pub fn recall(&self, texts: &[TextKey]) -> Vec<Option<Recalled>> {
        let wanted = |text: &TextKey| Wanted {
            key: self.key(text),
            source: (text.kind != Self::SUMMARY).then(|| on_one_line(text.source)),
            only_corrected: self.settings.is_none() || text.kind == Self::COPIED,
            from: &self.from,
            to: &self.to,
        };
        self.memory.recall(&texts.iter().map(wanted).collect::<Vec<_>>())
    }

    /// Keeps what was made of texts, all together.
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

    /// Known translations of sources that are similar to this one, the most similar first; none unless the scope asks for them.
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
