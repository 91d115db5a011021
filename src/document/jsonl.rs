//! Articles in JSON Lines: one object per line, one field of it the article, or several that belong together.
//!
//! Invariant: fields pass through as they were written, in their order; numbers are never read, so none
//! is rounded. A bad line is an error that names its number, and the lines after it are read as if it
//! had not been there. Only one line is held at a time.

use std::io::BufRead;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;

use super::{Document, FieldFormat, Format, ReadOptions, decode, html, json, markdown};
use crate::error::WithHint;

/// One field of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The name.
    pub name: String,
    /// The value: JSON, as it was written.
    pub value: String,
}

/// The records of a stream: `Err` for a line that is not a record, after which the next line follows.
pub struct JsonlRecords<R> {
    reader: R,
    input: String,
    options: ReadOptions,
    line: usize,
    failed: bool,
    broken: Option<Document>,
}

impl<R: BufRead> JsonlRecords<R> {
    /// The records of `reader`. `input` is its name in messages, `field` the field that holds the article.
    pub fn new(reader: R, input: &str, field: &str) -> Self {
        Self::with(reader, input, ReadOptions { fields: vec![field.to_owned()], ..ReadOptions::default() })
    }

    /// The records of `reader`. `input` is its name in messages; the options name the fields that hold the article,
    /// and their format.
    pub fn with(reader: R, input: &str, options: ReadOptions) -> Self {
        Self { reader, input: input.to_owned(), options, line: 0, failed: false, broken: None }
    }

    /// The number of the line that was read last, from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// The readable part of the last line if it was not a record: its fields, or else the whole line as the field
    /// `record`. `None` after a record, and if the stream could not be read.
    pub fn take_broken(&mut self) -> Option<Document> {
        self.broken.take()
    }
}

impl<R: BufRead> Iterator for JsonlRecords<R> {
    type Item = Result<Document>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.failed {
            let mut bytes = Vec::new();
            self.line += 1;
            match self.reader.read_until(b'\n', &mut bytes) {
                Ok(0) => return None,
                Ok(_) => {}
                Err(error) => {
                    self.failed = true;
                    return Some(Err(anyhow!(error).context(format!("cannot read `{}`", self.input))));
                }
            }
            if bytes.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let record = record(&bytes, &self.input, &self.options);
            self.broken = record.is_err().then(|| broken(&bytes, &self.input));
            return Some(record.with_context(|| format!("line {} of `{}`", self.line, self.input)));
        }
        None
    }
}

/// The document of one line.
fn record(bytes: &[u8], input: &str, options: &ReadOptions) -> Result<Document> {
    let line = decode(without_mark(bytes).to_owned())?;
    let fields = fields(&line).map_err(|error| {
        anyhow!(
            format!("not a JSON object: {error}")
                .with_hint("each line of a .jsonl file is one JSON object, complete on that line")
        )
    })?;
    let wanted: Vec<&str> = options.fields().collect();
    let mut parts = Vec::with_capacity(wanted.len());
    for name in &wanted {
        if let Some(text) = text(&line, &fields, name, wanted.len() > 1)? {
            parts.push(((*name).to_owned(), part(input, &text, options.field_format)));
        }
    }
    if parts.is_empty() {
        let names: Vec<_> = fields.iter().map(|known| format!("`{}`", known.name)).collect();
        bail!(format!("no field `{}`", wanted.join("`, `")).with_hint(format!(
            "name the field that holds the article with `--field`; there is {}",
            if names.is_empty() { "none".to_owned() } else { names.join(", ") }
        )));
    }
    let mut document = match (parts.pop(), wanted.len()) {
        (Some((_, part)), 1) => part,
        (last, _) => Document::of_sections(parts.into_iter().chain(last).collect()),
    };
    document.id = id(&fields);
    document.fields = fields;
    Ok(document)
}

/// The text in the field of this name, or at the end of this path through objects; none where there is no such field, or where
/// there may be others and this one is `null`.
fn text(line: &str, fields: &[Field], name: &str, is_one_of_several: bool) -> Result<Option<String>> {
    let value = match fields.iter().find(|known| known.name == name) {
        Some(field) => field.value.as_str(),
        None => match json::at_path(line, 0..line.len(), name).filter(|_| name.contains('.')) {
            Some(place) => &line[place],
            None => return Ok(None),
        },
    };
    if is_one_of_several && value == "null" {
        return Ok(None);
    }
    let Ok(text) = serde_json::from_str::<String>(value) else {
        bail!(format!("the field `{name}` is not a text").with_hint("an article is a JSON string"));
    };
    if let Some(offset) = text.find('\0') {
        bail!(
            format!("the field `{name}` holds a NUL character at offset {offset}")
                .with_hint("remove it, no article has one")
        );
    }
    Ok(Some(text))
}

/// The text of a field as a document.
fn part(input: &str, text: &str, format: FieldFormat) -> Document {
    let blocks = match format {
        FieldFormat::Text => return Document::parse(input, text, Format::Jsonl),
        FieldFormat::Markdown => markdown::blocks(text),
        FieldFormat::Html => html::all(text),
    };
    Document { field_format: format, ..Document::assemble(input, text, Format::Jsonl, blocks) }
}

/// The document of a line that is not a record: without text, and with its fields if it has any.
fn broken(bytes: &[u8], input: &str) -> Document {
    let line = String::from_utf8_lossy(without_mark(bytes));
    let line = line.trim_end_matches(['\r', '\n']);
    let mut document = Document::parse(input, "", Format::Jsonl);
    document.fields = fields(line).unwrap_or_else(|_| {
        vec![Field { name: "record".to_owned(), value: Value::String(line.to_owned()).to_string() }]
    });
    document.id = id(&document.fields);
    document
}

/// A line without the byte order mark in front of it.
fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes)
}

/// The `id` of a record.
fn id(fields: &[Field]) -> Option<String> {
    fields.iter().find(|known| known.name == "id").map(|id| plain(&id.value))
}

/// A value as text: a string without its quotes, anything else as it is written.
fn plain(value: &str) -> String {
    serde_json::from_str(value).unwrap_or_else(|_| value.to_owned())
}

/// One object made of these fields, on one line; a later field of the same name replaces an earlier
/// one where that stands.
#[must_use]
pub fn object(fields: &[Field]) -> String {
    let mut last: Vec<&Field> = Vec::with_capacity(fields.len());
    for field in fields {
        match last.iter_mut().find(|known| known.name == field.name) {
            Some(known) => *known = field,
            None => last.push(field),
        }
    }
    let members: Vec<_> =
        last.iter().map(|field| format!("{}:{}", Value::String(field.name.clone()), field.value)).collect();
    format!("{{{}}}", members.join(","))
}

/// The fields of an object in the order they were written, repeated names included.
pub(crate) fn fields(line: &str) -> Result<Vec<Field>> {
    let members = json::members(line, 0..line.len())?.into_iter();
    Ok(members.map(|(name, place)| Field { name, value: line[place].to_owned() }).collect())
}
