//! Markdown, web pages and subtitles: nothing lost, no markup sent to a model, all of it back in place.

use anyhow::Result;
use kortom::document::{BlockKind, Document, Format};
use kortom::engine::Generation;
use kortom::segment::Language;
use kortom::translate::{Generate, Translation, Translator};

/// A model that writes in capitals.
struct Capitals;

impl Generate for Capitals {
    fn generate(&self, texts: &[&str]) -> Result<Vec<Generation>> {
        Ok(texts.iter().map(|text| Generation { text: text.to_uppercase(), ..Generation::default() }).collect())
    }

    fn count_tokens(&self, text: &str) -> Result<usize> {
        Ok(text.len())
    }

    fn window(&self) -> usize {
        10_000
    }
}

/// A model that says everything backwards, word by word.
struct Backwards;

impl Generate for Backwards {
    fn generate(&self, texts: &[&str]) -> Result<Vec<Generation>> {
        let backwards = |text: &&str| text.split(' ').rev().collect::<Vec<_>>().join(" ");
        Ok(texts.iter().map(|text| Generation { text: backwards(text), ..Generation::default() }).collect())
    }

    fn count_tokens(&self, text: &str) -> Result<usize> {
        Ok(text.len())
    }

    fn window(&self) -> usize {
        10_000
    }
}

fn translate(model: &impl Generate, text: &str, format: Format) -> Translation {
    let document = Document::parse("-", text, format);
    assert_eq!(document.text(), text, "before translation");
    let translations = Translator::new(model, Language::Dutch, Language::English).translate(&[document]);
    translations.expect("the model does not fail").remove(0)
}

fn sources(translation: &Translation) -> Vec<&str> {
    translation.segments.iter().map(|segment| segment.source.as_str()).collect()
}

const MARKDOWN: &str = r#"---
title: Brug open
tags: [brug]
---

# De brug is *open*

De nieuwe **fietsbrug** over het [kanaal bij Wierdum](https://voorbeeld.nl "Titel") kost € 3,50. Gebruik `ls -l` om
te kijken, of typ `exit`.

> Een citaat dat
> over **twee
> regels** loopt.

- Een punt
- [ ] Een taak met ~~geen~~ doel
  1. Een *sub*punt

| Naam | Waarde |
|------|:------:|
| Jan | twee \| drie |

```sh
echo "niet vertalen"
```

<div class="x">blok</div>

Tekst met een noot[^1], een ![foto](a.png) en <https://voorbeeld.nl>. Nog <b>vet</b>.
Regel met harde breuk  
en verder. 3 \* 4 &amp; meer.

[^1]: De noot zelf.
"#;

#[test]
fn markdown_keeps_its_structure() {
    let translation = translate(&Capitals, MARKDOWN, Format::Markdown);
    let expected = r#"---
title: Brug open
tags: [brug]
---

# DE BRUG IS *OPEN*

DE NIEUWE **FIETSBRUG** OVER HET [KANAAL BIJ WIERDUM](https://voorbeeld.nl "Titel") KOST € 3,50. GEBRUIK `ls -l` OM TE KIJKEN, OF TYP `exit`.

> EEN CITAAT DAT OVER **TWEE REGELS** LOOPT.

- EEN PUNT
- [ ] EEN TAAK MET ~~GEEN~~ DOEL
  1. EEN *SUBPUNT*

| NAAM | WAARDE |
|------|:------:|
| JAN | TWEE \| DRIE |

```sh
echo "niet vertalen"
```

<div class="x">blok</div>

TEKST MET EEN NOOT[^1], EEN ![foto](a.png) EN <https://voorbeeld.nl>. NOG <b>VET</b>. REGEL MET HARDE BREUK  
EN VERDER. 3 \* 4 & MEER.

[^1]: DE NOOT ZELF.
"#;
    assert_eq!(translation.document.text(), expected);
    assert_eq!(translation.document.title(), Some("DE BRUG IS OPEN"));
    let sources = sources(&translation);
    assert!(
        sources.iter().all(|source| !source.contains(['*', '`', '[', '<', '~', '#']) || *source == "3 * 4 & meer.")
    );
    assert_eq!(
        sources[1..3],
        ["De nieuwe fietsbrug over het kanaal bij Wierdum kost € 3,50.", "Gebruik om te kijken, of typ."]
    );
}

const PAGE: &str = "<!DOCTYPE html>\n<html lang=nl><head><title>De brug</title><style>p { color: red }</style>\n\
    <script>if (a < b) document.write(\"<p>geen tekst</p>\")</script></head>\r\n<body><nav><a href=/>Voorpagina</a> \
    <a href=/sport>Sport en spel</a></nav>\n<article><h1>De nieuwe brug bij Wierdum gaat open</h1>\n<p class='x'>\n  De \
    <b>nieuwe</b> brug bij <a href=\"/w?a=1&amp;b=2\">Wierdum</a> kost 4,2 miljoen euro &amp; is &lt;echt&gt; af.\n  Dat \
    meldt de gemeente, die er twee jaar aan bouwde en nu eindelijk klaar is.</p><!-- einde -->\n<ul><li>Gebruik \
    <code>a &lt; b</code> met zorg, zegt de wethouder van verkeer<li>Een tweede punt over de brug en het water \
    <br>met een breuk</ul><p translate=no>Dit blijft zoals het is, in het Nederlands.</p><figure><img src=a.jpg \
    alt=\"Foto\"><figcaption>De brug gezien vanaf de dijk, vorige week</figcaption></figure><p>De schippers zijn boos, \
    omdat de brug &rsquo;s ochtends dicht blijft.</p></article><footer>Contact en colofon</footer></body></html>\n";

#[test]
fn a_page_keeps_its_tags() {
    let translation = translate(&Capitals, PAGE, Format::HtmlWhole);
    let page = translation.document.text();
    for kept in [
        "<style>p { color: red }</style>",
        "document.write(\"<p>geen tekst</p>\")",
        "<p class='x'>\n  DE <b>NIEUWE</b> BRUG BIJ <a href=\"/w?a=1&amp;b=2\">WIERDUM</a> KOST 4,2 MILJOEN EURO &amp; IS &lt;ECHT&gt; AF. DAT",
        "<li>GEBRUIK <code>a &lt; b</code> MET ZORG,",
        "WATER \n    <br>MET EEN BREUK</ul>".replace("\n    ", "").as_str(),
        "Dit blijft zoals het is",
        "<img src=a.jpg alt=\"Foto\"><figcaption>DE BRUG",
        "BRUG ’S OCHTENDS",
        "<title>De brug</title>",
        "CONTACT EN COLOFON",
    ] {
        assert!(page.contains(kept), "{kept} in {page}");
    }
    assert!(sources(&translation).iter().all(|source| !source.contains(['>', '<']) || source.contains("<echt>")));
}

#[test]
fn only_the_article_of_a_page_is_translated() {
    let translation = translate(&Capitals, PAGE, Format::Html);
    let page = translation.document.text();
    assert!(page.contains("DE SCHIPPERS ZIJN BOOS") && page.contains("<h1>DE NIEUWE BRUG"), "{page}");
    assert!(page.contains(">Voorpagina<") && page.contains(">Contact en colofon<"), "{page}");
    assert_eq!(translation.document.title(), Some("DE NIEUWE BRUG BIJ WIERDUM GAAT OPEN"));
    let small = translate(&Capitals, "<p>Hallo <i>wereld</i>.</p>", Format::Html);
    assert_eq!(small.document.text(), "<p>HALLO <i>WERELD</i>.</p>");
}

#[test]
fn a_page_without_an_article_is_said_to_have_none() {
    let error = Document::read("-", "<html><body><nav><a href=x>Sport</a></nav></body></html>", Format::Html);
    let message = error.expect_err("there is none").to_string();
    assert!(message.contains("no article") && message.contains("--html-whole"), "{message}");
    assert!(Document::read("-", "", Format::Html).is_ok());
}

const SUBTITLES: &str = "1\r\n00:00:01,000 --> 00:00:02,500\r\nDe trein naar Zwolle\r\nvertrekt vandaag\r\n\r\n\
    2\r\n00:00:02,600 --> 00:00:04,000\r\n<i>pas om twaalf uur.</i>\r\n\r\n3\r\n00:00:05,000 --> 00:00:06,000\r\n\
    - Echt waar?\r\n- Ja, zeker.\r\n";

#[test]
fn subtitles_keep_their_times_and_a_sentence_may_run_over_cues() {
    let translation = translate(&Capitals, SUBTITLES, Format::Srt);
    let expected: String = SUBTITLES
        .lines()
        .map(|line| if line.contains('<') { line.to_uppercase().replace("I>", "i>") } else { line.to_uppercase() } + "\r\n")
        .collect::<Vec<_>>()
        .concat();
    assert_eq!(translation.document.text(), expected);
    assert_eq!(
        sources(&translation),
        ["De trein naar Zwolle vertrekt vandaag pas om twaalf uur.", "Echt waar?", "Ja, zeker."]
    );
    assert!(translation.document.blocks.iter().all(|block| block.kind == BlockKind::Speech));
}

#[test]
fn markup_can_be_left_out() {
    let bare = Document::parse("-", "# Kop\n\nEen *zin*.\n\n- een\n- twee\n", Format::Markdown).without_markup();
    assert_eq!(bare.text(), "Kop\n\nEen zin.\n\neen\ntwee\n");
    assert_eq!(Document::parse("-", "", Format::Markdown).without_markup().text(), "");
}

#[test]
fn bad_times_are_named_by_their_line() {
    assert!(Document::read("-", SUBTITLES, Format::Srt).is_ok());
    assert!(Document::read("-", "", Format::Srt).is_ok());
    for bad in ["00:00:05,000 -> 00:00:06,000", "00:00:65,000 --> 00:01:06,000", "00:00:07,000 --> 00:00:06,000", "x"] {
        let text = SUBTITLES.replace("00:00:05,000 --> 00:00:06,000", bad);
        let message = Document::read("-", &text, Format::Srt).expect_err(bad).to_string();
        assert!(message.contains("line 11") && message.contains("hint: "), "{message}");
    }
    let unparted = SUBTITLES.replace("\r\n\r\n3", "\r\n3");
    assert!(Document::read("-", &unparted, Format::Srt).expect_err("no blank line").to_string().contains("line 10"));
}

#[test]
fn markup_goes_to_the_same_words_if_they_are_there() {
    let translation =
        translate(&Backwards, "De **fietsbrug** bij [Wierdum](w) is [nu **echt** open](o).", Format::Markdown);
    assert_eq!(translation.document.text(), "open. [**echt** nu is](o) [Wierdum](w) bij **fietsbrug** De");
}

/// A small generator, so that the same documents are tried each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }
}

const MARKDOWN_PIECES: [&str; 37] = [
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

const HTML_PIECES: [&str; 38] = [
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

#[test]
fn nothing_is_lost_whatever_the_document() {
    let mut dice = Dice(3);
    for (format, pieces) in [
        (Format::Markdown, &MARKDOWN_PIECES[..]),
        (Format::HtmlWhole, &HTML_PIECES[..]),
        (Format::Html, &HTML_PIECES[..]),
        (Format::Srt, &SRT_PIECES[..]),
    ] {
        let kept: &[&str] = match format {
            Format::Srt => &["<i>", "</i>", "{\\an8}", " --> "],
            _ => &["<b>", "</b>", "<br", "</a>", "<code>", "<https://a.nl>"],
        };
        let rounds = if format == Format::Html { 200 } else { 3000 };
        for _ in 0..rounds {
            let count = dice.roll(16);
            let text: String = (0..count).map(|_| pieces[dice.roll(pieces.len())]).collect();
            // Translating asserts that parsing loses nothing; all tags and times must be back after it.
            for translated in [translate(&Capitals, &text, format), translate(&Backwards, &text, format)] {
                let (text, translated) = (text.to_lowercase(), translated.document.text().to_lowercase());
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
