//! Web pages.

use kortom::document::{Document, Format};
use kortom::segment::Language;
use kortom::translate::Translator;

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
        "<title>DE BRUG</title>",
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
fn the_shortest_parts_of_an_article_are_translated_whatever_stands_before_them() {
    let page = "<body><nav><a href=/>Dat is alles.</a></nav><article><h1>De brug is dicht</h1><p>De brug over het kanaal is \
        maandag dicht, zegt de gemeente in een bericht aan de inwoners.</p><pre>niet</pre><p>Dat is alles.</p><p>De gemeente \
        vervangt dan het wegdek, dat al jaren slecht is volgens de wethouder.</p><p translate=no>niet</p><p>Kort.</p><ul>\
        <li>Een</li><li>Twee</li></ul><svg><title>niet</title></svg><p>Dat is alles.</p><p>Fietsers kunnen met een pont naar \
        de overkant, die elk kwartier vaart van zeven tot zeven.</p><h2>Auto's</h2><p>Niet.</p><blockquote>Dat is <code>niet\
        </code>.</blockquote></article><footer>Dat is alles.</footer></body>";
    let translation = translate(&Capitals, page, Format::Html);
    let asked = sources(&translation);
    let short: Vec<&str> = asked.into_iter().filter(|source| source.len() < 25).collect();
    let expected =
        ["De brug is dicht", "Dat is alles.", "Kort.", "Een", "Twee", "Dat is alles.", "Auto's", "Niet.", "Dat is."];
    assert_eq!(short, expected);
    let whole = translation.document.text();
    assert!(whole.contains("<a href=/>Dat is alles.</a>") && whole.contains("<footer>Dat is alles.<"), "{whole}");
    // Fonts of icons use characters like those that say which blocks are left.
    let icons = page.replace("Dat is alles.<", "Dat is \u{100000} \u{100002} alles.<");
    assert_eq!(sources(&translate(&Capitals, &icons, Format::Html)).len(), translation.segments.len());
}

/// A page in English, with what it says of itself.
fn english(text: &str, format: Format) -> String {
    translate(&Capitals, text, format).document.in_language(&Document::parse("-", text, format), "en").text()
}

#[test]
fn a_page_says_that_it_is_in_another_language() {
    let page = english(PAGE, Format::Html);
    let start = "<!DOCTYPE html>\n<html lang=en><head><title>De brug</title><style>";
    assert!(page.starts_with(start) && page.contains(">Voorpagina<"), "{page}");
    for (title, expected) in [
        ("Een &amp; twee", "EEN &amp; TWEE"),
        ("\n Een &amp; twee\n  - De Krant \n", "\n EEN &amp; TWEE - De Krant \n"),
        ("Nieuws | Een &#38; twee | De Krant &gt; 1", "Nieuws | EEN &amp; TWEE | De Krant &gt; 1"),
        ("Een &amp; tweede", "Een &amp; tweede"),
        ("Meer over Een &amp; twee", "Meer over Een &amp; twee"),
        ("Drie | Drie vier", "Drie | DRIE VIER"),
        ("<h2>Iets anders", "<h2>Iets anders"),
        ("", ""),
    ] {
        let page = |language: &str, title: &str, words: [&str; 4]| {
            let [heading, text, other, more] = words;
            format!(
                "<html class=a xml:lang = '{language}' lang=\"{language}\"><head><meta charset=utf-8><title>{title}</title>\
                 <body><article><h1>{heading}</h1><p lang=nl>{text}</p><h2>{other}</h2><p>{more}</p></article></body></html>"
            )
        };
        let dutch = page("nl-NL", title, ["Een &amp; twee", "Dat is een zin.", "Drie vier", "Dat is er nog een."]);
        let expected = page("en", expected, ["EEN &amp; TWEE", "DAT IS EEN ZIN.", "DRIE VIER", "DAT IS ER NOG EEN."]);
        let expected = expected.replace("<p lang=nl>", "<p lang=en>");
        assert_eq!(english(&dutch, Format::Html), expected);
    }
    let whole = english("<html lang=nl><title>Een | Twee</title><h1>Een</h1>", Format::HtmlWhole);
    assert_eq!(whole, "<html lang=en><title>EEN | TWEE</title><h1>EEN</h1>");
    let marked =
        english("\u{feff}<HTML LANG=nl>\r\n<TITLE>Één</TITLE><h1>Één</h1><p>Dat is een zin.</p>", Format::Html);
    assert!(marked.starts_with("\u{feff}<HTML LANG=en>\r\n<TITLE>ÉÉN</TITLE><h1>ÉÉN<"), "{marked}");
    for same in ["<html lang=en-GB><p>A.</p>", "<html lang=''><p>A.</p>", "<html><p lang=en>A.</p>", "<p>A.</p>", ""] {
        assert_eq!(english(same, Format::HtmlWhole), same);
    }
    let models = translate(&Capitals, "<html lang=nl><p>A.</p>", Format::Html).document;
    let source = Document::parse("-", "<html lang=nl><p>A.</p>", Format::Html);
    assert_eq!(models.clone().in_language(&source, "en_XX").text(), "<html lang=en><p>A.</p>");
    assert_eq!(models.in_language(&source, "eng_Latn").text(), "<html lang=en><p>A.</p>");
    let svg = "<html><body><svg><title>Een</title></svg><article><h1>Een</h1><p>Dat is een zin.</p></article>";
    assert!(english(svg, Format::Html).contains("<title>Een</title></svg><article><h1>EEN<"));
}

#[test]
fn elements_without_an_end_of_their_own_do_not_swallow_what_follows() {
    for (text, expected) in [
        ("<head><meta charset=utf-8><body><p>Wel.</p>", "<head><meta charset=utf-8><body><p>WEL.</p>"),
        ("<div><pre>niet</div><p>Wel.", "<div><pre>niet</div><p>WEL."),
        ("<p>Wel <code>niet</p><p>Wel.", "<p>WEL <code>niet</p><p>WEL."),
        ("<p translate=no>niet<p>Wel.", "<p translate=no>niet<p>WEL."),
        ("<p translate=no>niet <b>niet<div>Wel.</div>", "<p translate=no>niet <b>niet<div>Wel.</div>"),
        ("<p translate=no>niet <b>niet</b><div>Wel.</div>", "<p translate=no>niet <b>niet</b><div>WEL.</div>"),
        ("<ul><li translate=no>niet<li>Wel.</ul>Wel.", "<ul><li translate=no>niet<li>WEL.</ul>WEL."),
        ("<ul><li translate=no>niet</ul>Wel.", "<ul><li translate=no>niet</ul>WEL."),
        ("<table><tr><td translate=no>niet<tr><td>Wel.", "<table><tr><td translate=no>niet<tr><td>WEL."),
        ("<dl><dt translate=no>niet<dd>Wel.</dl>", "<dl><dt translate=no>niet<dd>WEL.</dl>"),
        ("<div translate=no><ul><li>niet</ul>niet</div>Wel.", "<div translate=no><ul><li>niet</ul>niet</div>WEL."),
        ("<p>Wel <svg><g><path></g></svg> wel.", "<p>WEL <svg><g><path></g></svg> WEL."),
    ] {
        assert_eq!(translate(&Capitals, text, Format::HtmlWhole).document.text(), expected);
    }
    let page = "<html><head><title>Een</title><body><h1>De brug</h1><p>De brug is open, zegt de gemeente.</p>";
    let article = translate(&Capitals, page, Format::Html).document;
    assert_eq!(
        article.text(),
        page.replace("De brug<", "DE BRUG<")
            .replace("De brug is open, zegt de gemeente.", "DE BRUG IS OPEN, ZEGT DE GEMEENTE.")
    );
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
fn what_leads_to_a_note_is_no_word_of_the_sentence() {
    let links = [
        r##"<a href="#n1" epub:type="noteref">1</a>"##,
        r##"<a href="#n1" role="doc-noteref">1</a>"##,
        r##"<a href="#n1" class="x footnote-ref" id="r1"><sup>1</sup></a>"##,
        r##"<sup class="reference"><a href="#n1">[1]</a></sup>"##,
    ];
    for link in links {
        let translation = translate(&Capitals, &format!("<p>De brug{link} is open.</p>"), Format::HtmlWhole);
        assert_eq!(sources(&translation), ["De brug is open."]);
        assert_eq!(translation.document.text(), format!("<p>DE BRUG{link} IS OPEN.</p>"));
    }
    let link = r#"<p>De <a class="reference external" href="b">brug</a> is 8 m<sup>2</sup>.</p>"#;
    assert_eq!(sources(&translate(&Capitals, link, Format::HtmlWhole)), ["De brug is 8 m2."]);
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

#[test]
fn elements_inside_a_page_name_the_new_language_too() {
    let page = "<html lang=nl><body lang=nl-NL><nav lang=nl>Menu<p hidden></nav><p>Een <span lang=\"nl\">woord</span> en <i lang=fr>mot</i>.</p>\
        <p lang=de>Wort.</p><svg lang=nl></svg></body>";
    let expected = "<html lang=en><body lang=en><nav lang=en>MENU<p hidden></nav><p>EEN <span lang=\"en\">WOORD</span> EN <i lang=fr>MOT</i>.</p>\
        <p lang=de>WORT.</p><svg lang=nl></svg></body>";
    assert_eq!(english(page, Format::HtmlWhole), expected);
    assert_eq!(english("<html><p lang=nl>A.</p>", Format::HtmlWhole), "<html><p lang=en>A.</p>");
}

#[test]
fn a_closed_script_ends_in_xhtml_and_goes_on_in_html() {
    let body =
        "<h1>De brug</h1><p>De brug over het kanaal is open, zegt de gemeente vandaag.</p><p>Een <svg/> twee.</p>";
    for head in ["<?xml version=\"1.0\"?>\n<html>", "<html xmlns=\"http://www.w3.org/1999/xhtml\">"] {
        for closed in ["<script src=\"x.js\"/>", "<iframe src=\"x\"/>", "<textarea/>", "<title/>"] {
            let page = format!("{head}<body>{closed}{body}</body></html>");
            for format in [Format::Html, Format::HtmlWhole] {
                let text = translate(&Capitals, &page, format).document.text();
                assert!(text.contains("<p>DE BRUG OVER HET") && text.contains("<p>EEN <svg/> TWEE.</p>"), "{text}");
                assert!(text.contains(closed), "{text}");
            }
        }
    }
    let page = "<html><script src=\"x\"/>geen tekst</script><p>Wel.</p>";
    assert_eq!(translate(&Capitals, page, Format::HtmlWhole).document.text(), page.replace("Wel.", "WEL."));
}

#[test]
fn what_the_encoding_of_a_page_lacks_is_written_as_references() {
    let page = |title: &str, text: &str| {
        format!("<html><head><meta charset=iso-8859-1><title>{title}</title></head><h1>{title}</h1><p>{text}</p>")
    };
    let made = english(&page("Caf&eacute;", "Ren&eacute; is er."), Format::Html);
    assert_eq!(made, page("CAF&#201;", "REN&#201; IS ER."));
    // Bytes beyond ASCII show that the declaration is wrong.
    assert!(english(&page("Café", "Ren&eacute; is er."), Format::Html).contains("<p>RENÉ IS ER."));
    assert!(english(&page("Caf&eacute;", "Zin.").replace("iso-8859-1", "UTF-8"), Format::Html).contains("<h1>CAFÉ"));
}

#[test]
fn a_page_of_many_elements_inside_each_other_is_read_at_once() {
    let deep = format!("{}<p>Een zin.</p>{}", "<div>".repeat(20_000), "</div>".repeat(20_000));
    assert!(translate(&Capitals, &deep, Format::Html).document.text().contains("<p>EEN ZIN.</p>"));
}

#[test]
fn links_and_labels_that_touch_are_texts_of_their_own() {
    for (text, expected) in [
        ("<nav><a href=/a>Over ons</a><a href=/b>Contact</a></nav>", &["Over ons", "Contact"][..]),
        ("<p><b><a href=/a>Een</a></b><b><a href=/b>Twee</a></b></p>", &["Een", "Twee"]),
        ("<label>Naam<input></label><label>Plaats<input></label>", &["Naam", "Plaats"]),
        ("<i><span class=t>Sport en spel</span><span class=t>Nieuws</span></i>", &["Sport en spel", "Nieuws"]),
        ("<button>Ja</button><button>Nee</button>", &["Ja", "Nee"]),
        // One word, one link, or a sentence that goes on.
        ("<p><b>Hond</b><i>en</i></p>", &["Honden"]),
        ("<p><a href=/a>Stad</a><a href=/a>huis</a></p>", &["Stadhuis"]),
        ("<p><span class=t>Ho</span><span class=t>nd</span></p>", &["Hond"]),
        ("<p><a href=/a>Een</a> <a href=/b>twee</a><a href=/c>, drie</a></p>", &["Een twee, drie"]),
    ] {
        assert_eq!(sources(&translate(&Capitals, text, Format::HtmlWhole)), expected, "{text}");
        assert_eq!(translate(&super::Echo, text, Format::HtmlWhole).document.text(), text);
    }
}

/// A page of which only the elements in the language of this code are translated.
fn read_as(text: &str, language: &str) -> String {
    let translator = Translator::new(&Capitals, Language::Dutch, Language::English).reading(language);
    let document = Document::parse("-", text, Format::HtmlWhole);
    translator.translate(&[document]).unwrap().remove(0).document.text()
}

#[test]
fn elements_in_another_language_stay_as_they_are() {
    let page = "<html lang=nl><body><p>Een <i lang=fr>mot</i>.<p lang=fr>Un mot.<p>Nog een.<blockquote lang=\"de\"><p>Ein Wort.\
        <p lang=nl-BE>Een woord.</blockquote><p xml:lang=und>Iets.</body></html>";
    let expected = "<html lang=nl><body><p>EEN <i lang=fr>MOT</i>.<p lang=fr>Un mot.<p>NOG EEN.<blockquote lang=\"de\"><p>Ein Wort.\
        <p lang=nl-BE>EEN WOORD.</blockquote><p xml:lang=und>IETS.</body></html>";
    assert_eq!(read_as(page, "nl"), expected);
    assert_eq!(read_as(page, "nld_Latn"), expected);
    // Its text is the better witness, where it is clear.
    let page =
        "<html lang=nl><body><p lang=en-US>De gemeente wil dat er op het oude terrein woningen komen.</body></html>";
    assert!(read_as(page, "nl").contains("DE GEMEENTE WIL"), "{}", read_as(page, "nl"));
    // A page that says of all of it that it is in another language than its reader does.
    for page in ["<html lang=en><body><p>Een.<p lang=en>Twee.", "<html><body lang=en><p>Een.<p lang=nl>Twee."] {
        let expected = page.replace("Een", "EEN").replace("Twee", "TWEE");
        assert_eq!(read_as(page, "nl"), expected);
    }
}

#[test]
fn a_space_in_front_of_an_element_that_parts_stays() {
    for (text, expected) in [
        (
            "<p>De prijs is <b><my-price>12</my-price></b> euro.</p>",
            "<p>DE PRIJS IS <b><my-price>12</my-price></b> EURO.</p>",
        ),
        (
            "<p>De foto <a><picture><img></picture></a> hier.</p>",
            "<p>DE FOTO <a><picture><img></picture></a> HIER.</p>",
        ),
    ] {
        assert_eq!(translate(&Capitals, text, Format::HtmlWhole).document.text(), expected);
    }
}

#[test]
fn code_of_templates_stays() {
    for (text, expected) in [
        (
            "<p>Dag <?php echo $x > 1 ? 'een' : '<b>'; ?>, welkom.</p>",
            "<p>DAG <?php echo $x > 1 ? 'een' : '<b>'; ?>, WELKOM.</p>",
        ),
        ("<p>Dag <?= $x->y ?> en welkom.</p>", "<p>DAG <?= $x->y ?> EN WELKOM.</p>"),
        ("<p>Dag <%= naam %> en *|FNAME|*.</p>", "<p>DAG <%= naam %> EN *|FNAME|*.</p>"),
        (
            "<p>Is {% if x > 1 && y %}laag{% else %}hoog{% endif %}?</p>",
            "<p>IS {% if x > 1 && y %}LAAG{% else %}HOOG{% endif %}?</p>",
        ),
    ] {
        assert_eq!(translate(&Capitals, text, Format::HtmlWhole).document.text(), expected);
    }
}
