//! Text to token ids and back, for one checkpoint.
//!
//! Invariant: [`Tokenizer::encode`] returns the ids that the checkpoint's class of transformers returns for the text, and
//! the model has a row for each. Decoding accepts any id; special and language tokens, and ids without a token, leave
//! nothing in the text.
//!
//! Which family's rules apply is decided once, in [`Tokenizer::load`]. How long a text may be, and how texts become
//! batches, belongs to `engine`.

mod bpe;
mod charsmap;
mod class;
mod assets;
mod languages;
mod interner;
mod merges;
mod moses;
mod spm_vocab;
mod hf;
mod proto;
mod embedding_rows;
mod schemes;
mod sentencepiece;
mod settings;
mod tokenizations;
mod splitter;
mod trie;
mod unigram;
mod vocabulary;
mod words;

use std::borrow::Cow;
use std::collections::HashSet;

use anyhow::Result;

pub use self::languages::{LanguageError, LanguageTokens};

use self::class::Class;
use self::embedding_rows::EmbeddingRows;
use self::hf::HfTokenizer;
use self::languages::{LanguageTable, OwnTarget, Scheme};
use self::schemes::{fsmt_pair, language_table};
use self::settings::TokenizerSettings;
use self::spm_vocab::{SpmVocabulary, language_code};
use self::words::WordVocabulary;
use crate::batch::TokenId;
use crate::error::{Explain, WithHint};
use crate::files::ModelFiles;

/// The tokenizer of one checkpoint.
#[derive(Debug)]
pub struct Tokenizer {
    model: TokenModel,
    rows: EmbeddingRows,
    language_table: LanguageTable,
    /// Ids of language tokens, which are left out of decoded texts.
    language_ids: HashSet<TokenId>,
    max_length: Option<usize>,
    clean_up: bool,
    substitutions: Vec<Substitution>,
}

/// A substitute for some characters that the vocabulary lacks.
#[derive(Debug)]
struct Substitution {
    lacking: Vec<char>,
    /// All characters that are replaced, even those the vocabulary has: quotation marks come in pairs.
    signs: &'static str,
    other: &'static str,
}

/// Typographic characters, and the plain ones that may replace them.
const SUBSTITUTIONS: [(&str, &str); 4] = [
    ("\u{2018}\u{2019}\u{201a}\u{201b}\u{2032}\u{b4}", "'"),
    ("\u{201c}\u{201d}\u{201e}\u{201f}\u{2033}\u{ab}\u{bb}", "\""),
    ("\u{2010}\u{2011}\u{2013}\u{2014}\u{2015}\u{2212}", "-"),
    ("\u{2026}", "..."),
];

/// The implementation of tokenization: our own SentencePiece with a vocabulary file, our own merges within words, or the
/// tokenizers crate.
#[derive(Debug)]
enum TokenModel {
    Spm(Box<SpmVocabulary>),
    Words(Box<WordVocabulary>),
    Hf(Box<HfTokenizer>),
}

impl Tokenizer {
    /// Loads a checkpoint's tokenizer; config.json and `tokenizer_config.json` determine its class.
    ///
    /// # Errors
    /// When a file is missing, broken, of an unknown kind, or of another model.
    pub fn load(files: &ModelFiles) -> Result<Self> {
        let settings = TokenizerSettings::load(files)?;
        let config = files.json("config.json")?.unwrap_or_default();
        let class = Class::of(files, &settings, &config)?;
        let model = match class {
            Class::Marian => TokenModel::Spm(Box::new(SpmVocabulary::marian(files, &settings)?)),
            Class::M2m100 | Class::Small100 => {
                let codes = class.language_codes(&settings);
                TokenModel::Spm(Box::new(SpmVocabulary::m2m100(files, &settings, &codes)?))
            }
            Class::PlBart => {
                let codes = class.language_codes(&settings);
                TokenModel::Spm(Box::new(SpmVocabulary::plbart(files, &settings, &codes)?))
            }
            Class::BlenderbotSmall => TokenModel::Words(Box::new(WordVocabulary::blenderbot_small(files, &settings)?)),
            Class::Fsmt => {
                let pair = fsmt_pair(&settings, &config).explain(|| {
                    format!(
                        "`tokenizer_config.json` of the model `{}` does not name its two languages (`langs`)",
                        files.name()
                    )
                    .with_hint("fetch the file again")
                })?;
                TokenModel::Words(Box::new(WordVocabulary::fsmt(files, &settings, pair)?))
            }
            _ => TokenModel::Hf(Box::new(HfTokenizer::load(files, &settings, class)?)),
        };
        let mut table = language_table(files, &settings, &config, class, &model);
        embedding_rows::check(files, &config, &model, &table)?;
        let language_ids = table.tokens.iter().map(|(_, id)| *id).collect();
        let rows = EmbeddingRows::of(&config);
        table.tokens.retain(|(_, id)| rows.lacking(&[*id]).is_none());
        Ok(Self {
            rows,
            language_ids,
            language_table: table,
            max_length: settings.max_length(),
            clean_up: settings.flag("clean_up_tokenization_spaces").unwrap_or(class.cleans_up())
                && model.may_clean_up(),
            substitutions: substitutions(&model),
            model,
        })
    }

    /// The ids of a source text, with the language and end-of-sentence tokens that the model expects.
    ///
    /// # Errors
    /// When the tokenizer cannot represent the text, or the text has a token without a row in the model.
    pub fn encode(&self, text: &str, language_tokens: &LanguageTokens) -> Result<Vec<TokenId>> {
        let mut ids = language_tokens.source_prefix.clone();
        let own = self.own_target(text);
        if own != OwnTarget::None {
            ids.retain(|id| !self.language_ids.contains(id));
        }
        let before = match own {
            OwnTarget::None => language_tokens.text_prefix.as_str(),
            // transformers looks for no other code after this one.
            OwnTarget::Unknown if language_tokens.target_is_asked => language_tokens.to.as_deref().unwrap_or_default(),
            OwnTarget::Known | OwnTarget::Unknown => "",
        };
        if before.is_empty() {
            ids.extend(self.model.encode(text)?);
        } else {
            ids.extend(self.model.encode(&format!("{before}{text}"))?);
        }
        ids.extend(&language_tokens.source_suffix);
        self.rows.check(&ids, &self.model, &self.language_table.model)?;
        Ok(ids)
    }

    /// A text in which characters that the vocabulary lacks are replaced by substitutes that it has. For example, `"`
    /// replaces `\u{201e}`. A model handles the substitute better than its unknown token.
    #[must_use]
    pub fn substituted<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut substituted = Cow::from(text);
        for Substitution { lacking, signs, other } in &self.substitutions {
            if substituted.contains(&lacking[..]) {
                // All signs of the group, since quotation marks come in pairs.
                substituted = substituted.replace(|sign| signs.contains(sign), other).into();
            }
        }
        substituted
    }

    /// The target language that a text itself names at its start, which then takes precedence.
    fn own_target(&self, text: &str) -> OwnTarget {
        match self.language_table.scheme {
            Scheme::TargetToken { .. } => match language_code(text) {
                None => OwnTarget::None,
                Some((code, _)) if self.model.id(code).is_some() => OwnTarget::Known,
                Some(_) => OwnTarget::Unknown,
            },
            Scheme::TargetText if self.known_language_tokens().any(|token| text.starts_with(token)) => OwnTarget::Known,
            _ => OwnTarget::None,
        }
    }

    /// The text of these ids, without special and language tokens.
    #[must_use]
    pub fn decode(&self, ids: &[TokenId]) -> String {
        self.decode_with(ids, "", self.clean_up)
    }

    /// The text of these ids, without special and language tokens; `clean_up`: whether spaces before English punctuation
    /// are removed.
    #[must_use]
    pub fn decode_cleaning(&self, ids: &[TokenId], clean_up: bool) -> String {
        self.decode_with(ids, "", clean_up)
    }

    /// The text of these ids, in which unknown tokens (a currency sign, an emoji, a foreign script) are replaced by what
    /// the source has there. `None` if there is no unknown token, if there are more than in the source, or if the source
    /// has different ones, whose order may have changed.
    #[must_use]
    pub fn decode_copying_unknowns(&self, ids: &[TokenId], source: &str) -> Option<String> {
        let unknown = self.model.unknown()?;
        let wanted = ids.iter().filter(|&&id| id == unknown).count();
        if wanted == 0 {
            return None;
        }
        let parts = self.model.unknown_parts(source);
        let first = parts.first()?;
        let same = wanted <= parts.len() && parts.iter().all(|part| part == first);
        same.then(|| self.decode_with(ids, first, self.clean_up))
    }

    fn decode_with(&self, ids: &[TokenId], unknown: &str, clean_up: bool) -> String {
        let ids: Vec<TokenId> = ids.iter().copied().filter(|id| !self.language_ids.contains(id)).collect();
        let text = self.model.decode(&ids, unknown);
        if clean_up { cleaned_up(&text) } else { text }
    }

    /// The tokens for a translation between two languages, each given in any accepted spelling. A language that is `None`
    /// becomes Dutch or English if the model needs one, and is left out otherwise.
    ///
    /// # Errors
    /// [`LanguageError`] when the model does not know a language, is for another pair, or has no choice of languages.
    pub fn language_tokens(&self, from: Option<&str>, to: Option<&str>) -> Result<LanguageTokens> {
        self.language_table.resolve(from, to).map_err(|error| crate::error::Error::from(error).into())
    }

    /// The language tokens of a model with several languages, as the model writes them; empty for others.
    pub fn known_language_tokens(&self) -> impl Iterator<Item = &str> {
        self.language_table.tokens.iter().map(|(token, _)| token.as_str())
    }

    /// One more than the highest id that the tokenizer knows.
    #[must_use]
    pub fn vocabulary_size(&self) -> usize {
        self.model.size()
    }

    /// The most source tokens, special ones included, if the checkpoint's tokenizer sets a limit.
    #[must_use]
    pub fn max_length(&self) -> Option<usize> {
        self.max_length
    }

    /// The id of a token in the model's own spelling.
    #[must_use]
    pub fn token_id(&self, token: &str) -> Option<TokenId> {
        self.model.id(token)
    }
}

/// The substitutions that a model needs, and whose substitutes it has.
fn substitutions(model: &TokenModel) -> Vec<Substitution> {
    let lacks = |text: &str| !model.unknown_parts(text).is_empty();
    let needed = SUBSTITUTIONS.iter().map(|&(signs, other)| {
        let lacking = signs.chars().filter(|sign| lacks(sign.encode_utf8(&mut [0; 4]))).collect();
        Substitution { lacking, signs, other }
    });
    needed.filter(|substitution| !substitution.lacking.is_empty() && !lacks(substitution.other)).collect()
}

impl TokenModel {
    fn encode(&self, text: &str) -> Result<Vec<TokenId>> {
        match self {
            Self::Spm(pieces) => Ok(pieces.encode(text)),
            Self::Words(words) => Ok(words.encode(text)),
            Self::Hf(pipeline) => pipeline.encode(text),
        }
    }

    fn encode_target(&self, text: &str) -> Option<Vec<TokenId>> {
        match self {
            Self::Spm(pieces) => pieces.encode_target(text),
            Self::Words(words) => words.encode_target(text),
            Self::Hf(pipeline) => pipeline.encode_target(text),
        }
    }

    fn decode(&self, ids: &[TokenId], unknown: &str) -> String {
        match self {
            Self::Spm(pieces) => pieces.decode(ids, unknown),
            Self::Words(words) => words.decode(ids, unknown),
            Self::Hf(pipeline) => pipeline.decode(ids, unknown),
        }
    }

    fn unknown(&self) -> Option<TokenId> {
        match self {
            Self::Spm(pieces) => Some(pieces.unknown()),
            Self::Words(words) => Some(words.unknown()),
            Self::Hf(pipeline) => pipeline.unknown(),
        }
    }

    fn unknown_parts(&self, text: &str) -> Vec<String> {
        match self {
            Self::Spm(pieces) => pieces.unknown_parts(text),
            Self::Words(words) => words.unknown_parts(text),
            Self::Hf(pipeline) => pipeline.unknown_parts(text),
        }
    }

    fn id(&self, token: &str) -> Option<TokenId> {
        match self {
            Self::Spm(pieces) => pieces.id(token),
            Self::Words(words) => words.id(token),
            Self::Hf(pipeline) => pipeline.id(token),
        }
    }

    /// The token with this id, as the tokenizer writes it.
    fn token(&self, id: TokenId) -> Option<String> {
        match self {
            Self::Spm(pieces) => pieces.tokens().find(|(_, other)| *other == id).map(|(token, _)| token.to_owned()),
            Self::Words(words) => words.tokens().find(|(_, other)| *other == id).map(|(token, _)| token.to_owned()),
            Self::Hf(pipeline) => pipeline.token(id),
        }
    }

    fn size(&self) -> usize {
        match self {
            Self::Spm(pieces) => pieces.size(),
            Self::Words(words) => words.size(),
            Self::Hf(pipeline) => pipeline.size(),
        }
    }

    /// The number of tokens, and the number of those whose id is `from` or higher.
    fn count(&self, from: usize) -> (usize, usize) {
        let ids: Vec<TokenId> = match self {
            Self::Spm(pieces) => pieces.tokens().map(|(_, id)| id).collect(),
            Self::Words(words) => words.tokens().map(|(_, id)| id).collect(),
            Self::Hf(pipeline) => pipeline.tokens().map(|(_, id)| id).collect(),
        };
        (ids.len(), ids.iter().filter(|&&id| id as usize >= from).count())
    }

    /// The tokens that are a language code between `start` and `end`, sorted by id.
    fn tokens_around_a_code(&self, start: &str, end: &str) -> Vec<(String, TokenId)> {
        let is_code = |token: &str| {
            let code = token.strip_prefix(start).and_then(|rest| rest.strip_suffix(end));
            code.is_some_and(|code| {
                !code.is_empty() && code.chars().all(|char| char.is_alphabetic() || "_-".contains(char))
            })
        };
        let mut found: Vec<(String, TokenId)> = match self {
            Self::Spm(pieces) => {
                pieces.tokens().filter(|(token, _)| is_code(token)).map(|(token, id)| (token.to_owned(), id)).collect()
            }
            Self::Words(_) => Vec::new(),
            Self::Hf(pipeline) => pipeline.tokens().filter(|(token, _)| is_code(token)).collect(),
        };
        found.sort_by_key(|(_, id)| *id);
        found
    }

    /// Whether the text may be cleaned up: transformers never does so after byte-pair encoding, whatever the file says.
    fn may_clean_up(&self) -> bool {
        match self {
            Self::Spm(_) | Self::Words(_) => true,
            Self::Hf(pipeline) => !pipeline.is_bpe(),
        }
    }
}

/// Removes spaces before English punctuation and contractions, as `clean_up_tokenization_spaces` of transformers does.
fn cleaned_up(text: &str) -> String {
    const RULES: [(&str, &str); 10] = [
        (" .", "."),
        (" ?", "?"),
        (" !", "!"),
        (" ,", ","),
        (" ' ", "'"),
        (" n't", "n't"),
        (" 'm", "'m"),
        (" 's", "'s"),
        (" 've", "'ve"),
        (" 're", "'re"),
    ];
    RULES.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}
