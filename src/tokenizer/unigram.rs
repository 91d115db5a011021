//! Unigram segmentation: of all segmentations of a text, the one with the highest sum of scores.
//!
//! Invariant: as in the SentencePiece library, sums are in f32 from left to right, and a later segmentation must be
//! strictly better. This decides, for example, between `...` `.` and `.` `...`. The text must be normalized. Handling
//! unknown characters belongs to `sentencepiece`.

use std::ops::Range;

use super::proto::PieceKind;
use super::sentencepiece::SentencePiece;

/// The best segmentation of the text up to one position: its score, and the start and id of its last piece.
#[derive(Clone, Copy)]
struct Best {
    score: f32,
    start: usize,
    id: u32,
}

/// The start of a position that no segmentation has reached yet.
const NOWHERE: usize = usize::MAX;

impl Best {
    fn offer(&mut self, offer: Self) {
        if self.start == NOWHERE || offer.score > self.score {
            *self = offer;
        }
    }
}

impl SentencePiece {
    /// Segments a normalized text.
    pub(super) fn unigram(&self, text: &str) -> Vec<(Range<usize>, u32)> {
        let mut best = vec![Best { score: 0.0, start: NOWHERE, id: 0 }; text.len() + 1];
        for (start, char) in text.char_indices() {
            let so_far = best[start].score;
            let mut single = false;
            self.trie().prefixes(&text.as_bytes()[start..], |length, id| {
                let score = match self.kind(id) {
                    PieceKind::Unused => return,
                    // A score so high that the symbol is always taken whole.
                    PieceKind::UserDefined => (f64::from(length as f32 * self.highest_score) - 0.1) as f32,
                    _ => self.score(id),
                };
                best[start + length].offer(Best { score: so_far + score, start, id });
                single |= length == char.len_utf8();
            });
            if !single {
                let score = so_far + self.unknown_score;
                best[start + char.len_utf8()].offer(Best { score, start, id: self.unknown });
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
}
