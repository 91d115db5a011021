//! Words that go on over the end of a line.
//!
//! Invariant: only a hyphen at the end of a line is ever removed. The words inside of lines tell whether it belongs to the word:
//! an article that has `oud-minister` inside of a line keeps the hyphen of `oud-` and `minister`. A word that is found neither with
//! nor without a hyphen loses it.

use std::collections::HashSet;

/// Words that follow a hyphen which stands for the rest of a compound: `zee- en luchtmacht`.
const AFTER_REST: [&str; 4] = ["en", "of", "and", "or"];

/// The words inside of lines, in small letters.
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

    /// What a hyphen at the end of `begun` belongs to; `line` is the next line.
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
    /// To the line: the word was divided, and the hyphen is removed.
    Line,
    /// To the word, which is written with it.
    Word,
    /// To the first word of two that share a part, as in `zee- en luchtmacht`.
    Rest,
}

/// A word in small letters, without the signs around it.
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
