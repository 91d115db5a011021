//! Runs of `generate` over JSON Lines: the field `text` of each record is one source, and its field `generate`, if it has one, says
//! how that is to be decoded. So one process answers any number of different requests; the Python package is made of this.
//!
//! Invariant: every record gives one record in its place, with its own fields and the result, or with an `error`.
//! Neighbouring records with equal `generate` fields share batches.

use std::ops::ControlFlow;

use anyhow::{Context, Result, anyhow, bail};
use kortom::check::FlagCount;
use kortom::document::jsonl::{Field, JsonlRecords as Lines};
use kortom::engine::Request;
use kortom::engine::settings::Caller;
use kortom::error::{self, WithHint};
use kortom::pipeline::LoadedModel;
use kortom::render::{Body, ReportFormat};
use kortom::report::LineReport;
use kortom::translate::Segment;
use serde::Deserialize;
use serde_json::Value;

use super::inputs::{Failure, Source};
use super::lines::fill;
use super::windows::{Emit, Piece, Reader, Work};

/// The name of the field that says how a record is decoded.
const CALL: &str = "generate";

/// The `generate` field of a record: how the record is decoded.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Call {
    /// Decode as the pipeline of transformers 4 for this task does.
    task: Option<String>,
    /// Settings under transformers' names.
    settings: Option<Value>,
    /// The settings that the pipeline was created with, under transformers' names.
    defaults: Option<Value>,
    from: Option<String>,
    to: Option<String>,
    prefix: Option<String>,
    /// Whether sources are truncated to the length that the checkpoint's tokenizer allows.
    truncation: bool,
    clean_up_tokenization_spaces: Option<bool>,
}

/// The work on records.
pub struct Records<'a> {
    /// The model.
    pub model: &'a LoadedModel,
    /// The field that holds the source.
    pub field: String,
    /// Whether several outputs were requested on the command line.
    pub n_best: bool,
}

/// One record, or why it cannot be processed.
pub struct Record {
    text: String,
    fields: Vec<Field>,
    error: Option<anyhow::Error>,
    name: String,
    output: ReportFormat,
}

impl Work for Records<'_> {
    type Item = Record;

    fn reader(&self) -> Reader<Record> {
        let field = self.field.clone();
        Box::new(move |source, emit| read(source, &field, emit))
    }

    fn work(&mut self, records: Vec<Record>) -> Vec<Result<Piece, Failure>> {
        let mut pieces = Vec::with_capacity(records.len());
        let mut records = records.into_iter().peekable();
        while let Some(first) = records.next() {
            let mut same = vec![first];
            while let Some(next) = records.next_if(|next| next.call() == same[0].call()) {
                same.push(next);
            }
            pieces.extend(self.together(same));
        }
        pieces
    }

    fn notices(&self) -> Vec<String> {
        self.model.notices()
    }
}

impl Records<'_> {
    /// Works on records with equal `generate` fields. If they fail together, each is tried alone.
    fn together(&self, records: Vec<Record>) -> Vec<Result<Piece, Failure>> {
        let asked: Vec<&str> =
            records.iter().filter(|record| record.error.is_none()).map(|record| record.text.as_str()).collect();
        let call = records.first().and_then(Record::call).map(str::to_owned);
        match self.generate(call.as_deref(), &asked) {
            Ok((segments, n_best)) => {
                let mut segments = segments.into_iter();
                let piece = |record: Record| {
                    let segment = if record.error.is_none() { segments.next() } else { None };
                    Ok(record.piece(segment, n_best))
                };
                records.into_iter().map(piece).collect()
            }
            Err(_) if records.len() > 1 => records.into_iter().flat_map(|record| self.together(vec![record])).collect(),
            Err(error) => {
                let failed = |record| Record { error: Some(error), ..record };
                records.into_iter().next().map(|record| Ok(failed(record).piece(None, false))).into_iter().collect()
            }
        }
    }

    /// A segment for each text, and whether the hypotheses of each are written.
    fn generate(&self, call: Option<&str>, texts: &[&str]) -> Result<(Vec<Segment>, bool)> {
        let call = call.map_or_else(|| Ok(Call::default()), read_call)?;
        if let Some(task) = call.task.as_deref().filter(|task| !is_task(task)) {
            bail!(format!("there is no task `{task}`").with_hint(
                "it is `translation`, `translation_nl_to_en` with any two languages, `summarization` or `text2text-generation`"
            ));
        }
        let truncation = call.truncation;
        let session = self.model.session_for(|request| call.into_request(request))?;
        let encode = |text: &&str| if truncation { session.encode_truncated(text) } else { session.encode(text) };
        let sources = texts.iter().map(encode).collect::<Result<Vec<_>>>()?;
        let options = &session.settings().options;
        let n_best = self.n_best || options.n_best > 1;
        let aligned = session.aligns().then(|| sources.clone());
        let generations = if options.sampling.is_some() {
            // A sampled output must depend on the record's seed only, so each record is a batch of its own.
            let alone = sources.into_iter().map(|source| session.generate_tokens(vec![source]));
            alone.collect::<Result<Vec<_>>>()?.concat()
        } else {
            session.generate_tokens(sources)?
        };
        let pairs: Vec<_> = texts.iter().copied().zip(&generations).collect();
        let alignments = aligned.map(|sources| session.align_tokens(&pairs, &sources)).transpose()?.unwrap_or_default();
        Ok((Segment::all_generated(texts, generations, &alignments), n_best))
    }
}

impl Call {
    /// The request for the model; `usual` is the request of the command line.
    fn into_request(self, usual: Request) -> Request {
        let pipeline = self.task.is_some();
        Request {
            call: self.settings,
            defaults: self.defaults,
            from: self.from.or(usual.from),
            to: self.to.or(usual.to),
            prefix: self.prefix.or(usual.prefix),
            // transformers' pipelines do not clean up spaces.
            clean_up: self.clean_up_tokenization_spaces.or(pipeline.then_some(false)),
            caller: if pipeline { Caller::Pipeline } else { usual.caller },
            task: self.task,
            ..usual
        }
    }
}

/// Whether transformers 4 has a pipeline of that name for these models.
fn is_task(name: &str) -> bool {
    let pair = name.strip_prefix("translation_").and_then(|pair| pair.split_once("_to_"));
    matches!(name, "translation" | "summarization" | "text2text-generation")
        || pair.is_some_and(|(from, to)| !from.is_empty() && !to.is_empty())
}

/// Reads the JSON of a `generate` field.
fn read_call(value: &str) -> Result<Call> {
    const HINT: &str = "it is an object such as {\"settings\": {\"num_beams\": 4}}";
    if !value.trim_start().starts_with('{') {
        bail!(format!("the field `{CALL}` is no object").with_hint(HINT));
    }
    serde_json::from_str(value)
        .map_err(|error| anyhow!(format!("the field `{CALL}` cannot be used: {error}").with_hint(HINT)))
}

impl Record {
    /// The `generate` field of the record, as JSON.
    fn call(&self) -> Option<&str> {
        self.fields.iter().find(|field| field.name == CALL).map(|field| field.value.as_str())
    }

    fn piece(self, segment: Option<Segment>, n_best: bool) -> Piece {
        let mut report = LineReport::default();
        let missing = self.error.is_none() && segment.is_none();
        let error = self.error.or_else(|| missing.then(|| anyhow!("the model gave no result")));
        if let Some(segment) = segment {
            fill(&mut report, segment, n_best);
        }
        report.source = self.text;
        let mut flags = FlagCount::default();
        flags.segment(&report.flags);
        let told = error.as_ref().map(|error| {
            let (causes, hints) = error::parts(error.as_ref());
            (causes, hints.join(error::HINT))
        });
        let mut text =
            report.json_in(&self.fields, told.as_ref().map(|(causes, hint)| (causes.as_str(), hint.as_str())));
        if self.output == ReportFormat::Jsonl {
            text.push('\n');
        }
        let failure = error.map(|error| Failure { name: self.name.clone(), error });
        Piece { name: self.name, body: Body::Text(text), flags, tokens: report.tokens, failure, ..Piece::default() }
    }
}

/// Reads a source record by record.
fn read(source: &Source, field: &str, emit: &mut Emit<'_, Record>) {
    let reader = match source.open() {
        Ok(reader) => reader,
        Err(error) => {
            let _ = emit(Err(Failure { name: source.name.clone(), error }));
            return;
        }
    };
    let mut lines = Lines::new(reader, &source.name, field);
    while let Some(line) = lines.next() {
        let name = format!("{}:{}", source.name, lines.line());
        let read = match line {
            Ok(document) => one(document.fields, field, name, source),
            Err(error) => match lines.take_broken() {
                // The line is in the name already.
                Some(document) => {
                    let error = Some(error::root(&error).into());
                    Ok(Record { text: String::new(), fields: document.fields, error, name, output: source.output })
                }
                None => Err(Failure { name, error }),
            },
        };
        let sized = read.map(|record| {
            let bytes = record.fields.iter().map(|field| field.name.len() + field.value.len()).sum();
            (record, bytes)
        });
        if emit(sized) == ControlFlow::Break(()) {
            return;
        }
    }
}

fn one(fields: Vec<Field>, field: &str, name: String, source: &Source) -> Result<Record, Failure> {
    let value = fields.iter().find(|known| known.name == field).context("a record without its text");
    match value.and_then(|value| Ok(serde_json::from_str(&value.value)?)) {
        Ok(text) => Ok(Record { text, fields, error: None, name, output: source.output }),
        Err(error) => Err(Failure { name, error }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_are_those_of_the_pipelines() {
        let known = ["translation", "translation_nl_to_en", "summarization", "text2text-generation"];
        assert!(known.into_iter().all(is_task));
        assert!(!["nope", "", "translation_nl", "translation__to_en"].into_iter().any(is_task));
    }

    #[test]
    fn a_call_that_is_no_object_is_refused_without_names_of_types() {
        for value in ["5", "null", "[]", "\"x\""] {
            let told = read_call(value).unwrap_err().to_string();
            assert!(told.starts_with("the field `generate` is no object") && told.contains("num_beams"), "{told}");
        }
    }
}
