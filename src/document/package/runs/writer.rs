//! Writes text and marks as runs.
//!
//! Invariant: every run ends before the next mark, and the run that is open at the end of a block is the one that was open at its
//! end in the source.

use crate::document::markup::MarkKind;

/// The markup of a paragraph's runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::document) struct Runs {
    /// The markup that begins a run of the paragraph's own format, and the one that ends it.
    pub(super) own: String,
    pub(super) end: String,
    /// The tags around a run's text.
    pub(super) words: (String, String),
    /// The runs that are open at the begin and at the end of the block.
    pub(super) around: [Option<String>; 2],
    /// Whether the text of these runs is open as well.
    pub(super) in_words: [bool; 2],
}

impl Runs {
    /// Text and marks as runs.
    pub(in crate::document) fn render(&self, pieces: &[RunPiece]) -> String {
        let mut writer = RunWriter { runs: self, rendered: String::new(), open: self.around[0].as_deref() };
        let mut formats: Vec<&str> = Vec::new();
        for piece in pieces {
            match piece {
                RunPiece::Words(text) => writer.words(text, formats.last().copied().unwrap_or(&self.own)),
                RunPiece::Mark(MarkKind::Open, markup) if self.is_run(markup) => formats.push(markup),
                RunPiece::Mark(MarkKind::Close, markup) if *markup == self.end => drop(formats.pop()),
                RunPiece::Mark(_, markup) => {
                    // A space that a mark took along belongs to the text.
                    let bare = markup.trim_matches(' ');
                    let format = formats.last().copied().unwrap_or(&self.own);
                    writer.words(&markup[..markup.len() - markup.trim_start_matches(' ').len()], format);
                    if !bare.is_empty() {
                        writer.to(None);
                        writer.rendered.push_str(bare);
                        writer.words(&markup[markup.trim_end_matches(' ').len()..], format);
                    }
                }
            }
        }
        writer.to(self.around[1].as_deref());
        self.in_open_words(writer.rendered)
    }

    /// Runs that go on with the text that is open before them, and leave text open for what comes after.
    fn in_open_words(&self, mut rendered: String) -> String {
        let (tag, end) = &self.words;
        if self.in_words[0] {
            let rest = rendered.strip_prefix(tag.as_str()).map(str::to_owned);
            rendered = rest.unwrap_or_else(|| format!("{end}{rendered}"));
        }
        if self.in_words[1] {
            match rendered.strip_suffix(end.as_str()).map(str::len) {
                Some(length) => rendered.truncate(length),
                None => rendered.push_str(tag),
            }
        }
        rendered
    }

    /// Two texts as runs of the same paragraph, with a line break between them. Fields that stand before and after both texts show
    /// `beside`: that goes into the line that the field is not in.
    pub(in crate::document) fn parted(&self, first: &str, beside: &[String; 2], second: &str) -> String {
        let Self { own, end, around: [before, after], .. } = self;
        let prefix = end.trim_start_matches("</").trim_end_matches("r>");
        let (own, open) = (if after.is_some() { "" } else { own }, before.as_deref().unwrap_or_default());
        let (tag, words_end) = &self.words;
        let said = |text: &String| if text.is_empty() { String::new() } else { format!("{tag}{text}{words_end}") };
        let [lead, trail] = beside.each_ref().map(said);
        format!("{first}{own}{trail}<{prefix}br/>{lead}{end}{open}{second}")
    }

    /// What a field shows, such as the number of a page, as a run of the paragraph's own format; `None` for other marks, and for a
    /// field that shows nothing.
    pub(in crate::document) fn shown(&self, field: &str) -> Option<String> {
        let (tag, end) = &self.words;
        let said = shown(field, end)?;
        Some(format!("{}{tag}{said}{end}{}", self.own, self.end))
    }

    /// Whether a mark begins a run, and is not a whole run, such as the code of a field.
    pub(in crate::document) fn is_run(&self, markup: &str) -> bool {
        let name = self.end.trim_start_matches("</").trim_end_matches('>');
        let rest = markup.strip_prefix('<').and_then(|markup| markup.strip_prefix(name));
        let begins = rest.is_some_and(|rest| rest.starts_with(|c: char| c == '>' || c.is_whitespace()));
        begins && !markup.contains(&self.end)
    }
}

/// What a field shows, as it is written in XML; `end` is the tag that ends the text of a run. `None` for other markup, and for a
/// field that shows nothing.
pub(super) fn shown(field: &str, end: &str) -> Option<String> {
    let begin = end.replace("</", "<").replace('>', "");
    let text = |rest: &str| {
        let (attributes, rest) = rest.split_once('>')?;
        let is_text = !attributes.ends_with('/') && (attributes.is_empty() || attributes.starts_with(' '));
        is_text.then(|| rest.split(end).next().unwrap_or_default().to_owned())
    };
    let said: String = field.split(&begin).skip(1).filter_map(text).collect();
    let is_field = field.contains("fldChar") || field.contains("fldSimple");
    (is_field && !said.trim().is_empty()).then_some(said)
}

/// Text or a mark, in the order in which they stand in a block.
pub(in crate::document) enum RunPiece<'p> {
    /// Text, as it is written in XML.
    Words(String),
    /// A mark and what it does.
    Mark(MarkKind, &'p str),
}

/// Writes runs one after another.
struct RunWriter<'r> {
    runs: &'r Runs,
    rendered: String,
    /// The beginning of the run that is open.
    open: Option<&'r str>,
}

impl<'r> RunWriter<'r> {
    /// Text in a run of this format. A run of a slide or a cell has one element of text, so text that follows text goes into the
    /// same element.
    fn words(&mut self, text: &str, format: &'r str) {
        if !text.is_empty() {
            self.to(Some(format));
            let (tag, end) = &self.runs.words;
            if let Some(before) = self.rendered.strip_suffix(end.as_str()).map(str::len) {
                self.rendered.truncate(before);
            } else {
                self.rendered.push_str(tag);
            }
            self.rendered.extend([text, end]);
        }
    }

    /// Makes `run` the open run: ends any other one, and begins this one.
    fn to(&mut self, run: Option<&'r str>) {
        if self.open != run {
            self.rendered.push_str(self.open.map_or("", |_| self.runs.end.as_str()));
            self.rendered.push_str(run.unwrap_or_default());
            self.open = run;
        }
    }
}
