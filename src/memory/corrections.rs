//! Corrections: translations by people, which are used in place of those of any model.
//!
//! Invariant: a source has one correction between two languages, the last that was imported.

use std::collections::HashSet;

use anyhow::Result;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::{Memory, TranslationUnit, language, on_one_line};

/// The query for the correction of a source.
pub(super) const LOOKUP: &str =
    "SELECT target FROM corrections WHERE source_language = ?1 AND target_language = ?2 AND source = ?3";

/// Number of units that are imported in one transaction. A process that is killed loses at most these.
const BATCH: usize = 500;

/// Numbers of units of an import, by what was done with them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Units that became corrections.
    pub taken: usize,
    /// Units that were corrections already, or that equal the output of a model or a copy.
    pub unchanged: usize,
    /// Units without a source or a target in the requested languages.
    pub left_out: usize,
}

impl Memory {
    /// Imports units as corrections. With `only_changed`, a unit is skipped if a model made that target of its
    /// source: a report also has sentences that no person changed.
    ///
    /// # Errors
    /// When a unit cannot be read, or the file fails. Units that were imported before stay.
    pub fn import(&self, units: impl Iterator<Item = Result<TranslationUnit>>, only_changed: bool) -> Result<Imported> {
        let mut imported = Imported::default();
        let mut batch = Vec::with_capacity(BATCH);
        let mut failed = None;
        for unit in units {
            match unit {
                Ok(unit) => batch.push(unit),
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
            if batch.len() == BATCH {
                self.take(&mut batch, only_changed, &mut imported)?;
            }
        }
        self.take(&mut batch, only_changed, &mut imported)?;
        failed.map_or(Ok(imported), Err)
    }

    fn take(&self, batch: &mut Vec<TranslationUnit>, only_changed: bool, imported: &mut Imported) -> Result<()> {
        let day = self.day;
        self.must(|connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let before = imported.taken;
            for unit in batch.drain(..) {
                *count(&transaction, &unit, only_changed, day, imported)? += 1;
            }
            if imported.taken > before {
                edited(&transaction)?;
            }
            transaction.commit()
        })
    }
}

/// Imports a unit, and returns the number of `imported` that counts it.
fn count<'i>(
    connection: &Connection,
    unit: &TranslationUnit,
    only_changed: bool,
    day: i64,
    imported: &'i mut Imported,
) -> rusqlite::Result<&'i mut usize> {
    let (from, to, source) = (language(&unit.from), language(&unit.to), on_one_line(&unit.source));
    let target = unit.target.trim();
    if source.is_empty() || target.is_empty() {
        return Ok(&mut imported.left_out);
    }
    let known: Option<String> = connection.query_row(LOOKUP, [&from, &to, &source], |row| row.get(0)).optional()?;
    // A sentence without letters was copied and not kept.
    let is_copied = || source == target && !source.contains(char::is_alphabetic);
    let is_made = only_changed && (is_copied() || made(connection, &from, &to, &source)?.contains(target));
    if known.as_deref() == Some(target) || is_made {
        return Ok(&mut imported.unchanged);
    }
    let insert = "INSERT OR REPLACE INTO corrections VALUES (?, ?, ?, ?, ?)";
    connection.execute(insert, params![from, to, source, target, day])?;
    Ok(&mut imported.taken)
}

/// The targets that models made of a source. The query uses the index by length; `+source` keeps `SQLite` from
/// choosing another way.
fn made(connection: &Connection, from: &str, to: &str, source: &str) -> rusqlite::Result<HashSet<String>> {
    let query = "SELECT target FROM kept WHERE source_language = ?1 AND target_language = ?2 AND kind = 'segment' \
                 AND length(source) = length(?3) AND +source = ?3";
    connection.prepare(query)?.query_map([from, to, source], |row| row.get(0))?.collect()
}

/// Notes in the file that its corrections have changed.
pub(super) fn edited(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute("UPDATE facts SET value = value + 1 WHERE name = 'corrections'", []).map(drop)
}

/// A name of the current set of corrections: empty without corrections, else different from that of any other set in
/// any memory.
pub(super) fn edition(connection: &Connection) -> rusqlite::Result<String> {
    let query = "SELECT CASE WHEN EXISTS (SELECT 1 FROM corrections) THEN group_concat(value, ' ') ELSE '' END FROM \
                 (SELECT value FROM facts WHERE name IN ('id', 'corrections') ORDER BY name)";
    connection.query_row(query, [], |row| row.get(0))
}
