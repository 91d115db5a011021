//! A translation as a plan: the inputs for a model, and the documents that are made of its answers.
//!
//! Invariant: what a sentence becomes depends on the answers to its own inputs, and not on their order. An answer may lead to
//! further inputs: a text in which the model repeated itself is asked for once more with a guard, and a sentence that
//! lost a protected span is asked for once more in the parts around its spans.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use anyhow::{Context, Result};

use super::alignment::{carried, in_bytes, in_characters};
use super::answer::Answer;
use super::sentence::Sentence;
use super::texts::Texts;
use super::{Generate, Segment, Translation, Translator, warnings};
use crate::document::{Block, BlockKind, Document, TranslatedSentence};
use crate::engine::{Generation, Input, WordAlignment};
use crate::segment::on_one_line;

/// The translation of documents while it is made.
///
/// A caller gives a model the inputs that [`Self::next_inputs`] numbers, brings the generations to [`Self::answer`] in any
/// order and as they come, and goes on until there are no inputs left. [`Translator::translate`] does so with one model.
pub struct Plan<'a, G: ?Sized> {
    translator: &'a Translator<'a, G>,
    documents: &'a [Document],
    /// For each document and block, the numbers of its sentences.
    blocks: Vec<Vec<Range<usize>>>,
    sentences: Vec<Sentence>,
    texts: Texts,
    /// Whether every sentence says which words belong together.
    is_aligned: bool,
}

impl<'a, G: Generate + ?Sized> Plan<'a, G> {
    pub(super) fn new(translator: &'a Translator<'a, G>, documents: &'a [Document]) -> Result<Self> {
        let (mut places, mut texts) = (Vec::new(), Texts::default());
        let mut blocks = Vec::with_capacity(documents.len());
        for document in documents {
            let mut numbers = Vec::with_capacity(document.blocks.len());
            for block in &document.blocks {
                let first = places.len();
                places.extend(translator.ranges(block).into_iter().map(|range| (block, range)));
                numbers.push(first..places.len());
            }
            blocks.push(numbers);
        }
        let known = translator.recall(&places);
        let sentences = places.into_iter().zip(known).enumerate();
        let sentence = |(number, ((block, range), known))| match known {
            Some(segment) => Ok(Sentence::recalled(range, segment)),
            None => translator.sentence(block, range, number, &mut texts),
        };
        let sentences = sentences.map(sentence).collect::<Result<Vec<_>>>()?;
        Ok(Self { translator, documents, blocks, sentences, texts, is_aligned: false })
    }

    /// For each block of a document, the numbers of its sentences.
    #[must_use]
    pub fn blocks(&self, document: usize) -> &[Range<usize>] {
        &self.blocks[document]
    }

    /// The numbers of the inputs that were added since the last call, and that a model is to be given now.
    #[must_use]
    pub fn next_inputs(&mut self) -> Range<usize> {
        self.texts.next_inputs()
    }

    /// The input with a number.
    #[must_use]
    pub fn input(&self, number: usize) -> Input<'_> {
        self.texts.input(number)
    }

    /// Takes the generations of inputs, by their numbers, and returns the numbers of the sentences that are complete
    /// now.
    ///
    /// # Errors
    /// When the tokenizer cannot represent a text.
    pub fn answer(&mut self, generations: impl IntoIterator<Item = (usize, Generation)>) -> Result<Vec<usize>> {
        let can_guard = self.translator.model.can_guard();
        let mut touched = BTreeSet::new();
        for (number, generation) in generations {
            let (generation, findings) = self.translator.check(self.texts.input(number).text, generation);
            touched.extend(self.texts.answer(number, generation, findings, can_guard));
        }
        let mut complete = Vec::new();
        for sentence in touched {
            if self.complete(sentence)? {
                complete.push(sentence);
            }
        }
        self.translator.keep(complete.iter().map(|&number| &self.sentences[number]));
        Ok(complete)
    }

    /// Makes the segment of a sentence if all its texts are answered, and returns whether it is complete. If a
    /// protected span was lost, a second attempt is added.
    fn complete(&mut self, number: usize) -> Result<bool> {
        loop {
            let sentence = &self.sentences[number];
            let Some(attempt) = sentence.attempts.last().filter(|_| sentence.segment.is_none()) else {
                return Ok(false);
            };
            let answers = attempt.asked().map(|text| self.texts.answered(text));
            let Some(answers) = answers.collect::<Option<Vec<&Answer>>>() else { return Ok(false) };
            let target = attempt.target(&sentence.source, |text| self.texts.text(text, 0));
            if target.is_none() && attempt.masked.is_some() {
                let attempt = self.translator.apart(&sentence.source, number, &mut self.texts)?;
                self.sentences[number].attempts.push(attempt);
            } else {
                // The model also writes protected spans that the source lacks, so the source stands in for its
                // translation.
                let target = target.unwrap_or_else(|| sentence.source.clone());
                let segment = self.translator.segment(sentence, attempt, target, &answers);
                self.sentences[number].segment = Some(segment);
                return Ok(true);
            }
        }
    }

    /// Number of sentences.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sentences.len()
    }

    /// Whether there is no sentence.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sentences.is_empty()
    }

    /// The sentence with a number, once it is complete.
    #[must_use]
    pub fn segment(&self, sentence: usize) -> Option<&Segment> {
        self.sentences[sentence].segment.as_ref()
    }

    /// The alternative translation of a document from the hypotheses of this rank; `None` if it would lose a
    /// protected span.
    #[must_use]
    pub fn alternative(&self, document: usize, rank: usize) -> Option<Document> {
        let target = |sentence: &Sentence| match sentence.target(|text| self.texts.text(text, rank)) {
            // Both attempts lost a span, so the source stands in for the translation.
            None if sentence.attempts.len() > 1 => Some(sentence.source.clone()),
            None if sentence.attempts.is_empty() => sentence.segment.as_ref().map(|segment| segment.target.clone()),
            target => target,
        };
        self.rebuild(document, target)
    }

    /// The translations, in the order of the documents.
    ///
    /// # Errors
    /// When a sentence has no answer.
    pub fn finish(mut self) -> Result<Vec<Translation>> {
        if self.translator.model.aligns() && !self.is_aligned {
            let (numbers, texts): (Vec<_>, Vec<_>) = self.generations().unzip();
            let found = self.translator.model.align(&texts)?;
            self.align(numbers.into_iter().zip(found));
        }
        let target = |sentence: &Sentence| Some(sentence.segment.as_ref()?.target.clone());
        let documents = (0..self.documents.len()).map(|document| self.rebuild(document, target));
        let translated: Vec<Document> = documents.collect::<Option<_>>().context("the model left out a sentence")?;
        let mut segments = self.sentences.iter_mut().filter_map(|sentence| sentence.segment.take());
        let all = self.documents.iter().zip(&self.blocks).zip(translated);
        Ok(all
            .map(|((source, blocks), document)| {
                let segments: Vec<_> = segments.by_ref().take(blocks.iter().map(Range::len).sum()).collect();
                Translation { document, warnings: warnings(source, &segments), segments }
            })
            .collect())
    }

    /// The texts that were answered, by their numbers, and their generations: what a model is given to say which words
    /// belong together.
    pub fn generations(&self) -> impl Iterator<Item = (usize, (&str, &Generation))> {
        self.texts.all_answered().map(|(number, source, answer)| (number, (source, &answer.generation)))
    }

    /// Has every segment say which words belong together, from the alignments of texts by their numbers. Words of a
    /// sentence that is copied belong to none. A caller that does not call this leaves it to [`Self::finish`].
    pub fn align(&mut self, found: impl IntoIterator<Item = (usize, WordAlignment)>) {
        let mut found: HashMap<usize, WordAlignment> = found.into_iter().collect();
        let found: HashMap<usize, (&str, WordAlignment)> = self
            .texts
            .all_answered()
            .filter_map(|(number, source, _)| Some((number, (source, found.remove(&number)?))))
            .collect();
        let nothing = ("", WordAlignment::default());
        for sentence in &mut self.sentences {
            let Sentence { source, attempts, segment: Some(segment), .. } = sentence else { continue };
            let pairs = attempts.last().map(|attempt| {
                attempt.pairs(source, &segment.target, |text| {
                    let (source, alignment) = found.get(&text).unwrap_or(&nothing);
                    (*source, alignment)
                })
            });
            segment.alignment = Some(in_characters(&pairs.unwrap_or_default(), &segment.source, &segment.target));
        }
        self.is_aligned = true;
    }

    /// Which words of `text`, as which a sentence stands in its block, and of `target` belong together, where that is known.
    fn pairs(sentence: &Sentence, text: &str, target: &str) -> Vec<[Range<usize>; 2]> {
        let Some((segment, pairs)) = sentence.segment.as_ref().and_then(|one| Some((one, one.alignment.as_ref()?)))
        else {
            return Vec::new();
        };
        let pairs = in_bytes(pairs, &segment.source, &segment.target);
        carried(&pairs, [&segment.source, &segment.target], [text, target])
    }

    /// A document in which each sentence that is not copied has its `target`; `None` if one has no target.
    fn rebuild(&self, document: usize, target: impl Fn(&Sentence) -> Option<String>) -> Option<Document> {
        let mut translated = self.documents[document].clone();
        for (block, numbers) in translated.blocks.iter_mut().zip(&self.blocks[document]) {
            if block.kind == BlockKind::Label {
                *block = Block::plain(block.kind, self.translator.label(&block.text));
                continue;
            }
            let asked = self.sentences[numbers.clone()].iter().filter(|sentence| !sentence.is_copied());
            let text = &block.text;
            let targets = asked.map(|sentence| {
                let (range, target) = (sentence.range.clone(), on_one_line(&target(sentence)?));
                let pairs = Self::pairs(sentence, &text[range.clone()], &target);
                Some(TranslatedSentence { range, target, pairs })
            });
            let targets: Vec<_> = targets.collect::<Option<_>>()?;
            if !targets.is_empty() {
                *block = block.translated(&targets);
            }
        }
        Some(translated)
    }
}
