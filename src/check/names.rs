//! Names that a translation lost, changed or invented.
//!
//! Responsible for finding names by their capitals, and for pairing them across languages: by spelling, by sound
//! (`Poetin`, `Putin`), or by the rows of `exonyms`. Invariant: the first word of a sentence, a month, a title or an
//! ordinary word is not a name merely because of its capital.

use std::collections::{HashMap, HashSet};

use super::calendar::is_in_calendar;
use super::exonyms::{is_ordinary, rows};
use super::words::{Token, TokenKind, plain};
use super::{Finding, Flag, Language};

/// The words of one side, indexed for comparison.
struct Words {
    plain: HashSet<String>,
    sounds: HashSet<String>,
    rows: HashSet<usize>,
    /// Words by their first letters.
    beginnings: HashMap<String, Vec<String>>,
    /// The letters of all words of a sentence in sequence, to find what one language writes as one word; empty for a
    /// whole article.
    joined: String,
}

impl Words {
    fn of(tokens: &[Token]) -> Self {
        let words: Vec<String> = tokens.iter().filter(|token| token.kind == TokenKind::Letters).map(bare).collect();
        Self {
            sounds: words.iter().filter_map(|word| sound(word)).collect(),
            rows: words.iter().flat_map(|word| rows(word).collect::<Vec<_>>()).collect(),
            beginnings: words.iter().fold(HashMap::new(), |mut beginnings: HashMap<_, Vec<_>>, word| {
                beginnings.entry(beginning(word)).or_default().push(word.clone());
                beginnings
            }),
            joined: if words.len() < SENTENCE { words.concat() } else { String::new() },
            plain: words.into_iter().collect(),
        }
    }

    /// Whether a word of this side may stand for `word`, which is in another language.
    fn has(&self, word: &str) -> bool {
        self.holds(word)
            || self.begins_like(word, is_akin)
            || sound(word).is_some_and(|sound| self.sounds.contains(&sound))
    }

    fn begins_like(&self, word: &str, is_alike: fn(&str, &str) -> bool) -> bool {
        let words = self.beginnings.get(&beginning(word));
        words.is_some_and(|words| words.iter().any(|other| is_alike(word, other)))
    }

    /// Whether this side has the word, in any of its forms.
    fn holds(&self, word: &str) -> bool {
        let bare = word.strip_suffix('s').filter(|bare| bare.len() > 1).unwrap_or(word);
        self.plain.contains(word)
            || self.plain.contains(bare)
            || self.plain.contains(&format!("{word}s"))
            || rows(word).any(|row| self.rows.contains(&row))
            || (bare.len() > 3 && self.joined.contains(bare))
            || self.begins_like(word, is_form)
    }
}

/// A word of a name.
pub(super) struct Name<'t> {
    pub(super) text: &'t str,
    plain: String,
}

/// The names in a sentence, word by word; none in headlines, which capitalise everything.
pub(super) fn names<'t>(tokens: &[Token<'t>], language: Language) -> Vec<Name<'t>> {
    if is_headline(tokens, language) {
        return Vec::new();
    }
    let named = tokens.iter().enumerate().filter(|&(place, token)| is_name(tokens, place, token, language));
    named.map(|(_, token)| Name { text: token.text, plain: bare(token) }).collect()
}

/// Whether nearly all words after the first are capitalised, or most of the longer ordinary ones.
fn is_headline(tokens: &[Token], language: Language) -> bool {
    let words: Vec<&Token> = tokens.iter().filter(|token| token.kind == TokenKind::Letters).skip(1).collect();
    let (capitals, small): (Vec<&Token>, Vec<&Token>) = words.iter().partition(|token| token.is_capitalised());
    let ordinary = |tokens: &[&Token]| {
        tokens.iter().filter(|token| token.text.chars().count() > 3 && is_ordinary(&bare(token), language)).count()
    };
    if capitals.len() * 10 > words.len() * 7 {
        return true;
    }
    // Most sentences have no such word, so the other words need not be looked up.
    let capitalised = ordinary(&capitals);
    capitalised > 0 && capitalised > ordinary(&small)
}

/// A word in lower case, without accents and without the `'s` of the genitive or plural.
fn bare(token: &Token) -> String {
    let text = token.text;
    plain(text.strip_suffix("'s").or_else(|| text.strip_suffix("’s")).unwrap_or(text))
}

fn is_name(tokens: &[Token], place: usize, token: &Token, language: Language) -> bool {
    let letters = token.text.chars().filter(|c| c.is_alphabetic()).count();
    let bare = bare(token);
    if !token.is_capitalised() || letters < 2 || is_in_calendar(&bare) || is_ordinary(&bare, language) {
        return false;
    }
    let capitals = token.text.chars().filter(|c| c.is_uppercase()).count();
    let goes_on = tokens.get(place + 1).is_some_and(|next| next.is_capitalised() && !next.glued);
    !starts_sentence(tokens, place) || goes_on || (capitals > 1 && letters < 6)
}

/// Whether the word's position alone explains its capital.
pub(crate) fn starts_sentence(tokens: &[Token], place: usize) -> bool {
    let mut before = tokens[..place].iter().rev().skip_while(|token| opens(token));
    match before.next() {
        None => true,
        Some(token) => {
            matches!(token.text, "." | "!" | "?" | ":" | "…" | "•" | "|" | ";" | "–" | "—" | "*" | "=" | ">" | "/")
                || (place > 0 && opens(&tokens[place - 1]))
        }
    }
}

fn opens(token: &Token) -> bool {
    matches!(token.text, "\"" | "'" | "“" | "”" | "„" | "‘" | "’" | "«" | "(" | "[" | "`" | ",") && token.text != ","
        || (token.kind == TokenKind::Sign && matches!(token.text, "-" | "‚"))
}

/// The names that the other side does not have.
fn lacking<'t>(mut names: Vec<Name<'t>>, other: &[Token]) -> Vec<Name<'t>> {
    if !names.is_empty() {
        let words = Words::of(other);
        names.retain(|name| !words.has(&name.plain));
    }
    names
}

/// The names that are on one side only.
pub(super) fn findings(source: &[Token], target: &[Token], languages: (Language, Language)) -> Vec<Finding> {
    let lost = lacking(names(source, languages.0), target);
    let new = lacking(names(target, languages.1), source);
    let lost = lost.iter().map(|name| Finding::missing(Flag::Name, name.text));
    let new = new.iter().map(|name| Finding::invented(Flag::Name, name.text));
    lost.chain(new).collect()
}

/// The names in a text that another text in the same language does not contain.
pub(super) fn unsupported<'t>(text: &[Token<'t>], by: &[Token], language: Language) -> Vec<&'t str> {
    let known = Words::of(by);
    let names = names(text, language).into_iter();
    names.filter(|name| !known.holds(&name.plain)).map(|name| name.text).collect()
}

/// A rough code for the sound of a word: its consonants, with similar ones merged. `None` for short words.
fn sound(word: &str) -> Option<String> {
    let mut sound = String::new();
    let word = word.replace("tsj", "s").replace("sch", "s").replace("sh", "s").replace("ch", "k").replace("ph", "f");
    for c in word.chars() {
        let class = match c {
            'b' | 'p' | 'f' | 'v' | 'w' => 'p',
            'c' | 'k' | 'q' | 'g' | 'x' => 'k',
            's' | 'z' => 's',
            'd' | 't' => 't',
            'a' | 'e' | 'i' | 'o' | 'u' | 'y' | 'j' | 'h' => {
                if sound.is_empty() {
                    sound.push('a');
                }
                continue;
            }
            c => c,
        };
        if !sound.ends_with(class) {
            sound.push(class);
        }
    }
    (sound.chars().count() > 2).then_some(sound)
}

/// Number of first letters that two forms of a name share.
const SHARED: usize = 4;
/// Number of words from which on a text counts as an article instead of a sentence.
const SENTENCE: usize = 500;

fn beginning(word: &str) -> String {
    word.chars().take(SHARED).collect()
}

/// Number of first letters that two words share, and number of letters of the shorter one.
fn in_common(word: &str, other: &str) -> (usize, usize) {
    let shared = word.chars().zip(other.chars()).take_while(|(a, b)| a == b).count();
    (shared, word.chars().count().min(other.chars().count()))
}

/// Whether two words begin similarly enough to be one name in two languages: `Azerbeidzjan`, `Azerbaijani`.
fn is_akin(word: &str, other: &str) -> bool {
    let (shared, shorter) = in_common(word, other);
    shared >= SHARED && shared * 10 >= shorter * 6
}

/// Whether two words may be forms of one name in one language: `Armenia`, `Armenian`.
fn is_form(word: &str, other: &str) -> bool {
    let (shared, shorter) = in_common(word, other);
    shared >= SHARED && shared + 1 >= shorter
}
