//! Paragraphs whose text is in runs, each in one format: those of Word, `PowerPoint` and Excel.
//!
//! Programs split runs anywhere: at a spelling mistake, or where text was typed later. So neighbouring runs of one format are read
//! as one text. The format of most letters is the paragraph's own; text in another format has a pair of marks around it, like
//! emphasis in a web page. Elements between runs, or beside the text of a run, are single marks. Invariant: no run is open between
//! two marks of a block, so marks may be in any order. Line breaks and tabulators divide blocks.

mod writer;

use std::collections::HashMap;
use std::ops::Range;

use super::flow::{FlowReader, Placed, Role};
use super::xml::NodeId;
use crate::document::Block;
use crate::document::markup::{Inline, MarkKind, Style};
pub(in crate::document) use writer::{RunPiece, Runs};

/// An open field: a code, and perhaps a result that is shown in the text.
#[derive(Debug, Default)]
pub(in crate::document) struct OpenField {
    /// Its code, as far as it has been read.
    code: String,
    /// Whether its result has begun and is translated like other text.
    result: Option<bool>,
}

/// An item of a paragraph, and its range.
struct Item {
    what: What,
    place: Range<usize>,
    /// Its place in its run, if the run contains other items too.
    run: Option<InRun>,
}

/// The run of an item.
#[derive(Clone)]
struct InRun {
    node: NodeId,
    is_first: bool,
    is_last: bool,
}

enum What {
    /// Text in the format of this number.
    Words(usize, String),
    Single(String),
    Open(String),
    Close(String),
    Parting,
}

/// A format of text.
struct RunFormat {
    /// The markup that begins a run of this format.
    beginning: String,
    letters: usize,
}

/// Reads the runs of one paragraph.
struct Paragraph<'r, 'a> {
    reader: &'r mut FlowReader<'a>,
    items: Vec<Item>,
    formats: Vec<RunFormat>,
    /// The formats, by the properties that distinguish them.
    known: HashMap<String, usize>,
    /// The code of a field, as far as it has been read, and its range.
    code: Option<(String, Range<usize>)>,
    /// A run with text, whose tags are used to write other runs.
    tags: Option<(String, (String, String))>,
}

impl FlowReader<'_> {
    /// Finds the blocks of a paragraph.
    pub(super) fn runs(&mut self, node: NodeId, blocks: &mut Vec<Placed>) {
        let mut paragraph = Paragraph {
            reader: self,
            items: Vec::new(),
            formats: Vec::new(),
            known: HashMap::new(),
            code: None,
            tags: None,
        };
        paragraph.read(node);
        paragraph.end_code();
        paragraph.part_unpaired();
        blocks.extend(paragraph.blocks());
    }
}

impl Paragraph<'_, '_> {
    fn read(&mut self, node: NodeId) {
        let children: Vec<NodeId> = self.reader.tree.children(node).collect();
        for child in children {
            match self.reader.role(child) {
                Role::Run => self.run(child),
                Role::Phrase if self.speaks(child) => {
                    let tree = self.reader.tree;
                    let (tag, end) = (tree.tag(child), tree.end_tag(child));
                    let (outer, inner) = (tree.outer(child), tree.inner(child));
                    self.add(What::Open(tag.to_owned()), outer.start..inner.start);
                    self.read(child);
                    self.add(What::Close(end.to_owned()), inner.end..outer.end);
                }
                Role::Parting | Role::Structure(_) => {
                    self.reader.find_flows(child);
                    self.end_code();
                    self.add(What::Parting, self.reader.tree.outer(child));
                }
                Role::Dropped => {}
                _ if !self.reader.tree.is_element(child) => {}
                _ => self.single(child),
            }
        }
    }

    /// Whether a node has text that is translated.
    fn speaks(&self, node: NodeId) -> bool {
        let reader = &self.reader;
        reader.tree.inside(node).any(|inside| reader.role(inside) == Role::Words)
    }

    fn add(&mut self, what: What, place: Range<usize>) {
        self.items.push(Item { what, place, run: None });
    }

    /// An item that is kept as it is.
    fn single(&mut self, node: NodeId) {
        let written = self.reader.capture(node);
        self.keep(written, self.reader.tree.outer(node));
    }

    /// Joins neighbouring items that are kept as they are.
    fn keep(&mut self, written: String, place: Range<usize>) {
        match (&mut self.code, self.items.last_mut()) {
            (Some((code, range)), _) => {
                code.push_str(&written);
                range.end = place.end;
            }
            // An item at the beginning of a phrase stays there.
            (None, Some(Item { what: What::Single(before) | What::Open(before), place: range, run: None })) => {
                before.push_str(&written);
                range.end = place.end;
            }
            _ => self.add(What::Single(written), place),
        }
    }

    fn run(&mut self, run: NodeId) {
        let tree = self.reader.tree;
        let content: Vec<NodeId> = tree
            .children(run)
            .filter(|&node| tree.is_element(node) && self.reader.role(node) != Role::Format)
            .collect();
        if let Some(&field) = content.iter().find(|&&node| self.reader.role(node) == Role::Field) {
            return self.field(run, field);
        }
        let is_code = self.reader.fields.iter().any(|field| field.result != Some(true));
        let roles: Vec<Role> = content.iter().map(|&node| self.reader.role(node)).collect();
        let speaks = roles.iter().any(|role| matches!(role, Role::Words | Role::Hyphen | Role::Parting));
        if is_code || !speaks {
            if let (true, Some(field)) = (is_code, self.reader.fields.last_mut()) {
                field.code.push_str(&tree.said(run));
            }
            if is_code || roles.iter().any(|role| *role != Role::Dropped) {
                self.single(run);
            }
            return;
        }
        let format = self.format(run);
        let last = content.len() - 1;
        for (place, (node, role)) in content.into_iter().zip(roles).enumerate() {
            let what = match role {
                Role::Words => self.words(run, node, format),
                Role::Hyphen => What::Words(format, "\u{2011}".to_owned()),
                Role::Parting => What::Parting,
                Role::Dropped => continue,
                _ => {
                    let beginning = self.beginning(run);
                    let inside = self.reader.capture(node);
                    What::Single(format!("{beginning}{inside}{}", self.reader.tree.end_tag(run)))
                }
            };
            let run = Some(InRun { node: run, is_first: place == 0, is_last: place == last });
            self.items.push(Item { what, place: self.reader.tree.outer(node), run });
        }
    }

    fn words(&mut self, run: NodeId, node: NodeId, format: usize) -> What {
        let tree = self.reader.tree;
        let text = tree.said(node);
        self.formats[format].letters += text.chars().filter(|c| c.is_alphanumeric()).count();
        if self.tags.is_none() && !tree.end_tag(node).is_empty() {
            let name = tree.qualified(node);
            let tag =
                if tree.name(node) == "a:t" { format!("<{name}>") } else { format!("<{name} xml:space=\"preserve\">") };
            self.tags = Some((tree.end_tag(run).to_owned(), (tag, format!("</{name}>"))));
        }
        What::Words(format, text)
    }

    /// The markup of a run before its content.
    fn beginning(&self, run: NodeId) -> String {
        let (tree, reader) = (self.reader.tree, &self.reader);
        let format = tree.children(run).find(|&node| reader.role(node) == Role::Format);
        format!("{}{}", tree.tag(run), format.map_or("", |format| tree.written(format)))
    }

    /// The format of a run. Runs that differ only in language or in the editing session they are from have the same format.
    fn format(&mut self, run: NodeId) -> usize {
        let (tree, reader) = (self.reader.tree, &self.reader);
        let format = tree.children(run).find(|&node| reader.role(node) == Role::Format);
        let matters = format.map_or(String::new(), |format| {
            let parts = tree.children(format).filter(|&part| reader.role(part) != Role::Dropped);
            let attributes = super::xml::attributes(tree.tag(format));
            let attributes = attributes.filter(|(name, _)| !["lang", "dirty", "err", "altLang"].contains(name));
            let attributes = attributes.map(|(name, value)| format!("{name}={} ", &tree.tag(format)[value]));
            attributes.chain(parts.map(|part| tree.written(part).to_owned())).collect()
        });
        let beginning = self.beginning(run);
        *self.known.entry(matters).or_insert_with(|| {
            self.formats.push(RunFormat { beginning, letters: 0 });
            self.formats.len() - 1
        })
    }

    /// Reads a run that begins a field, separates its code from its result, or ends it. The result of a link is translated; one
    /// that the program computes, such as a page number, is not.
    fn field(&mut self, run: NodeId, field: NodeId) {
        let place = self.reader.tree.outer(run);
        let written = self.reader.capture(run);
        let is_text = |reader: &FlowReader| reader.fields.iter().all(|field| field.result == Some(true));
        match self.reader.tree.attribute(field, "fldCharType").as_deref() {
            Some("begin") => {
                if is_text(self.reader) {
                    self.end_code();
                    self.code = Some((String::new(), place.start..place.start));
                }
                self.reader.fields.push(OpenField::default());
                self.keep(written, place);
            }
            Some("separate") => {
                self.keep(written, place);
                if let Some(field) = self.reader.fields.last_mut() {
                    let word = field.code.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
                    field.result = Some(["HYPERLINK", "TOC", "INDEX"].contains(&word.as_str()));
                }
                if let Some((code, place)) = self.code.take_if(|_| is_text(self.reader)) {
                    self.add(What::Open(code), place);
                }
            }
            _ => {
                let was_text = is_text(self.reader);
                self.reader.fields.pop();
                if was_text {
                    self.add(What::Close(written), place);
                } else {
                    self.keep(written, place);
                    if is_text(self.reader) {
                        self.end_code();
                    }
                }
            }
        }
    }

    /// Ends the code of a field, which is kept as it is.
    fn end_code(&mut self) {
        if let Some((code, place)) = self.code.take().filter(|(code, _)| !code.is_empty()) {
            self.keep(code, place);
        }
    }

    /// Makes elements divide blocks if only their begin or their end is in the paragraph, together with the elements around them.
    fn part_unpaired(&mut self) {
        let mut open: Vec<(usize, bool)> = Vec::new();
        let mut parting = Vec::new();
        for (at, item) in self.items.iter().enumerate() {
            match &item.what {
                What::Open(_) => open.push((at, false)),
                What::Parting => open.iter_mut().for_each(|(_, parted)| *parted = true),
                What::Close(_) => match open.pop() {
                    Some((_, false)) => {}
                    Some((start, true)) => parting.extend([start, at]),
                    None => parting.push(at),
                },
                What::Words(..) | What::Single(_) => {}
            }
        }
        parting.extend(open.into_iter().map(|(at, _)| at));
        for at in parting {
            self.items[at].what = What::Parting;
        }
    }

    /// Builds the blocks from the items.
    fn blocks(self) -> Vec<Placed> {
        let Some(tags) = &self.tags else { return Vec::new() };
        let stretches = self.items.split(|item| matches!(item.what, What::Parting));
        stretches.filter_map(|items| self.block(items, tags)).collect()
    }

    fn block(&self, items: &[Item], (end, words): &(String, (String, String))) -> Option<Placed> {
        let counts = |item: &Item| !matches!(item.what, What::Single(_));
        let items = &items[items.iter().position(counts)?..=items.iter().rposition(counts)?];
        let (first, last) = (items.first()?, items.last()?);
        let own = self.own(items);
        let beginning = |run: &InRun| self.beginning(run.node);
        let before = first.run.as_ref().filter(|run| !run.is_first).map(beginning);
        let after = last.run.as_ref().filter(|run| !run.is_last).map(beginning);
        let outer = |run: &InRun| self.reader.tree.outer(run.node);
        let start = first.run.as_ref().filter(|run| run.is_first).map_or(first.place.start, |run| outer(run).start);
        let stop = last.run.as_ref().filter(|run| run.is_last).map_or(last.place.end, |run| outer(run).end);
        let inline = self.inline(items, own, end);
        if !inline.has_text() {
            return None;
        }
        let runs = Runs {
            own: self.formats.get(own).map(|format| format.beginning.clone()).unwrap_or_default(),
            end: end.clone(),
            words: words.clone(),
            around: [before, after],
        };
        let source = self.reader.captured(start..stop);
        let block = inline.finish(self.reader.kind(), &source, Style::Html);
        let markup = block.markup.map(|markup| Box::new(markup.in_runs(runs)));
        Some((start..stop, Block { markup, ..block }))
    }

    /// The format of most letters of a block.
    fn own(&self, items: &[Item]) -> usize {
        let mut letters = vec![0; self.formats.len()];
        for item in items {
            if let What::Words(format, text) = &item.what {
                letters[*format] += 1 + text.chars().filter(|c| c.is_alphanumeric()).count();
            }
        }
        (0..letters.len()).max_by_key(|&format| (letters[format], usize::MAX - format)).unwrap_or(0)
    }

    fn inline(&self, items: &[Item], own: usize, end: &str) -> Inline {
        let mut inline = Inline::default();
        let mut spoken = false;
        let mut open = own;
        for item in items {
            let format = match &item.what {
                // A space looks the same in most formats.
                What::Words(_, text) if text.trim().is_empty() => open,
                What::Words(format, _) => *format,
                What::Single(_) => open,
                _ => own,
            };
            if format != open {
                if open != own {
                    inline.mark(MarkKind::Close, end);
                }
                if format != own {
                    inline.mark(MarkKind::Open, &self.formats[format].beginning);
                }
                open = format;
            }
            match &item.what {
                What::Words(_, text) => {
                    // Space before the text does not belong to its sentence.
                    let said = if spoken { text } else { text.trim_start_matches(' ') };
                    inline.mark(MarkKind::Single, &text[..text.len() - said.len()]);
                    inline.text(said);
                    spoken |= !said.is_empty();
                }
                What::Single(written) => inline.mark(MarkKind::Single, written),
                What::Open(written) => inline.mark(MarkKind::Open, written),
                What::Close(written) => inline.mark(MarkKind::Close, written),
                What::Parting => {}
            }
        }
        if open != own {
            inline.mark(MarkKind::Close, end);
        }
        inline
    }
}
