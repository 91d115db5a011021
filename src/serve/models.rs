//! The models a server has, and which languages they go between.
//!
//! Invariant: they are loaded before the first request and never after; a request chooses among the pairs of languages
//! they have, by codes, and can name no other model.

use std::fmt::Display;

use anyhow::Result;
use kortom::detect;
use kortom::engine::{Engine, Request, Session};
use kortom::glossary::Glossary;
use kortom::language::Code;
use kortom::summarize::Length;
use kortom::summarize::abstractive::LengthLimits;
use serde_json::{Value, json};

use super::refusal::{Answer, Refusal};

/// Codes that a model of many languages is asked for, to see which it knows.
const COMMON: [&str; 33] = [
    "af", "ar", "bg", "cs", "da", "de", "el", "en", "es", "et", "fa", "fi", "fr", "he", "hi", "hu", "id", "it", "ja",
    "ko", "lt", "lv", "nl", "no", "pl", "pt", "ro", "ru", "sv", "tr", "uk", "vi", "zh",
];

/// A model and what is wanted from it.
pub struct Model {
    /// The model.
    pub engine: Engine,
    /// What is wanted where a request says nothing else.
    pub request: Request,
}

/// The model that writes summaries.
pub struct SummaryModel {
    /// The model.
    pub model: Model,
    /// It reads the article and not its translation.
    pub source: bool,
    /// The code of the language it reads.
    pub language: String,
}

/// Everything that is loaded.
pub struct Models {
    /// The one that translates.
    pub translation: Model,
    /// The one that summarises; without one, a summary consists of the article's own sentences.
    pub summary: Option<SummaryModel>,
    /// How long a summary is, where a request does not say.
    pub length: Option<Length>,
    /// Terms that every translation between the usual languages must have.
    pub glossary: Option<Glossary>,
    languages: Languages,
}

/// The codes of languages that can be translated from and to.
struct Languages {
    /// What is meant where nothing is said.
    usual: Pair,
    from: Vec<String>,
    to: Vec<String>,
    /// The model has to be told them.
    many: bool,
}

/// The codes of the languages of a translation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Of the article.
    pub from: String,
    /// Of its translation.
    pub to: String,
}

/// What is wanted of a model for a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// Its translation, and so many others of it.
    Translate(Pair, usize),
    /// Its summary, within these bounds.
    Summarize(Option<LengthLimits>),
}

impl Models {
    /// Those models; `usual` are the languages of the translation where the model does not say.
    ///
    /// # Errors
    /// When a model cannot do what is wanted from it.
    pub fn new(translation: Model, summary: Option<SummaryModel>, usual: &Pair) -> Result<Self> {
        let languages = Languages::of(&translation, usual)?;
        Ok(Self { translation, summary, length: None, glossary: None, languages })
    }

    /// The pair of languages where nothing is said.
    pub fn usual(&self) -> &Pair {
        &self.languages.usual
    }

    /// The pair with these codes.
    ///
    /// # Errors
    /// When no model here translates between them.
    pub fn pair(&self, from: &str, to: &str) -> Answer<Pair> {
        let languages = &self.languages;
        match (find(&languages.from, from), find(&languages.to, to)) {
            (Some(from), Some(to)) if from != to => Ok(Pair { from: from.to_owned(), to: to.to_owned() }),
            (Some(_), found) if found.is_none() || languages.many => {
                Err(Refusal::bad(self.beside(format!("`{to}` is not available as a target language from `{from}`"))))
            }
            _ => Err(Refusal::bad(self.beside(format!("`{from}` is not available as a source language")))),
        }
    }

    /// The code of a source language as it is written here, if there is one.
    pub fn source(&self, code: &str) -> Option<&str> {
        find(&self.languages.from, code)
    }

    /// Why there is no model for what was asked, and beside it what there is one for.
    pub fn beside(&self, reason: impl Display) -> String {
        let (from, to) = (self.languages.from.join("`, `"), self.languages.to.join("`, `"));
        format!("{reason}\nhint: this server translates from `{from}` to `{to}`")
    }

    /// The codes that a request can name: of sources, and of targets.
    pub fn codes(&self) -> (&[String], &[String]) {
        (&self.languages.from, &self.languages.to)
    }

    /// The languages as `LibreTranslate` lists them.
    pub fn list(&self) -> Value {
        let Languages { from, to, .. } = &self.languages;
        let mut codes: Vec<&String> = from.iter().chain(to.iter().filter(|code| !from.contains(code))).collect();
        codes.sort_unstable();
        let language = |code: &&String| {
            let targets: Vec<&String> = to.iter().filter(|to| to != code && from.contains(code)).collect();
            json!({ "code": code, "name": detect::name(code), "targets": targets })
        };
        codes.iter().map(language).collect()
    }

    /// Something that does a task.
    ///
    /// # Errors
    /// When the model cannot.
    pub fn session(&self, task: &Task) -> Result<Session<'_>> {
        match (task, &self.summary) {
            (Task::Translate(pair, alternatives), _) => self.translating(pair, *alternatives),
            (Task::Summarize(room), Some(summary)) => {
                let session = summary.model.engine.session(&summary.model.request)?;
                Ok(room.map(|(least, most)| session.with_length_limits(least, most)).unwrap_or(session))
            }
            (Task::Summarize(_), None) => anyhow::bail!("there is no summary model"),
        }
    }

    fn translating(&self, pair: &Pair, alternatives: usize) -> Result<Session<'_>> {
        let Model { engine, request } = &self.translation;
        let mut request = request.clone();
        if self.languages.many {
            (request.from, request.to) = (Some(pair.from.clone()), Some(pair.to.clone()));
        }
        if alternatives > 0 {
            let usual = engine.session(&request)?.settings().options.num_beams;
            request.flags.n_best = Some(alternatives + 1);
            request.flags.num_beams = Some(usual.max(alternatives + 1));
        }
        engine.session(&request)
    }

    /// The glossary, if it is for these languages.
    pub fn glossary(&self, pair: &Pair) -> Option<&Glossary> {
        self.glossary.as_ref().filter(|_| pair == self.usual())
    }

    /// The models' names: of the one that translates, and of the one that summarises.
    pub fn names(&self) -> (&str, Option<&str>) {
        (self.translation.engine.name(), self.summary.as_ref().map(|summary| summary.model.engine.name()))
    }
}

impl Languages {
    fn of(model: &Model, usual: &Pair) -> Result<Self> {
        let session = model.engine.session(&model.request)?;
        let many = model.engine.tokenizer().known_languages().next().is_some();
        if !many {
            let known = session.languages();
            let own = |known: &Option<String>, usual: &String| {
                known.as_deref().map_or(usual.clone(), |code| Code::parse(code).short().to_owned())
            };
            let usual = Pair { from: own(&known.from, &usual.from), to: own(&known.to, &usual.to) };
            let (from, to) = (vec![usual.from.clone()], vec![usual.to.clone()]);
            return Ok(Self { usual, from, to, many });
        }
        let mut codes: Vec<&str> = COMMON.to_vec();
        codes.extend([usual.from.as_str(), usual.to.as_str()].iter().filter(|code| !COMMON.contains(code)));
        let knows = |from: &str, to: &str| model.engine.tokenizer().languages(Some(from), Some(to)).is_ok();
        let from = codes.iter().filter(|code| knows(code, &usual.to)).map(|code| (*code).to_owned()).collect();
        let to = codes.iter().filter(|code| knows(&usual.from, code)).map(|code| (*code).to_owned()).collect();
        Ok(Self { usual: usual.clone(), from, to, many })
    }
}

/// A code among others: itself, or at least the same language.
fn find<'a>(codes: &'a [String], wanted: &str) -> Option<&'a str> {
    let same = |code: &&String| code.eq_ignore_ascii_case(wanted);
    let asked = Code::parse(wanted);
    let found = codes.iter().find(same).or_else(|| codes.iter().find(|code| Code::parse(code).serves(&asked)));
    found.map(String::as_str)
}
