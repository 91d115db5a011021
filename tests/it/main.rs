//! The one integration test binary.
mod fake_hub;
mod hub;
