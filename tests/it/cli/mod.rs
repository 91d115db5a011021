//! The program as a person or a script uses it: what it reads, writes, says, and exits with.

mod adapters;
mod alignment;
mod arguments;
mod checks;
mod compare;
mod consistency;
mod device;
mod fields;
mod filter;
mod formats;
mod glossary;
mod hub;
mod inputs;
mod languages;
mod lines;
mod memory;
mod models;
mod outputs;
mod score;
mod records;
mod setup;
mod summaries;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A short article with a date, a heading and CRLF nowhere.
pub const ARTICLE: &str = "date 2021-03 Het regent vandaag in de stad. De zon schijnt morgen.\n\nBrug\n\n\
                           De gemeente bouwt een nieuwe brug. De brug is in mei klaar.";

/// A place of its own: a folder to work in, and no settings, caches or models of the user's.
pub struct Place {
    folder: TempDir,
}

/// What a run gave.
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Place {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, in folders that are made for it.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        self
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kortom"));
        let home = self.folder.path();
        command.args(arguments).current_dir(home);
        for variable in ["KORTOM_MODELS", "HF_HUB_CACHE", "HF_ENDPOINT", "HF_TOKEN", "HF_HUB_OFFLINE", "NO_COLOR"] {
            command.env_remove(variable);
        }
        command.env("HOME", home.join("home")).env("XDG_CONFIG_HOME", home.join("config"));
        command.env("HF_HOME", home.join("huggingface")).env("XDG_CACHE_HOME", home.join("cache"));
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.pipe(arguments, b"")
    }

    /// Runs with this on standard input.
    pub fn pipe(&self, arguments: &[&str], input: &[u8]) -> Ran {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_owned();
        // A run that refuses its arguments reads nothing, so this may fail.
        let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        Ran::from(output)
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    /// It went well; its standard output.
    #[track_caller]
    pub fn good(self) -> String {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self.stdout
    }

    /// It ended with this code and said all of this on standard error.
    #[track_caller]
    pub fn bad(self, code: i32, said: &[&str]) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.stderr);
        for text in said {
            assert!(self.stderr.contains(text), "`{text}` is not in:\n{}", self.stderr);
        }
        self
    }
}

/// JSON lines as values.
pub fn objects(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The names of all files that are not hidden below a folder, sorted; none where there is no folder.
pub fn visible(folder: &Path) -> Vec<String> {
    if !folder.exists() {
        return Vec::new();
    }
    let files = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter().map(Result::unwrap);
    let files = files.filter(|entry| entry.file_type().is_file());
    let names = files.map(|entry| entry.path().strip_prefix(folder).unwrap().to_str().unwrap().to_owned());
    names.filter(|name| !name.rsplit('/').next().unwrap().starts_with('.')).collect()
}
