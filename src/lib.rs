//! Translates Dutch articles to English and summarises them with any Hugging Face seq2seq model,
//! without Python and without conversion.

pub mod batch;
pub mod engine;
pub mod files;
pub mod kernels;
pub mod model;
pub mod nn;
pub mod search;
pub mod tokenizer;
pub mod hub;
pub mod check;
pub mod document;
pub mod files;
pub mod segment;
pub mod summarize;
pub mod translate;
