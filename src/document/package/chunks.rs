//! Files that a document of Word takes in where it names them (`w:altChunk`): web pages, plain texts, and other documents of Word.
//!
//! Such a file is an entry of the archive. It is read by the reader of its format, so all of it stays but its text. What is not read
//! here, such as RTF and MHT, stays as it is, with a warning. So does a document of Word in a document that is inside of another one.

use anyhow::{Result, bail, ensure};

use super::flow::Flow;
use super::parts::{entries, related};
use super::xml::{self, Tree};
use super::{Content, Package, PackagePart, PackageReader, word};
use crate::document::markup::Style;
use crate::document::{Document, Format, html};

/// A document inside of another one.
pub(super) struct Inside {
    pub(super) package: Package,
    /// The checksum of its bytes, by which a change of it is found.
    pub(super) checksum: u32,
}

impl Inside {
    /// The bytes of the document with other blocks and in another language; `None` if nothing changes.
    pub(super) fn with(&self, blocks: &[crate::document::Block], language: Option<&str>) -> Result<Option<Vec<u8>>> {
        let package = Package { language: language.map(str::to_owned), ..self.package.clone() };
        let mut bytes = Vec::new();
        package.write(blocks, &mut bytes)?;
        Ok((crc32fast::hash(&bytes) != self.checksum).then_some(bytes))
    }
}

impl PackageReader {
    /// Adds the files that an entry takes in.
    pub(super) fn add_chunks(&mut self, entry: &str, tree: &Tree) {
        let mut are_read = true;
        for node in tree.all("w:altChunk") {
            let chunk = tree.attribute(node, "id").and_then(|id| related(self, entry, &id));
            are_read &= chunk.is_some_and(|chunk| {
                self.parts.iter().any(|part| part.entry == chunk) || self.add_chunk(&chunk).is_ok()
            });
        }
        if !are_read {
            self.warnings.push(format!("`{entry}` takes in another file (`altChunk`): its text is not translated"));
        }
    }

    fn add_chunk(&mut self, entry: &str) -> Result<()> {
        let types = entries(self)?;
        let kind = types.into_iter().find(|(known, _)| known == entry).map(|(_, kind)| kind).unwrap_or_default();
        let bytes = self.archive.read(entry)?;
        if bytes.starts_with(b"PK\x03\x04") {
            return self.add_document(entry, bytes);
        }
        let extension = entry.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
        let text = xml::decoded(bytes)?;
        ensure!(!text.contains('\u{1}'), "it holds a character that no text has");
        match (&*kind, &*extension) {
            ("text/html" | "application/xhtml+xml", _) | (_, "html" | "htm" | "xhtml") => {
                // A page that names no encoding is read in that of the computer, which has all of ASCII.
                let style = if text.is_ascii() { Style::Ascii } else { html::style(&text) };
                self.push_page(entry, &text, style);
            }
            ("text/plain", _) | (_, "txt") => {
                let Document { gaps, blocks, .. } = Document::parse(entry, &text, Format::Text);
                self.push(entry, vec![Flow { gaps, blocks }], None);
            }
            _ => bail!("`{kind}` is not read here"),
        }
        Ok(())
    }

    /// Adds a document of Word that stands inside of this one.
    fn add_document(&mut self, entry: &str, bytes: Vec<u8>) -> Result<()> {
        ensure!(!self.is_inside, "it is in a document that is inside of another one");
        let checksum = crc32fast::hash(&bytes);
        let archive = self.archive.open_inside(Content::Bytes(bytes))?;
        let mut reader = Self { is_inside: true, without_comments: self.without_comments, ..Self::new(archive) };
        word::read(&mut reader)?;
        let (package, blocks, warnings) = reader.finish(Format::Docx);
        self.warnings.extend(warnings.into_iter().map(|warning| format!("`{entry}`: {warning}")));
        let inside = Some(Inside { package, checksum });
        self.parts.push(PackagePart {
            entry: entry.to_owned(),
            blocks: blocks.len(),
            inside,
            ..PackagePart::default()
        });
        self.blocks.extend(blocks);
        Ok(())
    }
}
