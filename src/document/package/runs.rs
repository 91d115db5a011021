//! Paragraphs whose text is in runs, each in one format: those of Word, `PowerPoint` and Excel.
//!
//! Programs split runs anywhere: at a spelling mistake, or where text was typed later. So neighbouring runs of one format are read
//! as one text. The format of most letters is the paragraph's own; text in another format has a pair of marks around it, like
//! emphasis in a web page. Elements between runs, or beside the text of a run, are single marks. Invariant: no run is open between
//! two marks of a block, so marks may be in any order. Line breaks and tabulators divide blocks.

mod fields;
mod lines;
mod writer;

use std::collections::HashMap;
use std::ops::Range;

use super::flow::{FlowReader, Placed, Role};
use super::ranges::{RangeBound, widened};
use super::xml::NodeId;
use crate::document::Block;
use crate::document::markup::{Inline, MarkKind, Style};
pub(super) use fields::OpenField;
pub(in crate::document) use writer::{RunPiece, Runs};

/// An item of a paragraph, and its range.
struct Item {
    what: What,
    place: Range<usize>,
    edges: Edges,
}

/// The run in which an item begins and the one in which it ends, if these contain other items too.
type Edges = [Option<InRun>; 2];

/// The place of an item in its run.
#[derive(Clone)]
struct InRun {
    node: NodeId,
    is_first: bool,
    is_last: bool,
    /// Whether the item begins or ends within the element of the text, at a line end.
    in_words: bool,
}

/// Markup that is kept as it is.
struct Kept {
    written: String,
    place: Range<usize>,
    edges: Edges,
}

enum What {
    /// Text in the format of this number.
    Words(usize, String),
    Single(String),
    Open(String),
    Close(String),
    /// The begin or the end of a range, and what is kept beside it.
    Bound(RangeBound, String),
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
    /// The code of a field, as far as it has been read.
    code: Option<Kept>,
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
                Role::Phrase if self.reader.has_words(child) => {
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

    fn add(&mut self, what: What, place: Range<usize>) {
        self.items.push(Item { what, place, edges: [None, None] });
    }

    /// An element that is kept as it is.
    fn single(&mut self, node: NodeId) {
        let kept = self.whole(node);
        match RangeBound::of(self.reader.tree, node).filter(|_| self.code.is_none()) {
            Some(bound) => self.add(What::Bound(bound, kept.written), kept.place),
            None => self.keep(kept),
        }
    }

    /// An element between runs, or a run, as it is.
    fn whole(&mut self, node: NodeId) -> Kept {
        Kept { written: self.reader.capture(node), place: self.reader.tree.outer(node), edges: [None, None] }
    }

    /// Joins neighbouring items that are kept as they are.
    fn keep(&mut self, kept: Kept) {
        if self.code.is_some() {
            return self.append_code(&kept);
        }
        match self.items.last_mut() {
            // An item at the beginning of a phrase stays there.
            Some(Item {
                what: What::Single(before) | What::Open(before) | What::Bound(_, before),
                place,
                edges: [_, edge @ None],
            }) if kept.edges[0].is_none() => {
                before.push_str(&kept.written);
                place.end = kept.place.end;
                edge.clone_from(&kept.edges[1]);
            }
            _ => self.push(What::Single, kept),
        }
    }

    fn push(&mut self, what: fn(String) -> What, kept: Kept) {
        self.items.push(Item { what: what(kept.written), place: kept.place, edges: kept.edges });
    }

    fn run(&mut self, run: NodeId) {
        let tree = self.reader.tree;
        let content: Vec<NodeId> = tree
            .children(run)
            .filter(|&node| tree.is_element(node) && self.reader.role(node) != Role::Format)
            .collect();
        let roles: Vec<Role> = content.iter().map(|&node| self.reader.role(node)).collect();
        if roles.contains(&Role::Field) {
            return self.run_of_fields(run, &content);
        }
        let is_code = !self.is_text();
        let speaks = roles.iter().any(|role| matches!(role, Role::Words | Role::Hyphen | Role::Parting));
        if is_code || !speaks {
            self.code_of(run);
            if is_code || roles.iter().any(|role| *role != Role::Dropped) {
                self.single(run);
            }
            return;
        }
        let format = self.format(run);
        let last = content.len() - 1;
        for (place, (node, role)) in content.into_iter().zip(roles).enumerate() {
            let run = InRun { node: run, is_first: place == 0, is_last: place == last, in_words: false };
            self.content(node, role, format, run);
        }
    }

    /// Reads an element of a run that has text.
    fn content(&mut self, node: NodeId, role: Role, format: usize, run: InRun) {
        let what = match role {
            Role::Words if self.reader.rules.has_lines() => return self.lines(node, format, &run),
            Role::Words => self.words(run.node, node, format),
            Role::Hyphen => What::Words(format, "\u{2011}".to_owned()),
            Role::Parting => What::Parting,
            Role::Dropped => return,
            _ => What::Single(self.alone(run.node, node)),
        };
        self.items.push(Item { what, place: self.reader.tree.outer(node), edges: [Some(run.clone()), Some(run)] });
    }

    /// An element of a run, in a run of its own.
    fn alone(&mut self, run: NodeId, node: NodeId) -> String {
        let beginning = self.beginning(run);
        let inside = self.reader.capture(node);
        format!("{beginning}{inside}{}", self.reader.tree.end_tag(run))
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
        format!("{}{}", tree.tag(run), format.map_or_else(String::new, |format| self.without_ids(format)))
    }

    /// A format without what may be in a document once only, such as the record of a change of it: many runs may get the format.
    fn without_ids(&self, format: NodeId) -> String {
        let tree = self.reader.tree;
        let (whole, mut written) = (tree.outer(format), String::new());
        let mut at = whole.start;
        for part in tree.children(format) {
            if self.reader.role(part) == Role::Dropped && tree.attribute(part, "id").is_some() {
                written.push_str(&tree.source[at..tree.outer(part).start]);
                at = tree.outer(part).end;
            }
        }
        written + &tree.source[at..whole.end]
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
                What::Words(..) | What::Single(_) | What::Bound(..) => {}
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
        let (first, last) = counted(items)?;
        let (before, items, after) = (&items[..first], &items[first..=last], &items[last + 1..]);
        let (first, last) = (items.first()?, items.last()?);
        let own = self.own(items);
        let beginning = |run: &InRun| self.beginning(run.node);
        let [begin, finish] = [&first.edges[0], &last.edges[1]].map(Option::as_ref);
        let around = [begin.filter(|run| !run.is_first), finish.filter(|run| !run.is_last)];
        let outer = |run: &InRun| self.reader.tree.outer(run.node);
        let start = begin.filter(|run| run.is_first).map_or(first.place.start, |run| outer(run).start);
        let stop = finish.filter(|run| run.is_last).map_or(last.place.end, |run| outer(run).end);
        let mut inline = self.inline(items, own, end);
        if !after.is_empty() {
            inline.keep_last_space();
        }
        if !inline.has_text() {
            return None;
        }
        let runs = Runs {
            own: self.formats.get(own).map(|format| format.beginning.clone()).unwrap_or_default(),
            end: end.clone(),
            words: words.clone(),
            in_words: around.map(|run| run.is_some_and(|run| run.in_words)),
            around: around.map(|run| run.map(beginning)),
        };
        let source = self.reader.captured(start..stop);
        let block = inline.finish(self.reader.kind(), &source, Style::Html);
        let beside = [before, after].map(|items| fields::shown_beside(items, &words.1));
        let markup = block.markup.map(|markup| Box::new(markup.in_runs(runs).beside(beside)));
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
                What::Single(_) | What::Bound(..) => open,
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
                What::Bound(bound, written) => inline.bound(bound.begins, &bound.key, written),
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

/// The first and the last item of a block, without those kept at its ends. The begin or the end of a range there belongs to the block if the other one is
/// inside of it.
fn counted(items: &[Item]) -> Option<(usize, usize)> {
    let counts = |item: &Item| !matches!(item.what, What::Single(_) | What::Bound(..));
    let (first, last) = (items.iter().position(counts)?, items.iter().rposition(counts)?);
    let bound = |item: &Item| match &item.what {
        What::Bound(bound, _) => Some(bound.clone()),
        _ => None,
    };
    let bounds: Vec<Option<RangeBound>> = items.iter().map(bound).collect();
    Some(widened(&bounds, first, last))
}
