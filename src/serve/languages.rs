//! Which language a text is in, and whether a model here reads it.
//!
//! Invariant: a text in a language that no model here reads is refused, never read as if it were another one.

use kortom::detect::{self, Detected};

use super::models::{Pair, ServedModels};
use super::refusal::{Answer, Refusal};

/// Shorter texts say too little by themselves.
const ENOUGH: usize = 40;

/// The likeliest language of a text; none where there are no letters.
pub fn detect(text: &str) -> Option<Detected> {
    detect::language(text).into_iter().next()
}

/// The language of each of several texts; what is too short to tell is taken to be in that of all of them.
pub fn detect_each(texts: &[String]) -> Vec<Option<Detected>> {
    let all = detect(&texts.join("\n"));
    texts.iter().map(|text| if text.chars().count() > ENOUGH { detect(text) } else { all }).collect()
}

impl ServedModels {
    /// The languages of a translation from `source`, which may be `auto`, of a text in the language that was detected.
    ///
    /// # Errors
    /// When no model here translates between them.
    pub fn pair_of(&self, source: &str, target: &str, detected: Option<&Detected>) -> Answer<Pair> {
        let Some(detected) = detected.filter(|_| source == "auto") else {
            // What has no letters comes to no harm.
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
