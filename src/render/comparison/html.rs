//! A comparison as a page: both translations beside the source. The page loads nothing and has no scripts.
//!
//! Invariant: text cannot become markup of the page. A reader chooses what is shown with input fields, and rules of the style sheet
//! hide the rest.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::ops::Range;

use super::super::html::{STYLE, escaped, reason};
use super::{LETTERS, agreement, explanation, facts, kinds, measures, place};
use crate::check::Flag;
use crate::compare::{ComparedSegment, Comparison};
use crate::translate::Segment;

/// The styles of this page, in addition to those of all pages.
const OWN_STYLE: &str = include_str!("page.css");

/// The choices by agreement: the class of the segments, and the label of the choice.
const AGREEMENTS: [(&str, &str); 3] = [("all", "all"), ("different", "different"), ("equal", "equal")];

/// The page of a comparison: the segments that differ most first, then those that are equal. With a `limit`, only that many of
/// those that differ.
#[must_use]
pub fn page(comparison: &Comparison, limit: Option<usize>) -> String {
    let mut segments = comparison.differing();
    segments.truncate(limit.unwrap_or(usize::MAX));
    if limit.is_none() {
        segments.extend(comparison.segments.iter().filter(|segment| segment.difference.is_none()));
    }
    let choices = Choices { segments: &segments, flags: kinds(comparison) };
    let names = comparison.systems.each_ref().map(|system| escaped(&system.name));
    let title = format!("{} and {}", names[0], names[1]);
    let all: String = segments.iter().map(|segment| section(segment, &comparison.languages)).collect();
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{title}</title>\n<style>\n{STYLE}{OWN_STYLE}{}</style>\n</head>\n<body class=\"comparison\">\n\
         <h1>Two translations compared</h1>\n{}{}{}<main>\n{all}\
         <p class=\"nothing\">No segment is like this.</p>\n</main>\n</body>\n</html>\n",
        choices.rules(),
        systems(comparison),
        table(comparison),
        choices.fields(),
    )
}

/// The list of the systems, with the error of one that could not be used.
fn systems(comparison: &Comparison) -> String {
    let mut list = "<dl class=\"systems\">\n".to_owned();
    for (letter, system) in LETTERS.iter().zip(&comparison.systems) {
        let about = match &system.error {
            Some(error) => format!("<span class=\"flags\">cannot be used: {}</span>", escaped(error)),
            None => escaped(&facts(system).join(", ")),
        };
        writeln!(list, "<div><dt>{letter}</dt><dd><b>{}</b> {about}</dd></div>", escaped(&system.name)).ok();
    }
    list + &format!("</dl>\n<p>{}.</p>\n", escaped(&agreement(comparison)))
}

fn table(comparison: &Comparison) -> String {
    let mut rows = String::new();
    for row in measures(comparison) {
        let [one, other] = row.values.map(|value| escaped(&value));
        let part = if row.part { " class=\"part\"" } else { "" };
        writeln!(rows, "<tr{part}><th scope=\"row\">{}</th><td>{one}</td><td>{other}</td></tr>", escaped(&row.name))
            .ok();
    }
    let explanation = explanation(comparison).map(|text| format!("<p class=\"facts\">{}</p>\n", escaped(text)));
    format!(
        "<table>\n<thead><tr><td></td><th scope=\"col\">A</th><th scope=\"col\">B</th></tr></thead>\n<tbody>\n{rows}\
         </tbody>\n</table>\n{}",
        explanation.unwrap_or_default()
    )
}

/// The choices of a reader: which segments are shown.
struct Choices<'c> {
    segments: &'c [&'c ComparedSegment],
    flags: BTreeSet<Flag>,
}

impl Choices<'_> {
    /// The choices by flag: the class of the segments, and the label of the choice.
    fn flags(&self) -> Vec<(String, String)> {
        let fixed = [("any", "any or none"), ("is-flagged", "flagged")]
            .map(|(class, text)| (class.to_owned(), text.to_owned()));
        fixed.into_iter().chain(self.flags.iter().map(|flag| (format!("flag-{flag}"), flag.to_string()))).collect()
    }

    fn count(&self, agreement: &str, flag: &str) -> usize {
        let is = |classes: &[String], class: &str| {
            class == "all" || class == "any" || classes.iter().any(|one| one == class)
        };
        let classes = self.segments.iter().map(|segment| classes(segment));
        classes.filter(|classes| is(classes, agreement) && is(classes, flag)).count()
    }

    /// The input fields, each with the number of its segments.
    fn fields(&self) -> String {
        let first = if self.count("different", "any") > 0 { "different" } else { "all" };
        let field = |name: &str, class: &str, text: &str, count: usize, checked: bool| {
            let checked = if checked { " checked" } else { "" };
            format!(
                "<label><input type=\"radio\" name=\"{name}\" id=\"show-{class}\"{checked}> {} \
                 <span class=\"count\">{count}</span></label>\n",
                escaped(text)
            )
        };
        let agreements =
            AGREEMENTS.map(|(class, text)| field("agreement", class, text, self.count(class, "any"), class == first));
        let flags = self.flags();
        let flags =
            flags.iter().map(|(class, text)| field("flag", class, text, self.count("all", class), class == "any"));
        format!(
            "<fieldset><legend>Segments</legend>\n{}</fieldset>\n<fieldset><legend>Flags of A or B</legend>\n{}</fieldset>\n",
            agreements.concat(),
            flags.collect::<String>()
        )
    }

    /// The style rules that hide segments which are not chosen, and show a message if none is left.
    fn rules(&self) -> String {
        let mut rules = String::new();
        let flags = self.flags();
        let agreements = AGREEMENTS.iter().map(|(class, _)| *class);
        for class in agreements.clone().chain(flags.iter().map(|(class, _)| class.as_str())) {
            if !["all", "any"].contains(&class) {
                writeln!(rules, "body:has(#show-{class}:checked) .segment:not(.{class}){{display:none}}").ok();
            }
        }
        for agreement in agreements {
            for (flag, _) in flags.iter().filter(|(flag, _)| self.count(agreement, flag) == 0) {
                let chosen = format!("body:has(#show-{agreement}:checked):has(#show-{flag}:checked)");
                writeln!(rules, "{chosen} .nothing{{display:block}}").ok();
            }
        }
        rules
    }
}

/// The classes of a segment, by which it is chosen.
fn classes(segment: &ComparedSegment) -> Vec<String> {
    let flags: BTreeSet<Flag> =
        segment.targets.iter().flatten().flat_map(|target| target.flags.iter().copied()).collect();
    let agreement = match () {
        () if segment.difference.is_some() => Some("different"),
        () if segment.is_equal() => Some("equal"),
        () => None,
    };
    let flagged = (!flags.is_empty()).then_some("is-flagged");
    let fixed = agreement.into_iter().chain(flagged).map(str::to_owned);
    fixed.chain(flags.iter().map(|flag| format!("flag-{flag}"))).collect()
}

/// One segment: source, reference, and both translations, or the one that both have.
fn section(segment: &ComparedSegment, languages: &(String, String)) -> String {
    let (from, to) = (escaped(&languages.0), escaped(&languages.1));
    let mut columns = format!("<div class=\"from\" lang=\"{from}\"><p>{}</p></div>\n", escaped(&segment.source));
    if segment.is_equal() {
        let target = segment.targets[0].as_ref().map_or_else(String::new, |target| translation(target, &[]));
        columns += &format!("<div class=\"both\" lang=\"{to}\"><b>A = B</b>{target}</div>\n");
    } else {
        for (side, letter) in LETTERS.iter().enumerate() {
            let ranges = segment.difference.as_ref().map_or(&[][..], |difference| &difference.ranges[side]);
            let target = match &segment.targets[side] {
                Some(target) => translation(target, ranges),
                None => "<p class=\"facts\">not translated</p>".to_owned(),
            };
            columns += &format!("<div lang=\"{to}\"><b>{letter}</b>{target}</div>\n");
        }
    }
    let reference = segment.reference.as_ref().map(|reference| {
        format!("<div class=\"reference\" lang=\"{to}\"><b>Reference</b><p>{}</p></div>\n", escaped(reference))
    });
    format!(
        "<section class=\"segment {}\">\n<p class=\"facts\">{}</p>\n<div class=\"columns\">\n{columns}{}</div>\n</section>\n",
        classes(segment).join(" "),
        escaped(&place(segment)),
        reference.unwrap_or_default()
    )
}

/// A translation with the words marked that the other lacks, and its findings.
fn translation(target: &Segment, ranges: &[Range<usize>]) -> String {
    let mut marked = String::new();
    let mut end = 0;
    for range in ranges {
        let (before, words) = (&target.target[end..range.start], &target.target[range.clone()]);
        marked += &format!("{}<mark>{}</mark>", escaped(before), escaped(words));
        end = range.end;
    }
    let notes: Vec<String> = target.notes.iter().map(reason).collect();
    let notes =
        if notes.is_empty() { String::new() } else { format!("<p class=\"flags\">{}</p>", notes.join(" \u{b7} ")) };
    format!("<p>{marked}{}</p>{notes}", escaped(&target.target[end..]))
}
