//! Quotation marks of two characters (`,,zo''`), as Dutch papers type them. Models take these for commas.

use std::borrow::Cow;

/// The pairs of characters that close a quotation.
const CLOSING: [&str; 2] = ["''", "\u{2019}\u{2019}"];

/// The text with `"` in place of each quotation mark of two characters.
pub(super) fn joined(text: &str) -> Cow<'_, str> {
    if !text.contains(",,") && CLOSING.iter().all(|closing| !text.contains(closing)) {
        return text.into();
    }
    let (mut joined, mut rest, mut open) = (String::with_capacity(text.len()), text, false);
    while let Some(sign) = rest.chars().next() {
        let before = joined.chars().next_back();
        let closing = CLOSING.iter().find(|closing| rest.starts_with(**closing));
        if let Some(after) = rest.strip_prefix(",,").filter(|after| opens(before, after)) {
            (rest, open) = (after, true);
            joined.push('"');
        } else if let Some(closing) = closing.filter(|_| open || closes(before)) {
            (rest, open) = (&rest[closing.len()..], false);
            joined.push('"');
        } else {
            rest = &rest[sign.len_utf8()..];
            joined.push(sign);
        }
    }
    joined.into()
}

/// Whether a quotation can begin between `before` and `after`.
fn opens(before: Option<char>, after: &str) -> bool {
    before.is_none_or(|before| !before.is_alphanumeric()) && after.starts_with(|after: char| !after.is_whitespace())
}

/// Whether a quotation that began in another sentence can end after `before`. After a number the sign means inches.
fn closes(before: Option<char>) -> bool {
    before.is_some_and(|before| !before.is_numeric() && !before.is_whitespace())
}

#[cfg(test)]
mod tests {
    use super::joined;

    #[test]
    fn quotations_of_two_signs_get_one() {
        for (text, expected) in [
            (",,Zo'', zei hij.", "\"Zo\", zei hij."),
            ("Hij zei: ,,Om 12.''", "Hij zei: \"Om 12.\""),
            ("(,,grove\u{2019}\u{2019} schendingen)", "(\"grove\" schendingen)"),
            ("En toen ging hij weg.''", "En toen ging hij weg.\""),
            ("Een scherm van 27'' en ,,meer''.", "Een scherm van 27'' en \"meer\"."),
            ("Een, ,,'t Is klaar'' en 5,,3, x,, y", "Een, \"'t Is klaar\" en 5,,3, x,, y"),
            ("\u{201e}Zo\u{201d} en 's avonds", "\u{201e}Zo\u{201d} en 's avonds"),
            ("''", "''"),
        ] {
            assert_eq!(joined(text), expected);
        }
    }
}
