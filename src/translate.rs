//! A Dutch document becomes an English one with the same structure.
//!
//! Invariant: the gaps of a translation are the gaps of its source, and every sentence of the source has
//! one segment; a sentence longer than the model's window goes through it in pieces and comes back as
//! one, so nothing is cut. The sentences of all documents share one call of the model, equal ones are
//! translated once. What has no letter in it (`***`, `2-1`) is copied: a model asked for it invents
//! something. What repeats itself is decoded again with a guard, which depends on its text alone. Where sentences end belongs to `segment`, what may be wrong with them to `check`.

mod again;

use std::collections::HashMap;
use std::ops::Range;

use anyhow::Result;
use serde::Serialize;

use crate::check::{self, Checks, Finding, Flag};
use crate::document::{Block, BlockKind, Document, Format};
use crate::engine::{Candidate, Generation, Session};
use crate::segment::{self, Language, on_one_line};

use again::Again;

/// All that a translator knows of a model.
pub trait Generate {
    /// One generation for each text, in their order.
    fn generate(&self, texts: &[&str]) -> Result<Vec<Generation>>;
    /// The same with a guard against repetition; none where there can be none.
    ///
    /// # Errors
    /// When the model fails.
    fn generate_guarded(&self, _texts: &[&str]) -> Result<Option<Vec<Generation>>> {
        Ok(None)
    }
    /// How many tokens of the window this text takes.
    fn count_tokens(&self, text: &str) -> Result<usize>;
    /// The most tokens of source the model takes.
    fn window(&self) -> usize;
}

impl Generate for Session<'_> {
    fn generate(&self, texts: &[&str]) -> Result<Vec<Generation>> {
        Session::generate(self, texts)
    }

    fn generate_guarded(&self, texts: &[&str]) -> Result<Option<Vec<Generation>>> {
        Session::generate_guarded(self, texts)
    }

    fn count_tokens(&self, text: &str) -> Result<usize> {
        Ok(self.encode(text)?.len())
    }

    fn window(&self) -> usize {
        self.engine().window()
    }
}

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
}

/// What stands on buttons, in Dutch and in English.
const LABELS: [(&str, &str); 1] = [("Volledig scherm", "Full screen")];

/// Where the translation of one sentence comes from.
enum Plan {
    /// It is its own.
    Copy(String),
    /// From these texts, with what joins each to the one before.
    Model { source: String, pieces: Vec<(usize, &'static str)> },
}

/// The texts a model is asked for, each once.
#[derive(Default)]
struct Texts {
    texts: Vec<String>,
    known: HashMap<String, usize>,
}

impl Texts {
    fn add(&mut self, text: &str) -> usize {
        if let Some(&index) = self.known.get(text) {
            return index;
        }
        self.texts.push(text.to_owned());
        self.known.insert(text.to_owned(), self.texts.len() - 1);
        self.texts.len() - 1
    }
}

/// What the model made of all texts.
struct Answers {
    generations: Vec<Generation>,
    /// Those it was asked for again, by their places.
    again: HashMap<usize, Again>,
}

/// A block's sentences, by their place in it.
type Sentences = Vec<(Range<usize>, Plan)>;

impl<'a, G: Generate + ?Sized> Translator<'a, G> {
    /// Translates with `model`, from one language to another.
    pub fn new(model: &'a G, from: Language, to: Language) -> Self {
        Self { model, from, to, checks: None }
    }

    /// Has every sentence checked.
    #[must_use]
    pub fn checking(self, checks: Checks) -> Self {
        Self { checks: Some(checks), ..self }
    }

    /// Translates documents; their sentences share one call of the model.
    ///
    /// # Errors
    /// When the model fails.
    pub fn translate(&self, documents: &[Document]) -> Result<Vec<Translation>> {
        let mut texts = Texts::default();
        let plans = documents
            .iter()
            .map(|document| document.blocks.iter().map(|block| self.plan(block, &mut texts)).collect())
            .collect::<Result<Vec<Vec<Sentences>>>>()?;
        let sources: Vec<&str> = texts.texts.iter().map(String::as_str).collect();
        let answers = self.answers(&sources)?;
        Ok(documents.iter().zip(plans).map(|(document, plan)| self.rebuild(document, plan, &answers)).collect())
    }

    /// What the model makes of each text; where it repeats itself, it is asked again.
    fn answers(&self, sources: &[&str]) -> Result<Answers> {
        let mut generations = if sources.is_empty() { Vec::new() } else { self.model.generate(sources)? };
        let again = match self.checks {
            Some(checks) => again::guard(self.model, checks, sources, &mut generations)?,
            None => HashMap::new(),
        };
        Ok(Answers { generations, again })
    }

    /// Cuts a block into sentences and says for each where its translation comes from.
    fn plan(&self, block: &Block, texts: &mut Texts) -> Result<Sentences> {
        let ranges = match block.kind {
            kind if !kind.is_translated() => Vec::new(),
            BlockKind::Line => std::iter::once(0..block.text.len()).collect(),
            _ => segment::sentences(&block.text, self.from),
        };
        ranges
            .into_iter()
            .map(|range| {
                let source = &block.text[range.clone()];
                let asked = match block.kind {
                    BlockKind::Line => !source.trim().is_empty(),
                    _ => source.contains(char::is_alphabetic),
                };
                let plan = if asked { self.pieces(source, block.kind, texts)? } else { Plan::Copy(source.to_owned()) };
                Ok((range, plan))
            })
            .collect()
    }

    /// A sentence in as many pieces as the model's window makes necessary.
    fn pieces(&self, source: &str, kind: BlockKind, texts: &mut Texts) -> Result<Plan> {
        let source = if kind == BlockKind::Line { source.to_owned() } else { on_one_line(source) };
        let ranges = segment::wrap(&source, self.model.window(), |text| self.model.count_tokens(text))?;
        if let [_] = ranges[..] {
            // Not the piece but the whole: a line is not trimmed.
            let pieces = vec![(texts.add(&source), "")];
            return Ok(Plan::Model { source, pieces });
        }
        let mut end = 0;
        let mut pieces = Vec::with_capacity(ranges.len());
        for range in ranges {
            let joint = if range.start > end && end > 0 { " " } else { "" };
            end = range.end;
            pieces.push((texts.add(&source[range]), joint));
        }
        Ok(Plan::Model { source, pieces })
    }

    /// Puts the translations where the sentences were.
    fn rebuild(&self, document: &Document, plan: Vec<Sentences>, answers: &Answers) -> Translation {
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
    fn segment(&self, plan: Plan, answers: &Answers) -> Segment {
        let mut segment = match plan {
            Plan::Copy(text) => return Segment { source: text.clone(), target: text, ..Segment::default() },
            Plan::Model { source, pieces } => self.asked(source, &pieces, answers),
        };
        if let Some(checks) = &self.checks {
            let findings = checks.findings(&segment.source, &segment.target);
            segment.note(findings);
        }
        segment
    }

    /// A sentence that a model was asked for, with what is to be said of how it went.
    fn asked(&self, source: String, pieces: &[(usize, &'static str)], answers: &Answers) -> Segment {
        let generations: Vec<_> = pieces.iter().map(|&(index, joint)| (&answers.generations[index], joint)).collect();
        let mut segment = joined(source, &generations);
        if self.checks.is_some() {
            let scores = generations.iter().flat_map(|(generation, _)| &generation.token_scores);
            segment.note(check::low_score(scores.sum::<f32>() / segment.tokens.max(1) as f32));
            let again: Vec<&Again> = pieces.iter().filter_map(|(index, _)| answers.again.get(index)).collect();
            segment.decoded_again = !again.is_empty();
            segment.note(again.into_iter().map(Again::finding));
        }
        segment
    }
}

/// The translation of a sentence from those of its pieces.
fn joined(source: String, pieces: &[(&Generation, &str)]) -> Segment {
    let mut segment = Segment { source, ..Segment::default() };
    let (mut score, mut truncated) = (0.0, false);
    for &(generation, joint) in pieces {
        segment.target.push_str(joint);
        segment.target.push_str(&generation.text);
        segment.tokens += generation.target_tokens;
        score += generation.score * generation.target_tokens.max(1) as f32;
        truncated |= generation.truncated;
    }
    if let [(generation, _)] = pieces[..] {
        score = generation.score;
        segment.hypotheses.clone_from(&generation.hypotheses);
    } else {
        // Of a sentence in pieces, the score is the mean over its tokens.
        let tokens = pieces.iter().map(|(generation, _)| generation.target_tokens.max(1));
        score /= tokens.sum::<usize>() as f32;
    }
    segment.score = Some(score);
    segment.note(truncated.then(Finding::truncated));
    segment
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
    let again = segments.iter().filter(|segment| segment.decoded_again).count();
    if again > 0 {
        warnings.push(format!(
            "in {again} of {} segments the model repeated itself; they were decoded again with a guard against it",
            segments.len()
        ));
    }
    warnings
}
