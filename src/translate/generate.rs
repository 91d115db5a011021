//! What a translator asks of a model, and how an engine's session gives it.
//!
//! Invariant: generations come in the order of their texts, whenever each of them is told of.

use std::borrow::Cow;

use anyhow::Result;

use crate::engine::{Divergence, Generation, Session};

/// All that a translator knows of a model.
pub trait Generate {
    /// One generation for each text, in their order.
    fn generate(&self, texts: &[&str]) -> Result<Vec<Generation>>;
    /// The same, and each contains its text's terms as far as possible, each term in one of several ways. A model
    /// that cannot be told what to write leaves it to chance.
    fn generate_with(&self, texts: &[&str], _terms: &[Vec<Vec<&str>>]) -> Result<Vec<Generation>> {
        self.generate(texts)
    }
    /// The same, and `heard` is told of each text as soon as it is done.
    ///
    /// # Errors
    /// When the model fails.
    fn generate_heard(&self, texts: &[&str], terms: &[Vec<Vec<&str>>], heard: &mut Heard) -> Result<Vec<Generation>> {
        let generations = self.generate_with(texts, terms)?;
        for (place, generation) in generations.iter().enumerate() {
            heard(place, generation);
        }
        Ok(generations)
    }
    /// As [`Self::generate`], with a guard against repetition; none where there can be none. With each text comes what its
    /// generation says of where that would first have made a difference.
    ///
    /// # Errors
    /// When the model fails.
    fn generate_guarded(&self, _texts: &[(&str, &Divergence)]) -> Result<Option<Vec<Generation>>> {
        Ok(None)
    }
    /// A text with other signs for those that the vocabulary lacks, where there are any.
    fn spelled<'t>(&self, text: &'t str) -> Cow<'t, str> {
        text.into()
    }
    /// What the generation of a text says, with what the text has in the place of what the vocabulary lacks; none where it
    /// lacks nothing, or that cannot be told.
    fn restored(&self, _text: &str, _generation: &Generation) -> Option<String> {
        None
    }
    /// How many tokens of the window this text takes.
    fn count_tokens(&self, text: &str) -> Result<usize>;
    /// The most tokens of source the model takes.
    fn window(&self) -> usize;
}

/// Is told what came of the text in a place, and says whether that text will be wanted with a guard too.
pub type Heard<'a> = dyn FnMut(usize, &Generation) -> bool + 'a;

impl Generate for Session<'_> {
    fn generate(&self, texts: &[&str]) -> Result<Vec<Generation>> {
        Session::generate(self, texts)
    }

    fn generate_with(&self, texts: &[&str], terms: &[Vec<Vec<&str>>]) -> Result<Vec<Generation>> {
        Session::generate_with(self, texts, terms)
    }

    fn generate_guarded(&self, texts: &[(&str, &Divergence)]) -> Result<Option<Vec<Generation>>> {
        Session::generate_guarded(self, texts)
    }

    fn spelled<'t>(&self, text: &'t str) -> Cow<'t, str> {
        Session::spelled(self, text)
    }

    fn restored(&self, text: &str, generation: &Generation) -> Option<String> {
        Session::restored(self, text, generation)
    }

    fn count_tokens(&self, text: &str) -> Result<usize> {
        Ok(self.encode(text)?.len())
    }

    fn window(&self) -> usize {
        self.engine().window()
    }
}
