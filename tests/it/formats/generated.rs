//! Documents made by chance, of pieces that mean something to their format.

use kortom::document::{Document, Format};

use super::{Backwards, Capitals, translate};

/// A small generator, so that the same documents are tried each time.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }
}

const MARKDOWN_PIECES: [&str; 40] = [
    "een woord ",
    "Zin. ",
    "*",
    "**",
    "_",
    "`",
    "``",
    "[",
    "](x)",
    "![",
    "\n",
    "\n\n",
    "> ",
    "- ",
    "1. ",
    "# ",
    "    ",
    "\t",
    "\\*",
    "&amp;",
    "&",
    "<b>",
    "</b>",
    "<br>",
    "<div>",
    "</div>\n",
    "<pre>",
    "<!-- x -->",
    "| a | b |\n|---|---|\n| c | d |\n",
    "```\n",
    "~~",
    "[^1]",
    "[^1]: noot\n",
    "<https://a.nl>",
    "---\n",
    "===\n",
    "é字",
    "\u{feff}",
    "\r\n",
    "  \n",
];

const HTML_PIECES: [&str; 43] = [
    "een woord ",
    "Zin. ",
    "<p>",
    "</p>",
    "<b>",
    "</b>",
    "<a href='x>y'>",
    "</a>",
    "<br/>",
    "<li>",
    "</li>",
    "<ul>",
    "</ul>",
    "<div>",
    "</div>",
    "<script>",
    "</script>",
    "<style>a<b",
    "</style>",
    "<!--",
    "-->",
    "&amp;",
    "&eacute;",
    "&",
    "<",
    ">",
    "<code>",
    "</code>",
    "<span translate=no>",
    "</span>",
    "<td>",
    "<h1>",
    "</h1>",
    "é字",
    "\r\n",
    "\n  ",
    "<p",
    "<html lang=nl>",
    "<html lang='é' xml:lang",
    "<head>",
    "<pre>",
    "<p translate=no>",
    "\u{feff}",
];

const SRT_PIECES: [&str; 16] = [
    "1\n",
    "2\r\n",
    "00:00:01,000 --> 00:00:02,000\n",
    "00:00:01,000 -> x\n",
    "een woord ",
    "Zin. ",
    "\n",
    "\n\n",
    "<i>",
    "</i>",
    "{\\an8}",
    "{",
    "<",
    "- ",
    "\u{feff}",
    "é字",
];

const ASS_PIECES: [&str; 16] = [
    "[Events]\n",
    "[events]\r\n",
    "Format: Start, Style, Text\n",
    "Dialogue: 0,0:00:01.00,0:00:02.00,A,,0,0,0,,",
    "Dialogue: 1,2,",
    "Comment: 1,2,",
    "een woord ",
    "Zin. ",
    "{\\i1}",
    "{\\p1}",
    "{",
    "}",
    "\\N",
    "\\h",
    "\n",
    "é字",
];

#[test]
fn nothing_is_lost_whatever_the_document() {
    let mut dice = Dice(3);
    for (format, pieces) in [
        (Format::Markdown, &MARKDOWN_PIECES[..]),
        (Format::HtmlWhole, &HTML_PIECES[..]),
        (Format::Html, &HTML_PIECES[..]),
        (Format::Srt, &SRT_PIECES[..]),
        (Format::Ass, &ASS_PIECES[..]),
    ] {
        let kept: &[&str] = match format {
            Format::Srt => &["<i>", "</i>", "{\\an8}", " --> "],
            Format::Ass => &["{\\i1}", "{\\p1}", "\\n"],
            _ => &["<b>", "</b>", "<br", "</a>", "<code>", "<https://a.nl>"],
        };
        let rounds = if format == Format::Html { 200 } else { 3000 };
        for _ in 0..rounds {
            let count = dice.roll(16);
            let text: String = (0..count).map(|_| pieces[dice.roll(pieces.len())]).collect();
            // Translating asserts that parsing loses nothing; all tags and times must be back after it.
            for translated in [translate(&Capitals, &text, format), translate(&Backwards, &text, format)] {
                let source = Document::parse("-", &text, format);
                let translated = translated.document.in_language(&source, "en").text().to_lowercase();
                let text = text.to_lowercase();
                for kept in kept {
                    assert_eq!(
                        translated.matches(kept).count(),
                        text.matches(kept).count(),
                        "{kept} of {text:?} in {translated:?}"
                    );
                }
            }
        }
    }
}
