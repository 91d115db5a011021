//! The one integration test binary.

mod search;
mod fake_hub;
mod hub;
mod document;
mod extractive;
mod translate;
