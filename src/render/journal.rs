//! Output files that are complete or absent, and the journal of those that are finished.
//!
//! Invariant: under its own name an output is always complete. It is written to a hidden part file beside it, which is renamed
//! at the end; only then the journal has an entry. An incomplete last line of the journal, as a killed run may leave it, is
//! ignored. What the keys are made of belongs to the caller: equal keys must mean equal outputs.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Body;
use crate::check::FlagCount;
use crate::error::{Error, Explain, WithHint};
use crate::platform::is_stream;

/// Name of the journal in its folder.
const JOURNAL: &str = ".kortom-journal";

/// One line of the journal.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct JournalEntry {
    /// The output, relative to the journal's folder.
    pub output: String,
    /// The key of the inputs and settings that the output was made from.
    pub key: String,
    /// The flags of the segments so far.
    pub flags: FlagCount,
    /// The state of the output.
    pub state: OutputState,
}

/// The state of an output.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutputState {
    /// Complete and renamed, with the SHA-256 of its content.
    Finished(String),
    /// Not finished: a part of the output is in the part file.
    Reached {
        /// Bytes of the part file that count.
        bytes: u64,
        /// Articles of the input that these bytes contain.
        articles: usize,
    },
}

/// The journal as former runs left it.
#[derive(Debug, Default)]
pub struct JournalRecord {
    folder: PathBuf,
    entries: HashMap<String, JournalEntry>,
}

impl JournalRecord {
    /// The journal of a folder; a folder without one has an empty record.
    pub fn load(folder: &Path) -> Result<Self> {
        let path = folder.join(JOURNAL);
        let mut record = Self { folder: folder.to_owned(), entries: HashMap::new() };
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(record),
            Err(error) => return Err(error).with_context(|| format!("cannot read `{}`", path.display())),
        };
        for line in BufReader::new(file).split(b'\n') {
            if let Ok(entry) = serde_json::from_slice::<JournalEntry>(&line?) {
                record.entries.insert(entry.output.clone(), entry);
            }
        }
        Ok(record)
    }

    /// The entry of an output that was finished with this key and has not changed since.
    #[must_use]
    pub fn finished(&self, output: &str, key: &str) -> Option<&JournalEntry> {
        let entry = self.entries.get(output).filter(|entry| entry.key == key)?;
        let OutputState::Finished(digest) = &entry.state else { return None };
        let now = File::open(self.folder.join(output)).ok().and_then(|file| sha256(file).ok())?;
        (now == *digest).then_some(entry)
    }

    /// The entry of an output that was begun with this key, if its part file is still there.
    #[must_use]
    pub fn reached(&self, output: &str, key: &str) -> Option<&JournalEntry> {
        let entry = self.entries.get(output).filter(|entry| entry.key == key)?;
        let OutputState::Reached { bytes, .. } = entry.state else { return None };
        let part = fs::metadata(part_path(&self.folder.join(output))).ok()?;
        (part.len() >= bytes).then_some(entry)
    }
}

/// The journal of a folder, to be written.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
}

impl Journal {
    /// Opens the journal to append to it.
    pub fn open(folder: &Path) -> Result<Self> {
        let path = folder.join(JOURNAL);
        let mut file = OpenOptions::new()
            .create(true)
            .read(true)
            .append(true)
            .open(&path)
            .with_context(|| format!("cannot write `{}`", path.display()))?;
        end_torn_line(&mut file).with_context(|| format!("cannot write `{}`", path.display()))?;
        Ok(Self { path, file })
    }

    /// Adds one line, in one write.
    pub fn write(&mut self, entry: &JournalEntry) -> Result<()> {
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        self.file.write_all(&line).explain(|| no_room(&self.path))
    }
}

/// Why a file cannot be written further.
fn no_room(path: &Path) -> Error {
    format!("cannot write `{}`", path.display()).with_hint("make room, or choose another --output")
}

/// Ends an incomplete last line that a killed run may have left, so that the next entry is a line of its own.
fn end_torn_line(file: &mut File) -> io::Result<()> {
    if file.seek(SeekFrom::End(0))? > 0 {
        file.seek(SeekFrom::End(-1))?;
        let mut last = [0];
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            file.write_all(b"\n")?;
        }
    }
    Ok(())
}

/// An output that is being written: a file gets its name when it is complete, a device or a pipe is written to at once.
#[derive(Debug)]
pub struct PartFile {
    path: PathBuf,
    /// The file to rename; `None` for what is no file.
    part: Option<PathBuf>,
    file: File,
}

impl PartFile {
    /// Begins an output, in folders that are made when absent; the first `keep` bytes of a part file that a
    /// former run left stay. A file that is replaced may afterwards be read by those who could read it before.
    pub fn begin(path: &Path, keep: u64) -> Result<Self> {
        if path.is_dir() {
            anyhow::bail!(
                format!("cannot write `{}`: it is a folder", path.display()).with_hint("choose another --output")
            );
        }
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            make_folder(folder)?;
        }
        if is_stream(path) {
            let file = OpenOptions::new().append(true).open(path);
            let file = file.with_context(|| format!("cannot write `{}`", path.display()))?;
            return Ok(Self { path: path.to_owned(), part: None, file });
        }
        let path = followed(path);
        let part = part_path(&path);
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&part);
        let mut file = file.with_context(|| format!("cannot write `{}`", part.display()))?;
        // What may be read by its owner alone stays so while it is written anew. A part file must stay writable, for `keep`.
        if let Some(replaced) = fs::metadata(&path).ok().filter(|replaced| !replaced.permissions().readonly()) {
            file.set_permissions(replaced.permissions())
                .with_context(|| format!("cannot write `{}`", part.display()))?;
        }
        file.set_len(keep).with_context(|| format!("cannot write `{}`", part.display()))?;
        file.seek(SeekFrom::End(0))?;
        Ok(Self { path, part: Some(part), file })
    }

    /// Appends to the output.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).explain(|| no_room(&self.path))
    }

    /// Appends the bytes that a body writes.
    pub fn write_body(&mut self, body: &Body) -> Result<()> {
        let mut out = BufWriter::new(&mut self.file);
        let cannot = || no_room(&self.path);
        // Only an I/O error gets the hint to make room; a document may also fail to take its translation.
        match body.write(&mut out) {
            Err(error) if error.root_cause().is::<io::Error>() => return Err(error).explain(cannot),
            written => written?,
        }
        out.flush().explain(cannot)
    }

    /// How many bytes the part file has.
    ///
    /// # Errors
    /// When there is none.
    pub fn bytes(&mut self) -> Result<u64> {
        Ok(self.file.stream_position()?)
    }

    /// The path of the part file, if there is one.
    #[must_use]
    pub fn part(&self) -> Option<&Path> {
        self.part.as_deref()
    }

    /// Gives the output its name; returns the SHA-256 of its content. What is no file has neither.
    pub fn commit(self) -> Result<Option<String>> {
        let Some(part) = self.part else { return Ok(None) };
        let digest = sha256(File::open(&part)?)?;
        fs::rename(&part, &self.path).with_context(|| format!("cannot write `{}`", self.path.display()))?;
        Ok(Some(digest))
    }

    /// Deletes the part file.
    pub fn abandon(self) {
        if let Some(part) = self.part {
            // An error does no harm: the part file is hidden, and the next run overwrites it.
            let _ = fs::remove_file(part);
        }
    }
}

/// The file that a symbolic link leads to, also where it does not exist yet; any other path as it is.
fn followed(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    // As many as Linux follows.
    for _ in 0..40 {
        let Ok(target) = fs::read_link(&path) else { break };
        path = path.parent().map_or_else(|| target.clone(), |folder| folder.join(&target));
    }
    path
}

/// Makes a folder and those above it.
pub fn make_folder(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).explain(|| {
        format!("cannot make the output folder `{}`", folder.display())
            .with_hint("choose another --output, or remove what is in the way")
    })
}

/// The SHA-256 of everything in a reader, in hexadecimal.
pub fn sha256(mut reader: impl Read) -> io::Result<String> {
    let mut hasher = Sha256::new();
    io::copy(&mut reader, &mut hasher)?;
    Ok(format!("{:x}", hasher.finalize()))
}

/// The path of the part file: hidden, beside the output, so that the rename stays on one file system.
fn part_path(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.part"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finish(folder: &Path, output: &str, key: &str, text: &str) {
        let mut part = PartFile::begin(&folder.join(output), 0).unwrap();
        part.write(text.as_bytes()).unwrap();
        assert!(!folder.join(output).exists());
        let state = OutputState::Finished(part.commit().unwrap().unwrap());
        let entry = JournalEntry {
            output: output.to_owned(),
            key: key.to_owned(),
            flags: FlagCount { flagged: 1, ..FlagCount::default() },
            state,
        };
        Journal::open(folder).unwrap().write(&entry).unwrap();
    }

    #[test]
    fn only_the_same_key_and_content_count_as_finished() {
        let folder = tempfile::tempdir().unwrap();
        finish(folder.path(), "sub/a.txt", "k1", "one");
        let record = JournalRecord::load(folder.path()).unwrap();
        assert_eq!(record.finished("sub/a.txt", "k1").map(|entry| entry.flags.flagged), Some(1));
        assert!(record.finished("sub/a.txt", "k2").is_none());
        assert!(record.finished("b.txt", "k1").is_none());
        fs::write(folder.path().join("sub/a.txt"), "changed").unwrap();
        assert!(record.finished("sub/a.txt", "k1").is_none());
    }

    #[test]
    fn a_torn_line_is_no_entry_and_spoils_none() {
        let folder = tempfile::tempdir().unwrap();
        finish(folder.path(), "a.txt", "k", "one");
        let journal = folder.path().join(JOURNAL);
        let whole = fs::read(&journal).unwrap();
        fs::write(&journal, &whole[..whole.len() - 5]).unwrap();
        assert!(JournalRecord::load(folder.path()).unwrap().finished("a.txt", "k").is_none());
        finish(folder.path(), "b.txt", "k", "two");
        assert!(JournalRecord::load(folder.path()).unwrap().finished("b.txt", "k").is_some());
    }

    #[test]
    fn a_journal_that_cannot_be_written_is_named_with_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(JOURNAL);
        fs::write(&path, "").unwrap();
        // Opened to read alone, it takes as little as on a full disk.
        let mut journal = Journal { file: File::open(&path).unwrap(), path };
        let entry = JournalEntry {
            output: "a.txt".to_owned(),
            key: "k".to_owned(),
            flags: FlagCount::default(),
            state: OutputState::Finished(String::new()),
        };
        let error = journal.write(&entry).unwrap_err();
        let (message, hints) = crate::error::parts(error.as_ref());
        assert!(message.starts_with(&format!("cannot write `{}`: ", journal.path.display())), "{message}");
        assert_eq!(hints, ["make room, or choose another --output"]);
    }

    #[test]
    fn a_part_file_goes_on_where_the_journal_says() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        let mut part = PartFile::begin(&path, 0).unwrap();
        part.write(b"one\ntwo\nthr").unwrap();
        drop(part);
        let mut part = PartFile::begin(&path, 4).unwrap();
        part.write(b"2\n").unwrap();
        assert_eq!(part.bytes().unwrap(), 6);
        part.commit().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\n2\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
