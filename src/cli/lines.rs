//! Runs over lines: `generate`, and `translate --input-format lines`.
//!
//! Invariant: the output has one line for each line of the input, in their order. A line that cannot be processed
//! gives an empty line and a failure. A line ends at LF or CRLF and is not trimmed.

use std::io::BufRead;
use std::ops::ControlFlow;

use anyhow::{Context, Result, anyhow};
use kortom::check::FlagCount;
use kortom::detect::Detected;
use kortom::engine::Alternative;
use kortom::error::{self, Error, WithHint};
use kortom::pipeline::Models;
use kortom::render::{Body, ReportFormat};
use kortom::report::LineReport;
use kortom::translate::Segment;

use super::detection;
use super::inputs::{Failure, Source};
use super::windows::{Emit, Piece, Reader, Work};

/// A function that makes a segment of each line, given the language that was detected for them.
pub type LineModel<'a> = Box<dyn Fn(&[&str], Option<&str>) -> Result<Vec<Segment>> + 'a>;

/// The work on lines.
pub struct Lines<'a> {
    /// The model.
    pub model: LineModel<'a>,
    /// Whether several outputs for each line were requested.
    pub n_best: bool,
    /// Whether the language of each source is detected, from all its lines together.
    pub detects: bool,
    /// The models, for their notices.
    pub models: &'a Models,
}

/// One line, or why it cannot be processed.
pub struct Line {
    source: String,
    error: Option<anyhow::Error>,
    name: String,
    output: ReportFormat,
    detected: Option<Detected>,
    /// Whether the line is the first of its source.
    first: bool,
}

impl Work for Lines<'_> {
    type Item = Line;

    fn reader(&self) -> Reader<Line> {
        if self.detects { Box::new(read_all) } else { Box::new(read_lines) }
    }

    fn work(&mut self, mut lines: Vec<Line>) -> Vec<Result<Piece, Failure>> {
        match self.segments(&lines) {
            Ok(segments) => {
                let mut segments = segments.into_iter();
                lines.into_iter().map(|line| Ok(self.piece(line, &mut segments))).collect()
            }
            Err(error) if lines.len() == 1 => {
                let failed = |line| Line { error: Some(error), ..line };
                lines.pop().map(failed).map(|line| Ok(self.piece(line, &mut std::iter::empty()))).into_iter().collect()
            }
            Err(_) => {
                let rest = lines.split_off(lines.len() / 2);
                let mut pieces = self.work(lines);
                pieces.extend(self.work(rest));
                pieces
            }
        }
    }

    fn notices(&self) -> Vec<String> {
        self.models.notices()
    }
}

impl Lines<'_> {
    /// A segment for each line that is given to the model; neighbouring lines of one language share a call.
    fn segments(&self, lines: &[Line]) -> Result<Vec<Segment>> {
        let mut segments = Vec::new();
        for run in lines.chunk_by(|one, next| one.language() == next.language()) {
            let asked: Vec<&str> = run.iter().filter(|line| line.is_asked()).map(|line| line.source.as_str()).collect();
            if !asked.is_empty() {
                segments.extend((self.model)(&asked, run[0].language())?);
            }
        }
        Ok(segments)
    }

    fn piece(&self, line: Line, segments: &mut dyn Iterator<Item = Segment>) -> Piece {
        let segment = if line.is_asked() { segments.next() } else { None };
        let mut report = LineReport { hypotheses: self.n_best.then(Vec::new), ..LineReport::default() };
        let missing = line.is_asked() && segment.is_none();
        let failure = line.error.or_else(|| missing.then(|| anyhow!("the model gave no result")));
        let segments = segment.iter().filter(|_| !self.detects).cloned().collect();
        if let Some(segment) = segment {
            fill(&mut report, segment, self.n_best);
        }
        if let Some(failure) = &failure {
            let (causes, hints) = error::parts(failure.as_ref());
            report.error = Some(causes);
            report.hint = (!hints.is_empty()).then(|| hints.join(error::HINT));
        }
        report.source = line.source;
        report.detected = line.detected;
        let mut flags = FlagCount::default();
        flags.segment(&report.flags);
        Piece {
            name: line.name.clone(),
            body: Body::Text(line.output.line(&report)),
            segments,
            flags,
            tokens: report.tokens,
            warnings: Vec::new(),
            notice: line
                .detected
                .filter(|_| line.first)
                .map(|found| detection::told(line.name.trim_end_matches(":1"), found)),
            failure: failure.map(|error| Failure { name: line.name, error }),
            passes: None,
        }
    }
}

/// Copies a segment into the report of a line, with its hypotheses if several outputs were requested.
pub fn fill(report: &mut LineReport, segment: Segment, n_best: bool) {
    report.target = segment.target;
    report.score = segment.score;
    report.tokens = segment.tokens;
    report.flags = segment.flags;
    report.notes = segment.notes;
    report.from = segment.from;
    report.similar = segment.similar;
    report.alignment = segment.alignment;
    if n_best {
        let mut hypotheses = segment.hypotheses;
        if let (true, Some(score)) = (hypotheses.is_empty(), segment.score) {
            hypotheses.push(Alternative { text: report.target.clone(), score });
        }
        report.hypotheses = Some(hypotheses);
    }
}

impl Line {
    /// The line's name and text, or why it cannot be processed.
    pub fn into_text(self) -> Result<(String, String), Failure> {
        match self.error {
            None => Ok((self.name, self.source)),
            Some(error) => Err(Failure { name: self.name, error }),
        }
    }

    /// Whether the line is given to the model: it is valid and not empty.
    fn is_asked(&self) -> bool {
        self.error.is_none() && !self.source.is_empty()
    }

    fn language(&self) -> Option<&'static str> {
        self.detected.map(|found| found.language)
    }
}

/// Reads a whole source before its first line is processed, because its language is detected from all its lines.
fn read_all(source: &Source, emit: &mut Emit<'_, Line>) {
    let mut lines = Vec::new();
    read_lines(source, &mut |line| {
        lines.push(line);
        ControlFlow::Continue(())
    });
    let texts: Vec<&str> = lines.iter().flatten().map(|(line, _)| line.source.as_str()).collect();
    let found = detection::detect(&texts.join("\n")).map_err(Error::from);
    for mut read in lines {
        if let Ok((line, _)) = &mut read {
            match &found {
                Ok(found) => line.detected = *found,
                Err(error) => line.error = Some(error.clone().into()),
            }
        }
        if emit(read) == ControlFlow::Break(()) {
            return;
        }
    }
}

/// Reads a source line by line.
pub fn read_lines(source: &Source, emit: &mut Emit<'_, Line>) {
    let mut reader = match source.open() {
        Ok(reader) => reader,
        Err(error) => {
            let _ = emit(Err(Failure { name: source.name.clone(), error }));
            return;
        }
    };
    let mut offset = 0;
    for number in 1.. {
        let mut bytes = Vec::new();
        let length = match reader.read_until(b'\n', &mut bytes).context("cannot read on") {
            Ok(0) => return,
            Ok(length) => length,
            Err(error) => {
                let _ = emit(Err(Failure { name: source.name.clone(), error }));
                return;
            }
        };
        let name = format!("{}:{number}", source.name);
        let (text, error) = text_of(bytes, offset);
        let line = Line { source: text, error, name, output: source.output, detected: None, first: number == 1 };
        offset += length;
        if emit(Ok((line, length))) == ControlFlow::Break(()) {
            return;
        }
    }
}

/// The text of a line without its line end, and an error if it is not UTF-8. `offset` is the byte of the source at
/// which the line begins.
fn text_of(mut bytes: Vec<u8>, offset: usize) -> (String, Option<anyhow::Error>) {
    if bytes.ends_with(b"\n") {
        bytes.pop();
        if bytes.ends_with(b"\r") {
            bytes.pop();
        }
    }
    match String::from_utf8(bytes) {
        Ok(text) => (text, None),
        Err(error) => {
            let at = offset + error.utf8_error().valid_up_to();
            let hint = "convert it first, for instance with `iconv -f WINDOWS-1252 -t UTF-8`";
            let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
            (text, Some(anyhow!(format!("not valid UTF-8 at byte {at}").with_hint(hint))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upper(models: &Models) -> Lines<'_> {
        let model = |lines: &[&str], _: Option<&str>| {
            let segment = |line: &&str| Segment {
                source: (*line).to_owned(),
                target: line.to_uppercase(),
                score: Some(-0.5),
                tokens: 1,
                ..Segment::default()
            };
            anyhow::ensure!(!lines.contains(&"boom"), "this line is too much");
            Ok(lines.iter().map(segment).collect())
        };
        Lines { model: Box::new(model), n_best: false, detects: false, models }
    }

    fn lines(bytes: &[u8]) -> Vec<Line> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("in.txt");
        std::fs::write(&path, bytes).unwrap();
        let found = super::super::inputs::find(
            &[path],
            super::super::options::InputFormat(Some(kortom::document::Format::Lines)),
            None,
        )
        .unwrap();
        let mut lines = Vec::new();
        read_lines(&found.sources[0], &mut |line| {
            lines.push(line.unwrap_or_else(|failure| panic!("{}", failure.error)).0);
            ControlFlow::Continue(())
        });
        lines
    }

    fn text(body: &Body) -> &str {
        match body {
            Body::Text(text) => text,
            Body::Document(_) => "",
        }
    }

    #[test]
    fn every_line_gives_one_line() {
        let pieces = upper(&Models::default()).work(lines(b"a\r\n\n b \nboom\ncaf\xe9\nc"));
        let pieces: Vec<Piece> = pieces.into_iter().filter_map(Result::ok).collect();
        let text: Vec<&str> = pieces.iter().map(|piece| text(&piece.body)).collect();
        assert_eq!(text, ["A\n", "\n", " B \n", "\n", "\n", "C\n"]);
        let failures: Vec<_> = pieces.iter().filter_map(|piece| piece.failure.as_ref()).collect();
        assert_eq!(failures.len(), 2);
        assert_eq!(failures[0].error.to_string(), "this line is too much");
        assert!(failures[1].error.to_string().starts_with("not valid UTF-8 at byte 16\n"), "{}", failures[1].error);
        assert!(failures[1].name.ends_with("in.txt:5"));
    }
}
