//! A Dutch document becomes an English one with the same structure.
//!
//! Invariant: the gaps of a translation are the gaps of its source, and every sentence of the source has
//! one segment; a sentence longer than the model's window goes through it in pieces and comes back as
//! one, so nothing is cut. The sentences of all documents share one call of the model, equal ones are
//! translated once. What has no letter in it (`***`, `2-1`) is copied: a model asked for it invents
//! something. Where sentences end belongs to `segment`, what may be wrong with them to `check`.

use std::collections::HashMap;
use std::ops::Range;

use anyhow::Result;
use serde::Serialize;

use crate::check::Flag;
use crate::document::{Block, BlockKind, Document, Format};
use crate::engine::{Candidate, Generation, Session};
use crate::segment::{self, Language, on_one_line};

/// All that a translator knows of a model.
pub trait Generate {
    /// One generation for each text, in their order.
    fn generate(&self, texts: &[&str]) -> Result<Vec<Generation>>;
    /// How many tokens of the window this text takes.
    fn count_tokens(&self, text: &str) -> Result<usize>;
    /// The most tokens of source the model takes.
    fn window(&self) -> usize;
}

impl Generate for Session<'_> {
    fn generate(&self, texts: &[&str]) -> Result<Vec<Generation>> {
        Session::generate(self, texts)
    }

    fn count_tokens(&self, text: &str) -> Result<usize> {
        Ok(self.encode(text)?.len())
    }

    fn window(&self) -> usize {
        self.engine().window()
    }
}

/// One sentence of the source and its translation.
#[derive(Clone, Debug, PartialEq, Serialize)]
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
    /// The best hypotheses, where more than one was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hypotheses: Vec<Candidate>,
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

/// A block's sentences, by their place in it.
type Sentences = Vec<(Range<usize>, Plan)>;

impl<'a, G: Generate + ?Sized> Translator<'a, G> {
    /// Translates with `model`, from one language to another.
    pub fn new(model: &'a G, from: Language, to: Language) -> Self {
        Self { model, from, to }
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
        let generations = if sources.is_empty() { Vec::new() } else { self.model.generate(&sources)? };
        Ok(documents.iter().zip(plans).map(|(document, plan)| self.rebuild(document, plan, &generations)).collect())
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
    fn rebuild(&self, document: &Document, plan: Vec<Sentences>, generations: &[Generation]) -> Translation {
        let mut translated = document.clone();
        let mut segments = Vec::new();
        for (block, sentences) in translated.blocks.iter_mut().zip(plan) {
            if block.kind == BlockKind::Label {
                *block = Block::plain(block.kind, self.label(&block.text));
                continue;
            }
            let mut targets = Vec::with_capacity(sentences.len());
            for (range, plan) in sentences {
                let segment = segment_of(plan, generations);
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
}

/// What a report says of a sentence.
fn segment_of(plan: Plan, generations: &[Generation]) -> Segment {
    let (source, pieces) = match plan {
        Plan::Copy(text) => {
            return Segment {
                source: text.clone(),
                target: text,
                score: None,
                tokens: 0,
                flags: Vec::new(),
                hypotheses: Vec::new(),
            };
        }
        Plan::Model { source, pieces } => (source, pieces),
    };
    let mut target = String::new();
    let (mut tokens, mut score, mut truncated) = (0, 0.0, false);
    for &(index, joint) in &pieces {
        let generation = &generations[index];
        target.push_str(joint);
        target.push_str(&generation.text);
        tokens += generation.target_tokens;
        score += generation.score * generation.target_tokens.max(1) as f32;
        truncated |= generation.truncated;
    }
    let mut hypotheses = Vec::new();
    if let [(index, _)] = pieces[..] {
        score = generations[index].score;
        hypotheses.clone_from(&generations[index].hypotheses);
    } else {
        // Of a sentence in pieces, the score is the mean over its tokens.
        score /= pieces.iter().map(|&(index, _)| generations[index].target_tokens.max(1)).sum::<usize>() as f32;
    }
    let flags = if truncated { vec![Flag::Truncated] } else { Vec::new() };
    Segment { source, target, score: Some(score), tokens, flags, hypotheses }
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
    warnings
}
