//! Numbers, amounts, times and dates in a sentence, with all their possible meanings.
//!
//! Responsible for reading them, in digits and in words. Invariant: an ambiguous quantity keeps all its readings, so that
//! a translation may choose one. A quantity that is only hinted at (`both`, an ordinal in words) matches a number of the
//! other side, but is not required there.

mod spelled;

use std::ops::Range;

use super::calendar::{CalendarName, Mention};
use super::cardinal::{Cardinal, cardinal};
use super::digits::{Clock, on_the_hour, readings};
use super::measure::{self, Measure};
use super::words::{Token, TokenKind};
use super::{Flag, Language};

/// A number with its possible meanings.
#[derive(Clone, Debug)]
pub(super) struct Quantity<'t> {
    /// The quantity with its unit, as in the sentence.
    pub(super) text: &'t str,
    /// The digits or words of the number alone.
    pub(super) number: &'t str,
    at: Range<usize>,
    pub(super) values: Vec<f64>,
    pub(super) clock: Option<Clock>,
    pub(super) measure: Option<Measure>,
    /// The multiplier that follows the number, such as a million; 1 if there is none.
    scale: f64,
    /// The flag to report if the other side does not have it: a number, or a date or time.
    pub(super) flag: Flag,
    /// Whether the other side must have it.
    pub(super) required: bool,
}

/// A date of digits with all that it may mean.
pub(super) struct DigitDate<'t> {
    /// The date as in the sentence.
    pub(super) text: &'t str,
    year: u32,
    /// Day, from 1, and month, from 0 for January, of each reading.
    days: Vec<(u32, usize)>,
}

impl DigitDate<'_> {
    /// Whether two dates may be the same day.
    pub(super) fn may_be(&self, other: &DigitDate) -> bool {
        self.year == other.year && self.days.iter().any(|day| other.days.contains(day))
    }

    /// The month of each reading, from 0 for January.
    pub(super) fn months(&self) -> impl Iterator<Item = usize> {
        self.days.iter().map(|&(_, month)| month)
    }
}

impl Quantity<'_> {
    /// Whether a minus sign stands before it in the sentence `text`. A sign that follows a word or a number is a hyphen or
    /// a dash, and one at the beginning may be the mark of an item.
    pub(super) fn is_negative(&self, text: &str) -> bool {
        let before = text[..self.at.start].trim_end_matches(['€', '$', '£']);
        let without = before.strip_suffix(['-', '−', '–']);
        without.is_some_and(|rest| rest.ends_with([' ', '(', '€', '$', '£', '\u{a0}']))
    }
}

/// All quantities in a sentence, and the dates of digits.
pub(super) struct Quantities<'t> {
    pub(super) all: Vec<Quantity<'t>>,
    pub(super) dates: Vec<DigitDate<'t>>,
}

/// Reads the quantities of a sentence.
pub(super) fn quantities<'t>(
    text: &'t str,
    tokens: &[Token<'t>],
    mentions: &[Mention],
    language: Language,
) -> Quantities<'t> {
    let mut reader = QuantityReader { text, tokens, mentions, language, all: Vec::new(), dates: Vec::new() };
    let mut next = 0;
    while next < tokens.len() {
        let used = match tokens[next].kind {
            TokenKind::Digits => reader.date(next).unwrap_or_else(|| reader.digits(next)),
            TokenKind::Letters => reader.words(next),
            TokenKind::Sign => 1,
        };
        next += used;
    }
    share_scales(text, &mut reader.all);
    Quantities { all: reader.all, dates: reader.dates }
}

/// Gives numbers the multiplier of a following one: in `twee tot drie miljoen`, two is two million as well.
fn share_scales(text: &str, all: &mut [Quantity]) {
    const RANGES: [&str; 12] = ["tot", "à", "of", "en", "to", "or", "and", "-", "–", "tot en met", "a", "—"];
    for later in (1..all.len()).rev() {
        let (before, after) = all.split_at_mut(later);
        let (from, to) = (&mut before[later - 1], &after[0]);
        let between = text.get(from.at.end..to.at.start).unwrap_or_default().trim_matches([' ', '$', '€', '£']);
        if to.scale > 1.0 && from.scale < 2.0 && RANGES.contains(&between) {
            let scaled: Vec<f64> = from.values.iter().map(|value| value * to.scale).collect();
            from.values.extend(scaled);
            from.scale = to.scale;
        }
    }
}

struct QuantityReader<'a, 't> {
    text: &'t str,
    tokens: &'a [Token<'t>],
    mentions: &'a [Mention<'a>],
    language: Language,
    all: Vec<Quantity<'t>>,
    dates: Vec<DigitDate<'t>>,
}

impl<'t> QuantityReader<'_, 't> {
    fn lower(&self, place: usize) -> &str {
        self.tokens.get(place).map_or("", |token| token.lower.as_str())
    }

    fn is_glued(&self, place: usize) -> bool {
        self.tokens.get(place).is_some_and(|token| token.glued)
    }

    /// The byte range of these tokens in the text.
    fn span(&self, places: Range<usize>) -> Range<usize> {
        self.tokens[places.start].start..self.tokens[places.end - 1].end()
    }

    /// Adds a quantity made of these tokens.
    fn push(&mut self, places: Range<usize>, values: Vec<f64>, flag: Flag, required: bool) -> &mut Quantity<'t> {
        let at = self.span(places);
        let text = &self.text[at.clone()];
        let quantity =
            Quantity { text, number: text, at, values, clock: None, measure: None, scale: 1.0, flag, required };
        let place = self.all.len();
        self.all.push(quantity);
        &mut self.all[place]
    }

    /// Reads a date such as `05-10-2020`, `5/10/2020`, `2020-10-05` or `05.10.2020`; returns its number of tokens. If day
    /// and month can be exchanged, both readings are kept; they cannot where the year stands first.
    fn date(&mut self, first: usize) -> Option<usize> {
        let (parts, used) = self.date_parts(first)?;
        let numbers: Vec<u32> = parts.iter().map(|part| part.parse().ok()).collect::<Option<_>>()?;
        let year_first = parts[0].len() == 4;
        let (day, month, year) =
            if year_first { (numbers[2], numbers[1], numbers[0]) } else { (numbers[0], numbers[1], numbers[2]) };
        let is_month = |number: u32| (1..=12).contains(&number);
        let is_day = |number: u32| (1..=31).contains(&number);
        let written = is_month(month) && is_day(day);
        let swapped = !year_first && is_month(day) && is_day(month);
        if !(written || swapped) {
            return None;
        }
        let readings = [(day, month, written), (month, day, swapped)].into_iter().filter(|&(.., fits)| fits);
        let days: Vec<(u32, usize)> = readings.map(|(day, month, _)| (day, month as usize - 1)).collect();
        let numbers = days.iter().map(|&(day, _)| f64::from(day)).collect();
        let text = self.push(first..first + used, numbers, Flag::Date, true).text;
        self.dates.push(DigitDate { text, year, days });
        self.push(first..first + used, vec![f64::from(year)], Flag::Date, true);
        Some(used)
    }

    fn date_parts(&self, first: usize) -> Option<(Vec<&'t str>, usize)> {
        let token = &self.tokens[first];
        let mut parts: Vec<&str> = token.text.split('.').collect();
        let mut used = 1;
        if parts.len() == 1 {
            let sign = self.tokens.get(first + 1).filter(|sign| sign.glued && (sign.is("-") || sign.is("/")))?;
            for place in [first + 1, first + 3] {
                let number =
                    self.tokens.get(place + 1).filter(|number| number.glued && number.kind == TokenKind::Digits)?;
                self.tokens.get(place).filter(|other| other.text == sign.text)?;
                parts.push(number.text);
            }
            used = 5;
        }
        let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
        matches!(lengths[..], [1 | 2, 1 | 2, 4] | [4, 2, 2]).then_some((parts, used))
    }

    /// Reads a number in digits with all that belongs to it; returns its number of tokens.
    fn digits(&mut self, first: usize) -> usize {
        let token = &self.tokens[first];
        let found = readings(token.text, self.language);
        let (mut values, clock) = (found.values, found.clock);
        if let Some((told, used)) = self.told_time(first, &values, clock) {
            if told.minutes % 60 == 0 {
                values.extend(on_the_hour(told.minutes / 60));
            } else if clock.is_some() {
                values.clear();
            }
            self.push(first..first + 1 + used, values, Flag::Date, true).clock = Some(told);
            return 1 + used;
        }
        let mut end = first + 1 + self.suffix(first + 1, &mut values);
        let (scale, used) = self.scales(end);
        for value in &mut values {
            *value *= scale;
        }
        end += used;
        values.extend(self.century(first, &values));
        let is_date = (token.text.contains(':') && clock.is_some()) || self.is_dated(first, end, &values);
        let flag = if is_date { Flag::Date } else { Flag::Number };
        // The 2 of `km2` may be a superscript on the other side.
        let raised = token.glued && token.text.len() == 1 && self.tokens[first - 1].kind == TokenKind::Letters;
        let quantity = self.measured(first..end, values, flag, !raised);
        (quantity.clock, quantity.scale) = (clock, scale);
        end - first
    }

    /// The years that two digits may stand for: `’60`, `jaren 60`, `1995-96`.
    fn century(&self, first: usize, values: &[f64]) -> Vec<f64> {
        let Some(&value) = values.first().filter(|value| **value < 100.0) else { return Vec::new() };
        let before = |back: usize| first.checked_sub(back).map(|place| &self.tokens[place]);
        match before(1) {
            Some(token) if token.is("'") || token.is("’") || token.lower == "jaren" => vec![value + 1900.0],
            Some(token) if token.is("-") || token.is("–") || token.is("/") => {
                let year = before(2).filter(|year| year.text.len() == 4).and_then(|year| year.text.parse::<u32>().ok());
                year.map(|year| f64::from(year / 100 * 100) + value).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    /// Adds a quantity made of these tokens, with its unit.
    fn measured(&mut self, places: Range<usize>, values: Vec<f64>, flag: Flag, required: bool) -> &mut Quantity<'t> {
        let mut last = places.end;
        let mut measure = None;
        if flag == Flag::Number {
            if let Some((unit, used)) = measure::after(self.tokens, places.end) {
                (measure, last) = (Some(unit), places.end + used);
            }
            measure = measure::before(self.tokens, places.start).or(measure);
        }
        let text = &self.text[self.span(places.start..last)];
        let quantity = self.push(places, values, flag, required);
        (quantity.text, quantity.measure) = (text, measure);
        quantity
    }

    /// The time in `15.30 uur`, `15u30`, `3 p.m.` or `3 o'clock`, and the number of its tokens after the digits.
    fn told_time(&self, first: usize, values: &[f64], clock: Option<Clock>) -> Option<(Clock, usize)> {
        let hours = values.first().copied().filter(|value| value.fract() == 0.0 && (0.0..=24.0).contains(value));
        let whole = clock.or_else(|| Clock::new(hours? as u16, 0));
        let next = self.lower(first + 1);
        if self.language == Language::Dutch {
            if matches!(next, "u" | "h") && self.is_glued(first + 1) {
                let minutes = self.tokens.get(first + 2).filter(|token| token.glued && token.text.len() == 2);
                let minutes = minutes.and_then(|token| token.text.parse().ok());
                return Some((Clock::new(hours? as u16, minutes.unwrap_or(0))?, 1 + usize::from(minutes.is_some())));
            }
            return matches!(next, "uur" | "u").then_some((clock?, 1));
        }
        if next == "o'clock" || next == "o’clock" {
            return Some((whole?, 1));
        }
        let half = if self.after_noon(first + 1)? { 12 } else { 0 };
        let clock = whole?;
        let hours = clock.minutes / 60 % 12 + half;
        Some((Clock { minutes: hours * 60 + clock.minutes % 60, half_known: true }, 1))
    }

    /// Whether the token means after noon: false for `am`, true for `p.m.`, `None` for others.
    fn after_noon(&self, place: usize) -> Option<bool> {
        match self.lower(place) {
            "am" | "a.m." | "a.m" => Some(false),
            "pm" | "p.m." | "p.m" => Some(true),
            _ => None,
        }
    }

    /// Reads a suffix of digits, as in `19e`, `21st`, `1960s` or `5k`, and adds the values that it allows. Returns the
    /// number of tokens to skip.
    fn suffix(&self, place: usize, values: &mut Vec<f64>) -> usize {
        let glued = self.is_glued(place);
        let first = values.first().copied().unwrap_or_default();
        let factor = match self.lower(place) {
            "k" if glued => 1e3,
            "m" if glued => 1e6,
            "b" if glued => 1e9,
            "s" if glued && self.language == Language::English => {
                if first >= 1000.0 {
                    values.push(first % 100.0);
                    values.push((first / 100.0).floor() + 1.0);
                } else {
                    values.push(first + 1900.0);
                }
                return 1;
            }
            "e" | "de" | "ste" | "st" | "nd" | "rd" | "th" if glued => return 1,
            _ => return 0,
        };
        let scaled: Vec<f64> = values.iter().map(|value| value * factor).collect();
        values.extend(scaled);
        0
    }

    /// The product of the multipliers that follow, such as `miljoen` or `hundred thousand`, and their number of tokens.
    fn scales(&self, place: usize) -> (f64, usize) {
        let mut product = 1.0;
        let mut used = 0;
        while let Some(Cardinal::Scale(scale)) = self.cardinal(place + used) {
            product *= scale;
            used += 1;
        }
        (product, used)
    }

    fn cardinal(&self, place: usize) -> Option<Cardinal> {
        let token = self.tokens.get(place).filter(|token| token.kind == TokenKind::Letters)?;
        cardinal(&token.lower, self.language)
    }

    /// Whether a number is the day or the year of a date with a month's name.
    fn is_dated(&self, first: usize, end: usize, values: &[f64]) -> bool {
        let near = |mention: &&Mention| {
            let place = mention.place;
            matches!(mention.named, CalendarName::Month(_))
                && (place + 4 > first && place < first || place >= end && place < end + 2)
        };
        let fits =
            |value: &f64| value.fract() == 0.0 && ((1.0..=31.0).contains(value) || (1000.0..2100.0).contains(value));
        values.iter().any(fits) && self.mentions.iter().find(near).is_some()
    }
}
