//! Which of several terms stand in a text, each at a place of its own.
//!
//! One rule for strings and for tokens, so that what the search aims at is what is checked afterwards: from
//! left to right, at each place the longest way to write a term that is still missing. Invariant: no two
//! stretches overlap, and a term stands between word boundaries.

/// The ways in which one term may be written; any of them will do.
pub type Alternatives<T> = Vec<Vec<T>>;

/// A term that stands in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TermMatch {
    /// Which of the terms.
    pub term: usize,
    /// Where it begins.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
}

/// Where the terms stand in `text`, each at most once. `parts` says whether a word may end before an index
/// and another begin at it; the two ends of the text always do.
pub fn cover<T: PartialEq>(text: &[T], terms: &[Alternatives<T>], parts: impl Fn(usize) -> bool) -> Vec<TermMatch> {
    let mut places: Vec<TermMatch> = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let begins = at == 0 || parts(at);
        let missing = terms.iter().enumerate().filter(|(term, _)| places.iter().all(|place| place.term != *term));
        let ways = missing.flat_map(|(term, ways)| ways.iter().map(move |way| (term, way))).filter(|_| begins);
        let whole = ways.filter(|(_, way)| {
            let end = at + way.len();
            !way.is_empty() && text[at..].starts_with(way) && (end == text.len() || parts(end))
        });
        // The first of the longest: `max_by_key` would take the last.
        match whole.reduce(|best, other| if other.1.len() > best.1.len() { other } else { best }) {
            Some((term, way)) => {
                places.push(TermMatch { term, start: at, end: at + way.len() });
                at += way.len();
            }
            None => at += 1,
        }
    }
    places
}

/// The indices of the terms that have no place in `text`; each way of each term is a string.
#[must_use]
pub fn missing(text: &str, terms: &[Alternatives<u8>]) -> Vec<usize> {
    let letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let parts = |at: usize| {
        text.is_char_boundary(at) && !(letter(text[..at].chars().next_back()) && letter(text[at..].chars().next()))
    };
    let places = cover(text.as_bytes(), terms, parts);
    (0..terms.len()).filter(|term| places.iter().all(|place| place.term != *term)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ways(terms: &[&[&str]]) -> Vec<Alternatives<u8>> {
        terms.iter().map(|ways| ways.iter().map(|way| way.as_bytes().to_vec()).collect()).collect()
    }

    #[test]
    fn each_term_needs_a_place_of_its_own() {
        let terms = ways(&[&["court"], &["Supreme Court", "supreme court"], &["court"]]);
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
        let terms = ways(&[&["é"]]);
        assert_eq!(missing("caféé", &terms), [0]);
        assert_eq!(missing("caf é!", &terms), [] as [usize; 0]);
    }
}
