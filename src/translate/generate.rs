//! The model as a translator sees it, and its implementation by an engine's session.

use std::borrow::Cow;

use anyhow::Result;

use crate::engine::{Generation, Input, Session, WordAlignment};

/// A model as a translator sees it.
pub trait Generate {
    /// One generation for each input, in their order. A model without support for constraints ignores those of the
    /// inputs.
    ///
    /// # Errors
    /// When the model fails.
    fn generate(&self, inputs: &[Input]) -> Result<Vec<Generation>>;
    /// Whether the model can decode inputs with a guard against repetition.
    fn can_guard(&self) -> bool {
        false
    }
    /// A text in which characters that the vocabulary lacks are replaced by similar ones, if there are any.
    fn substituted<'t>(&self, text: &'t str) -> Cow<'t, str> {
        text.into()
    }
    /// The generation of a text in which unknown tokens are replaced by the characters of the source that the
    /// vocabulary lacks; `None` if there are none, or if their places cannot be found.
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
    /// Number of tokens of the window that this text takes.
    ///
    /// # Errors
    /// When the tokenizer cannot represent the text.
    fn count_tokens(&self, text: &str) -> Result<usize>;
    /// The most source tokens that the model can take.
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
