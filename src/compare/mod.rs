//! Two translations of the same texts beside each other.
//!
//! Responsible for which segments differ and how much, and for what is measured of each system. Invariant: the segments of both
//! systems stand beside each other by their place in a text, and what one system could not translate takes nothing away from the
//! other. Who translates belongs to the caller, how a comparison is written to `render`.

mod words;

use std::time::Duration;

use crate::check::FlagCount;
use crate::score::{Counts, Metric, Resampling, Score};
use crate::translate::Segment;

pub use words::Difference;

/// The test of whether a difference of scores is significant: sacreBLEU's paired bootstrap with its defaults.
pub const RESAMPLING: Resampling = Resampling { samples: 1000, seed: 12345, tests: true, swaps: false };

/// One of two systems that are compared.
#[derive(Clone, Debug, Default)]
pub struct ComparedSystem {
    /// The system as the user named it.
    pub name: String,
    /// The model, as `name@revision`; `None` where it could not be loaded.
    pub model: Option<String>,
    /// The device and the type that the model computed with.
    pub placement: Option<String>,
    /// What the work took.
    pub cost: Cost,
    /// Why there is no translation, where the system could not be used at all.
    pub error: Option<String>,
}

/// The cost of translating with one system.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// Time in which the model was loaded.
    pub load: Duration,
    /// Time of encoding and decoding.
    pub work: Duration,
    /// Number of generated tokens.
    pub tokens: usize,
    /// The most memory of the process while the system was in use, in bytes; `None` where that cannot be told.
    pub peak_memory: Option<u64>,
}

impl Cost {
    /// Generated tokens per second; `None` where nothing was generated.
    #[must_use]
    pub fn tokens_per_second(&self) -> Option<f64> {
        let seconds = self.work.as_secs_f64();
        (seconds > 0.0 && self.tokens > 0).then(|| self.tokens as f64 / seconds)
    }
}

/// A text that was translated: its name, and what each system made of it.
#[derive(Clone, Debug, Default)]
pub struct ComparedText {
    /// The name of the text.
    pub name: String,
    /// The segments of each system; `None` where it could not translate the text.
    pub segments: [Option<Vec<Segment>>; 2],
    /// What the segments should be, where that is known: one for each.
    pub references: Vec<String>,
}

/// A segment as both systems translate it.
#[derive(Clone, Debug)]
pub struct ComparedSegment {
    /// The name of the text that the segment is from.
    pub text: String,
    /// The number of the segment in its text, from 1.
    pub number: usize,
    /// The segment in the language of the source.
    pub source: String,
    /// What the translation should be, where that is known.
    pub reference: Option<String>,
    /// The segment of each system; `None` where it could not translate the text.
    pub targets: [Option<Segment>; 2],
    /// How the two translations differ; `None` where one of them lacks, or where they are equal.
    pub difference: Option<Difference>,
}

/// Two systems and what they make of the same texts.
#[derive(Clone, Debug, Default)]
pub struct Comparison {
    /// The systems.
    pub systems: [ComparedSystem; 2],
    /// The codes of the language of the source and of that of the translations.
    pub languages: (String, String),
    /// The segments with text in them, in the order of the texts.
    pub segments: Vec<ComparedSegment>,
    /// The scores of each system by references, those of the second with what a test against the first says; empty where there
    /// are no references, or where a system lacks a translation.
    pub scores: [Vec<Score>; 2],
}

impl Comparison {
    /// Puts what two systems made of the same texts beside each other, and scores it where there are references.
    #[must_use]
    pub fn new(systems: [ComparedSystem; 2], languages: (String, String), texts: Vec<ComparedText>) -> Self {
        let scores = scores(&texts);
        let segments = texts.into_iter().flat_map(segments).filter(|segment| !segment.source.trim().is_empty());
        Self { systems, languages, segments: segments.collect(), scores }
    }

    /// Number of segments that both systems translate alike.
    #[must_use]
    pub fn equal(&self) -> usize {
        self.segments.iter().filter(|segment| segment.is_equal()).count()
    }

    /// The segments that differ, those that differ most first.
    #[must_use]
    pub fn differing(&self) -> Vec<&ComparedSegment> {
        let mut differing: Vec<_> = self.segments.iter().filter(|segment| segment.difference.is_some()).collect();
        differing.sort_by(|one, other| other.rank().partial_cmp(&one.rank()).unwrap_or(std::cmp::Ordering::Equal));
        differing
    }

    /// The flags of a system's segments.
    #[must_use]
    pub fn flags(&self, system: usize) -> FlagCount {
        let mut count = FlagCount::default();
        self.targets(system).for_each(|segment| count.segment(&segment.flags));
        count
    }

    /// The mean of the scores that a system's model gives its own segments; `None` where there are none.
    #[must_use]
    pub fn mean_score(&self, system: usize) -> Option<f64> {
        let scores: Vec<f64> = self.targets(system).filter_map(|segment| segment.score).map(f64::from).collect();
        (!scores.is_empty()).then(|| scores.iter().sum::<f64>() / scores.len() as f64)
    }

    /// Characters of a system's translations for each character of their sources; `None` where there are none.
    #[must_use]
    pub fn length_ratio(&self, system: usize) -> Option<f64> {
        let length = |text: &str| text.chars().count() as f64;
        let lengths = self.targets(system).map(|segment| (length(&segment.source), length(&segment.target)));
        let (source, target) = lengths.fold((0.0, 0.0), |(source, target), one| (source + one.0, target + one.1));
        (source > 0.0).then(|| target / source)
    }

    fn targets(&self, system: usize) -> impl Iterator<Item = &Segment> {
        self.segments.iter().filter_map(move |segment| segment.targets[system].as_ref())
    }
}

impl ComparedSegment {
    /// Whether both systems translate the segment, and alike.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.targets.iter().all(Option::is_some) && self.difference.is_none()
    }

    /// The share of words that differ, and how many that are.
    fn rank(&self) -> (f64, usize) {
        self.difference.as_ref().map_or((0.0, 0), |difference| (difference.share, difference.words))
    }
}

/// The segments of a text, those of both systems beside each other.
fn segments(text: ComparedText) -> Vec<ComparedSegment> {
    let ComparedText { name, segments: [one, other], references } = text;
    let count = one.as_ref().or(other.as_ref()).map_or(0, Vec::len);
    let mut sides = [one, other].map(|side| side.map(Vec::into_iter));
    let segment = |place| {
        let targets = sides.each_mut().map(|side| side.as_mut().and_then(Iterator::next));
        let source = targets.iter().flatten().next().map(|segment| segment.source.clone()).unwrap_or_default();
        let difference = match &targets {
            [Some(one), Some(other)] if one.target != other.target => {
                Some(Difference::between(&one.target, &other.target))
            }
            _ => None,
        };
        let reference = references.get(place).cloned();
        ComparedSegment { text: name.clone(), number: place + 1, source, reference, targets, difference }
    };
    (0..count).map(segment).collect()
}

/// The scores of both systems by all references.
fn scores(texts: &[ComparedText]) -> [Vec<Score>; 2] {
    let references: Vec<&str> = texts.iter().flat_map(|text| &text.references).map(String::as_str).collect();
    let hypotheses = [0, 1].map(|system| {
        let segments = texts.iter().flat_map(|text| text.segments[system].iter().flatten());
        let targets: Vec<&str> = segments.map(|segment| segment.target.as_str()).collect();
        (targets.len() == references.len() && !references.is_empty()).then_some(targets)
    });
    let by = |metric: Metric| -> [Option<Score>; 2] {
        let counts = hypotheses.each_ref().map(|texts| texts.as_ref().map(|texts| metric.count(texts, &references)));
        match counts {
            [Some(one), Some(other)] => {
                let both: [Counts; 2] = [one, other];
                [0, 1].map(|system| Some(Score::new(metric, &both, system, Some(&RESAMPLING))))
            }
            alone => alone.map(|counts| Some(Score::new(metric, &[counts?], 0, None))),
        }
    };
    let mut scores: [Vec<Score>; 2] = Default::default();
    for found in Metric::ALL.map(by) {
        scores.iter_mut().zip(found).for_each(|(scores, score)| scores.extend(score));
    }
    scores
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{Finding, Flag};

    fn segment(source: &str, target: &str, score: f32) -> Segment {
        Segment { source: source.to_owned(), target: target.to_owned(), score: Some(score), ..Segment::default() }
    }

    fn text(targets: [Option<&[&str]>; 2], references: &[&str]) -> ComparedText {
        let made = |targets: &[&str]| {
            let segments = targets.iter().zip(["De brug.", "", "Het regent.", "Hij komt."]);
            segments.map(|(target, source)| segment(source, target, -0.5)).collect()
        };
        ComparedText {
            name: "a.txt".to_owned(),
            segments: targets.map(|targets| targets.map(made)),
            references: references.iter().map(|&reference| reference.to_owned()).collect(),
        }
    }

    fn comparison(text: ComparedText) -> Comparison {
        Comparison::new(Default::default(), ("nl".to_owned(), "en".to_owned()), vec![text])
    }

    const ONE: &[&str] = &["The bridge.", "", "It rains in the old town.", "He comes."];
    const OTHER: &[&str] = &["The bridge.", "", "It is raining now.", "She comes."];

    #[test]
    fn those_that_differ_most_come_first() {
        let mut text = text([Some(ONE), Some(OTHER)], &[]);
        text.segments[1].as_mut().unwrap()[3].note([Finding::new(Flag::Name, "`He` is missing".to_owned())]);
        let found = comparison(text);
        assert_eq!((found.segments.len(), found.equal()), (3, 1), "an empty line is no segment");
        let differing: Vec<(&str, usize)> =
            found.differing().iter().map(|segment| (segment.source.as_str(), segment.number)).collect();
        assert_eq!(differing, [("Het regent.", 3), ("Hij komt.", 4)]);
        assert_eq!([0, 1].map(|system| found.flags(system).flagged), [0, 1]);
        assert_eq!(found.mean_score(1), Some(-0.5));
        assert_eq!(found.length_ratio(0), Some(45.0 / 28.0));
        assert!(found.scores.iter().all(Vec::is_empty));
    }

    #[test]
    fn what_one_cannot_do_takes_nothing_from_the_other() {
        let found =
            comparison(text([None, Some(OTHER)], &["The bridge.", "", "It rains in the old town.", "He comes."]));
        assert_eq!((found.segments.len(), found.equal(), found.differing().len()), (3, 0, 0));
        assert!(found.segments.iter().all(|segment| segment.targets[0].is_none() && segment.targets[1].is_some()));
        assert_eq!((found.scores[0].len(), found.scores[1].len()), (0, 4));
        assert!(found.scores[1].iter().all(|score| score.p_value.is_none()), "there is nothing to compare with");
        assert_eq!((found.mean_score(0), found.length_ratio(0)), (None, None));
    }

    #[test]
    fn the_second_is_tested_against_the_first() {
        let found = comparison(text([Some(ONE), Some(OTHER)], ONE));
        assert_eq!(
            found.scores[0].iter().map(|score| score.value.round()).collect::<Vec<_>>(),
            [100.0, 100.0, 100.0, 0.0]
        );
        assert!(found.scores[0].iter().all(|score| score.p_value.is_none() && score.interval.is_some()));
        assert!(found.scores[1].iter().all(|score| score.p_value.is_some()));
    }
}
