//! The texts that sentences need, and the inputs of a model for them.
//!
//! Invariant: equal texts with equal masks are translated once. An input is a text, or a text that is decoded again
//! with a guard.

use std::collections::HashMap;
use std::ops::Range;

use super::answer::{Answer, Retry};
use crate::check::Finding;
use crate::engine::{Constraint, Generation, Input, ResumePoint};
use crate::glossary::Glossary;

/// All texts of a plan, and the inputs of a model for them.
#[derive(Default)]
pub(super) struct Texts {
    all: Vec<Text>,
    known: HashMap<(String, Vec<&'static str>), usize>,
    inputs: Vec<(usize, Option<ResumePoint>)>,
    /// Number of inputs that were handed out.
    handed_out: usize,
}

/// A text that a model translates.
pub(super) struct Text {
    source: String,
    constraints: Vec<Constraint>,
    /// The numbers of the sentences that need it.
    sentences: Vec<usize>,
    answer: Option<Answer>,
}

impl Texts {
    /// Adds a text that a sentence needs, with the masks that stand for protected spans in it, and returns its
    /// number.
    pub fn add(&mut self, sentence: usize, text: &str, masks: Vec<&'static str>, glossary: Option<&Glossary>) -> usize {
        let key = (text.to_owned(), masks);
        if let Some(&number) = self.known.get(&key) {
            self.all[number].sentences.push(sentence);
            return number;
        }
        let terms = glossary.map(|glossary| glossary.terms(text)).unwrap_or_default().into_iter();
        let terms = terms.filter(|term| !key.1.contains(&&text[term.range.clone()])).map(|term| term.alternatives);
        let ways = terms.chain(key.1.iter().map(|&mask| vec![mask]));
        let constraints =
            ways.map(|ways| Constraint { alternatives: ways.into_iter().map(str::to_owned).collect() }).collect();
        let number = self.all.len();
        self.all.push(Text { source: text.to_owned(), constraints, sentences: vec![sentence], answer: None });
        self.inputs.push((number, None));
        self.known.insert(key, number);
        number
    }

    /// The numbers of the inputs that were not handed out before.
    pub fn next_inputs(&mut self) -> Range<usize> {
        let first = std::mem::replace(&mut self.handed_out, self.inputs.len());
        first..self.handed_out
    }

    /// The input with a number.
    pub fn input(&self, number: usize) -> Input<'_> {
        let (text, guard) = &self.inputs[number];
        let Text { source, constraints, .. } = &self.all[*text];
        Input { text: source, constraints, guard: guard.as_ref() }
    }

    /// Takes the generation of an input and the findings about it. Returns the sentences that need its text, or none
    /// if the text is to be decoded again. Texts with constraints are never decoded again, the others only if the
    /// model `can_guard`.
    pub fn answer(
        &mut self,
        input: usize,
        generation: Generation,
        findings: Vec<Finding>,
        can_guard: bool,
    ) -> &[usize] {
        let (number, guard) = &self.inputs[input];
        let (number, text) = (*number, &mut self.all[*number]);
        match &mut text.answer {
            Some(first) if guard.is_some() => first.compare(&text.source, generation, findings),
            none => {
                let answer = Answer::new(generation, findings, can_guard && text.constraints.is_empty());
                let answer = none.insert(answer);
                if answer.retry == Retry::Pending {
                    self.inputs.push((number, Some(answer.generation.resume_point.clone())));
                    return &[];
                }
            }
        }
        &self.all[number].sentences
    }

    /// The answer to a text, if it is final.
    pub fn answered(&self, text: usize) -> Option<&Answer> {
        self.all[text].answer.as_ref().filter(|answer| answer.retry != Retry::Pending)
    }

    /// The texts with their answers, by number; those that have none yet are left out.
    pub fn all_answered(&self) -> impl Iterator<Item = (usize, &str, &Answer)> {
        self.all.iter().enumerate().filter_map(|(number, text)| Some((number, &*text.source, text.answer.as_ref()?)))
    }

    /// The translation of a text by the hypothesis of this rank; empty if there is no answer.
    pub fn text(&self, text: usize, rank: usize) -> &str {
        self.all[text].answer.as_ref().map_or("", |answer| answer.text(rank))
    }
}
