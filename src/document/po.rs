//! Messages of programs for translation (`.po`, GNU gettext).
//!
//! A message without a translation is a block, which stands where its translation goes: plural forms get that of the plural.
//! Invariant: everything else is in the gaps: comments, flags, contexts, messages that have a translation or are obsolete, so all of
//! it keeps its bytes. A translation has the line breaks and tabulators of its message, and its tags of HTML. One whose placeholders
//! are not those of its message makes it `fuzzy`, which no program reads until somebody has looked at it.

pub(super) mod doubts;

use std::ops::Range;

use anyhow::{Result, bail, ensure};

use super::envelope::Envelope;
use super::markup::{Inline, Style};
use super::tags::TagReader;
use super::{Block, BlockKind, Document, Format, ReadOptions};
use crate::error::WithHint;

/// A message while it is read.
#[derive(Default)]
struct Message {
    /// The message and its plural.
    texts: [String; 2],
    /// The ranges of its translations between quotation marks, and whether each is a plural form.
    targets: Vec<(Range<usize>, bool)>,
    /// The field to which a line with only a text belongs.
    open: PoField,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum PoField {
    #[default]
    None,
    Context,
    Text(usize),
    Target,
}

/// Reads messages.
pub(super) fn read(input: &str, text: &str, options: &ReadOptions) -> Result<Document> {
    let mut blocks = Vec::new();
    let mut message = Message::default();
    let (mut start, mut count) = (0, 0);
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let written = line.trim_start_matches('\u{feff}').trim();
        let at = start + line.find(written).unwrap_or(0);
        start += line.len();
        if written.is_empty() || written.starts_with('#') {
            continue;
        }
        let wrong = || {
            format!("line {}: `{written}` is no line of such a file", number + 1)
                .with_hint("a message is `msgid \"…\"` and `msgstr \"…\"`")
        };
        let Some((word, quoted)) = written.find('"').map(|at| written.split_at(at)) else { bail!(wrong()) };
        ensure!(quoted.len() > 1 && quoted.ends_with('"'), wrong());
        let inside = at + word.len() + 1..at + written.len() - 1;
        let word = word.trim();
        if matches!(word, "msgctxt" | "msgid") && message.open == PoField::Target {
            blocks.extend(std::mem::take(&mut message).blocks(text, options.overwrite));
        }
        count += usize::from(word == "msgid");
        message.open = match word {
            "" => message.open,
            "msgctxt" => PoField::Context,
            "msgid" => PoField::Text(0),
            "msgid_plural" => PoField::Text(1),
            _ if word == "msgstr" || word.starts_with("msgstr[") => {
                message.targets.push((inside.start..inside.start, word.starts_with("msgstr[") && word != "msgstr[0]"));
                PoField::Target
            }
            _ => bail!(wrong()),
        };
        match (message.open, message.targets.last_mut()) {
            (PoField::None, _) => bail!(wrong()),
            (PoField::Text(which), _) => message.texts[which].push_str(&Envelope::Po.unwrap(&text[inside]).text),
            (PoField::Target, Some((target, _))) if inside.end > inside.start => target.end = inside.end,
            _ => {}
        }
    }
    blocks.extend(message.blocks(text, options.overwrite));
    ensure!(
        count > 0 || text.trim().is_empty(),
        "there is no message in it".with_hint("a message is `msgid \"…\"` and `msgstr \"…\"`")
    );
    Ok(Document::assemble(input, text, Format::Po, blocks))
}

impl Message {
    /// A block for each translation that is missing, or for each if all are to be new. The one without a message is the file's head.
    fn blocks(self, file: &str, overwrite: bool) -> Vec<(Range<usize>, Block)> {
        let [text, plural] = &self.texts;
        let found = |(place, is_plural): (Range<usize>, bool)| {
            let text = if is_plural { plural } else { text };
            let says = text.contains(char::is_alphabetic) && (place.is_empty() || overwrite);
            says.then(|| block(text, &file[place.clone()])).flatten().map(|block| (place, block))
        };
        self.targets.into_iter().filter_map(found).collect()
    }
}

/// The block of a message whose translation is `written` so far; `None` if there is no text among its tags.
fn block(message: &str, written: &str) -> Option<Block> {
    let said = message.trim();
    let start = message.len() - message.trim_start().len();
    let mut inline = Inline::default();
    TagReader::new(&said.to_ascii_lowercase(), str::to_owned).add(said, &mut inline);
    if !inline.has_text() {
        return None;
    }
    let space = [message[..start].to_owned(), inline.take_end_space() + &message[start + said.len()..]];
    let block = inline.finish(BlockKind::Message, written, Style::Plain);
    let space = space.map(|space| Envelope::Po.wrap(space, Style::Plain));
    let markup = block.markup.map(|markup| Box::new(markup.enveloped(written, Envelope::Po).tagged(space)));
    Some(Block { markup, ..block })
}

/// The change that makes the head of a file name the encoding in which it is written, if it names another one and has letters of which
/// that matters.
pub(super) fn in_utf8(text: &str) -> Option<(Range<usize>, String)> {
    const NAME: &str = "charset=";
    let start = text.find("\"Content-Type:")?;
    let line = text[start..].lines().next()?;
    let at = start + line.find(NAME)? + NAME.len();
    let length = text[at..].find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_'))?;
    let named = text[at..at + length].to_ascii_uppercase();
    let is_other = !matches!(&*named, "UTF-8" | "UTF8") && !text.is_ascii();
    is_other.then(|| (at..at + length, "UTF-8".to_owned()))
}
