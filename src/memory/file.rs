//! The file of a memory: readable by its owner only, and checked before it is used.
//!
//! Invariant: every connection that this module returns is to a memory of this version. A file of another program or
//! of a newer kortom, or one that was cut short, is never written to.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::faults;
use crate::error::{Explain, WithHint};
use crate::platform;

/// `SQLite`'s application id of a memory: `kort`.
const APPLICATION: i64 = 0x6b6f_7274;
/// The version of the tables below.
const VERSION: i64 = 1;
/// The time to wait for another process that holds the file.
const PATIENCE: Duration = Duration::from_secs(5);
/// The bytes that every `SQLite` file begins with.
const MAGIC: &[u8] = b"SQLite format 3\0";

/// The statements that make all tables. Times are days since 1970. `details` is JSON of the module that kept the
/// text. `files` has the hash of a model's file for its path, size and time.
const TABLES: &str = "
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE models (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE kept (
  key BLOB NOT NULL UNIQUE, kind TEXT NOT NULL, model INTEGER NOT NULL REFERENCES models,
  source_language TEXT NOT NULL, target_language TEXT NOT NULL, source TEXT NOT NULL, target TEXT NOT NULL,
  details TEXT NOT NULL, made INTEGER NOT NULL, used INTEGER NOT NULL);
CREATE INDEX kept_used ON kept (used);
CREATE INDEX kept_length ON kept (source_language, target_language, kind, length(source));
CREATE TABLE corrections (
  source_language TEXT NOT NULL, target_language TEXT NOT NULL, source TEXT NOT NULL, target TEXT NOT NULL,
  made INTEGER NOT NULL, UNIQUE (source_language, target_language, source));
CREATE INDEX corrections_length ON corrections (source_language, target_language, length(source));
CREATE TABLE files (place TEXT PRIMARY KEY, content TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO facts VALUES ('id', lower(hex(randomblob(16)))), ('corrections', '0');
";

/// Makes an empty file that only its owner may read, if there is none.
pub(super) fn make_if_absent(path: &Path) -> Result<()> {
    if path.exists() {
        return Ok(());
    }
    let made = || -> io::Result<()> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            platform::make_private_folder(folder)?;
        }
        match platform::make_private_file(path) {
            // Another process has made the file meanwhile.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            made => made.map(drop),
        }
    };
    made().explain(|| {
        format!("cannot make the memory `{}`", path.display()).with_hint("name a file in a folder that may be written")
    })
}

/// Opens a file that exists; an empty one becomes a memory.
pub(super) fn open(path: &Path) -> Result<Connection> {
    let name = path.display();
    let found = fs::metadata(path).explain(|| {
        format!("there is no memory `{name}`")
            .with_hint("`--memory FILE` makes one; `--memory on` one in its usual place")
    })?;
    if found.is_dir() {
        bail!(format!("`{name}` is a folder").with_hint("name a file in it"));
    }
    if found.permissions().readonly() {
        bail!(faults::read_only(path));
    }
    let is_short = is_cut_short(path, found.len())?;
    connect(path, is_short).map_err(|error| match error {
        Refused::File(error) => faults::told(path, &error).into(),
        Refused::Foreign => faults::foreign(path).into(),
        Refused::Damaged => faults::damaged(path).into(),
        Refused::Newer(version) => anyhow::Error::from(
            format!(
                "the memory `{name}` was made by a newer kortom: it has version {version}, and this one reads {VERSION}"
            )
            .with_hint("take the newer kortom, or name another file"),
        ),
    })
}

/// The reason why a file is not used.
enum Refused {
    File(rusqlite::Error),
    Foreign,
    Damaged,
    Newer(i64),
}

impl From<rusqlite::Error> for Refused {
    fn from(error: rusqlite::Error) -> Self {
        Self::File(error)
    }
}

/// Whether a file is shorter than the number of pages in its header. That is no fault while another process writes
/// its log back.
fn is_cut_short(path: &Path, length: u64) -> Result<bool> {
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(100).read_to_end(&mut head));
    read.explain(|| faults::read_only(path))?;
    if length == 0 {
        return Ok(false);
    }
    if !head.starts_with(MAGIC) {
        // A beginning of the magic bytes is a memory that was cut short; anything else is another file.
        let begins = MAGIC.starts_with(&head);
        bail!(if begins { faults::damaged(path) } else { faults::foreign(path) });
    }
    let number = |at: usize, bytes: usize| {
        let bytes = head.get(at..at + bytes)?;
        Some(bytes.iter().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    };
    let size = number(16, 2).map(|size| if size == 1 { 1 << 16 } else { size });
    let Some((size, pages)) = size.zip(number(28, 4)).filter(|(size, _)| length >= *size) else {
        bail!(faults::damaged(path));
    };
    Ok(length < size * pages)
}

fn connect(path: &Path, is_short: bool) -> Result<Connection, Refused> {
    let mut connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(PATIENCE)?;
    if is_short && check(&connection)? != "ok" {
        return Err(Refused::Damaged);
    }
    if let FileState::Empty = state(&connection)? {
        found(&mut connection)?;
    }
    match state(&connection)? {
        FileState::Version(VERSION) => {}
        FileState::Version(version) if version > VERSION => return Err(Refused::Newer(version)),
        _ => return Err(Refused::Foreign),
    }
    // With these settings a crash of the machine may lose the last commits but corrupts nothing, and deleted texts
    // are overwritten.
    connection.execute_batch("PRAGMA synchronous = NORMAL; PRAGMA secure_delete = ON;")?;
    Ok(connection)
}

/// The first fault that `SQLite` finds in a file, or `ok`.
fn check(connection: &Connection) -> rusqlite::Result<String> {
    connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
}

/// The owner of a file: none yet, another program, or a version of kortom.
enum FileState {
    Empty,
    Foreign,
    Version(i64),
}

/// The owner of a file, read in one transaction, because another process may be making a memory of it.
fn state(connection: &Connection) -> rusqlite::Result<FileState> {
    let moment = connection.unchecked_transaction()?;
    let number = |pragma: &str| moment.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let tables: i64 = moment.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(match (number("application_id")?, number("user_version")?) {
        (APPLICATION, version) => FileState::Version(version),
        (0, 0) if tables == 0 => FileState::Empty,
        _ => FileState::Foreign,
    })
}

/// Makes a memory of an empty file, unless another process has done so meanwhile.
fn found(connection: &mut Connection) -> rusqlite::Result<()> {
    let begin = Instant::now();
    // SQLite's busy timeout does not always cover this change, so it is repeated here.
    while let Err(error) = connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())) {
        if error.sqlite_error_code() != Some(ErrorCode::DatabaseBusy) || begin.elapsed() > PATIENCE {
            return Err(error);
        }
        std::thread::sleep(PATIENCE / 500);
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let tables: i64 = transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables == 0 {
        transaction.execute_batch(TABLES)?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
    }
    transaction.commit()
}
