//! Adds text to a block with what dialects have in it, which the parser takes for text.

use std::ops::Range;

use super::dialect::{self, LineMark, WordMark};
use super::{MarkKind, MarkdownReader};
use crate::document::BlockKind;

impl MarkdownReader<'_> {
    /// Text as the parser gives it, with the additions of dialects in it.
    pub(super) fn said(&mut self, text: &str, range: Range<usize>) {
        let is_written = self.text[range.clone()] == *text;
        let mut at = range.start.max(self.skipped.end.min(range.end));
        if !is_written {
            return self.words(text, range);
        }
        if (self.open.is_none() || self.after_break)
            && !self.text[..at].ends_with('\\')
            && let Some(mark) = LineMark::at(self.text, at)
        {
            self.end_block();
            self.admonition = self.admonition.or(mark.is_admonition.then_some(at));
            if let Some(title) = mark.title.filter(|title| at + title + 1 == range.end) {
                self.words(&self.text[at + mark.length..at + title], at + mark.length..at + title);
                self.end_block();
                self.skipped = at..range.end;
                return;
            }
            let end = at + if mark.title.is_some() { dialect::line(self.text, at).len() } else { mark.length };
            (self.skipped, self.alone) = (at..end, mark.is_alone);
            at = end.min(range.end);
        }
        while let Some((place, mark)) = dialect::word_mark(self.text, &(at..range.end), self.spans.last(), &self.labels)
        {
            self.words(&self.text[at..place], at..place);
            let end = self.word_mark(place, mark);
            at = end.min(range.end);
        }
        self.words(&self.text[at..range.end], at..range.end);
    }

    /// Adds what a dialect has at a place in the text, and returns its end.
    fn word_mark(&mut self, at: usize, mark: WordMark) -> usize {
        match mark {
            WordMark::Open(open, end) => {
                self.open_mark(at, None);
                self.opening = false;
                self.inline.mark(MarkKind::Open, &self.text[at..open]);
                self.read_on(&(at..open));
                self.spans.push(end);
                self.skipped = at..open;
                open
            }
            WordMark::Page(end) => {
                let is_cell = self.kinds.last() == Some(&BlockKind::Cell);
                let name = &self.text[at + 2..end.start];
                self.open_mark(at, None);
                self.opening = false;
                self.inline.mark(MarkKind::Open, &format!("[[{name}{}", if is_cell { "\\|" } else { "|" }));
                self.read_on(&(at..at + 2));
                self.spans.push(end);
                self.skipped = at..at + 2;
                at + 2
            }
            WordMark::Close(end) => {
                self.spans.pop();
                self.close(end);
                self.skipped = at..end;
                end
            }
            WordMark::Attributes(end) => {
                let is_touching = self.open.is_some_and(|(_, read)| read == at);
                if is_touching && self.inline.extend_mark(&self.text[at..end]) {
                    self.read_on(&(at..end));
                } else {
                    self.single(at..end);
                }
                self.skipped = at..end;
                end
            }
            WordMark::Note(end) => {
                self.single(at..end);
                self.skipped = at..end;
                end
            }
        }
    }
}
