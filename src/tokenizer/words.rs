//! Vocabularies of pieces that merges within words produce: FSMT and Blenderbot-small.
//!
//! Invariant: ids and texts are those of the classes of transformers 5.24. Text is split into words by `moses` for FSMT,
//! and at a few signs for Blenderbot-small.

use anyhow::{Context, Result};

use super::merges::{END, Merges};
use super::moses::{Cutter, Joiner};
use super::settings::TokenizerSettings;
use super::splitter::{Splitter, TextPart};
use super::spm_vocab::{Specials, is_python_space, special_tokens};
use super::vocabulary::Vocabulary;
use crate::batch::TokenId;
use crate::error::Explain;
use crate::files::ModelFiles;

/// How text is split into words.
#[derive(Debug)]
enum Kind {
    /// By the rules of Moses.
    Fsmt(Box<TwoLanguages>),
    /// At spaces and at a few signs; all but the last piece of a word end with `@@`.
    BlenderbotSmall,
}

/// Two languages with a vocabulary each.
#[derive(Debug)]
struct TwoLanguages {
    cutter: Cutter,
    /// The splitter of the target's language, for texts that are part of a target.
    target_cutter: Option<Cutter>,
    joiner: Joiner,
    target: Vocabulary,
    lower_case: bool,
}

/// A tokenizer that splits text into words, and words into pieces.
#[derive(Debug)]
pub(super) struct WordVocabulary {
    kind: Kind,
    merges: Merges,
    vocabulary: Vocabulary,
    specials: Vec<(String, TokenId)>,
    splitter: Splitter,
    unknown: TokenId,
    size: usize,
}

impl WordVocabulary {
    /// The tokenizer of an FSMT model, from vocab-src.json, vocab-tgt.json, merges.txt, and its two languages.
    pub(super) fn fsmt(files: &ModelFiles, settings: &TokenizerSettings, pair: [&str; 2]) -> Result<Self> {
        const NAMES: [(&str, &str); 4] =
            [("bos_token", "<s>"), ("unk_token", "<unk>"), ("sep_token", "</s>"), ("pad_token", "<pad>")];
        let wrong = || files.broken("tokenizer_config.json");
        let kind = Kind::Fsmt(Box::new(TwoLanguages {
            cutter: Cutter::new(pair[0]).explain(wrong)?,
            target_cutter: Cutter::new(pair[1]).ok(),
            joiner: Joiner::new(pair[1]).explain(wrong)?,
            target: Vocabulary::read(files, "vocab-tgt.json")?,
            lower_case: settings.flag("do_lower_case").unwrap_or(false),
        }));
        Self::new(files, settings, kind, "vocab-src.json", &NAMES)
    }

    /// The tokenizer of a Blenderbot-small model, from vocab.json and merges.txt.
    pub(super) fn blenderbot_small(files: &ModelFiles, settings: &TokenizerSettings) -> Result<Self> {
        const NAMES: [(&str, &str); 4] =
            [("bos_token", "__start__"), ("eos_token", "__end__"), ("unk_token", "__unk__"), ("pad_token", "__null__")];
        Self::new(files, settings, Kind::BlenderbotSmall, "vocab.json", &NAMES)
    }

    fn new(
        files: &ModelFiles,
        settings: &TokenizerSettings,
        kind: Kind,
        file: &str,
        names: &[(&str, &str)],
    ) -> Result<Self> {
        let text = files.read("merges.txt")?;
        let text = std::str::from_utf8(&text).explain(|| files.broken("merges.txt"))?;
        // The first line of Blenderbot-small's merges is a version.
        let merges = Merges::parse(text, usize::from(matches!(kind, Kind::BlenderbotSmall)));
        let mut vocabulary = Vocabulary::read(files, file)?;
        let (_, default) = names.iter().find(|(name, _)| *name == "unk_token").copied().unwrap_or_default();
        let unknown = settings.token("unk_token", default).map_or_else(|| default.to_owned(), |token| token.content);
        let unknown = vocabulary.id(&unknown).with_context(|| format!("it has no `{unknown}`"));
        let unknown = unknown.explain(|| files.broken(file))?;
        let mut named = special_tokens(settings, names);
        named.extend(settings.extra_special_tokens());
        let Specials { named: specials, added, size } = Specials::new(&mut vocabulary, named, settings)?;
        let splitter = Splitter::new(added.into_iter().collect(), settings);
        Ok(Self { kind, merges, vocabulary, specials, splitter, unknown, size })
    }

    pub(super) fn id(&self, token: &str) -> Option<TokenId> {
        self.vocabulary.id(token)
    }

    pub(super) fn tokens(&self) -> impl Iterator<Item = (&str, TokenId)> {
        self.vocabulary.iter()
    }

    pub(super) fn size(&self) -> usize {
        match &self.kind {
            Kind::Fsmt(pair) => self.size.max(pair.target.len()),
            Kind::BlenderbotSmall => self.size,
        }
    }

    pub(super) fn unknown(&self) -> TokenId {
        self.unknown
    }

    /// The ids of a text, without tokens around it.
    pub(super) fn encode(&self, text: &str) -> Vec<TokenId> {
        let mut ids = Vec::with_capacity(text.len() / 3 + 4);
        for part in self.splitter.split(text) {
            match part {
                TextPart::Token(id) => ids.push(id),
                TextPart::Text(text) => {
                    ids.extend(self.pieces(text).iter().map(|piece| self.id(piece).unwrap_or(self.unknown)));
                }
            }
        }
        ids
    }

    /// The pieces of a source text that have no id.
    pub(super) fn unknown_parts(&self, text: &str) -> Vec<String> {
        let unknown = self.pieces(text).into_iter().filter(|piece| self.id(piece).is_none());
        unknown.map(|piece| piece.replace(END, "").replace("@@", "")).collect()
    }

    /// The ids of a text as part of a target; `None` if the vocabulary lacks one of its pieces.
    pub(super) fn encode_target(&self, text: &str) -> Option<Vec<TokenId>> {
        match &self.kind {
            Kind::Fsmt(pair) => {
                let words = pair.target_cutter.as_ref()?.words(text);
                let pieces = words.iter().flat_map(|word| self.merges.pieces(word));
                pieces.map(|piece| pair.target.id(&piece)).collect()
            }
            Kind::BlenderbotSmall => self.pieces(text).iter().map(|piece| self.id(piece)).collect(),
        }
    }

    fn pieces(&self, text: &str) -> Vec<String> {
        match &self.kind {
            Kind::Fsmt(pair) => {
                let TwoLanguages { cutter, lower_case, .. } = &**pair;
                let words = if *lower_case { cutter.words(&text.to_lowercase()) } else { cutter.words(text) };
                words.iter().flat_map(|word| self.merges.pieces(word)).collect()
            }
            Kind::BlenderbotSmall => small_words(text).iter().flat_map(|word| self.marked(word)).collect(),
        }
    }

    /// The pieces of a word; all but the last end with `@@`.
    fn marked(&self, word: &str) -> Vec<String> {
        let mut pieces = self.merges.pieces(word);
        let last = pieces.pop().map(|last| last.trim_end_matches(END).to_owned());
        pieces.into_iter().map(|piece| piece + "@@").chain(last).collect()
    }

    /// The text of these ids, without special tokens and with `unknown` for each unknown token.
    pub(super) fn decode(&self, ids: &[TokenId], unknown: &str) -> String {
        let special = |id: &TokenId| self.specials.iter().any(|(_, special)| special == id);
        let tokens = ids.iter().filter_map(|id| match id {
            id if *id == self.unknown && !unknown.is_empty() => Some(unknown),
            id if special(id) => None,
            id => Some(self.token(*id)),
        });
        match &self.kind {
            Kind::Fsmt(pair) => {
                let text: String = tokens.map(|token| token.replace(' ', "").replace(END, " ")).collect();
                pair.joiner.joined(&text.split_whitespace().collect::<Vec<_>>())
            }
            Kind::BlenderbotSmall => {
                let text = tokens.collect::<Vec<_>>().join(" ").replace("@@ ", "");
                text.trim_matches(is_python_space).to_owned()
            }
        }
    }

    /// The token with this id in targets; the unknown token if the id has none.
    fn token(&self, id: TokenId) -> &str {
        if let Some(added) = self.splitter.token(id) {
            return &added.content;
        }
        let vocabulary = match &self.kind {
            Kind::Fsmt(pair) => &pair.target,
            Kind::BlenderbotSmall => &self.vocabulary,
        };
        let unknown = || self.specials.iter().find(|(_, id)| *id == self.unknown);
        vocabulary.token(id).or_else(|| unknown().map(|(name, _)| name.as_str())).unwrap_or_default()
    }
}

/// The words of Blenderbot-small, in lower case: `.,!?()` are split from the word before them, apostrophes from both
/// sides.
fn small_words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = text.trim_start_matches(is_python_space);
    while !rest.is_empty() {
        let end = rest.find(is_python_space).unwrap_or(rest.len());
        let mut spaced = String::new();
        for char in rest[..end].chars() {
            match char {
                '.' | ',' | '!' | '?' | '(' | ')' => spaced.extend([' ', char]),
                '\'' => spaced.push_str(" ' "),
                _ => spaced.push(char),
            }
        }
        // A line break is a word of its own, but not after an apostrophe, whose space has taken its place.
        if rest[end..].starts_with('\n') && !spaced.ends_with(' ') {
            spaced.push_str(" __newln__");
        }
        words.extend(spaced.split_whitespace().map(str::to_lowercase));
        rest = rest[end..].trim_start_matches(is_python_space);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::small_words;

    #[test]
    fn signs_part_from_words_and_lines_end_with_a_word() {
        assert_eq!(
            small_words("It's (very)  good,\nno?'\nx\n"),
            ["it", "'", "s", "(very", ")", "good", ",", "__newln__", "no", "?", "'", "x", "__newln__"]
        );
    }
}
