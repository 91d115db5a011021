//! Byte-pair segmentation: neighbours are merged until no two of them form a piece.
//!
//! Invariant: the order is that of the SentencePiece library: the pair with the best score first, among equals the
//! leftmost. The text must be normalized. Handling unknown characters belongs to `sentencepiece`.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap};
use std::ops::Range;

use super::proto::PieceKind;
use super::sentencepiece::SentencePiece;

impl SentencePiece {
    /// Segments a text: merges neighbours, the pair with the best score first and among equals the leftmost, until no
    /// pair forms a piece.
    pub(super) fn bpe(&self, text: &str) -> Vec<(Range<usize>, u32)> {
        let mut symbols = self.characters(text);
        let mut agenda = BinaryHeap::new();
        let mut unused: HashMap<&str, usize> = HashMap::new();
        for right in 1..symbols.len() {
            self.offer_pair(text, &symbols, right - 1, right, &mut agenda, &mut unused);
        }
        while let Some(MergeCandidate { left, right, length, .. }) = agenda.pop() {
            let (a, b) = (symbols[left].range.clone(), symbols[right].range.clone());
            // A candidate is stale if one of its symbols has been merged with another since.
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

    /// The characters of a text as a linked list; user-defined symbols are kept whole.
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
        agenda: &mut BinaryHeap<MergeCandidate>,
        unused: &mut HashMap<&'a str, usize>,
    ) {
        if symbols[left].frozen || symbols[right].frozen {
            return;
        }
        let joined = &text[symbols[left].range.start..symbols[right].range.end];
        let Some(id) = self.id(joined) else { return };
        match self.kind(id) {
            PieceKind::Normal | PieceKind::UserDefined => {}
            PieceKind::Unused => {
                unused.insert(joined, symbols[left].range.len());
            }
            _ => return,
        }
        agenda.push(MergeCandidate { score: self.score(id), left, right, length: joined.len() });
    }

    /// Splits a piece that is marked as unused into the two pieces that it was merged from, and these in turn.
    fn split_unused(
        &self,
        text: &str,
        range: Range<usize>,
        unused: &HashMap<&str, usize>,
        pieces: &mut Vec<(Range<usize>, u32)>,
    ) {
        let id = self.id(&text[range.clone()]).unwrap_or(self.unknown);
        let split = unused.get(&text[range.clone()]).filter(|_| self.kind(id) == PieceKind::Unused);
        match split {
            Some(&left) => {
                self.split_unused(text, range.start..range.start + left, unused, pieces);
                self.split_unused(text, range.start + left..range.end, unused, pieces);
            }
            None => pieces.push((range, id)),
        }
    }
}

/// A part of the text that may still be merged with its neighbours.
struct Symbol {
    range: Range<usize>,
    before: Option<usize>,
    after: Option<usize>,
    frozen: bool,
}

/// Two neighbours that may be merged. The greatest candidate has the best score, among equals the leftmost position.
struct MergeCandidate {
    score: f32,
    left: usize,
    right: usize,
    length: usize,
}

impl Ord for MergeCandidate {
    fn cmp(&self, other: &Self) -> Ordering {
        self.score.total_cmp(&other.score).then(other.left.cmp(&self.left))
    }
}

impl PartialOrd for MergeCandidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for MergeCandidate {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for MergeCandidate {}
