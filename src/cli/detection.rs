//! Detection of the languages of texts (`--from auto`).
//!
//! Invariant: no text is processed whose language cannot be detected. Detection itself belongs to `kortom::detect`,
//! what models do with languages to `kortom::pipeline`.

use anyhow::{Result, bail};
use kortom::detect::{self, Detected};
use kortom::error::WithHint;

/// The confidence below which a long text is in none of the known languages.
const DOUBTFUL: f32 = 0.6;

/// The language of a text; `None` for a text without letters.
///
/// # Errors
/// When the text is long and its language is doubtful.
pub fn detect(text: &str) -> Result<Option<Detected>> {
    let found = detect::language(text);
    let Some(best) = found.first() else { return Ok(None) };
    if best.confidence < DOUBTFUL && detect::is_long(text) {
        let likely: Vec<String> =
            found.iter().take(2).map(|one| format!("{} ({})", detect::name(one.language), one.confidence)).collect();
        bail!(
            format!("its language cannot be told: {}", likely.join(", "))
                .with_hint("name it with `--from`, if a model reads it")
        );
    }
    Ok(Some(*best))
}

/// The notice about the detected language of a text.
pub fn told(name: &str, found: Detected) -> String {
    format!("`{name}`: this is in {} (confidence {})", detect::name(found.language), found.confidence)
}
