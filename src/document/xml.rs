//! XML, such as a part of a document: its elements and their byte ranges.
//!
//! Invariant: XML is never serialised again. A `Tree` has the byte ranges of elements and of their content, so a caller that changes
//! a text copies all bytes around it. Entities that a document defines are never expanded. Names have the prefixes of this file,
//! whichever prefixes a document uses.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use anyhow::{Result, bail, ensure};
use quick_xml::escape::resolve_html5_entity;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::ResolveResult;
use quick_xml::reader::NsReader;

use crate::error::{Error, Explain, WithHint};

/// The namespaces that are known here, and their prefixes. Office has two editions, with different addresses for the same names.
#[rustfmt::skip]
const NAMESPACES: &[(&str, &str)] = &[
    ("http://schemas.openxmlformats.org/wordprocessingml/2006/main", "w"),
    ("http://purl.oclc.org/ooxml/wordprocessingml/main", "w"),
    ("http://schemas.openxmlformats.org/drawingml/2006/main", "a"),
    ("http://purl.oclc.org/ooxml/drawingml/main", "a"),
    ("http://schemas.openxmlformats.org/presentationml/2006/main", "p"),
    ("http://purl.oclc.org/ooxml/presentationml/main", "p"),
    ("http://schemas.openxmlformats.org/spreadsheetml/2006/main", "x"),
    ("http://purl.oclc.org/ooxml/spreadsheetml/main", "x"),
    ("http://schemas.openxmlformats.org/markup-compatibility/2006", "mc"),
    ("http://schemas.openxmlformats.org/package/2006/content-types", "ct"),
    ("http://schemas.openxmlformats.org/package/2006/relationships", "rel"),
    ("http://schemas.openxmlformats.org/drawingml/2006/chart", "c"),
    ("http://purl.oclc.org/ooxml/drawingml/chart", "c"),
    ("http://schemas.microsoft.com/office/spreadsheetml/2018/threadedcomments", "tc"),
    ("http://purl.org/dc/elements/1.1/", "dc"),
    ("urn:oasis:names:tc:opendocument:xmlns:office:1.0", "office"),
    ("urn:oasis:names:tc:opendocument:xmlns:text:1.0", "text"),
    ("urn:oasis:names:tc:opendocument:xmlns:table:1.0", "table"),
    ("urn:oasis:names:tc:opendocument:xmlns:drawing:1.0", "draw"),
    ("urn:oasis:names:tc:opendocument:xmlns:presentation:1.0", "presentation"),
    ("urn:oasis:names:tc:opendocument:xmlns:style:1.0", "style"),
    ("urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0", "svg"),
    ("urn:oasis:names:tc:opendocument:xmlns:manifest:1.0", "manifest"),
    ("urn:oasis:names:tc:opendocument:xmlns:container", "ocf"),
    ("http://www.idpf.org/2007/opf", "opf"),
    ("http://www.daisy.org/z3986/2005/ncx/", "ncx"),
    ("http://www.w3.org/1999/xhtml", "h"),
    ("http://www.w3.org/2001/04/xmlenc#", "enc"),
    ("urn:oasis:names:tc:xliff:document:1.2", "xl1"),
    ("urn:oasis:names:tc:xliff:document:2.0", "xl2"),
    ("urn:oasis:names:tc:xliff:document:2.2", "xl2"),
    ("http://www.w3.org/2005/Atom", "atom"),
    ("http://purl.org/rss/1.0/", "rss1"),
    ("http://purl.org/rss/1.0/modules/content/", "content"),
    ("http://wordpress.org/export/1.0/excerpt/", "excerpt"),
    ("http://wordpress.org/export/1.1/excerpt/", "excerpt"),
    ("http://wordpress.org/export/1.2/excerpt/", "excerpt"),
    ("http://search.yahoo.com/mrss/", "media"),
    ("http://search.yahoo.com/mrss", "media"),
    ("http://www.itunes.com/dtds/podcast-1.0.dtd", "itunes"),
    ("http://www.itunes.com/DTDs/Podcast-1.0.dtd", "itunes"),
    ("http://www.itunes.com/DTDs/PodCast-1.0.dtd", "itunes"),
    ("http://www.google.com/schemas/play-podcasts/1.0", "googleplay"),
];

/// The most elements that may be around one another. Readers follow elements inside elements, so a document without a limit could
/// exhaust the stack of a thread. libxml2, which many programs read documents with, has this limit too.
const DEEPEST: usize = 256;

/// The names of nodes that are not elements.
const TEXT: &str = "#text";
const REFERENCE: &str = "#reference";
const OTHER: &str = "#other";

/// The elements of a part, in the order in which they begin.
pub(super) struct Tree<'a> {
    pub(super) source: &'a str,
    names: Vec<String>,
    nodes: Vec<Node>,
}

/// An element, or something between elements.
#[derive(Clone, Debug)]
struct Node {
    name: usize,
    /// The range of the node.
    outer: Range<usize>,
    /// The range between its tags.
    inner: Range<usize>,
    /// The first node that is not inside it.
    next: usize,
}

/// The number of a node in its tree.
pub(super) type NodeId = usize;

/// Reads a part.
struct TreeBuilder<'a> {
    tree: Tree<'a>,
    known: HashMap<String, usize>,
    /// Elements that have not ended.
    open: Vec<NodeId>,
}

/// The text of a part.
///
/// # Errors
/// When it is not in UTF-8.
pub(super) fn decoded(bytes: Vec<u8>) -> Result<String> {
    let wide = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
    ensure!(!wide, "it is in UTF-16, which is not read here".with_hint("save the document anew"));
    let text = String::from_utf8(bytes)
        .map_err(|error| anyhow::anyhow!("it is not valid UTF-8 at byte {}", error.utf8_error().valid_up_to()))?;
    let named = encoding(&text).map_or("utf-8", |range| &text[range]);
    let ours = is_utf8(named) || named.eq_ignore_ascii_case("us-ascii");
    ensure!(
        ours || text.is_ascii(),
        format!("it says that it is in `{named}`, which is not read here").with_hint("save it in UTF-8")
    );
    Ok(text)
}

/// The range of the encoding's name in the declaration of a text.
fn encoding(text: &str) -> Option<Range<usize>> {
    let head = text.split_once("?>")?.0;
    head.trim_start_matches('\u{feff}').starts_with("<?xml").then(|| attribute(head, "encoding"))?
}

fn is_utf8(named: &str) -> bool {
    ["utf-8", "utf8"].iter().any(|known| named.eq_ignore_ascii_case(known))
}

/// The change that makes a text name the encoding in which it is written, if it names another one and has letters of which that
/// matters. A source in ASCII may name any encoding; its translation may have quotation marks or accents.
pub(super) fn in_utf8(text: &str) -> Option<(Range<usize>, String)> {
    let named = encoding(text).filter(|named| !is_utf8(&text[named.clone()]))?;
    (!text.is_ascii()).then(|| (named, "UTF-8".to_owned()))
}

impl<'a> Tree<'a> {
    /// Finds the elements of a part.
    ///
    /// # Errors
    /// When it is not well-formed, nests its elements too deep, or defines entities; names the byte. A page may define entities, as
    /// XHTML does: a reference to one is kept as it is.
    pub(super) fn parse(source: &'a str) -> Result<Self> {
        ensure!(!source.contains('\u{1}'), "it holds a character that XML cannot hold");
        let tree = Self { source, names: Vec::new(), nodes: Vec::new() };
        let mut builder = TreeBuilder { tree, known: HashMap::new(), open: Vec::new() };
        let start = if source.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        let mut reader = NsReader::from_str(&source[start..]);
        loop {
            let at = reader.buffer_position() as usize + start;
            let (namespace, event) = reader.read_resolved_event().explain(|| broken(at))?;
            let namespace = match namespace {
                ResolveResult::Bound(namespace) => Some(AsRef::<str>::as_ref(&namespace.0).to_owned()),
                _ => None,
            };
            let ended = matches!(event, Event::Eof);
            let event = event.into_owned();
            let end = reader.buffer_position() as usize + start;
            builder.take(&event, namespace.as_deref(), at..end)?;
            if ended {
                return Ok(builder.tree.of_page());
            }
        }
    }

    /// Gives the elements of a page that names no namespace the names of those of XHTML, as which readers of books take them.
    fn of_page(mut self) -> Self {
        if self.roots().any(|root| self.name(root) == "html") {
            for name in self.names.iter_mut().filter(|name| !name.contains(['#', ':'])) {
                name.insert_str(0, "h:");
            }
        }
        self
    }

    /// The name of a node.
    pub(super) fn name(&self, node: NodeId) -> &str {
        &self.names[self.nodes[node].name]
    }

    /// The range of a node.
    pub(super) fn outer(&self, node: NodeId) -> Range<usize> {
        self.nodes[node].outer.clone()
    }

    /// The range between the tags of an element.
    pub(super) fn inner(&self, node: NodeId) -> Range<usize> {
        self.nodes[node].inner.clone()
    }

    /// The source of a node.
    pub(super) fn written(&self, node: NodeId) -> &'a str {
        &self.source[self.outer(node)]
    }

    /// The tag that an element begins with.
    pub(super) fn tag(&self, node: NodeId) -> &'a str {
        &self.source[self.nodes[node].outer.start..self.nodes[node].inner.start]
    }

    /// The tag that an element ends with.
    pub(super) fn end_tag(&self, node: NodeId) -> &'a str {
        &self.source[self.nodes[node].inner.end..self.nodes[node].outer.end]
    }

    /// An element's name as it is written.
    pub(super) fn qualified(&self, node: NodeId) -> &'a str {
        let tag = self.tag(node).trim_start_matches('<');
        &tag[..tag.find(|c: char| c.is_whitespace() || matches!(c, '/' | '>')).unwrap_or(tag.len())]
    }

    /// The nodes directly inside an element.
    pub(super) fn children(&self, node: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        let end = self.nodes[node].next;
        let first = (node + 1 < end).then_some(node + 1);
        std::iter::successors(first, move |&child| Some(self.nodes[child].next).filter(|&next| next < end))
    }

    /// The nodes inside an element, at any depth.
    pub(super) fn inside(&self, node: NodeId) -> Range<NodeId> {
        node + 1..self.nodes[node].next
    }

    /// The nodes outside of any element: the root element, and what is before and after it.
    pub(super) fn roots(&self) -> impl Iterator<Item = NodeId> + '_ {
        let end = self.nodes.len();
        std::iter::successors((end > 0).then_some(0), move |&node| {
            Some(self.nodes[node].next).filter(|&next| next < end)
        })
    }

    /// The first child of this name.
    pub(super) fn child(&self, node: NodeId, name: &str) -> Option<NodeId> {
        self.children(node).find(|&child| self.name(child) == name)
    }

    /// All nodes of this name.
    pub(super) fn all<'t>(&'t self, name: &'t str) -> impl Iterator<Item = NodeId> + 't {
        (0..self.nodes.len()).filter(move |&node| self.name(node) == name)
    }

    /// All elements.
    pub(super) fn elements(&self) -> impl Iterator<Item = NodeId> + '_ {
        (0..self.nodes.len()).filter(|&node| self.is_element(node))
    }

    /// The value of an attribute, by its name without a prefix.
    pub(super) fn attribute(&self, node: NodeId, name: &str) -> Option<Cow<'a, str>> {
        let range = attribute(self.tag(node), name)?;
        let raw = &self.tag(node)[range];
        Some(quick_xml::escape::unescape(raw).unwrap_or(Cow::Borrowed(raw)))
    }

    /// The text of a text node or of a reference; `None` for other nodes, and for entities that neither XML nor HTML has.
    pub(super) fn text(&self, node: NodeId) -> Option<Cow<'a, str>> {
        let written = self.written(node);
        match self.name(node) {
            TEXT => Some(written.strip_prefix("<![CDATA[").map_or(written, |text| text.trim_end_matches("]]>")).into()),
            REFERENCE => {
                let name = written.trim_start_matches('&').trim_end_matches(';');
                if let Some(number) = name.strip_prefix('#') {
                    let hexadecimal = number.strip_prefix('x').map(|digits| u32::from_str_radix(digits, 16));
                    let code = hexadecimal.unwrap_or_else(|| number.parse()).ok();
                    return code.and_then(char::from_u32).map(|c| c.to_string().into());
                }
                resolve_html5_entity(name).map(Cow::Borrowed)
            }
            _ => None,
        }
    }

    /// All text inside an element.
    pub(super) fn said(&self, node: NodeId) -> String {
        self.inside(node).filter_map(|node| self.text(node)).collect()
    }

    /// Whether this is text, or a reference to a character.
    pub(super) fn is_text(&self, node: NodeId) -> bool {
        matches!(self.name(node), TEXT | REFERENCE)
    }

    /// Whether this is an element.
    pub(super) fn is_element(&self, node: NodeId) -> bool {
        !self.name(node).starts_with('#')
    }
}

impl TreeBuilder<'_> {
    fn take(&mut self, event: &Event, namespace: Option<&str>, range: Range<usize>) -> Result<()> {
        match event {
            Event::Start(tag) => {
                ensure!(self.open.len() < DEEPEST, too_deep(range.start));
                let node = self.add(&name(tag, namespace), range);
                self.open.push(node);
            }
            Event::Empty(tag) => {
                self.add(&name(tag, namespace), range);
            }
            Event::End(_) => {
                let node = self.open.pop().explain(|| broken(range.start))?;
                let next = self.tree.nodes.len();
                let node = &mut self.tree.nodes[node];
                (node.outer.end, node.inner.end, node.next) = (range.end, range.start, next);
            }
            Event::Text(_) | Event::CData(_) if !range.is_empty() => {
                self.add(TEXT, range);
            }
            Event::GeneralRef(_) => {
                self.add(REFERENCE, range);
            }
            Event::DocType(declared) => {
                let is_page = declared.trim_start().get(..4).is_some_and(|name| name.eq_ignore_ascii_case("html"));
                let defines = declared.contains("<!ENTITY");
                ensure!(is_page || !defines, "it defines entities, which are never expanded here");
                self.add(OTHER, range);
            }
            Event::Eof if !self.open.is_empty() => {
                let last = self.open.last().map_or("", |&node| self.tree.name(node)).to_owned();
                bail!(
                    format!("it ends in the middle: `{last}` is not closed")
                        .with_hint("the document is damaged: save it anew")
                );
            }
            Event::Eof | Event::Text(_) | Event::CData(_) => {}
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {
                self.add(OTHER, range);
            }
        }
        Ok(())
    }

    fn add(&mut self, name: &str, range: Range<usize>) -> NodeId {
        let names = &mut self.tree.names;
        let name = *self.known.entry(name.to_owned()).or_insert_with(|| {
            names.push(name.to_owned());
            names.len() - 1
        });
        let node = self.tree.nodes.len();
        let inner = range.end..range.end;
        self.tree.nodes.push(Node { name, outer: range, inner, next: node + 1 });
        node
    }
}

/// An element's name with its prefix of this file; `?` for an unknown namespace.
fn name(tag: &BytesStart, namespace: Option<&str>) -> String {
    let local = tag.local_name();
    let local: &str = local.as_ref();
    let prefix =
        namespace.map(|address| NAMESPACES.iter().find(|(known, _)| *known == address).map_or("?", |row| row.1));
    prefix.map_or_else(|| local.to_owned(), |prefix| format!("{prefix}:{local}"))
}

/// The attributes of a tag: their names as they are written, and the ranges of their values.
pub(super) fn attributes(tag: &str) -> impl Iterator<Item = (&str, Range<usize>)> {
    let mut at = tag.find(|c: char| c.is_whitespace()).unwrap_or(tag.len());
    std::iter::from_fn(move || {
        let start = tag.len() - tag[at..].trim_start().len();
        let equals = start + tag[start..].find('=')?;
        let value = tag[equals + 1..].trim_start();
        let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
        let value = tag.len() - value.len() + 1;
        let end = value + tag[value..].find(quote)?;
        at = end + 1;
        Some((tag[start..equals].trim_end(), value..end))
    })
}

/// The range of an attribute's value in a tag, by the attribute's name without a prefix.
pub(super) fn attribute(tag: &str, name: &str) -> Option<Range<usize>> {
    attributes(tag).find(|(known, _)| known.rsplit(':').next() == Some(name)).map(|(_, value)| value)
}

fn too_deep(at: usize) -> Error {
    format!("its elements are nested more than {DEEPEST} deep at byte {at}")
        .with_hint("open the document in the program that it came from and save it anew")
}

fn broken(at: usize) -> Error {
    format!("it is not well-formed at byte {at}").with_hint("the document is damaged: save it anew")
}
