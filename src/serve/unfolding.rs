//! An article that is told of as it comes: first what it consists of, then each sentence when it is ready.
//!
//! Invariant: a sentence that is told early is what the report has in its place at the end. It is told as soon as the
//! library, asked for this sentence alone, can make it from what the model has said so far; one that needs more, because
//! something in it got lost on the way, is told with the report.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;

use anyhow::Result;
use kortom::check::Checks;
use kortom::document::{Block, BlockKind, Document, Format};
use kortom::engine::{Generation, Session};
use kortom::segment::Language;
use kortom::translate::{Generate, Segment, Translator};
use serde_json::{Map, Value, json};

use super::articles::Memory;
use super::asker::Line;
use super::call::Wanted;
use super::models::{Pair, Task};

/// What an article consists of.
pub struct Outline {
    /// Its blocks, and the places of the sentences of each.
    pub blocks: Value,
    sentences: Vec<Sentence>,
    /// The sentences that need a text, by that text.
    needing: HashMap<String, Vec<usize>>,
}

struct Sentence {
    block: usize,
    source: String,
    /// It was told.
    told: bool,
}

/// A model that repeats what it is given, and remembers what that was.
struct Echo<'a> {
    session: &'a Session<'a>,
    asked: RefCell<Vec<String>>,
}

impl Generate for Echo<'_> {
    fn generate(&self, texts: &[&str]) -> Result<Vec<Generation>> {
        self.asked.borrow_mut().extend(texts.iter().map(|text| (*text).to_owned()));
        Ok(texts.iter().map(|text| Generation { text: (*text).to_owned(), ..Generation::default() }).collect())
    }

    fn spelled<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.session.spelled(text)
    }

    fn count_tokens(&self, text: &str) -> Result<usize> {
        Ok(self.session.encode(text)?.len())
    }

    fn window(&self) -> usize {
        self.session.engine().window()
    }
}

impl Outline {
    /// That of an article in a language.
    ///
    /// # Errors
    /// When the tokenizer cannot represent it.
    pub fn new(line: &Line<'_>, pair: &Pair, document: &Document) -> Result<Self> {
        let session = line.models.session(&Task::Translate(pair.clone(), 0))?;
        let echo = Echo { session: &session, asked: RefCell::default() };
        let translator = Translator::new(&echo, Language::of(&pair.from), Language::of(&pair.to)).restoring();
        let (mut sentences, mut needing): (Vec<Sentence>, HashMap<String, Vec<usize>>) = Default::default();
        let mut blocks = Vec::with_capacity(document.blocks.len());
        for (number, block) in document.blocks.iter().enumerate() {
            let first = sentences.len();
            for segment in segments(&translator, &alone(block.clone(), document.format))? {
                echo.asked.borrow_mut().clear();
                if segment.score.is_some() {
                    segments(&translator, &sentence(&segment.source))?;
                }
                for text in echo.asked.take() {
                    needing.entry(text).or_default().push(sentences.len());
                }
                sentences.push(Sentence { block: number, source: segment.source, told: false });
            }
            let places: Vec<usize> = (first..sentences.len()).collect();
            let mut told = json!({ "kind": kind(block.kind), "segments": places });
            if places.is_empty() {
                // Nobody will tell of it otherwise.
                told["text"] = block.text.clone().into();
            }
            blocks.push(told);
        }
        Ok(Self { blocks: blocks.into(), sentences, needing })
    }

    /// How many sentences it has.
    pub fn len(&self) -> usize {
        self.sentences.len()
    }

    /// The sentences that can be told of now that the model has said what it makes of a text.
    pub fn ready(&mut self, line: &Line<'_>, memory: &Memory<'_>, text: &Wanted, pair: &Pair) -> Vec<Value> {
        let places = self.needing.get(&text.text).cloned().unwrap_or_default();
        let translator = memory.translator(line).checking(Checks::of(&pair.from, &pair.to));
        let ready = places.into_iter().filter_map(|place| {
            if self.sentences[place].told {
                return None;
            }
            let segment = segments(&translator, &sentence(&self.sentences[place].source)).ok()?.pop()?;
            Some(self.tell(place, &segment))
        });
        ready.collect()
    }

    /// What has not been told yet, from the report's sentences.
    pub fn rest(&mut self, segments: &[Segment]) -> Vec<Value> {
        let places = 0..self.sentences.len().min(segments.len());
        let untold: Vec<usize> = places.filter(|&place| !self.sentences[place].told).collect();
        untold.into_iter().map(|place| self.tell(place, &segments[place])).collect()
    }

    fn tell(&mut self, place: usize, segment: &Segment) -> Value {
        let sentence = &mut self.sentences[place];
        sentence.told = true;
        // By way of its text, so that a score has the digits it has in the report.
        let told = serde_json::to_string(segment).and_then(|text| serde_json::from_str::<Map<String, Value>>(&text));
        let mut told = told.unwrap_or_default();
        told.insert("index".to_owned(), place.into());
        told.insert("block".to_owned(), sentence.block.into());
        told.entry("notes").or_insert_with(|| json!([]));
        told.into()
    }
}

fn segments<G: Generate>(translator: &Translator<'_, G>, document: &Document) -> Result<Vec<Segment>> {
    let translations = translator.translate(std::slice::from_ref(document))?;
    Ok(translations.into_iter().flat_map(|translation| translation.segments).collect())
}

/// A sentence as an article; as a line it is not cut again.
fn sentence(source: &str) -> Document {
    alone(Block::plain(BlockKind::Line, source), Format::Lines)
}

/// A block as an article.
fn alone(block: Block, format: Format) -> Document {
    Document { blocks: vec![block], gaps: vec![String::new(); 2], ..Document::parse("-", "", format) }
}

/// What a block is called.
fn kind(kind: BlockKind) -> &'static str {
    match kind {
        BlockKind::Date => "date",
        BlockKind::Title | BlockKind::Heading => "heading",
        BlockKind::Paragraph => "paragraph",
        BlockKind::Item => "list",
        BlockKind::Caption => "caption",
        BlockKind::Credit => "credit",
        BlockKind::Label => "label",
        BlockKind::Cell => "cell",
        BlockKind::Speech => "speech",
        BlockKind::Line => "line",
    }
}
