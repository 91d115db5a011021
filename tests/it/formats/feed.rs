//! Feeds: texts change, whatever they are written in, and addresses, guids and all other bytes stay.

use kortom::document::{BlockKind, Document, Format};

use super::{Capitals, Echo, sources, translate};

const RSS: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<rss version=\"2.0\" xmlns:content=\"http://purl.org/rss/1.0/modules/content/\">\
    <channel><title>Nieuws &amp; meer</title><link>https://voorbeeld.nl/?a=1&amp;b=2</link><language>nl-NL</language>\n\
    <item><title><![CDATA[De brug is dicht]]></title><guid isPermaLink=\"false\">brug-1</guid><category>verkeer</category>\
    <description>&lt;p class=&quot;a&quot;&gt;Het caf&amp;eacute; is &lt;b&gt;dicht&lt;/b&gt;.&lt;/p&gt;&lt;p lang=\"nl\"&gt;Dat is alles.&lt;/p&gt;</description>\
    <content:encoded><![CDATA[<h2>Waarom</h2>\n<p>Het regent <em>hard</em> &amp; lang.</p><pre>niet dit</pre>]]></content:encoded></item>\
    <item><title>1 &lt; 2 zegt men</title><description>Gewone tekst.</description></item></channel></rss>\n";
const ATOM: &str = "\u{feff}<feed xmlns=\"http://www.w3.org/2005/Atom\" xml:lang='nl'><title>Nieuws</title><id>urn:nieuws</id>\
    <entry xml:lang=\"nl-BE\"><title type=\"html\">De &lt;i&gt;brug&lt;/i&gt;</title><id>urn:brug</id><author><name>Jan de Boer</name></author>\
    <content type=\"xhtml\"><div xmlns=\"http://www.w3.org/1999/xhtml\"><p>Het regent.</p></div></content></entry></feed>";
const JSON: &str = "{\"version\": \"https://jsonfeed.org/version/1.1\", \"language\": \"nl\", \"title\": \"Nieuws \\u0026 meer\",\n\
    \"items\": [ {\"id\": \"brug is dicht\", \"title\":\"De \\\"brug\\\"\", \"content_html\": \"<p>Het is 1,0.\\n<b>Caf\\u00e9<\\/b> dicht.<\\/p>\",\
    \"n\": 1.10}, {\"id\": 2, \"content_text\": \"Een regel.\\nNog een regel.\"} , {} ] }";

fn english(text: &str) -> String {
    let document = Document::read("-", text, Format::Rss).unwrap_or_else(|error| panic!("{error:#}"));
    let translator = kortom::translate::Translator::new(
        &Capitals,
        kortom::segment::Language::Dutch,
        kortom::segment::Language::English,
    );
    let made = translator.translate(std::slice::from_ref(&document)).unwrap().remove(0).document;
    made.in_language(&document, "en").text()
}

#[test]
fn texts_of_rss_change_in_whatever_they_are_written() {
    let expected = RSS
        .replace("Nieuws &amp; meer", "NIEUWS &amp; MEER")
        .replace("nl-NL", "en")
        .replace("De brug is dicht", "DE BRUG IS DICHT")
        .replace("Het caf&amp;eacute; is &lt;b&gt;dicht", "HET CAFÉ IS &lt;b&gt;DICHT")
        .replace("Dat is alles", "DAT IS ALLES")
        .replace("Waarom", "WAAROM")
        .replace("Het regent <em>hard</em> &amp; lang", "HET REGENT <em>HARD</em> &amp; LANG")
        .replace("1 &lt; 2 zegt men", "1 &lt; 2 ZEGT MEN")
        .replace("Gewone tekst", "GEWONE TEKST");
    assert_eq!(english(RSS), expected);
    let document = Document::read("-", RSS, Format::Rss).unwrap();
    assert_eq!(document.title(), Some("Nieuws & meer"));
    assert_eq!(document.blocks.iter().filter(|block| block.kind == BlockKind::Heading).count(), 4);
}

#[test]
fn texts_of_atom_and_of_json_feeds_change_too() {
    let expected = ATOM
        .replace("<title>Nieuws", "<title>NIEUWS")
        .replace("'nl'", "'en'")
        .replace("\"nl-BE\"", "\"en\"")
        .replace("De &lt;i&gt;brug", "DE &lt;i&gt;BRUG")
        .replace("Het regent", "HET REGENT");
    assert_eq!(english(ATOM), expected);
    let expected = JSON
        .replace("\"language\": \"nl\"", "\"language\": \"en\"")
        .replace("Nieuws \\u0026 meer", "NIEUWS & MEER")
        .replace("De \\\"brug\\\"", "DE \\\"BRUG\\\"")
        .replace("Het is 1,0.\\n<b>Caf\\u00e9<\\/b> dicht.", "HET IS 1,0. <b>CAFÉ</b> DICHT.")
        .replace("Een regel.\\nNog een regel.", "EEN REGEL.\\nNOG EEN REGEL.");
    assert_eq!(english(JSON), expected);
}

#[test]
fn what_a_feed_calls_text_is_no_page() {
    let feed = "<feed xmlns=\"http://www.w3.org/2005/Atom\"><title type=\"text\">De tag &lt;b&gt; en honden &amp; katten</title>\
                <entry><summary type=\"text\">De hond: 5 &lt; 6 &amp;amp; meer.</summary></entry></feed>";
    let expected = feed
        .replace("De tag &lt;b&gt; en honden &amp; katten", "DE TAG &lt;B&gt; EN HONDEN &amp; KATTEN")
        .replace("De hond: 5 &lt; 6 &amp;amp; meer", "DE HOND: 5 &lt; 6 &amp;AMP; MEER");
    assert_eq!(english(feed), expected);
}

#[test]
fn what_says_nothing_of_its_kind_is_text_unless_there_is_html_in_it() {
    let feed = |title: &str, summary: &str, more: &str| {
        format!(
            "<feed xmlns=\"http://www.w3.org/2005/Atom\" xmlns:media=\"http://search.yahoo.com/mrss/\"><title>{title}</title>\
             <entry><summary>{summary}</summary><media:description>{more}</media:description></entry></feed>"
        )
    };
    let text = feed(
        "Vragen &amp;amp; antwoorden",
        "Gebruik: zip &lt;bestand van u&gt; &amp;lt;",
        "Als a &lt;b en c&gt;d, dan nu",
    );
    let expected = feed(
        "VRAGEN &amp;AMP; ANTWOORDEN",
        "GEBRUIK: ZIP &lt;BESTAND VAN U&gt; &amp;LT;",
        "ALS A &lt;b en c&gt;D, DAN NU",
    );
    // A name of an element of HTML is a tag, as a reader of feeds takes it.
    assert_eq!(english(&text), expected);
    let text = feed(
        "De &lt;EM&gt;brug&lt;/EM&gt;",
        "&lt;p&gt;Caf&amp;eacute; dicht&lt;br/&gt;en open",
        "<![CDATA[<x-a>Een</x-a> &amp; twee]]>",
    );
    let expected = feed(
        "DE &lt;EM&gt;BRUG&lt;/EM&gt;",
        "&lt;p&gt;CAFÉ DICHT&lt;br/&gt;EN OPEN",
        "<![CDATA[<x-a>EEN</x-a> &amp; TWEE]]>",
    );
    assert_eq!(english(&text), expected);
}

#[test]
fn elements_that_are_not_escaped_are_marks_and_data_stays() {
    let feed = "<rss version=\"2.0\"><channel><item><description>De <b>brug</b> is dicht.<br/>Morgen open</description></item></channel></rss>";
    let expected = feed.replace("De <b>brug</b> is dicht.<br/>Morgen open", "DE <b>BRUG</b> IS DICHT.<br/>MORGEN OPEN");
    assert_eq!(english(feed), expected);
    let feed = "<entry xmlns=\"http://www.w3.org/2005/Atom\"><content type=\"image/png\">iVBORw0KGgo=</content>\
        <summary type=\"text/html\">&lt;p>Een brug</summary></entry>";
    assert_eq!(english(feed), feed.replace("Een brug", "EEN BRUG"));
}

#[test]
fn names_of_namespaces_as_feeds_write_them_are_known_and_items_have_languages() {
    let feed = "<rss version=\"2.0\" xmlns:media=\"http://search.yahoo.com/mrss\" xmlns:itunes=\"http://www.itunes.com/DTDs/Podcast-1.0.dtd\" \
        xmlns:googleplay=\"http://www.google.com/schemas/play-podcasts/1.0\"><channel><item><media:title>Een brug</media:title>\
        <itunes:summary>Over de brug</itunes:summary><googleplay:description>Nog een brug</googleplay:description></item></channel></rss>";
    let expected = feed
        .replace("Een brug", "EEN BRUG")
        .replace("Over de brug", "OVER DE BRUG")
        .replace("Nog een brug", "NOG EEN BRUG");
    assert_eq!(english(feed), expected);
    let feed = "{\"version\":\"https://jsonfeed.org/version/1.1\",\"items\":[{\"id\":1,\"language\":\"nl\",\"title\":\"Een brug\",\
        \"attachments\":[{\"url\":\"a\",\"title\":\"De opname\"}]},{\"id\":2,\"language\":\"nl-BE\"}],\"language\":\"nl\"}";
    let expected = feed
        .replace("Een brug", "EEN BRUG")
        .replace("De opname", "DE OPNAME")
        .replace("\"nl\"", "\"en\"")
        .replace("\"nl-BE\"", "\"en\"");
    assert_eq!(english(feed), expected);
}

#[test]
fn a_feed_in_which_nothing_changes_keeps_every_byte() {
    for feed in [RSS, ATOM, JSON, "", "\u{feff}\n"] {
        let document = Document::read("-", feed, Format::Rss).unwrap();
        assert_eq!(document.text(), feed);
        let translator = kortom::translate::Translator::new(
            &Echo,
            kortom::segment::Language::Dutch,
            kortom::segment::Language::English,
        );
        assert_eq!(translator.translate(&[document]).unwrap()[0].document.text(), feed);
    }
    // As text somebody put into a request, a feed is text.
    assert!(!sources(&translate(&Echo, "Het regent.", Format::Rss)).is_empty());
}

#[test]
fn what_is_no_feed_is_said_to_be_what_it_is() {
    for (text, said) in [
        ("<!DOCTYPE html><html><body>Het regent.</body></html>", "this is a web page and no feed"),
        ("\n<HTML lang=nl><p>Het regent.", "--input-format html"),
        ("<opml><body/></opml>", "no feed in it"),
        ("Het regent.", "no feed in it"),
        ("{\"titel\": \"Het regent.\"}", "no JSON Feed"),
        ("{\"version\": ", "damaged"),
        ("<rss><channel>", "damaged"),
        ("<!DOCTYPE rss [<!ENTITY a \"boem\">]><rss><channel/></rss>", "damaged"),
    ] {
        let error = Document::read("-", text, Format::Rss).expect_err(said);
        assert!(format!("{error:#}").contains(said), "{said}: {error:#}");
    }
}

#[test]
fn blank_lines_part_the_paragraphs_of_wordpress_and_its_shortcodes_stay() {
    let post = "De hond loopt\nhier &amp; daar.\r\n\r\nDe <strong>kat</strong> zit.\n\n[gallery ids=\"1,2\"]\n\n\
        [caption id=\"a_5\" width=\"300\"]<img src=\"a.jpg\"/> Een foto[/caption]\n\nHet einde.";
    let feed = |post: &str, excerpt: &str| {
        format!(
            "<rss version=\"2.0\" xmlns:content=\"http://purl.org/rss/1.0/modules/content/\" \
             xmlns:excerpt=\"http://wordpress.org/export/1.2/excerpt/\"><channel><item><content:encoded><![CDATA[{post}]]>\
             </content:encoded><excerpt:encoded><![CDATA[{excerpt}]]></excerpt:encoded></item></channel></rss>"
        )
    };
    let expected = post
        .replace("De hond loopt\nhier &amp; daar.", "DE HOND LOOPT HIER &amp; DAAR.")
        .replace("De <strong>kat</strong> zit.", "DE <strong>KAT</strong> ZIT.")
        .replace("Een foto", "EEN FOTO")
        .replace("Het einde.", "HET EINDE.");
    assert_eq!(english(&feed(post, "Over de hond.")), feed(&expected, "OVER DE HOND."));
    let document = Document::read("-", feed(post, "").as_str(), Format::Rss).unwrap();
    let texts: Vec<&str> = document.blocks.iter().map(|block| &*block.text).collect();
    assert_eq!(texts[..2], ["De hond loopt hier & daar.", "De kat zit."]);
    assert_eq!(texts.last(), Some(&"Het einde."));
}
