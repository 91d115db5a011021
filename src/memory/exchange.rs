//! Exchange of translations with other programs: tables, TMX, and reports of kortom that a person corrected.
//!
//! Invariant: formats that are read unit by unit hold one unit in memory. A paragraph becomes one unit for each
//! sentence if it has as many sentences as its translation; otherwise it becomes one unit without a target, which is
//! left out.

use std::io::{BufRead, Read, Write};
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use serde_json::Value;

use super::TranslationUnit;
use crate::document::tmx::{self, TmxReader, Variant};
use crate::document::{Block, BlockKind, Document, page_pairs};
use crate::error::{Explain, WithHint};
use crate::language::Code;
use crate::segment::{self, Language};

/// A format that units are read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExchangeFormat {
    /// A table: source, tab and target on each line.
    Tsv,
    /// A translation memory (TMX 1.4).
    Tmx,
    /// Reports of kortom, `--format json` or `jsonl`.
    Json,
    /// A page of kortom, `--format html`.
    Html,
}

/// An iterator over units, which reads them one by one.
pub type Units<'a> = Box<dyn Iterator<Item = Result<TranslationUnit>> + 'a>;

impl ExchangeFormat {
    /// The format of a file, by the extension of its name.
    #[must_use]
    pub fn of_path(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "tsv" | "tab" | "txt" => Some(Self::Tsv),
            "tmx" => Some(Self::Tmx),
            "json" | "jsonl" => Some(Self::Json),
            "html" | "htm" => Some(Self::Html),
            _ => None,
        }
    }

    /// Whether files of this format are reports, which also have translations that no person looked at.
    #[must_use]
    pub fn is_report(self) -> bool {
        matches!(self, Self::Json | Self::Html)
    }

    /// Reads the units of `source`. Their languages are `from` and `to` unless the source names them itself.
    ///
    /// # Errors
    /// When the source cannot be read, or is in another format.
    pub fn read<'a>(self, source: impl BufRead + 'a, from: &'a str, to: &'a str) -> Result<Units<'a>> {
        Ok(match self {
            Self::Tsv => Box::new(rows(source, from, to)),
            Self::Tmx => {
                let (from, to) = (Code::parse(from), Code::parse(to));
                Box::new(TmxReader::new(source)?.map(move |unit| Ok(between(&unit?, &from, &to))))
            }
            Self::Json => Box::new(reports(source, from, to)),
            Self::Html => Box::new(page(source)?.into_iter().map(Ok)),
        })
    }
}

/// The units of a table: its first two columns.
fn rows<'a>(
    source: impl BufRead + 'a,
    from: &'a str,
    to: &'a str,
) -> impl Iterator<Item = Result<TranslationUnit>> + 'a {
    let row = move |(at, line): (usize, std::io::Result<Vec<u8>>)| -> Result<Option<TranslationUnit>> {
        let mut line = line.context("cannot read on")?;
        if at == 0 && line.starts_with(b"\xef\xbb\xbf") {
            line.drain(..3);
        }
        let line = String::from_utf8(line).map_err(|_| {
            anyhow!(
                "it is not valid UTF-8"
                    .with_hint("convert it first, for instance with `iconv -f WINDOWS-1252 -t UTF-8`")
            )
        })?;
        let line = line.trim_end_matches('\r');
        if line.trim().is_empty() {
            return Ok(None);
        }
        let mut cells = line.split('\t');
        let (source, target) = cells.next().zip(cells.next()).explain(|| {
            "there is no tabulator in it".with_hint("each line has a source, a tabulator and its translation")
        })?;
        Ok(Some(TranslationUnit::new((from, to), source, target)))
    };
    let lines = source.split(b'\n').enumerate();
    lines.filter_map(move |(at, line)| row((at, line)).with_context(|| format!("line {}", at + 1)).transpose())
}

/// The unit between two languages from the variants of a TMX unit; empty if one of the languages is missing.
fn between(variants: &[Variant], from: &Code, to: &Code) -> TranslationUnit {
    let of = |language: &Code| variants.iter().find(|variant| Code::parse(&variant.language).serves(language));
    match of(from).zip(of(to)) {
        Some((source, target)) => {
            TranslationUnit::new((&source.language, &target.language), &source.text, &target.text)
        }
        None => TranslationUnit::new((from.short(), to.short()), "", ""),
    }
}

/// The units of reports: of an array of objects, or of one object after another.
fn reports<'a>(
    source: impl Read + 'a,
    from: &'a str,
    to: &'a str,
) -> impl Iterator<Item = Result<TranslationUnit>> + 'a {
    let values = serde_json::Deserializer::from_reader(source).into_iter::<Value>();
    let units = move |value: serde_json::Result<Value>| -> Vec<Result<TranslationUnit>> {
        let objects = match value {
            Ok(Value::Array(objects)) => objects,
            Ok(object) => vec![object],
            Err(error) => return vec![Err(error).context("it is no JSON")],
        };
        objects.iter().flat_map(|object| segments(object, from, to)).map(Ok).collect()
    };
    values.flat_map(units)
}

/// The units of the object of an article, or the one of the object of a line.
fn segments(object: &Value, from: &str, to: &str) -> Vec<TranslationUnit> {
    let detected = object["detected"]["language"].as_str();
    let unit = |segment: &Value| {
        let (source, target) = segment["source"].as_str().zip(segment["target"].as_str())?;
        Some(TranslationUnit::new((detected.unwrap_or(from), to), source, target))
    };
    match object["segments"].as_array() {
        Some(segments) => segments.iter().filter_map(unit).collect(),
        None => unit(object).into_iter().collect(),
    }
}

/// The units of an HTML page of kortom, a sentence each.
fn page(mut source: impl Read) -> Result<Vec<TranslationUnit>> {
    let mut page = String::new();
    source.read_to_string(&mut page).context("cannot read it")?;
    let pairs = page_pairs(&page);
    if pairs.is_empty() {
        return Err(anyhow!(
            "it is no page that kortom made".with_hint("of other pages, name the source too: `--source FILE`")
        ));
    }
    Ok(pairs.iter().flat_map(|pair| sentences((&pair.from, &pair.to), &pair.source, &pair.target)).collect())
}

/// The units of a paragraph and its translation, a sentence each; one unit without a target if their numbers differ.
fn sentences(languages: (&str, &str), source: &str, target: &str) -> Vec<TranslationUnit> {
    let of = |text: &str, language: &str| -> Vec<String> {
        segment::sentences(text, Language::of(language)).into_iter().map(|range| text[range].to_owned()).collect()
    };
    let (sources, targets) = (of(source, languages.0), of(target, languages.1));
    if sources.len() != targets.len() {
        return vec![TranslationUnit::new(languages, source, "")];
    }
    sources.iter().zip(&targets).map(|(source, target)| TranslationUnit::new(languages, source, target)).collect()
}

/// The paragraphs of a source with those of its bilingual translation. There each paragraph stands in both languages, or once
/// where it was copied. `None` if the translation is not bilingual: if some paragraph of the source is not in it.
fn bilingual<'b>(sources: &'b [Block], targets: &'b [Block]) -> Option<Vec<(&'b Block, &'b Block)>> {
    let is_same = |one: &Block, other: &Block| one.text.split_whitespace().eq(other.text.split_whitespace());
    let mut rest = targets.iter().peekable();
    let mut pairs = Vec::with_capacity(sources.len());
    for (place, source) in sources.iter().enumerate() {
        if source.kind == BlockKind::Title {
            pairs.push((source, rest.next()?));
            continue;
        }
        let copy = rest.next().filter(|copy| is_same(copy, source))?;
        let next = sources.get(place + 1);
        let ours = rest.next_if(|ours| ours.kind != BlockKind::Title && next.is_none_or(|next| !is_same(ours, next)));
        pairs.push((source, ours.unwrap_or(copy)));
    }
    rest.next().is_none().then_some(pairs)
}

impl TranslationUnit {
    fn new((from, to): (&str, &str), source: &str, target: &str) -> Self {
        let [from, to, source, target] = [from, to, source, target].map(str::to_owned);
        Self { from, to, source, target, corrected: true }
    }

    /// The units of a document and its translation, a sentence each. The translation may be bilingual: with paragraphs of the
    /// source above its own.
    ///
    /// # Errors
    /// When the two have different numbers of paragraphs.
    pub fn of_documents(source: &Document, target: &Document, languages: (&str, &str)) -> Result<Vec<Self>> {
        let (sources, targets) = (&source.blocks, &target.blocks);
        let pairs: Vec<(&Block, &Block)> = if sources.len() == targets.len() {
            sources.iter().zip(targets).collect()
        } else if let Some(pairs) = bilingual(sources, targets) {
            pairs
        } else {
            let counts = format!(
                "`{}` has {} paragraphs and `{}` has {}",
                source.name(),
                sources.len(),
                target.name(),
                targets.len()
            );
            return Err(anyhow!(counts.with_hint("both must have the same ones, in the same order")));
        };
        let pairs = pairs.into_iter().filter(|(source, _)| source.kind.is_translated());
        Ok(pairs.flat_map(|(source, target)| sentences(languages, &source.text, &target.text)).collect())
    }

    /// Writes the unit as a line of a table.
    ///
    /// # Errors
    /// When writing fails.
    pub fn write_tsv(&self, out: &mut dyn Write) -> Result<()> {
        let cell = |text: &str| text.replace(['\t', '\n', '\r'], " ");
        Ok(writeln!(out, "{}\t{}", cell(&self.source), cell(&self.target))?)
    }

    /// Writes the unit as an element of TMX.
    ///
    /// # Errors
    /// When writing fails.
    pub fn write_tmx(&self, out: &mut dyn Write) -> Result<()> {
        let variant = |language: &str, text: &str| Variant { language: language.to_owned(), text: text.to_owned() };
        let said: &[_] = if self.corrected { &[("x-origin", "correction".to_owned())] } else { &[] };
        let unit = tmx::unit(said, &variant(&self.from, &self.source), &variant(&self.to, &self.target));
        Ok(out.write_all(unit.as_bytes())?)
    }
}
