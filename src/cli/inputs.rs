//! What is read: files, folders and standard input, in order.
//!
//! Invariant: the sources come in the order typed, a folder's files sorted by name; what cannot be
//! found is a failure beside them, never the end of the run. What stands in a source belongs to
//! `document`; whether bytes are text at all, too.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use kortom::document::{self, Content};
use kortom::error::WithHint;
use kortom::render::{Framing, ReportFormat};
use walkdir::{DirEntry, WalkDir};

use super::options::InputFormat;

/// One file, or standard input.
#[derive(Clone, Debug)]
pub struct Source {
    /// The name in reports and messages: the path, or `-`.
    pub name: String,
    /// The file; `None` is standard input.
    pub path: Option<PathBuf>,
    /// The name an output gets inside an output folder, with the input's extension.
    pub relative: PathBuf,
    /// The format in which it is read.
    pub format: document::Format,
    /// The format in which its results are written.
    pub output: ReportFormat,
    /// The text around the pieces of its output.
    pub framing: Framing,
}

/// An input, or a part of one, that could not be processed.
#[derive(Debug)]
pub struct Failure {
    /// The input, perhaps with a line number.
    pub name: String,
    /// The error.
    pub error: anyhow::Error,
}

/// The result of looking up the typed inputs.
#[derive(Debug, Default)]
pub struct Found {
    /// The sources to read.
    pub sources: Vec<Source>,
    /// Inputs that could not be found.
    pub failures: Vec<Failure>,
    /// Whether a folder or more than one input was typed; `--output` is then a folder.
    pub several: bool,
}

/// Looks up the typed inputs; none means standard input. Files under `leave_out`, the output folder, are not inputs.
pub fn find(typed: &[PathBuf], format: InputFormat, leave_out: Option<&Path>) -> Result<Found> {
    let is_stdin = |path: &PathBuf| path.as_os_str() == "-";
    if typed.iter().filter(|path| is_stdin(path)).count() > 1 {
        bail!("standard input can be read only once".with_hint("give `-` a single time"));
    }
    let mut found = Found { several: typed.len() > 1, ..Found::default() };
    if typed.is_empty() {
        found.sources.push(stdin(format));
    }
    for path in typed {
        if is_stdin(path) {
            found.sources.push(stdin(format));
        } else if path.is_dir() {
            found.several = true;
            walk(path, format, leave_out, &mut found);
        } else if let Some(error) = document::refusal(path).filter(|_| format.0.is_none() && path.exists()) {
            found.failures.push(Failure { name: path.display().to_string(), error: error.into() });
        } else if path.exists() {
            let relative = path.file_name().map_or_else(|| path.clone(), PathBuf::from);
            let read_as = format.0.unwrap_or_else(|| document::Format::of_path(path));
            found.sources.push(Source::new(path.display().to_string(), Some(path.clone()), relative, read_as));
        } else {
            let error =
                anyhow::anyhow!("no such file or folder".with_hint("check the name, or give - for standard input"));
            found.failures.push(Failure { name: path.display().to_string(), error });
        }
    }
    Ok(found)
}

fn stdin(format: InputFormat) -> Source {
    Source::new("-".to_owned(), None, PathBuf::from("stdin"), format.0.unwrap_or(document::Format::Text))
}

/// The articles of a folder and of those inside it.
fn walk(folder: &Path, format: InputFormat, leave_out: Option<&Path>, found: &mut Found) {
    let before = found.sources.len() + found.failures.len();
    let left_out = leave_out.and_then(|path| path.canonicalize().ok());
    let wanted = |entry: &DirEntry| {
        let inside = entry.depth() > 0;
        let is_output = || {
            let real = entry.file_type().is_dir().then(|| entry.path().canonicalize().ok()).flatten();
            real.is_some() && real == left_out
        };
        !(inside && (is_left_alone(entry.file_name()) || is_output()))
    };
    for entry in WalkDir::new(folder).follow_links(true).sort_by_file_name().into_iter().filter_entry(wanted) {
        match entry {
            Ok(entry) if entry.file_type().is_dir() => {}
            Ok(entry) => {
                let known = document::Format::known(entry.path());
                let named = format.0.filter(|named| document::may_be(entry.path(), *named));
                if let Some(read_as) = if format.0.is_some() { named } else { known } {
                    let relative = entry.path().strip_prefix(folder).unwrap_or(entry.path()).to_owned();
                    let name = entry.path().display().to_string();
                    found.sources.push(Source::new(name, Some(entry.into_path()), relative, read_as));
                }
            }
            Err(error) => {
                let name = error.path().unwrap_or(folder).display().to_string();
                found.failures.push(Failure { name, error: error.into() });
            }
        }
    }
    if found.sources.len() + found.failures.len() == before {
        let error = anyhow::anyhow!("the folder holds no article".with_hint(format!(
            "files in a folder are read when they end in {}",
            document::extensions().collect::<Vec<_>>().join(", ")
        )));
        found.failures.push(Failure { name: folder.display().to_string(), error });
    }
}

/// Whether a name is that of a hidden file, or of the lock that Office lays beside a document that somebody has open.
fn is_left_alone(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name.starts_with(b".") || name.starts_with(b"~$")
}

impl Source {
    /// A source whose results are text until [`set_outputs`](super::formats::set_outputs) sets another format.
    fn new(name: String, path: Option<PathBuf>, relative: PathBuf, format: document::Format) -> Self {
        let output = ReportFormat::Text;
        Self { name, path, relative, format, output, framing: output.framing() }
    }

    /// Opens the source to read its bytes piece by piece.
    pub fn open(&self) -> Result<Box<dyn BufRead>> {
        Ok(match &self.path {
            None => Box::new(BufReader::new(io::stdin())),
            Some(path) => Box::new(BufReader::new(fs::File::open(path).context("cannot open the file")?)),
        })
    }

    /// The content of a source that is one article, and its size in bytes. An archive is not read into memory as a
    /// whole.
    pub fn content(&self) -> Result<(Content, usize)> {
        if let Some(path) = self.path.as_ref().filter(|_| self.format.spec().is_binary()) {
            let file = fs::File::open(path).context("cannot open the file")?;
            let size = file.metadata().context("cannot read the file")?.len() as usize;
            return Ok((file.into(), size));
        }
        let mut bytes = Vec::new();
        self.open()?.read_to_end(&mut bytes).context("cannot read the file")?;
        let size = bytes.len();
        Ok((bytes.into(), size))
    }

    /// The size of the file in bytes; `None` for standard input.
    pub fn size(&self) -> Option<u64> {
        self.path.as_ref().and_then(|path| fs::metadata(path).ok()).map(|file| file.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_walked_sorted_without_hidden_files_and_outputs() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.txt", "a.TXT", "sub/c.md", ".hidden.txt", ".git/d.txt", "notes.doc", "~$b.docx", "out/a.txt"] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        let out = folder.path().join("out");
        let found = find(&[folder.path().to_owned()], InputFormat::AUTO, Some(&out)).unwrap();
        let names: Vec<_> = found.sources.iter().map(|source| source.relative.to_str().unwrap()).collect();
        assert_eq!(names, ["a.TXT", "b.txt", "sub/c.md"]);
        assert!(found.several && found.failures.is_empty());
        // With a format, files that may be in it are read, and no others.
        for name in ["feed.xml", "feed.json", "film.vtt", "page.html"] {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        for (format, expected) in [
            (document::Format::Rss, vec!["a.TXT", "b.txt", "feed.json", "feed.xml"]),
            (document::Format::Vtt, vec!["a.TXT", "b.txt", "film.vtt"]),
            (document::Format::Lines, vec!["a.TXT", "b.txt", "film.vtt", "page.html", "sub/c.md"]),
        ] {
            let found = find(&[folder.path().to_owned()], InputFormat(Some(format)), Some(&out)).unwrap();
            let names: Vec<_> = found.sources.iter().map(|source| source.relative.to_str().unwrap()).collect();
            assert_eq!(names, expected);
        }
    }
}
