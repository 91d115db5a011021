//! Articles in JSON Lines: one object per line, one field of it the article.
//!
//! Invariant: fields pass through as they were written, in their order; numbers are never read, so none
//! is rounded. A bad line is an error that names its number, and the lines after it are read as if it
//! had not been there. Only one line is held at a time.

use std::io::BufRead;

use anyhow::{Context, Result, anyhow, bail};
use serde::de::IgnoredAny;
use serde_json::Value;

use super::{Document, Format, decode};

/// One field of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Its value: JSON, as it was written.
    pub value: String,
}

/// The records of a stream: `Err` for a line that is not one, then on with the next.
pub struct Records<R> {
    reader: R,
    input: String,
    field: String,
    line: usize,
    failed: bool,
    broken: Option<Document>,
}

impl<R: BufRead> Records<R> {
    /// Reads from `reader`; `input` names it in messages, `field` is the one that holds the article.
    pub fn new(reader: R, input: &str, field: &str) -> Self {
        Self { reader, input: input.to_owned(), field: field.to_owned(), line: 0, failed: false, broken: None }
    }

    /// The number of the line that was read last, from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// What could be read of the line that was the last and no record: its fields, or else all of it as the field
    /// `record`. None after a record, and where the stream itself could not be read.
    pub fn take_broken(&mut self) -> Option<Document> {
        self.broken.take()
    }
}

impl<R: BufRead> Iterator for Records<R> {
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
            let record = record(&bytes, &self.input, &self.field);
            self.broken = record.is_err().then(|| broken(&bytes, &self.input));
            return Some(record.with_context(|| format!("line {} of `{}`", self.line, self.input)));
        }
        None
    }
}

/// One line's document.
fn record(bytes: &[u8], input: &str, field: &str) -> Result<Document> {
    let line = decode(without_mark(bytes).to_owned())?;
    let fields = fields(&line).map_err(|error| {
        anyhow!(
            "not a JSON object: {error}\nhint: each line of a .jsonl file is one JSON object, complete on that line"
        )
    })?;
    let Some(article) = fields.iter().find(|known| known.name == field) else {
        let names: Vec<_> = fields.iter().map(|known| format!("`{}`", known.name)).collect();
        bail!(
            "no field `{field}`\nhint: name the field that holds the article with `--field`; there is {}",
            if names.is_empty() { "none".to_owned() } else { names.join(", ") }
        );
    };
    let Ok(text) = serde_json::from_str::<String>(&article.value) else {
        bail!("the field `{field}` is not a text\nhint: an article is a JSON string");
    };
    if let Some(offset) = text.find('\0') {
        bail!("the field `{field}` holds a NUL character at offset {offset}\nhint: remove it, no article has one");
    }
    let mut document = Document::parse(input, &text, Format::Jsonl);
    document.id = id(&fields);
    document.fields = fields;
    Ok(document)
}

/// A line that is no record: an article without text, with its fields as far as there are any.
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

/// What a record calls itself.
fn id(fields: &[Field]) -> Option<String> {
    fields.iter().find(|known| known.name == "id").map(|id| plain(&id.value))
}

/// A value as one would say it: a string without its quotes, anything else as it is written.
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

/// The fields of an object in the order they were written, repeated names included. The parser is asked
/// only where each value ends: reading a value and writing it again would round its numbers.
pub(crate) fn fields(line: &str) -> Result<Vec<Field>> {
    // The whole line first: its error has the right column, and what follows can count on its form.
    serde_json::from_str::<IgnoredAny>(line)?;
    let Some(members) = line.trim_ascii_start().strip_prefix('{') else { bail!("it is another value") };
    let mut fields = Vec::new();
    let mut rest = members.trim_ascii_start();
    while rest.starts_with('"') {
        let name = value(&mut rest)?;
        rest = rest[1..].trim_ascii_start();
        let value = value(&mut rest)?.to_owned();
        rest = rest[1..].trim_ascii_start();
        fields.push(Field { name: serde_json::from_str(name)?, value });
    }
    Ok(fields)
}

/// Takes one value off the front of `rest`, and the space after it.
fn value<'a>(rest: &mut &'a str) -> Result<&'a str> {
    let mut values = serde_json::Deserializer::from_str(rest).into_iter::<IgnoredAny>();
    values.next().transpose()?;
    let (value, after) = rest.split_at(values.byte_offset());
    *rest = after.trim_ascii_start();
    Ok(value)
}
