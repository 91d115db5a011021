//! The one integration test binary.
mod document;
mod translate;
