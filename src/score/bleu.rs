//! BLEU of a corpus, and the words of mteval-v13a that it is counted in.

use super::ngrams::{overlap, words};
use super::{ScoreValue, Width};

/// The longest n-grams.
const ORDER: usize = 4;
/// The logarithm of zero, as sacreBLEU has it.
const NO_LOG: f64 = -9_999_999_999.0;

/// The counts of a segment: words of the hypothesis, words of the reference, the n-grams in common for each order,
/// and those of the hypothesis for each order.
pub fn count(hypothesis: &str, reference: &str) -> Vec<u32> {
    let (hypothesis, reference) = (tokenize(hypothesis), tokenize(reference));
    let (hypothesis, reference) = (words(&hypothesis), words(&reference));
    let overlaps: Vec<_> = (1..=ORDER).map(|n| overlap(&hypothesis, &reference, n)).collect();
    let common = overlaps.iter().map(|overlap| overlap.common);
    let total = overlaps.iter().map(|overlap| overlap.hypothesis);
    [hypothesis.len() as u32, reference.len() as u32].into_iter().chain(common).chain(total).collect()
}

/// BLEU of summed counts, from 0 to 100.
pub fn score(sums: &[f64], width: Width) -> ScoreValue {
    let double = |value| ScoreValue { value, width: Width::Double };
    let Some(precisions) = precisions(sums, width) else { return double(0.0) };
    let log = |precision: &f64| if *precision == 0.0 { NO_LOG } else { precision.ln() };
    let mean = precisions.iter().map(log).sum::<f64>() / ORDER as f64;
    double(brevity_penalty(sums) * mean.exp())
}

/// Precisions and lengths, as sacreBLEU prints them.
pub fn detail(sums: &[f64]) -> String {
    let precisions = precisions(sums, Width::Double).unwrap_or_default().map(|precision| format!("{precision:.1}"));
    let (hypothesis, reference) = (sums[0], sums[1]);
    let ratio = if reference > 0.0 { hypothesis / reference } else { 0.0 };
    format!(
        "{} (BP = {:.3} ratio = {ratio:.3} hyp_len = {hypothesis} ref_len = {reference})",
        precisions.join("/"),
        brevity_penalty(sums)
    )
}

/// The precision of each order in percent; `None` if no n-gram is in common. An order without one counts as half an n-gram, the next one as a
/// quarter, and so on: smoothing 3 of Chen and Cherry (2014).
fn precisions(sums: &[f64], width: Width) -> Option<[f64; ORDER]> {
    let (common, total) = sums[2..].split_at(ORDER);
    if common.iter().all(|&common| common == 0.0) {
        return None;
    }
    let mut precisions = [0.0; ORDER];
    let mut smoothing = 1.0;
    for ((precision, &common), &total) in precisions.iter_mut().zip(common).zip(total) {
        if total == 0.0 {
            break;
        }
        *precision = if common == 0.0 {
            smoothing *= 2.0;
            width.round(100.0 / width.round(smoothing * total))
        } else {
            width.round(width.round(100.0 * common) / total)
        };
    }
    Some(precisions)
}

fn brevity_penalty(sums: &[f64]) -> f64 {
    let (hypothesis, reference) = (sums[0], sums[1]);
    if hypothesis >= reference {
        1.0
    } else if hypothesis > 0.0 {
        (1.0 - reference / hypothesis).exp()
    } else {
        0.0
    }
}

/// A text with spaces between the words of mteval-v13a: signs stand alone, stops and commas too unless they are inside a number.
fn tokenize(text: &str) -> String {
    let text = text.trim_end_matches(super::ngrams::is_space);
    let mut text = text.replace("<skipped>", "").replace("-\n", "").replace('\n', " ");
    for (entity, sign) in [("&quot;", "\""), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">")] {
        text = text.replace(entity, sign);
    }
    let spaced: String = format!(" {text} ").chars().flat_map(|c| apart(c, is_sign(c))).flatten().collect();
    let (digit, point) = (|c: char| c.is_ascii_digit(), |c| matches!(c, '.' | ','));
    let spaced = pairs(&spaced, |one, next| !digit(one) && point(next), |one, next| [one, ' ', next, ' ']);
    let spaced = pairs(&spaced, |one, next| point(one) && !digit(next), |one, next| [' ', one, ' ', next]);
    pairs(&spaced, |one, next| digit(one) && next == '-', |one, next| [one, ' ', next, ' '])
}

/// A sign with spaces around it, any other character as it is.
fn apart(character: char, is_sign: bool) -> [Option<char>; 3] {
    let space = is_sign.then_some(' ');
    [space, Some(character), space]
}

/// Whether a character is a sign of ASCII other than the apostrophe, the comma, the hyphen and the full stop. The
/// space counts as one, which has no effect.
fn is_sign(character: char) -> bool {
    matches!(character, '{'..='~' | '['..='`' | ' '..='&' | '('..='+' | ':'..='@' | '/')
}

/// Replaces every two neighbouring characters that match by what `write` makes of them, from left to right, without
/// overlap.
fn pairs(text: &str, matches: impl Fn(char, char) -> bool, write: impl Fn(char, char) -> [char; 4]) -> String {
    let mut written = String::with_capacity(text.len() * 2);
    let mut characters = text.chars().peekable();
    while let Some(one) = characters.next() {
        match characters.next_if(|&next| matches(one, next)) {
            Some(next) => written.extend(write(one, next)),
            None => written.push(one),
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_stand_alone_except_inside_numbers() {
        let tokens = words(&tokenize("It's 1,000.50 (or so), see p.3..4: 5-6 &amp; \"a-b\" ...\n"))
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>();
        let expected = "It's 1,000.50 ( or so ) , see p . 3 . . 4 : 5 - 6 & \" a-b \" . . .";
        assert_eq!(tokens.join(" "), expected);
    }
}
