//! Subtitles in the formats of `SubRip` and of `WebVTT`.
//!
//! A sentence may run over several cues, so a block is as many cues as it takes to end one; numbers and
//! times between them, and line breaks inside a cue, are marks in it, and come back as far into the
//! sentence as they were. Invariant: every cue keeps its number and its times, and cues keep their order. Of `WebVTT` the head, notes,
//! styles and regions are gaps, and so are the settings of a cue and the name of who speaks.

use std::cmp::Ordering;
use std::ops::Range;

use anyhow::{Result, bail};

use super::envelope::Envelope;
use super::markup::{Inline, MarkKind, Style};
use super::{Block, BlockKind, Document, Format};
use crate::error::WithHint;
use crate::language::Code;

/// A sentence of more cues than this is divided.
pub(super) const MOST_CUES: usize = 8;

/// The first characters of a `WebVTT` file.
const HEAD: &str = "WEBVTT";

/// Where a line is, without its end and the white space around it.
type SubtitleLine = Range<usize>;

/// Cuts `text` into blocks.
pub(super) fn parse(input: &str, text: &str, format: Format) -> Document {
    let mut blocks = Vec::new();
    let mut open: Vec<SubtitleLine> = Vec::new();
    let mut cues = 0;
    for group in groups(text).into_iter().filter(|group| is_cue(text, group, format)) {
        let Some(times) = times_of(text, &group, format).filter(|_| fault(text, &group, format).is_none()) else {
            continue;
        };
        cues += 1;
        for line in &group[times + 1..] {
            // A dash begins the speech of another speaker, also in the middle of a sentence.
            if speaker(&text[line.clone()], format) > 0 {
                blocks.extend(block(text, &std::mem::take(&mut open), format));
                cues = 1;
            }
            open.push(line.clone());
        }
        let ends = open.last().is_none_or(|line| ends_sentence(&text[line.clone()]));
        if ends || cues == MOST_CUES {
            blocks.extend(block(text, &std::mem::take(&mut open), format));
            cues = 0;
        }
    }
    blocks.extend(block(text, &open, format));
    Document::assemble(input, text, format, blocks)
}

/// Makes sure that there is a time range above every cue's text.
pub(super) fn check(text: &str, document: &Document) -> Result<()> {
    let format = document.format;
    let head = text.trim_start_matches('\u{feff}');
    if format == Format::Vtt && !head.starts_with(HEAD) && !head.trim().is_empty() {
        bail!("it does not begin with `WEBVTT`".with_hint("such subtitles do; others may be in the format `srt`"));
    }
    for group in groups(text).into_iter().filter(|group| is_cue(text, group, format)) {
        if let Some(at) = fault(text, &group, format) {
            bail!(
                format!(
                    "line {}: `{}` is not where and how a subtitle's times are written",
                    text[..group[at].start].matches(line_end(text)).count() + 1,
                    &text[group[at].clone()]
                )
                .with_hint(
                    "after a blank line and a number come times such as `00:01:02,500 --> 00:01:04,000`, the \
                 second not before the first"
                )
            );
        }
    }
    Ok(())
}

/// Which line of a group has bad times, or times where none can be.
fn fault(text: &str, group: &[SubtitleLine], format: Format) -> Option<usize> {
    let times = times_of(text, group, format).unwrap_or(0);
    let bad = |at: &usize| match at.cmp(&times) {
        Ordering::Less => false,
        Ordering::Equal => !is_times(&text[group[*at].clone()], format),
        Ordering::Greater => text[group[*at].clone()].contains("-->"),
    };
    (0..group.len()).find(bad)
}

/// The lines of text between those lines that part cues. Lines of white space are in no group.
fn groups(text: &str) -> Vec<Vec<SubtitleLine>> {
    let mut groups: Vec<Vec<SubtitleLine>> = Vec::new();
    let mut parted = true;
    let mut start = 0;
    let lines: Vec<&str> = text.split_inclusive(line_end(text)).collect();
    for (index, line) in lines.iter().enumerate() {
        let said = line.trim_start_matches('\u{feff}').trim();
        let at = start + line.find(said).unwrap_or(0);
        start += line.len();
        if said.is_empty() {
            parted |= parts(line, &lines[index + 1..]);
            continue;
        }
        // A cue of `WebVTT` may begin right below the head of the file.
        let is_first = groups.len() == 1 && said.contains("-->");
        let ends_head = is_first && groups[0].first().is_some_and(|head| text[head.clone()].starts_with(HEAD));
        if std::mem::replace(&mut parted, false) || ends_head {
            groups.push(Vec::new());
        }
        if let Some(group) = groups.last_mut() {
            group.push(at..at + said.len());
        }
    }
    groups
}

/// The character with which lines end, alone or after another one.
fn line_end(text: &str) -> char {
    if text.contains('\n') { '\n' } else { '\r' }
}

/// Whether a line of white space ends a cue. Only an empty line does: a line with a space is one of the text, as in captions of
/// `YouTube`. But some files have such a line between cues, so one with times after it, or after a number, ends a cue too.
fn parts(line: &str, after: &[&str]) -> bool {
    let has_times = |line: Option<&&str>| line.is_some_and(|line| line.contains("-->"));
    let is_empty = line.trim_start_matches('\u{feff}').trim_end_matches(['\n', '\r']).is_empty();
    is_empty || has_times(after.first()) || has_times(after.get(1))
}

/// Whether a group is a cue. A note, a style or a region of `WebVTT` is none, nor is its head.
fn is_cue(text: &str, group: &[SubtitleLine], format: Format) -> bool {
    let first = &text[group[0].clone()];
    let word = first.split_whitespace().next().unwrap_or_default();
    let other = match word {
        HEAD => text[..group[0].start].trim_start_matches('\u{feff}').trim().is_empty(),
        "NOTE" | "STYLE" | "REGION" => !text[group[group.len().min(2) - 1].clone()].contains("-->"),
        _ => false,
    };
    format != Format::Vtt || !other
}

/// Which line of a group should be its times: the one after its number or name, if it has one.
fn times_of(text: &str, group: &[SubtitleLine], format: Format) -> Option<usize> {
    let first = &text[group[0].clone()];
    let numbered =
        if format == Format::Vtt { !first.contains("-->") } else { first.bytes().all(|byte| byte.is_ascii_digit()) };
    let at = usize::from(numbered);
    (at < group.len()).then_some(at)
}

/// Whether a line is two times with an arrow between them, the second not before the first.
fn is_times(line: &str, format: Format) -> bool {
    let Some((from, to)) = line.split_once("-->") else { return false };
    let to = to.split_whitespace().next().unwrap_or_default();
    matches!((time(from.trim(), format), time(to, format)), (Some(from), Some(to)) if from <= to)
}

/// A time in milliseconds. `WebVTT` leaves out hours.
fn time(text: &str, format: Format) -> Option<u64> {
    let (clock, part) = text.split_once([',', '.'])?;
    let digits = |text: &str| {
        let fits = (1..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        fits.then(|| text.parse::<u64>().ok()).flatten()
    };
    let fields: Vec<u64> = clock.split(':').map(digits).collect::<Option<_>>()?;
    match fields[..] {
        [hours, minutes, seconds] if minutes < 60 && seconds < 60 => {
            Some(((hours * 60 + minutes) * 60 + seconds) * 1000 + digits(part)?)
        }
        [minutes, seconds] if minutes < 60 && seconds < 60 && format == Format::Vtt => {
            Some((minutes * 60 + seconds) * 1000 + digits(part)?)
        }
        _ => None,
    }
}

/// The place where the head of a `WebVTT` file names another language than `language`, as `YouTube` does, and the code to put there.
pub(super) fn languages(text: &str, language: &str) -> Vec<(Range<usize>, String)> {
    let head = text.lines().take_while(|line| !line.is_empty() && !line.contains("-->"));
    let value = head.filter_map(|line| line.strip_prefix("Language:")).map(str::trim).find(|value| !value.is_empty());
    let language = Code::parse(language);
    let other = value.filter(|value| !Code::parse(value).serves(&language));
    let place = other.and_then(|value| Some((text.find("Language:")?, value)));
    place
        .and_then(|(at, value)| Some((at + text[at..].find(value)?, value.len())))
        .map_or_else(Vec::new, |(at, length)| vec![(at..at + length, language.tag())])
}

/// Whether nothing more of a sentence comes after this line.
pub(super) fn ends_sentence(line: &str) -> bool {
    let line = line.trim_end_matches(['"', '\'', '”', '’', ')', ']', ' ']);
    let line = line.strip_suffix('>').and_then(|tag| tag.rfind("</").map(|at| &tag[..at])).unwrap_or(line);
    line.trim_end_matches(['"', '\'', '”', '’', ')', ' ']).ends_with(['.', '!', '?', '…', ']', ':', '♪'])
}

/// One block of these lines, which may be of several cues.
fn block(text: &str, lines: &[SubtitleLine], format: Format) -> Option<(Range<usize>, Block)> {
    let first = lines.first()?;
    let start = first.start + speaker(&text[first.clone()], format);
    let mut inline = Inline::default();
    let mut end = start;
    for line in lines {
        let said = line.start + speaker(&text[line.clone()], format);
        if said > start {
            inline.line_end(&text[end..said]);
        }
        let spoken = &text[said..line.end];
        let spoken = if format == Format::Vtt { spoken.strip_suffix("</v>").unwrap_or(spoken) } else { spoken };
        tagged(spoken, &mut inline, format);
        end = said + spoken.len();
    }
    let style = if format == Format::Vtt { Style::Html } else { Style::Plain };
    inline.has_text().then(|| (start..end, inline.finish(BlockKind::Speech, &text[start..end], style)))
}

/// The length of what says that another speaks: a dash, or in `WebVTT` a name in a tag. 0 where nothing does.
fn speaker(line: &str, format: Format) -> usize {
    let name = line.strip_prefix("<v").filter(|rest| format == Format::Vtt && rest.starts_with([' ', '.', '\t']));
    let name = name.and_then(|rest| rest.find('>')).map_or(0, |end| "<v".len() + end + 1);
    name + dash(&line[name..])
}

/// The length of the dash with which another speaker starts, or 0.
fn dash(line: &str) -> usize {
    let after = line.strip_prefix(['-', '–', '—']);
    after.filter(|after| !after.is_empty()).map_or(0, |after| line.len() - after.trim_start().len())
}

/// Reads a line with its tags (`<i>`, `{\an8}`).
fn tagged(line: &str, inline: &mut Inline, format: Format) {
    let text = |inline: &mut Inline, text: &str| match format {
        Format::Vtt => inline.text(&Envelope::Xml.unwrap(text).text),
        _ => inline.text(text),
    };
    let mut rest = line;
    while let Some(at) = rest.find(['<', '{']) {
        let closer = if rest[at..].starts_with('<') { '>' } else { '}' };
        let tag = rest[at..].find(closer).map(|length| &rest[at..=at + length]);
        let Some(tag) = tag.filter(|tag| is_tag(tag, format)) else {
            text(inline, &rest[..=at]);
            rest = &rest[at + 1..];
            continue;
        };
        text(inline, &rest[..at]);
        let kind = match tag {
            _ if tag.starts_with("</") => MarkKind::Close,
            _ if is_moment(tag) => MarkKind::Timed,
            _ if tag.starts_with('{') => MarkKind::Single,
            _ => MarkKind::Open,
        };
        inline.mark(kind, tag);
        rest = &rest[at + tag.len()..];
    }
    text(inline, rest);
}

/// Whether a tag is a time, from which on the words after it are shown.
fn is_moment(tag: &str) -> bool {
    tag[1..].starts_with(|first: char| first.is_ascii_digit())
}

/// Whether this is a tag, and no comparison or bracket someone wrote.
fn is_tag(tag: &str, format: Format) -> bool {
    tag.starts_with("{\\")
        || (format == Format::Vtt && tag.starts_with('<') && is_moment(tag))
        || tag.trim_start_matches(['<', '/']).starts_with(|first: char| first.is_ascii_alphabetic())
}
