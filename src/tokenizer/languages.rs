//! The languages of a model, and the tokens by which the model is informed of the languages of a translation.
//!
//! Invariant: [`LanguageTokens`] are made only here, so the tokens are the model's own and the template is complete: a
//! source is prefix, text, suffix. Which spellings of a code are accepted belongs to `language`.

use serde::Serialize;
use thiserror::Error;

use crate::batch::TokenId;
use crate::error::{self, ErrorKind};
use crate::language::{Code, bare};

/// The languages of one translation, as tokens of one model. Returned by [`super::Tokenizer::language_tokens`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LanguageTokens {
    /// The source language as the model writes it, if it has one.
    pub from: Option<String>,
    /// The target language as the model writes it, if it has one.
    pub to: Option<String>,
    /// Whether the target was requested; if so, it takes precedence over a target that a text names but the model does
    /// not know.
    pub target_is_asked: bool,
    /// Tokens before the source text.
    pub source_prefix: Vec<TokenId>,
    /// Tokens after the source text, including the end-of-sentence token.
    pub source_suffix: Vec<TokenId>,
    /// Text that is put before the source text and tokenized with it, such as `<2en> `.
    pub text_prefix: String,
    /// The token that the target must begin with, if there is one.
    pub forced_bos: Option<TokenId>,
    /// The token that decoding starts from, if it is the language's instead of the checkpoint's.
    pub decoder_start: Option<TokenId>,
    /// The token that follows the checkpoint's start token, if decoding starts from both.
    pub after_start: Option<TokenId>,
}

/// Why a model cannot translate between the requested languages.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LanguageError {
    /// The model knows several languages, but not this one.
    #[error("the model `{model}` does not know the language `{code}`")]
    Unknown {
        /// The model's name.
        model: String,
        /// The requested code.
        code: String,
        /// All languages that the model knows.
        known: String,
    },
    /// The model is for one pair of languages, but another was requested.
    #[error("the model `{model}` translates from `{from}` to `{to}`, not {asked}")]
    OtherPair {
        /// The model's name.
        model: String,
        /// The model's source language.
        from: String,
        /// The model's target language.
        to: String,
        /// The requested languages, in words.
        asked: String,
    },
    /// The model has no choice of languages.
    #[error("the model `{model}` has no languages to choose from")]
    NotApplicable {
        /// The model's name.
        model: String,
    },
}

impl From<LanguageError> for error::Error {
    fn from(error: LanguageError) -> Self {
        let hint = match &error {
            LanguageError::Unknown { known, .. } => format!("it knows {known}"),
            LanguageError::OtherPair { .. } => "leave out --from and --to, or choose another model".to_owned(),
            LanguageError::NotApplicable { .. } => "leave out --from and --to".to_owned(),
        };
        Self::typed(error, hint, ErrorKind::Language)
    }
}

/// The scheme by which a model is informed of the languages of a translation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    /// The model has no choice of languages.
    None,
    /// The model is for one pair of languages, each of which may be unknown.
    Pair { from: Option<String>, to: Option<String> },
    /// The target's token before the source text.
    TargetToken { from: Option<String> },
    /// The target's token as text before the source text.
    TargetText,
    /// The source's token before the text, the target's as the first token generated.
    SourceFirst,
    /// The source's token after the end of the sentence, the target's as the first token generated.
    SourceLast,
    /// The source's token after the end of the sentence; decoding starts from the target's.
    SourceLastStart,
    /// The source's token after the end of the sentence; decoding starts from the target's. A language that is not
    /// requested is the one that the checkpoint names; without that, its token is left out.
    OwnSourceLastStart { from: Option<String>, to: Option<String> },
    /// The target's token before the source text, and none for the source language.
    TargetFirst,
    /// The source's token before the text; decoding starts from the checkpoint's start token and the target's, which is
    /// one of `targets`.
    SourceFirstAfterStart { targets: Vec<(String, TokenId)> },
}

/// Whether a text itself names a target language, with a token at its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OwnTarget {
    /// It names none.
    None,
    /// It names a target that the model knows.
    Known,
    /// It has a code, such as `>>xyz<<`, that the model does not know.
    Unknown,
}

/// The languages of one model, and how it is informed of them.
#[derive(Clone, Debug)]
pub(super) struct LanguageTable {
    pub model: String,
    pub scheme: Scheme,
    /// The model's language tokens in its own order, with their ids.
    pub tokens: Vec<(String, TokenId)>,
    /// Tokens before and after every source text, without those of languages.
    pub prefix: Vec<TokenId>,
    pub suffix: Vec<TokenId>,
}

/// The source and target language if none are requested.
const DEFAULT: (&str, &str) = ("nl", "en");

impl LanguageTable {
    pub(super) fn resolve(&self, from: Option<&str>, to: Option<&str>) -> Result<LanguageTokens, LanguageError> {
        let plain = LanguageTokens {
            source_prefix: self.prefix.clone(),
            source_suffix: self.suffix.clone(),
            ..LanguageTokens::default()
        };
        let source = || self.find(from.unwrap_or(DEFAULT.0));
        let target = || self.find(to.unwrap_or(DEFAULT.1));
        match &self.scheme {
            Scheme::None if from.is_some() || to.is_some() => {
                Err(LanguageError::NotApplicable { model: self.model.clone() })
            }
            Scheme::None => Ok(plain),
            Scheme::Pair { from: own_from, to: own_to } => {
                self.check_pair(own_from.as_deref(), own_to.as_deref(), from, to)?;
                Ok(LanguageTokens { from: own_from.clone(), to: own_to.clone(), ..plain })
            }
            Scheme::TargetToken { from: own_from } => {
                self.check_pair(own_from.as_deref(), None, from, None)?;
                let (token, id) = target()?;
                let source_prefix = [&[id], &self.prefix[..]].concat();
                let target_is_asked = to.is_some();
                Ok(LanguageTokens { from: own_from.clone(), to: Some(token), target_is_asked, source_prefix, ..plain })
            }
            Scheme::TargetFirst => {
                let (token, id) = target()?;
                let from = from.map(|from| self.find(from)).transpose()?.map(|(token, _)| token);
                Ok(LanguageTokens { from, to: Some(token), source_prefix: [&[id], &self.prefix[..]].concat(), ..plain })
            }
            Scheme::OwnSourceLastStart { from: own_from, to: own_to } => {
                let find = |asked: Option<&str>, own: &Option<String>| {
                    asked.or(own.as_deref()).map(|code| self.find(code)).transpose()
                };
                let (source, target) = (find(from, own_from)?, find(to, own_to)?);
                let mut tokens = plain;
                tokens.source_suffix.extend(source.as_ref().map(|(_, id)| *id));
                tokens.decoder_start = target.as_ref().map(|(_, id)| *id);
                (tokens.from, tokens.to) = (source.map(|(token, _)| token), target.map(|(token, _)| token));
                Ok(tokens)
            }
            Scheme::SourceFirstAfterStart { targets } => {
                let (source, id) = source()?;
                let (target, after_start) = self.find_in(targets, to.unwrap_or(DEFAULT.1))?;
                let source_prefix = [&[id], &self.prefix[..]].concat();
                let (from, to) = (Some(source), Some(target));
                Ok(LanguageTokens { from, to, source_prefix, after_start: Some(after_start), ..plain })
            }
            Scheme::TargetText => {
                let (token, _) = target()?;
                let from = from.map(|from| self.find(from)).transpose()?.map(|(token, _)| token);
                Ok(LanguageTokens { from, text_prefix: format!("{token} "), to: Some(token), ..plain })
            }
            scheme => {
                let ((from, source), (to, target)) = (source()?, target()?);
                let (from, to) = (Some(from), Some(to));
                Ok(with_tokens(LanguageTokens { from, to, ..plain }, scheme, source, target))
            }
        }
    }

    /// The language token for a code in any accepted spelling; the model's own spelling takes precedence.
    fn find(&self, code: &str) -> Result<(String, TokenId), LanguageError> {
        self.find_in(&self.tokens, code)
    }

    /// The one of these language tokens that a code means, in any accepted spelling; the model's own spelling takes
    /// precedence.
    fn find_in(&self, tokens: &[(String, TokenId)], code: &str) -> Result<(String, TokenId), LanguageError> {
        let asked = Code::parse(code);
        let own = tokens.iter().find(|(token, _)| token == code || bare(token) == bare(code));
        let found = own.or_else(|| tokens.iter().find(|(token, _)| Code::parse(token).serves(&asked)));
        found.cloned().ok_or_else(|| LanguageError::Unknown {
            model: self.model.clone(),
            code: code.to_owned(),
            known: tokens.iter().map(|(token, _)| format!("`{token}`")).collect::<Vec<_>>().join(", "),
        })
    }

    fn check_pair(
        &self,
        own_from: Option<&str>,
        own_to: Option<&str>,
        from: Option<&str>,
        to: Option<&str>,
    ) -> Result<(), LanguageError> {
        let differ = |own: Option<&str>, asked: Option<&str>| match (own, asked) {
            (Some(own), Some(asked)) => !Code::parse(own).serves(&Code::parse(asked)),
            _ => false,
        };
        if !differ(own_from, from) && !differ(own_to, to) {
            return Ok(());
        }
        let asked = [("from", from), ("to", to)].map(|(word, code)| code.map(|code| format!("{word} `{code}`")));
        Err(LanguageError::OtherPair {
            model: self.model.clone(),
            from: own_from.unwrap_or("any").to_owned(),
            to: own_to.unwrap_or("any").to_owned(),
            asked: asked.into_iter().flatten().collect::<Vec<_>>().join(" "),
        })
    }
}

fn with_tokens(mut tokens: LanguageTokens, scheme: &Scheme, source: TokenId, target: TokenId) -> LanguageTokens {
    if *scheme == Scheme::SourceFirst {
        tokens.source_prefix.insert(0, source);
    } else {
        tokens.source_suffix.push(source);
    }
    if *scheme == Scheme::SourceLastStart {
        tokens.decoder_start = Some(target);
    } else {
        tokens.forced_bos = Some(target);
    }
    tokens
}
