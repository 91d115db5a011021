//! A translated document with each paragraph of its source above the translation, and a line break between them.
//!
//! Invariant: of a source paragraph the text, its formats and what fields show are copied, but no field, no note, no picture and no
//! element with an id. So every id is in the document once. Paragraphs stay in their lists and tables.

use super::{Mark, MarkKind, Markup, escape, pieces, render};
use crate::document::{Block, BlockKind, Document, Format};
use crate::language::Code;

/// Elements of pages and books that are formats of a text.
const FORMATS: [&str; 16] =
    ["b", "big", "cite", "dfn", "em", "font", "i", "mark", "q", "s", "small", "span", "strong", "sub", "sup", "u"];

/// Elements of pages with code, which is the same in both lines.
const CODE: [&str; 4] = ["code", "kbd", "samp", "var"];
/// What an element has that is no text, or that leads to something: it is in the document once.
const ONCE: [&str; 7] = ["<a ", "<img", "<svg", "<math", "<audio", "<video", "<object"];

impl Document {
    /// The document with paragraphs of its source above its own; `language` is that of the source, as a code.
    #[must_use]
    pub fn bilingual(mut self, source: &Self, language: &str) -> Self {
        let language = Code::parse(language).tag();
        for (block, original) in self.blocks.iter_mut().zip(&source.blocks) {
            let is_said_once = original.kind == BlockKind::Title || original.text == block.text;
            if original.kind.is_translated() && !is_said_once {
                beside(original, block, self.format, &language);
            }
        }
        self
    }
}

/// Puts the text of a block above that of its translation.
fn beside(original: &Block, block: &mut Block, format: Format, language: &str) {
    let (Some(theirs), Some(ours)) = (&original.markup, &mut block.markup) else { return };
    let marks = formats(theirs, format);
    let [lead, trail] = &theirs.beside;
    let both = match (&theirs.runs, format) {
        (Some(runs), _) => {
            let copy = runs.render(&pieces(&original.text, &marks, theirs.style));
            runs.parted(&copy, &theirs.beside, &ours.source)
        }
        (None, Format::Odt) => {
            let copy = render(&original.text, &marks, theirs);
            format!("{copy}{trail}<text:line-break/>{lead}{}", ours.source)
        }
        (None, _) => {
            let language = escape(language, theirs.style, false);
            let named = if format == Format::Epub { format!(" xml:lang=\"{language}\"") } else { String::new() };
            let copy = render(&original.text, &marks, theirs);
            let (before, rest) = ours.source.split_at(if format == Format::Epub { link_tag(&ours.source) } else { 0 });
            format!("{before}<span lang=\"{language}\"{named}>{copy}</span><br/>{rest}")
        }
    };
    ours.source = both;
}

/// The length of the opening tag of a link around the whole of `source`; 0 without one. An entry in the table of contents of a
/// book must be one link, so its source goes into the link.
fn link_tag(source: &str) -> usize {
    let tag = source.find('>').map_or("", |end| &source[..=end]);
    let name = tag.trim_start_matches('<').split([' ', '\t', '\r', '\n', '>']).next().unwrap_or_default();
    let end = format!("</{name}>");
    let is_link = name.rsplit(':').next() == Some("a") && tag.matches('"').count().is_multiple_of(2);
    if is_link && source.ends_with(&end) && source.matches(&end).count() == 1 { tag.len() } else { 0 }
}

/// The marks of a block that are formats of its text.
fn formats(markup: &Markup, format: Format) -> Vec<Mark> {
    let mut open: Vec<Option<usize>> = Vec::new();
    let mut kept = vec![false; markup.marks.len()];
    for (at, mark) in markup.marks.iter().enumerate() {
        match mark.kind {
            MarkKind::Open => open.push(is_format(markup, mark, format).then_some(at)),
            MarkKind::Close => {
                if let Some(Some(start)) = open.pop() {
                    (kept[start], kept[at]) = (true, true);
                }
            }
            // A space before the text parts it from a field or a picture in front of the block.
            MarkKind::Single => {
                kept[at] = mark.markup.trim_matches(' ').is_empty() || shown(markup, mark, format).is_some();
            }
            _ => {}
        }
    }
    let kept = markup.marks.iter().zip(kept).filter(|(_, kept)| *kept);
    kept.map(|(mark, _)| shown(markup, mark, format).unwrap_or_else(|| mark.clone())).collect()
}

/// The mark of a field with what it shows in place of the field, which is in the document once, or the mark of words in a page that stay;
/// `None` for other marks.
fn shown(markup: &Markup, mark: &Mark, format: Format) -> Option<Mark> {
    if mark.kind != MarkKind::Single {
        return None;
    }
    let field = mark.markup.trim_matches(' ');
    let shown = match (&markup.runs, format) {
        (Some(runs), _) => runs.shown(field)?,
        (None, Format::Odt) => text_of(field)?.to_owned(),
        (None, _) => words(field)?.to_owned(),
    };
    Some(Mark { markup: mark.markup.replace(field, &shown), ..mark.clone() })
}

/// The content of an element of Writer that has nothing but text, as a field has.
fn text_of(element: &str) -> Option<&str> {
    let (tag, rest) = element.strip_prefix("<text:")?.split_once('>')?;
    let (said, end) = rest.split_once('<')?;
    let is_whole = end.starts_with("/text:") && end.find('>') == Some(end.len() - 1);
    (is_whole && !tag.ends_with('/')).then_some(said)
}

/// Code in a page, or words in it that are not translated, unless they have an id, a picture or a link in them.
fn words(element: &str) -> Option<&str> {
    let name = element.strip_prefix('<')?.split(|c: char| !c.is_ascii_alphanumeric()).next()?;
    let name = name.to_ascii_lowercase();
    let is_known = CODE.contains(&&*name) || FORMATS.contains(&&*name);
    let lower = element.to_ascii_lowercase();
    let says = element.split(['<', '>']).skip(2).step_by(2).any(|said| said.contains(char::is_alphanumeric));
    (is_known && says && !has_id(element) && !ONCE.iter().any(|tag| lower.contains(tag))).then_some(element)
}

/// Whether there is an element with an id in this markup.
fn has_id(markup: &str) -> bool {
    let markup = markup.to_ascii_lowercase();
    [" id", ":id", "\nid", "\tid", " name"].iter().any(|name| markup.contains(&format!("{name}=")))
}

/// Whether a mark only begins a format.
fn is_format(markup: &Markup, mark: &Mark, format: Format) -> bool {
    if let Some(runs) = &markup.runs {
        return runs.is_run(&mark.markup);
    }
    let tag = mark.markup.trim_start_matches('<');
    let name = &tag[..tag.find(|c: char| c.is_whitespace() || matches!(c, '>' | '/')).unwrap_or(tag.len())];
    let is_known = match format {
        Format::Odt => name.ends_with(":span"),
        _ => FORMATS.contains(&name.rsplit(':').next().unwrap_or_default().to_ascii_lowercase().as_str()),
    };
    is_known && !has_id(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_link_around_all_of_a_block_counts() {
        for (source, tag) in [
            ("<a href=\"1.xhtml\">Een</a>", "<a href=\"1.xhtml\">"),
            ("<h:a\n href='1'><b>Een</b></h:a>", "<h:a\n href='1'>"),
            ("<a href=\"1\">Een</a> en <a href=\"2\">twee</a>", ""),
            ("Zie <a href=\"1\">een</a>", ""),
            ("<a href=\"1\">Een</a>.", ""),
            ("<abbr>a</abbr>", ""),
            ("<a title=\"a>b\">Een</a>", ""),
            ("Een", ""),
            ("", ""),
        ] {
            assert_eq!(&source[..link_tag(source)], tag, "{source}");
        }
    }
}
