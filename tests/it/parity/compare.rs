//! What was found beside what transformers gives, and how much was compared.

use std::collections::BTreeMap;

use kortom::batch::TokenId;
use kortom::search::{Hypothesis, SearchOptions};
use serde_json::Value;

use super::checkpoint::{Checkpoint, values};
use super::{floats, ids, list};

/// Two floats that went different ways to the same number.
pub const NEAR: f64 = 1e-4;

pub fn near(found: f64, expected: f64) -> bool {
    (found - expected).abs() <= NEAR * expected.abs().max(1.0)
}

/// How much was compared.
#[derive(Default)]
pub struct Tally {
    /// Sequences under each setting.
    pub settings: BTreeMap<String, usize>,
    /// Those that needed a nudge, with what differed.
    pub ties: Vec<(String, String)>,
}

/// One source under one setting.
pub struct Case<'a> {
    pub name: &'a str,
    pub source: usize,
    pub ids: &'a Vec<TokenId>,
    pub options: &'a SearchOptions,
}

impl Tally {
    pub fn sequences(&self) -> usize {
        self.settings.values().sum()
    }

    /// Compares one output; a difference is allowed where the reference's margin is tiny and a nudge undoes it.
    pub fn compare(&mut self, checkpoint: &Checkpoint, case: &Case, found: &[Hypothesis], expected: &Value) {
        let best = list(&expected["best"]);
        *self.settings.entry(case.name.to_owned()).or_default() += best.len();
        let Some(difference) = differences(found, best) else { return };
        let what = format!("{}, {}, source {}: {difference}", checkpoint.name, case.name, case.source);
        assert!(expected["margin"].as_f64().unwrap() < NEAR, "{what}");
        let undone = (1..=32).any(|seed| {
            let nudged = checkpoint.search(std::slice::from_ref(case.ids), case.options, seed * 0x9e37_79b9_7f4a_7c15);
            differences(&nudged[0], best).is_none()
        });
        assert!(undone, "{what}\nand no nudge of the logits leads to the expected tokens");
        self.ties.push((case.name.to_owned(), what));
    }

    /// At most 0.5 % may need a nudge.
    pub fn check_ties(&self) {
        let (ties, sequences) = (self.ties.len(), self.sequences());
        assert!(ties * 200 <= sequences, "{ties} of {sequences} at near-ties: {:?}", self.ties);
    }
}

fn differences(found: &[Hypothesis], expected: &[Value]) -> Option<String> {
    if found.len() != expected.len() {
        return Some(format!("{} hypotheses, expected {}", found.len(), expected.len()));
    }
    found.iter().zip(expected).find_map(|(found, expected)| difference(found, expected))
}

/// Says where a hypothesis leaves the expected one, or nothing.
fn difference(found: &Hypothesis, expected: &Value) -> Option<String> {
    let tokens = ids(&expected["ids"]);
    if found.tokens != tokens {
        let first = found.tokens.iter().zip(&tokens).take_while(|(found, expected)| found == expected).count();
        return Some(format!(
            "token {first} differs: found {:?}, expected {:?}",
            &found.tokens[first..],
            &tokens[first..]
        ));
    }
    let score = expected["score"].as_f64().unwrap();
    if !near(f64::from(found.score), score) {
        return Some(format!("score {}, expected {score}", found.score));
    }
    let scores = expected.get("tokens").map_or_else(Vec::new, floats);
    let wrong = (0..scores.len()).find(|&i| !near(f64::from(found.token_scores[i]), scores[i]))?;
    Some(format!("score of token {wrong} is {}, expected {}", found.token_scores[wrong], scores[wrong]))
}

/// The encoder's states of some texts.
pub fn check_encoder(checkpoint: &Checkpoint, expected: &Value) {
    for sample in list(&expected["encoder"]) {
        let source = ids(&sample["ids"]);
        let states = checkpoint.memory(std::slice::from_ref(&source)).states;
        for (row, expected) in ids(&sample["rows"]).iter().zip(list(&sample["states"])) {
            let state = values(&states.get(0).unwrap().get(*row as usize).unwrap()).unwrap();
            assert_near(&state, expected, &format!("{}, {source:?}, row {row}", checkpoint.name));
        }
    }
}

/// Our cached steps beside one pass of transformers over all tokens at once.
pub fn check_logits(checkpoint: &Checkpoint, expected: &Value, sources: &[Vec<TokenId>]) {
    for sample in list(&expected["logits"]) {
        let source = sample["source"].as_u64().unwrap() as usize;
        let mut state = checkpoint.model.start(&checkpoint.memory(&sources[source..=source])).unwrap();
        let columns = ids(&sample["columns"]);
        for (step, (token, expected)) in ids(&sample["decoder"]).iter().zip(list(&sample["values"])).enumerate() {
            let logits = values(&checkpoint.model.step(&mut state, &[*token]).unwrap()).unwrap();
            let found: Vec<f32> = columns.iter().map(|&column| logits[column as usize]).collect();
            assert_near(&found, expected, &format!("{}, source {source}, step {step}", checkpoint.name));
        }
    }
}

fn assert_near(found: &[f32], expected: &Value, what: &str) {
    let expected = floats(expected);
    assert_eq!(found.len(), expected.len(), "{what}");
    let differs = found.iter().zip(&expected).position(|(&found, &expected)| !near(f64::from(found), expected));
    if let Some(first) = differs {
        panic!("{what}: value {first} is {}, expected {}", found[first], expected[first]);
    }
}
