//! Translates Dutch articles to English and summarises them with any Hugging Face seq2seq model,
//! without Python and without conversion.
//!
//! The modules below are listed in the order in which an article passes through them.
//!
//! ```
//! use kortom::device::Placement;
//! use kortom::digest::{Digest, Summarizing, Translating};
//! use kortom::engine::settings::Caller;
//! use kortom::engine::{Engine, Request};
//! use kortom::segment::Language;
//! use kortom::summarize::Length;
//!
//! // The small model inside the program; `Hub::resolve` finds others.
//! let engine = Engine::load(&kortom::hub::bundled(), &Placement::cpu())?;
//! let session = engine.session(&Request::new(Caller::Article))?;
//! let steps = Digest {
//!     translating: Some(Translating { model: &session, name: engine.name().to_owned(), from: "nl", to: "en", glossary: None }),
//!     // Without a model that writes it, a summary consists of the article's own sentences.
//!     summarizing: Some(Summarizing { length: Some(Length::Short), language: Language::English, writing: None }),
//! };
//! let report = kortom::digest("date 2021-03 Het regent vandaag.", &steps)?;
//! assert_eq!(report.date.as_deref(), Some("2021-03"));
//! assert_eq!(report.translation.as_deref(), Some("It's raining today."));
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

pub use digest::{Digest, digest};
pub use report::{LineReport, Report};
