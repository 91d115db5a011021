//! Keys, limits, clients that misbehave, and the end.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use serde_json::json;

use super::{Reply, Server, agent};
use crate::cli::Place;

/// A sentence that no summary or check alters, so many times over.
fn long(times: usize) -> String {
    (0..times)
        .map(|number| format!("De brug over het water is {number} meter lang en de gemeente is er blij mee. "))
        .collect::<Vec<_>>()
        .concat()
}

#[test]
fn keys_are_asked_for_wherever_there_is_something_to_get() {
    let place = Place::new();
    place.file("keys", "# desk\nopen-sesame\n");
    let server = Server::start_in(place, &["--api-keys", "keys"]);
    let asked = |key: &str| json!({ "q": "Ja.", "source": "nl", "target": "en", "api_key": key });
    for path in ["/translate", "/digest", "/summarize", "/detect"] {
        server.json(path, &asked("open-sesam")).refused(403, "invalid API key");
        server.json(path, &json!({ "q": "Ja.", "source": "nl", "target": "en" })).refused(403, "API key");
        server.json(path, &asked("open-sesame")).good();
    }
    server.get("/metrics").refused(403, "API key");
    let bearer = agent().get(server.url("/metrics")).header("Authorization", "Bearer open-sesame").call().unwrap();
    assert_eq!(Reply::from(bearer).status, 200);
    server.get("/languages").good();
    assert_eq!(server.get("/frontend/settings").good()["keyRequired"], true);
    Place::new().file("keys", "#\n").run(&["serve", "--api-keys", "keys"]).bad(2, &["no API key in `keys`", "hint: "]);
}

#[test]
fn limits_are_named() {
    let server = Server::start(&["--max-body", "2000", "--max-chars", "100"]);
    server.json("/digest", &json!({ "q": "x".repeat(101) })).refused(400, "`q` has 101 characters");
    let asked = json!({ "q": ["x".repeat(60), "x".repeat(60)], "source": "nl", "target": "en" });
    server.json("/translate", &asked).refused(400, "120 characters");
    server.json("/digest", &json!({ "q": "x".repeat(3000) })).refused(413, "2000 bytes");
    // Far too much is not read to its end.
    let mut stream = TcpStream::connect(&server.address).unwrap();
    let head = "POST /digest HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 10000000\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let _ = stream.write_all(&vec![b' '; 10_000_000]);
    let _ = stream.read_to_string(&mut String::new());
    server.json("/digest", &json!({ "q": "Ja." })).good();
}

#[test]
fn who_comes_when_there_is_no_place_is_told_to_come_back() {
    let server = Server::start(&["--max-requests", "1"]);
    let url = server.url("/digest");
    let asked = json!({ "q": long(400) }).to_string();
    let working = thread::spawn(move || {
        Reply::from(agent().post(url).header("Content-Type", "application/json").send(asked).unwrap())
    });
    let busy = || server.get("/metrics").body.contains("kortom_texts_total 0");
    while busy() {
        thread::sleep(Duration::from_millis(2));
    }
    let reply = server.json("/translate", &json!({ "q": "Ja.", "source": "nl", "target": "en" }));
    reply.refused(503, "requests are waiting");
    assert_eq!(reply.retry_after.as_deref(), Some("5"));
    assert_eq!(working.join().unwrap().status, 200);
    server.json("/translate", &json!({ "q": "Ja.", "source": "nl", "target": "en" })).good();
}

#[test]
fn what_takes_too_long_is_given_up() {
    let server = Server::start(&["--timeout", "1", "--max-chars", "1000000", "--threads", "1"]);
    let reply = server.json("/digest", &json!({ "q": long(8000) }));
    reply.refused(503, "took too long");
    assert!(reply.retry_after.is_some());
    // The running batch is finished.
    while server.json("/digest", &json!({ "q": "Ja." })).status != 200 {}
}

#[test]
fn clients_that_go_take_their_work_along() {
    let server = Server::start(&["--max-chars", "1000000"]);
    let body = json!({ "q": long(4000) }).to_string();
    let mut stream = TcpStream::connect(&server.address).unwrap();
    let head = format!(
        "POST /digest HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    // One breaks off in the middle of its request, one in the middle of its answer.
    drop(TcpStream::connect(&server.address).map(|mut stream| stream.write_all(&head.as_bytes()[..30])));
    stream.write_all(body.as_bytes()).unwrap();
    let waiting = || {
        let page = server.get("/metrics").body;
        let line = page.lines().find_map(|line| line.strip_prefix("kortom_texts_waiting ")).unwrap().to_owned();
        line.parse::<usize>().unwrap()
    };
    while waiting() == 0 {
        thread::sleep(Duration::from_millis(2));
    }
    drop(stream);
    server.json("/translate", &json!({ "q": "Ja.", "source": "nl", "target": "en" })).good();
    while waiting() > 0 {
        thread::sleep(Duration::from_millis(10));
    }
    let page = server.get("/metrics").body;
    let texts =
        page.lines().find_map(|line| line.strip_prefix("kortom_texts_total ")).unwrap().parse::<usize>().unwrap();
    assert!(texts < 4000, "{texts} texts were translated for nobody");
}

#[test]
fn what_was_taken_is_finished_and_nothing_of_it_is_told() {
    let server = Server::start(&["--verbose"]);
    let url = server.url("/digest");
    let secret = "Het geheim van de smid staat in de kelder. ";
    let asked = json!({ "q": secret.to_owned() + &long(300), "api_key": "sleutel" }).to_string();
    server.json("/digest", &json!({ "q": secret, "format": "geheim" })).refused(400, "geheim");
    server.send("/digest", "application/json", "{\"geheim\": geheim}").refused(400, "column");
    let working = thread::spawn(move || {
        Reply::from(agent().post(url).header("Content-Type", "application/json").send(asked).unwrap())
    });
    while server.get("/metrics").body.contains("kortom_texts_total 0") {
        thread::sleep(Duration::from_millis(2));
    }
    server.terminate();
    let reply = working.join().unwrap();
    assert_eq!(reply.good()["segments"].as_array().unwrap().len(), 301);
    let (code, stdout, stderr) = server.end();
    assert_eq!((code, stdout.as_str()), (Some(0), ""));
    for told in ["geheim", "smid", "secret", "sleutel", "brug"] {
        assert!(!stderr.contains(told), "{stderr}");
    }
}
