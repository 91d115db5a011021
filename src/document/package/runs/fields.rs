//! Fields of Word: a code, such as `PAGE`, and perhaps a result that is shown in the text.
//!
//! A field goes from a `begin` over a `separate` to an `end`, in runs of their own or all in one run, beside text. What a reader
//! typed or follows, the result of a form or a link, is translated; one that the program computes, such as a page number, is not.
//! A field that never ends, as some programs write it, is no field: else all text after it would be its code.

use std::ops::Range;

use super::writer::shown;
use super::{InRun, Item, Kept, Paragraph, What};
use crate::document::package::flow::{FlowReader, Role};
use crate::document::package::xml::NodeId;

/// The fields whose results are text.
const TRANSLATED: [&str; 4] = ["HYPERLINK", "TOC", "INDEX", "FORMTEXT"];

/// An open field.
#[derive(Debug, Default)]
pub(in crate::document) struct OpenField {
    /// Its code, as far as it has been read.
    code: String,
    /// Whether its result has begun and is translated like other text.
    result: Option<bool>,
}

/// What the fields among these items show; `end` is the tag that ends the text of a run.
pub(super) fn shown_beside(items: &[Item], end: &str) -> String {
    let said = |item: &Item| match &item.what {
        What::Single(written) => shown(written, end),
        _ => None,
    };
    items.iter().filter_map(said).collect()
}

impl FlowReader<'_> {
    /// Whether a node has text in runs.
    pub(super) fn has_words(&self, node: NodeId) -> bool {
        self.tree.inside(node).any(|inside| self.role(inside) == Role::Words)
    }

    /// Finds the begins of fields that have no end among these nodes. Texts inside of them, such as a text box, are left out.
    pub(in crate::document::package) fn find_unended(&mut self, nodes: Range<NodeId>) {
        if !nodes.clone().any(|node| self.tree.name(node) == "w:fldChar") {
            return;
        }
        let mut open = Vec::new();
        let mut node = nodes.start;
        while node < nodes.end {
            let is_read = match self.role(node) {
                Role::Field => {
                    match self.tree.attribute(node, "fldCharType").as_deref() {
                        Some("begin") => open.push(node),
                        Some("end") => drop(open.pop()),
                        _ => {}
                    }
                    true
                }
                // A phrase without words is kept as it is in a paragraph.
                Role::Phrase => self
                    .tree
                    .inside(node)
                    .any(|inside| matches!(self.role(inside), Role::Words | Role::RunParagraph(_))),
                role => !matches!(role, Role::Single | Role::Dropped | Role::Flow | Role::FlowsOnly),
            };
            node = if is_read { node + 1 } else { self.tree.inside(node).end };
        }
        self.unended.extend(open);
    }
}

impl Paragraph<'_, '_> {
    /// Whether what comes now is text, and not the code of a field or a computed result.
    pub(super) fn is_text(&self) -> bool {
        self.reader.fields.iter().all(|field| field.result == Some(true))
    }

    /// Reads a run with begins, separators or ends of fields, and perhaps text beside them.
    pub(super) fn run_of_fields(&mut self, run: NodeId, content: &[NodeId]) {
        if let &[field] = content {
            let kept = self.whole(run);
            return self.field(field, kept);
        }
        let format = self.format(run);
        for (place, &node) in content.iter().enumerate() {
            let in_run =
                InRun { node: run, is_first: place == 0, is_last: place + 1 == content.len(), in_words: false };
            let role = self.reader.role(node);
            if role != Role::Field && self.is_text() {
                self.content(node, role, format, in_run);
                continue;
            }
            let (written, place) = (self.alone(run, node), self.reader.tree.outer(node));
            let kept = Kept { written, place, edges: [Some(in_run.clone()), Some(in_run)] };
            if role == Role::Field {
                self.field(node, kept);
            } else {
                self.code_of(node);
                self.keep(kept);
            }
        }
    }

    /// Adds what a node says to the code of the innermost field.
    pub(super) fn code_of(&mut self, node: NodeId) {
        if let Some(field) = self.reader.fields.last_mut().filter(|field| field.result != Some(true)) {
            field.code.push_str(&self.reader.tree.said(node));
        }
    }

    /// Reads the begin of a field, its end, or the separator between its code and its result.
    fn field(&mut self, field: NodeId, kept: Kept) {
        if self.reader.unended.contains(&field) {
            return self.keep(kept);
        }
        match self.reader.tree.attribute(field, "fldCharType").as_deref() {
            Some("begin") => {
                if self.is_text() {
                    self.end_code();
                    self.code = Some(kept);
                } else {
                    self.keep(kept);
                }
                self.reader.fields.push(OpenField::default());
            }
            Some("separate") => {
                self.keep(kept);
                if let Some(field) = self.reader.fields.last_mut() {
                    let word = field.code.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
                    field.result = Some(TRANSLATED.contains(&word.as_str()));
                }
                if self.is_text()
                    && let Some(code) = self.code.take()
                {
                    self.push(What::Open, code);
                }
            }
            _ => {
                let was_text = self.is_text();
                self.reader.fields.pop();
                if was_text {
                    self.push(What::Close, kept);
                    self.join_empty();
                } else {
                    self.keep(kept);
                    if self.is_text() {
                        self.end_code();
                    }
                }
            }
        }
    }

    /// Makes a field that was just closed one item if its result is empty, as that of a form that nobody filled in. As a pair of
    /// marks it would go around a word that is not in it.
    fn join_empty(&mut self) {
        let is_blank = |item: &Item| matches!(&item.what, What::Words(_, text) if text.trim().is_empty());
        let Some((close, before)) = self.items.split_last() else { return };
        let Some(open) = before.iter().rposition(|item| !is_blank(item)) else { return };
        let (What::Open(code), What::Close(end)) = (&before[open].what, &close.what) else { return };
        if !code.contains("fldChar") {
            return;
        }
        let (run_end, (words, words_end)) = self.tags.clone().unwrap_or_default();
        let mut written = code.clone();
        for item in &before[open + 1..] {
            if let What::Words(format, text) = &item.what {
                let beginning = self.formats[*format].beginning.as_str();
                written.extend([beginning, words.as_str(), text.as_str(), words_end.as_str(), run_end.as_str()]);
            }
        }
        written.push_str(end);
        let (end, edge) = (close.place.end, close.edges[1].clone());
        self.items.truncate(open + 1);
        let item = &mut self.items[open];
        item.what = What::Single(written);
        item.place.end = end;
        item.edges[1] = edge;
    }

    /// Appends what follows the code of a field directly. Two pieces of one run are one run again.
    pub(super) fn append_code(&mut self, kept: &Kept) {
        let run = kept.edges[0].as_ref().map(|run| run.node);
        let seam = run.map(|run| (self.beginning(run).len(), self.reader.tree.end_tag(run).len()));
        let Some(code) = &mut self.code else { return };
        let same = code.edges[1].as_ref().map(|run| run.node) == run;
        match seam.filter(|_| same) {
            Some((beginning, end)) => {
                code.written.truncate(code.written.len() - end);
                code.written.push_str(&kept.written[beginning..]);
            }
            None => code.written.push_str(&kept.written),
        }
        code.place.end = kept.place.end;
        code.edges[1].clone_from(&kept.edges[1]);
    }

    /// Ends the code of a field, which is kept as it is.
    pub(super) fn end_code(&mut self) {
        if let Some(code) = self.code.take() {
            self.keep(code);
        }
    }
}
