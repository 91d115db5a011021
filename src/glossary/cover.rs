//! Which of several terms a text contains, each at a place of its own.
//!
//! One rule serves strings and tokens, so that the search is guided by what is checked afterwards. The text is read from left
//! to right; at each place the longest alternative of a term that is still missing counts. Invariant: no two matches overlap,
//! and a term stands between word boundaries.

/// The alternative spellings of one term; any of them will do.
pub type Alternatives<T> = Vec<Vec<T>>;

/// A term that was found in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TermMatch {
    /// The index of the term.
    pub term: usize,
    /// The index in the text at which it begins.
    pub start: usize,
    /// The index in the text at which it ends.
    pub end: usize,
}

/// The matches of the terms in `text`, at most one for each. `is_boundary` says whether a word may end before an index and
/// another begin at it; the two ends of the text always are boundaries.
pub fn cover<T: PartialEq>(
    text: &[T],
    terms: &[Alternatives<T>],
    is_boundary: impl Fn(usize) -> bool,
) -> Vec<TermMatch> {
    let mut matches: Vec<TermMatch> = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let begins = at == 0 || is_boundary(at);
        let missing = terms.iter().enumerate().filter(|(term, _)| matches.iter().all(|found| found.term != *term));
        let alternatives = missing
            .flat_map(|(term, alternatives)| alternatives.iter().map(move |alternative| (term, alternative)))
            .filter(|_| begins);
        let whole = alternatives.filter(|(_, alternative)| {
            let end = at + alternative.len();
            !alternative.is_empty() && text[at..].starts_with(alternative) && (end == text.len() || is_boundary(end))
        });
        // The first of the longest: `max_by_key` would take the last.
        match whole.reduce(|best, other| if other.1.len() > best.1.len() { other } else { best }) {
            Some((term, alternative)) => {
                matches.push(TermMatch { term, start: at, end: at + alternative.len() });
                at += alternative.len();
            }
            None => at += 1,
        }
    }
    matches
}

/// The indices of the terms that `text` lacks; each alternative of each term is a string.
#[must_use]
pub fn missing(text: &str, terms: &[Alternatives<u8>]) -> Vec<usize> {
    let letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let is_boundary = |at: usize| {
        text.is_char_boundary(at) && !(letter(text[..at].chars().next_back()) && letter(text[at..].chars().next()))
    };
    let matches = cover(text.as_bytes(), terms, is_boundary);
    (0..terms.len()).filter(|term| matches.iter().all(|found| found.term != *term)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alternatives(terms: &[&[&str]]) -> Vec<Alternatives<u8>> {
        terms
            .iter()
            .map(|alternatives| alternatives.iter().map(|alternative| alternative.as_bytes().to_vec()).collect())
            .collect()
    }

    #[test]
    fn each_term_needs_a_place_of_its_own() {
        let terms = alternatives(&[&["court"], &["Supreme Court", "supreme court"], &["court"]]);
        for (text, expected) in [
            ("the supreme court", &[0, 2][..]),
            ("the supreme court and a court", &[2]),
            ("a court, a court and the supreme court", &[]),
            ("courts and courtrooms", &[0, 1, 2]),
            ("(court) court's supreme court", &[]),
            ("", &[0, 1, 2]),
        ] {
            assert_eq!(missing(text, &terms), expected, "{text}");
        }
    }

    #[test]
    fn words_have_letters_of_any_script() {
        let terms = alternatives(&[&["é"]]);
        assert_eq!(missing("caféé", &terms), [0]);
        assert_eq!(missing("caf é!", &terms), [] as [usize; 0]);
    }
}
