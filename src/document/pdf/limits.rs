//! The limit of what is unpacked from a PDF.
//!
//! Invariant: a part is unpacked only if its unpacked size is known to be within the rest of the limit. The crate unpacks some
//! parts by itself (lists of objects). So every packed part of the file is measured first, by unpacking it once and throwing the
//! bytes away. A part that is read later is counted each time, so that a few parts which draw each other many times end the work.

use std::borrow::Cow;
use std::cell::Cell;
use std::io::{self, Read};

use anyhow::{Result, ensure};
use flate2::read::{DeflateDecoder, ZlibDecoder};
use hayro_font::hayro_syntax::Filter;
use hayro_font::hayro_syntax::object::dict::keys::SUBTYPE;
use hayro_font::hayro_syntax::object::{Array, Dict, Name, Object, Stream};

use crate::error::{Error, WithHint};

/// The most unpacked bytes of all parts with text and fonts together, unless the caller allows more.
const MOST_UNPACKED: u64 = 256 << 20;
/// Bytes that count for reading a part, besides its own.
const COST_OF_A_PART: u64 = 256;
/// The most bytes in front of a part among which its dictionary is searched.
const LONGEST_DICTIONARY: usize = 2048;
/// The most levels of a font's dictionaries that are searched.
const DEEPEST_FONT: usize = 4;
/// The keyword before the bytes of each part.
const START: &[u8] = b"stream";

/// How many bytes may still be unpacked.
pub(super) struct UnpackLimit {
    most: u64,
    left: Cell<u64>,
}

impl UnpackLimit {
    /// The limit that the caller sets, or else the default one.
    pub(super) fn new(allowed: Option<u64>) -> Self {
        let most = allowed.unwrap_or(MOST_UNPACKED);
        Self { most, left: Cell::new(most) }
    }

    /// Measures every packed part of a file. Pictures are never unpacked, so they count only for themselves.
    ///
    /// # Errors
    /// When a part, or all with text together, are too large.
    pub(super) fn measure(&self, file: &[u8]) -> Result<()> {
        let mut all = 0;
        for at in (0..file.len()).filter(|&at| file[at..].starts_with(START)) {
            let after = at + START.len();
            let end = [&b"\r\n"[..], b"\n", b"\r"].into_iter().find(|end| file[after..].starts_with(end));
            let Some(end) = end else { continue };
            let size = self.unpacked_size(&file[after + end.len()..]);
            ensure!(size <= self.most, self.too_large());
            let dictionary = &file[at.saturating_sub(LONGEST_DICTIONARY)..at];
            let dictionary = rfind(dictionary, b"obj").map_or(dictionary, |start| &dictionary[start..]);
            if rfind(dictionary, b"/Image").is_none() {
                all += size;
                ensure!(all <= self.most, self.too_large());
            }
        }
        Ok(())
    }

    /// The unpacked size of a part, counted up to just above the limit. A part that is packed twice counts twice.
    fn unpacked_size(&self, packed: &[u8]) -> u64 {
        let size = |reader: &mut dyn Read| -> (u64, [u8; 2]) {
            let mut head = [0; 2];
            let first = reader.read(&mut head).unwrap_or(0);
            // A damaged part counts as far as it can be read.
            let mut counter = ByteCount(first as u64);
            let _ = io::copy(&mut reader.take(self.most), &mut counter);
            (counter.0, head)
        };
        let Some(head) = packed.first_chunk() else { return 0 };
        if !is_zlib(*head) {
            return size(&mut DeflateDecoder::new(packed)).0;
        }
        let (once, head) = size(&mut ZlibDecoder::new(packed));
        let twice = if is_zlib(head) { size(&mut ZlibDecoder::new(ZlibDecoder::new(packed))).0 } else { 0 };
        once.max(twice)
    }

    /// The content of a part, none if it cannot be unpacked or is a picture.
    ///
    /// # Errors
    /// When it is too large.
    pub(super) fn unpack(&self, part: &Stream) -> Result<Option<Vec<u8>>> {
        self.allow(part)?;
        let unpacked = if is_picture(part) { None } else { part.decoded_data().ok() };
        let size = unpacked.as_ref().map_or(0, |bytes| bytes.len() as u64);
        let left = self.left.get().checked_sub(size + COST_OF_A_PART);
        self.left.set(left.ok_or_else(|| self.too_large())?);
        Ok(unpacked.map(Cow::into_owned))
    }

    /// Makes sure that the parts of a font can be unpacked.
    ///
    /// # Errors
    /// When one may be too large.
    pub(super) fn allow_font(&self, font: &Dict) -> Result<()> {
        self.allow_parts(font, DEEPEST_FONT)
    }

    fn allow_parts(&self, dictionary: &Dict, depth: usize) -> Result<()> {
        for key in dictionary.keys() {
            match dictionary.get::<Object>(key.as_ref()) {
                Some(Object::Stream(part)) => self.allow(&part)?,
                Some(Object::Dict(inner)) if depth > 0 => self.allow_parts(&inner, depth - 1)?,
                Some(Object::Array(array)) if depth > 0 => self.allow_items(&array, depth - 1)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn allow_items(&self, array: &Array, depth: usize) -> Result<()> {
        array.iter::<Dict>().take(8).try_for_each(|inner| self.allow_parts(&inner, depth))
    }

    /// Checks that a part cannot exceed the limit, by the most bytes that its filters can make of its own.
    fn allow(&self, part: &Stream) -> Result<()> {
        let filters = part.filters();
        // This was measured in the file.
        if filters[..] == [Filter::FlateDecode] && !is_picture(part) {
            return Ok(());
        }
        let size =
            filters.iter().fold(part.raw_data().len() as u64, |size, filter| size.saturating_mul(growth(*filter)));
        ensure!(size <= self.most || is_picture(part), self.too_large());
        Ok(())
    }

    fn too_large(&self) -> Error {
        format!("there is more than {} MiB of text and fonts in it when it is unpacked", self.most >> 20)
            .with_hint("such a PDF may be made to fill a memory; if you trust it, allow more with `--max-unpacked`")
    }
}

/// The most bytes that a filter makes of one.
fn growth(filter: Filter) -> u64 {
    match filter {
        Filter::FlateDecode => 1032,
        Filter::LzwDecode => 1366,
        Filter::RunLengthDecode => 64,
        Filter::Ascii85Decode => 4,
        _ => 1,
    }
}

fn is_picture(part: &Stream) -> bool {
    part.dict().get::<Name>(SUBTYPE).is_some_and(|name| name.as_ref() == b"Image")
}

/// Whether data in the format of zlib begins like this.
fn is_zlib(head: [u8; 2]) -> bool {
    head[0] & 0x0F == 8 && u16::from_be_bytes(head).is_multiple_of(31)
}

/// The last position of `needle`.
fn rfind(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).rposition(|window| window == needle)
}

/// Counts bytes and keeps none.
struct ByteCount(u64);

impl io::Write for ByteCount {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
