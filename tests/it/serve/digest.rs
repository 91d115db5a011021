//! Whole articles, at once and in events.

use serde_json::{Value, json};

use super::Server;
use crate::cli::{ARTICLE, objects};

/// An article with all that can happen to a sentence: spans to protect, nothing to translate, said twice, signs that the
/// vocabulary lacks or nobody sees.
const NASTY: &str = "date 2021-03 Kijk op www.voorbeeld.nl/a?b=1 of mail a@b.nl voor meer.\n\nBrug\n\n***\n\nHet regent \
                     vandaag. De brug is 12 meter lang. Het regent vandaag. Een kaartje kost € 3,50.\n\nDe ge\u{ad}meente \
                     bouwt. ,,Mooi’’, zei ze ’s avonds.\n\nEen man. © AP";

#[test]
fn a_digest_is_that_of_the_command_line() {
    let server = Server::start(&[]);
    for article in [ARTICLE, NASTY] {
        let line = server.place.pipe(&["digest", "--format", "jsonl"], article.as_bytes()).good();
        let mut expected = objects(&line)[0].clone();
        assert_eq!(server.json("/digest", &json!({ "q": article, "id": "stdin" })).good(), expected);
        let asked = json!({ "q": article, "renderings": ["text", "html"], "summary_length": "1" });
        let answer = server.json("/digest", &asked).good();
        let text = server.place.pipe(&["digest", "--summary-length", "1"], article.as_bytes()).good();
        assert_eq!(answer["renderings"]["text"], text);
        assert!(answer["renderings"]["html"].as_str().unwrap().starts_with("<!"), "{answer}");
        expected["summary"] = Value::Null;
        let short = server.json("/digest", &json!({ "q": article, "summarize": false })).good();
        assert_eq!((&short["summary"], &short["segments"]), (&Value::Null, &expected["segments"]));
    }
    let english = "The ferry sails again. The engine is repaired. It had broken down in a storm.";
    let line = server.place.pipe(&["summarize", "--summary-length", "1", "--format", "jsonl"], english.as_bytes());
    let answer = server.json("/summarize", &json!({ "q": english, "id": "stdin", "summary_length": "1" })).good();
    assert_eq!(answer, objects(&line.good())[0]);
}

#[test]
fn events_tell_of_each_sentence_once() {
    let server = Server::start(&[]);
    for article in [ARTICLE, NASTY] {
        let asked = json!({ "q": article, "renderings": ["markdown"] });
        let report = server.json("/digest", &asked).good();
        let events = server.events("/digest", &asked);
        let named =
            |name: &str| events.iter().filter(|event| event.0 == name).map(|event| &event.1).collect::<Vec<_>>();
        assert_eq!((events[0].0.as_str(), events[events.len() - 1].0.as_str()), ("start", "done"));
        assert_eq!(named("done"), [&report]);
        let start = named("start")[0];
        assert_eq!((&start["date"], &start["title"]), (&report["date"], &Value::Null));
        let segments = report["segments"].as_array().unwrap();
        assert_eq!(start["segments"], segments.len());
        let mut told = vec![0; segments.len()];
        for event in named("segment") {
            let place = event["index"].as_u64().unwrap() as usize;
            told[place] += 1;
            for field in ["source", "target", "score", "flags"] {
                assert_eq!(event[field], segments[place][field], "{field}");
            }
            let block = event["block"].as_u64().unwrap() as usize;
            assert!(start["blocks"][block]["segments"].as_array().unwrap().contains(&event["index"]));
        }
        assert!(told.iter().all(|&times| times == 1), "{told:?}");
        assert_eq!(named("summary")[0]["summary"], report["summary"]);
    }
    let events = server.events("/translate", &json!({ "q": ARTICLE, "source": "nl", "target": "en" }));
    assert!(events.iter().all(|event| event.0 != "summary"), "{events:?}");
    assert_eq!(events[events.len() - 1].1["summary"], Value::Null);
}

#[test]
fn which_words_belong_together_is_said_where_it_is_asked() {
    let head = ["--alignment-head", "-1,0"];
    let server = Server::start(&head);
    assert_eq!(server.get("/frontend/settings").good()["alignment"], true);
    for article in [ARTICLE, NASTY] {
        let line = [&["digest", "--format", "jsonl"], &head[..]].concat();
        let expected = objects(&server.place.pipe(&line, article.as_bytes()).good())[0].clone();
        assert!(expected["segments"][0]["alignment"].as_array().unwrap().len() > 2, "{expected}");
        let asked = json!({ "q": article, "id": "stdin", "alignment": true });
        assert_eq!(server.json("/digest", &asked).good(), expected);
        assert_eq!(server.events("/digest", &asked).pop().unwrap(), ("done".to_owned(), expected));
        let plain = server.json("/digest", &json!({ "q": article, "alignment": false })).good();
        assert!(plain["segments"].as_array().unwrap().iter().all(|segment| segment.get("alignment").is_none()));
    }
    let asked = json!({ "q": ARTICLE, "alignment": true, "renderings": ["html"] });
    let page = &server.json("/digest", &asked).good()["renderings"]["html"];
    assert!(page.as_str().unwrap().contains("<span class=\"w w0\">"), "{page}");
    let asked = json!({ "q": ARTICLE, "source": "nl", "target": "en", "alignment": true });
    let done = server.events("/translate", &asked).pop().unwrap().1;
    assert!(done["segments"][0]["alignment"].as_array().unwrap().len() > 2, "{done}");
    drop(server);

    let server = Server::start(&[]);
    assert_eq!(server.get("/frontend/settings").good()["alignment"], false);
    let refused = server.json("/digest", &json!({ "q": ARTICLE, "alignment": true }));
    refused.refused(400, "of the model `kortom-nl-en` no head is known that aligns words");
    assert!(refused.body.contains("leave out `alignment`"), "{}", refused.body);
    server.json("/digest", &json!({ "q": ARTICLE, "alignment": "perhaps" })).refused(400, "`alignment`");
    let serve = ["serve", "--port", "0", "--alignment-head", "99,0"];
    server.place.run(&serve).bad(2, &["there is no layer 99 with a head 0", "hint: "]);
}

#[test]
fn what_makes_no_sense_is_refused_by_its_name() {
    let server = Server::start(&[]);
    for (asked, said) in [
        (json!({}), "`q`"),
        (json!({ "q": "" }), "`q`"),
        (json!({ "q": 3 }), "`q`"),
        (json!({ "q": "Ja.", "format": "pdf" }), "`pdf`"),
        (json!({ "q": "Ja.", "format": 1 }), "`format`"),
        (json!({ "q": "Ja.", "summarize": "perhaps" }), "`summarize`"),
        (json!({ "q": "Ja.", "summary_length": "tiny" }), "`tiny`"),
        (json!({ "q": "Ja.", "renderings": ["pdf"] }), "`renderings`"),
        (json!({ "q": "Ja.", "source": "xx" }), "`xx`"),
        (json!([1]), "JSON object"),
    ] {
        server.json("/digest", &asked).refused(400, said);
    }
    server.json("/digest", &json!({ "q": "1\n\nJa.", "format": "srt" })).refused(422, "");
    for (kind, body, said) in [
        ("application/json", &b"{\"q\":"[..], "JSON object"),
        ("application/json", b"{\"q\":\"\xff\"}", "UTF-8"),
        ("application/x-www-form-urlencoded", b"q=\xff", "UTF-8"),
        ("multipart/form-data", b"x", "boundary"),
    ] {
        server.send("/digest", kind, body).refused(400, said);
    }
    server.send("/digest", "text/plain", "Ja.").refused(415, "text/plain");
}
