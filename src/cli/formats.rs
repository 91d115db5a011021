//! The formats of inputs and outputs, and which of them do not go together.
//!
//! Invariant: after these functions every source has the format in which it is read and the one in which it is
//! written.

use anyhow::{Result, bail};
use kortom::document;
use kortom::engine::settings::Overrides;
use kortom::error::WithHint;
use kortom::pipeline::PipelineTask;
use kortom::render::{Additions, ReportFormat};

use super::inputs::{Found, Source};
use super::options::{AdditionOptions, InputOptions};
use super::settings::SettingsFile;
use super::sink::Destination;

/// Whether a format of output can have one line for each line of the input.
pub fn is_for_lines(format: ReportFormat) -> bool {
    matches!(format, ReportFormat::Text | ReportFormat::Json | ReportFormat::Jsonl)
}

/// Refuses options that cannot be used with lines, and options that can only be used with lines.
pub fn check_lines(task: PipelineTask, typed: &Overrides, lines: bool, format: Option<ReportFormat>) -> Result<()> {
    if lines && matches!(task, PipelineTask::Digest | PipelineTask::Summarize) {
        bail!(
            "lines are no articles, so there is nothing to summarise"
                .with_hint("use `kortom translate --input-format lines`, or `kortom generate` for a model of your own")
        );
    }
    if let Some(format) = format.filter(|format| lines && !is_for_lines(*format)) {
        bail!(format!("lines cannot be written as {}", format.name()).with_hint("use --format text, json or jsonl"));
    }
    if let Some(format) = format
        .filter(|format| task == PipelineTask::Summarize && matches!(format, ReportFormat::Tmx | ReportFormat::Tsv))
    {
        bail!(
            format!("a summary has no segments to be written as {}", format.name())
                .with_hint("use it with `translate`")
        );
    }
    let records = task == PipelineTask::Generate && !lines;
    if records && !matches!(format, None | Some(ReportFormat::Json | ReportFormat::Jsonl)) {
        bail!("records come out as JSON only".with_hint("leave out --format, or use --format json or jsonl"));
    }
    if typed.n_best.is_some() && !lines && !records {
        bail!("`--n-best` applies to lines only".with_hint("add --input-format lines, or use `kortom generate`"));
    }
    let several = typed.n_best.is_some_and(|n| n > 1);
    if several && !records && !matches!(format, Some(ReportFormat::Json | ReportFormat::Jsonl)) {
        bail!("several outputs for a line do not fit into text".with_hint("add --format jsonl"));
    }
    if typed.num_beams == Some(1) && typed.early_stopping.is_some() {
        bail!("`--early-stopping` applies to two beams or more".with_hint("leave it out, or raise --beam-size"));
    }
    Ok(())
}

/// Refuses options for reading a format that none of the inputs has.
pub fn check_inputs(input: &InputOptions, found: &Found) -> Result<()> {
    let lacks = |wanted: fn(document::Format) -> bool| {
        !found.sources.is_empty() && !found.sources.iter().any(|source| wanted(source.format))
    };
    if input.field.is_some() && lacks(|format| format.spec().has_fields()) {
        bail!(
            "`--field` applies to JSONL, CSV and TSV input only".with_hint("add --input-format jsonl, or leave it out")
        );
    }
    if input.field_format.is_some() && lacks(|format| format.spec().has_fields()) {
        bail!("`--field-format` applies to JSONL, CSV and TSV input only".with_hint("leave it out"));
    }
    if input.html_whole.is_some() && lacks(|format| format == document::Format::Html) {
        bail!("`--html-whole` applies to web pages only".with_hint("add --input-format html, or leave it out"));
    }
    if input.overwrite.is_some() && lacks(|format| format.spec().holds_translations()) {
        bail!("`--overwrite` applies to PO and XLIFF only, which hold translations".with_hint("leave it out"));
    }
    if input.max_unpacked.is_some() && lacks(|format| format.spec().is_binary()) {
        bail!("`--max-unpacked` applies to documents that are archives only, such as DOCX".with_hint("leave it out"));
    }
    Ok(())
}

/// Refuses a name of a document for an output that is none: a workbook has no room for a summary, so its digest is text.
///
/// # Errors
/// When the extension of the output is that of an archive, and its format another one.
pub fn check_name(destination: &Destination, found: &Found) -> Result<()> {
    let (Destination::File(path), Some(source)) = (destination, found.sources.first()) else { return Ok(()) };
    let named = document::Format::known(path).filter(|named| named.spec().is_binary());
    if let Some(named) = named.filter(|named| source.output != ReportFormat::Own(*named)) {
        let (output, extension) = (source.output.name(), source.output.extension());
        bail!(
            format!("`{}` has the extension of `{}`, and the output is `{output}`", path.display(), named.name())
                .with_hint(format!("end its name in `.{extension}`"))
        );
    }
    Ok(())
}

/// The additions to documents.
///
/// # Errors
/// When an addition was typed that none of the outputs can have.
pub fn additions(typed: &AdditionOptions, found: &Found, file: &SettingsFile) -> Result<Additions> {
    use document::Format::{Docx, Epub, Html, Odt};
    let lacks = |wanted: &[document::Format]| {
        let fits = |source: &Source| match source.output {
            ReportFormat::Html => wanted.contains(&Html) && source.format == Html,
            ReportFormat::Own(format) => wanted.contains(&format),
            _ => false,
        };
        !found.sources.is_empty() && !found.sources.iter().any(fits)
    };
    if typed.bilingual == Some(true) && lacks(&[Docx, Odt, Epub, Html]) {
        bail!(
            "`--bilingual` applies to DOCX, ODT, EPUB and web pages that stay what they are"
                .with_hint("leave it out, or leave out --format")
        );
    }
    if typed.comments == Some(true) && lacks(&[Docx, Odt]) {
        bail!(
            "`--comments` applies to DOCX and ODT that stay what they are"
                .with_hint("leave it out; --format html and json show what needs a look in others")
        );
    }
    let filled = file.fill(typed)?;
    Ok(Additions { comments: filled.comments == Some(true), bilingual: filled.bilingual == Some(true) })
}

/// Sets the output format of each source. Without a requested format each keeps its own. On standard output, sources
/// of different formats are all written as text.
pub fn set_outputs(task: PipelineTask, sources: &mut [Source], asked: Option<ReportFormat>, apart: bool) {
    let mixed =
        !apart && sources.windows(2).any(|pair| own(task, pair[0].format, apart) != own(task, pair[1].format, apart));
    for source in sources {
        source.output = match asked {
            Some(format) => format,
            None if mixed => ReportFormat::Text,
            None => own(task, source.format, apart),
        };
        let lines = source.format == document::Format::Lines;
        source.framing = if lines { source.output.line_framing() } else { source.output.framing() };
    }
}

/// The output format that is an input's own. A digest needs a format that can hold a summary, and keeps that of a
/// document only if outputs are files (`apart`).
fn own(task: PipelineTask, input: document::Format, apart: bool) -> ReportFormat {
    match input.written_as() {
        input if task == PipelineTask::Digest && apart && input.spec().takes_summary() => ReportFormat::Own(input),
        document::Format::Markdown => ReportFormat::Markdown,
        document::Format::Html => ReportFormat::Html,
        document::Format::Jsonl => ReportFormat::Jsonl,
        input if input.is_own() && task == PipelineTask::Translate => ReportFormat::Own(input),
        _ => ReportFormat::Text,
    }
}

/// The extension of a source's output: its own, if it stays in its format.
pub fn extension(source: &Source) -> String {
    let stays = |format: &document::Format| source.output == ReportFormat::Own(*format);
    let own = document::Format::known(&source.relative).filter(stays).and_then(|_| source.relative.extension());
    own.map_or_else(|| source.output.extension().to_owned(), |extension| extension.to_string_lossy().into_owned())
}
