//! Translates Dutch articles to English and summarises them with any Hugging Face seq2seq model,
//! without Python and without conversion.

pub mod batch;
pub mod check;
pub mod document;
pub mod files;
pub mod segment;
pub mod translate;
