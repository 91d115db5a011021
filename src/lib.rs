//! Translates Dutch articles to English and summarises them with any Hugging Face seq2seq model,
//! without Python and without conversion.

// Words: strings only.
pub mod document;
pub mod segment;
pub mod tokenizer;

// Numbers: tensors only.
pub mod batch;
pub mod device;
pub mod kernels;
pub mod model;
pub mod nn;
pub mod search;

// Whole articles.
pub mod check;
pub mod engine;
pub mod files;
pub mod hub;
pub mod summarize;
pub mod translate;

// What comes of an article.
pub mod digest;
pub mod render;
pub mod report;

pub use digest::{Digest, digest};
pub use report::{LineReport, Report};
