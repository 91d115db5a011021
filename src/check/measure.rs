//! Units, currencies and the percent sign, with all their names in Dutch and in English.
//!
//! Responsible for recognising what a number counts. Two units can be confused only if they measure the same dimension.
//! Units that are not recognised are never compared.

use super::words::{Token, TokenKind, plain};

/// The dimension that a unit measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dimension {
    Share,
    Money,
    Time,
    Length,
    Mass,
    Volume,
    Temperature,
}

/// A unit: its symbol and its dimension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Measure {
    pub(super) symbol: &'static str,
    pub(super) dimension: Dimension,
}

/// The symbol and the dimension of each unit, and the words for it, Dutch first.
#[rustfmt::skip]
const UNITS: [(&str, Dimension, &[&str]); 38] = [
    ("%", Dimension::Share, &["%", "procent", "percent", "procentpunt", "procentpunten", "pct", "percentage"]),
    ("‰", Dimension::Share, &["‰", "promille"]),
    ("€", Dimension::Money, &["€", "euro", "euro's", "euros", "eur"]),
    ("$", Dimension::Money, &["$", "dollar", "dollars", "usd", "buck", "bucks"]),
    ("£", Dimension::Money, &["£", "gbp"]),
    ("¥", Dimension::Money, &["¥", "yen", "jpy", "yuan", "cny", "renminbi"]),
    ("₽", Dimension::Money, &["₽", "roebel", "roebels", "ruble", "rubles", "rouble", "roubles"]),
    ("CHF", Dimension::Money, &["chf", "frank", "franken", "franc", "francs"]),
    ("kr", Dimension::Money, &["kronen", "kroon", "krona", "kroner", "kronor", "krone"]),
    ("guilder", Dimension::Money, &["gulden", "guldens", "guilder", "guilders"]),
    ("s", Dimension::Time, &["seconde", "seconden", "second", "seconds", "sec"]),
    ("ms", Dimension::Time, &["milliseconde", "milliseconden", "millisecond", "milliseconds"]),
    ("min", Dimension::Time, &["minuut", "minuten", "minute", "minutes", "min"]),
    ("h", Dimension::Time, &["uur", "uren", "hour", "hours", "hr", "hrs"]),
    ("day", Dimension::Time, &["dag", "dagen", "daagse", "day", "days"]),
    ("week", Dimension::Time, &["week", "weken", "weeks"]),
    ("month", Dimension::Time, &["maand", "maanden", "month", "months"]),
    ("year", Dimension::Time, &["jaar", "jaren", "jarige", "jarig", "year", "years", "yr", "yrs"]),
    ("century", Dimension::Time, &["eeuw", "eeuwen", "century", "centuries"]),
    ("km", Dimension::Length, &["km", "kilometer", "kilometers", "kilometre", "kilometres", "kph"]),
    ("m", Dimension::Length, &["meter", "meters", "metre", "metres"]),
    ("cm", Dimension::Length, &["cm", "centimeter", "centimeters", "centimetre", "centimetres"]),
    ("mm", Dimension::Length, &["mm", "millimeter", "millimeters", "millimetre", "millimetres"]),
    ("mile", Dimension::Length, &["mijl", "mijlen", "mile", "miles", "mph"]),
    ("foot", Dimension::Length, &["voet", "foot", "feet", "ft"]),
    ("inch", Dimension::Length, &["inch", "inches", "duim"]),
    ("yard", Dimension::Length, &["yard", "yards"]),
    ("ha", Dimension::Length, &["ha", "hectare", "hectaren", "hectares"]),
    ("acre", Dimension::Length, &["acre", "acres"]),
    ("kg", Dimension::Mass, &["kg", "kilo", "kilo's", "kilos", "kilogram", "kilograms"]),
    ("g", Dimension::Mass, &["gram", "grams", "gramme"]),
    ("mg", Dimension::Mass, &["mg", "milligram", "milligrams"]),
    ("t", Dimension::Mass, &["ton", "tons", "tonne", "tonnes"]),
    ("l", Dimension::Volume, &["liter", "liters", "litre", "litres"]),
    ("gallon", Dimension::Volume, &["gallon", "gallons"]),
    ("barrel", Dimension::Volume, &["vat", "vaten", "barrel", "barrels"]),
    ("°C", Dimension::Temperature, &["celsius"]),
    ("°F", Dimension::Temperature, &["fahrenheit"]),
];

/// The unit that a token names.
pub(super) fn measure(token: &Token) -> Option<Measure> {
    if token.kind == TokenKind::Digits {
        return None;
    }
    let known = |words: &[&str]| words.contains(&token.lower.as_str());
    let found = UNITS.iter().find(|(_, _, words)| known(words));
    found.map(|&(symbol, dimension, _)| Measure { symbol, dimension })
}

/// The unit of a number that ends before token `next`, and the number of tokens that name it. Words such as `vierkante`
/// and `Amerikaanse` may stand between.
pub(super) fn after(tokens: &[Token], next: usize) -> Option<(Measure, usize)> {
    let token = tokens.get(next)?;
    if let Some(measure) = measure(token) {
        return Some((measure, 1));
    }
    let second = tokens.get(next + 1)?;
    match plain(token.text).as_str() {
        "per" if second.lower == "cent" => Some((measure_of("%")?, 2)),
        "-" | "vierkante" | "kubieke" | "square" | "cubic" => measure(second).map(|measure| (measure, 2)),
        "amerikaanse" | "us" | "american" | "°" | "graden" | "degrees" => {
            let fits = |measure: &Measure| matches!(measure.dimension, Dimension::Money | Dimension::Temperature);
            measure(second).filter(fits).map(|measure| (measure, 2))
        }
        _ => None,
    }
}

/// The currency of a number that begins at token `first`: `€ 5`, `US$5`, `EUR 5`.
pub(super) fn before(tokens: &[Token], first: usize) -> Option<Measure> {
    let token = first.checked_sub(1).and_then(|before| tokens.get(before))?;
    measure(token).filter(|measure| measure.dimension == Dimension::Money)
}

fn measure_of(symbol: &str) -> Option<Measure> {
    let found = UNITS.iter().find(|unit| unit.0 == symbol);
    found.map(|&(symbol, dimension, _)| Measure { symbol, dimension })
}
