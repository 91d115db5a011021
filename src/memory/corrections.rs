//! Translations that people gave, which win over any model.
//!
//! Invariant: a source has one correction between two languages: the last that was given.

use std::collections::HashSet;

use anyhow::Result;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::{Memory, TranslationUnit, language, on_one_line};

/// The correction of a source.
pub(super) const LOOKUP: &str =
    "SELECT target FROM corrections WHERE source_language = ?1 AND target_language = ?2 AND source = ?3";

/// How many units are taken at once: a process that is killed loses those.
const BATCH: usize = 500;

/// What came of units that were imported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Those that are corrections now.
    pub taken: usize,
    /// Those that were so already, or that say what the model says.
    pub unchanged: usize,
    /// Those that have no source or no target in the languages that were asked for.
    pub left_out: usize,
}

impl Memory {
    /// Takes units as corrections. Of a report, which has sentences that nobody touched, `only_changed` takes only what differs
    /// from all that a model made of the source.
    ///
    /// # Errors
    /// When a unit cannot be read, or the file fails; what was taken before stays.
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

/// Takes a unit, and gives the number that counts it.
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
    let is_made = only_changed && made(connection, &from, &to, &source)?.contains(target);
    if known.as_deref() == Some(target) || is_made {
        return Ok(&mut imported.unchanged);
    }
    let insert = "INSERT OR REPLACE INTO corrections VALUES (?, ?, ?, ?, ?)";
    connection.execute(insert, params![from, to, source, target, day])?;
    Ok(&mut imported.taken)
}

/// What models made of a source. There is an index by length; the sign keeps `SQLite` from making a constant of that.
fn made(connection: &Connection, from: &str, to: &str, source: &str) -> rusqlite::Result<HashSet<String>> {
    let query = "SELECT target FROM kept WHERE source_language = ?1 AND target_language = ?2 AND kind = 'segment' \
                 AND length(source) = length(?3) AND +source = ?3";
    connection.prepare(query)?.query_map([from, to, source], |row| row.get(0))?.collect()
}

/// Notes that the corrections are others now.
pub(super) fn edited(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute("UPDATE facts SET value = value + 1 WHERE name = 'corrections'", []).map(drop)
}

/// Which corrections there are: empty without any, else what no other state of any memory has.
pub(super) fn edition(connection: &Connection) -> rusqlite::Result<String> {
    let query = "SELECT CASE WHEN EXISTS (SELECT 1 FROM corrections) THEN group_concat(value, ' ') ELSE '' END FROM \
                 (SELECT value FROM facts WHERE name IN ('id', 'corrections') ORDER BY name)";
    connection.query_row(query, [], |row| row.get(0))
}
