//! The meanings of a number in digits, by the conventions of a language.
//!
//! Dutch separates thousands with full stops and decimals with a comma, English the other way round: `30.000` is thirty
//! thousand in Dutch and thirty in English. Invariant: a number written by the other language's convention has no reading
//! where the two could be confused, so that it is reported as wrong.

use super::Language;

/// A time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Clock {
    /// Minutes since midnight.
    pub(super) minutes: u16,
    /// Whether it is known to be before or after noon.
    pub(super) half_known: bool,
}

impl Clock {
    /// The time of day with these hours and minutes, if a clock can show it.
    pub(super) fn new(hours: u16, minutes: u16) -> Option<Self> {
        let valid = hours <= 24 && minutes < 60;
        let half_known = hours > 12 || hours == 0;
        valid.then_some(Self { minutes: (hours * 60 + minutes) % 1440, half_known })
    }
}

/// The meanings of digits: values, a time, or neither if they are a version or another code.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Readings {
    pub(super) values: Vec<f64>,
    pub(super) clock: Option<Clock>,
}

impl Readings {
    fn values(values: Vec<f64>) -> Self {
        Self { values, clock: None }
    }
}

/// The meanings of a token of digits.
pub(super) fn readings(text: &str, language: Language) -> Readings {
    let text = text.replace(['\u{a0}', '\u{2009}', '\u{202f}'], "");
    let parts: Vec<&str> = text.split(['.', ',', ':']).collect();
    let signs: Vec<char> = text.chars().filter(|c| !c.is_ascii_digit()).collect();
    let parts_thousands = language == Language::Dutch && parts[0] != "0" && is_grouped(&parts);
    match signs[..] {
        [] if text.len() == 4 && text.starts_with('0') => {
            clock(&[&text[..2], &text[2..]]).unwrap_or_else(|| Readings::values(number(&text)))
        }
        [':', ..] => clock(&parts).unwrap_or_else(|| Readings::values(each(&parts))),
        ['.'] if !parts_thousands => {
            let mut found = clock(&parts).unwrap_or_default();
            found.values.extend(number(&text));
            found
        }
        _ => Readings::values(values(&parts, &signs, language)),
    }
}

/// The values of a number with separators, other than a single full stop before decimals and those of a clock.
fn values(parts: &[&str], signs: &[char], language: Language) -> Vec<f64> {
    let thousands = if language == Language::Dutch { '.' } else { ',' };
    let only = |wanted: char| signs.iter().all(|&sign| sign == wanted);
    let (whole, fraction) = parts.split_at(parts.len() - 1);
    match *signs {
        [] => number(parts[0]),
        _ if only(thousands) && is_grouped(parts) => number(&parts.concat()),
        [','] if language == Language::Dutch => {
            // English text in Dutch separates thousands with it.
            let grouped = if is_grouped(parts) { number(&parts.concat()) } else { Vec::new() };
            [number(&parts.join(".")), grouped].concat()
        }
        [.., last] if signs.len() > 1 && !signs[..signs.len() - 1].contains(&last) && last != ':' => {
            if is_grouped(whole) { number(&(whole.concat() + "." + fraction[0])) } else { each(parts) }
        }
        [',', ..] if only(',') && is_grouped(parts) => number(&parts.concat()),
        [',', _, ..] => each(parts),
        _ => Vec::new(),
    }
}

fn number(text: &str) -> Vec<f64> {
    text.parse().ok().into_iter().collect()
}

fn each(parts: &[&str]) -> Vec<f64> {
    parts.iter().filter_map(|part| part.parse().ok()).collect()
}

/// Whether digits are in groups of three after a first group of one to three.
fn is_grouped(parts: &[&str]) -> bool {
    let (first, rest) = (parts[0], &parts[1..]);
    (1..=3).contains(&first.len()) && rest.iter().all(|part| part.len() == 3)
}

/// The time in `9.30`, `15:45` or `10:03:20`. A full hour may also stand for the number of the hour.
fn clock(parts: &[&str]) -> Option<Readings> {
    let [hours, minutes, ..] = parts else { return None };
    if hours.len() > 2 || minutes.len() != 2 || parts.len() > 3 {
        return None;
    }
    let (hours, minutes) = (hours.parse().ok()?, minutes.parse().ok()?);
    let clock = Clock::new(hours, minutes)?;
    let values = if minutes == 0 { on_the_hour(hours) } else { Vec::new() };
    Some(Readings { values, clock: Some(clock) })
}

/// The numbers that a full hour may be written as.
pub(super) fn on_the_hour(hours: u16) -> Vec<f64> {
    let mut values = vec![f64::from(hours)];
    if hours > 12 {
        values.push(f64::from(hours - 12));
    }
    values
}

/// The value of a Roman numeral in capitals.
pub(super) fn roman(text: &str) -> Option<u32> {
    const SIGNS: [(&str, u32); 9] =
        [("C", 100), ("XC", 90), ("L", 50), ("XL", 40), ("X", 10), ("IX", 9), ("V", 5), ("IV", 4), ("I", 1)];
    let (mut rest, mut value) = (text, 0);
    for (sign, worth) in SIGNS {
        let most = if sign.len() == 1 && !matches!(sign, "V" | "L") { 3 } else { 1 };
        for _ in 0..most {
            let Some(shorter) = rest.strip_prefix(sign) else { break };
            (rest, value) = (shorter, value + worth);
        }
    }
    (rest.is_empty() && value > 0).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_language_reads_digits_its_own_way() {
        let cases: [(&str, &[f64], &[f64]); 10] = [
            ("30.000", &[30000.0], &[30.0]),
            ("30,000", &[30.0, 30000.0], &[30000.0]),
            ("12,5", &[12.5], &[]),
            ("12.5", &[12.5], &[12.5]),
            ("1.250.000", &[1_250_000.0], &[]),
            ("1,250,000", &[1_250_000.0], &[1_250_000.0]),
            ("1.250,50", &[1250.5], &[1250.5]),
            ("1,250.50", &[1250.5], &[1250.5]),
            ("0.125", &[0.125], &[0.125]),
            ("2\u{a0}500", &[2500.0], &[2500.0]),
        ];
        for (text, dutch, english) in cases {
            assert_eq!(readings(text, Language::Dutch).values, dutch, "{text} in Dutch");
            assert_eq!(readings(text, Language::English).values, english, "{text} in English");
        }
    }

    #[test]
    fn clocks_are_read() {
        let time = |text| readings(text, Language::Dutch).clock.map(|clock| (clock.minutes, clock.half_known));
        assert_eq!(time("9.30"), Some((570, false)));
        assert_eq!(time("15:45"), Some((945, true)));
        assert_eq!(time("0.15"), Some((15, true)));
        assert_eq!((time("25.30"), time("9.75"), time("9.3")), (None, None, None));
    }

    #[test]
    fn roman_numbers_are_read() {
        let values = ["XIV", "II", "XXI", "IX", "C"].map(roman);
        assert_eq!(values, [Some(14), Some(2), Some(21), Some(9), Some(100)]);
        assert_eq!(["", "IIII", "IC", "MIX", "VV"].map(roman), [None; 5]);
    }
}
