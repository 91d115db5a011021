//! The language of the text in a request, and whether a model of this server reads it.
//!
//! Invariant: a text in a language that no model of this server reads is refused, and never treated as if it were in
//! another.

use kortom::detect::{self, Detected};

use super::models::{Pair, ServedModels};
use super::refusal::{Answer, Refusal};

/// Number of characters above which the language of a text is detected by itself.
const ENOUGH: usize = 40;

/// The likeliest language of a text; `None` for a text without letters.
pub fn detect(text: &str) -> Option<Detected> {
    detect::language(text).into_iter().next()
}

/// The language of each of several texts. A text of [`ENOUGH`] characters or less has the language of all texts
/// together.
pub fn detect_each(texts: &[String]) -> Vec<Option<Detected>> {
    let all = detect(&texts.join("\n"));
    texts.iter().map(|text| if text.chars().count() > ENOUGH { detect(text) } else { all }).collect()
}

impl ServedModels {
    /// The languages of a translation from `source`, which may be `auto`, of a text in the language that was
    /// detected.
    ///
    /// # Errors
    /// When no model of this server translates between these languages.
    pub fn pair_of(&self, source: &str, target: &str, detected: Option<&Detected>) -> Answer<Pair> {
        let Some(detected) = detected.filter(|_| source == "auto") else {
            // No language is detected in a text without letters, and any source language will do for it.
            let source = if source == "auto" { &self.usual().from } else { source };
            return self.pair(source, target);
        };
        let code = detected.language;
        if self.source(code).is_none() {
            let reason =
                format!("the text seems to be in {} (`{code}`), which no model here translates", detect::name(code));
            return Err(Refusal::unfit(self.beside(reason)));
        }
        self.pair(code, target)
    }
}
