//! Months and days of the week, in Dutch and in English.
//!
//! Responsible for finding them and for reporting which are missing or new. `March`, `May` and `mei` are also words with
//! other meanings. If the meaning is unclear, such a word matches a month on the other side, but is not required there.

use super::words::{Token, TokenKind};
use super::{Finding, Flag, Language};

#[rustfmt::skip]
const MONTHS: [[&str; 12]; 2] = [
    ["januari", "februari", "maart", "april", "mei", "juni", "juli", "augustus", "september", "oktober", "november",
     "december"],
    ["january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
     "december"],
];

#[rustfmt::skip]
const SHORT_MONTHS: [[&[&str]; 12]; 2] = [
    [&["jan"], &["feb", "febr"], &["mrt"], &["apr"], &["mei"], &["jun"], &["jul"], &["aug"], &["sep", "sept"], &["okt"],
     &["nov"], &["dec"]],
    [&["jan"], &["feb"], &["mar"], &["apr"], &["may"], &["jun"], &["jul"], &["aug"], &["sep", "sept"], &["oct"],
     &["nov"], &["dec"]],
];

const WEEKDAYS: [[&str; 7]; 2] = [
    ["maandag", "dinsdag", "woensdag", "donderdag", "vrijdag", "zaterdag", "zondag"],
    ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"],
];

/// Whether a word is a month or a day of the week in either language.
pub(crate) fn is_in_calendar(lower: &str) -> bool {
    let months = MONTHS.iter().flatten().chain(SHORT_MONTHS.iter().flatten().flat_map(|names| names.iter()));
    months.chain(WEEKDAYS.iter().flatten()).any(|name| lower == *name || lower.strip_suffix('s') == Some(*name))
}

/// A month or a day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CalendarName {
    /// A month, from 0 for January.
    Month(usize),
    /// A day of the week, from 0 for Monday.
    Weekday(usize),
}

/// An occurrence of a month or a day of the week in a sentence.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mention<'t> {
    pub(super) named: CalendarName,
    pub(super) text: &'t str,
    /// The index of its token.
    pub(super) place: usize,
    /// Whether it can hardly be any other word.
    pub(super) certain: bool,
}

/// All months and days of the week in a sentence.
pub(super) fn mentions<'t>(tokens: &[Token<'t>], language: Language) -> Vec<Mention<'t>> {
    let found = tokens.iter().enumerate().filter_map(|(place, token)| {
        let (named, certain) = weekday(token, language).or_else(|| month(tokens, place, language))?;
        Some(Mention { named, text: token.text, place, certain })
    });
    found.collect()
}

/// The day of the week in a word, such as `maandag`, `maandagavond`, `maandags` or `Mondays`, and whether it is certain.
fn weekday(token: &Token, language: Language) -> Option<(CalendarName, bool)> {
    let days = &WEEKDAYS[language as usize];
    let day = days.iter().position(|day| token.lower.starts_with(day) || token.lower.ends_with(day))?;
    Some((CalendarName::Weekday(day), language == Language::Dutch || token.is_capitalised()))
}

fn month(tokens: &[Token], place: usize, language: Language) -> Option<(CalendarName, bool)> {
    let token = &tokens[place];
    if token.kind != TokenKind::Letters {
        return None;
    }
    let small = language == Language::English && !token.is_capitalised();
    let word = token.lower.trim_end_matches("'s").trim_end_matches("’s");
    let dated = beside_number(tokens, place);
    if let Some(month) = MONTHS[language as usize].iter().position(|month| *month == word) {
        let ambiguous = matches!(word, "march" | "may" | "mei" | "maart" | "august" | "april" | "june");
        let verb = matches!(word, "march" | "may");
        let led = place > 0 && LEADING.contains(&tokens[place - 1].lower.as_str());
        // In `keizer Augustus` it is a name: Dutch months have no capital.
        let name = language == Language::Dutch && place > 0 && token.is_capitalised();
        let certain = !small && (dated || (!name && (led || !ambiguous || (!verb && place > 0))));
        return Some((CalendarName::Month(month), certain));
    }
    let month = SHORT_MONTHS[language as usize].iter().position(|names| names.contains(&word))?;
    (dated || token.is_capitalised()).then_some((CalendarName::Month(month), dated))
}

/// Words before which a month is more likely than a verb or a name.
const LEADING: [&str; 24] = [
    "in", "of", "since", "until", "till", "by", "from", "to", "last", "next", "early", "late", "mid", "this", "sinds",
    "tot", "vanaf", "eind", "begin", "medio", "half", "vorige", "volgende", "and",
];

/// Whether a number, such as a day or a year, is beside the word.
fn beside_number(tokens: &[Token], place: usize) -> bool {
    let is_number = |token: Option<&Token>| token.is_some_and(|token| token.kind == TokenKind::Digits);
    let next = place + 1 + usize::from(tokens.get(place + 1).is_some_and(|token| token.is(".") || token.is(",")));
    let ordinal = place >= 2 && tokens[place - 1].glued && is_number(tokens.get(place - 2));
    let of = place >= 3 && tokens[place - 1].lower == "of" && is_number(tokens.get(place - 3));
    is_number(tokens.get(next)) || (place > 0 && is_number(tokens.get(place - 1))) || ordinal || of
}

/// The months and days that are on one side only; `numeric` are the months in dates of digits on both sides.
pub(super) fn findings(source: &[Mention], target: &[Mention], numeric: [&[usize]; 2]) -> Vec<Finding> {
    let has = |side: &[Mention], numeric: &[usize], named: CalendarName| {
        side.iter().any(|mention| mention.named == named)
            || matches!(named, CalendarName::Month(month) if numeric.contains(&month))
    };
    let mut findings = Vec::new();
    for mention in source.iter().filter(|mention| mention.certain && !has(target, numeric[1], mention.named)) {
        findings.push(Finding::missing(Flag::Date, mention.text));
    }
    for mention in target.iter().filter(|mention| mention.certain && !has(source, numeric[0], mention.named)) {
        findings.push(Finding::invented(Flag::Date, mention.text));
    }
    findings
}
