//! What can be wrong with a translation, by the names that reports use.
//!
//! Invariant: a flag says what a person should look at; none changes a text.

use serde::{Deserialize, Serialize};

/// Something about a segment or a summary that a person should look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flag {
    /// The output was cut at the longest length allowed.
    Truncated,
    /// A number of the source is missing or altered.
    Number,
    /// A date or a time of the source is missing or altered.
    Date,
    /// A name of the source is missing, or one appeared.
    Name,
    /// A quotation is opened and not closed, or lost.
    Quote,
    /// Much shorter or longer than a translation of this source should be.
    Length,
    /// Words repeated over and over.
    Repetition,
    /// The source, copied.
    Untranslated,
    /// The model itself finds its output unlikely.
    LowScore,
    /// A term the glossary requires is missing.
    Glossary,
    /// The summary holds a number that the article does not.
    UnsupportedNumber,
    /// The summary holds a name that the article does not.
    UnsupportedName,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_command_line() {
        let names = serde_json::to_string(&[Flag::LowScore, Flag::UnsupportedNumber, Flag::Truncated]).unwrap();
        assert_eq!(names, r#"["low-score","unsupported-number","truncated"]"#);
    }
}
