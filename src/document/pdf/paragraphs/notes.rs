//! Notes at the foot of a page: where one begins.

use crate::document::pdf::lines::TextLine;

/// Letters of a note that has no raised number are at most this large, in sizes of most letters.
const LARGEST_NOTE: f32 = 0.95;

/// Whether a line begins a note: it begins with a raised number, as in documents of TeX and Word, or with a plain one in
/// small letters, as in those of `LibreOffice`. `size` is that of most letters of the article.
pub(super) fn begins_note(line: &TextLine, size: f32) -> bool {
    if line.text.starts_with(['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹']) {
        return true;
    }
    let Some((number, rest)) = line.text.split_once(' ') else { return false };
    let is_number = (1..=3).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number && line.size <= LARGEST_NOTE * size && rest.starts_with(char::is_uppercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_begins_with_its_number() {
        let begins = |text: &str, size: f32| {
            let line = TextLine { text: text.to_owned(), left: 0.0, right: 90.0, baseline: 0.0, size, bold: false };
            begins_note(&line, 10.0)
        };
        for text in ["¹Zo staat het er.", "¹² Zie het verslag."] {
            assert!(begins(text, 10.0) && begins(text, 8.0), "{text}");
        }
        assert!(begins("2 Zie het verslag.", 8.0) && !begins("2 Zie het verslag.", 10.0));
        for text in ["2 euro per stuk", "2024 Een jaar", "Zie 2", "2"] {
            assert!(!begins(text, 8.0), "{text}");
        }
    }
}
