//! What came of one article, or of one line.
//!
//! Invariant: a `Report` serialises to the object that the command line's `--format json` promises,
//! whatever the input: fields of a JSONL record pass through as they were written. An input's own `id`,
//! `input`, `date` and `title` stay; of the fields that kortom produces, its own win wherever it
//! produced something. How reports look to people belongs to `render`.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::check::Flag;
use crate::document::{Document, Field};
use crate::engine::Candidate;
use crate::summarize::Method;
use crate::translate::Segment;

/// The models that took part, each `name@revision` or a name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Models {
    /// The one that translated.
    pub translation: Option<String>,
    /// The one that wrote the summary.
    pub summary: Option<String>,
}

/// One article: its English, its summary, and what to know about both.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The record's own `id`, or the input's name.
    pub id: String,
    /// The file, or `-` for standard input.
    pub input: String,
    /// `YYYY-MM` or `YYYY-MM-DD`, where the article says so.
    pub date: Option<String>,
    /// The first heading where the format marks one.
    pub title: Option<String>,
    /// The English text without the date; none when nothing was translated.
    pub translation: Option<String>,
    /// A short summary.
    pub summary: Option<String>,
    /// How the summary was made.
    pub method: Option<Method>,
    /// The pieces that were translated, in order.
    pub segments: Vec<Segment>,
    /// The models that took part.
    pub models: Models,
    /// What a reader should know before trusting it.
    pub warnings: Vec<String>,
    /// The translated article, for renderers that keep its form.
    pub document: Option<Document>,
    /// The fields of the record the article was in.
    pub fields: Vec<Field>,
}

impl Report {
    /// How many segments carry a flag.
    #[must_use]
    pub fn flagged(&self) -> usize {
        self.segments.iter().filter(|segment| !segment.flags.is_empty()).count()
    }

    /// The record's own value of a field.
    fn own(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

/// Fields that an input's own ones replace.
const KEPT: [&str; 4] = ["id", "input", "date", "title"];

/// Fields that replace an input's own ones, where there is something in them.
const PRODUCED: [&str; 6] = ["translation", "summary", "method", "segments", "models", "warnings"];

impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(None)?;
        let produced = [
            self.translation.is_some(),
            self.summary.is_some(),
            self.method.is_some(),
            !self.segments.is_empty(),
            self.models != Models::default(),
            !self.warnings.is_empty(),
        ];
        for name in KEPT {
            match (self.own(name), name) {
                (Some(field), _) => object.serialize_entry(name, &field.value)?,
                (None, "id") => object.serialize_entry(name, &self.id)?,
                (None, "input") => object.serialize_entry(name, &self.input)?,
                (None, "date") => object.serialize_entry(name, &self.date)?,
                (None, _) => object.serialize_entry(name, &self.title)?,
            }
        }
        for (name, produced) in PRODUCED.into_iter().zip(produced) {
            match (self.own(name).filter(|_| !produced), name) {
                (Some(field), _) => object.serialize_entry(name, &field.value)?,
                (None, "translation") => object.serialize_entry(name, &self.translation)?,
                (None, "summary") => object.serialize_entry(name, &self.summary)?,
                (None, "method") => object.serialize_entry(name, &self.method)?,
                (None, "segments") => object.serialize_entry(name, &self.segments)?,
                (None, "models") => object.serialize_entry(name, &self.models)?,
                (None, _) => object.serialize_entry(name, &self.warnings)?,
            }
        }
        for field in &self.fields {
            if !KEPT.contains(&field.name.as_str()) && !PRODUCED.contains(&field.name.as_str()) {
                object.serialize_entry(&field.name, &field.value)?;
            }
        }
        object.end()
    }
}

/// One line in, one line out.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LineReport {
    /// The line.
    pub source: String,
    /// What came of it; empty for an empty line.
    pub target: String,
    /// The model's score; none for an empty line.
    pub score: Option<f32>,
    /// Generated tokens.
    pub tokens: usize,
    /// What a reader should know.
    pub flags: Vec<Flag>,
    /// The best outputs, where several were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hypotheses: Option<Vec<Candidate>>,
}
