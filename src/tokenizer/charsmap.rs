//! SentencePiece's character rules, which replace characters before segmentation.
//!
//! Invariant: every lookup stays inside the tables, whatever the file contains. [`Charsmap::parse`] has checked that each
//! rule's replacement lies inside the text that it points into. Handling spaces belongs to `sentencepiece`.

use anyhow::{Context, Result, ensure};

/// A double-array trie from character sequences to replacements. SentencePiece stores it as a length, that many bytes of
/// 32-bit units, and then the replacements, each terminated by NUL.
#[derive(Clone, Debug, Default)]
pub(super) struct Charsmap {
    units: Vec<u32>,
    replacements: String,
}

/// Bit of a unit that is a value: an offset into the replacements.
const VALUE: u32 = 1 << 31;
/// Bit of a unit that ends a rule; the rule's value is in the unit that its offset leads to.
const LEAF: u32 = 1 << 8;

impl Charsmap {
    /// Parses the bytes of `precompiled_charsmap`; empty bytes mean no rules.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let (size, rest) = bytes.split_first_chunk::<4>().context("its character rules are cut short")?;
        let size = u32::from_le_bytes(*size) as usize;
        ensure!(
            size.is_multiple_of(1024) && size > 0,
            "its character rules have a table of {size} bytes, not whole blocks of 1,024"
        );
        let (table, replacements) = rest.split_at_checked(size).context("its character rules are cut short")?;
        let units =
            table.chunks_exact(4).map(|unit| u32::from_le_bytes([unit[0], unit[1], unit[2], unit[3]])).collect();
        let replacements =
            std::str::from_utf8(replacements).context("its character rules have a replacement that is not UTF-8")?;
        let charsmap = Self { units, replacements: replacements.to_owned() };
        charsmap.check()?;
        Ok(charsmap)
    }

    /// Checks that every node's children and every value lie inside the tables. For some families the tokenizers crate
    /// gets these bytes, and indexes them without a check.
    fn check(&self) -> Result<()> {
        for (position, &unit) in self.units.iter().enumerate() {
            let child = self.units.get(position ^ offset(unit)).copied();
            let good = match (unit & VALUE != 0, child) {
                (true, _) => self.replacements.is_char_boundary((unit & !VALUE) as usize),
                (false, None) => false,
                (false, Some(value)) => unit & LEAF == 0 || value & VALUE != 0,
            };
            ensure!(good, "its character rules point outside their table");
        }
        Ok(())
    }

    /// The longest rule that `text` starts with: its length in bytes, and its replacement.
    pub(super) fn longest(&self, text: &[u8]) -> Option<(usize, &str)> {
        let mut node = offset(*self.units.first()?);
        let mut found = None;
        for (index, &byte) in text.iter().enumerate() {
            node ^= usize::from(byte);
            let Some(&unit) = self.units.get(node) else { break };
            if unit & (VALUE | 0xff) != u32::from(byte) {
                break;
            }
            node ^= offset(unit);
            if unit & LEAF != 0 {
                found = self.units.get(node).map(|value| (index + 1, (value & !VALUE) as usize));
            }
        }
        let (length, start) = found?;
        let rest = self.replacements.get(start..)?;
        Some((length, rest.split('\0').next().unwrap_or(rest)))
    }
}

/// The offset of a unit's children, which is combined with its position by exclusive-or.
fn offset(unit: u32) -> usize {
    ((unit >> 10) << ((unit & (1 << 9)) >> 6)) as usize
}
