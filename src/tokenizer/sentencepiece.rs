//! Cuts text into the pieces of a SentencePiece model and puts pieces together again, as the
//! SentencePiece library does, to the last tie: scores are added in its order and its precision.
//!
//! Invariant: a loaded model has exactly one unknown piece and no piece twice, so every text has a
//! segmentation. It knows nothing of a checkpoint's own ids, specials or languages: that is for the
//! family's vocabulary. The algorithms are those of the library's `unigram_model.cc`,
//! `bpe_model.cc` and `normalizer.cc` (<https://github.com/google/sentencepiece>).

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap};
use std::ops::Range;

use anyhow::{Context, Result, bail, ensure};

use super::charsmap::Charsmap;
use super::proto::{Algorithm, ModelProto, NormalizerSpec, Piece, PieceKind};
use super::trie::Trie;

/// How SentencePiece writes a space inside a piece.
pub(super) const SPACE: &str = "\u{2581}";
/// What an unknown character costs beyond the rarest piece.
const UNKNOWN_PENALTY: f32 = 10.0;

/// A SentencePiece model, ready to segment.
#[derive(Debug)]
pub(super) struct SentencePiece {
    pieces: Vec<Piece>,
    ids: HashMap<String, u32>,
    trie: Trie,
    /// Symbols that are kept whole wherever they stand, before any character rule.
    symbols: Option<Trie>,
    charsmap: Charsmap,
    spec: NormalizerSpec,
    algorithm: Algorithm,
    unknown: u32,
    unknown_surface: String,
    /// The id of `<0x00>` and so on, where unknown characters become bytes.
    bytes: Option<Vec<u32>>,
    unknown_score: f32,
    highest_score: f32,
}

/// A text cut into pieces.
#[derive(Debug)]
pub(super) struct Segmented {
    /// The text after the character rules, spaces as `▁`.
    pub text: String,
    /// Where in `text` each piece stands, and its id; neighbouring unknowns are one piece. The bytes
    /// of an unknown character all stand where that character does.
    pub pieces: Vec<(Range<usize>, u32)>,
}

impl SentencePiece {
    /// Parses the bytes of a `.spm` or `.model` file.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self> {
        Self::new(ModelProto::parse(bytes)?)
    }

    pub(super) fn new(proto: ModelProto) -> Result<Self> {
        let ids = distinct(&proto.pieces)?;
        let kind = |kind: PieceKind| move |(_, piece): &(u32, &Piece)| piece.kind == kind;
        let numbered = || (0u32..).zip(&proto.pieces);
        let unknown: Vec<u32> = numbered().filter(kind(PieceKind::Unknown)).map(|(id, _)| id).collect();
        let [unknown] = unknown[..] else { bail!("it has {} unknown pieces, not one", unknown.len()) };
        let symbols: Vec<_> =
            numbered().filter(kind(PieceKind::UserDefined)).map(|(id, piece)| (piece.text.as_bytes(), id)).collect();
        let findable = numbered()
            .filter(|(_, piece)| matches!(piece.kind, PieceKind::Normal | PieceKind::UserDefined | PieceKind::Unused))
            .map(|(id, piece)| (piece.text.as_bytes(), id));
        let scores = || numbered().filter(kind(PieceKind::Normal)).map(|(_, piece)| piece.score);
        Ok(Self {
            trie: Trie::new(findable.collect()),
            symbols: (!symbols.is_empty()).then(|| Trie::new(symbols)),
            charsmap: Charsmap::parse(&proto.normalizer.charsmap)?,
            bytes: if proto.byte_fallback { Some(byte_pieces(&ids)?) } else { None },
            // The library starts from these two, and a unigram model may have no normal piece at all.
            unknown_score: scores().fold(f32::MAX, f32::min) - UNKNOWN_PENALTY,
            highest_score: scores().fold(f32::MIN_POSITIVE, f32::max),
            ids,
            spec: proto.normalizer,
            algorithm: proto.algorithm,
            unknown,
            unknown_surface: proto.unk_surface,
            pieces: proto.pieces,
        })
    }

    /// All pieces, by id.
    pub(super) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// The id of the one unknown piece.
    pub(super) fn unknown(&self) -> u32 {
        self.unknown
    }

    /// Cuts a text into pieces.
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

    /// Applies the character rules and turns spaces into `▁`.
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

    /// How many bytes of `text` the next rule or character takes, and what stands there instead.
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

    /// The segmentation with the highest sum of scores, in single precision and from left to right:
    /// that decides between `...` `.` and `.` `...`.
    fn unigram(&self, text: &str) -> Vec<(Range<usize>, u32)> {
        #[derive(Clone, Copy)]
        struct Best {
            score: f32,
            start: usize,
            id: u32,
        }
        const NOWHERE: usize = usize::MAX;
        let mut best = vec![Best { score: 0.0, start: NOWHERE, id: 0 }; text.len() + 1];
        let offer = |best: &mut [Best], start: usize, end: usize, id: u32, score: f32| {
            let score = score + best[start].score;
            let target = &mut best[end];
            if target.start == NOWHERE || score > target.score {
                *target = Best { score, start, id };
            }
        };
        for (start, char) in text.char_indices() {
            let mut single = false;
            self.trie.prefixes(&text.as_bytes()[start..], |length, id| {
                let piece = &self.pieces[id as usize];
                let score = match piece.kind {
                    PieceKind::Unused => return,
                    PieceKind::UserDefined => (f64::from(length as f32 * self.highest_score) - 0.1) as f32,
                    _ => piece.score,
                };
                offer(&mut best, start, start + length, id, score);
                single |= length == char.len_utf8();
            });
            if !single {
                offer(&mut best, start, start + char.len_utf8(), self.unknown, self.unknown_score);
            }
        }
        let mut pieces = Vec::new();
        let mut end = text.len();
        while end > 0 {
            let Best { start, id, .. } = best[end];
            pieces.push((start..end, id));
            end = start;
        }
        pieces.reverse();
        pieces
    }

    /// Joins neighbours, the best-scored pair first and of equals the leftmost, until none is a piece.
    fn bpe(&self, text: &str) -> Vec<(Range<usize>, u32)> {
        let mut symbols = self.characters(text);
        let mut agenda = BinaryHeap::new();
        let mut unused: HashMap<&str, usize> = HashMap::new();
        for right in 1..symbols.len() {
            self.offer_pair(text, &symbols, right - 1, right, &mut agenda, &mut unused);
        }
        while let Some(Pair { left, right, length, .. }) = agenda.pop() {
            let (a, b) = (symbols[left].range.clone(), symbols[right].range.clone());
            if a.is_empty() || b.is_empty() || b.end - a.start != length {
                continue;
            }
            symbols[left].range = a.start..b.end;
            symbols[right].range = b.end..b.end;
            let (before, after) = (symbols[left].before, symbols[right].after);
            symbols[left].after = after;
            if let Some(after) = after {
                symbols[after].before = Some(left);
                self.offer_pair(text, &symbols, left, after, &mut agenda, &mut unused);
            }
            if let Some(before) = before {
                self.offer_pair(text, &symbols, before, left, &mut agenda, &mut unused);
            }
        }
        let mut pieces = Vec::new();
        for symbol in symbols.into_iter().filter(|symbol| !symbol.range.is_empty()) {
            self.split_unused(text, symbol.range, &unused, &mut pieces);
        }
        pieces
    }

    /// The characters of a text, user-defined symbols whole, as a linked list.
    fn characters(&self, text: &str) -> Vec<Symbol> {
        let mut symbols: Vec<Symbol> = Vec::with_capacity(text.len());
        let mut start = 0;
        while let Some(char) = text[start..].chars().next() {
            let whole = self.symbols.as_ref().and_then(|symbols| symbols.longest(&text.as_bytes()[start..]));
            let end = start + whole.map_or(char.len_utf8(), |(length, _)| length);
            let index = symbols.len();
            symbols.push(Symbol {
                range: start..end,
                before: index.checked_sub(1),
                after: (end < text.len()).then_some(index + 1),
                frozen: whole.is_some(),
            });
            start = end;
        }
        symbols
    }

    fn offer_pair<'a>(
        &self,
        text: &'a str,
        symbols: &[Symbol],
        left: usize,
        right: usize,
        agenda: &mut BinaryHeap<Pair>,
        unused: &mut HashMap<&'a str, usize>,
    ) {
        if symbols[left].frozen || symbols[right].frozen {
            return;
        }
        let joined = &text[symbols[left].range.start..symbols[right].range.end];
        let Some(&id) = self.ids.get(joined) else { return };
        let piece = &self.pieces[id as usize];
        match piece.kind {
            PieceKind::Normal | PieceKind::UserDefined => {}
            PieceKind::Unused => {
                unused.insert(joined, symbols[left].range.len());
            }
            _ => return,
        }
        agenda.push(Pair { score: piece.score, left, right, length: joined.len() });
    }

    /// A piece that may not be used falls apart into the two it was joined from.
    fn split_unused(
        &self,
        text: &str,
        range: Range<usize>,
        unused: &HashMap<&str, usize>,
        pieces: &mut Vec<(Range<usize>, u32)>,
    ) {
        let id = self.ids.get(&text[range.clone()]).copied().unwrap_or(self.unknown);
        let split = unused.get(&text[range.clone()]).filter(|_| self.pieces[id as usize].kind == PieceKind::Unused);
        match split {
            Some(&left) => {
                self.split_unused(text, range.start..range.start + left, unused, pieces);
                self.split_unused(text, range.start + left..range.end, unused, pieces);
            }
            None => pieces.push((range, id)),
        }
    }

    /// Puts pieces together: `▁` becomes a space, byte pieces become characters, control pieces vanish.
    pub(super) fn decode<'a>(&self, pieces: impl IntoIterator<Item = &'a str>) -> String {
        let mut text = String::new();
        let mut bytes: Vec<u8> = Vec::new();
        let (mut at_start, mut space_eaten) = (true, false);
        for piece in pieces {
            let id = self.ids.get(piece).copied().unwrap_or(self.unknown);
            if self.pieces[id as usize].kind == PieceKind::Byte
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

    /// What one piece looks like in text, and whether its space at the start of the text was dropped.
    fn surface<'a>(&'a self, piece: &'a str, id: u32, at_start: bool) -> (Cow<'a, str>, bool) {
        match self.pieces[id as usize].kind {
            PieceKind::Control => return ("".into(), false),
            PieceKind::Unknown if self.pieces[id as usize].text == piece => {
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
            // Where extra spaces are removed, all those at the start go, not only the first.
            (piece, eaten) = (rest, !self.spec.remove_extra_whitespaces);
        }
        (piece.replace(SPACE, " ").into(), eaten)
    }
}

/// One stretch of text while byte-pair encoding joins them.
struct Symbol {
    range: Range<usize>,
    before: Option<usize>,
    after: Option<usize>,
    frozen: bool,
}

/// Two neighbours that could be joined. The greatest has the best score and stands leftmost.
struct Pair {
    score: f32,
    left: usize,
    right: usize,
    length: usize,
}

impl Ord for Pair {
    fn cmp(&self, other: &Self) -> Ordering {
        self.score.total_cmp(&other.score).then(other.left.cmp(&self.left))
    }
}

impl PartialOrd for Pair {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Pair {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Pair {}

fn distinct(pieces: &[Piece]) -> Result<HashMap<String, u32>> {
    let mut ids = HashMap::with_capacity(pieces.len());
    for (id, piece) in (0u32..).zip(pieces) {
        ensure!(ids.insert(piece.text.clone(), id).is_none(), "it has the piece `{}` twice", piece.text);
    }
    Ok(ids)
}

fn byte_pieces(ids: &HashMap<String, u32>) -> Result<Vec<u32>> {
    (0..=255u8)
        .map(|byte| ids.get(&format!("<0x{byte:02X}>")).copied())
        .collect::<Option<_>>()
        .context("it falls back to bytes, but lacks some of the 256 byte pieces")
}

/// Appends collected bytes as text; each byte that is no part of a character becomes U+FFFD.
fn push_bytes(text: &mut String, bytes: &mut Vec<u8>) {
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    bytes.clear();
}
