//! Web pages.

use kortom::document::{Document, Format};

use super::{Capitals, only_words_change, sources, translate};

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

/// Everything in which a reader of pages could be lost.
const NASTY: [&str; 12] = [
    "\u{feff}<!doctype HTML>\r\n<HTML LANG=nl>\r\n<BODY BGCOLOR=#FFF><P ALIGN=left>Tekst een\r\n<P>Tekst twee</BODY>",
    "<p>Een<!-- niet --> <b>twee</b><!-- <p>ook niet</p> --> drie.</p><!--> <p>Wel.</p><!-- nooit gesloten <p>x</p>",
    "<!--[if IE]><p>oud</p><![endif]--><p>Nieuw.</p><?xml version='1.0'?><![CDATA[ x ]]><p>Meer.</p>",
    "<table><tr><td>een<td>twee<table><tr><th>drie</th></tr></table></td><tr><td></td><td> </td></table>",
    "<p title='a > b' data-x=\"c > d\" hidden>Tekst <a href=x>link</a>, meer.</p>",
    "<script>var a = '</p><p>niet</p>'; // <!-- </script><style>p > a { }</style><p>Wel.</p>",
    "<textarea><p>niet</p></textarea><pre>\n  niet\n\tniet\n</pre><p>Gebruik <code>niet < niet</code>.</p>",
    "<svg><title>niet</title><![CDATA[ <p>niet</p> ]]></svg><math><mi>x</mi></math><p>Wel.</p>",
    "<ul><li>een<ul><li>twee<li>drie</ul><li>vier</ul><dl><dt>vijf<dd>zes</dl>",
    "<p>Een <i>twee <b>drie</i> vier</b> vijf.</p><p>Zes</div></span> zeven.</p>",
    "<p translate=no>niet <b>niet</b></p><p>Wel <span translate=\"no\">niet</span>.</p><p class=notranslate-x>Ook.</p>",
    "<p>Een</p\n><p\n>twee</p><br/><hr><img src='data:image/png;base64,AAAA=='>drie vier<wbr>",
];

#[test]
fn whatever_a_page_holds_comes_back_as_it_was() {
    only_words_change(&NASTY, Format::HtmlWhole, &['<', '>', '\n', '\r', '\t']);
    for text in NASTY {
        let article = Document::parse("-", text, Format::Html);
        assert_eq!(article.text(), text);
    }
}

#[test]
fn scripts_comments_and_code_are_not_for_the_model() {
    for text in NASTY {
        let translation = translate(&Capitals, text, Format::HtmlWhole);
        for source in sources(&translation) {
            assert!(!source.contains("niet"), "{source:?} of {text:?}");
        }
        let page = translation.document.text();
        assert_eq!(page.matches("niet").count(), text.matches("niet").count(), "{page}");
    }
}

#[test]
fn entities_are_read_and_written() {
    let text =
        "<p>Caf&eacute; &amp; bar &lt;open&gt;&nbsp;om 8&#8239;uur &#x2019;s avonds, &copy en &onbekend; 1 < 2.</p>";
    let translation = translate(&Capitals, text, Format::HtmlWhole);
    assert_eq!(sources(&translation), ["Café & bar <open>\u{a0}om 8\u{202f}uur ’s avonds, © en &onbekend; 1 < 2."]);
    let expected = "<p>CAFÉ &amp; BAR &lt;OPEN&gt;\u{a0}OM 8\u{202f}UUR ’S AVONDS, © EN &amp;ONBEKEND; 1 &lt; 2.</p>";
    assert_eq!(translation.document.text(), expected);
}
