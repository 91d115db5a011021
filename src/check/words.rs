//! Tokens of a sentence: its words, numbers and signs.
//!
//! Invariant: tokens are in order and contain everything but white space. What they mean is decided elsewhere.

/// The kind of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// Digits, with single separators between them: `30.000`, `12:15`.
    Digits,
    /// Letters, with apostrophes between them: `it's`.
    Letters,
    /// A single other character.
    Sign,
}

/// A word, a number or a sign.
#[derive(Clone, Debug)]
pub(crate) struct Token<'t> {
    /// The token as in the sentence.
    pub(crate) text: &'t str,
    /// The token in lower case.
    pub(crate) lower: String,
    /// The kind of the token.
    pub(crate) kind: TokenKind,
    /// The byte offset in the text at which the token begins.
    pub(crate) start: usize,
    /// Whether the token follows the one before it without white space.
    pub(crate) glued: bool,
}

impl Token<'_> {
    /// The byte offset in the text at which the token ends.
    pub(crate) fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// Whether the token is this sign.
    pub(crate) fn is(&self, sign: &str) -> bool {
        self.kind == TokenKind::Sign && self.text == sign
    }

    /// Whether the token begins with a capital.
    pub(crate) fn is_capitalised(&self) -> bool {
        self.kind == TokenKind::Letters && self.text.starts_with(char::is_uppercase)
    }
}

/// The tokens of a text.
pub(crate) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens: Vec<Token> = Vec::new();
    let mut start = 0;
    while let Some(first) = text[start..].chars().next() {
        let rest = &text[start..];
        let (length, kind) = if first.is_ascii_digit() {
            (digits(rest), TokenKind::Digits)
        } else if first.is_alphabetic() {
            (letters(rest), TokenKind::Letters)
        } else {
            (first.len_utf8(), TokenKind::Sign)
        };
        if !first.is_whitespace() {
            let word = &rest[..length];
            let glued = tokens.last().is_some_and(|before| before.end() == start);
            tokens.push(Token { text: word, lower: word.to_lowercase(), kind, start, glued });
        }
        start += length;
    }
    tokens
}

/// The length of a number: digits, and single separators with digits on both sides. A no-break space may separate
/// thousands.
fn digits(text: &str) -> usize {
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let followed = chars.peek().is_some_and(|(_, next)| next.is_ascii_digit());
        let separates = matches!(c, '.' | ',' | ':' | '\u{a0}' | '\u{2009}' | '\u{202f}') && followed;
        if !c.is_ascii_digit() && !separates {
            return at;
        }
        if c.is_whitespace() && !parts_thousands(&text[..at], &text[at + c.len_utf8()..]) {
            return at;
        }
    }
    text.len()
}

fn parts_thousands(before: &str, after: &str) -> bool {
    let count = |digits: &mut dyn Iterator<Item = char>| digits.take_while(char::is_ascii_digit).count();
    (1..=3).contains(&count(&mut before.chars().rev())) && count(&mut after.chars()) == 3
}

/// The length of a word: letters with combining accents, and apostrophes between letters; or single letters with full
/// stops, such as `U.S.`.
fn letters(text: &str) -> usize {
    let initials = initials(text);
    if initials > 0 {
        return initials;
    }
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let inside = matches!(c, '\'' | '’') && chars.peek().is_some_and(|(_, next)| next.is_alphabetic());
        if !c.is_alphabetic() && !('\u{300}'..='\u{36f}').contains(&c) && !inside {
            return at;
        }
    }
    text.len()
}

/// The length of two or more single letters, each followed by a full stop, which may be missing after the last.
fn initials(text: &str) -> usize {
    let (mut length, mut count) = (0, 0);
    let mut chars = text.chars().peekable();
    while let Some(letter) = chars.next().filter(|c| c.is_alphabetic()) {
        match chars.next() {
            Some('.') => (length, count) = (length + letter.len_utf8() + 1, count + 1),
            Some(c) if c.is_alphabetic() => return 0,
            _ if count > 0 => {
                (length, count) = (length + letter.len_utf8(), count + 1);
                break;
            }
            _ => break,
        }
        if !chars.peek().is_some_and(|c| c.is_alphabetic()) {
            break;
        }
    }
    if count > 1 { length } else { 0 }
}

/// A word in lower case without accents, so that `Barça` is `barca`.
pub(crate) fn plain(word: &str) -> String {
    let mut plain = String::with_capacity(word.len());
    for c in word.chars().flat_map(char::to_lowercase) {
        match c {
            'à'..='å' | 'ā' | 'ă' | 'ą' => plain.push('a'),
            'æ' => plain.push_str("ae"),
            'ç' | 'ć' | 'č' => plain.push('c'),
            'è'..='ë' | 'ē' | 'ė' | 'ę' | 'ě' => plain.push('e'),
            'ì'..='ï' | 'ī' | 'į' | 'ı' => plain.push('i'),
            'ñ' | 'ń' | 'ň' => plain.push('n'),
            'ò'..='ö' | 'ø' | 'ō' | 'ő' => plain.push('o'),
            'ù'..='ü' | 'ū' | 'ů' | 'ű' => plain.push('u'),
            'ý' | 'ÿ' => plain.push('y'),
            'ś' | 'š' | 'ş' | 'ș' => plain.push('s'),
            'ź' | 'ż' | 'ž' => plain.push('z'),
            'ğ' => plain.push('g'),
            'ł' => plain.push('l'),
            'ř' => plain.push('r'),
            'ţ' | 'ț' | 'ť' => plain.push('t'),
            'ď' | 'đ' => plain.push('d'),
            'ß' => plain.push_str("ss"),
            '\u{300}'..='\u{36f}' | '\'' | '’' | '.' => {}
            c => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_comes_apart_at_its_words_numbers_and_signs() {
        let text = "O'Brien's €1.250,50 (12.5%), 2\u{a0}500 m.";
        let initials: Vec<&str> =
            tokens("The U.S. and U.K at 3 p.m. A. Smith.").iter().map(|token| token.text).collect();
        assert_eq!(initials, ["The", "U.S.", "and", "U.K", "at", "3", "p.m.", "A", ".", "Smith", "."]);
        let found: Vec<&str> = tokens(text).iter().map(|token| token.text).collect();
        assert_eq!(found, ["O'Brien's", "€", "1.250,50", "(", "12.5", "%", ")", ",", "2\u{a0}500", "m", "."]);
        let glued: Vec<bool> = tokens("a-b 5% x").iter().map(|token| token.glued).collect();
        assert_eq!(glued, [false, true, true, false, true, false]);
    }

    #[test]
    fn accents_do_not_matter() {
        assert_eq!(plain("Erdoğan’s Curaçao"), "erdogans curacao");
    }
}
