//! Which language a text is in, where a run is to look.
//!
//! Invariant: with `--from auto` no text is worked on whose language cannot be told. What is known of languages belongs to
//! `kortom::detect`, what models do with them to `kortom::pipeline`.

use anyhow::{Result, bail};
use kortom::detect::{self, Detected};
use kortom::error::WithHint;

/// Below this, a text that is long enough to be told is in none of the languages that are known.
const DOUBTFUL: f32 = 0.6;

/// The language of a text; none where there is no text in it.
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

/// What is said of a text whose language was looked for.
pub fn told(name: &str, found: Detected) -> String {
    format!("`{name}`: this is in {} (confidence {})", detect::name(found.language), found.confidence)
}
