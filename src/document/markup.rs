//! Markup inside a block: removed from the text before it is translated, put back after.
//!
//! Invariant: a block that is not translated, or whose translation equals it, is its source byte for byte. A translated block has
//! every mark of the source once, nested as well as in the source. Where a mark goes in a translation is decided in `project`.

mod bilingual;
mod comments;
mod escape;
mod pairs;
mod project;
mod words;

use std::borrow::Cow;
use std::ops::Range;

pub use comments::Comment;
pub(super) use escape::escape;
pub(crate) use escape::escape_markdown;

use project::Projection;

use super::envelope::Envelope;
use super::package::{RunPiece, Runs};
use super::{Block, BlockKind};

/// The escaping of text among markup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// Characters that would be markup are escaped with backslashes.
    Markdown,
    /// Characters that would be markup become entities.
    Html,
    /// As `Html`, and characters beyond ASCII become numeric references: for documents that declare another encoding.
    Ascii,
    /// No character is escaped.
    Plain,
}

/// The effect of a mark on the text at its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MarkKind {
    /// The mark opens a range that a `Close` ends.
    Open,
    /// The mark closes the range of the last `Open`.
    Close,
    /// The mark stands alone, as code or a picture does.
    Single,
    /// The mark stands alone, and belongs to the words after it.
    Leading,
    /// The mark stands in place of a space or line break of the text.
    Break,
    /// The mark stands alone, but it begins the range of this number, which may cross other ranges.
    Begin(usize),
    /// The mark stands alone, but it ends the range of this number.
    End(usize),
    /// The mark is a time, from which on the words after it are shown. Times keep their order, and stay between the same breaks.
    Timed,
}

/// A piece of markup and its position in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) at: usize,
    pub(super) markup: String,
    pub(super) kind: MarkKind,
}

/// The markup of one block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Markup {
    /// The block with its markup, as it stands in the article.
    source: String,
    marks: Vec<Mark>,
    style: Style,
    /// The encoding of the block in its document.
    envelope: Envelope,
    /// The tags around the block once it is translated.
    tags: Option<[String; 2]>,
    /// The form of runs, if the text is in runs.
    runs: Option<Runs>,
}

impl Markup {
    /// The markup of a block without marks, whose source differs from its text.
    pub(super) fn none(source: &str) -> Self {
        Self::written(source, Style::Plain)
    }

    /// The markup of a block without marks that is escaped in this style.
    pub(super) fn written(source: &str, style: Style) -> Self {
        Self { source: source.to_owned(), marks: Vec::new(), style, envelope: Envelope::None, tags: None, runs: None }
    }

    /// The block with its markup.
    pub(super) fn source(&self) -> &str {
        &self.source
    }

    /// Replaces a range of the block with its markup.
    pub(super) fn edit(&mut self, range: Range<usize>, text: &str) {
        self.source.replace_range(range, text);
    }

    /// The markup in an envelope, in which the block is written as `source`.
    pub(super) fn enveloped(self, source: &str, envelope: Envelope) -> Self {
        Self { source: source.to_owned(), envelope, ..self }
    }

    /// The markup with tags around the block once it is translated.
    pub(super) fn tagged(self, tags: [String; 2]) -> Self {
        Self { tags: Some(tags), ..self }
    }

    /// The markup with text in runs.
    pub(super) fn in_runs(self, runs: Runs) -> Self {
        Self { runs: Some(runs), ..self }
    }
}

/// Invisible characters that no vocabulary has: they mark where a word or a line may be divided, or may not.
const INVISIBLE: [char; 4] = ['\u{ad}', '\u{200b}', '\u{2060}', '\u{feff}'];

/// A text without invisible characters, because a model takes a word with one inside for another word.
pub(super) fn visible(text: &str) -> Cow<'_, str> {
    if text.contains(INVISIBLE) { text.replace(INVISIBLE, "").into() } else { text.into() }
}

/// Builds a block from text and marks in the order of the source.
#[derive(Clone, Debug, Default)]
pub(super) struct Inline {
    text: String,
    marks: Vec<Mark>,
    /// The keys of ranges; a range's number is its key's position.
    keys: Vec<String>,
}

/// How far a block has been built.
#[derive(Clone, Copy, Debug)]
pub(super) struct InlinePlace {
    text: usize,
    marks: usize,
}

impl Inline {
    /// Appends text as a reader sees it.
    pub(super) fn text(&mut self, text: &str) {
        self.text.push_str(&visible(text));
    }

    /// Appends text; white space of any length becomes one space, and none at the start.
    pub(super) fn flowing_text(&mut self, text: &str) {
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
    pub(super) fn can_part(&self) -> bool {
        !self.text.is_empty() && !self.text.ends_with(char::is_whitespace)
    }

    /// Makes the space at the end a mark, because something stands after the block on its line, such as the number of a page.
    pub(super) fn keep_last_space(&mut self) {
        let end = self.text.trim_end_matches(' ').len();
        let spaces = self.text.split_off(end);
        for mark in &mut self.marks {
            mark.at = mark.at.min(end);
        }
        self.mark(MarkKind::Single, &spaces);
    }

    /// Whether the last thing appended is a single mark, perhaps with the end of what it is in.
    fn after_single(&self) -> bool {
        let last = self.marks.iter().rev().find(|mark| mark.kind != MarkKind::Close);
        last.is_some_and(|mark| mark.kind == MarkKind::Single && mark.at == self.text.len())
    }

    /// Appends a mark.
    pub(super) fn mark(&mut self, kind: MarkKind, markup: &str) {
        if !markup.is_empty() {
            self.marks.push(Mark { at: self.text.len(), markup: markup.to_owned(), kind });
        }
    }

    /// Appends a mark at which a sentence ends.
    pub(super) fn parting(&mut self, markup: &str) {
        if self.text.is_empty() {
            self.mark(MarkKind::Leading, markup);
        } else {
            self.mark(MarkKind::Break, markup);
            self.text.push('\n');
        }
    }

    /// The space at the end of the text, unless a single mark after it keeps it.
    pub(super) fn trailing_space(&self) -> &str {
        let end = self.text.trim_end().len();
        let after = self.marks.iter().find(|mark| mark.at > end);
        if after.is_some_and(|mark| mark.kind == MarkKind::Single) { "" } else { &self.text[end..] }
    }

    /// Appends a mark that begins or ends the range of this key.
    pub(super) fn bound(&mut self, begins: bool, key: &str, markup: &str) {
        let known = self.keys.iter().position(|known| known == key);
        let number = known.unwrap_or_else(|| {
            self.keys.push(key.to_owned());
            self.keys.len() - 1
        });
        self.mark(if begins { MarkKind::Begin(number) } else { MarkKind::End(number) }, markup);
    }

    /// How far the block has been built.
    pub(super) fn place(&self) -> InlinePlace {
        InlinePlace { text: self.text.len(), marks: self.marks.len() }
    }

    /// The text before a place.
    pub(super) fn text_before(&self, place: InlinePlace) -> &str {
        &self.text[..place.text]
    }

    /// The text and the marks after a place.
    pub(super) fn since(&self, place: InlinePlace) -> (&str, &[Mark]) {
        (&self.text[place.text..], &self.marks[place.marks..])
    }

    /// Replaces all after a place by a single mark.
    pub(super) fn fold(&mut self, place: InlinePlace, markup: &str) {
        self.text.truncate(place.text);
        self.marks.truncate(place.marks);
        self.mark(MarkKind::Single, markup);
    }

    /// Writes the last mark in another way.
    pub(super) fn rewrite_mark(&mut self, markup: &str) {
        if let Some(last) = self.marks.last_mut().filter(|mark| mark.kind == MarkKind::Close) {
            markup.clone_into(&mut last.markup);
        }
    }

    /// Adds to the last mark, if it stands at the end of the text; says whether it does.
    pub(super) fn extend_mark(&mut self, markup: &str) -> bool {
        let end = self.text.len();
        let last = self
            .marks
            .last_mut()
            .filter(|mark| mark.at == end && matches!(mark.kind, MarkKind::Single | MarkKind::Close));
        last.map(|mark| mark.markup.push_str(markup)).is_some()
    }

    /// Whether there is text to translate.
    pub(super) fn has_text(&self) -> bool {
        self.text.contains(char::is_alphanumeric)
    }

    /// Finishes the block, which stands in the article as `source`.
    pub(super) fn finish(mut self, kind: BlockKind, source: &str, style: Style) -> Block {
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
        for mark in self.marks.iter_mut().filter(|mark| mark.kind == MarkKind::Single) {
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

/// A sentence of a block and its translation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TranslatedSentence {
    /// Where it stands in the block's text.
    pub range: Range<usize>,
    /// Its translation.
    pub target: String,
    /// Which words belong together, as far as that is known: ranges of bytes in the sentence and in its translation.
    pub pairs: Vec<[Range<usize>; 2]>,
}

/// The translated block; `sentences` are in the order of the block's text.
pub(super) fn translated(block: &Block, sentences: &[TranslatedSentence]) -> Block {
    let mut text = String::new();
    let mut moves: Vec<(Range<usize>, Range<usize>)> = Vec::with_capacity(sentences.len());
    let mut pairs = Vec::new();
    let mut end = 0;
    for TranslatedSentence { range, target, pairs: own } in sentences {
        text.push_str(&block.text[end..range.start]);
        end = range.end;
        let [from, to] = [range.start, text.len()];
        let moved = |[theirs, ours]: &[Range<usize>; 2]| {
            [theirs.start + from..theirs.end + from, ours.start + to..ours.end + to]
        };
        pairs.extend(own.iter().map(moved));
        moves.push((range.clone(), text.len()..text.len() + target.len()));
        text.push_str(target);
    }
    text.push_str(&block.text[end..]);
    if text == block.text {
        return block.clone();
    }
    let markup = block.markup.as_ref().map(|markup| {
        let projection = Projection { source: &block.text, target: &text, moves: &moves, pairs: &pairs };
        let marks = projection.project(&markup.marks);
        let source = match &markup.runs {
            Some(runs) => runs.render(&pieces(&text, &marks, markup.style)),
            None => render(&text, &marks, markup.style),
        };
        let source = markup.envelope.wrap(source, markup.style);
        let source = match &markup.tags {
            Some([before, after]) => format!("{before}{source}{after}"),
            None => source,
        };
        Box::new(Markup { source, marks, tags: markup.tags.clone(), runs: markup.runs.clone(), ..**markup })
    });
    Block { kind: block.kind, text, markup }
}

/// Text and marks, to be written in runs.
fn pieces<'m>(text: &str, marks: &'m [Mark], style: Style) -> Vec<RunPiece<'m>> {
    let mut pieces = Vec::with_capacity(2 * marks.len() + 1);
    let mut at = 0;
    for mark in marks {
        pieces.push(RunPiece::Words(escape(&text[at.min(mark.at)..mark.at], style, false)));
        pieces.push(RunPiece::Mark(mark.kind, &mark.markup));
        at = at.max(mark.at);
    }
    pieces.push(RunPiece::Words(escape(&text[at..], style, false)));
    pieces
}

/// Text and marks as they stand in an article.
fn render(text: &str, marks: &[Mark], style: Style) -> String {
    let mut rendered = String::new();
    let mut at = 0;
    for mark in marks {
        rendered.push_str(&escape(&text[at.min(mark.at)..mark.at], style, rendered.is_empty()));
        if !is_empty_line(&rendered, mark) {
            let is_own_label = style == Style::Markdown && is_own_label(mark, &rendered, &text[at.max(mark.at)..]);
            rendered.push_str(if is_own_label { "]" } else { &mark.markup });
        }
        at = at.max(mark.at);
        if mark.kind == MarkKind::Break && text[at..].starts_with([' ', '\n']) {
            at += 1;
        }
    }
    rendered.push_str(&escape(&text[at..], style, rendered.is_empty()));
    rendered
}

/// Whether a line break would make an empty line after what is rendered so far. In subtitles such a line ends the cue, so what
/// comes after it would be in none.
fn is_empty_line(rendered: &str, mark: &Mark) -> bool {
    let before = rendered.trim_end_matches([' ', '\t']);
    mark.kind == MarkKind::Break && mark.markup.trim().is_empty() && (before.is_empty() || before.ends_with('\n'))
}

/// Whether the text of a link, which `rendered` ends in, is the label that its end names.
fn is_own_label(mark: &Mark, rendered: &str, after: &str) -> bool {
    let label = mark.markup.strip_prefix("][").and_then(|end| end.strip_suffix(']'));
    let said = rendered.rsplit_once('[').map(|(_, said)| said.to_lowercase());
    let is_close = mark.kind == MarkKind::Close && !after.starts_with(['(', '[', ':', '{']);
    is_close && label.is_some_and(|label| said.as_deref() == Some(label.to_lowercase().as_str()))
}
