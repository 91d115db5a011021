//! Markdown, web pages, subtitles and documents: nothing lost, no markup sent to a model, all of it back in place.

mod additions;
mod archives;
mod books;
mod elsewhere;
mod feed;
mod fields;
mod generated;
mod html;
mod markdown;
mod marks;
mod messages;
mod office;
pub mod package;
#[cfg(feature = "pdf")]
pub mod pdf;
mod sheets;
mod srt;
mod structure;
mod table;
mod vtt;

use anyhow::Result;
use kortom::document::{Document, Format};
use kortom::engine::{Generation, Input};
use kortom::segment::Language;
use kortom::translate::{Generate, Translation, Translator};

/// A model that writes in capitals.
struct Capitals;

impl Generate for Capitals {
    fn generate(&self, inputs: &[Input]) -> Result<Vec<Generation>> {
        let capitals = |input: &Input| Generation { text: input.text.to_uppercase(), ..Generation::default() };
        Ok(inputs.iter().map(capitals).collect())
    }

    fn count_tokens(&self, text: &str) -> Result<usize> {
        Ok(text.len())
    }

    fn window(&self) -> usize {
        10_000
    }
}

/// A model that says everything backwards, word by word.
struct Backwards;

impl Generate for Backwards {
    fn generate(&self, inputs: &[Input]) -> Result<Vec<Generation>> {
        let backwards = |input: &Input| input.text.split(' ').rev().collect::<Vec<_>>().join(" ");
        Ok(inputs.iter().map(|input| Generation { text: backwards(input), ..Generation::default() }).collect())
    }

    fn count_tokens(&self, text: &str) -> Result<usize> {
        Ok(text.len())
    }

    fn window(&self) -> usize {
        10_000
    }
}

fn translate(model: &impl Generate, text: &str, format: Format) -> Translation {
    let document = Document::parse("-", text, format);
    assert_eq!(document.text(), text, "before translation");
    let translations = Translator::new(model, Language::Dutch, Language::English).translate(&[document]);
    translations.expect("the model does not fail").remove(0)
}

fn sources(translation: &Translation) -> Vec<&str> {
    translation.segments.iter().map(|segment| segment.source.as_str()).collect()
}

/// A model that says what it is told.
struct Echo;

impl Generate for Echo {
    fn generate(&self, inputs: &[Input]) -> Result<Vec<Generation>> {
        Ok(inputs.iter().map(|input| Generation { text: input.text.to_owned(), ..Generation::default() }).collect())
    }

    fn count_tokens(&self, text: &str) -> Result<usize> {
        Ok(text.len())
    }

    fn window(&self) -> usize {
        10_000
    }
}

/// Nothing of these documents but words is asked of the model; what comes back unchanged leaves every byte as it is, and
/// words of the same number leave all that is not words as it is.
fn only_words_change(documents: &[&str], format: Format, markup: &[char]) {
    let mut wrong = String::new();
    for text in documents {
        let translation = translate(&Echo, text, format);
        if translation.document.text() != *text {
            wrong += &format!("{text:?}\n is no longer itself:\n{:?}\n\n", translation.document.text());
        }
        for source in sources(&translation) {
            if source.contains(markup) || source.trim() != source || source.is_empty() {
                wrong += &format!("{source:?} is asked of {text:?}\n\n");
            }
        }
        let capitals = translate(&Capitals, text, format).document.text();
        if capitals.to_lowercase() != text.to_lowercase() {
            wrong += &format!("{text:?}\n became\n{capitals:?}\n\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
