//! The strings in formulas of workbooks, with which cells are compared.
//!
//! A filter compares as well: a row whose cell says something else is hidden when it is applied again. A string with `*` before or after
//! it is one that formulas look for inside of others.
//!
//! A cell that says `Niet akkoord` must go on to say so where a formula asks `A4="Niet akkoord"`, or where a list allows these values
//! only. Formulas are never translated, so such cells are not either.

use std::collections::HashSet;

use super::xml;

/// Elements of Excel with formulas, lists of allowed values among them.
const FORMULAS: [&str; 6] = ["f", "formula", "formula1", "formula2", "calculatedColumnFormula", "definedName"];
/// Elements of Excel with the values that a filter lets through.
const FILTERS: [&str; 2] = ["filter", "customFilter"];
/// Attributes of Calc with formulas.
const ATTRIBUTES: [&str; 2] = ["formula", "condition"];

/// The strings in the formulas of a workbook, in lower case, because programs compare without case.
#[derive(Default)]
pub(super) struct Literals {
    /// Strings with which a whole text is compared.
    whole: HashSet<String>,
    /// Strings that are looked for inside of texts.
    inside: Vec<String>,
}

impl Literals {
    /// Whether a formula has this string.
    pub(super) fn has(&self, text: &str) -> bool {
        if self.whole.is_empty() && self.inside.is_empty() {
            return false;
        }
        let text = text.trim().to_lowercase();
        self.whole.contains(&text) || self.inside.iter().any(|piece| text.contains(piece))
    }

    /// Adds the strings of a part of Excel. The part is searched and not parsed: it may have millions of numbers.
    pub(super) fn add_sheet(&mut self, part: &str) {
        for (at, _) in part.match_indices('<') {
            let (tag, content) = part[at + 1..].split_once('>').unwrap_or_default();
            let name = tag.split([' ', '\t', '\r', '\n', '/']).next().unwrap_or_default();
            let name = name.rsplit(':').next().unwrap_or_default();
            if FORMULAS.contains(&name) && !tag.ends_with('/') {
                self.add(content.split('<').next().unwrap_or_default());
            } else if FILTERS.contains(&name) {
                let value = xml::attribute(tag, "val").map_or("", |value| &tag[value]);
                self.add_values(&quick_xml::escape::unescape(value).unwrap_or_default());
            }
        }
    }

    /// Adds the strings of a part of Calc.
    pub(super) fn add_calc(&mut self, part: &str) {
        for (at, _) in part.match_indices('<') {
            let tag = part[at + 1..].split('>').next().unwrap_or_default();
            if ATTRIBUTES.iter().any(|name| tag.contains(name)) {
                for (name, value) in xml::attributes(tag) {
                    if ATTRIBUTES.contains(&name.rsplit(':').next().unwrap_or_default()) {
                        self.add(&tag[value]);
                    }
                }
            }
        }
    }

    /// Adds the strings of a formula as it is written in XML. A list of allowed values is one string with commas.
    fn add(&mut self, formula: &str) {
        if !formula.contains('"') && !formula.contains("&quot;") {
            return;
        }
        let formula = quick_xml::escape::unescape(formula).unwrap_or_default();
        for literal in formula.split('"').skip(1).step_by(2) {
            self.add_values(literal);
        }
    }

    /// Adds a string, and what stands between commas in it.
    fn add_values(&mut self, literal: &str) {
        for value in std::iter::once(literal).chain(literal.split([',', ';'])) {
            let value = value.trim().to_lowercase();
            let piece = value.trim_matches('*');
            if piece.len() < value.len() && piece.contains(char::is_alphabetic) {
                self.inside.push(piece.to_owned());
            } else if !value.is_empty() {
                self.whole.insert(value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_of_formulas_are_known_in_any_case() {
        let mut literals = Literals::default();
        literals.add_sheet("<x:c><x:f a=\"b\">IF(A4=&quot;Niet akkoord&quot;,1,\"Goed &amp; wel\")</x:f><v>\"Een getal\"</v></x:c><f/>");
        literals.add_sheet("<formula1>\"Deels akkoord, Wel akkoord\"</formula1><foo>\"geen formule\"</foo>");
        literals.add_sheet("<filterColumn><filters><filter val=\"Grote hond\"/></filters></filterColumn><x:customFilter val='*de weg*'/>");
        literals.add_calc(
            "<table:table-cell table:formula=\"of:=[.A1]=&quot;Te laat&quot;\"/><text:p>formula=\"niet dit\"</text:p>",
        );
        for (text, known) in [
            ("niet Akkoord ", true),
            ("goed & wel", true),
            ("Deels akkoord", true),
            ("Wel akkoord", true),
            ("Te laat", true),
            ("grote hond", true),
            ("De kleine hond", false),
            ("Hij is de weg kwijt", true),
            ("Een getal", false),
            ("geen formule", false),
            ("niet dit", false),
        ] {
            assert_eq!(literals.has(text), known, "{text}");
        }
    }
}
