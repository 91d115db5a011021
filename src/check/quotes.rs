//! Quotations that are opened but not closed, or lost.
//!
//! Invariant: apostrophes are not quotation marks, for example in `'s avonds`, `foto's`, `the players' bus` and `'60`. A
//! sentence may be the first or the last of a longer quotation, so what is open in the source may be open in the
//! translation.

use super::{Finding, Flag};

/// Counts of the quotation marks in a sentence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Marks {
    opened: usize,
    closed: usize,
    /// Whether a single mark was left open; it is then taken for an apostrophe, unless the source has a quotation.
    single: bool,
}

/// The finding for quotations that are lost, or opened but not closed.
pub(super) fn findings(source: &str, target: &str) -> Option<Finding> {
    let (from, to) = (marks(source), marks(target));
    let balanced = from.opened == from.closed;
    let unclosed = to.opened > to.closed || (to.single && from.opened > 0);
    let reason = if balanced && unclosed {
        "a quotation is opened and not closed"
    } else if balanced && to.closed > to.opened {
        "a quotation is closed and not opened"
    } else if from.opened > 0 && from.closed > 0 && to.opened + to.closed == 0 {
        "the quotation marks are lost"
    } else {
        return None;
    };
    Some(Finding::new(Flag::Quote, reason.to_owned()))
}

/// Counts the marks that open and close quotations. For straight marks the neighbouring characters decide.
fn marks(text: &str) -> Marks {
    let text = text.replace(",,", "„").replace("''", "”").replace("``", "“");
    let mut marks = Marks::default();
    let mut single = false;
    let mut before = ' ';
    let mut rest = text.as_str();
    while let Some(mark) = rest.chars().next() {
        rest = &rest[mark.len_utf8()..];
        let after = rest.chars().next().unwrap_or(' ');
        match quote_mark(mark, before, after, rest, marks, single) {
            Some(QuoteMark::Open) => {
                marks.opened += 1;
                single |= is_single(mark);
            }
            Some(QuoteMark::Close) => {
                marks.closed += 1;
                single &= !is_single(mark);
            }
            None => {}
        }
        before = mark;
    }
    marks.single = single && marks.opened > marks.closed && !text.contains('‘');
    marks.opened -= usize::from(marks.single);
    marks
}

enum QuoteMark {
    Open,
    Close,
}

fn is_single(mark: char) -> bool {
    matches!(mark, '\'' | '‘' | '’' | '‚')
}

/// Whether a character opens or closes a quotation, or neither. `single` says whether a quotation in single marks is
/// open.
fn quote_mark(mark: char, before: char, after: char, rest: &str, marks: Marks, single: bool) -> Option<QuoteMark> {
    match mark {
        '„' | '«' => Some(QuoteMark::Open),
        '»' => Some(QuoteMark::Close),
        // In `„zo“` the mark closes that opens in other languages.
        '“' | '”' | '"' | '‟' => {
            let inches = mark == '"' && before.is_ascii_digit() && marks.opened == marks.closed;
            let opens = match mark {
                '"' => marks.opened == marks.closed || (opens_word(before) && after.is_alphanumeric()),
                _ => opens_word(before) && !after.is_whitespace() || (mark == '“' && marks.opened == marks.closed),
            };
            (!inches).then_some(if opens { QuoteMark::Open } else { QuoteMark::Close })
        }
        '\'' | '‘' | '’' => {
            let opens = opens_word(before) && after.is_alphabetic() && !is_clitic(rest);
            let closes = single && !before.is_whitespace() && !after.is_alphanumeric();
            if opens && !single { Some(QuoteMark::Open) } else { closes.then_some(QuoteMark::Close) }
        }
        _ => None,
    }
}

fn opens_word(before: char) -> bool {
    before.is_whitespace() || matches!(before, '(' | '[' | '-' | '–' | '—' | '/' | ':' | '\'' | '"' | '„' | '“' | '‘')
}

/// Whether the word at the start of `rest` is a clitic after an apostrophe: `'s avonds`, `'t is`, `'em`.
fn is_clitic(rest: &str) -> bool {
    let word: String = rest.chars().take_while(|c| c.is_alphabetic()).collect();
    matches!(word.to_lowercase().as_str(), "s" | "t" | "n" | "k" | "m" | "r" | "em" | "ie" | "tis" | "twas" | "cause")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_told_from_apostrophes() {
        let balanced = [
            ("‘Zo’ is het ’s avonds", 1),
            (",,Zo'' is het", 1),
            ("„Zo” en „zo“", 2),
            ("'Zo' is foto's maken", 1),
            ("\"Zo\", zei hij, \"is het\"", 2),
            ("“So,” he said, “it’s the players’ bus”", 2),
            ("«Zo» is het", 1),
            ("'t Is in de jaren '60 van 5\" breed", 0),
            ("the players' bus and 'his'", 1),
            ("Hij zei: 'Nee, \"nooit\".'", 2),
        ];
        for (text, count) in balanced {
            assert_eq!(marks(text), Marks { opened: count, closed: count, single: false }, "{text}");
        }
        assert_eq!(marks("'So it is, he said."), Marks { single: true, ..Marks::default() });
        assert_eq!(marks("“So it is, he said."), Marks { opened: 1, closed: 0, single: false });
        assert_eq!(marks("\"So it is, he said."), Marks { opened: 1, closed: 0, single: false });
        assert_eq!(marks("So it is,” he said."), Marks { opened: 0, closed: 1, single: false });
    }
}
