//! Outputs of models, kept under a key of all that decides them.
//!
//! Invariant: a batch is kept as a whole or not at all. An output that is recalled counts as used on that day.

use std::path::Path;

use anyhow::Result;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::{Memory, corrections};

/// The output of a model for a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The output.
    pub target: String,
    /// Further results that the caller needs when the output is recalled, as JSON.
    pub details: String,
}

/// The result of a look-up in a memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recalled {
    /// The correction of a person.
    Corrected(String),
    /// The kept output of a model.
    Kept(Kept),
}

/// A source to look up.
pub(super) struct Lookup<'a> {
    pub key: [u8; 32],
    /// The source in the form that corrections have, or `None` if no correction can apply.
    pub source: Option<String>,
    /// Whether only corrections are looked up.
    pub only_corrected: bool,
    pub from: &'a str,
    pub to: &'a str,
}

/// An output to be kept.
pub(super) struct NewText<'a> {
    pub key: [u8; 32],
    pub kind: &'static str,
    pub model: &'a str,
    pub from: &'a str,
    pub to: &'a str,
    pub source: &'a str,
    pub kept: &'a Kept,
}

impl Memory {
    /// Looks up sources: one result for each, `None` if nothing is known or the file has failed.
    pub(super) fn recall(&self, wanted: &[Lookup]) -> Vec<Option<Recalled>> {
        let day = self.day;
        let mut found = self.attempt(|state| {
            let found = recall(&mut state.connection, wanted, day)?;
            let is_asked = |(wanted, found): &(&Lookup, &Option<Recalled>)| !wanted.only_corrected || found.is_some();
            state.counts.asked += wanted.iter().zip(&found).filter(is_asked).count();
            let count = |is: fn(&Recalled) -> bool| found.iter().flatten().filter(|recalled| is(recalled)).count();
            state.counts.kept += count(|recalled| matches!(recalled, Recalled::Kept(_)));
            state.counts.corrected += count(|recalled| matches!(recalled, Recalled::Corrected(_)));
            Ok(found)
        });
        found.resize(wanted.len(), None);
        found
    }

    /// Keeps outputs in one transaction.
    pub(super) fn keep(&self, texts: &[NewText]) {
        if !texts.is_empty() {
            self.attempt(|state| keep(&mut state.connection, texts, self.day));
        }
    }

    /// The hash of a file's content. It is computed by `hash` unless the memory has that of this file with `seen`,
    /// its size and time.
    ///
    /// # Errors
    /// When `hash` fails.
    pub fn content(&self, file: &Path, seen: &str, hash: impl FnOnce() -> Result<String>) -> Result<String> {
        let place = format!("{} {seen}", file.display());
        let known = self.attempt(|state| {
            let query = "SELECT content FROM files WHERE place = ?";
            state.connection.query_row(query, [&place], |row| row.get::<_, String>(0)).optional()
        });
        if let Some(known) = known {
            return Ok(known);
        }
        let content = hash()?;
        self.attempt(|state| {
            state.connection.execute("INSERT OR REPLACE INTO files VALUES (?, ?)", [&place, &content]).map(drop)
        });
        Ok(content)
    }
}

fn recall(connection: &mut Connection, wanted: &[Lookup], day: i64) -> rusqlite::Result<Vec<Option<Recalled>>> {
    let mut found = Vec::with_capacity(wanted.len());
    // Rows that were last used on an earlier day.
    let mut older = Vec::new();
    {
        let mut correction = connection.prepare(corrections::LOOKUP)?;
        let mut kept = connection.prepare("SELECT rowid, target, details, used FROM kept WHERE key = ?")?;
        for Lookup { key, source, only_corrected, from, to } in wanted {
            let corrected = match source {
                Some(source) => correction.query_row(params![from, to, source], |row| row.get(0)).optional()?,
                None => None,
            };
            if corrected.is_some() || *only_corrected {
                found.push(corrected.map(Recalled::Corrected));
                continue;
            }
            let row = kept.query_row([&key[..]], |row| {
                let kept = Kept { target: row.get(1)?, details: row.get(2)? };
                Ok((row.get::<_, i64>(0)?, kept, row.get::<_, i64>(3)?))
            });
            let row = row.optional()?;
            older.extend(row.iter().filter(|(_, _, used)| *used < day).map(|(id, ..)| *id));
            found.push(row.map(|(_, kept, _)| Recalled::Kept(kept)));
        }
    }
    if !older.is_empty() {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut used = transaction.prepare("UPDATE kept SET used = ?1 WHERE rowid = ?2")?;
            older.iter().try_for_each(|id| used.execute([day, *id]).map(drop))?;
        }
        transaction.commit()?;
    }
    Ok(found)
}

fn keep(connection: &mut Connection, texts: &[NewText], day: i64) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    {
        let mut insert = transaction.prepare(
            "INSERT INTO kept SELECT ?1, ?2, models.id, ?3, ?4, ?5, ?6, ?7, ?8, ?8 FROM models WHERE name = ?9 \
             ON CONFLICT (key) DO NOTHING",
        )?;
        let mut add_model = transaction.prepare("INSERT INTO models (name) VALUES (?) ON CONFLICT DO NOTHING")?;
        let mut known = "";
        for text in texts {
            if text.model != known {
                add_model.execute([text.model])?;
                known = text.model;
            }
            let Kept { target, details } = text.kept;
            let NewText { key, kind, model, from, to, source, .. } = text;
            insert.execute(params![&key[..], kind, from, to, source, target, details, day, model])?;
        }
    }
    transaction.commit()
}
