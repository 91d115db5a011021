//! A Dutch document becomes an English one with the same structure.
//!
//! Invariant: the gaps of a translation are the gaps of its source, and every sentence of the source has
//! one segment; a sentence longer than the model's window goes through it in pieces and comes back as
//! one, so nothing is cut. The sentences of all documents share one call of the model, equal ones are
//! translated once. What has no letter in it (`***`, `2-1`) is copied: a model asked for it invents
//! something. What repeats itself is decoded again with a guard, which depends on its text alone. Protected spans
//! (addresses, code, placeholders) come through as they are, as often as they are there: a model sees masks in their
//! places (`protect`), and where it loses one, what is around the spans is translated by itself. Terms of a glossary
//! are asked for and looked for. Where sentences end belongs to `segment`, what may be wrong with them to `check`.

mod alignment;
mod answer;
mod generate;
mod plan;
mod protect;
mod quotes;
mod recall;
mod sentence;
mod texts;

use std::ops::Range;

use anyhow::Result;
use serde::Serialize;

use crate::check::{self, Checks, Finding, Flag};
use crate::document::{Block, BlockKind, Document, Format};
use crate::engine::{Alternative, Generation, Input};
use crate::error::WithHint;
use crate::glossary::{self, Glossary};
use crate::memory::{MemoryScope, Similar};
use crate::segment::{self, Language};

pub use generate::Generate;
pub use plan::Plan;

use answer::Answer;
use protect::{Masked, Stretch};
use sentence::{Attempt, Part, Sentence};
use texts::Texts;

/// One sentence of the source and its translation.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Segment {
    /// The sentence as the model got it: on one line.
    pub source: String,
    /// Its translation.
    pub target: String,
    /// How likely the model finds it; none when no model was asked.
    pub score: Option<f32>,
    /// Tokens generated.
    pub tokens: usize,
    /// What a person should look at.
    pub flags: Vec<Flag>,
    /// Why, each with its flag.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Finding>,
    /// The model repeated itself, so it was asked again.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub decoded_again: bool,
    /// The best hypotheses, where more than one was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hypotheses: Vec<Alternative>,
    /// Where the translation comes from, if not from a model in this run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<SegmentOrigin>,
    /// Known translations of similar sources, where they were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub similar: Vec<Similar>,
    /// Which words belong together, where that was asked for: pairs of ranges of characters, in the source and in the target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alignment: Option<Vec<[[usize; 2]; 2]>>,
}

/// Where the translation of a segment comes from, if not from a model in this run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum SegmentOrigin {
    /// The model made it in an earlier run.
    #[serde(rename = "memory")]
    Kept,
    /// A person gave it.
    #[serde(rename = "memory")]
    Corrected,
}

impl Segment {
    /// What a model made of a source that may be in any language and need not be translated: only that is checked which does
    /// not depend on either.
    #[must_use]
    pub fn generated(source: &str, generation: Generation) -> Self {
        let mut segment = Self {
            source: source.to_owned(),
            target: generation.text,
            score: Some(generation.score),
            tokens: generation.target_tokens,
            hypotheses: generation.hypotheses,
            ..Self::default()
        };
        segment.note(generation.truncated.then(Finding::truncated));
        segment.note(check::repetition(source, &segment.target));
        segment
    }

    /// Adds what was found about it.
    pub fn note(&mut self, findings: impl IntoIterator<Item = Finding>) {
        self.notes.extend(findings);
        self.flags = check::flags(&self.notes);
    }
}

/// A translated document.
#[derive(Clone, Debug)]
pub struct Translation {
    /// The document in the other language, between the same gaps.
    pub document: Document,
    /// Its sentences, in order.
    pub segments: Vec<Segment>,
    /// What the reader of the result should know.
    pub warnings: Vec<String>,
}

/// Translates documents with one model.
pub struct Translator<'a, G: ?Sized> {
    model: &'a G,
    from: Language,
    to: Language,
    checks: Option<Checks>,
    glossary: Option<&'a Glossary>,
    restores: bool,
    memory: Option<&'a MemoryScope<'a>>,
}

/// What stands on buttons, in Dutch and in English.
const LABELS: [(&str, &str); 1] = [("Volledig scherm", "Full screen")];

impl<'a, G: Generate + ?Sized> Translator<'a, G> {
    /// Translates with `model`, from one language to another.
    pub fn new(model: &'a G, from: Language, to: Language) -> Self {
        Self { model, from, to, checks: None, glossary: None, restores: false, memory: None }
    }

    /// Has every sentence checked.
    #[must_use]
    pub fn checking(self, checks: Checks) -> Self {
        Self { checks: Some(checks), ..self }
    }

    /// Gives the model signs that it knows: one for a quotation mark in two, and those of a typewriter where its
    /// vocabulary lacks those of print. Whatever else it lacks is put where the model says that something was. Without
    /// this a text is that of transformers, which leaves it out.
    #[must_use]
    pub fn restoring(self) -> Self {
        Self { restores: true, ..self }
    }

    /// With the terms of a glossary.
    #[must_use]
    pub fn with_glossary(self, glossary: Option<&'a Glossary>) -> Self {
        Self { glossary, ..self }
    }

    /// With what a memory knows: what is in it is not asked of the model, and what the model makes is kept there.
    #[must_use]
    pub fn remembering(self, memory: Option<&'a MemoryScope<'a>>) -> Self {
        Self { memory, ..self }
    }

    /// What a model is to be given to translate documents, and where its answers go.
    ///
    /// # Errors
    /// When the tokenizer cannot represent a text.
    pub fn plan<'p>(&'p self, documents: &'p [Document]) -> Result<Plan<'p, G>> {
        Plan::new(self, documents)
    }

    /// Translates documents; their sentences share one call of the model, and what repeats itself or lost a protected span
    /// another.
    ///
    /// # Errors
    /// When the model fails.
    pub fn translate(&self, documents: &[Document]) -> Result<Vec<Translation>> {
        let mut plan = self.plan(documents)?;
        loop {
            let numbers = plan.next_inputs();
            if numbers.is_empty() {
                return plan.finish();
            }
            let inputs: Vec<Input> = numbers.clone().map(|number| plan.input(number)).collect();
            let generations = self.model.generate(&inputs)?;
            plan.answer(numbers.zip(generations))?;
        }
    }

    /// A generation of a text, with what the vocabulary lacks, and what is found wrong with it.
    fn check(&self, source: &str, generation: Generation) -> (Generation, Vec<Finding>) {
        let restored = if self.restores { self.model.with_unknowns_copied(source, &generation) } else { None };
        let generation = match restored {
            Some(text) => Generation { text, ..generation },
            None => generation,
        };
        let findings = self.findings(source, &generation.text);
        (generation, findings)
    }

    /// What is found wrong with a translation, if it is checked.
    fn findings(&self, source: &str, target: &str) -> Vec<Finding> {
        self.checks.map(|checks| checks.findings(source, target)).unwrap_or_default()
    }

    /// Where the sentences of a block are.
    fn ranges(&self, block: &Block) -> Vec<Range<usize>> {
        match block.kind {
            kind if !kind.is_translated() => Vec::new(),
            BlockKind::Line => std::iter::once(0..block.text.len()).collect(),
            _ => protect::whole(segment::sentences(&block.text, self.from), &block.text),
        }
    }

    /// A sentence of a block; `number` is what its texts know it by.
    fn sentence(&self, block: &Block, range: Range<usize>, number: usize, texts: &mut Texts) -> Result<Sentence> {
        let (source, is_line) = (&block.text[range.clone()], block.kind == BlockKind::Line);
        if !is_asked(block, source) {
            let (source, target) = (source.to_owned(), source.to_owned());
            let segment = Segment { source: source.clone(), target, ..Segment::default() };
            return Ok(Sentence { range, source, is_line, attempts: Vec::new(), segment: Some(segment) });
        }
        let source = recall::source(block, &range);
        let masked = Masked::new(&source);
        let (parts, is_whole) = self.parts(&masked.text, |part| masked.masks_in(part), number, texts)?;
        let is_source = is_whole && masked.is_source();
        let attempts = vec![Attempt { masked: Some(masked), parts, is_source }];
        Ok(Sentence { range, source, is_line, attempts, segment: None })
    }

    /// A way to ask for a sentence in which the model does not get to see the protected spans.
    fn apart(&self, source: &str, number: usize, texts: &mut Texts) -> Result<Attempt> {
        let mut parts = Vec::new();
        for stretch in protect::apart(source) {
            match stretch {
                Stretch::Text(text) => parts.extend(self.parts(text, |_| Vec::new(), number, texts)?.0),
                Stretch::Kept(text) => parts.push(Part::Kept(text.to_owned())),
            }
        }
        Ok(Attempt { masked: None, parts, is_source: false })
    }

    /// A text in as many parts as the model's window makes necessary, and whether that is one, the text as it is.
    fn parts(
        &self,
        text: &str,
        masks: impl Fn(&str) -> Vec<&'static str>,
        sentence: usize,
        texts: &mut Texts,
    ) -> Result<(Vec<Part>, bool)> {
        let joined = if self.restores { quotes::joined(text) } else { text.into() };
        let spelled = if self.restores { self.model.substituted(&joined) } else { text.into() };
        let ranges = segment::wrap(&spelled, self.model.window(), |text| self.model.count_tokens(text))?;
        if let [_] = ranges[..] {
            // Not the range but the whole: a line is not trimmed.
            let asked = texts.add(sentence, &spelled, masks(&spelled), self.glossary);
            return Ok((vec![Part::Asked(asked, "")], *spelled == *text));
        }
        let mut end = 0;
        let mut parts = Vec::with_capacity(ranges.len());
        for range in ranges {
            let joint = if range.start > end && end > 0 { " " } else { "" };
            end = range.end;
            let part = &spelled[range];
            parts.push(Part::Asked(texts.add(sentence, part, masks(part), self.glossary), joint));
        }
        Ok((parts, false))
    }

    /// A button's label in the other language.
    fn label<'t>(&self, label: &'t str) -> &'t str {
        let known = LABELS.iter().find(|(dutch, english)| [dutch, english].contains(&&label));
        match (known, self.to) {
            (Some((_, english)), Language::English) => english,
            (Some((dutch, _)), Language::Dutch) => dutch,
            (None, _) => label,
        }
    }

    /// What a report says of a sentence that an attempt made `target` of, from the answers to its texts.
    fn segment(&self, sentence: &Sentence, attempt: &Attempt, target: String, answers: &[&Answer]) -> Segment {
        let mut segment = attempt.segment(&sentence.source, target, answers);
        if self.checks.is_some() {
            let scores = answers.iter().flat_map(|answer| &answer.generation.token_scores);
            segment.note(check::low_score(scores.sum::<f32>() / segment.tokens.max(1) as f32));
            segment.decoded_again = answers.iter().any(|answer| answer.retry.is_made());
            segment.note(answers.iter().filter_map(|answer| answer.retry.finding()));
        }
        segment.similar = self.similar(&segment.source);
        segment.note(self.lacking(&segment));
        let findings = match answers {
            [answer] if attempt.is_source => answer.findings.clone(),
            _ => self.findings(&segment.source, &segment.target),
        };
        segment.note(findings);
        segment
    }

    /// The terms that the glossary requires and that are not in the translation, protected spans not counted.
    fn lacking(&self, segment: &Segment) -> Vec<Finding> {
        let Some(glossary) = self.glossary else { return Vec::new() };
        let source = Masked::new(&segment.source).text;
        let terms = glossary.terms(&source);
        let bytes = |ways: &Vec<&str>| ways.iter().map(|way| way.as_bytes().to_vec()).collect();
        let ways: Vec<_> = terms.iter().map(|term| bytes(&term.alternatives)).collect();
        let missing = glossary::missing(&Masked::new(&segment.target).text, &ways).into_iter();
        missing
            .map(|term| {
                let said = &source[terms[term].range.clone()];
                Finding::new(Flag::Glossary, format!("`{}` is required for `{said}`", terms[term].target))
            })
            .collect()
    }
}

/// Whether a model is asked for a sentence of a block; it is copied else.
fn is_asked(block: &Block, source: &str) -> bool {
    match block.kind {
        BlockKind::Line if glossary::spans(source).is_empty() => !source.trim().is_empty(),
        _ => protect::speaks(source),
    }
}

/// What the reader of a translation should know.
fn warnings(document: &Document, segments: &[Segment]) -> Vec<String> {
    let mut warnings = Vec::new();
    if document.format != Format::Lines && !document.blocks.iter().any(|block| block.kind.is_translated()) {
        warnings.push(format!("`{}` is empty: there is no text in it", document.name()));
    }
    let truncated = segments.iter().filter(|segment| segment.flags.contains(&Flag::Truncated)).count();
    if truncated > 0 {
        warnings.push(
            format!("{truncated} of {} segments were cut at the longest output allowed", segments.len())
                .with_hint("allow more with `--max-length`")
                .to_string(),
        );
    }
    let lacking = segments.iter().filter(|segment| segment.flags.contains(&Flag::Glossary)).count();
    if lacking > 0 {
        warnings.push(
            format!("{lacking} of {} segments lack a term that the glossary requires", segments.len())
                .with_hint("--format json shows which; they carry the flag `glossary`")
                .to_string(),
        );
    }
    let again = segments.iter().filter(|segment| segment.decoded_again).count();
    if again > 0 {
        warnings.push(format!(
            "in {again} of {} segments the model repeated itself; they were decoded again with a guard against it",
            segments.len()
        ));
    }
    warnings
}
