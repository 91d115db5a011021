//! Files that a document of Word takes in where it names them (`w:altChunk`): web pages, plain texts, and other documents of Word.
//!
//! Such a file is an entry of the archive. It is read by the reader of its format, so all of it stays but its text. What is not read
//! here, such as RTF and MHT, stays as it is, with a warning. So does a document of Word in a document that is inside of another one.

use std::path::Path;

use anyhow::{Result, bail, ensure};

use super::flow::Flow;
use super::parts::{entries, related};
use super::xml::Tree;
use super::{Content, Package, PackagePart, PackageReader, word};
use crate::document::markup::Style;
use crate::document::{Block, Document, Format, html};

/// A document inside of another one.
pub(super) struct Inside {
    pub(super) package: Package,
    /// The checksum of its bytes, by which a change of it is found.
    pub(super) checksum: u32,
}

impl Inside {
    /// The bytes of the document with other blocks and in another language; `None` if nothing changes.
    pub(super) fn with(&self, blocks: &[Block], language: Option<&str>) -> Result<Option<Vec<u8>>> {
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
        let format = match &*kind {
            "text/html" | "application/xhtml+xml" => Some(Format::Html),
            "text/plain" => Some(Format::Text),
            _ => Format::known(Path::new(entry)),
        };
        // What is not read here is not unpacked either.
        match format {
            Some(Format::Docx) => self.add_document(entry),
            Some(Format::Html) => {
                let text = self.chunk_text(entry)?;
                // A page that names no encoding is read in that of the computer, which has all of ASCII.
                let style = if text.is_ascii() { Style::Ascii } else { html::style(&text) };
                self.push_page(entry, &text, style);
                Ok(())
            }
            Some(Format::Text) => {
                let Document { gaps, blocks, .. } = Document::parse(entry, &self.chunk_text(entry)?, Format::Text);
                self.push(entry, vec![Flow { gaps, blocks }], None);
                Ok(())
            }
            _ => bail!("`{kind}` is not read here"),
        }
    }

    fn chunk_text(&self, entry: &str) -> Result<String> {
        let text = self.text(entry)?;
        ensure!(!text.contains('\u{1}'), "it holds a character that no text has");
        Ok(text)
    }

    /// Adds a document of Word that stands inside of this one.
    fn add_document(&mut self, entry: &str) -> Result<()> {
        ensure!(!self.is_inside, "it is in a document that is inside of another one");
        let bytes = self.archive.read(entry)?;
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
