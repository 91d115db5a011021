//! The one integration test binary.

mod document;
mod engine;
mod fake_hub;
mod hub;
mod search;
mod document;
mod extractive;
mod translate;
