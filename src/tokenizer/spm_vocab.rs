//! Vocabularies that transformers reads with Python classes over a SentencePiece model: Marian, M2M100 and `PLBart`. Their ids are
//! not those of the model.
//!
//! Invariant: every piece that the model can produce has an id, at least that of `<unk>`; every id decodes to a text,
//! which may be empty. The few differences between families are [`Flavour`]s.

use std::collections::BTreeMap;

use anyhow::{Error, Result, bail};

use super::sentencepiece::{SPACE, Segmented, SentencePiece};
use super::settings::{AddedToken, TokenizerSettings};
use super::splitter::{Splitter, TextPart};
use super::vocabulary::Vocabulary;
use crate::batch::TokenId;
use crate::error::Explain;
use crate::files::ModelFiles;

/// The family of a vocabulary, which selects its rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flavour {
    /// The code `>>eng<<` at the start of a text is one token.
    Marian,
    /// Language tokens follow the vocabulary.
    M2m100,
    /// There is no vocabulary file: the ids of pieces are one higher than in their model, and languages and the mask
    /// follow them.
    PlBart,
}

/// A tokenizer made of one or two SentencePiece models and a vocabulary.
#[derive(Debug)]
pub(super) struct SpmVocabulary {
    flavour: Flavour,
    source: SentencePiece,
    /// The SentencePiece model of targets, if they have their own.
    target: Option<SentencePiece>,
    vocabulary: Vocabulary,
    /// The vocabulary of targets, if they have their own; then the target's model decodes too.
    target_vocabulary: Option<Vocabulary>,
    /// The id of each piece of the source model.
    by_piece: Vec<TokenId>,
    /// The names and ids of all special tokens, which are skipped when decoding.
    specials: Vec<(String, TokenId)>,
    splitter: Splitter,
    unknown: TokenId,
    /// One more than the highest id.
    size: usize,
}

impl SpmVocabulary {
    /// The tokenizer of a Marian model, from source.spm, target.spm, vocab.json, and `target_vocab.json` if vocabularies
    /// are separate.
    pub(super) fn marian(files: &ModelFiles, settings: &TokenizerSettings) -> Result<Self> {
        let separate = settings.flag("separate_vocabs").unwrap_or(false);
        let vocabularies = || {
            let vocabulary = Vocabulary::read(files, "vocab.json")?;
            Ok::<_, Error>((vocabulary, separate.then(|| Vocabulary::read(files, "target_vocab.json")).transpose()?))
        };
        // Both models are parsed in any case, so that a broken file is reported at once.
        let source = || Ok::<_, Error>(sentencepiece(files, "source.spm")?.prepare());
        let models = || rayon::join(|| sentencepiece(files, "target.spm"), source);
        let (vocabularies, (target, source)) = rayon::join(vocabularies, models);
        let ((vocabulary, target_vocabulary), target, source) = (vocabularies?, target?, source?);
        let mut named =
            special_tokens(settings, &[("eos_token", "</s>"), ("unk_token", "<unk>"), ("pad_token", "<pad>")]);
        named.extend(settings.extra_special_tokens());
        Self::new(Flavour::Marian, source, (Some(target), target_vocabulary), vocabulary, named, settings)
            .explain(|| files.broken("vocab.json"))
    }

    /// The tokenizer of an M2M100 model, from sentencepiece.bpe.model and vocab.json.
    pub(super) fn m2m100(files: &ModelFiles, settings: &TokenizerSettings, codes: &[&str]) -> Result<Self> {
        let mut vocabulary = Vocabulary::read(files, "vocab.json")?;
        let size = vocabulary.len() as TokenId;
        for (id, code) in (size..).zip(codes) {
            vocabulary.insert(&format!("__{code}__"), id)?;
        }
        let mut named = special_tokens(
            settings,
            &[
                ("bos_token", "<s>"),
                ("eos_token", "</s>"),
                ("unk_token", "<unk>"),
                ("sep_token", "</s>"),
                ("pad_token", "<pad>"),
            ],
        );
        named.extend(settings.extra_special_tokens());
        let source = sentencepiece(files, "sentencepiece.bpe.model")?;
        Self::new(Flavour::M2m100, source, (None, None), vocabulary, named, settings)
            .explain(|| files.broken("vocab.json"))
    }

    /// The tokenizer of a `PLBart` model, from sentencepiece.bpe.model.
    pub(super) fn plbart(files: &ModelFiles, settings: &TokenizerSettings, codes: &[&str]) -> Result<Self> {
        const SPECIALS: [&str; 4] = ["<s>", "<pad>", "</s>", "<unk>"];
        let file = "sentencepiece.bpe.model";
        let source = sentencepiece(files, file)?;
        let mut vocabulary = Vocabulary::default();
        let pieces = source.names().iter().skip(3);
        for (id, token) in (0..).zip(SPECIALS.into_iter().chain(pieces).chain(codes.iter().copied())) {
            vocabulary.insert(token, id)?;
        }
        let mut named = special_tokens(
            settings,
            &[("bos_token", "<s>"), ("eos_token", "</s>"), ("unk_token", "<unk>"), ("pad_token", "<pad>")],
        );
        named.extend(codes.iter().map(|code| AddedToken::special(code)));
        // The tokenizer for several languages has no mask.
        if settings.text("language_codes") != Some("multi") {
            let mask = settings.token("mask_token", "<mask>");
            named.extend(mask.map(|mask| AddedToken { lstrip: true, ..mask }));
        }
        named.extend(settings.extra_special_tokens());
        Self::new(Flavour::PlBart, source, (None, None), vocabulary, named, settings).explain(|| files.broken(file))
    }

    fn new(
        flavour: Flavour,
        source: SentencePiece,
        (target, target_vocabulary): (Option<SentencePiece>, Option<Vocabulary>),
        mut vocabulary: Vocabulary,
        named: Vec<AddedToken>,
        settings: &TokenizerSettings,
    ) -> Result<Self> {
        let unknown_token =
            settings.token("unk_token", "<unk>").map_or_else(|| "<unk>".to_owned(), |token| token.content);
        let Some(unknown) = vocabulary.id(&unknown_token) else { bail!("it has no `{unknown_token}`") };
        let by_piece = source.names().iter().map(|piece| vocabulary.id(piece).unwrap_or(unknown)).collect();
        let Specials { named: specials, added, size } = Specials::new(&mut vocabulary, named, settings)?;
        Ok(Self {
            flavour,
            source,
            target,
            vocabulary,
            target_vocabulary,
            by_piece,
            specials,
            splitter: Splitter::new(added.into_iter().collect(), settings),
            unknown,
            size,
        })
    }

    pub(super) fn id(&self, token: &str) -> Option<TokenId> {
        self.vocabulary.id(token)
    }

    pub(super) fn tokens(&self) -> impl Iterator<Item = (&str, TokenId)> {
        self.vocabulary.iter()
    }

    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// The ids of a text, without language and end-of-sentence tokens.
    pub(super) fn encode(&self, text: &str) -> Vec<TokenId> {
        let mut ids = Vec::with_capacity(text.len() / 3 + 4);
        for part in self.splitter.split(text) {
            match part {
                TextPart::Token(id) => ids.push(id),
                TextPart::Text(text) => self.encode_part(text, &mut ids),
            }
        }
        ids
    }

    fn encode_part(&self, text: &str, ids: &mut Vec<TokenId>) {
        let mut text = text;
        if let (Flavour::Marian, Some((code, rest))) = (self.flavour, language_code(text)) {
            ids.push(self.id(code).unwrap_or(self.unknown));
            text = rest;
        }
        let segmented = self.source.encode(text);
        ids.extend(self.pieces(&segmented).map(|(_, id)| id));
    }

    /// The pieces of a segmented text, and their ids.
    fn pieces<'s>(&'s self, segmented: &'s Segmented) -> impl Iterator<Item = (&'s str, TokenId)> {
        segmented.pieces.iter().map(|(range, piece)| {
            let text = &segmented.text[range.clone()];
            let id = if *piece == self.source.unknown() {
                // A vocabulary may contain what its SentencePiece model does not know.
                self.id(text).unwrap_or(self.unknown)
            } else {
                self.by_piece[*piece as usize]
            };
            (text, id)
        })
    }

    /// The id of the unknown token.
    pub(super) fn unknown(&self) -> TokenId {
        self.unknown
    }

    /// The parts of a text that become the unknown token.
    pub(super) fn unknown_parts(&self, text: &str) -> Vec<String> {
        let segmented = self.source.encode(text);
        let unknown = self.pieces(&segmented).filter(|(_, id)| *id == self.unknown);
        unknown.map(|(part, _)| part.replace(SPACE, " ")).collect()
    }

    /// The ids of a text as part of a target; `None` if the vocabulary lacks one of its pieces.
    pub(super) fn encode_target(&self, text: &str) -> Option<Vec<TokenId>> {
        let segmented = self.target.as_ref().unwrap_or(&self.source).encode(text);
        let vocabulary = self.target_vocabulary.as_ref().unwrap_or(&self.vocabulary);
        segmented.pieces.iter().map(|(range, _)| vocabulary.id(&segmented.text[range.clone()])).collect()
    }

    /// The text of these ids, without special tokens and with `unknown` for each unknown token.
    pub(super) fn decode(&self, ids: &[TokenId], unknown: &str) -> String {
        let model = self.target.as_ref().filter(|_| self.target_vocabulary.is_some()).unwrap_or(&self.source);
        let mut text = String::new();
        let mut pieces: Vec<&str> = Vec::with_capacity(ids.len());
        for &id in ids {
            if id == self.unknown && !unknown.is_empty() {
                pieces.push(unknown);
                continue;
            }
            if self.specials.iter().any(|(_, special)| *special == id) {
                continue;
            }
            let Some(token) = self.token(id, model) else { continue };
            if self.flavour == Flavour::PlBart {
                pieces.push(token);
                continue;
            }
            // If another id has the name of a special token, transformers shows it.
            if self.specials.iter().any(|(special, _)| special == token) {
                text += &model.decode(pieces.drain(..));
                text += token;
                text += if self.flavour == Flavour::Marian { " " } else { "" };
            } else {
                pieces.push(token);
            }
        }
        match self.flavour {
            Flavour::PlBart => text = pieces.concat(),
            _ => text += &model.decode(pieces),
        }
        if self.flavour != Flavour::M2m100 {
            text = text.replace(SPACE, " ");
        }
        text.trim_matches(is_python_space).to_owned()
    }

    fn token<'a>(&'a self, id: TokenId, model: &'a SentencePiece) -> Option<&'a str> {
        if let Some(token) = self.splitter.token(id) {
            return Some(&token.content);
        }
        let token = self.target_vocabulary.as_ref().unwrap_or(&self.vocabulary).token(id);
        match self.flavour {
            Flavour::Marian => token.or_else(|| model.names().name(id)),
            Flavour::M2m100 | Flavour::PlBart => token
                .or_else(|| self.specials.iter().find(|(_, id)| *id == self.unknown).map(|(name, _)| name.as_str())),
        }
    }
}

/// The special and added tokens of a vocabulary, with their ids.
pub(super) struct Specials {
    /// The names and ids of all special tokens.
    pub named: Vec<(String, TokenId)>,
    /// The tokens that are found in a text before it is segmented.
    pub added: BTreeMap<TokenId, AddedToken>,
    /// One more than the highest id.
    pub size: usize,
}

impl Specials {
    /// Assigns ids to tokens: those in the settings, else those in the vocabulary, else the next after all others.
    /// Afterwards the vocabulary contains all of them.
    pub(super) fn new(
        vocabulary: &mut Vocabulary,
        named: Vec<AddedToken>,
        settings: &TokenizerSettings,
    ) -> Result<Self> {
        let mut added: BTreeMap<TokenId, AddedToken> = settings.added.clone();
        let mut specials = Vec::new();
        let highest = |added: &BTreeMap<TokenId, AddedToken>| {
            vocabulary.iter().map(|(_, id)| id).max().max(added.last_key_value().map(|(&id, _)| id))
        };
        for token in named {
            let known = added.iter().find(|(_, known)| known.content == token.content).map(|(&id, _)| id);
            let known = known.or_else(|| vocabulary.id(&token.content));
            let id = known.unwrap_or_else(|| highest(&added).map_or(0, |id| id + 1));
            specials.push((token.content.clone(), id));
            added.entry(id).or_insert(token);
        }
        let size = highest(&added).map_or(0, |id| id as usize + 1);
        for (&id, token) in &added {
            vocabulary.insert(&token.content, id)?;
        }
        Ok(Self { named: specials, added, size })
    }
}

/// Splits a text after the language code at its start: `>>eng<< Text` into `>>eng<<` and ` Text`.
pub(super) fn language_code(text: &str) -> Option<(&str, &str)> {
    let end = text.strip_prefix(">>")?.find("<<")? + 4;
    Some(text.split_at(end))
}

/// Whether Python's `str.isspace` holds: it also counts four separators that Unicode's `White_Space` leaves out.
pub(super) fn is_python_space(char: char) -> bool {
    char.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&char)
}

/// The special tokens with these names and defaults, each content once.
pub(super) fn special_tokens(settings: &TokenizerSettings, names: &[(&str, &str)]) -> Vec<AddedToken> {
    let mut tokens: Vec<AddedToken> = Vec::new();
    for token in names.iter().filter_map(|(name, default)| settings.token(name, default)) {
        if tokens.iter().all(|known| known.content != token.content) {
            tokens.push(token);
        }
    }
    tokens
}

/// Parses a SentencePiece model of a checkpoint.
pub(super) fn sentencepiece(files: &ModelFiles, file: &str) -> Result<SentencePiece> {
    SentencePiece::parse(&files.read(file)?).explain(|| files.broken(file))
}
