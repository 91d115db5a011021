//! Splitting a sentence that is longer than a model's window.
//!
//! Invariant: the pieces in order are the sentence, with only white space between them, and each fits the budget (unless
//! a single character does not). The work grows linearly with the length of the sentence: no text much longer than the
//! budget is ever counted.

use std::ops::Range;

use anyhow::Result;

/// Conjunctions before which a clause can be cut off, with the spaces around them.
const CONJUNCTIONS: [&str; 32] = [
    " en ",
    " maar ",
    " of ",
    " want ",
    " dus ",
    " omdat ",
    " doordat ",
    " terwijl ",
    " zodat ",
    " hoewel ",
    " nadat ",
    " voordat ",
    " waarbij ",
    " waardoor ",
    " waarin ",
    " toen ",
    " als ",
    " die ",
    " dat ",
    " and ",
    " but ",
    " or ",
    " because ",
    " while ",
    " although ",
    " so ",
    " which ",
    " who ",
    " that ",
    " when ",
    " where ",
    " after ",
];

/// Splits `text` into pieces of at most `budget` tokens, at the best boundaries there are: after `;`, `:` or a dash,
/// after a comma or a bracket, before a conjunction, at a space, and inside a word only if the word alone is too long.
/// `count` returns the tokens of a text.
///
/// # Errors
/// When `count` fails.
pub fn wrap(text: &str, budget: usize, mut count: impl FnMut(&str) -> Result<usize>) -> Result<Vec<Range<usize>>> {
    let mut pieces = Vec::new();
    let mut start = 0;
    // Bytes per token: an estimate that each count corrects, kept slightly low so that the next guess fits.
    let mut ratio = 3.0;
    loop {
        start = text.len() - text[start..].trim_start().len();
        let rest = text[start..].trim_end();
        if rest.is_empty() {
            return Ok(pieces);
        }
        let fitting = fitting(rest, budget, &mut ratio, &mut count)?;
        let length = if fitting == rest.len() { fitting } else { boundary(rest, fitting) };
        let piece = rest[..length].trim_end();
        pieces.push(start..start + piece.len());
        start += length;
    }
}

/// The length of a prefix of `rest` that fits the budget and is at least about four fifths of it.
fn fitting(rest: &str, budget: usize, ratio: &mut f64, count: &mut impl FnMut(&str) -> Result<usize>) -> Result<usize> {
    // Each token has at least one byte, and a model adds a few tokens of its own.
    if rest.len() + 8 <= budget {
        return Ok(rest.len());
    }
    let mut best = 0;
    let mut above = rest.len() + 1;
    while best + 1 < above {
        let guess = floor(rest, ((budget as f64 * *ratio) as usize).clamp(best + 1, above - 1));
        if guess <= best {
            break;
        }
        let tokens = count(&rest[..guess])?;
        *ratio = (0.95 * guess as f64 / tokens.max(1) as f64).max(0.05);
        if tokens > budget {
            above = guess;
        } else {
            best = guess;
            if guess == rest.len() || tokens * 5 >= budget * 4 {
                break;
            }
            *ratio *= 1.04;
        }
    }
    Ok(if best == 0 { rest.chars().next().map_or(0, char::len_utf8) } else { best })
}

/// The last character boundary at or before `at`, but at least the end of the first character.
fn floor(text: &str, at: usize) -> usize {
    let first = text.chars().next().map_or(0, char::len_utf8);
    (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0).max(first)
}

/// The offset at which to cut `rest` if `limit` bytes of it fit: the best boundary in the later part of them. If two
/// pieces are enough, it is the best one around the middle, so that no short piece remains.
fn boundary(rest: &str, limit: usize) -> usize {
    let two = rest.len() < 2 * limit - limit / 8;
    let aim = if two { rest.len() / 2 } else { limit };
    let least = if two { rest.len() - limit } else { limit / 2 };
    let (least, limit) = (floor(rest, least), floor(rest, limit));
    let near = |at: usize| at.abs_diff(aim);
    for kind in 0..5 {
        let cuts = cuts(&rest[..limit], kind);
        if let Some(cut) = cuts.filter(|&cut| cut >= least.max(1)).min_by_key(|&cut| near(cut)) {
            return cut;
        }
    }
    limit
}

/// The offsets at which `text` can be cut at boundaries of one kind; kind 0 is the best.
fn cuts(text: &str, kind: usize) -> Box<dyn Iterator<Item = usize> + '_> {
    let spaced = |marks: &'static [&'static str]| {
        marks.iter().flat_map(|mark| text.match_indices(mark).map(|(at, mark)| at + mark.trim_end().len()))
    };
    match kind {
        0 => Box::new(spaced(&["; ", ": ", " – ", " — ", " - ", ". ", "! ", "? "])),
        1 => Box::new(spaced(&[", ", ") ", "] ", "… "])),
        2 => Box::new(CONJUNCTIONS.iter().flat_map(|word| text.match_indices(word).map(|(at, _)| at))),
        3 => Box::new(text.char_indices().filter(|(_, c)| c.is_whitespace()).map(|(at, _)| at)),
        _ => Box::new(text.char_indices().filter(|(_, c)| matches!(c, '-' | '/' | '_')).map(|(at, _)| at + 1)),
    }
}
