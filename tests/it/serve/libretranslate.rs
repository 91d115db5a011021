//! What `LibreTranslate`'s clients send, and what they expect.

use kortom::document::{Document, Format};
use serde_json::json;

use super::{Server, agent};
use crate::cli::Place;
use crate::formats::package::word;

const DUTCH: &str = "Het regent vandaag in de stad en de kinderen van de school mogen niet naar buiten. De gemeente bouwt een \
                     nieuwe brug over het water, maar de buurt is het er niet mee eens en wil een park voor de honden.";
const GERMAN: &str = "Die Gemeinde will, dass auf dem alten Gelände Wohnungen gebaut werden, aber die Nachbarn sind nicht \
                      zufrieden. Sie sagen, dass ein Park für die Kinder besser ist und der Verkehr schon zu stark wird.";

#[test]
fn texts_come_as_json_as_a_form_and_in_the_address() {
    let server = Server::start(&[]);
    let english = server.place.pipe(&["translate"], b"Het regent vandaag.\n\nDe zon schijnt morgen.").good();
    let text = "Het regent vandaag.\n\nDe zon schijnt morgen.";
    let expected = json!({ "translatedText": english });
    let asked = json!({ "q": text, "source": "nl", "target": "en", "format": "text", "apiKey": "", "x": [1] });
    assert_eq!(server.json("/translate", &asked).good(), expected);
    let form = "q=Het+regent+vandaag.%0A%0ADe+zon+schijnt+morgen.&source=nl&target=en";
    assert_eq!(server.form("/translate", form).good(), expected);
    assert_eq!(server.form(&format!("/translate?{form}"), "").good(), expected);
    let asked = json!({ "q": ["Het regent vandaag.", "", "***"], "source": "nl-NL", "target": "en" });
    let expected = json!({ "translatedText": ["It's raining today.", "", "***"] });
    assert_eq!(server.json("/translate", &asked).good(), expected);
}

#[test]
fn pages_keep_their_markup_and_alternatives_differ() {
    let server = Server::start(&[]);
    let page = "<p>Het regent <b>vandaag</b>.</p>";
    let asked = json!({ "q": page, "source": "nl", "target": "en", "format": "html" });
    let made = server.json("/translate", &asked).good()["translatedText"].as_str().unwrap().to_owned();
    assert!(made.starts_with("<p>") && made.ends_with("</p>") && made.contains("<b>"), "{made}");
    let asked = json!({ "q": "De gemeente bouwt een nieuwe brug.", "source": "nl", "target": "en" });
    let plain = server.json("/translate", &asked).good();
    let mut asked = asked;
    asked["alternatives"] = 3.into();
    let answer = server.json("/translate", &asked).good();
    let others: Vec<&str> =
        answer["alternatives"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
    assert_eq!(answer["translatedText"], plain["translatedText"]);
    assert!(!others.is_empty() && others.len() <= 3, "{others:?}");
    assert!(others.iter().all(|other| *other != answer["translatedText"]), "{others:?}");
}

#[test]
fn languages_are_told_and_those_without_a_model_refused() {
    let server = Server::start(&[]);
    let dutch = json!({ "code": "nl", "name": "Dutch", "targets": ["en"] });
    let english = json!({ "code": "en", "name": "English", "targets": [] });
    assert_eq!(server.get("/languages").good(), json!([english, dutch]));
    let detected = server.json("/detect", &json!({ "q": DUTCH })).good();
    assert_eq!(detected[0]["language"], "nl");
    assert!((0.0..=100.0).contains(&detected[0]["confidence"].as_f64().unwrap()));
    let answer = server.json("/translate", &json!({ "q": DUTCH, "source": "auto", "target": "en" })).good();
    assert_eq!(answer["detectedLanguage"], detected[0]);
    let german = server.json("/translate", &json!({ "q": GERMAN, "source": "auto", "target": "en" }));
    german.refused(422, "German");
    server.json("/digest", &json!({ "q": GERMAN, "source": "auto" })).refused(422, "German");
    for (source, target, said) in
        [("de", "en", "`de`"), ("nl", "fr", "`fr`"), ("en", "nl", "`"), ("", "en", "`source`")]
    {
        server.json("/translate", &json!({ "q": "Ja.", "source": source, "target": target })).refused(400, said);
    }
    let settings = server.get("/frontend/settings").good();
    assert_eq!((&settings["charLimit"], &settings["keyRequired"]), (&100_000.into(), &false.into()));
}

#[test]
fn pages_of_other_origins_may_read_these_answers_and_no_others() {
    let place = Place::new();
    place.file("keys", "open-sesame\n");
    let server = Server::start_in(place, &["--api-keys", "keys"]);
    let origin = ("Origin", "https://reader.example");
    for (path, allowed) in [("/translate", Some("*")), ("/digest", None), ("/summarize", None)] {
        let url = server.url(path);
        let asking = agent().options(&url).header(origin.0, origin.1).header("Access-Control-Request-Method", "POST");
        let asked = asking.header("Access-Control-Request-Headers", "content-type").call().unwrap();
        let sending = agent().post(&url).header(origin.0, origin.1).header("Content-Type", "application/json");
        let refused = sending.send("{}").unwrap();
        assert_eq!(refused.status(), 403, "{path}");
        for reply in [&asked, &refused] {
            let found = reply.headers().get("access-control-allow-origin").map(|value| value.to_str().unwrap());
            assert_eq!(found, allowed, "{path}");
        }
        if allowed.is_some() {
            assert_eq!(asked.status(), 200, "{path}");
            assert_eq!(asked.headers()["access-control-allow-methods"], "GET,POST", "{path}");
            assert_eq!(asked.headers()["access-control-allow-headers"], "authorization,content-type", "{path}");
        }
        assert!(asked.headers().get("access-control-allow-credentials").is_none(), "{path}");
    }
    for path in ["/", "/metrics"] {
        let reply = agent().get(server.url(path)).header(origin.0, origin.1).call().unwrap();
        assert!(reply.headers().get("access-control-allow-origin").is_none(), "{path}");
    }
}

/// A form with a file, as browsers send it.
fn form(name: &str, content: &str) -> String {
    let field =
        |name: &str, value: &str| format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    let file = format!(
        "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
         Content-Type: text/plain\r\n\r\n{content}\r\n--b--\r\n"
    );
    field("source", "nl") + &field("target", "en") + &file
}

#[test]
fn files_are_translated_and_fetched() {
    let server = Server::start(&[]);
    let kind = "multipart/form-data; boundary=b";
    let answer =
        server.send("/translate_file", kind, form("../../nieuws.md", "# Brug\n\nHet regent vandaag.\n")).good();
    let url = answer["translatedFileUrl"].as_str().unwrap();
    let path = url.strip_prefix(&server.url("")).unwrap();
    assert!(path.starts_with("/download_file/") && path.ends_with(".nieuws_en.md") && !path.contains(".."), "{path}");
    let file = server.get(path);
    assert_eq!(file.kind, "application/octet-stream");
    assert!(file.body.starts_with("# ") && file.body.ends_with("\n\nIt's raining today.\n"), "{}", file.body);
    for path in ["/download_file/nieuws_en.md", "/download_file/..%2f..%2fetc%2fpasswd", "/download_file/"] {
        assert_eq!(server.get(path).status, 404, "{path}");
    }
    let columns = |fields: &[(&str, &str)]| -> String {
        let part = |(name, value): &(&str, &str)| {
            format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        fields.iter().map(part).collect::<String>() + &form("lijst.csv", "n;tekst;kop\n1;Het regent.;Brug\n")
    };
    let answer = server.send("/translate_file", kind, columns(&[("field", "tekst")])).good();
    let table = server.get(answer["translatedFileUrl"].as_str().unwrap().strip_prefix(&server.url("")).unwrap());
    assert_eq!(table.body, "n;tekst;kop\n1;It's raining.;Brug\n");
    let several = columns(&[("field", "tekst"), ("field", "3"), ("field_format", "html")]);
    let answer = server.send("/translate_file", kind, several).good();
    let table = server.get(answer["translatedFileUrl"].as_str().unwrap().strip_prefix(&server.url("")).unwrap());
    assert!(table.body.contains(";It's raining.;") && !table.body.contains("Brug"), "{}", table.body);
    for nothing in [&[][..], &[("field", ""), ("field_format", "")]] {
        server.send("/translate_file", kind, columns(nothing)).refused(422, "no column `text`");
    }
    let of_text = columns(&[("field", "tekst")]).replace("lijst.csv", "lijst.txt");
    server.send("/translate_file", kind, of_text).refused(422, "`field` is for tables and JSONL");
    server.send("/translate_file", kind, columns(&[("field_format", "x")])).refused(422, "unknown format `x`");
    server.send("/translate_file", kind, form("a.exe", "x")).refused(400, "kind of file");
    server.send("/translate_file", kind, "--b\r\n").refused(400, "");
    server.form("/translate_file", "source=nl&target=en").refused(400, "`file`");
}

#[test]
fn documents_are_translated_and_fetched_as_what_they_are() {
    let server = Server::start(&[]);
    let known = server.get("/frontend/settings").good()["supportedFilesFormat"].to_string();
    for extension in ["docx", "odt", "pptx", "odp", "xlsx", "ods", "epub", "rss", "vtt", "ass", "po", "xlf", "csv"] {
        assert!(known.contains(&format!("\".{extension}\"")), "{extension}: {known}");
    }
    let sent = word("<w:p><w:r><w:t>Het regent vandaag.</w:t></w:r></w:p>");
    let (head, tail) =
        form("brief.docx", "\u{0}").split_once('\u{0}').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let body = [head.as_bytes(), &sent, tail.as_bytes()].concat();
    let answer = server.send("/translate_file", "multipart/form-data; boundary=b", body).good();
    let url = answer["translatedFileUrl"].as_str().unwrap();
    assert!(url.ends_with(".brief_en.docx") && answer.get("warnings").is_none(), "{answer}");
    let bytes = agent().get(url).call().unwrap().body_mut().read_to_vec().unwrap();
    let document = Document::read("brief_en.docx", bytes, Format::Docx).unwrap();
    assert_eq!(document.blocks[0].text, "It's raining today.");
    #[cfg(feature = "pdf")]
    {
        use crate::formats::pdf::{lines, pdf};
        assert!(known.contains("\".pdf\""), "{known}");
        // This PDF has nothing but ASCII in it, so it can be sent as text.
        let sent = String::from_utf8(pdf(&[lines(50.0, 700.0, &["Het regent vandaag."])], &[])).unwrap();
        let answer = server.send("/translate_file", "multipart/form-data; boundary=b", form("brief.pdf", &sent)).good();
        let url = answer["translatedFileUrl"].as_str().unwrap();
        assert!(url.ends_with(".brief_en.md"), "{url}");
        assert_eq!(answer["warnings"][0], "the layout of a PDF is not kept: its text comes out as Markdown");
        assert_eq!(agent().get(url).call().unwrap().body_mut().read_to_string().unwrap(), "It's raining today.\n");
        let wanting = |format: &str, name: &str, content: &str| {
            let field = format!("--b\r\nContent-Disposition: form-data; name=\"format\"\r\n\r\n{format}\r\n");
            server.send("/translate_file", "multipart/form-data; boundary=b", field + &form(name, content))
        };
        let answer = wanting("html", "brief.pdf", &sent).good();
        assert_eq!(answer["warnings"][0], "the layout of a PDF is not kept: its text comes out as HTML");
        let url = answer["translatedFileUrl"].as_str().unwrap();
        let page = agent().get(url).call().unwrap().body_mut().read_to_string().unwrap();
        assert!(url.ends_with(".brief_en.html") && page.starts_with("<!"), "{url}: {page}");
        assert!(page.contains("It's raining today.") || page.contains("It&#39;s raining today."), "{page}");
        let url = wanting("markdown", "brief.pdf", &sent).good()["translatedFileUrl"].to_string();
        assert!(url.ends_with(".brief_en.md\""), "{url}");
        wanting("docx", "brief.pdf", &sent).refused(400, "`docx` is no format here");
        wanting("html", "brief.md", "Het regent.").refused(422, "`format` is not for a file of the kind `markdown`");
    }
    let broken = form("brief.docx", "PK");
    server.send("/translate_file", "multipart/form-data; boundary=b", broken).refused(422, "no zip archive");
}
