//! Words that go on over the end of a line.
//!
//! Invariant: only a hyphen at the end of a line ever goes. Whether it belongs to the word, the rest of the article tells: it has
//! either `oud-minister` or `voorzitter` somewhere inside of a line. Where it has neither, the hyphen is one of the line.

use std::collections::HashSet;

/// What comes after a hyphen that stands for the rest of a word: `zee- en luchtmacht`.
const AFTER_REST: [&str; 4] = ["en", "of", "and", "or"];

/// The words that stand inside of lines, in small letters.
pub(super) struct Words(HashSet<String>);

impl Words {
    /// The words of an article.
    pub(super) fn of<'a>(lines: impl Iterator<Item = &'a str>) -> Self {
        let mut words = HashSet::new();
        for line in lines {
            let last = if line.ends_with('-') { line.rfind(' ').unwrap_or(0) } else { line.len() };
            words.extend(line[..last].split(' ').map(bare).filter(|word| !word.is_empty()));
        }
        Self(words)
    }

    /// Adds the next line to a text.
    pub(super) fn append(&self, text: &mut String, line: &str) {
        let line = line.trim();
        if text.is_empty() {
            text.push_str(line);
            return;
        }
        let before = text.trim_end().len();
        text.truncate(before);
        let begun = text.strip_suffix('-').filter(|begun| begun.ends_with(char::is_alphanumeric));
        match begun.map(|begun| self.hyphen(begun, line)) {
            Some(Hyphen::Line) => {
                text.pop();
            }
            Some(Hyphen::Word) => {}
            Some(Hyphen::Rest) | None => text.push(' '),
        }
        text.push_str(line);
    }

    /// What a hyphen is of, between the text that ends with it and the line after it.
    fn hyphen(&self, begun: &str, line: &str) -> Hyphen {
        let first = bare(begun.rsplit(' ').next().unwrap_or_default());
        let rest = bare(line.split(' ').next().unwrap_or_default());
        let knows = |word: String| self.0.contains(&word);
        match () {
            () if AFTER_REST.contains(&&*rest) && !knows(format!("{first}{rest}")) => Hyphen::Rest,
            () if !line.starts_with(char::is_lowercase) => Hyphen::Word,
            () if knows(format!("{first}-{rest}")) && !knows(format!("{first}{rest}")) => Hyphen::Word,
            () => Hyphen::Line,
        }
    }
}

/// What a hyphen at the end of a line belongs to.
enum Hyphen {
    /// To the line, which ends inside of a word.
    Line,
    /// To the word.
    Word,
    /// To a word whose rest stands in another one.
    Rest,
}

/// A word without what stands around it, in small letters.
fn bare(word: &str) -> String {
    word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hyphens_go_or_stay() {
        let words = Words::of(["De oud-minister komt.", "Het is gesloten.", "Zo is het ge-"].into_iter());
        for (text, line, joined) in [
            ("de ge-", "meente zegt", "de gemeente zegt"),
            ("de oud-", "minister zegt", "de oud-minister zegt"),
            ("in Noord-", "Holland is", "in Noord-Holland is"),
            ("de zee-", "en luchtmacht", "de zee- en luchtmacht"),
            ("het is ge-", "sloten", "het is gesloten"),
            ("de brug -", "of wat het is", "de brug - of wat het is"),
            ("een zin", "gaat door", "een zin gaat door"),
        ] {
            let mut said = text.to_owned();
            words.append(&mut said, line);
            assert_eq!(said, joined);
        }
    }
}
