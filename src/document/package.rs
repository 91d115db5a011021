//! Documents that are zip archives of XML, such as those of Word and Writer, and books.
//!
//! Invariant: the entries of an archive keep their bytes, except for translated texts and for the names of their language. The
//! modules of the formats (`word`, `odf`, `book`, ...) say which entries have text, and where. A changed part is parsed again
//! before it is written; if it is not well-formed any more, that is an error, and no document is written.

mod archive;
mod book;
mod chapter;
mod chunks;
mod comments;
mod content;
mod drawings;
mod flow;
mod formulas;
mod front;
mod odf;
mod parts;
mod ranges;
mod runs;
mod sheets;
mod slides;
mod word;

use std::fmt;
use std::io::Write;
use std::ops::Range;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};

use super::markup::Style;
use super::xml;
use super::{Block, BlockKind, Document, Format, Preface, ReadOptions, html};
use crate::error::WithHint;
use crate::language::Code;
use archive::Archive;
use chapter::ChapterPlace;
use chunks::Inside;
use comments::Changed;
pub use content::Content;
use flow::{Flow, Rules};
use front::Front;
pub(in crate::document) use runs::{RunPiece, Runs};
use xml::{NodeId, Tree};

/// The archive that a document was read from, in which it is written again.
#[derive(Clone)]
pub struct Package {
    contents: Arc<Contents>,
    /// The language that the archive's parts are to name.
    language: Option<String>,
    /// The preface of the document.
    preface: Option<Preface>,
    /// The comments on the document, if they are in an entry of their own.
    comments: Vec<String>,
}

struct Contents {
    archive: Archive,
    parts: Vec<PackagePart>,
    /// The place of a preface, if the format has one.
    front: Option<Front>,
    /// The place of a new chapter for a preface, in a book that has no other place.
    chapter: Option<ChapterPlace>,
    /// The format of the document.
    format: Format,
    /// The prefix of names in a document of Word.
    prefix: String,
    /// The entry with the comments of Word, if there is one.
    comments: Option<String>,
    /// The first number that no comment uses.
    first_comment: usize,
}

/// An entry with text, or with the name of a language.
#[derive(Default)]
struct PackagePart {
    entry: String,
    flows: Vec<Flow>,
    /// Number of the document's blocks that are from this entry.
    blocks: usize,
    /// The rule by which its elements name a language; `None` for an entry that is not XML.
    labels: Option<Labels>,
    /// Whether the entry is a page that is not XML.
    is_page: bool,
    /// The document that the entry is, if it is one; it has no flows then.
    inside: Option<Inside>,
}

/// A rule by which elements name a language.
pub(super) type Labels = fn(&Tree, NodeId) -> Label;

/// The place where an element names a language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Label {
    /// Nowhere.
    None,
    /// In an attribute of this name.
    Attribute(&'static str),
    /// In two attributes: the language, and its country.
    Pair(&'static str, &'static str),
    /// As its text.
    Text,
}

/// Reads the parts of one document.
struct PackageReader {
    archive: Archive,
    parts: Vec<PackagePart>,
    blocks: Vec<Block>,
    front: Option<Front>,
    chapter: Option<ChapterPlace>,
    prefix: String,
    comments: Option<String>,
    first_comment: usize,
    /// What a reader of the document should know.
    warnings: Vec<String>,
    /// Whether the text of comments is no text of the document.
    without_comments: bool,
    /// Whether the document is inside of another one.
    is_inside: bool,
}

/// Reads a document of Word.
pub(super) fn word(input: &str, content: Content, options: &ReadOptions) -> Result<Document> {
    PackageReader::read(input, content, options, Format::Docx, word::read)
}

/// Reads a document of Writer.
pub(super) fn odt(input: &str, content: Content, options: &ReadOptions) -> Result<Document> {
    PackageReader::read(input, content, options, Format::Odt, odf::read)
}

/// Reads a presentation of Impress.
pub(super) fn odp(input: &str, content: Content, options: &ReadOptions) -> Result<Document> {
    PackageReader::read(input, content, options, Format::Odp, odf::read_slides)
}

/// Reads a presentation of `PowerPoint`.
pub(super) fn slides(input: &str, content: Content, options: &ReadOptions) -> Result<Document> {
    PackageReader::read(input, content, options, Format::Pptx, slides::read)
}

/// Reads a workbook of Excel.
pub(super) fn workbook(input: &str, content: Content, options: &ReadOptions) -> Result<Document> {
    PackageReader::read(input, content, options, Format::Xlsx, sheets::read)
}

/// Reads a workbook of Calc.
pub(super) fn ods(input: &str, content: Content, options: &ReadOptions) -> Result<Document> {
    PackageReader::read(input, content, options, Format::Ods, odf::read_sheets)
}

/// Reads a book.
pub(super) fn book(input: &str, content: Content, options: &ReadOptions) -> Result<Document> {
    PackageReader::read(input, content, options, Format::Epub, book::read)
}

impl PackageReader {
    /// Reads a document by the function of its format.
    fn read(
        input: &str,
        content: Content,
        options: &ReadOptions,
        format: Format,
        read_parts: fn(&mut Self) -> Result<()>,
    ) -> Result<Document> {
        let archive = Archive::open(content, options.max_unpacked)?;
        let mut reader = Self { without_comments: options.without_comments, ..Self::new(archive) };
        read_parts(&mut reader)?;
        let (package, blocks, warnings) = reader.finish(format);
        let gaps = vec![String::new(); blocks.len() + 1];
        Ok(Document { package: Some(package), warnings, ..Document::new(input, format, blocks, gaps) })
    }

    /// A reader of a document of which nothing has been read.
    fn new(archive: Archive) -> Self {
        let (parts, blocks, prefix, warnings) = (Vec::new(), Vec::new(), "w:".to_owned(), Vec::new());
        let (front, chapter, comments, first_comment) = (None, None, None, 1);
        let (without_comments, is_inside) = (false, false);
        Self {
            archive,
            parts,
            blocks,
            front,
            chapter,
            prefix,
            comments,
            first_comment,
            warnings,
            without_comments,
            is_inside,
        }
    }

    /// The document that has been read, its blocks, and its warnings.
    fn finish(self, format: Format) -> (Package, Vec<Block>, Vec<String>) {
        let Self { archive, parts, blocks, front, chapter, prefix, comments, first_comment, warnings, .. } = self;
        let contents = Contents { archive, parts, front, chapter, format, prefix, comments, first_comment };
        let package = Package { contents: Arc::new(contents), language: None, preface: None, comments: Vec::new() };
        (package, blocks, warnings)
    }

    /// The text of an entry.
    fn text(&self, entry: &str) -> Result<String> {
        xml::decoded(self.archive.read(entry)?).with_context(|| format!("`{entry}`"))
    }

    /// Adds an entry with text in it.
    fn add(&mut self, entry: &str, rules: &dyn Rules, labels: Labels) -> Result<()> {
        let text = self.text(entry)?;
        let tree = Tree::parse(&text).with_context(|| format!("`{entry}`"))?;
        self.push(entry, flow::flows(&tree, rules), Some(labels));
        self.add_chunks(entry, &tree);
        Ok(())
    }

    /// Adds an entry that is HTML and not well-formed XML.
    fn add_html(&mut self, entry: &str) -> Result<()> {
        let text = self.text(entry)?;
        if text.contains('\u{1}') {
            self.warnings
                .push(format!("`{entry}` holds a character that no page may have: its text is not translated"));
            return Ok(());
        }
        self.push_page(entry, &text, html::style(&text));
        Ok(())
    }

    /// Adds the text of an entry that is HTML.
    fn push_page(&mut self, entry: &str, text: &str, style: Style) {
        let mut flow = Flow::default();
        let mut at = 0;
        for (range, block) in html::all_in(text, style) {
            flow.gaps.push(text[at..range.start].to_owned());
            flow.blocks.push(block);
            at = range.end;
        }
        flow.gaps.push(text[at..].to_owned());
        self.push(entry, vec![flow], None);
        self.parts.last_mut().into_iter().for_each(|part| part.is_page = true);
    }

    fn push(&mut self, entry: &str, flows: Vec<Flow>, labels: Option<Labels>) {
        let blocks = flow::blocks(&flows);
        self.parts.push(PackagePart {
            entry: entry.to_owned(),
            flows,
            blocks: blocks.len(),
            labels,
            ..PackagePart::default()
        });
        self.blocks.extend(blocks);
    }
}

impl Package {
    /// The archive with parts that name `language`.
    pub(super) fn in_language(&self, language: &str) -> Self {
        Self { language: Some(Code::parse(language).tag()), ..self.clone() }
    }

    /// The archive with a preface.
    pub(super) fn with_preface(self, preface: Preface) -> Self {
        Self { preface: Some(preface), ..self }
    }

    /// Writes the document with these blocks in place of its own.
    pub(super) fn write(&self, mut blocks: &[Block], out: &mut dyn Write) -> Result<()> {
        let mut changed: Vec<Changed> = Vec::new();
        let no_place =
            || "there is no place for a summary in it".with_hint("have it written in another form with `--format`");
        let chapter = self.contents.chapter.as_ref().zip(self.preface.as_ref());
        ensure!(self.preface.is_none() || self.contents.front.is_some() || chapter.is_some(), no_place());
        for part in &self.contents.parts {
            let own;
            (own, blocks) = blocks.split_at(part.blocks);
            if let Some(inside) = &part.inside {
                let bytes = inside.with(own, self.language.as_deref()).with_context(|| format!("`{}`", part.entry))?;
                changed.extend(bytes.map(|bytes| (part.entry.clone(), bytes)));
                continue;
            }
            let front = self.contents.front.as_ref().filter(|front| front.entry == part.entry);
            let front = front.zip(self.preface.as_ref());
            let text = part.with(own, self.language.as_deref(), front).with_context(|| format!("`{}`", part.entry))?;
            changed.extend(text.map(|text| (part.entry.clone(), text.into_bytes())));
        }
        let mut added = self.add_comments(&mut changed)?;
        if let Some((chapter, preface)) = chapter {
            added.push(chapter.add(&self.contents.archive, preface, self.language.as_deref(), &mut changed)?);
        }
        self.contents.archive.write(&changed, &added, out)
    }
}

impl PackagePart {
    /// Whether the part has paragraphs, as a chapter has, and not only titles.
    fn has_running_text(&self) -> bool {
        self.flows.iter().flat_map(|flow| &flow.blocks).any(|block| block.kind == BlockKind::Paragraph)
    }

    /// The part with other blocks, another language and a preface; `None` if nothing changes.
    fn with(
        &self,
        blocks: &[Block],
        language: Option<&str>,
        front: Option<(&Front, &Preface)>,
    ) -> Result<Option<String>> {
        let before = flow::blocks(&self.flows);
        let same = before.iter().zip(blocks).all(|(before, block)| before.source() == block.source());
        if same && front.is_none() && (language.is_none() || self.blocks > 0) {
            return Ok(None);
        }
        let text = flow::joined(&self.flows, blocks);
        let Some(labels) = self.labels else {
            let page = language.filter(|_| self.is_page).map(|language| self.page_in_language(&text, blocks, language));
            return Ok(Some(parts::in_utf8(page.unwrap_or(text))));
        };
        let tree = Tree::parse(&text).context("its translation cannot be put into it")?;
        let mut changes = language.map_or_else(Vec::new, |language| relabelled(&tree, labels, language));
        if !same && text.contains("string-value=") {
            let before = flow::joined(&self.flows, &before);
            changes.extend(odf::repeated(&Tree::parse(&before)?, &tree));
            changes.sort_by_key(|(range, _)| range.start);
        }
        if let Some((front, preface)) = front {
            let (at, written) = front.written(&tree, preface).context("there is no place for a summary in it")?;
            changes.insert(changes.partition_point(|(range, _)| range.end <= at), (at..at, written));
        }
        if same && changes.is_empty() {
            return Ok(None);
        }
        let mut text = text.clone();
        for (range, label) in changes.into_iter().rev() {
            text.replace_range(range, &label);
        }
        Ok(Some(parts::in_utf8(text)))
    }

    /// The page that this part is, written as `text` with these blocks, which names another language.
    fn page_in_language(&self, text: &str, blocks: &[Block], language: &str) -> String {
        let gaps = self.flows.iter().flat_map(|flow| &flow.gaps);
        let mut end = 0;
        let range = |(gap, block): (&String, &Block)| {
            let start = end + gap.len();
            end = start + block.source().len();
            start..end
        };
        let ranges: Vec<Range<usize>> = gaps.zip(blocks).map(range).collect();
        html::languages::in_language(text, &ranges, language)
    }
}

/// The ranges where a part names another language than `language`, and the text to put there.
pub(super) fn relabelled(tree: &Tree, labels: Labels, language: &str) -> Vec<(Range<usize>, String)> {
    let code = Code::parse(language);
    let region = language.split('-').next_back().filter(|region| region.len() == 2 && *region != language);
    let mut changes: Vec<(Range<usize>, String)> = Vec::new();
    let other = |range: &Range<usize>| {
        let named = tree.source[range.clone()].trim();
        !matches!(named, "" | "none" | "zxx") && !Code::parse(named).serves(&code)
    };
    for node in tree.elements() {
        let tag_at = tree.outer(node).start;
        let find = |name: &str| {
            let local = move |(known, _): &(&str, Range<usize>)| known.rsplit(':').next() == Some(name);
            let found: Vec<_> = xml::attributes(tree.tag(node)).filter(local).collect();
            found.into_iter().map(move |(_, value)| tag_at + value.start..tag_at + value.end)
        };
        match labels(tree, node) {
            Label::None => {}
            Label::Text => {
                changes.extend(Some(tree.inner(node)).filter(other).map(|range| (range, language.to_owned())));
            }
            Label::Attribute(name) => {
                changes.extend(find(name).filter(other).map(|range| (range, language.to_owned())));
            }
            Label::Pair(name, country) => {
                if let Some(range) = find(name).find(other) {
                    changes.push((range, code.short().to_owned()));
                    changes.extend(find(country).map(|range| (range, region.unwrap_or("none").to_owned())));
                }
            }
        }
    }
    changes.sort_by_key(|(range, _)| range.start);
    changes
}

impl fmt::Debug for Package {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct("Package").field("language", &self.language).finish_non_exhaustive()
    }
}
