//! Numbers written as words, in Dutch and in English.
//!
//! Responsible for the value of one word (`vijfentwintig`, `first`, `dozen`). Combining words (`two hundred and fifty`)
//! belongs to `quantity`. A word that only suggests a value (`beide` is two) is a hint: it can match a number on the
//! other side, but is not required there.

use super::Language;
use super::words::plain;

/// What a word means as a number.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cardinal {
    /// A number: `twaalf`, `twenty`.
    Value(f64),
    /// A multiplier of the number before it: `miljoen`, `hundred`.
    Scale(f64),
    /// A position in an order: `derde`, `third`.
    Ordinal(f64),
    /// Values that the word may suggest.
    Hint(&'static [f64]),
}

#[rustfmt::skip]
const DUTCH: [(&str, u32); 29] = [
    ("nul", 0), ("een", 1), ("twee", 2), ("drie", 3), ("vier", 4), ("vijf", 5), ("zes", 6), ("zeven", 7), ("acht", 8),
    ("negen", 9), ("tien", 10), ("elf", 11), ("twaalf", 12), ("dertien", 13), ("veertien", 14), ("vijftien", 15),
    ("zestien", 16), ("zeventien", 17), ("achttien", 18), ("negentien", 19), ("twintig", 20), ("dertig", 30),
    ("veertig", 40), ("vijftig", 50), ("zestig", 60), ("zeventig", 70), ("tachtig", 80), ("negentig", 90),
    ("zero", 0),
];

#[rustfmt::skip]
const ENGLISH: [(&str, u32); 28] = [
    ("zero", 0), ("one", 1), ("two", 2), ("three", 3), ("four", 4), ("five", 5), ("six", 6), ("seven", 7),
    ("eight", 8), ("nine", 9), ("ten", 10), ("eleven", 11), ("twelve", 12), ("thirteen", 13), ("fourteen", 14),
    ("fifteen", 15), ("sixteen", 16), ("seventeen", 17), ("eighteen", 18), ("nineteen", 19), ("twenty", 20),
    ("thirty", 30), ("forty", 40), ("fifty", 50), ("sixty", 60), ("seventy", 70), ("eighty", 80), ("ninety", 90),
];

#[rustfmt::skip]
const DUTCH_SCALES: [(&str, f64); 11] = [
    ("honderd", 1e2), ("duizend", 1e3), ("miljoen", 1e6), ("mln", 1e6), ("miljard", 1e9), ("mld", 1e9), ("mrd", 1e9),
    ("biljoen", 1e12), ("biljard", 1e15), ("triljoen", 1e18), ("dozijn", 12.0),
];

/// The English billion is the Dutch miljard, and the English trillion the Dutch biljoen.
#[rustfmt::skip]
const ENGLISH_SCALES: [(&str, f64); 11] = [
    ("hundred", 1e2), ("thousand", 1e3), ("million", 1e6), ("mln", 1e6), ("billion", 1e9), ("bn", 1e9),
    ("trillion", 1e12), ("tn", 1e12), ("quadrillion", 1e15), ("quintillion", 1e18), ("dozen", 12.0),
];

#[rustfmt::skip]
const DUTCH_HINTS: [(&str, &[f64]); 22] = [
    ("beide", &[2.0]), ("beiden", &[2.0]), ("paar", &[2.0]), ("koppel", &[2.0]), ("dubbel", &[2.0]),
    ("dubbele", &[2.0]), ("anderhalf", &[1.5]), ("anderhalve", &[1.5]), ("half", &[0.5, 30.0, 50.0]),
    ("halve", &[0.5, 50.0]), ("helft", &[0.5, 50.0]), ("kwart", &[0.25, 15.0, 25.0]), ("kwartier", &[15.0]),
    ("decennium", &[10.0]), ("decennia", &[10.0]), ("eeuw", &[100.0]), ("middernacht", &[0.0, 12.0, 24.0]),
    ("middag", &[12.0]), ("middaguur", &[12.0]), ("etmaal", &[24.0]), ("enkele", &[1.0]), ("niemand", &[0.0]),
];

#[rustfmt::skip]
const ENGLISH_HINTS: [(&str, &[f64]); 27] = [
    ("both", &[2.0]), ("pair", &[2.0]), ("couple", &[2.0]), ("double", &[2.0]), ("twice", &[2.0]), ("dual", &[2.0]),
    ("twin", &[2.0]), ("twins", &[2.0]), ("either", &[2.0]), ("half", &[0.5, 1.5, 30.0, 50.0]),
    ("halves", &[0.5, 2.0]), ("quarter", &[0.25, 15.0, 25.0, 4.0]), ("quarters", &[0.25, 0.75, 75.0, 4.0]),
    ("triple", &[3.0]), ("triad", &[3.0]), ("trio", &[3.0]), ("thrice", &[3.0]), ("once", &[1.0]), ("single", &[1.0]),
    ("score", &[20.0]), ("decade", &[10.0]), ("decades", &[10.0]), ("century", &[100.0]), ("fortnight", &[2.0, 14.0]),
    ("noon", &[12.0]), ("midday", &[12.0]), ("midnight", &[0.0, 12.0, 24.0]),
];

#[rustfmt::skip]
const ENGLISH_ORDINALS: [(&str, &str); 8] = [
    ("first", "one"), ("second", "two"), ("third", "three"), ("fifth", "five"), ("eighth", "eight"),
    ("ninth", "nine"), ("twelfth", "twelve"), ("twentieth", "twenty"),
];

/// What a word means as a number, if anything.
pub(super) fn cardinal(word: &str, language: Language) -> Option<Cardinal> {
    let word = plain(word);
    match language {
        Language::Dutch => dutch(&word),
        Language::English => english(&word),
    }
}

fn find<T: Copy>(table: &[(&str, T)], word: &str) -> Option<T> {
    table.iter().find(|(known, _)| *known == word).map(|&(_, value)| value)
}

fn dutch(word: &str) -> Option<Cardinal> {
    if let Some(scale) = find(&DUTCH_SCALES, word) {
        return Some(Cardinal::Scale(scale));
    }
    if let Some(value) = dutch_value(word) {
        return Some(Cardinal::Value(f64::from(value)));
    }
    if let Some(whole) = word.strip_suffix("half").or_else(|| word.strip_suffix("halve")) {
        let whole = whole.strip_suffix("eneen").or_else(|| whole.strip_suffix("en")).and_then(dutch_value);
        if let Some(whole) = whole {
            return Some(Cardinal::Value(f64::from(whole) + 0.5));
        }
    }
    match word {
        "eerste" => return Some(Cardinal::Ordinal(1.0)),
        "derde" => return Some(Cardinal::Ordinal(3.0)),
        _ => {}
    }
    let ordinal = word.strip_suffix("ste").or_else(|| word.strip_suffix("de")).and_then(dutch_value);
    if let Some(ordinal) = ordinal {
        return Some(Cardinal::Ordinal(f64::from(ordinal)));
    }
    find(&DUTCH_HINTS, word).map(Cardinal::Hint)
}

/// The value of a Dutch number written as one word: `achtenveertig`, `vijftienhonderd`, `tweehonderdduizend`.
fn dutch_value(word: &str) -> Option<u32> {
    let Some((head, tail)) = word.split_once("duizend") else { return below_thousand(word) };
    let thousands = if head.is_empty() { 1 } else { below_thousand(head)? };
    let rest = if tail.is_empty() { 0 } else { below_thousand(tail.strip_prefix("en").unwrap_or(tail))? };
    Some(thousands * 1000 + rest)
}

fn below_thousand(word: &str) -> Option<u32> {
    let Some((head, tail)) = word.split_once("honderd") else { return below_hundred(word) };
    let hundreds = if head.is_empty() { 1 } else { below_hundred(head)? };
    let rest = if tail.is_empty() { 0 } else { below_hundred(tail.strip_prefix("en").unwrap_or(tail))? };
    Some(hundreds * 100 + rest)
}

fn below_hundred(word: &str) -> Option<u32> {
    find(&DUTCH, word).or_else(|| {
        let compound = DUTCH[1..10].iter().find_map(|(unit, value)| {
            let tens = find(&DUTCH[20..28], word.strip_prefix(unit)?.strip_prefix("en")?)?;
            Some(tens + value)
        })?;
        Some(compound)
    })
}

/// The value of the number that a word begins with, as in `zesdaagse` and `tweetal`.
pub(super) fn begins_with(word: &str, language: Language) -> Option<f64> {
    let word = plain(word);
    let table: &[(&str, u32)] = if language == Language::Dutch { &DUTCH[1..28] } else { &ENGLISH[2..] };
    let large = match (language, word.as_str()) {
        (Language::Dutch, word) if word.starts_with("honderd") => Some(100.0),
        (Language::Dutch, word) if word.starts_with("duizend") => Some(1000.0),
        _ => None,
    };
    let longest = table.iter().filter(|(number, _)| word.starts_with(number)).max_by_key(|(number, _)| number.len());
    large.or_else(|| longest.map(|&(_, value)| f64::from(value)))
}

fn english(word: &str) -> Option<Cardinal> {
    let scale = find(&ENGLISH_SCALES, word);
    let value = || find(&ENGLISH, word).map(|value| Cardinal::Value(f64::from(value)));
    let ordinal = || english_ordinal(word).map(|value| Cardinal::Ordinal(f64::from(value)));
    let hint = || find(&ENGLISH_HINTS, word).map(Cardinal::Hint);
    scale.map(Cardinal::Scale).or_else(value).or_else(ordinal).or_else(hint).or_else(|| decade(word))
}

fn english_ordinal(word: &str) -> Option<u32> {
    match word {
        "hundredth" => return Some(100),
        "thousandth" => return Some(1000),
        _ => {}
    }
    let irregular = find(&ENGLISH_ORDINALS, word).and_then(|base| find(&ENGLISH, base));
    let tens = || find(&ENGLISH, &format!("{}y", word.strip_suffix("ieth")?));
    irregular.or_else(tens).or_else(|| find(&ENGLISH, word.strip_suffix("th")?))
}

/// The values of a decade, such as `sixties`: 60 and 1960.
fn decade(word: &str) -> Option<Cardinal> {
    #[rustfmt::skip]
    const DECADES: [(&str, &[f64]); 8] = [
        ("twenties", &[20.0, 1920.0]), ("thirties", &[30.0, 1930.0]), ("forties", &[40.0, 1940.0]),
        ("fifties", &[50.0, 1950.0]), ("sixties", &[60.0, 1960.0]), ("seventies", &[70.0, 1970.0]),
        ("eighties", &[80.0, 1980.0]), ("nineties", &[90.0, 1990.0]),
    ];
    find(&DECADES, word).map(Cardinal::Hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dutch_words_are_read() {
        let values = [
            ("zes", 6.0),
            ("één", 1.0),
            ("twaalf", 12.0),
            ("vijfentwintig", 25.0),
            ("drieëndertig", 33.0),
            ("tweeënnegentig", 92.0),
            ("honderdtwintig", 120.0),
            ("vijftienhonderd", 1500.0),
            ("achttien", 18.0),
            ("driehonderdvijftig", 350.0),
            ("tweehonderdvijftigduizend", 250_000.0),
            ("duizendeneen", 1001.0),
            ("tweeënhalf", 2.5),
            ("drieënhalve", 3.5),
            ("zeventigduizend", 70_000.0),
        ];
        for (word, value) in values {
            assert_eq!(cardinal(word, Language::Dutch), Some(Cardinal::Value(value)), "{word}");
        }
        for (word, value) in [("eerste", 1.0), ("tweede", 2.0), ("achtste", 8.0), ("eenentwintigste", 21.0)] {
            assert_eq!(cardinal(word, Language::Dutch), Some(Cardinal::Ordinal(value)), "{word}");
        }
        assert_eq!(cardinal("miljard", Language::Dutch), Some(Cardinal::Scale(1e9)));
        for word in ["honderden", "duizenden", "tiener", "eend", "waarde", "aarde", "achter"] {
            assert_eq!(cardinal(word, Language::Dutch), None, "{word}");
        }
        assert_eq!(begins_with("zesdaagse", Language::Dutch), Some(6.0));
        assert_eq!(begins_with("zeventienjarige", Language::Dutch), Some(17.0));
    }

    #[test]
    fn english_words_are_read() {
        for (word, value) in [("first", 1.0), ("ninth", 9.0), ("twentieth", 20.0), ("fortieth", 40.0), ("tenth", 10.0)]
        {
            assert_eq!(cardinal(word, Language::English), Some(Cardinal::Ordinal(value)), "{word}");
        }
        assert_eq!(cardinal("Twelve", Language::English), Some(Cardinal::Value(12.0)));
        assert_eq!(cardinal("billion", Language::English), Some(Cardinal::Scale(1e9)));
        for word in ["tent", "firstly", "seconds", "north", "month"] {
            assert_eq!(cardinal(word, Language::English), None, "{word}");
        }
    }
}
