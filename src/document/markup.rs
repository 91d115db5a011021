//! Markup inside a block: removed from the text before it is translated, put back after.
//!
//! Invariant: a block that is not translated, or whose translation equals it, is its source byte for byte. A translated block has
//! every mark of the source once, nested as well as in the source. Where a mark goes in a translation is decided in `project`.

mod bilingual;
mod comments;
mod escape;
mod inline;
mod pairs;
mod project;
mod words;

use std::ops::Range;

pub use comments::Comment;
pub(super) use escape::escape;
use escape::escape_around_spans;
pub(crate) use escape::escape_markdown;
pub(super) use inline::{Inline, InlinePlace, visible};

use project::Projection;

use super::Block;
use super::envelope::Envelope;
use super::package::{RunPiece, Runs};
use crate::language::Code;

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
    /// What fields show that stand before and after the block in its paragraph, as it is written in XML.
    beside: [String; 2],
    /// The code of the language that an element around the block names, if it is none around the whole document.
    language: Option<String>,
}

impl Markup {
    /// The markup of a block without marks, whose source differs from its text.
    pub(super) fn none(source: &str) -> Self {
        Self::written(source, Style::Plain)
    }

    /// The markup of a block without marks that is escaped in this style.
    pub(super) fn written(source: &str, style: Style) -> Self {
        let (marks, envelope, beside) = (Vec::new(), Envelope::None, Default::default());
        Self { source: source.to_owned(), marks, style, envelope, tags: None, runs: None, beside, language: None }
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

    /// The markup of a block with fields before and after it, which show these texts.
    pub(super) fn beside(self, beside: [String; 2]) -> Self {
        Self { beside, ..self }
    }
}

impl Block {
    /// The block with the language that an element around it names, unless an inner element has named one.
    pub(super) fn in_element_of(mut self, language: Option<&str>) -> Self {
        if let Some(markup) = self.markup.as_mut().filter(|markup| markup.language.is_none()) {
            markup.language = language.map(str::to_owned);
        }
        self
    }

    /// Whether an element around the block names another language than this code does.
    pub(crate) fn is_in_another(&self, language: &str) -> bool {
        let named = self.markup.as_ref().and_then(|markup| markup.language.as_deref());
        named.is_some_and(|named| !Code::parse(named).serves(&Code::parse(language)))
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
            None => render(&text, &marks, markup),
        };
        let source = markup.envelope.wrap(source, markup.style);
        let source = match &markup.tags {
            Some([before, after]) => format!("{before}{source}{after}"),
            None => source,
        };
        Box::new(Markup { source, marks, ..(**markup).clone() })
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

/// Text and marks as they stand in an article, whose block has this markup.
fn render(text: &str, marks: &[Mark], Markup { style, source, .. }: &Markup) -> String {
    let mut rendered = String::new();
    let mut at = 0;
    for (number, mark) in marks.iter().enumerate() {
        rendered.push_str(&escape_around_spans(&text[at.min(mark.at)..mark.at], *style, rendered.is_empty(), source));
        if !is_empty_line(&rendered, text, at.max(mark.at), &marks[number..]) {
            let is_own_label = *style == Style::Markdown && is_own_label(mark, &rendered, &text[at.max(mark.at)..]);
            if *style == Style::Markdown && mark.markup == "]]" {
                drop_own_name(&mut rendered);
            }
            rendered.push_str(if is_own_label { "]" } else { &mark.markup });
        }
        at = at.max(mark.at);
        if mark.kind == MarkKind::Break && text[at..].starts_with([' ', '\n']) {
            at += 1;
        }
    }
    rendered.push_str(&escape_around_spans(&text[at..], *style, rendered.is_empty(), source));
    rendered
}

/// Whether the first of these marks, which stands at `from` in the text, is a line break that would make an empty line: after what is
/// rendered so far, or before the next break or the end. In subtitles such a line ends the cue, so what comes after it would be in none.
fn is_empty_line(rendered: &str, text: &str, from: usize, marks: &[Mark]) -> bool {
    let Some((mark, after)) = marks.split_first() else { return false };
    if mark.kind != MarkKind::Break || !mark.markup.trim().is_empty() {
        return false;
    }
    let before = rendered.trim_end_matches([' ', '\t']);
    let next = after.first();
    let until = next.map_or(text.len(), |next| next.at.max(from));
    let is_last = next.is_none_or(|next| next.kind == MarkKind::Break) && text[from..until].trim().is_empty();
    is_last || before.is_empty() || before.ends_with(['\n', '\r'])
}

/// Leaves out the text of a link to a page, such as `[[page|page]`, that is the page's name.
fn drop_own_name(rendered: &mut String) {
    let start = rendered.rfind("[[").map_or(0, |at| at + 2);
    let own = rendered[start..].split_once('|').filter(|(name, said)| name.trim_end_matches('\\') == *said);
    if let Some((_, said)) = own {
        let end = start + said.len();
        rendered.truncate(end);
    }
}

/// Whether the text of a link, which `rendered` ends in, is the label that its end names.
fn is_own_label(mark: &Mark, rendered: &str, after: &str) -> bool {
    let label = mark.markup.strip_prefix("][").and_then(|end| end.strip_suffix(']'));
    let said = rendered.rsplit_once('[').map(|(_, said)| said.to_lowercase());
    let is_close = mark.kind == MarkKind::Close && !after.starts_with(['(', '[', ':', '{']);
    is_close && label.is_some_and(|label| said.as_deref() == Some(label.to_lowercase().as_str()))
}
