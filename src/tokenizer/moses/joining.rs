//! From words to a text, as Moses' detokenizer joins them.

use anyhow::Result;

use super::rules::{Rule, applied};

/// Moses' escapes and their older names, with the characters they stand for.
const UNESCAPES: [(&str, &str); 11] = [
    ("&bar;", "|"),
    ("&#124;", "|"),
    ("&lt;", "<"),
    ("&gt;", ">"),
    ("&bra;", "["),
    ("&ket;", "]"),
    ("&quot;", "\""),
    ("&apos;", "'"),
    ("&#91;", "["),
    ("&#93;", "]"),
    ("&amp;", "&"),
];

/// The first and the last of each range of East Asian characters.
const EAST_ASIAN: [(u32, u32); 11] = [
    (0x1100, 0x11FF),
    (0x2E80, 0xA4CF),
    (0xA840, 0xA87F),
    (0xAC00, 0xD7AF),
    (0xF900, 0xFAFF),
    (0xFE30, 0xFE4F),
    (0xFF65, 0xFFDC),
    (0x17000, 0x18AFF),
    (0x1B000, 0x1B0FF),
    (0x1B130, 0x1B16F),
    (0x20000, 0x2FFFF),
];

/// Joins words of one language to a text.
#[derive(Debug)]
pub(in crate::tokenizer) struct Joiner {
    english: bool,
    unescapes: Vec<Rule>,
    currency: Rule,
    signs: Rule,
    quotes: Rule,
    contraction: Rule,
}

impl Joiner {
    /// The joiner of a language, given by its code.
    ///
    /// # Errors
    /// When a rule cannot be parsed.
    pub(in crate::tokenizer) fn new(language: &str) -> Result<Self> {
        Ok(Self {
            english: language == "en",
            unescapes: Rule::all(&UNESCAPES)?,
            currency: Rule::new(r"^[\p{Sc}(\[{¿¡]+$", "")?,
            signs: Rule::new(r"^[,.?!:;\\%}\])]+$", "")?,
            quotes: Rule::new("^['\"„“`]+$", "")?,
            contraction: Rule::new("^'[ALPHA]", "")?,
        })
    }

    /// The text that these words form.
    pub(in crate::tokenizer) fn joined(&self, words: &[&str]) -> String {
        let text = format!(" {} ", words.join(" ")).replace(" @-@ ", "-");
        let text = applied(&self.unescapes, &text);
        let words: Vec<&str> = text.split_whitespace().collect();
        let mut joined = String::with_capacity(text.len());
        let mut quotes = Quotes::default();
        let mut space = " ";
        for (place, word) in words.iter().enumerate() {
            let before = place.checked_sub(1).map(|before| words[before]);
            let (left, right) = self.spaces(word, before, &mut quotes);
            if left {
                joined.push_str(space);
            }
            joined.push_str(word);
            space = if right { " " } else { "" };
        }
        joined.split(' ').filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
    }

    /// Whether there is a space on the left of a word, and on its right.
    fn spaces(&self, word: &str, before: Option<&str>, quotes: &mut Quotes) -> (bool, bool) {
        if word.chars().next().is_some_and(is_east_asian) {
            return (!before.is_some_and(|before| before.chars().last().is_some_and(is_east_asian)), true);
        }
        if self.currency.is_match(word) {
            return (true, false);
        }
        if self.signs.is_match(word) || self.english && before.is_some() && self.contraction.is_match(word) {
            return (false, true);
        }
        if !self.quotes.is_match(word) {
            return (true, true);
        }
        let open = quotes.open(word);
        if *open {
            *open = false;
            return (false, true);
        }
        if self.english && word == "'" && before.is_some_and(|before| before.ends_with('s')) {
            return (false, true);
        }
        *open = true;
        (true, false)
    }
}

/// The kinds of quotation marks seen so far, and whether each is open.
#[derive(Default)]
struct Quotes(Vec<(String, bool)>);

impl Quotes {
    /// Whether quotation marks of this kind are open.
    fn open(&mut self, marks: &str) -> &mut bool {
        let kind = if marks.chars().all(|mark| "„“”".contains(mark)) { "\"" } else { marks };
        let known = self.0.iter().position(|(known, _)| known == kind);
        let place = known.unwrap_or_else(|| {
            self.0.push((kind.to_owned(), false));
            self.0.len() - 1
        });
        &mut self.0[place].1
    }
}

fn is_east_asian(char: char) -> bool {
    EAST_ASIAN.iter().any(|&(first, last)| (first..=last).contains(&u32::from(char)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_those_of_sacremoses() {
        let joined = |language: &str, text: &str| {
            Joiner::new(language).unwrap().joined(&text.split_whitespace().collect::<Vec<_>>())
        };
        // Each found with sacremoses 0.2.
        let text =
            "He said , &quot; don &apos;t ( really ) pay € 5 @-@ 6 ! &quot; The Jones &apos; house &amp; 中 文 ...";
        assert_eq!(joined("en", text), "He said, \"don't (really) pay €5-6!\" The Jones' house & 中文...");
        assert_eq!(joined("de", "der &apos; Hund &apos; und it &apos;s"), "der 'Hund' und it 's");
    }
}
