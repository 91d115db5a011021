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

mod again;
mod generate;
mod protect;
mod quotes;
mod sentence;

use std::ops::Range;

use anyhow::Result;
use serde::Serialize;

use crate::check::{self, Checks, Finding, Flag};
use crate::document::{Block, BlockKind, Document, Format};
use crate::engine::{Candidate, Generation};
use crate::glossary::{self, Glossary};
use crate::segment::{self, Language, on_one_line};

pub use generate::{Generate, Heard};

use again::Again;
use protect::{Masked, Stretch};
use sentence::{Piece, Sentence, Texts};

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
    pub hypotheses: Vec<Candidate>,
}

impl Segment {
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
}

/// What stands on buttons, in Dutch and in English.
const LABELS: [(&str, &str); 1] = [("Volledig scherm", "Full screen")];

/// Where the translation of one sentence comes from.
enum Plan {
    /// It is its own.
    Copy(String),
    /// From a model.
    Model(Sentence),
}

/// What the model made of a text.
#[derive(Default)]
struct Answer {
    /// The text.
    source: String,
    generation: Generation,
    /// What is found wrong with it.
    findings: Vec<Finding>,
    /// Where it was asked for again.
    again: Option<Again>,
}

/// A generation that was looked at.
#[derive(Clone)]
struct Looked {
    text: String,
    /// What is found wrong with it.
    findings: Vec<Finding>,
}

/// A block's sentences, by their place in it.
type Sentences = Vec<(Range<usize>, Plan)>;

impl<'a, G: Generate + ?Sized> Translator<'a, G> {
    /// Translates with `model`, from one language to another.
    pub fn new(model: &'a G, from: Language, to: Language) -> Self {
        Self { model, from, to, checks: None, glossary: None, restores: false }
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

    /// Translates documents; their sentences share one call of the model, and those that lost a protected span
    /// another.
    ///
    /// # Errors
    /// When the model fails.
    pub fn translate(&self, documents: &[Document]) -> Result<Vec<Translation>> {
        let mut texts = Texts::default();
        let mut plans = documents
            .iter()
            .map(|document| document.blocks.iter().map(|block| self.plan(block, &mut texts)).collect())
            .collect::<Result<Vec<Vec<Sentences>>>>()?;
        let mut answers = Vec::new();
        self.answer(&texts, &mut answers)?;
        for (_, plan) in plans.iter_mut().flatten().flatten() {
            if let Plan::Model(sentence) = plan
                && sentence.target(&answers).is_none()
            {
                *sentence = self.apart(&sentence.source, &mut texts)?;
            }
        }
        self.answer(&texts, &mut answers)?;
        Ok(documents.iter().zip(plans).map(|(document, plan)| self.rebuild(document, plan, &answers)).collect())
    }

    /// Adds what the model makes of each text without an answer; where it repeats itself, it is asked again.
    fn answer(&self, texts: &Texts, answers: &mut Vec<Answer>) -> Result<()> {
        let first = answers.len();
        let sources: Vec<&str> = texts.asked[first..].iter().map(String::as_str).collect();
        let terms = &texts.terms[first..];
        if sources.is_empty() {
            return Ok(());
        }
        let mut heard: Vec<Option<Looked>> = vec![None; sources.len()];
        let generations = self.model.generate_heard(&sources, terms, &mut |place, generation| {
            let heard = heard[place].insert(self.look(sources[place], generation));
            terms[place].is_empty() && again::is_needed(generation, &heard.findings)
        })?;
        answers.extend(sources.into_iter().zip(generations).zip(heard).map(|((source, generation), heard)| {
            // Nothing goes unchecked, whatever a model leaves out.
            let Looked { text, findings } = heard.unwrap_or_else(|| self.look(source, &generation));
            let generation = Generation { text, ..generation };
            Answer { source: source.to_owned(), generation, findings, again: None }
        }));
        if self.checks.is_some() {
            let free = answers[first..].iter_mut().zip(terms).filter(|(_, terms)| terms.is_empty());
            again::guard(self, free.map(|(answer, _)| answer).collect())?;
        }
        Ok(())
    }

    /// What a generation says, with what the vocabulary lacks, and what is found wrong with it.
    fn look(&self, source: &str, generation: &Generation) -> Looked {
        let restored = if self.restores { self.model.restored(source, generation) } else { None };
        let text = restored.unwrap_or_else(|| generation.text.clone());
        Looked { findings: self.findings(source, &text), text }
    }

    /// What is found wrong with a translation, where anybody looks.
    fn findings(&self, source: &str, target: &str) -> Vec<Finding> {
        self.checks.map(|checks| checks.findings(source, target)).unwrap_or_default()
    }

    /// Cuts a block into sentences and says for each where its translation comes from.
    fn plan(&self, block: &Block, texts: &mut Texts<'a>) -> Result<Sentences> {
        let ranges = match block.kind {
            kind if !kind.is_translated() => Vec::new(),
            BlockKind::Line => std::iter::once(0..block.text.len()).collect(),
            _ => protect::whole(segment::sentences(&block.text, self.from), &block.text),
        };
        ranges
            .into_iter()
            .map(|range| {
                let source = &block.text[range.clone()];
                let plain = glossary::spans(source).is_empty();
                let asked = match block.kind {
                    BlockKind::Line if plain => !source.trim().is_empty(),
                    _ => protect::speaks(source),
                };
                let plan = if asked { self.pieces(source, block.kind, texts)? } else { Plan::Copy(source.to_owned()) };
                Ok((range, plan))
            })
            .collect()
    }

    /// A sentence in as many pieces as the model's window makes necessary.
    fn pieces(&self, source: &str, kind: BlockKind, texts: &mut Texts<'a>) -> Result<Plan> {
        let source = if kind == BlockKind::Line { source.to_owned() } else { on_one_line(source) };
        let masked = Masked::new(&source);
        let pieces = self.wrapped(&masked.text, |piece| masked.masks_in(piece), texts)?;
        Ok(Plan::Model(Sentence { source, masked: Some(masked), pieces }))
    }

    /// A sentence whose protected spans the model does not get to see.
    fn apart(&self, source: &str, texts: &mut Texts<'a>) -> Result<Sentence> {
        let mut pieces = Vec::new();
        for stretch in protect::apart(source) {
            match stretch {
                Stretch::Text(text) => pieces.extend(self.wrapped(text, |_| Vec::new(), texts)?),
                Stretch::Kept(text) => pieces.push(Piece::Kept(text.to_owned())),
            }
        }
        Ok(Sentence { source: source.to_owned(), masked: None, pieces })
    }

    /// A text in as many pieces as the model's window makes necessary.
    fn wrapped(
        &self,
        text: &str,
        masks: impl Fn(&str) -> Vec<&'static str>,
        texts: &mut Texts<'a>,
    ) -> Result<Vec<Piece>> {
        let joined = if self.restores { quotes::joined(text) } else { text.into() };
        let text = if self.restores { &*self.model.spelled(&joined) } else { text };
        let ranges = segment::wrap(text, self.model.window(), |text| self.model.count_tokens(text))?;
        if let [_] = ranges[..] {
            // Not the piece but the whole: a line is not trimmed.
            return Ok(vec![Piece::Asked(texts.add(text, masks(text), self.glossary), "")]);
        }
        let mut end = 0;
        let mut pieces = Vec::with_capacity(ranges.len());
        for range in ranges {
            let joint = if range.start > end && end > 0 { " " } else { "" };
            end = range.end;
            let piece = &text[range];
            pieces.push(Piece::Asked(texts.add(piece, masks(piece), self.glossary), joint));
        }
        Ok(pieces)
    }

    /// Puts the translations where the sentences were.
    fn rebuild(&self, document: &Document, plan: Vec<Sentences>, answers: &[Answer]) -> Translation {
        let mut translated = document.clone();
        let mut segments = Vec::new();
        for (block, sentences) in translated.blocks.iter_mut().zip(plan) {
            if block.kind == BlockKind::Label {
                *block = Block::plain(block.kind, self.label(&block.text));
                continue;
            }
            let mut targets = Vec::with_capacity(sentences.len());
            for (range, plan) in sentences {
                let segment = self.segment(plan, answers);
                if segment.score.is_some() {
                    targets.push((range, on_one_line(&segment.target)));
                }
                segments.push(segment);
            }
            if !targets.is_empty() {
                *block = block.translated(&targets);
            }
        }
        let warnings = warnings(document, &segments);
        Translation { document: translated, segments, warnings }
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

    /// What a report says of a sentence.
    fn segment(&self, plan: Plan, answers: &[Answer]) -> Segment {
        match plan {
            Plan::Copy(text) => Segment { source: text.clone(), target: text, ..Segment::default() },
            Plan::Model(sentence) => self.asked(sentence, answers),
        }
    }

    /// A sentence that a model was asked for, with what is to be said of it.
    fn asked(&self, sentence: Sentence, answers: &[Answer]) -> Segment {
        let asked: Vec<&Answer> = sentence.asked().map(|index| &answers[index]).collect();
        let mut segment = sentence.segment(answers);
        if self.checks.is_some() {
            let scores = asked.iter().flat_map(|answer| &answer.generation.token_scores);
            segment.note(check::low_score(scores.sum::<f32>() / segment.tokens.max(1) as f32));
            let again: Vec<&Again> = asked.iter().filter_map(|answer| answer.again.as_ref()).collect();
            segment.decoded_again = again.iter().any(|again| !matches!(again, Again::Same));
            segment.note(again.into_iter().map(Again::finding));
        }
        segment.note(self.lacking(&segment));
        let findings = match asked[..] {
            // Most sentences are what the model was asked for, and were looked at when they came.
            [one] if (&one.source, &one.generation.text) == (&segment.source, &segment.target) => one.findings.clone(),
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
        let ways: Vec<_> = terms.iter().map(|term| bytes(&term.ways)).collect();
        let missing = glossary::missing(&Masked::new(&segment.target).text, &ways).into_iter();
        missing
            .map(|term| {
                let said = &source[terms[term].range.clone()];
                Finding::new(Flag::Glossary, format!("`{}` is required for `{said}`", terms[term].target))
            })
            .collect()
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
        warnings.push(format!(
            "{truncated} of {} segments were cut at the longest output allowed\n\
             hint: allow more with `--max-length`",
            segments.len()
        ));
    }
    let lacking = segments.iter().filter(|segment| segment.flags.contains(&Flag::Glossary)).count();
    if lacking > 0 {
        warnings.push(format!(
            "{lacking} of {} segments lack a term that the glossary requires\n\
             hint: --format json shows which; they carry the flag `glossary`",
            segments.len()
        ));
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
