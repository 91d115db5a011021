//! The one integration test binary.

// A test that cannot go on should stop there.
#![allow(clippy::unwrap_used)]

mod abstractive;
mod adapters;
mod check;
mod consistency;
mod cli;
mod damaged;
mod docs;
mod document;
mod engine;
mod errors;
mod extractive;
mod fake_hub;
mod formats;
mod glossary;
mod hub;
mod int8;
mod layers;
mod long;
mod memory;
mod parity;
mod published;
mod score;
mod search;
mod serve;
mod settings;
mod tokenizer;
mod translate;
