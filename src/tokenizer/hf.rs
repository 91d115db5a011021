//! Tokenizers of the tokenizers crate: BART, T5, Pegasus, mBART, NLLB, and whatever tokenizer.json describes. This is the
//! only module that uses the crate.
//!
//! Invariant: stages, ids and added tokens are those that the class of transformers 5 builds from the same files. Such a
//! class takes only the vocabulary and the character rules from tokenizer.json, and builds the other stages itself; so
//! `assets` reads both layouts of a checkpoint. Templates (the tokens around a text) belong to `languages`, except those
//! of a file of unknown class.

use std::collections::HashSet;

use anyhow::{Context, Result, anyhow};
use serde_json::Value;
use tokenizers::Decoder;
use tokenizers::decoders::DecoderWrapper;
use tokenizers::decoders::wordpiece::WordPiece as WordPieceDecoder;
use tokenizers::models::ModelWrapper;
use tokenizers::models::bpe::BPE;
use tokenizers::models::unigram::Unigram;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::bert::BertNormalizer;
use tokenizers::normalizers::precompiled::Precompiled;
use tokenizers::normalizers::replace::{Replace, ReplacePattern};
use tokenizers::normalizers::{NFKC, NormalizerWrapper, Sequence as Normalizers, Strip};
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::metaspace::{Metaspace, PrependScheme};
use tokenizers::pre_tokenizers::sequence::Sequence as PreTokenizers;
use tokenizers::pre_tokenizers::whitespace::WhitespaceSplit;
use tokenizers::processors::PostProcessorWrapper;

use super::assets::{MANY, PEGASUS_OFFSET, T5_EXTRA_IDS, TokenizerAssets, VocabularyData, charsmaps};
use super::class::Class;
use super::settings::{AddedToken, EXTRA, OLDER_EXTRA, TokenizerSettings};
use crate::batch::TokenId;
use crate::error::Explain;
use crate::files::ModelFiles;

/// A tokenizer of the tokenizers crate.
#[derive(Debug)]
pub(super) struct HfTokenizer {
    inner: tokenizers::Tokenizer,
    /// Whether the template of tokenizer.json adds the tokens around a text.
    own_template: bool,
    /// The id of the unknown token, if there is one.
    unknown: Option<TokenId>,
    size: usize,
}

impl HfTokenizer {
    pub(super) fn load(files: &ModelFiles, settings: &TokenizerSettings, class: Class) -> Result<Self> {
        let (file, inner) = if matches!(class, Class::File | Class::Gemma) {
            ("tokenizer.json", from_file(files)?)
        } else if files.has("tokenizer.json") {
            let json = files.json("tokenizer.json")?.unwrap_or_default();
            let assets = TokenizerAssets::of_json(&json, &files.read("tokenizer.json")?, settings);
            let built = assets.and_then(|assets| build(class, settings, assets));
            let template = json.get("post_processor").filter(|_| class == Class::Blenderbot);
            ("tokenizer.json", built.and_then(|built| with_template(built, template)))
        } else if let Some(file) = class.word_pieces_file() {
            let assets = TokenizerAssets::of_lines(files, file, settings)?;
            (file, build(class, settings, assets))
        } else if matches!(class, Class::Bart | Class::Blenderbot) {
            let assets = TokenizerAssets::of_merges(files, settings)?;
            ("vocab.json", build(class, settings, assets))
        } else {
            let file = class.sentencepiece_file();
            let assets = TokenizerAssets::of_sentencepiece(&files.read(file)?, class, settings);
            (file, assets.and_then(|assets| build(class, settings, assets)))
        };
        let mut inner = inner.explain(|| files.broken(file))?;
        if class == Class::Gemma {
            // As in its class of transformers, special tokens that tokenizer.json lacks get the next free ids.
            let named = class.named_tokens().iter().filter_map(|(name, default)| settings.token(name, default));
            let tokens = named.map(|token| tokenizers::AddedToken::from(token.content, true));
            inner.add_special_tokens(tokens).map_err(|error| anyhow!("{error}"))?;
        }
        inner.set_encode_special_tokens(settings.segments_special_tokens());
        let own_template = matches!(class, Class::File | Class::Blenderbot | Class::Gemma);
        let size = inner.get_vocab(true).values().max().map_or(0, |&id| id as usize + 1);
        let unknown = settings.token("unk_token", class.unknown()).and_then(|token| inner.token_to_id(&token.content));
        Ok(Self { inner, own_template, unknown, size })
    }

    pub(super) fn encode(&self, text: &str) -> Result<Vec<TokenId>> {
        let encoding = self.inner.encode_fast(text, self.own_template).map_err(|error| anyhow!("{error}"))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The ids of a text without special tokens around it; `None` if it cannot be encoded.
    pub(super) fn encode_target(&self, text: &str) -> Option<Vec<TokenId>> {
        Some(self.inner.encode_fast(text, false).ok()?.get_ids().to_vec())
    }

    pub(super) fn unknown(&self) -> Option<TokenId> {
        self.unknown
    }

    /// The parts of a text that become the unknown token.
    pub(super) fn unknown_parts(&self, text: &str) -> Vec<String> {
        let Ok(encoding) = self.inner.encode(text, false) else { return Vec::new() };
        let places = encoding.get_ids().iter().zip(encoding.get_offsets());
        let unknown = places.filter(|(id, _)| Some(**id) == self.unknown);
        unknown.filter_map(|(_, &(start, end))| text.get(start..end).map(str::to_owned)).collect()
    }

    /// The text of these ids, without special tokens and with `unknown` for each unknown token. All ids are decoded at
    /// once, so that the bytes of a character that several tokens share are joined.
    pub(super) fn decode(&self, ids: &[TokenId], unknown: &str) -> String {
        if unknown.is_empty() {
            return self.inner.decode(ids, true).unwrap_or_default();
        }
        let special = |token: &String| self.inner.get_added_vocabulary().is_special_token(token);
        let tokens = ids.iter().filter_map(|&id| match self.inner.id_to_token(id) {
            _ if Some(id) == self.unknown => Some(unknown.to_owned()),
            token => token.filter(|token| !special(token)),
        });
        let tokens: Vec<String> = tokens.collect();
        match self.inner.get_decoder() {
            Some(decoder) => decoder.decode(tokens).unwrap_or_default(),
            // The tokenizers crate does the same.
            None => tokens.join(" "),
        }
    }

    pub(super) fn id(&self, token: &str) -> Option<TokenId> {
        self.inner.token_to_id(token)
    }

    pub(super) fn token(&self, id: TokenId) -> Option<String> {
        self.inner.id_to_token(id)
    }

    pub(super) fn tokens(&self) -> impl Iterator<Item = (String, TokenId)> {
        self.inner.get_vocab(true).into_iter()
    }

    pub(super) fn size(&self) -> usize {
        self.size
    }

    pub(super) fn is_bpe(&self) -> bool {
        matches!(self.inner.get_model(), ModelWrapper::BPE(_))
    }
}

/// A tokenizer exactly as tokenizer.json describes it, except for truncation and padding.
fn from_file(files: &ModelFiles) -> Result<Result<tokenizers::Tokenizer>> {
    let json = files.json("tokenizer.json")?.unwrap_or_default();
    Ok(charsmaps(&json).and_then(|_| {
        let bytes = files.read("tokenizer.json")?;
        let mut inner = tokenizers::Tokenizer::from_bytes(&bytes).map_err(|error| anyhow!("{error}"))?;
        inner.with_truncation(None).map_err(|error| anyhow!("{error}"))?;
        inner.with_padding(None);
        Ok(inner)
    }))
}

/// Sets the template of a file, which adds tokens around a text.
fn with_template(mut inner: tokenizers::Tokenizer, template: Option<&Value>) -> Result<tokenizers::Tokenizer> {
    if let Some(template) = template.filter(|template| !template.is_null()) {
        let template: PostProcessorWrapper =
            serde_json::from_value(template.clone()).context("its `post_processor` makes no sense")?;
        inner.with_post_processor(Some(template));
    }
    Ok(inner)
}

/// Builds the stages of a class.
fn build(class: Class, settings: &TokenizerSettings, assets: TokenizerAssets) -> Result<tokenizers::Tokenizer> {
    let tokens = added_tokens(class, settings, &assets);
    let mut inner = tokenizers::Tokenizer::new(model(class, settings, assets.entries)?);
    let failed = |error: tokenizers::Error| anyhow!("{error}");
    inner.with_normalizer(normalizer(class, settings, &assets.charsmap)?).map_err(failed)?;
    let scheme = if class == Class::Seamless { PrependScheme::First } else { PrependScheme::Always };
    let spaces = Metaspace::new('▁', scheme, true);
    let pre_tokenizer: PreTokenizerWrapper = match class {
        Class::Bert | Class::ProphetNet => BertPreTokenizer.into(),
        Class::Bart | Class::Blenderbot => {
            let spaced = settings.flag("add_prefix_space").unwrap_or(class == Class::Blenderbot);
            ByteLevel::new(spaced, true, true).into()
        }
        Class::T5 | Class::MBart => PreTokenizers::new(vec![WhitespaceSplit.into(), spaces.clone().into()]).into(),
        _ => spaces.clone().into(),
    };
    inner.with_pre_tokenizer(Some(pre_tokenizer));
    inner.with_decoder(Some(match class {
        Class::Bart | Class::Blenderbot => DecoderWrapper::from(ByteLevel::default()),
        Class::Bert => WordPieceDecoder::default().into(),
        // Spaces are cleaned up after decoding, if at all.
        Class::ProphetNet => WordPieceDecoder::new("##".to_owned(), false).into(),
        _ => spaces.into(),
    }));
    let tokens = tokens.into_iter().map(|token| {
        tokenizers::AddedToken::from(token.content, token.special)
            .lstrip(token.lstrip)
            .rstrip(token.rstrip)
            .single_word(token.single_word)
            .normalized(token.normalized)
    });
    inner.add_tokens(tokens).map_err(failed)?;
    Ok(inner)
}

fn model(class: Class, settings: &TokenizerSettings, entries: VocabularyData) -> Result<ModelWrapper> {
    let unknown = class.unknown();
    let unknown = settings.token("unk_token", unknown).map_or_else(|| unknown.to_owned(), |token| token.content);
    match entries {
        VocabularyData::Words(ids) => {
            let vocabulary: tokenizers::models::bpe::Vocab = ids.into_iter().collect();
            let model = WordPiece::builder().vocab(vocabulary).unk_token(unknown).build();
            Ok(model.map_err(|error| anyhow!("{error}"))?.into())
        }
        VocabularyData::Unigram(pieces) => {
            let position = pieces.iter().position(|(text, _)| *text == unknown);
            let position = position.with_context(|| format!("its vocabulary has no `{unknown}`"))?;
            let model = Unigram::from(pieces, Some(position), false).map_err(|error| anyhow!("{error}"))?;
            Ok(model.into())
        }
        VocabularyData::Bpe { ids, merges } => {
            let vocabulary: tokenizers::models::bpe::Vocab = ids.into_iter().collect();
            let builder = BPE::builder().vocab_and_merges(vocabulary, merges);
            let bytes = matches!(class, Class::Bart | Class::Blenderbot);
            let builder = if bytes { builder } else { builder.unk_token(unknown).fuse_unk(true) };
            Ok(builder.build().map_err(|error| anyhow!("{error}"))?.into())
        }
    }
}

fn normalizer(class: Class, settings: &TokenizerSettings, charsmap: &[u8]) -> Result<Option<NormalizerWrapper>> {
    let replace = |pattern: &str, with: &str| -> Result<NormalizerWrapper> {
        let replace = Replace::new(ReplacePattern::Regex(pattern.to_owned()), with);
        Ok(replace.map_err(|error| anyhow!("{error}"))?.into())
    };
    let rules: Option<NormalizerWrapper> = match charsmap {
        [] => None,
        rules => Some(Precompiled::from(rules).map_err(|error| anyhow!("{error}"))?.into()),
    };
    let stages: Vec<NormalizerWrapper> = match (class, rules) {
        (Class::Bert | Class::ProphetNet, _) => {
            let flag = |key: &str| settings.flag(key);
            let chinese = flag("tokenize_chinese_chars").unwrap_or(true);
            let lower = flag("do_lower_case").unwrap_or(true);
            return Ok(Some(BertNormalizer::new(true, chinese, flag("strip_accents"), lower).into()));
        }
        // The class of transformers 5 applies no character rules for mBART-25.
        (Class::Bart | Class::Blenderbot | Class::MBart, _) | (Class::T5 | Class::Nllb, None) => return Ok(None),
        (Class::Seamless, _) => vec![
            replace(r"[\n\r\t]", " ")?,
            NFKC.into(),
            Strip::new(false, true).into(),
            replace(" +▁", "▁")?,
            replace("^▁+$", "")?,
            replace(" {2,}", "▁")?,
        ],
        (Class::T5, Some(rules)) => return Ok(Some(rules)),
        (Class::Pegasus, None) => vec![replace(r"\n", " ")?, replace(" {2,}", " ")?],
        (_, None) => vec![replace(" {2,}", " ")?],
        (_, Some(rules)) => vec![rules, replace(" {2,}", " ")?],
    };
    Ok(Some(Normalizers::new(stages).into()))
}

/// The tokens that are found in a text before it is segmented, in the order in which transformers adds them. A token that
/// the vocabulary lacks gets the next free id.
fn added_tokens(class: Class, settings: &TokenizerSettings, assets: &TokenizerAssets) -> Vec<AddedToken> {
    let special = |content: &str| AddedToken::special(content);
    let mut tokens: Vec<AddedToken> = assets.added.values().cloned().collect();
    if class == Class::Nllb && tokens.is_empty() {
        // If no file names the languages, they have the ids of fairseq, before the mask.
        tokens.extend(class.language_codes(settings).into_iter().map(special));
    }
    tokens.extend(class.named_tokens().iter().filter_map(|(name, default)| {
        let token = settings.token(name, default)?;
        let plain = *name == "mask_token" && token == special(&token.content);
        Some(match class {
            Class::MBart | Class::MBart50 | Class::Blenderbot if plain => AddedToken { lstrip: true, ..token },
            // In this family the class itself sets these flags.
            Class::Nllb if plain => AddedToken { lstrip: true, normalized: true, ..token },
            _ => token,
        })
    }));
    tokens.extend(nameless_tokens(class, settings, assets.marked.clone()));
    let mut seen = HashSet::new();
    tokens.retain(|token| seen.insert(token.content.clone()));
    tokens
}

/// The special tokens without names. If `tokenizer_config.json` has a list of them, even null, it is that list. Otherwise
/// they are the tokens that the SentencePiece model marks (without such a model, those of `special_tokens_map.json`) and
/// the class's own.
fn nameless_tokens(class: Class, settings: &TokenizerSettings, marked: Option<Vec<AddedToken>>) -> Vec<AddedToken> {
    let special = |content: &str| AddedToken::special(content);
    let codes = || class.language_codes(settings).into_iter().map(special);
    let listed = settings.tokens(EXTRA);
    if class != Class::Nllb && settings.has(EXTRA) {
        return listed.unwrap_or_default();
    }
    let mut tokens = listed.or(marked).or_else(|| settings.tokens(OLDER_EXTRA)).unwrap_or_default();
    match class {
        Class::T5 if !tokens.iter().any(|token| token.content.contains("<extra_id_")) => {
            let extra = settings.number("extra_ids").unwrap_or(T5_EXTRA_IDS).min(MANY);
            tokens.extend((0..extra).map(|index| special(&format!("<extra_id_{index}>"))));
        }
        Class::Pegasus => {
            let mask = settings.token("mask_token_sent", "<mask_1>");
            let mask = mask.filter(|mask| tokens.iter().all(|token| token.content != mask.content));
            let offset = settings.number("offset").unwrap_or(PEGASUS_OFFSET).min(MANY);
            tokens = mask.into_iter().chain((2..offset).map(|index| special(&format!("<unk_{index}>")))).collect();
        }
        Class::MBart => tokens = codes().chain(tokens).collect(),
        // NLLB is useless without its language tokens, whatever its files list.
        Class::MBart50 | Class::Nllb => tokens.extend(codes()),
        _ => {}
    }
    tokens
}
