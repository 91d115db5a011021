//! What a job does to texts, in the language it names or in the one they are found to be in.
//!
//! Invariant: with `--from auto` no text is worked on as if it were in another language than its own: one that the model does
//! not read is an error of that text. Which language it is, `kortom::detect` says.

use anyhow::{Context, Result, bail};
use kortom::check::Checks;
use kortom::detect::{self, Detected};
use kortom::digest::{Digest, Summarizing, Translating, Writing};
use kortom::document::{Document, Format};
use kortom::engine::Session;
use kortom::glossary::Glossary;
use kortom::report::Report;
use kortom::segment::Language;
use kortom::translate::{Segment, Translator};

use super::engines::{self, Models};
use super::job::{Job, Task};

/// Below this, a text that is long enough to be told is in none of the languages that are known.
const DOUBTFUL: f32 = 0.6;

/// The work of a job, with its models made ready for the language it names.
pub struct Steps<'a> {
    /// What is wanted.
    pub job: &'a Job,
    /// The models.
    pub models: &'a Models,
    /// The one that translates, or generates.
    pub translation: Option<&'a Session<'a>>,
    /// The one that summarises.
    pub summary: Option<&'a Session<'a>>,
    /// Terms that the translation must have.
    pub glossary: Option<&'a Glossary>,
}

impl Steps<'_> {
    /// Reports of articles in the language they were found to be in, or in that of the job.
    pub fn articles(&self, documents: Vec<Document>, found: Option<&str>) -> Result<Vec<Report>> {
        let Some(from) = found else {
            return self
                .digest(self.translation, self.summary, self.job.from(), self.job.summary_language())
                .run(documents);
        };
        let translation = self.models.translation.as_ref().map(|model| model.session_from(from)).transpose()?;
        if self.job.task != Task::Summarize {
            return self.digest(translation.as_ref(), self.summary, from, self.job.to()).run(documents);
        }
        let summary = self.models.summary.as_ref().map(|summary| summary.model.session_from(from)).transpose()?;
        self.digest(None, summary.as_ref(), from, from).run(documents)
    }

    /// What becomes of articles in the language `from`; what is summarised is in `read`.
    fn digest<'b>(
        &'b self,
        translation: Option<&'b Session<'b>>,
        summary: Option<&'b Session<'b>>,
        from: &'b str,
        read: &'b str,
    ) -> Digest<'b> {
        let of_source = self.models.summary.as_ref().is_some_and(|summary| summary.source);
        let translating = translation.map(|session| Translating {
            model: session,
            name: session.engine().name().to_owned(),
            from,
            to: self.job.to(),
            glossary: self.glossary,
        });
        let read = if of_source { from } else { read };
        let writing = summary.map(|session| Writing {
            model: session,
            name: session.engine().name().to_owned(),
            from: read,
            source: of_source,
            own_limits: self.job.summary_has_room(),
        });
        let language = Language::of(read);
        let summarizing = self.job.summary.as_ref().map(|wish| Summarizing { length: wish.length, language, writing });
        Digest { translating, summarizing }
    }

    /// A segment for each line: translated in the language they were found to be in or in that of the job, or given to the
    /// model as they are.
    pub fn lines(&self, lines: &[&str], found: Option<&str>) -> Result<Vec<Segment>> {
        let model = self.models.translation.as_ref();
        let own = found.and_then(|from| Some(model?.session_from(from))).transpose()?;
        let session = own.as_ref().or(self.translation).context("there is no model to work on lines")?;
        if self.job.task != Task::Translate {
            return engines::generate(session, lines);
        }
        let (from, to) = (found.unwrap_or(self.job.from()), self.job.to());
        let document = Document::parse("-", &lines.join("\n"), Format::Lines);
        let translator = Translator::new(session, Language::of(from), Language::of(to));
        let translator = translator.checking(Checks::of(from, to)).with_glossary(self.glossary);
        Ok(translator.translate(&[document])?.into_iter().flat_map(|translation| translation.segments).collect())
    }
}

/// The language of a text; none where there is no text in it.
pub fn detect(text: &str) -> Result<Option<Detected>> {
    let found = detect::language(text);
    let Some(best) = found.first() else { return Ok(None) };
    if best.confidence < DOUBTFUL && detect::is_long(text) {
        let likely: Vec<String> =
            found.iter().take(2).map(|one| format!("{} ({})", detect::name(one.language), one.confidence)).collect();
        bail!("its language cannot be told: {}\nhint: name it with `--from`, if a model reads it", likely.join(", "));
    }
    Ok(Some(*best))
}

/// What is said of a text whose language was looked for.
pub fn told(name: &str, found: Detected) -> String {
    format!("`{name}`: this is in {} (confidence {})", detect::name(found.language), found.confidence)
}
