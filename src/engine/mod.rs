//! Texts to texts with one model.

pub mod settings;
