//! A zip archive of which a few entries change.
//!
//! Invariant: everything that does not change is copied byte for byte: names, order, dates, flags, extra fields, compressed bytes,
//! and bytes between entries. So an archive without changes is written as it was read. A changed entry keeps its header except for
//! sizes and checksum. The `zip` crate would write new headers, so this module reads and writes the format itself
//! (<https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT>). No more is unpacked than `MOST_UNPACKED`, or than the caller
//! allows.

use std::collections::HashSet;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, bail, ensure};
use flate2::Compression;
use flate2::read::{DeflateDecoder, DeflateEncoder};

use super::Content;
use super::comments::Changed;
use crate::error::{Error, Explain, WithHint};

/// The most bytes that the entries with text may have together when they are unpacked, unless the caller allows more.
/// XML of this size is a document of about 20,000 pages.
const MOST_UNPACKED: u64 = 256 << 20;
/// An entry above this size that is packed to less than `LEAST_SHARE` of it is taken for a zip bomb, unless the
/// caller sets how much may be unpacked.
const SUSPICIOUS: u64 = 16 << 20;
const LEAST_SHARE: u64 = 400;

const LOCAL_HEAD: &[u8] = b"PK\x03\x04";
const CENTRAL_HEAD: &[u8] = b"PK\x01\x02";
const END_HEAD: &[u8] = b"PK\x05\x06";
const LOCAL_LENGTH: usize = 30;
const CENTRAL_LENGTH: usize = 46;
const END_LENGTH: usize = 22;
/// The first bytes of old Office documents, and of new ones with a password.
const OLE_HEAD: &[u8] = &[0xD0, 0xCF, 0x11, 0xE0];
/// The flag of an entry that is encrypted.
const ENCRYPTED: u16 = 1;
/// The flag of an entry whose sizes are after its bytes.
const DESCRIPTOR: u16 = 8;

/// A zip archive and its list of entries.
pub(super) struct Archive {
    bytes: Bytes,
    entries: Vec<ZipEntry>,
    /// The bytes from the list of entries to the end of the archive.
    directory: Vec<u8>,
    /// The position of the list of entries.
    directory_at: u64,
    /// The position, within these bytes, of the record that has the list's position.
    end: usize,
    /// Most bytes that may be unpacked, if the caller sets it.
    max_unpacked: Option<u64>,
    /// Number of bytes that were unpacked, from this archive and those that are inside of it.
    unpacked: Arc<AtomicU64>,
}

/// The bytes of an archive, in memory or in a file.
enum Bytes {
    Memory(Vec<u8>),
    File(Mutex<File>),
}

/// An entry of an archive.
struct ZipEntry {
    name: String,
    flags: u16,
    method: u16,
    checksum: u32,
    packed: u64,
    size: u64,
    /// The range of its header and bytes, up to the next entry.
    place: Range<u64>,
    /// The range of its record in the list of entries.
    record: Range<usize>,
}

impl Archive {
    /// Reads the list of entries.
    ///
    /// # Errors
    /// When this is no zip archive, or its list of entries is damaged or made to deceive.
    pub(super) fn open(content: Content, max_unpacked: Option<u64>) -> Result<Self> {
        let bytes = match content {
            Content::Text(text) => Bytes::Memory(text.into_bytes()),
            Content::Bytes(bytes) => Bytes::Memory(bytes),
            Content::File(file) => Bytes::File(Mutex::new(file)),
        };
        let length = bytes.length()?;
        let head = bytes.read(0, length.min(4))?;
        ensure!(
            head != OLE_HEAD,
            "this is a document with a password, or one of an older program"
                .with_hint("open it in the program it came from and save it anew, without a password")
        );
        let tail_at = length.saturating_sub(END_LENGTH as u64 + u64::from(u16::MAX));
        let tail = bytes.read(tail_at, length - tail_at)?;
        let last = tail.len().checked_sub(END_LENGTH);
        let end = last.and_then(|last| (0..=last).rev().find(|&at| tail[at..].starts_with(END_HEAD)));
        let end = end
            .explain(|| "this is no zip archive, which such a document is".with_hint("look whether it is complete"))?;
        let (count, at) = (u16_at(&tail, end + 10), u64::from(u32_at(&tail, end + 16)));
        let size = u64::from(u32_at(&tail, end + 12));
        // These numbers stand for larger ones in another record.
        ensure!(count < u16::MAX && at.max(size) < u64::from(u32::MAX), of_zip64());
        ensure!(at + size <= tail_at + end as u64, broken());
        let directory = bytes.read(at, length - at)?;
        let entries = entries(&directory, count, at)?;
        check(&entries)?;
        let end = (tail_at + end as u64 - at) as usize;
        Ok(Self { bytes, entries, directory, directory_at: at, end, max_unpacked, unpacked: Arc::default() })
    }

    /// Reads the list of entries of an archive that is an entry of this one. Both have one limit of unpacked bytes.
    ///
    /// # Errors
    /// As `open`.
    pub(super) fn open_inside(&self, content: Content) -> Result<Self> {
        Ok(Self { unpacked: Arc::clone(&self.unpacked), ..Self::open(content, self.max_unpacked)? })
    }

    /// Whether there is an entry of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.entries.iter().any(|entry| entry.name == name)
    }

    /// The names of all entries.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| entry.name.as_str())
    }

    /// The name of an entry as it is written in the archive. Lists of Office name entries in any case.
    pub(super) fn named(&self, name: &str) -> Option<&str> {
        let exact = self.names().find(|known| *known == name);
        exact.or_else(|| self.names().find(|known| known.eq_ignore_ascii_case(name)))
    }

    /// The content of an entry.
    ///
    /// # Errors
    /// When there is no such entry, it is damaged, or it exceeds the limit of unpacked bytes.
    pub(super) fn read(&self, name: &str) -> Result<Vec<u8>> {
        let entry = self.entries.iter().find(|entry| entry.name == name);
        let entry =
            entry.explain(|| format!("`{name}` is missing").with_hint("the document is damaged: save it anew"))?;
        self.allow(entry)?;
        let head = self.bytes.read(entry.place.start, LOCAL_LENGTH as u64)?;
        let data_at =
            entry.place.start + LOCAL_LENGTH as u64 + u64::from(u16_at(&head, 26)) + u64::from(u16_at(&head, 28));
        let damaged = || {
            format!("`{name}` is damaged").with_hint("open the document in the program it came from and save it anew")
        };
        ensure!(head.starts_with(LOCAL_HEAD) && data_at + entry.packed <= entry.place.end, damaged());
        let packed = self.bytes.read(data_at, entry.packed)?;
        let unpacked = match entry.method {
            0 => packed,
            8 => {
                let mut unpacked = Vec::with_capacity(entry.size as usize);
                let mut reader = DeflateDecoder::new(&packed[..]).take(entry.size + 1);
                reader.read_to_end(&mut unpacked).explain(damaged)?;
                unpacked
            }
            other => bail!(
                format!("`{name}` is packed by method {other}, which such documents never are")
                    .with_hint("save it anew")
            ),
        };
        let right = unpacked.len() as u64 == entry.size && crc32fast::hash(&unpacked) == entry.checksum;
        ensure!(right, damaged());
        Ok(unpacked)
    }

    /// Counts an entry that is unpacked. One that is not allowed does not count, so that a document can be read without it.
    ///
    /// # Errors
    /// When that is more than is allowed.
    fn allow(&self, entry: &ZipEntry) -> Result<()> {
        let ZipEntry { name, size, packed, .. } = entry;
        let is_bomb = self.max_unpacked.is_none() && *size > SUSPICIOUS && size / LEAST_SHARE > *packed;
        let total = self.unpacked.load(Ordering::Relaxed).saturating_add(*size);
        let most = self.max_unpacked.unwrap_or(MOST_UNPACKED);
        if total <= most && !is_bomb {
            self.unpacked.store(total, Ordering::Relaxed);
            return Ok(());
        }
        bail!(
            format!(
                "`{name}` would take {} MiB when unpacked, from {} kB, and the document {} MiB; {} MiB are allowed",
                size.div_ceil(1 << 20),
                packed.div_ceil(1000),
                total.div_ceil(1 << 20),
                most >> 20
            )
            .with_hint(
                "such an archive may be made to fill a memory; if you trust it, allow more with `--max-unpacked`"
            )
        )
    }

    /// Writes the archive, with other contents for some of its entries, and with entries that it does not have yet.
    pub(super) fn write(&self, changed: &[Changed], added: &[Changed], out: &mut dyn Write) -> Result<()> {
        let mut order: Vec<&ZipEntry> = self.entries.iter().collect();
        order.sort_by_key(|entry| entry.place.start);
        let mut directory = self.directory.clone();
        let first = order.first().map_or(self.directory_at, |entry| entry.place.start);
        self.copy(0..first, out)?;
        let mut written = first;
        for entry in order {
            let record = &mut directory[entry.record.clone()];
            record[42..46].copy_from_slice(&u32::try_from(written)?.to_le_bytes());
            let other = changed.iter().find(|(name, _)| *name == entry.name);
            written += match other {
                Some((_, content)) => self.write_changed(entry, content, record, out)?,
                None => self.copy(entry.place.clone(), out)?,
            };
        }
        let mut records = Vec::new();
        for (name, content) in added {
            written += write_added(name, content, written, &mut records, out)?;
        }
        let last = self.entries.iter().map(|entry| entry.record.end).max().unwrap_or(0);
        directory.splice(last..last, records.iter().copied());
        let end = &mut directory[self.end + records.len()..];
        let count = u16::try_from(self.entries.len() + added.len())?.to_le_bytes();
        let size = u32_at(end, 12) + u32::try_from(records.len())?;
        let numbers = [size.to_le_bytes(), u32::try_from(written)?.to_le_bytes()].concat();
        if !added.is_empty() {
            end[8..12].copy_from_slice(&[count, count].concat());
        }
        end[12..20].copy_from_slice(&numbers);
        out.write_all(&directory)?;
        Ok(())
    }

    /// Writes an entry with other content, and updates its record.
    fn write_changed(&self, entry: &ZipEntry, content: &[u8], record: &mut [u8], out: &mut dyn Write) -> Result<u64> {
        let head = self.bytes.read(entry.place.start, LOCAL_LENGTH as u64)?;
        let rest = u64::from(u16_at(&head, 26)) + u64::from(u16_at(&head, 28));
        let mut head = self.bytes.read(entry.place.start, LOCAL_LENGTH as u64 + rest)?;
        let mut packed = Vec::new();
        if entry.method == 0 {
            packed.extend_from_slice(content);
        } else {
            DeflateEncoder::new(content, Compression::default()).read_to_end(&mut packed)?;
        }
        let flags = (entry.flags & !DESCRIPTOR).to_le_bytes();
        let numbers = [crc32fast::hash(content), u32::try_from(packed.len())?, u32::try_from(content.len())?];
        let numbers: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        head[6..8].copy_from_slice(&flags);
        head[14..26].copy_from_slice(&numbers);
        record[8..10].copy_from_slice(&flags);
        record[16..28].copy_from_slice(&numbers);
        out.write_all(&head)?;
        out.write_all(&packed)?;
        Ok((head.len() + packed.len()) as u64)
    }

    /// Copies bytes unchanged, and returns their number.
    fn copy(&self, place: Range<u64>, out: &mut dyn Write) -> Result<u64> {
        let mut at = place.start;
        while at < place.end {
            let piece = self.bytes.read(at, (place.end - at).min(1 << 20))?;
            out.write_all(&piece)?;
            at += piece.len() as u64;
        }
        Ok(place.end - place.start)
    }
}

impl Bytes {
    fn length(&self) -> Result<u64> {
        match self {
            Self::Memory(bytes) => Ok(bytes.len() as u64),
            Self::File(file) => Ok(file.lock().unwrap_or_else(PoisonError::into_inner).seek(SeekFrom::End(0))?),
        }
    }

    fn read(&self, at: u64, length: u64) -> Result<Vec<u8>> {
        let cut = || "the document ends in the middle".with_hint("look whether it is complete");
        match self {
            Self::Memory(bytes) => {
                Ok(bytes.get(at as usize..(at.saturating_add(length)) as usize).explain(cut)?.to_vec())
            }
            Self::File(file) => {
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                file.seek(SeekFrom::Start(at)).context("cannot read the file")?;
                let mut bytes = vec![0; length as usize];
                file.read_exact(&mut bytes).explain(cut)?;
                Ok(bytes)
            }
        }
    }
}

/// Writes a new entry and its record, with the earliest date that the format has; returns the number of bytes of the entry.
fn write_added(name: &str, content: &[u8], at: u64, records: &mut Vec<u8>, out: &mut dyn Write) -> Result<u64> {
    let mut packed = Vec::new();
    DeflateEncoder::new(content, Compression::default()).read_to_end(&mut packed)?;
    let shorts = |numbers: &[u16]| numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>();
    let longs = |numbers: &[u32]| numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>();
    let sizes = longs(&[crc32fast::hash(content), u32::try_from(packed.len())?, u32::try_from(content.len())?]);
    // Version 2.0, no flags, deflated, no time; then name and no extra field.
    let head = [shorts(&[20, 0, 8, 0, 0x21]), sizes, shorts(&[u16::try_from(name.len())?, 0])].concat();
    let local = [LOCAL_HEAD, &head, name.as_bytes(), &packed].concat();
    out.write_all(&local)?;
    let rest = [shorts(&[0, 0, 0]), longs(&[0, u32::try_from(at)?])].concat();
    records.extend([CENTRAL_HEAD, &shorts(&[20]), &head, &rest, name.as_bytes()].concat());
    Ok(local.len() as u64)
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn broken() -> Error {
    "the archive's list of entries is broken".with_hint("look whether the file is complete")
}

fn of_zip64() -> Error {
    "the archive is in the form for more than 4 GB (ZIP64), which is not read here"
        .with_hint("open the document in a program and save it anew, or unpack it and pack it again")
}

/// The entries that a directory lists; `end` is where the last of them ends.
fn entries(directory: &[u8], count: u16, end: u64) -> Result<Vec<ZipEntry>> {
    let mut entries = Vec::with_capacity(count.into());
    let mut at = 0;
    for _ in 0..count {
        let head = directory.get(at..at + CENTRAL_LENGTH).filter(|head| head.starts_with(CENTRAL_HEAD));
        let head = head.explain(broken)?;
        let [name, extra, comment] = [28, 30, 32].map(|at| usize::from(u16_at(head, at)));
        let record = at..at + CENTRAL_LENGTH + name + extra + comment;
        let text = directory.get(record.clone()).explain(broken)?;
        let [packed, size, start] = [20, 24, 42].map(|at| u64::from(u32_at(head, at)));
        ensure!(![packed, size, start].contains(&u64::from(u32::MAX)), of_zip64());
        entries.push(ZipEntry {
            name: String::from_utf8_lossy(&text[CENTRAL_LENGTH..CENTRAL_LENGTH + name]).into_owned(),
            flags: u16_at(head, 8),
            method: u16_at(head, 10),
            checksum: u32_at(head, 16),
            packed,
            size,
            place: start..end,
            record: record.clone(),
        });
        at = record.end;
    }
    let mut order: Vec<usize> = (0..entries.len()).collect();
    order.sort_by_key(|&entry| entries[entry].place.start);
    for pair in order.windows(2) {
        entries[pair[0]].place.end = entries[pair[1]].place.start;
    }
    Ok(entries)
}

/// Refuses entries that no program for documents writes.
fn check(entries: &[ZipEntry]) -> Result<()> {
    let mut names = HashSet::new();
    for ZipEntry { name, flags, packed, place, .. } in entries {
        let leaves = name.starts_with('/') || name.contains(['\\', '\0']) || name.split('/').any(|part| part == "..");
        ensure!(!leaves, "the entry `{}` would lie outside of the archive", name.escape_default());
        ensure!(names.insert(name), "the entry `{name}` is there twice");
        ensure!(
            flags & ENCRYPTED == 0,
            format!("the entry `{name}` is encrypted").with_hint("save the document without a password")
        );
        let overlaps = place.end < place.start + LOCAL_LENGTH as u64 + packed;
        ensure!(
            !overlaps,
            format!("the entry `{name}` lies over another one").with_hint("such an archive is made to fill a memory")
        );
    }
    Ok(())
}
