//! Tokenizers of the tokenizers crate: BART, T5, Pegasus, mBART, NLLB, and whatever tokenizer.json
//! describes. The only file that knows the crate.
//!
//! Invariant: stages, ids and added tokens are those that the class of transformers 5 builds from the
//! same files. That class takes the vocabulary and the character rules out of tokenizer.json and sets
//! up the other stages itself, so both layouts of a checkpoint meet in `Ingredients`. Templates (which
//! tokens stand around a text) belong to `languages`, except those of a file of unknown class.

use std::collections::{BTreeMap, HashMap, HashSet};

use anyhow::{Context, Result, anyhow, bail, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use tokenizers::decoders::DecoderWrapper;
use tokenizers::models::ModelWrapper;
use tokenizers::models::bpe::BPE;
use tokenizers::models::unigram::Unigram;
use tokenizers::normalizers::precompiled::Precompiled;
use tokenizers::normalizers::replace::{Replace, ReplacePattern};
use tokenizers::normalizers::{NormalizerWrapper, Sequence as Normalizers};
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::metaspace::{Metaspace, PrependScheme};
use tokenizers::pre_tokenizers::sequence::Sequence as PreTokenizers;
use tokenizers::pre_tokenizers::whitespace::WhitespaceSplit;

use super::charsmap::Charsmap;
use super::class::Class;
use super::pieces::{broken, vocabulary};
use super::proto::{ModelProto, PieceKind};
use super::settings::{AddedToken, Settings};
use crate::batch::TokenId;
use crate::files::ModelFiles;

/// A tokenizer of the tokenizers crate.
#[derive(Debug)]
pub(super) struct Pipeline {
    inner: tokenizers::Tokenizer,
    /// Whether the template of tokenizer.json puts the tokens around a text.
    own_template: bool,
    size: usize,
}

/// A vocabulary, as the two algorithms want it.
enum Entries {
    Unigram(Vec<(String, f64)>),
    Bpe { ids: HashMap<String, TokenId>, merges: Vec<(String, String)> },
}

/// What the files of a checkpoint contribute.
struct Ingredients {
    entries: Entries,
    charsmap: Vec<u8>,
    added: BTreeMap<TokenId, AddedToken>,
    /// Special tokens that the SentencePiece model itself marks.
    marked: Vec<AddedToken>,
}

impl Pipeline {
    pub(super) fn load(files: &ModelFiles, settings: &Settings, class: Class) -> Result<Self> {
        let (file, inner) = if class == Class::File {
            ("tokenizer.json", from_file(files)?)
        } else if files.has("tokenizer.json") {
            let ingredients = Ingredients::of_json(&files.json("tokenizer.json")?.unwrap_or_default(), settings);
            ("tokenizer.json", ingredients.and_then(|ingredients| build(class, settings, ingredients)))
        } else if class == Class::Bart {
            let ingredients = Ingredients::of_merges(files, settings)?;
            ("vocab.json", build(class, settings, ingredients))
        } else {
            let file = class.sentencepiece_file();
            let ingredients = Ingredients::of_sentencepiece(&files.read(file)?, class, settings);
            (file, ingredients.and_then(|ingredients| build(class, settings, ingredients)))
        };
        let inner = inner.with_context(|| broken(files, file))?;
        let size = inner.get_vocab(true).values().max().map_or(0, |&id| id as usize + 1);
        Ok(Self { inner, own_template: class == Class::File, size })
    }

    pub(super) fn encode(&self, text: &str) -> Result<Vec<TokenId>> {
        let encoding = self.inner.encode_fast(text, self.own_template).map_err(|error| anyhow!("{error}"))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The ids of a text with no token around it.
    pub(super) fn encode_target(&self, text: &str) -> Option<Vec<TokenId>> {
        Some(self.inner.encode_fast(text, false).ok()?.get_ids().to_vec())
    }

    /// Bytes split over tokens are joined before they are read as text, since all ids are decoded at once.
    pub(super) fn decode(&self, ids: &[TokenId]) -> String {
        self.inner.decode(ids, true).unwrap_or_default()
    }

    pub(super) fn id(&self, token: &str) -> Option<TokenId> {
        self.inner.token_to_id(token)
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

impl Ingredients {
    /// From tokenizer.json, without its stages.
    fn of_json(json: &Value, settings: &Settings) -> Result<Self> {
        let model = json.get("model").context("it has no `model`")?;
        let mut ingredients = Self {
            entries: entries_of_json(model)?,
            charsmap: charsmaps(json.get("normalizer").unwrap_or(&Value::Null))?.into_iter().next().unwrap_or_default(),
            added: settings.added.clone(),
            marked: Vec::new(),
        };
        if !settings.lists_added_tokens() {
            for token in json.get("added_tokens").and_then(Value::as_array).into_iter().flatten() {
                let id = token.get("id").and_then(Value::as_u64).and_then(|id| TokenId::try_from(id).ok());
                let (Some(id), Some(token)) = (id, AddedToken::parse(token)) else {
                    bail!("an added token makes no sense")
                };
                ingredients.added.insert(id, token);
            }
        }
        Ok(ingredients)
    }

    /// From vocab.json and merges.txt.
    fn of_merges(files: &ModelFiles, settings: &Settings) -> Result<Self> {
        let ids = vocabulary(files, "vocab.json")?;
        let text = files.read("merges.txt")?;
        let text = std::str::from_utf8(&text).with_context(|| broken(files, "merges.txt"))?;
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with("#version"));
        let merges = lines
            .map(|line| line.split_once(' ').map(|(left, right)| (left.to_owned(), right.to_owned())))
            .collect::<Option<Vec<_>>>()
            .with_context(|| broken(files, "merges.txt"))?;
        for (left, right) in &merges {
            ensure!(
                ids.contains_key(left) && ids.contains_key(right) && ids.contains_key(&format!("{left}{right}")),
                "{}\ncause: `vocab.json` lacks a part of `{left} {right}`",
                broken(files, "merges.txt")
            );
        }
        Ok(Self {
            entries: Entries::Bpe { ids, merges },
            charsmap: Vec::new(),
            added: settings.added.clone(),
            marked: Vec::new(),
        })
    }

    /// From a SentencePiece model, its pieces put where the family has them.
    fn of_sentencepiece(bytes: &[u8], class: Class, settings: &Settings) -> Result<Self> {
        let proto = ModelProto::parse(bytes)?;
        Charsmap::parse(&proto.normalizer.charsmap)?;
        let marked = proto.pieces.iter().filter_map(|piece| match piece.kind {
            PieceKind::Control => Some(AddedToken::special(&piece.text)),
            PieceKind::UserDefined => Some(AddedToken { special: false, ..AddedToken::special(&piece.text) }),
            _ => None,
        });
        Ok(Self {
            marked: marked.collect(),
            entries: entries_of_pieces(&proto, class, settings)?,
            added: settings.added.clone(),
            charsmap: proto.normalizer.charsmap,
        })
    }
}

fn entries_of_json(model: &Value) -> Result<Entries> {
    let vocab = model.get("vocab").context("its model has no `vocab`")?;
    if let Some(list) = vocab.as_array() {
        let entry = |entry: &Value| Some((entry.get(0)?.as_str()?.to_owned(), entry.get(1)?.as_f64()?));
        let entries = list.iter().map(entry).collect::<Option<Vec<_>>>();
        return Ok(Entries::Unigram(entries.context("its vocabulary is not pieces and scores")?));
    }
    let ids = vocab.as_object().context("its vocabulary is neither a list nor an object")?;
    let ids = ids
        .iter()
        .map(|(token, id)| Some((token.clone(), TokenId::try_from(id.as_u64()?).ok()?)))
        .collect::<Option<_>>()
        .context("its vocabulary has a token without a number")?;
    let merge = |merge: &Value| {
        let pair = merge.as_str().and_then(|merge| merge.split_once(' '));
        let (left, right) = pair.or_else(|| Some((merge.get(0)?.as_str()?, merge.get(1)?.as_str()?)))?;
        Some((left.to_owned(), right.to_owned()))
    };
    let merges = model.get("merges").and_then(Value::as_array).into_iter().flatten().map(merge);
    Ok(Entries::Bpe { ids, merges: merges.collect::<Option<_>>().context("its merges are not pairs")? })
}

/// The ids of a family, from the pieces of its SentencePiece model.
fn entries_of_pieces(proto: &ModelProto, class: Class, settings: &Settings) -> Result<Entries> {
    let token = |name: &str, default: &str| settings.token(name, default).map(|token| (token.content, 0.0));
    let pieces = |from: usize| proto.pieces.iter().skip(from).map(|piece| (piece.text.clone(), f64::from(piece.score)));
    let fairseq = [("bos_token", "<s>"), ("pad_token", "<pad>"), ("eos_token", "</s>"), ("unk_token", "<unk>")];
    let fairseq = fairseq.iter().filter_map(|(name, default)| token(name, default));
    let unigram: Vec<(String, f64)> = match class {
        Class::T5 => {
            let extra = settings.number("extra_ids").unwrap_or(T5_EXTRA_IDS);
            ensure!(extra <= MANY, "`extra_ids` is {extra}");
            pieces(0).chain((0..extra).rev().map(|index| (format!("<extra_id_{index}>"), 0.0))).collect()
        }
        Class::Pegasus => {
            let offset = settings.number("offset").unwrap_or(PEGASUS_OFFSET);
            ensure!(offset <= MANY, "`offset` is {offset}");
            // transformers 5 forgets one of the masks where a file names only `<mask_2>`, and all ids after it are off by one.
            let first = token("mask_token", "<mask_1>").is_some_and(|(mask, _)| mask == "<mask_1>");
            let sentence = if first { "<mask_2>" } else { "<mask_1>" };
            let specials = [
                ("pad_token", "<pad>"),
                ("eos_token", "</s>"),
                ("mask_token", "<mask_1>"),
                ("mask_token_sent", sentence),
            ];
            let specials = specials.iter().filter_map(|(name, default)| token(name, default));
            let unused = (2..offset).map(|index| (format!("<unk_{index}>"), -100.0));
            specials.chain(unused).chain(pieces(2)).collect()
        }
        Class::Nllb => {
            let mut ids: HashMap<String, TokenId> = HashMap::new();
            for (text, _) in fairseq.chain(pieces(0)) {
                let next = ids.len() as TokenId;
                ids.entry(text).or_insert(next);
            }
            return Ok(Entries::Bpe { merges: merges(proto), ids });
        }
        _ => {
            let languages = class.languages(settings).into_iter().map(|code| (code.to_owned(), 0.0));
            fairseq.chain(pieces(3)).chain(languages).chain(token("mask_token", "<mask>")).collect()
        }
    };
    Ok(Entries::Unigram(unigram))
}

const T5_EXTRA_IDS: usize = 100;
const PEGASUS_OFFSET: usize = 103;
/// No checkpoint has as many unused tokens; a setting beyond it is a broken file.
const MANY: usize = 100_000;

/// The merges that a byte-pair model of SentencePiece implies: it lists its pieces in the order in
/// which they were joined, but not from what.
fn merges(proto: &ModelProto) -> Vec<(String, String)> {
    let known: HashSet<&str> = proto.pieces.iter().map(|piece| piece.text.as_str()).collect();
    let mut merges = Vec::new();
    for piece in &proto.pieces {
        for (cut, _) in piece.text.char_indices().skip(1) {
            let (left, right) = piece.text.split_at(cut);
            if known.contains(left) && known.contains(right) {
                merges.push((left.to_owned(), right.to_owned()));
            }
        }
    }
    merges
}

/// Every table of character rules in a stage, checked: the tokenizers crate trusts what they point to.
fn charsmaps(stage: &Value) -> Result<Vec<Vec<u8>>> {
    let mut found = Vec::new();
    let mut open = vec![stage];
    while let Some(value) = open.pop() {
        match value {
            Value::Array(values) => open.extend(values.iter().rev()),
            Value::Object(object) => {
                if let Some(base64) = object.get("precompiled_charsmap").and_then(Value::as_str) {
                    let bytes = BASE64_STANDARD.decode(base64).context("its character rules are not base64")?;
                    Charsmap::parse(&bytes)?;
                    found.push(bytes);
                }
                open.extend(object.values());
            }
            _ => {}
        }
    }
    Ok(found)
}

/// A tokenizer exactly as tokenizer.json describes it, but for cutting and padding.
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

/// Sets up the stages of a class.
fn build(class: Class, settings: &Settings, ingredients: Ingredients) -> Result<tokenizers::Tokenizer> {
    let tokens = added_tokens(class, settings, &ingredients);
    let mut inner = tokenizers::Tokenizer::new(model(class, settings, ingredients.entries)?);
    let failed = |error: tokenizers::Error| anyhow!("{error}");
    inner.with_normalizer(normalizer(class, &ingredients.charsmap)?).map_err(failed)?;
    let spaces = Metaspace::new('▁', PrependScheme::Always, true);
    let pre_tokenizer: PreTokenizerWrapper = match class {
        Class::Bart => ByteLevel::new(settings.flag("add_prefix_space").unwrap_or(false), true, true).into(),
        Class::T5 | Class::MBart => PreTokenizers::new(vec![WhitespaceSplit.into(), spaces.clone().into()]).into(),
        _ => spaces.clone().into(),
    };
    inner.with_pre_tokenizer(Some(pre_tokenizer));
    inner.with_decoder(Some(if class == Class::Bart {
        DecoderWrapper::from(ByteLevel::default())
    } else {
        spaces.into()
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

fn model(class: Class, settings: &Settings, entries: Entries) -> Result<ModelWrapper> {
    let unknown = settings.token("unk_token", "<unk>").map_or_else(|| "<unk>".to_owned(), |token| token.content);
    match entries {
        Entries::Unigram(pieces) => {
            let position = pieces.iter().position(|(text, _)| *text == unknown);
            let position = position.with_context(|| format!("its vocabulary has no `{unknown}`"))?;
            let model = Unigram::from(pieces, Some(position), false).map_err(|error| anyhow!("{error}"))?;
            Ok(model.into())
        }
        Entries::Bpe { ids, merges } => {
            let vocabulary: tokenizers::models::bpe::Vocab = ids.into_iter().collect();
            let builder = BPE::builder().vocab_and_merges(vocabulary, merges);
            let builder = if class == Class::Bart { builder } else { builder.unk_token(unknown).fuse_unk(true) };
            Ok(builder.build().map_err(|error| anyhow!("{error}"))?.into())
        }
    }
}

fn normalizer(class: Class, charsmap: &[u8]) -> Result<Option<NormalizerWrapper>> {
    let replace = |pattern: &str| -> Result<NormalizerWrapper> {
        let replace = Replace::new(ReplacePattern::Regex(pattern.to_owned()), " ");
        Ok(replace.map_err(|error| anyhow!("{error}"))?.into())
    };
    let rules: Option<NormalizerWrapper> = match charsmap {
        [] => None,
        rules => Some(Precompiled::from(rules).map_err(|error| anyhow!("{error}"))?.into()),
    };
    let stages: Vec<NormalizerWrapper> = match (class, rules) {
        // The class of transformers 5 applies no character rules for mBART-25.
        (Class::Bart | Class::MBart, _) | (Class::T5 | Class::Nllb, None) => return Ok(None),
        (Class::T5, Some(rules)) => return Ok(Some(rules)),
        (Class::Pegasus, None) => vec![replace(r"\n")?, replace(" {2,}")?],
        (_, None) => vec![replace(" {2,}")?],
        (_, Some(rules)) => vec![rules, replace(" {2,}")?],
    };
    Ok(Some(Normalizers::new(stages).into()))
}

/// The tokens that are found before anything else, in the order in which transformers adds them: one
/// that the vocabulary lacks gets the next free id.
fn added_tokens(class: Class, settings: &Settings, ingredients: &Ingredients) -> Vec<AddedToken> {
    let special = |content: &str| AddedToken::special(content);
    let mut tokens: Vec<AddedToken> = ingredients.added.values().cloned().collect();
    if class == Class::Nllb && tokens.is_empty() {
        // No file names the languages: they stand where fairseq has them, before the mask.
        tokens.extend(class.languages(settings).into_iter().map(special));
    }
    let strips = matches!(class, Class::MBart | Class::MBart50 | Class::Nllb);
    tokens.extend(class.named_tokens().iter().filter_map(|(name, default)| {
        let token = settings.token(name, default)?;
        let plain = *name == "mask_token" && strips && token == special(&token.content);
        Some(if plain { AddedToken { lstrip: true, normalized: true, ..token } } else { token })
    }));
    if class != Class::Pegasus {
        tokens.extend(ingredients.marked.iter().cloned());
    }
    tokens.extend(settings.extra_special_tokens());
    match class {
        Class::T5 => {
            let extra = settings.number("extra_ids").unwrap_or(T5_EXTRA_IDS).min(MANY);
            tokens.extend((0..extra).map(|index| special(&format!("<extra_id_{index}>"))));
        }
        Class::Pegasus => {
            tokens.extend(settings.token("mask_token_sent", "<mask_1>"));
            let offset = settings.number("offset").unwrap_or(PEGASUS_OFFSET).min(MANY);
            tokens.extend((2..offset).map(|index| special(&format!("<unk_{index}>"))));
        }
        Class::MBart | Class::MBart50 | Class::Nllb => {
            tokens.extend(class.languages(settings).into_iter().map(special));
        }
        _ => {}
    }
    let mut seen = HashSet::new();
    tokens.retain(|token| seen.insert(token.content.clone()));
    tokens
}
