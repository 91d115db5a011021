//! What a translator asks of a model, and how an engine's session gives it.

use std::borrow::Cow;

use anyhow::Result;

use crate::engine::{Generation, Input, Session, WordAlignment};

/// All that a translator knows of a model.
pub trait Generate {
    /// One generation for each input, in their order. A model that cannot be told what to write leaves the inputs'
    /// constraints to chance.
    ///
    /// # Errors
    /// When the model fails.
    fn generate(&self, inputs: &[Input]) -> Result<Vec<Generation>>;
    /// Whether inputs with a guard against repetition become anything else than without.
    fn can_guard(&self) -> bool {
        false
    }
    /// A text with other signs for those that the vocabulary lacks, where there are any.
    fn substituted<'t>(&self, text: &'t str) -> Cow<'t, str> {
        text.into()
    }
    /// What the generation of a text says, with what the text has in the place of what the vocabulary lacks; none where it
    /// lacks nothing, or that cannot be told.
    fn with_unknowns_copied(&self, _text: &str, _generation: &Generation) -> Option<String> {
        None
    }
    /// Whether it says which words of a text and of its generation belong together.
    fn aligns(&self) -> bool {
        false
    }
    /// Which words of texts and of their generations belong together.
    ///
    /// # Errors
    /// When the model fails.
    fn align(&self, texts: &[(&str, &Generation)]) -> Result<Vec<WordAlignment>> {
        Ok(vec![WordAlignment::default(); texts.len()])
    }
    /// How many tokens of the window this text takes.
    ///
    /// # Errors
    /// When the tokenizer cannot represent the text.
    fn count_tokens(&self, text: &str) -> Result<usize>;
    /// The most tokens of source the model takes.
    fn window(&self) -> usize;
}

impl Generate for Session<'_> {
    fn generate(&self, inputs: &[Input]) -> Result<Vec<Generation>> {
        Session::generate(self, inputs)
    }

    fn can_guard(&self) -> bool {
        Session::can_guard(self)
    }

    fn substituted<'t>(&self, text: &'t str) -> Cow<'t, str> {
        Session::substituted(self, text)
    }

    fn with_unknowns_copied(&self, text: &str, generation: &Generation) -> Option<String> {
        Session::with_unknowns_copied(self, text, generation)
    }

    fn aligns(&self) -> bool {
        Session::aligns(self)
    }

    fn align(&self, texts: &[(&str, &Generation)]) -> Result<Vec<WordAlignment>> {
        Session::align(self, texts)
    }

    fn count_tokens(&self, text: &str) -> Result<usize> {
        Ok(self.encode(text)?.len())
    }

    fn window(&self) -> usize {
        self.engine().window()
    }
}
