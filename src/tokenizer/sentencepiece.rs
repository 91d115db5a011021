//! Segmentation of text into the pieces of a SentencePiece model, and joining pieces to text, exactly as in the
//! SentencePiece library. Scores are added in its order and precision, so that even ties are equal.
//!
//! Invariant: a loaded model has exactly one unknown piece and no piece twice, so every text has a segmentation. The ids,
//! special tokens and languages of a checkpoint belong to the family's vocabulary. The two algorithms are in `unigram`
//! and `bpe`. All follow the library's `normalizer.cc`, `unigram_model.cc` and `bpe_model.cc`
//! (<https://github.com/google/sentencepiece>).

use std::borrow::Cow;
use std::ops::Range;
use std::sync::OnceLock;

use anyhow::{Context, Result, bail, ensure};

use super::charsmap::Charsmap;
use super::interner::Interner;
use super::proto::{Algorithm, ModelProto, NormalizerSpec, PieceKind, ProtoPiece};
use super::trie::Trie;

/// The character that stands for a space inside a piece.
pub(super) const SPACE: &str = "\u{2581}";
/// How far the score of an unknown character is below that of the rarest piece.
const UNKNOWN_PENALTY: f32 = 10.0;

/// A SentencePiece model, loaded for segmentation.
#[derive(Debug)]
pub(super) struct SentencePiece {
    names: Interner,
    /// Score and kind of each piece.
    pieces: Vec<(f32, PieceKind)>,
    /// The pieces that a unigram model finds in a text, built when a text is first segmented.
    trie: OnceLock<Trie>,
    /// User-defined symbols, which are kept whole wherever they stand, before any character rule.
    pub(super) symbols: Option<Trie>,
    charsmap: Charsmap,
    spec: NormalizerSpec,
    algorithm: Algorithm,
    pub(super) unknown: u32,
    unknown_surface: String,
    /// The ids of the pieces `<0x00>` to `<0xFF>`, if unknown characters become bytes.
    bytes: Option<Vec<u32>>,
    pub(super) unknown_score: f32,
    pub(super) highest_score: f32,
}

/// A text segmented into pieces.
#[derive(Debug)]
pub(super) struct Segmented {
    /// The normalized text: after the character rules, with `▁` for spaces.
    pub text: String,
    /// The range of each piece in `text`, and its id. Neighbouring unknown characters form one piece. All bytes of an
    /// unknown character have the range of that character.
    pub pieces: Vec<(Range<usize>, u32)>,
}

impl SentencePiece {
    /// Parses the bytes of a `.spm` or `.model` file.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self> {
        Self::new(ModelProto::parse(bytes)?)
    }

    pub(super) fn new(proto: ModelProto) -> Result<Self> {
        let names = distinct(&proto.pieces)?;
        let kind = |kind: PieceKind| move |(_, piece): &(u32, &ProtoPiece)| piece.kind == kind;
        let numbered = || (0u32..).zip(&proto.pieces);
        let unknown: Vec<u32> = numbered().filter(kind(PieceKind::Unknown)).map(|(id, _)| id).collect();
        let [unknown] = unknown[..] else { bail!("it has {} unknown pieces, not one", unknown.len()) };
        let symbols: Vec<_> =
            numbered().filter(kind(PieceKind::UserDefined)).map(|(id, piece)| (piece.text.as_bytes(), id)).collect();
        let scores = || numbered().filter(kind(PieceKind::Normal)).map(|(_, piece)| piece.score);
        Ok(Self {
            trie: OnceLock::new(),
            symbols: (!symbols.is_empty()).then(|| Trie::new(symbols)),
            charsmap: Charsmap::parse(&proto.normalizer.charsmap)?,
            bytes: if proto.byte_fallback { Some(byte_pieces(&names)?) } else { None },
            // The library starts from these two values, and a unigram model may have no normal piece at all.
            unknown_score: scores().fold(f32::MAX, f32::min) - UNKNOWN_PENALTY,
            highest_score: scores().fold(f32::MIN_POSITIVE, f32::max),
            spec: proto.normalizer,
            algorithm: proto.algorithm,
            unknown,
            unknown_surface: proto.unk_surface,
            pieces: proto.pieces.iter().map(|piece| (piece.score, piece.kind)).collect(),
            names,
        })
    }

    /// All pieces, numbered by id.
    pub(super) fn names(&self) -> &Interner {
        &self.names
    }

    /// The id of a piece.
    pub(super) fn id(&self, piece: &str) -> Option<u32> {
        self.names.get(piece)
    }

    pub(super) fn score(&self, id: u32) -> f32 {
        self.pieces[id as usize].0
    }

    pub(super) fn kind(&self, id: u32) -> PieceKind {
        self.pieces[id as usize].1
    }

    /// The id of the unknown piece.
    pub(super) fn unknown(&self) -> u32 {
        self.unknown
    }

    pub(super) fn trie(&self) -> &Trie {
        let findable =
            |id: &u32| matches!(self.kind(*id), PieceKind::Normal | PieceKind::UserDefined | PieceKind::Unused);
        let numbered = || (0u32..).zip(self.names.iter());
        self.trie.get_or_init(|| {
            Trie::new(numbered().filter(|(id, _)| findable(id)).map(|(id, text)| (text.as_bytes(), id)).collect())
        })
    }

    /// Prepares to segment texts, which takes time when it is first done.
    pub(super) fn prepare(self) -> Self {
        if self.algorithm == Algorithm::Unigram {
            self.trie();
        }
        self
    }

    /// Segments a text into pieces.
    pub(super) fn encode(&self, text: &str) -> Segmented {
        let text = self.normalize(text);
        let cut = match self.algorithm {
            Algorithm::Unigram => self.unigram(&text),
            Algorithm::Bpe => self.bpe(&text),
        };
        let mut pieces: Vec<(Range<usize>, u32)> = Vec::with_capacity(cut.len());
        for (range, id) in cut {
            match (&self.bytes, pieces.last_mut()) {
                (Some(bytes), _) if id == self.unknown => {
                    pieces.extend(text[range.clone()].bytes().map(|byte| (range.clone(), bytes[usize::from(byte)])));
                }
                (None, Some((last, last_id))) if id == self.unknown && *last_id == id => last.end = range.end,
                _ => pieces.push((range, id)),
            }
        }
        Segmented { text, pieces }
    }

    /// Applies the character rules, and replaces spaces by `▁`.
    fn normalize(&self, text: &str) -> String {
        let spec = &self.spec;
        let space = if spec.escape_whitespaces { SPACE } else { " " };
        let mut rest = text;
        if spec.remove_extra_whitespaces {
            while let Some((length, " ")) = self.next_normal(rest) {
                rest = &rest[length..];
            }
        }
        let mut normal = String::with_capacity(text.len() + text.len() / 4 + space.len());
        if rest.is_empty() {
            return normal;
        }
        if spec.add_dummy_prefix && !spec.whitespace_as_suffix {
            normal.push_str(space);
        }
        let mut after_space = spec.remove_extra_whitespaces;
        while let Some((length, mut chars)) = self.next_normal(rest) {
            if after_space {
                // Extra spaces are dropped, also those that a replacement begins with.
                chars = chars.trim_start_matches(' ');
            }
            if !chars.is_empty() {
                for (index, word) in chars.split(' ').enumerate() {
                    normal.push_str(if index > 0 { space } else { "" });
                    normal.push_str(word);
                }
                after_space = spec.remove_extra_whitespaces && chars.ends_with(' ');
            }
            rest = &rest[length..];
        }
        if spec.remove_extra_whitespaces {
            normal.truncate(normal.trim_end_matches(space).len());
        }
        if spec.add_dummy_prefix && spec.whitespace_as_suffix {
            normal.push_str(space);
        }
        normal
    }

    /// The number of bytes of `text` that the next rule or character takes, and the text that replaces them.
    fn next_normal<'a>(&'a self, text: &'a str) -> Option<(usize, &'a str)> {
        let char_length = text.chars().next()?.len_utf8();
        if let Some((length, _)) = self.symbols.as_ref().and_then(|symbols| symbols.longest(text.as_bytes())) {
            return Some((length, &text[..length]));
        }
        match self.charsmap.longest(text.as_bytes()) {
            // A broken file could have a rule for half a character.
            Some((length, chars)) if text.is_char_boundary(length) => Some((length, chars)),
            _ => Some((char_length, &text[..char_length])),
        }
    }

    /// Joins pieces to a text: `▁` becomes a space, byte pieces become characters, control pieces disappear.
    pub(super) fn decode<'a>(&self, pieces: impl IntoIterator<Item = &'a str>) -> String {
        let mut text = String::new();
        let mut bytes: Vec<u8> = Vec::new();
        let (mut at_start, mut space_eaten) = (true, false);
        for piece in pieces {
            let id = self.id(piece).unwrap_or(self.unknown);
            if self.kind(id) == PieceKind::Byte
                && let Ok(byte) = u8::from_str_radix(piece.trim_start_matches("<0x").trim_end_matches('>'), 16)
            {
                bytes.push(byte);
                continue;
            }
            push_bytes(&mut text, &mut bytes);
            at_start &= !space_eaten && text.is_empty();
            let (surface, eaten) = self.surface(piece, id, at_start);
            space_eaten = eaten;
            text.push_str(&surface);
        }
        push_bytes(&mut text, &mut bytes);
        text
    }

    /// The text of one piece, and whether its space at the start of the text was dropped.
    fn surface<'a>(&'a self, piece: &'a str, id: u32, at_start: bool) -> (Cow<'a, str>, bool) {
        match self.kind(id) {
            PieceKind::Control => return ("".into(), false),
            PieceKind::Unknown if self.id(piece) == Some(id) => {
                return (self.unknown_surface.as_str().into(), false);
            }
            PieceKind::Unknown => return (piece.into(), false),
            _ => {}
        }
        let (mut piece, mut eaten) = (piece, false);
        if at_start
            && (self.spec.add_dummy_prefix || self.spec.remove_extra_whitespaces)
            && let Some(rest) = piece.strip_prefix(SPACE)
        {
            // If extra spaces are removed, all spaces at the start are dropped, not only the first.
            (piece, eaten) = (rest, !self.spec.remove_extra_whitespaces);
        }
        (piece.replace(SPACE, " ").into(), eaten)
    }
}

fn distinct(pieces: &[ProtoPiece]) -> Result<Interner> {
    let mut names = Interner::with_room(pieces.len());
    for (id, piece) in (0u32..).zip(pieces) {
        ensure!(names.number(piece.text)? == id, "it has the piece `{}` twice", piece.text);
    }
    names.shrink_to_fit();
    Ok(names)
}

fn byte_pieces(names: &Interner) -> Result<Vec<u32>> {
    (0..=255u8)
        .map(|byte| names.get(&format!("<0x{byte:02X}>")))
        .collect::<Option<_>>()
        .context("it falls back to bytes, but lacks some of the 256 byte pieces")
}

/// Appends collected bytes as text; each byte that is not part of a character becomes U+FFFD.
fn push_bytes(text: &mut String, bytes: &mut Vec<u8>) {
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    bytes.clear();
}
