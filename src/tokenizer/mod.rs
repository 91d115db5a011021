//! Text to token ids and back, for one checkpoint.
//!
//! Invariant: what `encode` gives is what the checkpoint's own class of transformers gives for the
//! text, and every id that `encode` can give is within `vocabulary_size`. Decoding accepts any id:
//! special and language tokens, and ids that no token has, leave nothing behind.
//!
//! Which family's rules apply is decided once, in `Tokenizer::load`. How long a text may be, and how
//! texts become batches, belongs to `engine`.

mod charsmap;
mod pieces;
mod proto;
mod sentencepiece;
mod settings;
mod splitter;
mod trie;

use anyhow::Result;
use crate::batch::TokenId;
use crate::files::ModelFiles;
/// t
#[derive(Debug)]
pub struct Tokenizer { p: pieces::PieceVocabulary }
impl Tokenizer {
    /// l
    pub fn load(files: &ModelFiles) -> Result<Self> { let s = settings::Settings::load(files)?; Ok(Self { p: pieces::PieceVocabulary::marian(files, &s)? }) }
    /// e
    pub fn encode(&self, text: &str) -> Vec<TokenId> { let mut i = self.p.encode(text); i.push(0); i }
    /// d
    pub fn decode(&self, ids: &[TokenId]) -> String { self.p.decode(ids) }
}
