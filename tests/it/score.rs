//! Scores beside those of sacreBLEU 2.6 and rouge-score 0.1.2, which `tests/fixtures/make_score.py` wrote down.

use kortom::score::rouge::Rouge;
use kortom::score::{Counts, Metric, Resampling, baseline_interval, confidence, paired};
use serde_json::Value;

const WORDS: [&str; 30] = [
    "the",
    "The",
    "rain",
    "rain,",
    "falls",
    "1,000.50",
    "can't",
    "x-ray",
    "(soft)",
    "café",
    "naïve",
    "😀",
    "U.S.",
    "5-6",
    "&amp;",
    "mill.",
    "stop!",
    "…",
    "“so”",
    "ÉTÉ",
    "co-op,",
    "no.",
    "3.5%",
    "a",
    "of",
    "and",
    "it",
    "'tis",
    "e.g.,",
    "<skipped>",
];

/// The numbers that both sides draw.
struct Rule(u64);

impl Rule {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }

    fn drawn(&mut self) -> Vec<&'static str> {
        (0..self.below(15)).map(|_| WORDS[self.below(WORDS.len())]).collect()
    }

    fn changed(&mut self, words: &[&'static str]) -> Vec<&'static str> {
        let mut words = words.to_vec();
        for _ in 0..self.below(5) {
            let (kind, at, word) = (self.below(4), self.below(words.len() + 1), WORDS[self.below(WORDS.len())]);
            match kind {
                0 => words.insert(at, word),
                1 => words.rotate_left(at),
                _ if at == words.len() => {}
                2 => words[at] = word,
                _ => drop(words.remove(at)),
            }
        }
        words
    }
}

/// References and what two systems made of them.
fn random(count: usize) -> [Vec<String>; 3] {
    let mut found = [Vec::new(), Vec::new(), Vec::new()];
    for number in 0..count {
        let mut rule = Rule(number as u64);
        let reference = rule.drawn();
        let first = rule.changed(&reference);
        let second = if rule.below(8) == 0 { rule.drawn() } else { rule.changed(&reference) };
        for (texts, words) in found.iter_mut().zip([reference, first, second]) {
            texts.push(words.join(" "));
        }
    }
    found
}

fn expected() -> Value {
    serde_json::from_str(include_str!("../fixtures/score.json")).unwrap()
}

/// The eight scores of one pair, as they are printed.
fn printed(hypothesis: &str, reference: &str) -> String {
    let score = |metric: Metric| metric.score(&metric.count(&[hypothesis], &[reference]));
    let rouge = |rouge: Rouge| 100.0 * rouge.compare(hypothesis, reference).fmeasure;
    let scores = Metric::ALL.map(score).into_iter().chain(Rouge::ALL.map(rouge));
    scores.map(|score| format!("{score:.4}")).collect::<Vec<_>>().join(" ")
}

fn resampling(of: &Value, tests: bool) -> Resampling {
    let samples = of["samples"].as_u64().unwrap() as usize;
    Resampling { samples, seed: of["seed"].as_u64().unwrap(), tests, swaps: of["test"] == "ar" }
}

/// Numbers of the same twelve digits.
#[track_caller]
fn near(found: f64, expected: &Value, of: &str) {
    let expected = expected.as_f64().unwrap_or_else(|| panic!("{of}: {found} where there is none"));
    assert!((found - expected).abs() <= 1e-12 * expected.abs().max(1.0), "{of}: {found}, not {expected}");
}

#[test]
fn a_thousand_random_pairs_score_as_elsewhere() {
    let (expected, [references, hypotheses, _]) = (expected(), random(1000));
    let expected = expected["pairs"].as_array().unwrap();
    assert_eq!(expected.len(), references.len());
    for (number, expected) in expected.iter().enumerate() {
        let (hypothesis, reference) = (&hypotheses[number], &references[number]);
        assert_eq!(printed(hypothesis, reference), expected.as_str().unwrap(), "{number}: {hypothesis} | {reference}");
    }
}

#[test]
fn pairs_that_are_hard_to_score_score_as_elsewhere() {
    for case in expected()["cases"].as_array().unwrap() {
        let [hypothesis, reference, expected] = [0, 1, 2].map(|part| case[part].as_str().unwrap());
        assert_eq!(printed(hypothesis, reference), expected, "{hypothesis:?} | {reference:?}");
    }
}

#[test]
fn corpora_score_as_elsewhere_with_the_same_intervals() {
    let [references, hypotheses, _] = random(1000);
    for corpus in expected()["corpora"].as_array().unwrap() {
        let segments = corpus["segments"].as_u64().unwrap() as usize;
        let (hypotheses, references) = (&hypotheses[..segments], &references[..segments]);
        let resampling = resampling(corpus, false);
        for metric in Metric::ALL {
            let (name, counts) = (metric.name(), metric.count(hypotheses, references));
            let expected = &corpus["metrics"][name];
            near(metric.score(&counts), &expected["score"], name);
            assert_eq!(metric.detail(&counts).unwrap_or_default(), expected["detail"].as_str().unwrap());
            assert_eq!(metric.signature(None), expected["signature"].as_str().unwrap());
            let interval = confidence(metric, &counts, &resampling);
            near(interval.mean, &expected["mean"], name);
            near(interval.margin, &expected["margin"], name);
            assert_eq!(metric.signature(Some(&resampling)), expected["resampled"].as_str().unwrap());
        }
        for rouge in Rouge::ALL {
            let (expected, found) = (&corpus["rouge"][rouge.key()], rouge.mean(hypotheses, references));
            let found = [found.precision, found.recall, found.fmeasure];
            found.into_iter().enumerate().for_each(|(part, found)| near(found, &expected[part], rouge.key()));
        }
    }
}

#[test]
fn systems_differ_as_elsewhere() {
    let [references, first, second] = random(1000);
    for (number, test) in expected()["tests"].as_array().unwrap().iter().enumerate() {
        let segments = test["segments"].as_u64().unwrap() as usize;
        // The third one is a system beside itself, the last one has them the other way round.
        let [baseline, system] = match number {
            2 => [&first, &first],
            4 => [&second, &first],
            _ => [&first, &second],
        };
        let resampling = resampling(test, true);
        for metric in Metric::ALL {
            let name = format!("{} of test {number}", metric.name());
            let count = |texts: &[String]| -> Counts { metric.count(&texts[..segments], &references[..segments]) };
            let (baseline, system) = (count(baseline), count(system));
            let expected = &test["metrics"][metric.name()];
            let found = paired(metric, &baseline, &system, &resampling);
            near(found.p_value, &expected[1][0], &name);
            let intervals = [baseline_interval(metric, &baseline, &resampling), found.interval];
            for (interval, expected) in intervals.into_iter().zip([&expected[0], &expected[1]]) {
                assert_eq!(interval.is_none(), expected[1].is_null(), "{name}");
                if let Some(interval) = interval {
                    near(interval.mean, &expected[1], &name);
                    near(interval.margin, &expected[2], &name);
                }
            }
            assert_eq!(metric.signature(Some(&resampling)), test["signatures"][metric.name()].as_str().unwrap());
        }
    }
}
