//! The result for one article, or for one line.
//!
//! Invariant: a `Report` becomes the object that the command line's `--format json` promises,
//! whatever the input: fields of a JSONL record pass through as they were written. An input's own `id`,
//! `input`, `date` and `title` stay. Any other field that kortom produces replaces the record's own, unless kortom's
//! value is null or empty. How reports are rendered belongs to `render`.

use serde::Serialize;
use serde_json::Value;

use crate::check::{self, Finding, Flag, FlagCount};
use crate::detect::Detected;
use crate::document::jsonl::{self, Field};
use crate::document::{Document, Section};
use crate::engine::Alternative;
use crate::memory::Similar;
use crate::summarize::SummaryMethod;
use crate::translate::{Segment, SegmentOrigin};

/// The names of the models that were used, each `name@revision` or a name alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct UsedModels {
    /// The model that translated.
    pub translation: Option<String>,
    /// The model that wrote the summary.
    pub summary: Option<String>,
}

/// How many passes a summary took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Passes {
    /// Number of passes: 1 if the article fits the model's window; each pass over the summaries of parts is one more.
    pub passes: usize,
    /// Number of texts that the model summarised in all passes.
    pub parts: usize,
}

/// The translation and summary of one article, and what to know about both.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The record's own `id`, or the input's name.
    pub id: String,
    /// The file, or `-` for standard input.
    pub input: String,
    /// The article's date, `YYYY-MM` or `YYYY-MM-DD`, if the article has one.
    pub date: Option<String>,
    /// The first heading, if the format marks one.
    pub title: Option<String>,
    /// The detected language of the article; `None` where it was not detected.
    pub detected: Option<Detected>,
    /// The translation without the date; `None` if nothing was translated.
    pub translation: Option<String>,
    /// The summary; `None` if none was requested.
    pub summary: Option<String>,
    /// Problems of the summary.
    pub summary_notes: Vec<Finding>,
    /// How the summary was made.
    pub method: Option<SummaryMethod>,
    /// How many passes the summary took, where a model wrote it.
    pub passes: Option<Passes>,
    /// Tokens that the summary model generated.
    pub summary_tokens: usize,
    /// The pieces that were translated, in order.
    pub segments: Vec<Segment>,
    /// The models that were used.
    pub models: UsedModels,
    /// Warnings for the reader.
    pub warnings: Vec<String>,
    /// The translated article, for renderers that keep its format.
    pub document: Option<Document>,
    /// The source article.
    pub source: Option<Document>,
    /// The language codes of the article and of its translation.
    pub languages: Option<(String, String)>,
    /// The fields of the record the article was in.
    pub fields: Vec<Field>,
    /// The error, when there is no result.
    pub error: Option<String>,
}

impl Report {
    /// Counts the flags of the segments and of the summary.
    #[must_use]
    pub fn flag_count(&self) -> FlagCount {
        let mut count = FlagCount::default();
        self.segments.iter().for_each(|segment| count.segment(&segment.flags));
        count.summary(&check::flags(&self.summary_notes));
        count
    }

    /// The record's own value of a field.
    fn own(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

/// Fields of a report that the record's own fields replace.
const KEPT: [&str; 4] = ["id", "input", "date", "title"];

impl Report {
    /// The object that `--format json` promises, on one line.
    ///
    /// # Errors
    /// No error is known: reports hold text and numbers only.
    pub fn json(&self) -> serde_json::Result<String> {
        let text = serde_json::to_string::<Option<&str>>;
        let mut made = vec![
            ("id", text(&Some(&self.id))?),
            ("input", text(&Some(&self.input))?),
            ("date", text(&self.date.as_deref())?),
            ("title", text(&self.title.as_deref())?),
            ("detected", serde_json::to_string(&self.detected)?),
            ("translation", text(&self.translation.as_deref())?),
            ("summary", text(&self.summary.as_deref())?),
            ("method", serde_json::to_string(&self.method)?),
            ("summary_passes", serde_json::to_string(&self.passes.map(|made| made.passes))?),
            ("summary_parts", serde_json::to_string(&self.passes.map(|made| made.parts))?),
            ("summary_flags", serde_json::to_string(&check::flags(&self.summary_notes))?),
            ("summary_notes", serde_json::to_string(&self.summary_notes)?),
            ("segments", serde_json::to_string(&self.segments)?),
            ("models", serde_json::to_string(&self.models)?),
            ("warnings", serde_json::to_string(&self.warnings)?),
        ];
        if let Some(document) = self.document.as_ref().filter(|document| !document.sections.is_empty()) {
            let field = |section: &Section| {
                let value = serde_json::to_string(&document.section(section))?;
                Ok(Field { name: section.name.clone(), value })
            };
            let fields = document.sections.iter().map(field).collect::<serde_json::Result<Vec<_>>>()?;
            made.push(("translations", jsonl::object(&fields)));
        }
        if let Some(error) = &self.error {
            made.push(("error", text(&Some(error))?));
        }
        let is_made = |name: &str| made.iter().any(|(known, _)| *known == name);
        let field = |(name, value): &(&str, String)| match self.own(name) {
            Some(own) if KEPT.contains(name) || value == "null" || value == "[]" => own.clone(),
            _ => Field { name: (*name).to_owned(), value: value.clone() },
        };
        let mut fields: Vec<Field> = made.iter().map(field).collect();
        fields.extend(self.fields.iter().filter(|field| !is_made(&field.name)).cloned());
        Ok(jsonl::object(&fields))
    }
}

/// The result for one line of input.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LineReport {
    /// The line.
    pub source: String,
    /// The output; empty for an empty line.
    pub target: String,
    /// The model's score; `None` for an empty line.
    pub score: Option<f32>,
    /// Number of generated tokens.
    pub tokens: usize,
    /// Flags of the problems that were found.
    pub flags: Vec<Flag>,
    /// The problems that were found.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Finding>,
    /// Where the output comes from, if not from a model in this run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<SegmentOrigin>,
    /// Known translations of similar lines, if they were requested.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub similar: Vec<Similar>,
    /// The detected language of the lines, where it was detected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detected: Option<Detected>,
    /// The best outputs, where several were requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hypotheses: Option<Vec<Alternative>>,
    /// Which words belong together, where that was asked for: pairs of ranges of characters, in the source and in the target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alignment: Option<Vec<[[usize; 2]; 2]>>,
    /// Why the line has no output, if it could not be read or worked on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What to do about the error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl LineReport {
    /// The JSON object for a record, on one line: the record's own fields, then those of this report, or an error and
    /// its hint.
    #[must_use]
    pub fn json_in(&self, record: &[Field], error: Option<(&str, &str)>) -> String {
        let text = |text: &str| Value::String(text.to_owned()).to_string();
        let field = |(name, value): (&str, String)| Field { name: name.to_owned(), value };
        let mut fields = record.to_vec();
        match error {
            Some((error, hint)) => {
                let hint = (!hint.is_empty()).then(|| ("hint", text(hint)));
                fields.extend(std::iter::once(("error", text(error))).chain(hint).map(field));
            }
            // Reports hold text and numbers only, which are always JSON.
            None => fields.extend(
                serde_json::to_string(self).ok().and_then(|made| jsonl::fields(&made).ok()).into_iter().flatten(),
            ),
        }
        jsonl::object(&fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str, value: &str) -> Field {
        Field { name: name.to_owned(), value: value.to_owned() }
    }

    #[test]
    fn fields_are_those_of_the_command_line() {
        let report = Report { id: "a".to_owned(), input: "-".to_owned(), ..Report::default() };
        let expected = concat!(
            r#"{"id":"a","input":"-","date":null,"title":null,"detected":null,"translation":null,"summary":null,"method":null,"#,
            r#""summary_passes":null,"summary_parts":null,"summary_flags":[],"summary_notes":[],"#,
            r#""segments":[],"models":{"translation":null,"summary":null},"warnings":[]}"#
        );
        assert_eq!(report.json().unwrap(), expected);
    }

    #[test]
    fn a_record_keeps_its_fields_and_gets_what_was_made() {
        let fields = vec![
            field("n", "2.50"),
            field("id", "7"),
            field("summary", r#""as it was""#),
            field("translation", r#""old""#),
            field("warnings", r#"["mine"]"#),
        ];
        let translation = Some("new".to_owned());
        let json = Report { id: "7".to_owned(), translation, fields, ..Report::default() }.json().unwrap();
        assert!(json.starts_with(r#"{"id":7,"#) && json.ends_with(r#""n":2.50}"#), "{json}");
        assert!(json.contains(r#""translation":"new","summary":"as it was""#), "{json}");
        assert!(json.contains(r#""warnings":["mine"]"#), "{json}");
    }
}
