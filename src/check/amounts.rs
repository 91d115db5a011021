//! Numbers, amounts, units, dates and times that a translation lost, changed or invented.
//!
//! Responsible for comparing what `quantity` and `calendar` read on both sides. Invariant: a number is in order if one of
//! its readings is among the readings of the other side; how often it occurs there does not matter.

use std::collections::{HashMap, HashSet};

use super::calendar::{self, CalendarName};
use super::digits::Clock;
use super::measure::{Dimension, Measure};
use super::quantity::{DigitDate, Quantities, Quantity, quantities};
use super::words::Token;
use super::{Finding, Flag, Language};

/// One of the two texts of a comparison.
pub(super) struct Side<'a, 't> {
    pub(super) text: &'t str,
    pub(super) tokens: &'a [Token<'t>],
    pub(super) language: Language,
}

/// The numbers and dates that are on one side only.
pub(super) fn findings(source: &Side, target: &Side) -> Vec<Finding> {
    let months = [source, target].map(|side| calendar::mentions(side.tokens, side.language));
    let (from, to) = (read(source, &months[0]), read(target, &months[1]));
    let (known, given) = (Pool::of(&from.all), Pool::of(&to.all));
    let mut findings = Vec::new();
    for quantity in from.all.iter().filter(|quantity| quantity.required) {
        if !given.has(quantity) {
            findings.push(missing(quantity, target));
        } else if let Some(other) = given.with_other_unit(quantity) {
            findings.push(Finding::new(Flag::Number, format!("`{}` became `{other}`", quantity.text)));
        } else if quantity.measure.is_some_and(|measure| given.lacks(measure)) {
            findings.push(Finding::new(Flag::Number, format!("`{}` lost its unit", quantity.text)));
        }
    }
    // A number that is in the source as well was reported already, with another meaning.
    let copied = |quantity: &Quantity| from.all.iter().any(|other| other.number == quantity.number);
    let required = to.all.iter().filter(|quantity| quantity.required);
    let invented = required.filter(|quantity| !known.has(quantity) && !copied(quantity));
    findings.extend(invented.map(|quantity| Finding::invented(quantity.flag, quantity.number)));
    let lost = lost_signs([source, target], [&from, &to]);
    findings.extend(lost.map(|number| Finding::new(Flag::Number, format!("`-{number}` lost its minus sign"))));
    let new = lost_signs([target, source], [&to, &from]);
    let new_sign = |number| format!("`-{number}` has a minus sign that is not in the source");
    findings.extend(new.map(|number| Finding::new(Flag::Number, new_sign(number))));
    let numeric = [&from, &to].map(|side| side.dates.iter().flat_map(DigitDate::months).collect::<Vec<_>>());
    findings.extend(calendar::findings(&months[0], &months[1], [&numeric[0], &numeric[1]]));
    for changed in changed_dates(&from.dates, &to.dates, &months[1]) {
        if !findings.contains(&changed) {
            findings.push(changed);
        }
    }
    findings
}

/// Words that say in either language that a number is below zero.
#[rustfmt::skip]
const BELOW_ZERO: [&str; 22] = [
    "min", "minus", "onder", "negatief", "negatieve", "vriest", "vroor", "vorst", "tekort", "verlies", "krimp", "daling",
    "below", "negative", "subzero", "freezing", "frost", "deficit", "loss", "contraction", "decline", "decrease",
];

/// The numbers of a text that have a minus sign there and none in the other text. If a word of the other text says that
/// something is below zero, nothing is known of its numbers.
fn lost_signs<'q>([text, other]: [&'q Side; 2], [read, others]: [&'q Quantities; 2]) -> impl Iterator<Item = &'q str> {
    let is_said = other.tokens.iter().any(|token| BELOW_ZERO.contains(&token.lower.as_str()));
    let negative = read.all.iter().filter(move |number| !is_said && number.is_negative(text.text));
    let lost = negative.filter(|number| {
        let mut same = others.all.iter().filter(|other| other.values.iter().any(|value| number.values.contains(value)));
        same.clone().next().is_some() && !same.any(|same| same.is_negative(other.text))
    });
    lost.map(|number| number.text)
}

/// The dates of digits in the source that are another day in the target, where that has dates of digits too.
fn changed_dates(source: &[DigitDate], target: &[DigitDate], named: &[calendar::Mention]) -> Vec<Finding> {
    let is_named = |date: &DigitDate| {
        date.months().any(|month| named.iter().any(|mention| mention.named == CalendarName::Month(month)))
    };
    let is_kept = |date: &DigitDate| target.iter().any(|other| other.may_be(date)) || is_named(date);
    let changed = source.iter().filter(|date| !target.is_empty() && !is_kept(date));
    changed.map(|date| Finding::missing(Flag::Date, date.text)).collect()
}

/// The numbers in a text that another text in the same language does not contain.
pub(super) fn unsupported<'t>(text: &Side<'_, 't>, by: &Side) -> Vec<&'t str> {
    let claimed = read(text, &calendar::mentions(text.tokens, text.language)).all;
    let support = read(by, &calendar::mentions(by.tokens, by.language)).all;
    let known = Pool::of(&support);
    claimed
        .iter()
        .filter(|quantity| quantity.required && !known.has(quantity))
        .map(|quantity| quantity.number)
        .collect()
}

fn read<'t>(side: &Side<'_, 't>, months: &[calendar::Mention]) -> Quantities<'t> {
    quantities(side.text, side.tokens, months, side.language)
}

fn missing(quantity: &Quantity, target: &Side) -> Finding {
    let copied = target.tokens.iter().any(|token| token.text == quantity.number);
    if copied && quantity.number.contains(['.', ',']) {
        let language = match target.language {
            Language::Dutch => "Dutch",
            Language::English => "English",
        };
        return Finding::new(quantity.flag, format!("`{}` means something else in {language}", quantity.number));
    }
    Finding::missing(quantity.flag, quantity.text)
}

/// All possible meanings of the numbers on one side.
#[derive(Default)]
struct Pool<'a> {
    values: HashMap<i128, Vec<&'a Quantity<'a>>>,
    codes: HashSet<&'a str>,
    /// Times of day whose half (before or after noon) is known, in minutes.
    known: HashSet<u16>,
    /// All other times of day, in minutes modulo twelve hours.
    unknown: HashSet<u16>,
    /// Symbols of units, with or without a number.
    units: HashSet<&'static str>,
}

/// A key for a value, equal for values that agree to the sixth decimal.
fn key(value: f64) -> i128 {
    (value * 1e6).round() as i128
}

impl<'a> Pool<'a> {
    fn of(quantities: &'a [Quantity<'a>]) -> Self {
        let mut pool = Self::default();
        for quantity in quantities {
            for &value in &quantity.values {
                pool.values.entry(key(value)).or_default().push(quantity);
            }
            match quantity.clock {
                Some(Clock { minutes, half_known: true }) => pool.known.insert(minutes),
                Some(Clock { minutes, half_known: false }) => pool.unknown.insert(minutes % 720),
                None => false,
            };
            if quantity.values.is_empty() && quantity.clock.is_none() {
                pool.codes.insert(quantity.number);
            }
            pool.units.extend(quantity.measure.map(|measure| measure.symbol));
        }
        pool
    }

    fn has(&self, quantity: &Quantity) -> bool {
        let code = quantity.values.is_empty() && quantity.clock.is_none();
        quantity.values.iter().any(|&value| self.values.contains_key(&key(value)))
            || quantity.clock.is_some_and(|clock| self.has_time(clock))
            || (code && self.codes.contains(quantity.number))
    }

    fn has_time(&self, clock: Clock) -> bool {
        let half = clock.minutes % 720;
        if clock.half_known {
            self.known.contains(&clock.minutes) || self.unknown.contains(&half)
        } else {
            self.unknown.contains(&half) || self.known.contains(&half) || self.known.contains(&(half + 720))
        }
    }

    /// The text of a quantity with this number and another unit of the same dimension; `None` if the number also occurs
    /// with its own unit.
    fn with_other_unit(&self, quantity: &Quantity) -> Option<&'a str> {
        let measure = quantity.measure?;
        let same = quantity.values.iter().filter_map(|&value| self.values.get(&key(value))).flatten();
        let mut other = None;
        for candidate in same {
            let found = candidate.measure?;
            if found.symbol == measure.symbol || found.dimension != measure.dimension {
                return None;
            }
            other = Some(candidate.text);
        }
        other
    }

    /// Whether this percent sign or currency does not occur at all.
    fn lacks(&self, measure: Measure) -> bool {
        matches!(measure.dimension, Dimension::Share | Dimension::Money) && !self.units.contains(measure.symbol)
    }
}
