//! The one integration test binary.
mod hub;
