//! `kortom memory import`: translations that people made or corrected.
//!
//! Invariant: one file that cannot be read takes nothing from the others; it is named, and gives exit code 1. Of a file
//! with a fault nothing is imported.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use kortom::document::{Content, Document, Format, ReadOptions};
use kortom::error::{Explain, WithHint};
use kortom::memory::{ExchangeFormat, Imported, Memory, TranslationUnit};

use super::super::inputs::Failure;
use super::super::options::MessageOptions;
use super::super::progress::Screen;
use super::super::settings::SettingsFile;
use super::MemoryFile;

/// `kortom memory import`.
#[derive(Args, Debug)]
pub struct ImportArgs {
    /// Files: .tsv, .tmx, reports of kortom (.json, .jsonl, .html); - for standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Format of the files [default: by their names]
    #[arg(long, value_name = "FORMAT")]
    format: Option<ImportFormat>,
    /// The document that FILE is a corrected translation of, paragraph by paragraph, in any format that kortom reads; FILE may
    /// be bilingual
    #[arg(long, value_name = "DOCUMENT", conflicts_with = "format")]
    source: Option<PathBuf>,
    /// Language of the sources, as a code, where the file does not say; of TMX, the one to take
    #[arg(long, value_name = "CODE", default_value = "nl")]
    from: String,
    /// Language of the translations, as a code, where the file does not say; of TMX, the one to take
    #[arg(long, value_name = "CODE", default_value = "en")]
    to: String,
    #[command(flatten)]
    file: MemoryFile,
    #[command(flatten)]
    messages: MessageOptions,
}

/// What files hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ImportFormat {
    /// Source, tabulator, translation on each line
    Tsv,
    /// A translation memory, TMX 1.4
    Tmx,
    /// Reports of kortom, one object after the other or an array of them
    Json,
    /// A page of kortom
    Html,
}

impl From<ImportFormat> for ExchangeFormat {
    fn from(format: ImportFormat) -> Self {
        match format {
            ImportFormat::Tsv => Self::Tsv,
            ImportFormat::Tmx => Self::Tmx,
            ImportFormat::Json => Self::Json,
            ImportFormat::Html => Self::Html,
        }
    }
}

/// Takes what the files hold.
pub fn run(args: &ImportArgs, settings: &SettingsFile) -> Result<ExitCode> {
    if args.source.is_some() && args.files.len() > 1 {
        bail!("a source has one translation".with_hint("give one file with --source"));
    }
    let screen = Screen::new(&args.messages);
    let memory = Memory::open(&args.file.path(settings)?)?;
    let mut code = ExitCode::SUCCESS;
    for path in &args.files {
        let name = path.display().to_string();
        match args.take(path, &memory) {
            Ok(imported) => screen.notice(format!("`{name}`: {}", told(imported))),
            Err(error) => {
                screen.failure(&Failure { name, error });
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}

impl ImportArgs {
    fn take(&self, path: &Path, memory: &Memory) -> Result<Imported> {
        if let Some(source) = &self.source {
            let units = TranslationUnit::of_documents(&document(source)?, &document(path)?, (&self.from, &self.to))?;
            return memory.import(units.into_iter().map(Ok), true);
        }
        let format = match self.format {
            Some(format) => format.into(),
            None => ExchangeFormat::of_path(path).explain(|| {
                "its name does not say what it holds"
                    .with_hint("say it with --format, or name the document that it is a translation of with --source")
            })?,
        };
        let source: Box<dyn BufRead> = if path.as_os_str() == "-" {
            Box::new(BufReader::new(io::stdin()))
        } else {
            Box::new(BufReader::with_capacity(1 << 16, File::open(path).context("cannot open the file")?))
        };
        // All is read before anything is taken, so that a file with a fault can be mended and imported anew.
        let units = format.read(source, &self.from, &self.to)?.collect::<Result<Vec<_>>>()?;
        memory.import(units.into_iter().map(Ok), format.is_report())
    }
}

/// A document, in the format that its name says.
fn document(path: &Path) -> Result<Document> {
    let format = Format::of_path(path);
    let read = || -> Result<Document> {
        let content: Content =
            if format.spec().is_binary() { File::open(path)?.into() } else { std::fs::read(path)?.into() };
        // Comments are of those who check, and in one of the two documents only.
        let options = ReadOptions { without_comments: true, ..ReadOptions::default() };
        Ok(Document::read_with(&path.display().to_string(), content, format, &options)?)
    };
    read().with_context(|| format!("cannot read `{}`", path.display()))
}

fn told(imported: Imported) -> String {
    let Imported { taken, unchanged, left_out } = imported;
    let mut told = format!("{taken} corrections taken");
    if unchanged > 0 {
        told += &format!(", {unchanged} were known already or are as a model made them");
    }
    if left_out > 0 {
        told += &format!(", {left_out} left out, for they have no source or no translation in these languages");
    }
    told
}
