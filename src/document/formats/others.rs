//! Formats that are known and not read: what to do with a file in one of them.

use std::path::Path;

use super::Format;
use crate::error::{Error, WithHint};

/// A kind of files that no format here reads.
struct OtherFormat {
    extensions: &'static [&'static str],
    title: &'static str,
    remedy: &'static str,
    /// The formats in which such a file may be.
    formats: &'static [Format],
}

/// The kinds of files that people have instead of those that are read.
const OTHERS: &[OtherFormat] = &[
    OtherFormat {
        extensions: &["rtf", "doc", "dot", "wpd", "wps", "pages"],
        title: "a document that is not read here",
        remedy: "save it as DOCX, for instance with `soffice --convert-to docx FILE`",
        formats: &[],
    },
    OtherFormat {
        extensions: &["fodt", "sxw"],
        title: "a text of OpenDocument in one file of XML, or in an old edition",
        remedy: "save it as ODT, for instance with `soffice --convert-to odt FILE`",
        formats: &[],
    },
    OtherFormat {
        extensions: &["ppt", "pps", "key", "fodp"],
        title: "a presentation that is not read here",
        remedy: "save it as PPTX or ODP, for instance with `soffice --convert-to pptx FILE`",
        formats: &[],
    },
    OtherFormat {
        extensions: &["xls", "xlsb", "numbers", "fods"],
        title: "a workbook that is not read here",
        remedy: "save it as XLSX or ODS, for instance with `soffice --convert-to xlsx FILE`",
        formats: &[],
    },
    OtherFormat {
        extensions: &["mobi", "azw", "azw3", "fb2"],
        title: "a book that is not read here",
        remedy: "convert it to EPUB, for instance with `ebook-convert FILE BOOK.epub`",
        formats: &[],
    },
    OtherFormat {
        extensions: &["sdlxliff", "mxliff", "mqxliff", "txlf"],
        title: "XLIFF as one program writes it",
        remedy: "`--input-format xliff` reads it",
        formats: &[Format::Xliff],
    },
    OtherFormat {
        extensions: &["ttml", "dfxp", "sbv", "sub", "lrc", "smi", "stl"],
        title: "subtitles that are not read here",
        remedy: "convert them to SRT, for instance with `ffmpeg -i FILE subtitles.srt`",
        formats: &[],
    },
    OtherFormat {
        extensions: &["rst", "tex", "latex", "typ", "org", "textile", "mediawiki", "dbk", "docbook", "opml", "ipynb"],
        title: "a text with markup that is not read here",
        remedy: "convert it to Markdown, for instance with `pandoc FILE -o TEXT.md`",
        formats: &[],
    },
    OtherFormat {
        extensions: &["adoc", "asciidoc"],
        title: "a text with markup that is not read here",
        remedy: "make a web page of it, for instance with `asciidoctor FILE`",
        formats: &[],
    },
    OtherFormat {
        extensions: &["mdx", "qmd", "rmd"],
        title: "Markdown with the code of a program in it",
        remedy: "with `--input-format markdown` it is read as Markdown, and code outside of code blocks as text",
        formats: &[Format::Markdown],
    },
    OtherFormat {
        extensions: &["tmx", "tbx"],
        title: "a memory or a list of words, and no text",
        remedy: "`kortom memory import` takes a memory (TMX)",
        formats: &[],
    },
    OtherFormat {
        extensions: &[
            "ts",
            "resx",
            "resw",
            "properties",
            "strings",
            "stringsdict",
            "yaml",
            "yml",
            "toml",
            "ini",
            "arb",
        ],
        title: "a file of a program",
        remedy: "texts of programs are read in PO and XLIFF: convert it, for instance with a tool of the Translate Toolkit (`prop2po`, `resx2po`, `ts2po`, `yaml2po`)",
        formats: &[],
    },
    OtherFormat {
        extensions: &["php", "asp", "aspx", "jsp", "erb", "ejs", "vue", "svelte", "jsx", "tsx", "js", "css", "py"],
        title: "the source of a program",
        remedy: "translate the page that it makes, or its texts in PO or XLIFF",
        formats: &[],
    },
    OtherFormat {
        extensions: &["eml", "mbox", "msg", "mht", "mhtml"],
        title: "a mail or an archive of mails or pages",
        remedy: "save its text, or its page as HTML",
        formats: &[],
    },
    OtherFormat {
        extensions: &["svg", "ai", "eps"],
        title: "a drawing",
        remedy: "take its text out first",
        formats: &[],
    },
    OtherFormat {
        extensions: &["xml", "rdf"],
        title: "XML, and the name does not say of which kind",
        remedy: "name a feed with `--input-format rss`, texts for translation with `--input-format xliff`, a web page with `--input-format html`",
        formats: &[Format::Rss, Format::Xliff, Format::Html, Format::HtmlWhole],
    },
    OtherFormat {
        extensions: &["json", "geojson"],
        title: "JSON, and the name does not say of which kind",
        remedy: "name a feed with `--input-format rss`; records with an object in each line are read with `--input-format jsonl`",
        formats: &[Format::Rss, Format::Jsonl],
    },
];

/// Whether a file in a folder is read if a format is named: by its extension it is in that format, or may be, or is plain text.
/// Plain text, and a format without an extension of its own, such as that of lines, is read from files of any known kind.
#[must_use]
pub fn may_be(path: &Path, format: Format) -> bool {
    match Format::known(path) {
        Some(known) => {
            known == format || [known, format].contains(&Format::Text) || format.spec().extensions.is_empty()
        }
        None => other(path).is_some_and(|(other, _)| other.formats.contains(&format)),
    }
}

/// The kind of a file that no format reads, and its extension.
fn other(path: &Path) -> Option<(&'static OtherFormat, String)> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    OTHERS.iter().find(|other| other.extensions.contains(&&*extension)).map(|other| (other, extension))
}

/// The error for a file whose extension says that it is in a format that is not read, or in one of several; `None` for any other
/// file.
#[must_use]
pub fn refusal(path: &Path) -> Option<Error> {
    let (other, extension) = other(path)?;
    let hint = format!("{}; with `--input-format text` it is read as plain text", other.remedy);
    Some(format!("`.{extension}` is {}", other.title).with_hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_not_refused() {
        for other in OTHERS {
            for extension in other.extensions {
                let path = Path::new("a").with_extension(extension.to_uppercase());
                assert!(Format::known(&path).is_none(), "{extension}");
                let told = format!("{:#}", refusal(&path).unwrap());
                assert!(told.contains(extension) && told.contains("hint: "), "{told}");
            }
        }
        assert!(
            ["a.txt", "a", "a.docm", "a.pot", "a.log", "leesmij.nl"]
                .iter()
                .all(|name| refusal(Path::new(name)).is_none())
        );
    }
}
