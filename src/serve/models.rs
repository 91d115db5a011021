//! The models of a server, and the languages that they translate between.
//!
//! Invariant: models are loaded before the first request and never later. A request chooses a pair of languages by
//! their codes, and cannot name a model.

use std::fmt::Display;

use anyhow::Result;
use kortom::detect;
use kortom::engine::{Request, Session};
use kortom::error::{Error, WithHint};
use kortom::glossary::Glossary;
use kortom::language::Code;
use kortom::memory::{Memory, MemoryScope};
use kortom::pipeline::{LoadedModel, Models, Pipeline};
use kortom::summarize::Length;
use kortom::summarize::abstractive::LengthLimits;
use serde_json::{Value, json};

use super::refusal::{Answer, Refusal};

/// Language codes that are offered to clients if a model for many languages knows them.
const COMMON: [&str; 33] = [
    "af", "ar", "bg", "cs", "da", "de", "el", "en", "es", "et", "fa", "fi", "fr", "he", "hi", "hu", "id", "it", "ja",
    "ko", "lt", "lv", "nl", "no", "pl", "pt", "ro", "ru", "sv", "tr", "uk", "vi", "zh",
];

/// The pipeline of a server, and the languages that requests can name.
pub struct ServedModels {
    pipeline: Pipeline,
    languages: Languages,
}

/// The codes of languages that can be translated from and to.
struct Languages {
    /// The languages of a request that names none.
    usual: Pair,
    from: Vec<String>,
    to: Vec<String>,
    /// Whether the model is for many languages, so that each request must name them to the model.
    many: bool,
}

/// The codes of the languages of a translation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The language of the article.
    pub from: String,
    /// The language of its translation.
    pub to: String,
}

/// What a model is to make of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// A translation between two languages, and this many alternatives.
    Translate(Pair, usize),
    /// Which words of texts and of their translations between two languages belong together.
    Align(Pair),
    /// A summary, within these limits of its length.
    Summarize(Option<LengthLimits>),
}

impl ServedModels {
    /// The models of a pipeline that translates.
    ///
    /// # Errors
    /// When a model cannot do what the options of the pipeline want.
    pub fn new(pipeline: Pipeline) -> Result<Self> {
        let options = pipeline.options();
        let usual = Pair { from: options.source_language().to_owned(), to: options.target_language().to_owned() };
        let languages = Languages::of(pipeline.models().translation()?, &usual)?;
        let models = Self { pipeline, languages };
        if models.aligns() {
            // A head that the model does not have is refused now, and not by the first request.
            models.session(&Task::Align(models.usual().clone()))?;
        }
        Ok(models)
    }

    /// Whether requests may ask which words belong together.
    pub fn aligns(&self) -> bool {
        self.models().translation.as_ref().is_some_and(|model| model.alignment_head().is_some())
    }

    /// The models.
    pub fn models(&self) -> &Models {
        self.pipeline.models()
    }

    /// The length of a summary if the request names none.
    pub fn summary_length(&self) -> Option<Length> {
        self.pipeline.options().summary.and_then(|summary| summary.length)
    }

    /// The languages of a request that names none.
    pub fn usual(&self) -> &Pair {
        &self.languages.usual
    }

    /// The pair of languages with these codes, as this server writes them.
    ///
    /// # Errors
    /// When no model of this server translates between these languages.
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

    /// The code of a source language as this server writes it; `None` if no model reads that language.
    pub fn source(&self, code: &str) -> Option<&str> {
        find(&self.languages.from, code)
    }

    /// An error with `reason` as its message, and with the languages of this server as its hint.
    pub fn beside(&self, reason: impl Display) -> Error {
        let (from, to) = (self.languages.from.join("`, `"), self.languages.to.join("`, `"));
        reason.to_string().with_hint(format!("this server translates from `{from}` to `{to}`"))
    }

    /// The language codes that a request can name: those of sources and those of targets.
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

    /// A session of the model that does `task`.
    ///
    /// # Errors
    /// When there is no such model, or it cannot do the task.
    pub fn session(&self, task: &Task) -> Result<Session<'_>> {
        match (task, &self.models().summary) {
            (Task::Translate(pair, alternatives), _) => self.translating(pair, *alternatives),
            (Task::Align(pair), _) => self.aligning(pair),
            (Task::Summarize(room), Some(summary)) => {
                let session = summary.model.session()?;
                Ok(room.map(|(least, most)| session.with_length_limits(least, most)).unwrap_or(session))
            }
            (Task::Summarize(_), None) => anyhow::bail!("there is no summary model"),
        }
    }

    /// A request for the translation model with the languages of a pair, where the model must be told them.
    fn between(&self, pair: &Pair, request: Request) -> Request {
        if !self.languages.many {
            return request;
        }
        Request { from: Some(pair.from.clone()), to: Some(pair.to.clone()), ..request }
    }

    fn aligning(&self, pair: &Pair) -> Result<Session<'_>> {
        let model = self.models().translation()?;
        model.session_for(|request| Request { alignment: model.alignment_head(), ..self.between(pair, request) })
    }

    fn translating(&self, pair: &Pair, alternatives: usize) -> Result<Session<'_>> {
        let model = self.models().translation()?;
        let session = model.session_for(|request| self.between(pair, request))?;
        if alternatives == 0 {
            return Ok(session);
        }
        let usual = session.settings().options.num_beams;
        model.session_for(|request| {
            let mut request = self.between(pair, request);
            request.flags.n_best = Some(alternatives + 1);
            request.flags.num_beams = Some(usual.max(alternatives + 1));
            request
        })
    }

    /// The part of the memory for translations by a session, or for corrections alone; `None` without a memory.
    ///
    /// # Errors
    /// Never in practice: a key can always be written as JSON.
    pub fn memory(&self, pair: &Pair, session: &Session, only_corrections: bool) -> Result<Option<MemoryScope<'_>>> {
        let model = self.models().translation()?;
        self.pipeline.scope((model, session), (&pair.from, &pair.to), only_corrections)
    }

    /// The memory, if the server uses one.
    pub fn memory_file(&self) -> Option<&Memory> {
        self.pipeline.memory()
    }

    /// The fault of the memory since it was opened; returned once.
    pub fn take_memory_fault(&self) -> Option<Error> {
        self.pipeline.memory()?.take_fault()
    }

    /// The part of the memory for summaries by a session of the summary model; `None` without a memory.
    ///
    /// # Errors
    /// Never in practice: a key can always be written as JSON.
    pub fn summary_memory(&self, session: &Session) -> Result<Option<MemoryScope<'_>>> {
        let Some(summary) = &self.models().summary else { return Ok(None) };
        self.pipeline.summary_scope((&summary.model, session), &summary.language)
    }

    /// The glossary, if it is for these languages.
    pub fn glossary(&self, pair: &Pair) -> Option<&Glossary> {
        self.pipeline.glossary().filter(|_| pair == self.usual())
    }
}

impl Languages {
    fn of(model: &LoadedModel, usual: &Pair) -> Result<Self> {
        let session = model.session()?;
        let many = model.engine().tokenizer().known_language_tokens().next().is_some();
        if !many {
            let known = session.language_tokens();
            let own = |known: &Option<String>, usual: &String| {
                known.as_deref().map_or(usual.clone(), |code| Code::parse(code).short().to_owned())
            };
            let usual = Pair { from: own(&known.from, &usual.from), to: own(&known.to, &usual.to) };
            let (from, to) = (vec![usual.from.clone()], vec![usual.to.clone()]);
            return Ok(Self { usual, from, to, many });
        }
        let mut codes: Vec<&str> = COMMON.to_vec();
        codes.extend([usual.from.as_str(), usual.to.as_str()].iter().filter(|code| !COMMON.contains(code)));
        let knows = |from: &str, to: &str| model.engine().tokenizer().language_tokens(Some(from), Some(to)).is_ok();
        let from = codes.iter().filter(|code| knows(code, &usual.to)).map(|code| (*code).to_owned()).collect();
        let to = codes.iter().filter(|code| knows(&usual.from, code)).map(|code| (*code).to_owned()).collect();
        Ok(Self { usual: usual.clone(), from, to, many })
    }
}

/// The code among `codes` that equals `wanted`, or else the first one of the same language.
fn find<'a>(codes: &'a [String], wanted: &str) -> Option<&'a str> {
    let same = |code: &&String| code.eq_ignore_ascii_case(wanted);
    let asked = Code::parse(wanted);
    let found = codes.iter().find(same).or_else(|| codes.iter().find(|code| Code::parse(code).serves(&asked)));
    found.map(String::as_str)
}
