//! Protected spans in translations: masked for the model, or kept out of its input.
//!
//! A mask is a short made-up name that any vocabulary can write and that models copy; a long address confuses even
//! good models. Invariant: the result of `restore` has every span of the source, unchanged and as often. If that
//! fails, `apart` gives the parts around the spans, which are translated one by one.

use std::ops::Range;

use crate::glossary::{is_sign, spans};

/// The masks, in the order in which spans get them.
const MASKS: [&str; 24] = [
    "XA", "XB", "XC", "XD", "XE", "XF", "XG", "XH", "XJ", "XK", "XM", "XN", "XP", "XQ", "XR", "XS", "XT", "XU", "XV",
    "XW", "XY", "XZ", "QX", "QZ",
];

/// A text with masks for its protected spans.
#[derive(Debug)]
pub(super) struct Masked {
    pub(super) text: String,
    spans: Vec<MaskedSpan>,
    /// Whether the mask of a tag of a template touches a word, which a model would take for one with it.
    is_glued: bool,
}

/// A span that a mask stands for.
#[derive(Debug)]
struct MaskedSpan {
    mask: &'static str,
    span: String,
    /// The letter or digit that a sign touches before it and after it; its mask has a space there.
    touched: [Option<char>; 2],
}

impl MaskedSpan {
    /// What stands before and after the mask, without the spaces that only the mask has; `None` if a sign would touch another
    /// kind of word than in the source, as `±` a word in place of a number.
    fn touching<'a>(&self, before: &'a str, after: &'a str) -> Option<[&'a str; 2]> {
        let alike = |touched: char, found: Option<char>| {
            found.is_some_and(|found| found.is_alphanumeric() && found.is_numeric() == touched.is_numeric())
        };
        let [left, right] = self.touched;
        let before = if left.is_some() { before.strip_suffix(' ').unwrap_or(before) } else { before };
        let after = if right.is_some() { after.strip_prefix(' ').unwrap_or(after) } else { after };
        let fits = left.is_none_or(|touched| alike(touched, before.chars().next_back()))
            && right.is_none_or(|touched| alike(touched, after.chars().next()));
        fits.then_some([before, after])
    }
}

/// A stretch of a sentence.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stretch<'a> {
    /// A text that is translated by itself.
    Text(&'a str),
    /// A text that is copied.
    Kept(&'a str),
}

impl Masked {
    /// Masks the spans of a text; more spans than there are masks stay as they are.
    pub(super) fn new(source: &str) -> Self {
        let free = MASKS.into_iter().filter(|mask| !source.contains(mask));
        let mut masked = Self { text: String::with_capacity(source.len()), spans: Vec::new(), is_glued: false };
        let mut end = 0;
        for (span, mask) in spans(source).into_iter().zip(free) {
            masked.text.push_str(&source[end..span.start]);
            let beside = [source[..span.start].chars().next_back(), source[span.end..].chars().next()];
            let touched = beside.map(|beside| beside.filter(|c| c.is_alphanumeric()));
            end = span.end;
            let span = source[span].to_owned();
            masked.is_glued |= touched != [None; 2] && span.starts_with("{%");
            let touched = if is_sign(&span) { touched } else { [None; 2] };
            let gap = |touched: Option<char>| touched.map_or("", |_| " ");
            masked.text.extend([gap(touched[0]), mask, gap(touched[1])]);
            masked.spans.push(MaskedSpan { mask, span, touched });
        }
        masked.text.push_str(&source[end..]);
        masked
    }

    /// Whether the text is its source, without a mask.
    pub(super) fn is_source(&self) -> bool {
        self.spans.is_empty()
    }

    /// The masks that stand in a part of the text.
    pub(super) fn masks_in(&self, part: &str) -> Vec<&'static str> {
        self.spans.iter().map(|span| span.mask).filter(|mask| part.contains(mask)).collect()
    }

    /// The target of `source` with the spans in place of their masks; `None` if a span would be lost or repeated, or if
    /// the tag of a template touched a word.
    pub(super) fn restore(&self, source: &str, target: &str) -> Option<String> {
        if self.is_glued {
            return None;
        }
        let mut restored = String::with_capacity(target.len());
        let mut end = 0;
        let mut places: Vec<(usize, &MaskedSpan)> = Vec::new();
        for span in &self.spans {
            let words = target.match_indices(span.mask).filter(|(at, mask)| is_word(target, *at, mask));
            places.extend(words.map(|(at, _)| (at, span)));
        }
        places.sort_unstable_by_key(|(at, _)| *at);
        for (at, span) in places {
            let (before, after) = (&target[end..at], &target[at + span.mask.len()..]);
            let [before, rest] = span.touching(before, after)?;
            restored.extend([before, &span.span]);
            end = target.len() - rest.len();
        }
        restored.push_str(&target[end..]);
        keeps(source, &restored).then_some(restored)
    }
}

/// Whether no letter or digit touches a mask.
fn is_word(text: &str, at: usize, mask: &str) -> bool {
    !text[..at].ends_with(char::is_alphanumeric) && !text[at + mask.len()..].starts_with(char::is_alphanumeric)
}

/// Whether the target has every protected span of the source, equally often.
pub(super) fn keeps(source: &str, target: &str) -> bool {
    let all = |text: &str| spans(text).into_iter().map(|span| text[span].to_owned()).collect::<Vec<_>>();
    let mine = all(source);
    if mine.is_empty() {
        return true;
    }
    let theirs = all(target);
    let count = |spans: &[String], span: &String| spans.iter().filter(|other| *other == span).count();
    mine.iter().all(|span| count(&mine, span) == count(&theirs, span))
}

/// Whether a text has anything to translate outside its protected spans.
pub(super) fn speaks(source: &str) -> bool {
    apart(source).iter().any(|stretch| matches!(stretch, Stretch::Text(_)))
}

/// A sentence, divided into its protected spans and the texts around them. Signs and spaces next to a span are kept
/// with it.
pub(super) fn apart(source: &str) -> Vec<Stretch<'_>> {
    let mut stretches = Vec::new();
    let mut end = 0;
    let ends = spans(source).into_iter().chain(std::iter::once(source.len()..source.len()));
    for span in ends {
        let between = &source[end..span.start];
        let from =
            if end == 0 { between.trim_start() } else { between.trim_start_matches(|c: char| !c.is_alphanumeric()) };
        let last = span.start == source.len();
        let text = if last { from.trim_end() } else { from.trim_end_matches(|c: char| !c.is_alphanumeric()) };
        if text.contains(char::is_alphabetic) {
            let start = between.len() - from.len();
            stretches.push(Stretch::Kept(&between[..start]));
            stretches.push(Stretch::Text(text));
            stretches.push(Stretch::Kept(&between[start + text.len()..]));
        } else {
            stretches.push(Stretch::Kept(between));
        }
        stretches.push(Stretch::Kept(&source[span.clone()]));
        end = span.end;
    }
    stretches.retain(|stretch| *stretch != Stretch::Kept(""));
    stretches
}

/// The ranges of a text, with neighbours joined if a protected span is in both.
pub(super) fn whole(ranges: Vec<Range<usize>>, text: &str) -> Vec<Range<usize>> {
    let spans = spans(text);
    let mut joined: Vec<Range<usize>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match joined.last_mut() {
            Some(last) if spans.iter().any(|span| span.start < last.end && range.start < span.end) => {
                last.end = range.end;
            }
            _ => joined.push(range),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_that_touch_words_are_apart_for_the_model() {
        let masked = Masked::new("Bij <5 jaar, ±20 m of 3→4: feest🎉");
        assert_eq!(masked.text, "Bij XA 5 jaar, XB 20 m of 3 XC 4: feest XD");
        let restored =
            masked.restore("Bij <5 jaar, ±20 m of 3→4: feest🎉", "At XA 5 years, XB 20 m or 3 XC 4: party XD");
        assert_eq!(restored.as_deref(), Some("At <5 years, ±20 m or 3→4: party🎉"));
        let moved = Masked::new("Het is ±20 m.").restore("Het is ±20 m.", "It XA is 20 m.");
        assert_eq!(moved, None, "the sign would stand at a word");
    }

    #[test]
    fn masks_come_back_as_spans() {
        let source = "XA: mail a@b.nl of kijk op www.x.nl, a@b.nl.";
        let masked = Masked::new(source);
        assert_eq!(masked.text, "XA: mail XB of kijk op XC, XD.");
        assert_eq!(masked.masks_in("kijk op XC"), ["XC"]);
        let restored = masked.restore(source, "XA: look at XC or mail XD, XB.");
        assert_eq!(restored.as_deref(), Some("XA: look at www.x.nl or mail a@b.nl, a@b.nl."));
        let source = "Is {% if x %}laag{% endif %}.";
        assert_eq!(Masked::new(source).restore(source, "Is XA low XB."), None);
        let source = "XA: mail a@b.nl of kijk op www.x.nl, a@b.nl.";
        for lost in ["XA: XC or XD", "XC XD XB XB", "XC-XD-XB", "xb XC XD", ""] {
            assert_eq!(masked.restore(source, lost), None, "{lost}");
        }
    }

    #[test]
    fn what_is_around_spans_is_translated_by_itself() {
        use Stretch::{Kept, Text};
        for (source, expected) in [
            (
                " Kijk (op www.x.nl), of {a}. ",
                &[
                    Kept(" "),
                    Text("Kijk (op"),
                    Kept(" "),
                    Kept("www.x.nl"),
                    Kept("), "),
                    Text("of"),
                    Kept(" "),
                    Kept("{a}"),
                    Kept(". "),
                ][..],
            ),
            ("a@b.nl", &[Kept("a@b.nl")]),
            ("Niets.", &[Text("Niets.")]),
        ] {
            assert_eq!(apart(source), expected);
        }
        assert!(speaks("Kijk op x.nl") && !speaks("12: www.x.nl, a@b.nl."));
    }

    #[test]
    fn a_span_is_in_one_sentence() {
        let text = "Typ `a. B` nu. Of niet.";
        assert_eq!(whole(vec![0..7, 8..14, 15..23], text), [0..14, 15..23]);
    }
}
