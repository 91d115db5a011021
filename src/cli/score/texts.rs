//! The texts that are scored: reading them, and checking that they have as many lines as their references.
//!
//! Invariant: lines are those of sacreBLEU: they end at LF, and white space at their ends does not count.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use kortom::error::{Explain, WithHint};
use serde_json::Value;

use super::ScoreArgs;

/// Hypotheses of one origin, a text for each segment.
pub struct System {
    /// The name of the file, `-`, or the name of the model.
    pub name: String,
    /// Its texts.
    pub lines: Vec<String>,
}

/// The texts of all files.
pub struct Texts {
    /// The references.
    pub reference: Vec<String>,
    /// The hypotheses of each file.
    pub systems: Vec<System>,
    /// The source to be translated, if there is one.
    pub source: Option<Vec<String>>,
}

impl Texts {
    /// Reads every file.
    pub fn read(args: &ScoreArgs) -> Result<Self> {
        let hypotheses = hypotheses(args)?;
        let field = args.field.as_deref();
        let reference = read(&args.reference, field)?;
        let name = args.reference.display();
        if reference.is_empty() {
            bail!("`{name}` has no lines, so there is nothing to score");
        }
        let same = |path: &PathBuf| -> Result<Vec<String>> {
            let (lines, wanted) = (read(path, field)?, reference.len());
            if lines.len() != wanted {
                bail!(
                    format!("`{}` has {} lines and the reference `{name}` has {wanted}", path.display(), lines.len())
                        .with_hint("each line is scored with the same line of the reference")
                );
            }
            Ok(lines)
        };
        let system = |path: &PathBuf| Ok(System { name: path.display().to_string(), lines: same(path)? });
        let systems = hypotheses.iter().map(system).collect::<Result<_>>()?;
        let source = args.source.as_ref().map(same).transpose()?;
        Ok(Self { reference, systems, source })
    }
}

/// The files of hypotheses: those typed, or standard input where there is nothing else to score.
fn hypotheses(args: &ScoreArgs) -> Result<Vec<PathBuf>> {
    let stdin = PathBuf::from("-");
    let mut hypotheses = args.hypotheses.clone();
    if hypotheses.is_empty() && args.source.is_none() {
        hypotheses.push(stdin.clone());
    }
    let all = [&args.reference].into_iter().chain(&hypotheses).chain(&args.source);
    if all.filter(|path| **path == stdin).count() > 1 {
        bail!("standard input can be read only once".with_hint("give `-` a single time"));
    }
    let mut seen = HashSet::new();
    if let Some(path) = hypotheses.iter().find(|path| !seen.insert(*path)) {
        bail!(format!("`{}` is given twice", path.display()).with_hint("leave one out"));
    }
    Ok(hypotheses)
}

/// The lines of a file, or one field of its objects.
pub fn read(path: &Path, field: Option<&str>) -> Result<Vec<String>> {
    let name = path.display();
    let mut bytes = Vec::new();
    let read = if path.as_os_str() == "-" {
        io::stdin().read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|mut file| file.read_to_end(&mut bytes))
    };
    read.with_context(|| format!("cannot read `{name}`"))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let line = error.as_bytes()[..error.utf8_error().valid_up_to()].split(|byte| *byte == b'\n').count();
        anyhow!(
            format!("`{name}`: line {line} is not valid UTF-8")
                .with_hint("convert it first, for instance with `iconv -f WINDOWS-1252 -t UTF-8`")
        )
    })?;
    let lines = text.split_terminator('\n').enumerate();
    lines
        .map(|(at, line)| match field {
            Some(field) => value(line, field).with_context(|| format!("`{name}`: line {}", at + 1)),
            None => Ok(trimmed(line)),
        })
        .collect()
}

/// The text in a field of an object.
fn value(line: &str, field: &str) -> Result<String> {
    let object: Value = serde_json::from_str(line).context("not a JSON object")?;
    let text = object.get(field).and_then(Value::as_str);
    text.map(trimmed)
        .explain(|| format!("it has no text in the field `{field}`").with_hint("name the field with --field"))
}

/// The line without the white space at its end that Python's `str.rstrip()` removes.
fn trimmed(line: &str) -> String {
    line.trim_end_matches(|c: char| c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)).to_owned()
}
