//! Translates Dutch articles to English and summarises them with any Hugging Face seq2seq model,
//! without Python and without conversion.
//!
//! A [`Pipeline`] is loaded by [`PipelineOptions`] and makes a [`Report`] of an article. Its fields are the translation, the
//! summary, and what to check in both; [`render`] writes it as text, Markdown, HTML or JSON. An [`Error`] has a kind
//! and a hint that says what to do about it.
//!
//! ```
//! use kortom::{Pipeline, PipelineOptions};
//!
//! // The small model inside the program; a folder or `owner/name` does as well.
//! let pipeline = Pipeline::load(PipelineOptions::digest("kortom-nl-en"))?;
//! let report = pipeline.digest("date 2021-03 Het regent vandaag.")?;
//! println!("{}", report.translation.as_deref().unwrap_or_default());
//! # assert_eq!((report.date.as_deref(), report.translation.as_deref()), (Some("2021-03"), Some("It's raining today.")));
//! # Ok::<(), kortom::Error>(())
//! ```

// Errors.
pub mod error;

// The operating system.
#[doc(hidden)]
pub mod platform;

// Strings only.
#[doc(hidden)]
pub mod language;
pub mod document;
pub mod detect;
#[doc(hidden)]
pub mod segment;
#[doc(hidden)]
pub mod memory;
pub mod glossary;
#[doc(hidden)]
pub mod tokenizer;

// Tensors only.
#[doc(hidden)]
pub mod batch;
#[doc(hidden)]
pub mod kernels;
pub mod device;
mod nn;
#[doc(hidden)]
pub mod model;
#[doc(hidden)]
pub mod search;

// Models, and what they make of whole articles.
#[doc(hidden)]
pub mod files;
#[doc(hidden)]
pub mod hub;
#[doc(hidden)]
pub mod engine;
#[doc(hidden)]
pub mod translate;
#[doc(hidden)]
pub mod summarize;
pub mod check;
#[doc(hidden)]
pub mod consistency;

// Results.
#[doc(hidden)]
pub mod digest;
pub mod report;
pub mod score;
#[doc(hidden)]
pub mod compare;
pub mod render;

// All of the above, with models that are chosen and loaded by name.
pub mod pipeline;

pub use error::{Error, ErrorKind};
pub use pipeline::{Models, Pipeline, PipelineOptions};
pub use report::{LineReport, Report};
