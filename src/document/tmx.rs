//! Translation memories as programs exchange them (TMX 1.4): written, and read unit by unit.
//!
//! Invariant: a reader holds one unit, whatever the size of a file. A file that defines entities is refused, so they are never
//! expanded. Elements for formats inside a text are left out, and the text inside them is kept.

use std::io::BufRead;

use anyhow::{Result, bail, ensure};
use quick_xml::escape::resolve_html5_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::reader::Reader;

use super::xml;
use crate::error::{Error, Explain, WithHint};

/// The begin of a file, before the units.
pub const OPEN: &str = concat!(
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<tmx version=\"1.4\">\n<header creationtool=\"kortom\" creationtoolversion=\"",
    env!("CARGO_PKG_VERSION"),
    "\" segtype=\"sentence\" o-tmf=\"kortom\" adminlang=\"en\" srclang=\"*all*\" datatype=\"plaintext\"/>\n<body>\n"
);
/// The end of a file, after the units.
pub const CLOSE: &str = "</body>\n</tmx>\n";

/// Elements whose content is the code of a format, and not text.
const CODES: [&str; 5] = ["bpt", "ept", "it", "ph", "ut"];

/// A text of a unit, in one language.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variant {
    /// The code of the language.
    pub language: String,
    /// The text.
    pub text: String,
}

/// The units of a file, as they come.
pub struct TmxReader<R> {
    reader: Reader<R>,
    buffer: Vec<u8>,
    unit: Vec<Variant>,
    /// Number of open elements.
    depth: usize,
    /// Whether the text of a variant is being read.
    is_said: bool,
    /// Number of open elements with codes.
    codes: usize,
    /// Whether the root element has begun.
    rooted: bool,
    ended: bool,
}

impl<R: BufRead> TmxReader<R> {
    /// The units that `source` holds.
    ///
    /// # Errors
    /// When it cannot be read, or is in UTF-16.
    pub fn new(mut source: R) -> Result<Self> {
        let head = source.fill_buf()?;
        ensure!(
            !head.starts_with(b"\xff\xfe") && !head.starts_with(b"\xfe\xff"),
            "it is in UTF-16, which is not read here".with_hint("convert it first: `iconv -f UTF-16 -t UTF-8`")
        );
        let reader = Reader::from_reader(source);
        let (buffer, unit) = Default::default();
        Ok(Self { reader, buffer, unit, depth: 0, is_said: false, codes: 0, rooted: false, ended: false })
    }

    /// The next unit: its variants.
    fn unit(&mut self) -> Result<Option<Vec<Variant>>> {
        loop {
            let at = self.reader.buffer_position();
            let mut buffer = std::mem::take(&mut self.buffer);
            buffer.clear();
            let event = self.reader.read_event_into(&mut buffer).explain(|| broken(at))?;
            let (is_end, is_unit) = (matches!(event, Event::Eof), self.depth == 3);
            match event {
                Event::Start(tag) => self.start(&tag)?,
                Event::Empty(_) if self.depth == 0 => bail!(foreign()),
                Event::End(tag) => self.end(tag.local_name().as_ref()),
                Event::Text(text) if self.depth == 0 && !text.xml10_content().trim().is_empty() => bail!(foreign()),
                Event::Text(text) => self.say(&text.xml10_content()),
                Event::CData(text) => self.say(&text),
                Event::GeneralRef(reference) => self.say(&resolved(&reference)),
                Event::DocType(declared) => {
                    ensure!(
                        !declared.contains("<!ENTITY"),
                        "it defines entities, which are never expanded here".with_hint("export it without them")
                    );
                }
                Event::Eof if self.depth > 0 => {
                    bail!("it ends in the middle".with_hint("the file is damaged: export it anew"))
                }
                Event::Eof => ensure!(self.rooted, foreign()),
                _ => {}
            }
            self.buffer = buffer;
            if is_end {
                return Ok(None);
            }
            if is_unit && self.depth == 2 && !self.unit.is_empty() {
                return Ok(Some(std::mem::take(&mut self.unit)));
            }
        }
    }

    fn start(&mut self, tag: &BytesStart) -> Result<()> {
        let name = tag.local_name();
        let name: &str = name.as_ref();
        ensure!(self.depth > 0 || name == "tmx", foreign());
        self.rooted = true;
        self.depth += 1;
        if self.is_said {
            self.codes += usize::from(self.codes > 0 || CODES.contains(&name));
        } else if name == "tuv" {
            let language = xml::attribute(tag, "lang").map_or("", |range| &tag[range]).to_owned();
            self.unit.push(Variant { language, text: String::new() });
        } else if name == "seg" {
            self.is_said = true;
        }
        Ok(())
    }

    fn end(&mut self, name: &str) {
        self.depth = self.depth.saturating_sub(1);
        if self.codes > 0 {
            self.codes -= 1;
        } else if name == "seg" {
            self.is_said = false;
        }
    }

    fn say(&mut self, text: &str) {
        if self.is_said
            && self.codes == 0
            && let Some(variant) = self.unit.last_mut()
        {
            variant.text.push_str(text);
        }
    }
}

impl<R: BufRead> Iterator for TmxReader<R> {
    type Item = Result<Vec<Variant>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let unit = self.unit().transpose();
        self.ended = unit.as_ref().is_none_or(Result::is_err);
        unit
    }
}

/// The text of a reference; one to an entity that neither XML nor HTML has is kept as it is.
fn resolved(reference: &BytesRef) -> String {
    if let Ok(Some(c)) = reference.resolve_char_ref() {
        return c.to_string();
    }
    resolve_html5_entity(reference).map_or_else(|| format!("&{};", &**reference), str::to_owned)
}

fn foreign() -> Error {
    "there is no translation memory in it".with_hint("files of TMX 1.4 are read")
}

fn broken(at: u64) -> Error {
    format!("it is not well-formed at byte {at}").with_hint("the file is damaged: export it anew")
}

/// A unit of two variants as XML. `said` has its properties, each with its type.
#[must_use]
pub fn unit(said: &[(&str, String)], source: &Variant, target: &Variant) -> String {
    let properties = said.iter().map(|(kind, value)| format!("<prop type=\"{kind}\">{}</prop>", escaped(value)));
    let properties: String = properties.collect();
    let variant = |variant: &Variant| {
        format!("<tuv xml:lang=\"{}\"><seg>{}</seg></tuv>", escaped(&variant.language), escaped(&variant.text))
    };
    format!("<tu>{properties}{}{}</tu>\n", variant(source), variant(target))
}

/// Text that can stand in XML, without characters that XML cannot hold.
fn escaped(text: &str) -> String {
    let held = |c: &char| !c.is_control() || matches!(c, '\t' | '\n' | '\r');
    let text: String = text.chars().filter(held).collect();
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Vec<Variant>>> {
        TmxReader::new(text.as_bytes())?.collect()
    }

    fn variant(language: &str, text: &str) -> Variant {
        Variant { language: language.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn what_is_written_is_read() {
        let (source, target) = (variant("nl", "1 < 2 & \"drie\""), variant("en", "1 < 2 & \"three\""));
        let page = format!("{OPEN}{}{CLOSE}", unit(&[("x-similarity", "93".to_owned())], &source, &target));
        assert_eq!(read(&page).unwrap(), [[source, target]]);
    }

    #[test]
    fn codes_are_left_out_and_formatted_text_is_kept() {
        let page = "<!DOCTYPE tmx SYSTEM \"tmx14.dtd\"><tmx version=\"1.4\"><header/><body><tu srclang=\"nl-NL\"><note>nee</note>\
                    <tuv xml:lang=\"nl-NL\"><prop type=\"x\">nee</prop><seg>Een <bpt i=\"1\">&lt;b&gt;<sub>nee</sub></bpt><hi>vette\
                    </hi><ept i=\"1\"/> kat &amp; &#233;&#xe9;n <![CDATA[<hond>]]>&geen;.</seg></tuv><tuv lang=\"de\"><seg/></tuv></tu>\
                    <tu/></body></tmx>";
        let expected = [[variant("nl-NL", "Een vette kat & één <hond>&geen;."), variant("de", "")]];
        assert_eq!(read(page).unwrap(), expected);
    }

    #[test]
    fn what_is_no_translation_memory_is_refused() {
        for (page, said) in [
            ("<!DOCTYPE tmx [<!ENTITY a \"b\">]><tmx><body/></tmx>", "it defines entities"),
            ("<html><body></body></html>", "no translation memory"),
            ("<tmx><body><tu><tuv xml:lang=\"nl\"><seg>Een", "ends in the middle"),
            ("<tmx><body></tu></body></tmx>", "not well-formed at byte"),
        ] {
            let error = format!("{:#}", read(page).unwrap_err());
            assert!(error.contains(said), "{page}: {error}");
        }
    }
}
