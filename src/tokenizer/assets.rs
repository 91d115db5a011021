//! The data that a checkpoint's files have for a tokenizer of the tokenizers crate: its vocabulary, its character rules
//! and its added tokens, whichever files they are in.
//!
//! Invariant: ids are those that the class of transformers 5 assigns, and character rules were checked. The stages of a
//! tokenizer, which a class builds from this data, belong to `hf`.

use std::collections::{BTreeMap, HashMap, HashSet};

use anyhow::{Context, Result, anyhow, bail, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::charsmap::Charsmap;
use super::class::Class;
use super::proto::{ModelProto, PieceKind};
use super::settings::{AddedToken, TokenizerSettings};
use super::vocabulary::Vocabulary;
use crate::batch::TokenId;
use crate::error::Explain;
use crate::files::ModelFiles;

/// Number of unused tokens (`<extra_id_0>` and so on) of T5, if no file gives another.
pub(super) const T5_EXTRA_IDS: usize = 100;
/// Number of ids of Pegasus before its first piece, if no file gives another.
pub(super) const PEGASUS_OFFSET: usize = 103;
/// The most unused tokens that a file may ask for. No checkpoint has as many, so a larger number means a broken file.
pub(super) const MANY: usize = 100_000;

/// A vocabulary, in the form of each of the three algorithms.
pub(super) enum VocabularyData {
    /// Unigram: pieces and their scores, in the order of their ids.
    Unigram(Vec<(String, f64)>),
    /// Byte-pair encoding: the ids of pieces, and the merges in order.
    Bpe { ids: HashMap<String, TokenId>, merges: Vec<(String, String)> },
    /// `WordPiece`: the ids of pieces that begin words and of pieces that continue them.
    Words(HashMap<String, TokenId>),
}

/// A tokenizer's data from a checkpoint's files.
pub(super) struct TokenizerAssets {
    /// The vocabulary.
    pub(super) entries: VocabularyData,
    /// The character rules of SentencePiece; empty if there are none.
    pub(super) charsmap: Vec<u8>,
    /// Added tokens by id; they are found in a text before it is segmented.
    pub(super) added: BTreeMap<TokenId, AddedToken>,
    /// Tokens that the SentencePiece model itself marks as special or user-defined, if there is such a model.
    pub(super) marked: Option<Vec<AddedToken>>,
}

impl TokenizerAssets {
    /// The data in tokenizer.json, without its stages. `file` are the bytes of `json`.
    pub(super) fn of_json(json: &Value, file: &[u8], settings: &TokenizerSettings) -> Result<Self> {
        let model = json.get("model").context("it has no `model`")?;
        let mut assets = Self {
            entries: entries_of_json(model, file)?,
            charsmap: charsmaps(json.get("normalizer").unwrap_or(&Value::Null))?.into_iter().next().unwrap_or_default(),
            added: settings.added.clone(),
            marked: None,
        };
        if !settings.lists_added_tokens() {
            for token in json.get("added_tokens").and_then(Value::as_array).into_iter().flatten() {
                let id = token.get("id").and_then(Value::as_u64).and_then(|id| TokenId::try_from(id).ok());
                let (Some(id), Some(token)) = (id, AddedToken::parse(token)) else {
                    bail!("an added token makes no sense")
                };
                assets.added.insert(id, token);
            }
        }
        Ok(assets)
    }

    /// The data in vocab.json and merges.txt.
    pub(super) fn of_merges(files: &ModelFiles, settings: &TokenizerSettings) -> Result<Self> {
        let ids = Vocabulary::read(files, "vocab.json")?.to_map();
        let text = files.read("merges.txt")?;
        let text = std::str::from_utf8(&text).explain(|| files.broken("merges.txt"))?;
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with("#version"));
        let merges = lines
            .map(|line| line.split_once(' ').map(|(left, right)| (left.to_owned(), right.to_owned())))
            .collect::<Option<Vec<_>>>()
            .explain(|| files.broken("merges.txt"))?;
        for (left, right) in &merges {
            let known =
                ids.contains_key(left) && ids.contains_key(right) && ids.contains_key(&format!("{left}{right}"));
            if !known {
                let cause = anyhow!("`vocab.json` lacks a part of `{left} {right}`");
                return Err(cause).explain(|| files.broken("merges.txt"));
            }
        }
        Ok(Self {
            entries: VocabularyData::Bpe { ids, merges },
            charsmap: Vec::new(),
            added: settings.added.clone(),
            marked: None,
        })
    }

    /// The data in a text file that has one piece per line.
    pub(super) fn of_lines(files: &ModelFiles, file: &str, settings: &TokenizerSettings) -> Result<Self> {
        let text = files.read(file)?;
        let text = std::str::from_utf8(&text).explain(|| files.broken(file))?;
        let ids = text.lines().enumerate().map(|(id, piece)| (piece.to_owned(), id as TokenId)).collect();
        Ok(Self {
            entries: VocabularyData::Words(ids),
            charsmap: Vec::new(),
            added: settings.added.clone(),
            marked: None,
        })
    }

    /// The data in a SentencePiece model; its pieces get the ids of the class.
    pub(super) fn of_sentencepiece(bytes: &[u8], class: Class, settings: &TokenizerSettings) -> Result<Self> {
        let proto = ModelProto::parse(bytes)?;
        Charsmap::parse(&proto.normalizer.charsmap)?;
        let marked = proto.pieces.iter().filter_map(|piece| match piece.kind {
            PieceKind::Control => Some(AddedToken::special(piece.text)),
            PieceKind::UserDefined => Some(AddedToken { special: false, ..AddedToken::special(piece.text) }),
            _ => None,
        });
        Ok(Self {
            marked: Some(marked.collect()),
            entries: entries_of_pieces(&proto, class, settings)?,
            added: settings.added.clone(),
            charsmap: proto.normalizer.charsmap,
        })
    }
}

/// The pieces of a tokenizer.json, with their scores as written.
#[derive(Deserialize)]
struct WrittenScores<'a> {
    #[serde(borrow)]
    model: WrittenPieces<'a>,
}

#[derive(Deserialize)]
struct WrittenPieces<'a> {
    #[serde(borrow)]
    vocab: Vec<(String, &'a RawValue)>,
}

/// The pieces and scores of a tokenizer.json, exact to the last bit, as Python reads them for transformers. `serde_json`
/// reads a quarter of such numbers one bit off, which breaks ties differently. The tokenizers crate also reads files this
/// way, in Python as here.
fn pieces_of_json(file: &[u8]) -> Result<Vec<(String, f64)>> {
    let WrittenScores { model } = serde_json::from_slice(file)?;
    model.vocab.into_iter().map(|(piece, score)| Ok((piece, score.get().parse()?))).collect()
}

fn entries_of_json(model: &Value, file: &[u8]) -> Result<VocabularyData> {
    let vocab = model.get("vocab").context("its model has no `vocab`")?;
    if vocab.is_array() {
        return pieces_of_json(file).map(VocabularyData::Unigram).context("its vocabulary is not pieces and scores");
    }
    let ids = vocab.as_object().context("its vocabulary is neither a list nor an object")?;
    let ids = ids
        .iter()
        .map(|(token, id)| Some((token.clone(), TokenId::try_from(id.as_u64()?).ok()?)))
        .collect::<Option<_>>()
        .context("its vocabulary has a token without a number")?;
    if model.get("type").and_then(Value::as_str) == Some("WordPiece") {
        return Ok(VocabularyData::Words(ids));
    }
    let merge = |merge: &Value| {
        let pair = merge.as_str().and_then(|merge| merge.split_once(' '));
        let (left, right) = pair.or_else(|| Some((merge.get(0)?.as_str()?, merge.get(1)?.as_str()?)))?;
        Some((left.to_owned(), right.to_owned()))
    };
    let merges = model.get("merges").and_then(Value::as_array).into_iter().flatten().map(merge);
    Ok(VocabularyData::Bpe { ids, merges: merges.collect::<Option<_>>().context("its merges are not pairs")? })
}

/// The vocabulary of a class, from the pieces of its SentencePiece model.
fn entries_of_pieces(proto: &ModelProto, class: Class, settings: &TokenizerSettings) -> Result<VocabularyData> {
    let token = |name: &str, default: &str| settings.token(name, default).map(|token| (token.content, 0.0));
    let pieces =
        |from: usize| proto.pieces.iter().skip(from).map(|piece| (piece.text.to_owned(), f64::from(piece.score)));
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
            // transformers 5 omits one of the masks if a file names only `<mask_2>`; then all ids after it are off by
            // one.
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
        Class::Seamless => {
            let specials = ["<pad>", "<unk>", "<s>", "</s>"];
            let mut ids: HashMap<String, TokenId> = specials.map(str::to_owned).into_iter().zip(0..).collect();
            ids.extend(pieces(0).map(|(text, _)| text).zip(1..));
            return Ok(VocabularyData::Bpe { merges: merges(proto), ids });
        }
        Class::Nllb => {
            let mut ids: HashMap<String, TokenId> = HashMap::new();
            for (text, _) in fairseq.chain(pieces(0)) {
                let next = ids.len() as TokenId;
                ids.entry(text).or_insert(next);
            }
            return Ok(VocabularyData::Bpe { merges: merges(proto), ids });
        }
        _ => {
            let codes = class.language_codes(settings).into_iter().map(|code| (code.to_owned(), 0.0));
            fairseq.chain(pieces(3)).chain(codes).chain(token("mask_token", "<mask>")).collect()
        }
    };
    Ok(VocabularyData::Unigram(unigram))
}

/// The merges that a byte-pair model of SentencePiece implies: it lists its pieces in the order in which they were
/// merged, but not what they were merged from.
fn merges(proto: &ModelProto) -> Vec<(String, String)> {
    let known: HashSet<&str> = proto.pieces.iter().map(|piece| piece.text).collect();
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

/// All tables of character rules in a stage. They are checked here, because the tokenizers crate trusts the offsets in
/// them.
pub(super) fn charsmaps(stage: &Value) -> Result<Vec<Vec<u8>>> {
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
