//! Statistics of a memory, and removal of texts from it.
//!
//! Invariant: a text that is removed is not in the file any more: freed pages are overwritten and returned to the
//! disk.

use anyhow::Result;
use rusqlite::{Connection, TransactionBehavior};
use serde::Serialize;

use super::{Memory, TranslationUnit, corrections};

/// Statistics of a memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MemoryStats {
    /// The path of the file.
    pub file: String,
    /// Bytes of the file and of its log.
    pub bytes: u64,
    /// Number of kept segments.
    pub segments: u64,
    /// Number of kept summaries.
    pub summaries: u64,
    /// Number of corrections.
    pub corrections: u64,
    /// Number of kept outputs for each model and pair of languages.
    pub models: Vec<ModelShare>,
}

/// The kept outputs of one model between two languages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ModelShare {
    /// The model's name.
    pub model: String,
    /// The code of the sources' language.
    pub from: String,
    /// The code of the translations' language.
    pub to: String,
    /// Number of outputs.
    pub texts: u64,
}

/// Which kept outputs are removed. Corrections stay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prune {
    /// Removes outputs that were not used for this many days.
    pub older_than: Option<u32>,
    /// Removes outputs of the model with this name, which may lack `@` and the revision.
    pub model: Option<String>,
    /// Removes the outputs that were used longest ago, until the file has this many bytes at most.
    pub max_size: Option<u64>,
}

/// Which texts are removed, corrections included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Forget {
    /// All texts whose source or translation contains this one, without regard to case.
    With(String),
    /// All corrections.
    Corrections,
    /// All texts.
    All,
}

impl Memory {
    /// The statistics of the memory.
    ///
    /// # Errors
    /// When the file fails.
    pub fn stats(&self) -> Result<MemoryStats> {
        let (segments, summaries, corrections, models) = self.must(|connection| {
            let count = |query: &str| connection.query_row(query, [], |row| row.get::<_, i64>(0));
            let segments = count("SELECT count(*) FROM kept WHERE kind = 'segment'")?;
            let summaries = count("SELECT count(*) FROM kept WHERE kind <> 'segment'")?;
            Ok((segments, summaries, count("SELECT count(*) FROM corrections")?, shares(connection)?))
        })?;
        Ok(MemoryStats {
            file: self.path.display().to_string(),
            bytes: self.bytes(),
            segments: segments as u64,
            summaries: summaries as u64,
            corrections: corrections as u64,
            models,
        })
    }

    /// Removes kept outputs, and returns their number.
    ///
    /// # Errors
    /// When the file fails.
    pub fn prune(&self, prune: &Prune) -> Result<u64> {
        let day = self.day;
        let removed = self.must(|connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let mut removed = 0;
            if let Some(days) = prune.older_than {
                removed += transaction.execute("DELETE FROM kept WHERE used < ?", [day - i64::from(days)])?;
            }
            if let Some(model) = &prune.model {
                let query = "DELETE FROM kept WHERE model IN (SELECT id FROM models WHERE name = ?1 \
                             OR substr(name, 1, length(?1) + 1) = ?1 || '@')";
                removed += transaction.execute(query, [model])?;
            }
            if let Some(most) = prune.max_size {
                removed += shrink(&transaction, most)?;
            }
            transaction.execute("DELETE FROM models WHERE id NOT IN (SELECT model FROM kept)", [])?;
            transaction.commit()?;
            Ok(removed as u64)
        })?;
        self.compact()?;
        Ok(removed)
    }

    /// Removes texts, and returns their number.
    ///
    /// # Errors
    /// When the file fails.
    pub fn forget(&self, forget: &Forget) -> Result<u64> {
        let forgotten = self.must(|connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let forgotten = match forget {
                Forget::With(text) => forget_text(&transaction, text)?,
                Forget::Corrections => transaction.execute("DELETE FROM corrections", [])?,
                Forget::All => {
                    transaction.execute("DELETE FROM kept", [])? + transaction.execute("DELETE FROM corrections", [])?
                }
            };
            if forgotten > 0 {
                corrections::edited(&transaction)?;
            }
            transaction.execute("DELETE FROM models WHERE id NOT IN (SELECT model FROM kept)", [])?;
            transaction.commit()?;
            Ok(forgotten as u64)
        })?;
        self.compact()?;
        Ok(forgotten)
    }

    /// Calls `take` with all translations: first the corrections, then the kept ones unless `only_corrections`. Both
    /// are sorted by languages and source.
    ///
    /// # Errors
    /// When the file or `take` fails.
    pub fn units(&self, only_corrections: bool, mut take: impl FnMut(&TranslationUnit) -> Result<()>) -> Result<()> {
        let mut failed = Ok(());
        self.must(|connection| {
            // What a person corrected is not what a model made of it.
            let kept = "UNION ALL SELECT * FROM (SELECT DISTINCT source_language, target_language, source, target, 0 FROM kept \
                        WHERE kind = 'segment' AND NOT EXISTS (SELECT 1 FROM corrections AS one WHERE \
                        one.source_language = kept.source_language AND one.target_language = kept.target_language AND \
                        one.source = kept.source) ORDER BY 1, 2, 3, 4)";
            let query = format!(
                "SELECT * FROM (SELECT source_language, target_language, source, target, 1 FROM corrections ORDER BY 1, 2, 3) {}",
                if only_corrections { "" } else { kept }
            );
            let mut query = connection.prepare(&query)?;
            let mut rows = query.query([])?;
            while let Some(row) = rows.next()? {
                let unit = TranslationUnit {
                    from: row.get(0)?,
                    to: row.get(1)?,
                    source: row.get(2)?,
                    target: row.get(3)?,
                    corrected: row.get(4)?,
                };
                failed = take(&unit);
                if failed.is_err() {
                    break;
                }
            }
            Ok(())
        })?;
        failed
    }

    /// Returns freed space to the disk.
    fn compact(&self) -> Result<()> {
        self.must(|connection| {
            connection.execute_batch("VACUUM")?;
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        })
    }
}

fn shares(connection: &Connection) -> rusqlite::Result<Vec<ModelShare>> {
    let mut query = connection.prepare(
        "SELECT models.name, source_language, target_language, count(*) FROM kept JOIN models ON models.id = kept.model \
         GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1, 2, 3",
    )?;
    let share = |row: &rusqlite::Row| {
        let texts = row.get::<_, i64>(3)? as u64;
        Ok(ModelShare { model: row.get(0)?, from: row.get(1)?, to: row.get(2)?, texts })
    };
    query.query_map([], share)?.collect()
}

/// Removes the outputs that were used longest ago, until the texts take `most` bytes of the file or less. Returns the
/// number of removed ones.
fn shrink(connection: &Connection, most: u64) -> rusqlite::Result<usize> {
    let number = |query: &str| connection.query_row(query, [], |row| row.get::<_, i64>(0));
    let used = (number("PRAGMA page_count")? - number("PRAGMA freelist_count")?) * number("PRAGMA page_size")?;
    let excess = used - most as i64;
    let texts = number("SELECT count(*) FROM kept")?;
    if excess <= 0 || texts == 0 {
        return Ok(0);
    }
    // A tenth more than the excess is removed, so that one or two rounds are enough.
    let share = texts as f64 * (excess as f64 * 1.1 / used as f64);
    let query = "DELETE FROM kept WHERE rowid IN (SELECT rowid FROM kept ORDER BY used, rowid LIMIT ?)";
    let removed = connection.execute(query, [(share.ceil() as i64).min(texts)])?;
    Ok(removed + shrink(connection, most)?)
}

/// Removes all texts whose source or target contains `text`, and returns their number.
fn forget_text(connection: &Connection, text: &str) -> rusqlite::Result<usize> {
    let text = text.to_lowercase();
    let mut forgotten = 0;
    for table in ["kept", "corrections"] {
        let mut query = connection.prepare(&format!("SELECT rowid, source, target FROM {table}"))?;
        let mut rows = query.query([])?;
        let mut found: Vec<i64> = Vec::new();
        while let Some(row) = rows.next()? {
            // The comparison is done here, because SQLite ignores the case of ASCII letters only.
            let has = |at| Ok::<_, rusqlite::Error>(row.get::<_, String>(at)?.to_lowercase().contains(&text));
            if has(1)? || has(2)? {
                found.push(row.get(0)?);
            }
        }
        let mut delete = connection.prepare(&format!("DELETE FROM {table} WHERE rowid = ?"))?;
        for id in found {
            forgotten += delete.execute([id])?;
        }
    }
    Ok(forgotten)
}
