//! Translates Dutch articles to English and summarises them with any Hugging Face seq2seq model,
//! without Python and without conversion.
//!
//! The modules below are listed in the order in which an article passes through them.
//!
//! ```
//! use kortom::{Pipeline, PipelineOptions};
//!
//! // The small model inside the program; a folder or `owner/name` does as well.
//! let pipeline = Pipeline::load(PipelineOptions::digest("kortom-nl-en"))?;
//! let report = pipeline.digest("date 2021-03 Het regent vandaag.")?;
//! println!("{}", report.translation.as_deref().unwrap_or_default());
//! # assert_eq!((report.date.as_deref(), report.translation.as_deref()), (Some("2021-03"), Some("It's raining today.")));
//! # Ok::<(), anyhow::Error>(())
//! ```

// Words: strings only.
pub mod language;
pub mod document;
pub mod detect;
pub mod segment;
pub mod glossary;
pub mod tokenizer;

// Numbers: tensors only.
pub mod batch;
pub mod kernels;
pub mod device;
pub mod nn;
pub mod model;
pub mod search;

// Whole articles.
pub mod files;
pub mod hub;
pub mod engine;
pub mod translate;
pub mod summarize;
pub mod check;

// What comes of them.
pub mod digest;
pub mod report;
pub mod render;
pub mod score;

// All of it, with models that are chosen and loaded.
pub mod pipeline;

pub use digest::Digest;
pub use pipeline::{Models, Pipeline, PipelineOptions};
pub use report::{LineReport, Report};
