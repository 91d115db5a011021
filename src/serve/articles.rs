//! Articles of a request, translated and summarised by the models that all requests share.
//!
//! Invariant: what comes of an article is what the command line makes of it with the same models.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;

use anyhow::{Result, anyhow};
use kortom::digest::{Digest, Summarizing, Translating, Writing};
use kortom::document::Document;
use kortom::engine::{Divergence, Generation, Session};
use kortom::report::Report;
use kortom::segment::Language;
use kortom::summarize::Length;
use kortom::translate::{Generate, Translator};

use super::asker::{Asker, Heard, Line, SummaryAsker};
use super::call::Wanted;
use super::models::{Pair, Task};

/// What is to be done with articles.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Translate them, between these languages.
    pub translate: Option<Pair>,
    /// Summarise them.
    pub summarize: bool,
    /// How long, where somebody says.
    pub length: Option<Length>,
    /// The language of what is summarised.
    pub language: String,
}

/// One report for each article; `heard` is told of each text that a model has translated.
///
/// # Errors
/// When a model fails, or it takes too long.
pub fn reports<'a>(
    line: &'a Line<'a>,
    wish: &Wish,
    alternatives: usize,
    documents: Vec<Document>,
    heard: &'a mut Heard<'a>,
) -> Result<Vec<Report>> {
    let models = line.models;
    let asker = wish.translate.as_ref().map(|pair| Asker::new(line, pair, alternatives, heard)).transpose()?;
    let translating = wish.translate.as_ref().zip(asker.as_ref()).map(|(pair, asker)| Translating {
        model: asker,
        name: models.names().0.to_owned(),
        from: &pair.from,
        to: &pair.to,
        glossary: models.glossary(pair),
    });
    let reads = |language: &str, source: bool| {
        let from = wish.translate.as_ref().filter(|_| source).map_or(&wish.language, |pair| &pair.from);
        language == from
    };
    let summary = models.summary.as_ref().filter(|summary| reads(&summary.language, summary.source));
    let writer = summary.filter(|_| wish.summarize).map(|_| SummaryAsker::new(line)).transpose()?;
    let writing = summary.zip(writer.as_ref()).map(|(summary, writer)| Writing {
        model: writer,
        name: summary.model.engine.name().to_owned(),
        from: &summary.language,
        source: summary.source,
        own_room: false,
    });
    let language = Language::of(writing.as_ref().map_or(&wish.language, |writing| writing.from));
    let length = wish.length.or(models.length);
    let summarizing = wish.summarize.then_some(Summarizing { length, language, writing });
    Digest { translating, summarizing }.run(documents)
}

/// A model that knows what another one said before, and nothing else.
pub struct Memory<'a> {
    session: Session<'a>,
    pair: Pair,
    said: RefCell<HashMap<Said, Generation>>,
    /// Which of the other model's hypotheses it gives.
    pub rank: usize,
}

/// What was asked for: a text, with terms, and whether with a guard.
#[derive(PartialEq, Eq, Hash)]
struct Said {
    text: String,
    terms: Vec<Vec<String>>,
    guarded: bool,
}

impl<'a> Memory<'a> {
    /// One that knows nothing yet.
    ///
    /// # Errors
    /// When the model does not know the languages.
    pub fn new(line: &'a Line<'a>, pair: &Pair) -> Result<Self> {
        let session = line.models.session(&Task::Translate(pair.clone(), 0))?;
        Ok(Self { session, pair: pair.clone(), said: RefCell::default(), rank: 0 })
    }

    /// A translator that works from memory.
    pub fn translator(&self, line: &'a Line<'a>) -> Translator<'_, Self> {
        let Pair { from, to } = &self.pair;
        let translator = Translator::new(self, Language::of(from), Language::of(to)).restoring();
        translator.with_glossary(line.models.glossary(&self.pair))
    }

    /// Remembers what was said.
    pub fn hear(&self, wanted: &Wanted, generation: &Generation) {
        let said = Said { text: wanted.text.clone(), terms: wanted.terms.clone(), guarded: wanted.guard.is_some() };
        self.said.borrow_mut().insert(said, generation.clone());
    }

    fn recall(&self, text: &str, terms: Vec<Vec<String>>, guarded: bool) -> Result<Generation> {
        let said = Said { text: text.to_owned(), terms, guarded };
        let known = self.said.borrow();
        let generation = known.get(&said).ok_or_else(|| anyhow!("that has not been said"))?.clone();
        let other = generation.hypotheses.get(self.rank).filter(|_| self.rank > 0);
        let text = other.map_or(&generation.text, |other| &other.text).clone();
        Ok(Generation { text, ..generation })
    }
}

impl Generate for Memory<'_> {
    fn generate(&self, texts: &[&str]) -> Result<Vec<Generation>> {
        self.generate_with(texts, &vec![Vec::new(); texts.len()])
    }

    fn generate_with(&self, texts: &[&str], terms: &[Vec<Vec<&str>>]) -> Result<Vec<Generation>> {
        let owned = |ways: &Vec<&str>| ways.iter().map(|way| (*way).to_owned()).collect();
        let all = texts.iter().zip(terms);
        all.map(|(text, terms)| self.recall(text, terms.iter().map(owned).collect(), false)).collect()
    }

    fn generate_guarded(&self, texts: &[(&str, &Divergence)]) -> Result<Option<Vec<Generation>>> {
        if !self.session.can_guard() {
            return Ok(None);
        }
        texts.iter().map(|(text, _)| self.recall(text, Vec::new(), true)).collect::<Result<_>>().map(Some)
    }

    fn spelled<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.session.spelled(text)
    }

    fn restored(&self, text: &str, generation: &Generation) -> Option<String> {
        // The tokens of another hypothesis are not remembered.
        if self.rank > 0 { None } else { self.session.restored(text, generation) }
    }

    fn count_tokens(&self, text: &str) -> Result<usize> {
        Ok(self.session.encode(text)?.len())
    }

    fn window(&self) -> usize {
        self.session.engine().window()
    }
}
