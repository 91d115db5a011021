//! The destination of results: standard output, one file, or a folder with one file per input.
//!
//! Invariant: a result is written whole and flushed before the next one begins, and never while the
//! program is being interrupted; a file has its name only when it is complete. What the pieces look
//! like belongs to `render`.

use std::collections::HashMap;
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf, is_separator};

use anyhow::{Result, bail};
use kortom::check::FlagCount;
use kortom::error::WithHint;
use kortom::render::journal::{Journal, JournalEntry, OutputState, PartFile, make_folder};
use kortom::render::{Body, Framing};

use super::inputs::{Found, Source};
use super::interrupt;

/// The destination that `--output` means for the inputs.
#[derive(Clone, Debug)]
pub enum Destination {
    /// Standard output.
    Stdout,
    /// One file.
    File(PathBuf),
    /// A folder, and in it a name for each source.
    Folder(PathBuf, Vec<PathBuf>),
}

/// Whether `--output` names a folder.
pub fn is_folder(output: &Path, several: bool) -> bool {
    several
        || output.is_dir()
        || output.as_os_str().as_encoded_bytes().last().is_some_and(|&end| is_separator(end.into()))
}

impl Destination {
    /// Plans an output for every source. `extension` returns the extension of the output format of a source.
    ///
    /// # Errors
    /// When an output would replace an input or another output.
    pub fn plan(output: Option<&Path>, found: &Found, extension: fn(&Source) -> String) -> Result<Self> {
        let Some(output) = output else { return Ok(Self::Stdout) };
        if !is_folder(output, found.several) {
            let clash = found.sources.iter().find(|source| same_file(source.path.as_deref(), output));
            if let Some(source) = clash {
                bail!(format!("the output `{}` is the input itself", source.name).with_hint("choose another --output"));
            }
            return Ok(Self::File(output.to_owned()));
        }
        let names = names(&found.sources, extension);
        let count = counts(&names);
        for (source, name) in found.sources.iter().zip(&names) {
            if count[name] > 1 {
                bail!(
                    format!(
                        "two inputs would be written to `{}`, one of them `{}`",
                        output.join(name).display(),
                        source.name
                    )
                    .with_hint("give the folder they share instead of the files, or run kortom once for each")
                );
            }
            if same_file(source.path.as_deref(), &output.join(name)) {
                bail!(
                    format!("the output of `{}` would replace it", source.name)
                        .with_hint("choose another --output folder")
                );
            }
        }
        drop(count);
        Ok(Self::Folder(output.to_owned(), names))
    }

    /// The folder that all outputs are in, or below.
    pub fn folder(&self) -> Option<PathBuf> {
        match self {
            Self::Stdout => None,
            Self::Folder(folder, _) => Some(folder.clone()),
            Self::File(path) => Some(folder_of(path)),
        }
    }

    /// The output of a source: the folder its journal is in, and the name there.
    pub fn of(&self, source: usize) -> Option<(PathBuf, PathBuf)> {
        match self {
            Self::Stdout => None,
            Self::Folder(folder, names) => Some((folder.clone(), names[source].clone())),
            Self::File(path) => Some((folder_of(path), PathBuf::from(path.file_name().unwrap_or_default()))),
        }
    }
}

/// A name for each source, with the extension of its output. Two inputs that differ only in their own
/// extension keep it: `a.html.json` beside `a.txt.json`.
fn names(sources: &[Source], extension: fn(&Source) -> String) -> Vec<PathBuf> {
    let short: Vec<PathBuf> = sources.iter().map(|source| source.relative.with_extension(extension(source))).collect();
    let count = counts(&short);
    let full = |source: &Source| PathBuf::from(format!("{}.{}", source.relative.display(), extension(source)));
    let name = |(source, short): (&Source, &PathBuf)| if count[short] > 1 { full(source) } else { short.clone() };
    sources.iter().zip(&short).map(name).collect()
}

fn counts(names: &[PathBuf]) -> HashMap<&PathBuf, usize> {
    let mut counts = HashMap::new();
    for name in names {
        *counts.entry(name).or_insert(0) += 1;
    }
    counts
}

fn folder_of(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new(".")).to_owned()
}

fn same_file(input: Option<&Path>, output: &Path) -> bool {
    let real = |path: &Path| fs::canonicalize(path).ok();
    input.is_some_and(|input| real(input).is_some_and(|input| real(output) == Some(input)))
}

/// An output that has begun.
#[derive(Debug)]
struct Open {
    part: PartFile,
    entry: JournalEntry,
    articles: usize,
    /// Whether nothing of the output failed.
    good: bool,
}

/// Writes pieces to their destination.
#[derive(Debug)]
pub struct Sink {
    destination: Destination,
    framing: Framing,
    journal: Option<Journal>,
    open: Option<Open>,
    /// Name of the source that began last.
    source: String,
    /// Number of pieces of the open output.
    pieces: usize,
    /// Whether standard output is at the beginning of a line.
    ended: bool,
    /// Whether each article on standard output gets a header line with its name.
    headers: bool,
    /// Whether the header line of the source that began last was written.
    headed: bool,
}

/// The information with which an output begins.
#[derive(Clone, Debug)]
pub struct Beginning {
    /// The number of the source.
    pub source: usize,
    /// The name of the source.
    pub name: String,
    /// The text around the pieces.
    pub framing: Framing,
    /// The key of the output for the journal; `None` for a stream, which cannot be resumed.
    pub key: Option<String>,
    /// The journal entry of the output, if a former run began it.
    pub reached: Option<JournalEntry>,
}

impl Sink {
    /// Makes the output folder, and opens the journal in it if `journal` is set.
    pub fn new(destination: Destination, framing: Framing, journal: bool, headers: bool) -> Result<Self> {
        if let Destination::Folder(folder, _) = &destination {
            make_folder(folder)?;
        }
        let open = |folder: PathBuf| make_folder(&folder).and_then(|()| Journal::open(&folder));
        let journal = destination.folder().filter(|_| journal).map(open).transpose()?;
        Ok(Self {
            destination,
            framing,
            journal,
            open: None,
            source: String::new(),
            pieces: 0,
            ended: true,
            headers,
            headed: true,
        })
    }

    /// Begins the output of a source.
    pub fn begin(&mut self, beginning: &Beginning) -> Result<()> {
        self.source.clone_from(&beginning.name);
        self.framing = beginning.framing;
        let Some((folder, name)) = self.destination.of(beginning.source) else {
            self.headed = !self.headers;
            return Ok(());
        };
        let (bytes, articles) = match beginning.reached.as_ref().map(|entry| &entry.state) {
            Some(OutputState::Reached { bytes, articles }) => (*bytes, *articles),
            _ => (0, 0),
        };
        let part = PartFile::begin(&folder.join(&name), bytes)?;
        if let Some(part) = part.part().filter(|_| bytes == 0) {
            interrupt::began(part);
        }
        self.pieces = articles;
        let entry = JournalEntry {
            output: name.to_string_lossy().into_owned(),
            key: beginning.key.clone().unwrap_or_default(),
            flags: beginning.reached.as_ref().map(|entry| entry.flags.clone()).unwrap_or_default(),
            state: OutputState::Reached { bytes, articles },
        };
        self.open = Some(Open { part, entry, articles, good: true });
        Ok(())
    }

    /// The header line of the article that comes next on standard output; empty after the first call for it.
    fn header(&mut self) -> String {
        if std::mem::replace(&mut self.headed, true) {
            return String::new();
        }
        let end = if self.ended { "" } else { "\n" };
        let before = if self.pieces > 0 { "\n" } else { "" };
        (self.pieces, self.ended) = (0, true);
        format!("{end}{before}==> {} <==\n\n", self.source)
    }

    /// Writes one piece.
    pub fn piece(&mut self, piece: &Body, flags: &FlagCount) -> Result<()> {
        let header = if self.is_files() { String::new() } else { self.header() };
        let before = if self.pieces == 0 { self.framing.open } else { self.framing.between };
        self.pieces += 1;
        if let Some(open) = &mut self.open {
            open.part.write(before.as_bytes())?;
            open.part.write_body(piece)?;
            open.articles += 1;
            open.entry.flags.add(flags);
        } else if !self.is_files() {
            // Between two articles there is a line end, even when the first has none of its own.
            let end = if self.ended || before != "\n" { "" } else { "\n" };
            self.ended = piece.ends_line();
            print(&[&header, end, before].concat(), piece, self.framing.close)?;
        }
        Ok(())
    }

    /// Whether results go to files rather than standard output.
    pub fn is_files(&self) -> bool {
        !matches!(self.destination, Destination::Stdout)
    }

    /// Whether all results go to one file.
    pub fn is_one_file(&self) -> bool {
        matches!(self.destination, Destination::File(_))
    }

    /// Whether the output of the present source could not be written and was given up.
    pub fn is_lost(&self) -> bool {
        self.is_files() && self.open.is_none()
    }

    /// Marks the open output as incomplete, because one of its articles failed.
    pub fn incomplete(&mut self) {
        if let Some(open) = &mut self.open {
            open.good = false;
        }
    }

    /// Records in the journal how far the open output is.
    pub fn checkpoint(&mut self) -> Result<()> {
        if let (Some(open), Some(journal)) = (&mut self.open, &mut self.journal)
            && open.good
            && !open.entry.key.is_empty()
            && open.articles > 0
        {
            open.entry.state = OutputState::Reached { bytes: open.part.bytes()?, articles: open.articles };
            journal.write(&open.entry)?;
            interrupt::ended();
        }
        Ok(())
    }

    /// Ends the output of a source. An output without any piece is deleted, unless `keep_empty` is set and nothing
    /// failed.
    pub fn end(&mut self, keep_empty: bool) -> Result<()> {
        let Some(mut open) = self.open.take() else { return Ok(()) };
        if open.articles == 0 && !(keep_empty && open.good) {
            open.part.abandon();
            interrupt::ended();
            return Ok(());
        }
        let begin = if open.articles == 0 { self.framing.open } else { "" };
        open.part.write([begin, self.framing.close].concat().as_bytes())?;
        let digest = open.part.commit()?;
        interrupt::ended();
        let journal = self.journal.as_mut().filter(|_| open.good && !open.entry.key.is_empty());
        if let (Some(journal), Some(digest)) = (journal, digest) {
            journal.write(&JournalEntry { state: OutputState::Finished(digest), ..open.entry })?;
        }
        Ok(())
    }

    /// Gives up the open output; returns the name of its source.
    pub fn abandon(&mut self) -> String {
        if let Some(open) = self.open.take() {
            open.part.abandon();
            interrupt::ended();
        }
        std::mem::take(&mut self.source)
    }

    /// Writes the end of standard output.
    pub fn finish(&mut self) -> Result<()> {
        if self.is_files() {
            return Ok(());
        }
        let open = if self.pieces == 0 { self.framing.open } else { "" };
        let end = if !self.ended && io::stdout().is_terminal() { "\n" } else { "" };
        print(&[open, self.framing.close, end].concat(), &Body::default(), "")
    }
}

/// Writes to standard output at once, so that a reader of a pipe sees each result when it is there. An interruption
/// that comes later writes `close` behind it.
fn print(text: &str, piece: &Body, close: &'static str) -> Result<()> {
    let mut unfinished = interrupt::writing();
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    piece.write(&mut stdout)?;
    stdout.flush()?;
    unfinished.close = close;
    Ok(())
}
