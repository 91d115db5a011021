//! Builds a block from text and marks, in the order of the source.

use std::borrow::Cow;

use super::{Mark, MarkKind, Markup, Style};
use crate::document::{Block, BlockKind};

/// Invisible characters that no vocabulary has: they mark where a word or a line may be divided, or may not.
const INVISIBLE: [char; 4] = ['\u{ad}', '\u{200b}', '\u{2060}', '\u{feff}'];

/// A text without invisible characters, because a model takes a word with one inside for another word.
pub(in crate::document) fn visible(text: &str) -> Cow<'_, str> {
    if text.contains(INVISIBLE) { text.replace(INVISIBLE, "").into() } else { text.into() }
}

/// Builds a block from text and marks in the order of the source.
#[derive(Clone, Debug, Default)]
pub(in crate::document) struct Inline {
    text: String,
    marks: Vec<Mark>,
    /// The keys of ranges; a range's number is its key's position.
    keys: Vec<String>,
}

/// How far a block has been built.
#[derive(Clone, Copy, Debug)]
pub(in crate::document) struct InlinePlace {
    text: usize,
    marks: usize,
}

impl Inline {
    /// Appends text as a reader sees it.
    pub(in crate::document) fn text(&mut self, text: &str) {
        self.text.push_str(&visible(text));
    }

    /// Appends text; white space of any length becomes one space, and none at the start.
    pub(in crate::document) fn flowing_text(&mut self, text: &str) {
        for c in visible(text).chars() {
            // A no-break space is not white space of the format but a character that the author chose.
            let space = c.is_whitespace() && c != '\u{a0}' && c != '\u{202f}';
            if !space {
                self.text.push(c);
            } else if !self.text.ends_with(' ') && !self.text.is_empty() || self.after_single() {
                self.text.push(' ');
            }
        }
    }

    /// Whether a space appended now would part two words: there is text, and no space at its end.
    pub(in crate::document) fn can_part(&self) -> bool {
        !self.text.is_empty() && !self.text.ends_with(char::is_whitespace)
    }

    /// Makes the space at the end a mark, because something stands after the block on its line, such as the number of a page.
    pub(in crate::document) fn keep_last_space(&mut self) {
        let end = self.text.trim_end_matches(' ').len();
        let spaces = self.text.split_off(end);
        for mark in &mut self.marks {
            mark.at = mark.at.min(end);
        }
        self.mark(MarkKind::Single, &spaces);
    }

    /// Gives the space at the end to the mark after it that opens what is not in the block, such as a link around a picture that
    /// stands by itself.
    pub(in crate::document) fn keep_space_before_open(&mut self) {
        let end = self.text.trim_end_matches(' ').len();
        let first = self.marks.iter().position(|mark| mark.at > end).unwrap_or(self.marks.len());
        let after = &mut self.marks[first..];
        if after.iter().all(|mark| mark.kind == MarkKind::Open)
            && let Some(mark) = after.first_mut()
        {
            mark.markup.insert_str(0, &self.text[end..]);
            for mark in after {
                mark.at = end;
            }
            self.text.truncate(end);
        }
    }

    /// Whether the last thing appended is a single mark, perhaps with the end of what it is in.
    fn after_single(&self) -> bool {
        let last = self.marks.iter().rev().find(|mark| mark.kind != MarkKind::Close);
        last.is_some_and(|mark| mark.kind == MarkKind::Single && mark.at == self.text.len())
    }

    /// Appends a mark.
    pub(in crate::document) fn mark(&mut self, kind: MarkKind, markup: &str) {
        if !markup.is_empty() {
            self.marks.push(Mark { at: self.text.len(), markup: markup.to_owned(), kind });
        }
    }

    /// Appends a mark that is a space of the text. A space right before it, in the text or as another such mark, becomes part of it,
    /// so that the text has one.
    pub(in crate::document) fn space(&mut self, markup: &str) {
        let end = self.text.len();
        match self.marks.last_mut() {
            Some(last) if last.kind == MarkKind::Break && last.at + 1 == end => last.markup.push_str(markup),
            last => {
                let is_free = last.is_none_or(|last| last.at < end);
                let own = if is_free && self.text.ends_with(' ') { self.text.pop() } else { None };
                self.mark(MarkKind::Break, &own.into_iter().chain(markup.chars()).collect::<String>());
                self.text.push(' ');
            }
        }
    }

    /// Appends a mark that stands in place of the space between two words.
    pub(in crate::document) fn line_end(&mut self, markup: &str) {
        self.mark(MarkKind::Break, markup);
        if self.can_part() {
            self.text.push(' ');
        }
    }

    /// Appends a mark at which a sentence ends.
    pub(in crate::document) fn parting(&mut self, markup: &str) {
        if self.text.is_empty() {
            self.mark(MarkKind::Leading, markup);
        } else {
            self.mark(MarkKind::Break, markup);
            self.text.push('\n');
        }
    }

    /// The space at the end of the text, unless a single mark after it keeps it.
    pub(in crate::document) fn trailing_space(&self) -> &str {
        let end = self.text.trim_end().len();
        let after = self.marks.iter().find(|mark| mark.at > end);
        if after.is_some_and(|mark| mark.kind == MarkKind::Single) { "" } else { &self.text[end..] }
    }

    /// Gives white space at the end, in a text that must keep all of it, to the marks that it stands before. The end of a pair in the
    /// middle of a sentence may go elsewhere: the space before it is returned, to stand after the block.
    pub(in crate::document) fn take_end_space(&mut self) -> String {
        let end = self.text.trim_end().len();
        let (mut at, mut rest) = (end, String::new());
        for index in 0..self.marks.len() {
            let place = self.marks[index].at;
            if place <= end {
                continue;
            }
            let space = self.text.get(at..place).unwrap_or_default();
            let is_last = self.marks[index].kind != MarkKind::Close || self.opened_at(index) == Some(0);
            if is_last {
                self.marks[index].markup.insert_str(0, space);
            } else {
                rest.push_str(space);
            }
            // A break stands in place of a character of the text.
            at = place + usize::from(self.marks[index].kind == MarkKind::Break);
            self.marks[index].at = end;
        }
        self.text.truncate(end);
        rest
    }

    /// Where the pair begins in the text that the mark of this number closes.
    fn opened_at(&self, close: usize) -> Option<usize> {
        let mut inner = 0_usize;
        for mark in self.marks[..close].iter().rev() {
            match mark.kind {
                MarkKind::Close => inner += 1,
                MarkKind::Open if inner == 0 => return Some(mark.at),
                MarkKind::Open => inner -= 1,
                _ => {}
            }
        }
        None
    }

    /// Appends a mark that begins or ends the range of this key.
    pub(in crate::document) fn bound(&mut self, begins: bool, key: &str, markup: &str) {
        let known = self.keys.iter().position(|known| known == key);
        let number = known.unwrap_or_else(|| {
            self.keys.push(key.to_owned());
            self.keys.len() - 1
        });
        self.mark(if begins { MarkKind::Begin(number) } else { MarkKind::End(number) }, markup);
    }

    /// How far the block has been built.
    pub(in crate::document) fn place(&self) -> InlinePlace {
        InlinePlace { text: self.text.len(), marks: self.marks.len() }
    }

    /// The text before a place.
    pub(in crate::document) fn text_before(&self, place: InlinePlace) -> &str {
        &self.text[..place.text]
    }

    /// The text and the marks after a place.
    pub(in crate::document) fn since(&self, place: InlinePlace) -> (&str, &[Mark]) {
        (&self.text[place.text..], &self.marks[place.marks..])
    }

    /// Replaces all after a place by a single mark.
    pub(in crate::document) fn fold(&mut self, place: InlinePlace, markup: &str) {
        self.text.truncate(place.text);
        self.marks.truncate(place.marks);
        self.mark(MarkKind::Single, markup);
    }

    /// Writes the last mark in another way.
    pub(in crate::document) fn rewrite_mark(&mut self, markup: &str) {
        if let Some(last) = self.marks.last_mut().filter(|mark| mark.kind == MarkKind::Close) {
            markup.clone_into(&mut last.markup);
        }
    }

    /// Adds to the last mark, if it stands at the end of the text; says whether it does.
    pub(in crate::document) fn extend_mark(&mut self, markup: &str) -> bool {
        let end = self.text.len();
        let last = self
            .marks
            .last_mut()
            .filter(|mark| mark.at == end && matches!(mark.kind, MarkKind::Single | MarkKind::Close));
        last.map(|mark| mark.markup.push_str(markup)).is_some()
    }

    /// Whether there is text to translate.
    pub(in crate::document) fn has_text(&self) -> bool {
        self.text.contains(char::is_alphanumeric)
    }

    /// Finishes the block, which stands in the article as `source`.
    pub(in crate::document) fn finish(mut self, kind: BlockKind, source: &str, style: Style) -> Block {
        let end = self.text.trim_end().len();
        self.text.truncate(end);
        // A single mark after the last space keeps that space.
        let trailing = self.marks.iter_mut().find(|mark| mark.at > end);
        if let Some(mark) = trailing.filter(|mark| mark.kind == MarkKind::Single) {
            mark.markup.insert(0, ' ');
        }
        for mark in &mut self.marks {
            mark.at = mark.at.min(end);
        }
        self.join_spaces();
        self.lead();
        let markup = Markup { marks: self.marks, ..Markup::written(source, style) };
        Block { kind, text: self.text, markup: Some(Box::new(markup)) }
    }

    /// Makes a single mark leading if it touches only the word after it, as a picture in front of a word does.
    fn lead(&mut self) {
        for index in 0..self.marks.len() {
            let Some((mark, next)) = self.marks[index..].split_first_mut() else { break };
            let is_parted = next.first().is_some_and(|next| next.kind == MarkKind::Break && next.at == mark.at);
            if mark.kind != MarkKind::Single || is_parted {
                continue;
            }
            let (before, after) = self.text.split_at(mark.at);
            if before.ends_with(' ') && after.starts_with(char::is_alphanumeric) && !mark.markup.ends_with(' ') {
                mark.kind = MarkKind::Leading;
            }
        }
    }

    /// Moves one of the two spaces around a single mark into the mark, so that the text has one space: of `a <img> b`, where the
    /// mark is `<img>`, the text becomes `a b`, and the mark `<img> `.
    fn join_spaces(&mut self) {
        let mut removed: Vec<usize> = Vec::new();
        for index in 0..self.marks.len() {
            let Some((mark, after)) = self.marks[index..].split_first_mut() else { break };
            let at = mark.at;
            if mark.kind != MarkKind::Single {
                continue;
            }
            let before = at == 0 || self.text[..at].ends_with(' ');
            let is_parted = at > 0 && before && !removed.contains(&(at - 1));
            // At the end of a link the space after the mark is not in the link.
            let is_last = after.first().is_some_and(|next| next.kind == MarkKind::Close && next.at == at);
            let rest = &self.text[at..];
            if before && rest.starts_with(' ') && !removed.contains(&at) && !(is_parted && is_last) {
                mark.markup.push(' ');
                removed.push(at);
            } else if is_parted && !rest.starts_with(char::is_alphanumeric) {
                mark.markup.insert(0, ' ');
                removed.push(at - 1);
            }
        }
        removed.sort_unstable();
        for mark in &mut self.marks {
            mark.at -= removed.partition_point(|&space| space < mark.at);
        }
        for space in removed.into_iter().rev() {
            self.text.remove(space);
        }
    }
}
