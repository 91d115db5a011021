//! A part of a document as flows of text: blocks, and the gaps between them.
//!
//! Invariant: the joined gaps and blocks of all flows are the bytes of the part. Text inside a paragraph that does not belong to
//! its sentences (a footnote, a text box) is a flow of its own. The outer flow has, in a mark or a gap, the number of the inner one
//! in its place, between two characters that XML cannot hold. A format's `Rules` give each element its role.

pub(super) mod lines;
mod order;
mod role;

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::ranges::{RangeBound, widened};
use super::xml::{NodeId, Tree};
use crate::document::markup::{Inline, MarkKind, Style};
use crate::document::{Block, BlockKind};
use lines::lines;
pub(super) use order::{blocks, joined, outer};
pub(super) use role::{Role, Rules};

/// The character before and after the number of a flow.
const FLOW: char = '\u{1}';

/// A flow: blocks and the gaps between them.
#[derive(Clone, Debug, Default)]
pub(super) struct Flow {
    pub(super) gaps: Vec<String>,
    pub(super) blocks: Vec<Block>,
}

/// A block and its range in the part.
pub(super) type Placed = (Range<usize>, Block);

/// Reads the flows of a part.
pub(super) struct FlowReader<'a> {
    pub(super) tree: &'a Tree<'a>,
    pub(super) rules: &'a dyn Rules,
    flows: Vec<Flow>,
    /// Flows by their content. A text box is in a document twice, and both copies get the same translation.
    known: HashMap<&'a str, usize>,
    /// The flows inside the one that is being read, with their ranges.
    nested: Vec<(Range<usize>, usize)>,
    /// The kinds of the structures around the current node, the innermost last.
    kinds: Vec<BlockKind>,
    /// The open fields, the innermost last; see `runs`.
    pub(super) fields: Vec<super::runs::OpenField>,
    /// The begins of fields that never end, which are no fields then.
    pub(super) unended: HashSet<NodeId>,
}

/// The flows of a part, the outermost first.
pub(super) fn flows(tree: &Tree, rules: &dyn Rules) -> Vec<Flow> {
    let mut reader = FlowReader {
        tree,
        rules,
        flows: vec![Flow::default()],
        known: HashMap::new(),
        nested: Vec::new(),
        kinds: Vec::new(),
        fields: Vec::new(),
        unended: HashSet::new(),
    };
    let mut blocks = Vec::new();
    for node in tree.roots() {
        reader.find_unended(node..tree.inside(node).end);
        reader.walk(node, &mut blocks);
    }
    reader.flows[0] = reader.cut(0..tree.source.len(), blocks);
    reader.flows
}

impl FlowReader<'_> {
    /// Finds the paragraphs in a node.
    pub(super) fn walk(&mut self, node: NodeId, blocks: &mut Vec<Placed>) {
        let before = blocks.len();
        self.enter(node, blocks);
        if let Some(language) = self.rules.language(self.tree, node) {
            let found = blocks.split_off(before).into_iter();
            blocks.extend(found.map(|(range, block)| (range, block.in_element_of(Some(&language)))));
        }
    }

    fn enter(&mut self, node: NodeId, blocks: &mut Vec<Placed>) {
        match self.role(node) {
            Role::Structure(kind) | Role::Frame(kind) => self.within(kind, |reader| {
                reader.tree.children(node).for_each(|child| reader.walk(child, blocks));
            }),
            Role::Paragraph(kind) => self.within(kind, |reader| reader.mixed(node, blocks)),
            // An element that contains paragraphs is not part of a sentence.
            Role::Phrase | Role::Explained if !self.kinds.is_empty() => self.mixed(node, blocks),
            Role::Phrase | Role::Explained | Role::Flow => {
                self.tree.children(node).for_each(|child| self.walk(child, blocks));
            }
            Role::RunParagraph(kind) => self.within(kind, |reader| reader.runs(node, blocks)),
            Role::Lines(kind) => {
                let words = self.tree.children(node).filter(|&child| self.role(child) == Role::Words);
                words.for_each(|words| lines(self.tree, words, kind, blocks));
            }
            Role::FlowsOnly => self.find_flows(node),
            _ => {}
        }
    }

    pub(super) fn role(&self, node: NodeId) -> Role {
        self.rules.role(self.tree, node)
    }

    /// The kind of a paragraph that does not name its own.
    pub(super) fn kind(&self) -> BlockKind {
        self.kinds.last().copied().unwrap_or(BlockKind::Paragraph)
    }

    fn within(&mut self, kind: Option<BlockKind>, read: impl FnOnce(&mut Self)) {
        let kind = kind.unwrap_or_else(|| self.kind());
        self.kinds.push(kind);
        read(self);
        self.kinds.pop();
    }

    /// Reads a paragraph with text directly inside.
    fn mixed(&mut self, node: NodeId, blocks: &mut Vec<Placed>) {
        let mut together: Vec<NodeId> = Vec::new();
        for child in self.tree.children(node) {
            if self.is_inline(child) {
                together.push(child);
                continue;
            }
            self.sentence(&std::mem::take(&mut together), blocks);
            self.walk(child, blocks);
        }
        self.sentence(&together, blocks);
    }

    /// Whether a node can be part of a block.
    fn is_inline(&self, node: NodeId) -> bool {
        match self.role(node) {
            Role::Phrase | Role::Explained => self.tree.children(node).all(|child| self.is_inline(child)),
            Role::Single | Role::Space | Role::Flow | Role::Frame(_) => true,
            _ => !self.tree.is_element(node),
        }
    }

    /// Makes a block of nodes that follow each other, if they have text.
    fn sentence(&mut self, nodes: &[NodeId], blocks: &mut Vec<Placed>) {
        let speaks = |&node: &NodeId| self.speaks(node);
        let (Some(first), Some(last)) = (nodes.iter().position(speaks), nodes.iter().rposition(speaks)) else {
            for &node in nodes {
                self.find_flows(node);
            }
            return;
        };
        let bounds: Vec<_> = nodes.iter().map(|&node| RangeBound::of(self.tree, node)).collect();
        let (first, last) = widened(&bounds, first, last);
        let beside = [self.shown(&nodes[..=first]), self.shown(&nodes[last..])];
        let (first, last) = (nodes[first], nodes[last]);
        let mut inline = Inline::default();
        for &node in nodes {
            if (first..=last).contains(&node) {
                self.inline(node, &mut inline);
            } else {
                self.find_flows(node);
            }
        }
        let whole = self.tree.outer(first).start..self.tree.outer(last).end;
        let text = &self.tree.source[whole.clone()];
        let start = if self.tree.is_element(first) { 0 } else { text.len() - text.trim_start().len() };
        let end = if self.tree.is_element(last) { text.len() } else { text.trim_end().len() };
        let range = whole.start + start..whole.start + end;
        if inline.has_text() {
            let source = self.captured(range.clone());
            let block = inline.finish(self.kind(), &source, Style::Html);
            let markup = block.markup.map(|markup| Box::new(markup.beside(beside)));
            blocks.push((range, Block { markup, ..block }));
        }
    }

    /// What fields of Writer show among nodes, with the space between them, as it is written in XML. The first or the last of the nodes
    /// is in a block, and only space at its edge counts.
    fn shown(&self, nodes: &[NodeId]) -> String {
        let is_field = |node: NodeId| {
            self.tree.name(node).starts_with("text:")
                && self.role(node) == Role::Single
                && self.tree.children(node).next().is_some()
                && self.tree.children(node).all(|child| self.tree.is_text(child))
        };
        if !nodes.iter().any(|&node| is_field(node)) {
            return String::new();
        }
        let space = |text: &str, is_space: bool| if is_space && !text.is_empty() { " " } else { "" }.to_owned();
        let said = |&node: &NodeId| match self.tree.text(node) {
            Some(text) if text.trim().is_empty() => space(&text, true),
            Some(text) if node == nodes[0] => space(&text, text.ends_with(char::is_whitespace)),
            Some(text) => space(&text, text.starts_with(char::is_whitespace)),
            None if self.role(node) == Role::Space => " ".to_owned(),
            None if is_field(node) => self.tree.source[self.tree.inner(node)].to_owned(),
            None => String::new(),
        };
        nodes.iter().map(said).collect()
    }

    /// Whether a node has text.
    fn speaks(&self, node: NodeId) -> bool {
        match self.tree.text(node) {
            Some(text) => !text.trim().is_empty(),
            None => {
                matches!(self.role(node), Role::Phrase | Role::Explained)
                    && self.tree.children(node).any(|child| self.speaks(child))
            }
        }
    }

    /// Whether a node has spaces, and nothing else that a reader sees.
    fn is_space(&self, node: NodeId) -> bool {
        let inside = || self.tree.inside(node);
        let is_blank = |node: NodeId| match self.tree.text(node) {
            Some(text) => text.chars().all(char::is_whitespace),
            None => matches!(self.role(node), Role::Phrase | Role::Space),
        };
        let is_seen = |node: NodeId| self.tree.is_text(node) || self.role(node) == Role::Space;
        inside().any(is_seen) && inside().all(is_blank)
    }

    /// Adds a node to a block.
    fn inline(&mut self, node: NodeId, inline: &mut Inline) {
        let tree = self.tree;
        if let Some(text) = tree.text(node) {
            inline.flowing_text(&text);
        } else if self.role(node) == Role::Space {
            inline.space(tree.written(node));
        } else if self.role(node) == Role::Phrase && self.speaks(node) {
            inline.mark(MarkKind::Open, tree.tag(node));
            tree.children(node).for_each(|child| self.inline(child, inline));
            inline.mark(MarkKind::Close, tree.end_tag(node));
        } else if self.role(node) == Role::Explained && self.speaks(node) {
            self.explained(node, inline);
        } else if self.role(node) == Role::Phrase && inline.can_part() && self.is_space(node) {
            // A space between two words, in another format than theirs.
            inline.mark(MarkKind::Break, tree.written(node));
            inline.text(" ");
        } else {
            let markup = self.capture(node);
            match RangeBound::of(tree, node) {
                Some(bound) => inline.bound(bound.begins, &bound.key, &markup),
                None => inline.mark(MarkKind::Single, &markup),
            }
        }
    }

    /// Adds a part of a sentence whose explanation stays behind it.
    fn explained(&mut self, node: NodeId, inline: &mut Inline) {
        let (tree, whole) = (self.tree, self.tree.outer(node));
        let Some(words) = tree.children(node).find(|&child| self.speaks(child)) else { return };
        self.find_flows(node);
        let inner = tree.inner(words);
        inline.mark(MarkKind::Open, &self.captured(whole.start..inner.start));
        tree.children(words).for_each(|child| self.inline(child, inline));
        inline.mark(MarkKind::Close, &self.captured(inner.end..whole.end));
    }

    /// The source of a node, with numbers in place of the flows in it.
    pub(super) fn capture(&mut self, node: NodeId) -> String {
        self.find_flows(node);
        self.captured(self.tree.outer(node))
    }

    /// Reads the flows in a node.
    pub(super) fn find_flows(&mut self, node: NodeId) {
        if self.role(node) == Role::Flow {
            self.flow(node);
            return;
        }
        let end = self.tree.inside(node).end;
        let mut inside = node + 1;
        while inside < end {
            if self.role(inside) == Role::Flow {
                self.flow(inside);
                inside = self.tree.inside(inside).end;
            } else {
                inside += 1;
            }
        }
    }

    /// Reads a flow, or finds the one with the same content, and returns its number.
    fn flow(&mut self, node: NodeId) {
        let range = self.tree.inner(node);
        if range.is_empty() || self.nested.iter().rev().any(|(known, _)| *known == range) {
            return;
        }
        let content = &self.tree.source[range.clone()];
        let number = if let Some(&known) = self.known.get(content) {
            known
        } else {
            let number = self.flows.len();
            self.flows.push(Flow::default());
            self.known.insert(content, number);
            let outside = (std::mem::take(&mut self.nested), std::mem::take(&mut self.kinds));
            let fields = std::mem::take(&mut self.fields);
            self.find_unended(self.tree.inside(node));
            let mut blocks = Vec::new();
            self.content(node, &mut blocks);
            self.flows[number] = self.cut(range.clone(), blocks);
            (self.nested, self.kinds) = outside;
            self.fields = fields;
            number
        };
        self.nested.push((range, number));
    }

    /// Reads the content of a flow: paragraphs, or the runs or the text of a run of the paragraph that the flow is in.
    fn content(&mut self, node: NodeId, blocks: &mut Vec<Placed>) {
        let tree = self.tree;
        let is_run = |node: NodeId| self.role(node) == Role::Run;
        let has_run =
            |node: NodeId| is_run(node) || (self.role(node) == Role::Phrase && tree.children(node).any(is_run));
        if tree.children(node).any(has_run) {
            return self.runs(node, blocks);
        }
        for child in tree.children(node) {
            match self.role(child) {
                Role::Words => lines(tree, child, self.kind(), blocks),
                _ => self.walk(child, blocks),
            }
        }
    }

    /// The source of a range of the part, with numbers in place of the flows in it.
    pub(super) fn captured(&self, range: Range<usize>) -> String {
        let first = self.nested.partition_point(|(flow, _)| flow.start < range.start);
        let mut captured = String::new();
        let mut at = range.start;
        for (flow, number) in self.nested[first..].iter().take_while(|(flow, _)| flow.end <= range.end) {
            captured.push_str(&self.tree.source[at..flow.start]);
            captured.push_str(&format!("{FLOW}{number}{FLOW}"));
            at = flow.end;
        }
        captured.push_str(&self.tree.source[at..range.end]);
        captured
    }

    /// The flow of a range of the part, from its blocks in their order.
    fn cut(&self, range: Range<usize>, blocks: Vec<Placed>) -> Flow {
        let mut flow = Flow::default();
        let mut at = range.start;
        for (place, block) in blocks {
            flow.gaps.push(self.captured(at..place.start));
            flow.blocks.push(block);
            at = place.end;
        }
        flow.gaps.push(self.captured(at..range.end));
        flow
    }
}
