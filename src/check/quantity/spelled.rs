//! Quantities in words: `twee miljoen`, `one hundred and five`, `half vier`.
//!
//! Responsible for combining words; the value of one word belongs to `cardinal`. Invariant: ordinals, and words that only
//! hint at a number, are not required on the other side.

use super::QuantityReader;
use crate::check::cardinal::{Cardinal, begins_with};
use crate::check::digits::{Clock, roman};
use crate::check::words::TokenKind;
use crate::check::{Flag, Language};

impl QuantityReader<'_, '_> {
    /// Reads a number in words, or a word that hints at one; returns its number of tokens.
    pub(super) fn words(&mut self, first: usize) -> usize {
        if let Some(used) = self.spoken_time(first) {
            return used;
        }
        match self.cardinal(first) {
            Some(Cardinal::Hint(values)) => self.hint(first, values),
            Some(_) => self.spelled(first),
            None => {
                let token = &self.tokens[first];
                if let Some(value) = roman(token.text).filter(|_| token.text != "I" || self.follows_name(first)) {
                    self.push(first..first + 1, vec![f64::from(value)], Flag::Number, false);
                } else if let Some(value) = begins_with(&token.lower, self.language) {
                    self.push(first..first + 1, vec![value], Flag::Number, false);
                }
                1
            }
        }
    }

    fn follows_name(&self, place: usize) -> bool {
        place > 0 && self.tokens[place - 1].is_capitalised()
    }

    /// Reads a hint such as `both`; but `half a million` and `anderhalf miljoen` are numbers. Returns the number of
    /// tokens.
    fn hint(&mut self, first: usize, values: &[f64]) -> usize {
        let article = usize::from(matches!(self.lower(first + 1), "a" | "an" | "een"));
        let (scale, used) = self.scales(first + 1 + article);
        if used > 0 && values[0].fract() > 0.0 {
            let end = first + 1 + article + used;
            self.measured(first..end, vec![values[0] * scale], Flag::Number, true).scale = scale;
            return end - first;
        }
        let clock = match self.lower(first) {
            "noon" | "midday" | "middaguur" => Clock::new(12, 0),
            "midnight" | "middernacht" => Clock::new(0, 0),
            _ => None,
        };
        let clock = clock.map(|clock| Clock { half_known: true, ..clock });
        self.push(first..first + 1, values.to_vec(), Flag::Date, false).clock = clock;
        1
    }

    /// Reads a number such as `twee miljoen`, `one hundred and five`, `twenty-first` or `two and a half`; returns its
    /// number of tokens.
    fn spelled(&mut self, first: usize) -> usize {
        // `current` is the number below a thousand that is being read, `total` the sum of the parts with larger
        // multipliers before it.
        let (mut total, mut current, mut largest, mut ordinal) = (0.0, 0.0, 1.0, false);
        let (mut end, mut place) = (first, first);
        while let Some(cardinal) = self.cardinal(place).filter(|_| !ordinal) {
            match cardinal {
                Cardinal::Scale(scale) if scale < 1000.0 => current = f64::max(current, 1.0) * scale,
                Cardinal::Scale(scale) => {
                    total += if current == 0.0 && total == 0.0 { scale } else { current * scale };
                    (current, largest) = (0.0, f64::max(largest, scale));
                }
                Cardinal::Value(value) | Cardinal::Ordinal(value) if end == first || has_room(current, value) => {
                    current += value;
                    ordinal = matches!(cardinal, Cardinal::Ordinal(_));
                }
                _ => break,
            }
            end = place + 1;
            place = end + self.joint(end, current, total);
        }
        let mut value = total + current;
        let halves = self.and_a_half(end);
        if halves > 0 {
            let (scale, used) = self.scales(end + halves);
            (value, end) = ((value + 0.5) * scale, end + halves + used);
        }
        // In `op twee na de grootste`, the third is meant.
        let rank = self.lower(end) == "na" && first > 0 && self.lower(first - 1) == "op";
        let values = if rank { vec![value, value + 1.0] } else { vec![value] };
        // In `Six Flags` it is part of a name: capitalised in the middle of a sentence.
        let in_name =
            first > 0 && self.tokens[first].is_capitalised() && self.tokens[first - 1].kind != TokenKind::Sign;
        let required = !ordinal && !rank && !in_name && value >= 2.0;
        self.measured(first..end, values, Flag::Number, required).scale = largest;
        end - first
    }

    /// Number of tokens that join two words of a number: `and` after hundreds, a hyphen after tens.
    fn joint(&self, place: usize, current: f64, total: f64) -> usize {
        let open = current >= 100.0 || (current == 0.0 && total > 0.0);
        match self.lower(place) {
            "and" | "en" if open && matches!(self.cardinal(place + 1), Some(Cardinal::Value(_))) => 1,
            "-" if self.is_glued(place) && self.is_glued(place + 1) && current % 10.0 == 0.0 => usize::from(
                matches!(self.cardinal(place + 1), Some(Cardinal::Value(v) | Cardinal::Ordinal(v)) if v < 10.0),
            ),
            _ => 0,
        }
    }

    fn and_a_half(&self, place: usize) -> usize {
        let words = [self.lower(place), self.lower(place + 1), self.lower(place + 2)];
        match words {
            ["and", "a", "half"] | ["en", "een", "half" | "halve"] => 3,
            _ => 0,
        }
    }

    /// Reads a time such as `half vier`, `kwart over drie`, `half past three` or `quarter to four`; returns its number of
    /// tokens.
    fn spoken_time(&mut self, first: usize) -> Option<usize> {
        let (word, second) = (self.lower(first), self.lower(first + 1));
        let (minutes, hour_at) = match (self.language, word, second) {
            (Language::Dutch, "half", _) => (-30, first + 1),
            (Language::English, "half", "past") => (30, first + 2),
            (Language::Dutch, "kwart", "over") | (Language::English, "quarter", "past") => (15, first + 2),
            (Language::Dutch, "kwart", "voor") | (Language::English, "quarter", "to") => (-15, first + 2),
            _ => return None,
        };
        let hour = match self.tokens.get(hour_at)?.kind {
            TokenKind::Digits => self.tokens[hour_at].text.parse().ok()?,
            _ => match self.cardinal(hour_at)? {
                Cardinal::Value(hour) if hour_at + 1 == self.tokens.len() || self.scales(hour_at + 1).1 == 0 => {
                    hour as i32
                }
                _ => return None,
            },
        };
        if !(1..=12).contains(&hour) {
            return None;
        }
        let time = (hour * 60 + minutes).rem_euclid(720);
        let end = hour_at + 1 + usize::from(self.lower(hour_at + 1) == "uur");
        self.push(first..end, Vec::new(), Flag::Date, true).clock =
            Some(Clock { minutes: time as u16, half_known: false });
        Some(end - first)
    }
}

/// Whether `value` can follow `current` within one number: `twenty five`, `honderd twintig`.
fn has_room(current: f64, value: f64) -> bool {
    let step = if value < 10.0 {
        10.0
    } else if value < 100.0 {
        100.0
    } else {
        1000.0
    };
    current % step == 0.0
}
