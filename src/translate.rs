//! The translation of documents, which keeps their structure.
//!
//! Invariant: the gaps of a translation are the gaps of its source, and every sentence of the source has one segment.
//! A sentence longer than the model's window is translated in parts, so nothing is cut off. The sentences of all
//! documents share one call of the model, and equal ones are translated once. Texts without a letter (`***`, `2-1`)
//! are copied, because a model invents something for them. A text in which the model repeats itself is decoded again
//! with a guard; that depends on the text alone. Protected spans (addresses, code, placeholders) stay unchanged and
//! equally often: the model sees masks in their places (`protect`), and if it loses one, the texts around the spans
//! are translated by themselves. Terms of a glossary are required of the model and checked in its answer. Where
//! sentences end belongs to `segment`, the checks to `check`.

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
use crate::detect;
use crate::document::{Block, BlockKind, Document, Format};
use crate::engine::{Alternative, Generation, Input, WordAlignment};
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
    /// The translation.
    pub target: String,
    /// The model's score of the translation; `None` if no model made it.
    pub score: Option<f32>,
    /// Number of generated tokens.
    pub tokens: usize,
    /// The flags of what a person should check.
    pub flags: Vec<Flag>,
    /// The reasons for the flags.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Finding>,
    /// Whether the model repeated itself and the sentence was decoded again.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub decoded_again: bool,
    /// The best hypotheses, if more than one was requested.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hypotheses: Vec<Alternative>,
    /// The origin of the translation; `None` if a model made it in this run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<SegmentOrigin>,
    /// Known translations of similar sources, if they were requested.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub similar: Vec<Similar>,
    /// Which words belong together, where that was asked for: pairs of ranges of characters, in the source and in the target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alignment: Option<Vec<[[usize; 2]; 2]>>,
}

/// The origin of a translation that no model made in this run.
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
    /// The segment of a generation by any model, whatever its task and language. Only truncation and repetition are
    /// checked.
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

    /// The segments of generations by any model, one for each text. `alignments` are those of the generations; it is
    /// empty where no alignment was asked for.
    #[must_use]
    pub fn all_generated(texts: &[&str], generations: Vec<Generation>, alignments: &[WordAlignment]) -> Vec<Self> {
        let made = texts.iter().zip(generations).map(|(text, generation)| Self::generated(text, generation));
        let mut segments: Vec<Self> = made.collect();
        segments.iter_mut().zip(alignments).for_each(|(segment, found)| segment.align(found));
        segments
    }

    /// Adds findings, and their flags.
    pub fn note(&mut self, findings: impl IntoIterator<Item = Finding>) {
        self.notes.extend(findings);
        self.flags = check::flags(&self.notes);
    }
}

/// A translated document.
#[derive(Clone, Debug)]
pub struct Translation {
    /// The translated document, with the gaps of its source.
    pub document: Document,
    /// The segments of its sentences, in order.
    pub segments: Vec<Segment>,
    /// Warnings for the reader of the result.
    pub warnings: Vec<String>,
}

/// Translates documents with one model.
pub struct Translator<'a, G: ?Sized> {
    model: &'a G,
    from: Language,
    to: Language,
    /// The code of the documents' language; what names another one is not translated.
    source: Option<String>,
    checks: Option<Checks>,
    glossary: Option<&'a Glossary>,
    restores: bool,
    memory: Option<&'a MemoryScope<'a>>,
}

/// Labels of buttons, in Dutch and in English.
const LABELS: [(&str, &str); 1] = [("Volledig scherm", "Full screen")];

impl<'a, G: Generate + ?Sized> Translator<'a, G> {
    /// A translator with `model`, from one language to another.
    pub fn new(model: &'a G, from: Language, to: Language) -> Self {
        Self { model, from, to, source: None, checks: None, glossary: None, restores: false, memory: None }
    }

    /// The translator of documents in the language of this code. Elements of a page that name another language, such as a quotation,
    /// stay as they are, unless several words of their text are in the language of the document: pages name wrong languages too.
    #[must_use]
    pub fn reading(self, from: &str) -> Self {
        Self { source: Some(from.to_owned()), ..self }
    }

    /// The translator with checks of every sentence.
    #[must_use]
    pub fn checking(self, checks: Checks) -> Self {
        Self { checks: Some(checks), ..self }
    }

    /// The translator with replacements for characters that the model's vocabulary lacks. Quotation marks of two
    /// characters become one, and typographic characters become plain ones. Other unknown characters are copied to
    /// the places of unknown tokens in the output. Without this, texts are those of transformers, which leaves such
    /// characters out.
    #[must_use]
    pub fn restoring(self) -> Self {
        Self { restores: true, ..self }
    }

    /// The translator with a glossary.
    #[must_use]
    pub fn with_glossary(self, glossary: Option<&'a Glossary>) -> Self {
        Self { glossary, ..self }
    }

    /// The translator with a memory: sentences that it knows are not given to the model, and new translations are
    /// kept in it.
    #[must_use]
    pub fn remembering(self, memory: Option<&'a MemoryScope<'a>>) -> Self {
        Self { memory, ..self }
    }

    /// A plan for the translation of documents: the inputs of the model, and the places of its answers.
    ///
    /// # Errors
    /// When the tokenizer cannot represent a text.
    pub fn plan<'p>(&'p self, documents: &'p [Document]) -> Result<Plan<'p, G>> {
        Plan::new(self, documents)
    }

    /// Translates documents. Their sentences share one call of the model, and those that are decoded again share
    /// further calls.
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

    /// A generation of a text with restored unknown characters, and the findings about it.
    fn check(&self, source: &str, generation: Generation) -> (Generation, Vec<Finding>) {
        let restored = if self.restores { self.model.with_unknowns_copied(source, &generation) } else { None };
        let generation = match restored {
            Some(text) => Generation { text, ..generation },
            None => generation,
        };
        let findings = self.findings(source, &generation.text);
        (generation, findings)
    }

    /// The findings about a translation; none if the translator has no checks.
    fn findings(&self, source: &str, target: &str) -> Vec<Finding> {
        self.checks.map(|checks| checks.findings(source, target)).unwrap_or_default()
    }

    /// The ranges of the sentences of a block.
    fn ranges(&self, block: &Block) -> Vec<Range<usize>> {
        let is_foreign = |from: &String| block.is_in_another(from) && !detect::tells_language(&block.text, from);
        let is_kept = self.source.as_ref().is_some_and(is_foreign);
        match block.kind {
            kind if is_kept || !kind.is_translated() => Vec::new(),
            BlockKind::Line => std::iter::once(0..block.text.len()).collect(),
            BlockKind::Message => self.ranges_in_lines(&block.text),
            _ => protect::whole(segment::sentences(&block.text, self.from), &block.text),
        }
    }

    /// The ranges of the sentences of a text in which none goes over a line break or a tabulator.
    fn ranges_in_lines(&self, text: &str) -> Vec<Range<usize>> {
        let (mut ranges, mut start) = (Vec::new(), 0);
        for line in text.split_inclusive(['\n', '\r', '\t']) {
            let found = protect::whole(segment::sentences(line, self.from), line);
            ranges.extend(found.into_iter().map(|range| start + range.start..start + range.end));
            start += line.len();
        }
        ranges
    }

    /// A sentence of a block, whose texts are added to `texts` under its `number`.
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

    /// An attempt to translate a sentence in which the model does not see the protected spans.
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

    /// A text, divided into as many parts as the model's window requires, and whether it is a single part that equals
    /// the text.
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
            // The whole text is used and not its range, because lines are not trimmed.
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

    /// The label of a button in the target language.
    fn label<'t>(&self, label: &'t str) -> &'t str {
        let known = LABELS.iter().find(|(dutch, english)| [dutch, english].contains(&&label));
        match (known, self.to) {
            (Some((_, english)), Language::English) => english,
            (Some((dutch, _)), Language::Dutch) => dutch,
            (None, _) => label,
        }
    }

    /// The segment of a sentence that an attempt translated to `target`, from the answers to its texts.
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

    /// The findings about terms that the glossary requires and the translation lacks. Protected spans are not
    /// searched.
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

/// Whether a model translates a sentence of a block; otherwise the sentence is copied.
fn is_asked(block: &Block, source: &str) -> bool {
    match block.kind {
        BlockKind::Line if glossary::spans(source).is_empty() => !source.trim().is_empty(),
        _ => protect::speaks(source),
    }
}

/// The warnings about a translation.
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
