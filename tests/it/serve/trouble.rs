//! Clients that are slow, that break off, that send too much or that come all at once.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::thread;
use std::time::Duration;

use candle_core::{Device, Tensor};
use serde_json::{Value, json};

use super::{Reply, Server, agent};
use crate::cli::Place;

/// A number of the server's metrics.
fn metric(server: &Server, name: &str) -> usize {
    let page = server.get("/metrics").body;
    let line = page.lines().find_map(|line| line.strip_prefix(&format!("kortom_{name} "))).unwrap();
    line.parse().unwrap()
}

/// The head of a request with a body of so many bytes.
fn head(more: &str) -> String {
    format!("POST /digest HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{more}\r\n")
}

/// Sends a byte at a time until the server has had enough; what it says then.
fn drip(server: &Server, beginning: &str) -> String {
    let mut stream = TcpStream::connect(&server.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    stream.write_all(beginning.as_bytes()).unwrap();
    let mut said = Vec::new();
    for _ in 0..1000 {
        if stream.write_all(b"a").is_err() {
            break;
        }
        let mut bytes = [0; 1000];
        match stream.read(&mut bytes) {
            Ok(0) => break,
            Ok(length) => said.extend_from_slice(&bytes[..length]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => continue,
            Err(_) => break,
        }
        if said.ends_with(b"}") {
            break;
        }
    }
    assert!(stream.write_all(b"a").is_err() || !said.is_empty() || stream.read(&mut [0]).is_ok_and(|read| read == 0));
    String::from_utf8(said).unwrap()
}

#[test]
fn who_sends_byte_by_byte_is_cut_off() {
    let server = Server::start(&["--timeout", "1"]);
    thread::scope(|scope| {
        let heads: Vec<_> =
            (0..20).map(|_| scope.spawn(|| drip(&server, "POST /digest HTTP/1.1\r\nHost: x\r\nX: "))).collect();
        let bodies: Vec<_> =
            (0..20).map(|_| scope.spawn(|| drip(&server, &head("Content-Length: 900000\r\n")))).collect();
        server.json("/digest", &json!({ "q": "Ja." })).good();
        for said in heads.into_iter().map(|head| head.join().unwrap()) {
            assert!(said.is_empty() || said.starts_with("HTTP/1.1 408 "), "{said}");
        }
        for said in bodies.into_iter().map(|body| body.join().unwrap()) {
            assert!(said.starts_with("HTTP/1.1 408 ") && said.contains("not complete after 1 seconds"), "{said}");
        }
    });
    server.json("/digest", &json!({ "q": "Ja." })).good();
}

#[test]
fn what_breaks_off_is_forgotten() {
    let server = Server::start(&[]);
    let body = json!({ "q": "Het regent vandaag." }).to_string();
    let whole = head(&format!("Content-Length: {}\r\n", body.len())) + &body;
    for end in [1, 30, whole.len() - body.len() - 1, whole.len() - body.len(), whole.len() - 1] {
        TcpStream::connect(&server.address).unwrap().write_all(&whole.as_bytes()[..end]).unwrap();
    }
    // The last of them is only known to be gone when its connection is.
    while metric(&server, "requests_working") > 1 {
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(metric(&server, "texts_total"), 0);
    server.send("/digest", "application/json", body).good();
}

#[test]
fn who_leaves_in_the_middle_of_events_takes_the_work_along() {
    let server = Server::start(&["--max-chars", "1000000"]);
    let long = (0..4000).map(|number| format!("De brug is {number} meter lang. ")).collect::<Vec<_>>().concat();
    let body = json!({ "q": long }).to_string();
    let mut stream = TcpStream::connect(&server.address).unwrap();
    stream
        .write_all(head(&format!("Accept: text/event-stream\r\nContent-Length: {}\r\n", body.len())).as_bytes())
        .unwrap();
    stream.write_all(body.as_bytes()).unwrap();
    let mut lines = BufReader::new(&stream).lines().map(Result::unwrap);
    assert!(lines.any(|line| line == "event: segment"));
    assert!(metric(&server, "texts_waiting") > 0);
    drop(lines);
    drop(stream);
    while metric(&server, "texts_waiting") > 0 || metric(&server, "requests_working") > 1 {
        thread::sleep(Duration::from_millis(5));
    }
    let texts = metric(&server, "texts_total");
    assert!(texts < 4000, "{texts} texts were translated for nobody");
}

#[test]
fn ten_megabytes_are_refused_and_the_refusal_arrives() {
    let server = Server::start(&[]);
    let large = json!({ "q": "Het regent. ".repeat(1_000_000) }).to_string();
    server.send("/digest", "application/json", &large).refused(413, "larger than 1048576 bytes");
    server.form("/translate", &format!("source=nl&target=en&q={}", "a".repeat(10_000_000))).refused(413, "1048576");
    // In pieces, whose sum nobody declares.
    let mut stream = TcpStream::connect(&server.address).unwrap();
    stream.write_all(head("Transfer-Encoding: chunked\r\nConnection: close\r\n").as_bytes()).unwrap();
    for _ in 0..10 {
        stream.write_all(format!("{:x}\r\n{}\r\n", 1_000_000, " ".repeat(1_000_000)).as_bytes()).unwrap();
    }
    stream.write_all(b"0\r\n\r\n").unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).unwrap();
    assert!(said.starts_with("HTTP/1.1 413 "), "{said}");
    server.json("/digest", &json!({ "q": "Ja." })).good();
}

#[test]
fn what_is_no_text_is_refused_wherever_it_stands() {
    let server = Server::start(&[]);
    let asked = |body: &[u8]| [b"{\"q\": \"", body, b"\"}"].concat();
    for bytes in [&b"\xff"[..], b"caf\xe9", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80", b"\xc3"] {
        server.send("/digest", "application/json", asked(bytes)).refused(400, "UTF-8");
        server.send("/digest", "application/x-www-form-urlencoded", [b"q=", bytes].concat()).refused(400, "UTF-8");
        let file = b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\n";
        let rest = b"\r\n--b\r\nContent-Disposition: form-data; name=\"source\"\r\n\r\nnl\r\n\
                     --b\r\nContent-Disposition: form-data; name=\"target\"\r\n\r\nen\r\n--b--\r\n";
        let form = [&file[..], bytes, rest].concat();
        server.send("/translate_file", "multipart/form-data; boundary=b", form).refused(422, "UTF-8");
    }
    server.send("/digest", "application/json", asked(b"\\ud800")).refused(400, "JSON");
    let nul = server.json("/digest", &json!({ "q": "Het regent\u{0} vandaag." })).good();
    assert!(nul["segments"][0]["source"].as_str().unwrap().contains('\0'), "{nul}");
}

/// A model that computes nonsense from a question mark.
fn cracked(place: &Place) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny-marian-separate");
    for file in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        place.file(&format!("cracked/{}", file.file_name().to_str().unwrap()), std::fs::read(file.path()).unwrap());
    }
    let ids: Value = serde_json::from_str(&place.read("cracked/vocab.json")).unwrap();
    let path = place.path("cracked/model.safetensors");
    let mut tensors = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
    let table = tensors.get_mut("model.encoder.embed_tokens.weight").unwrap();
    let mut rows: Vec<Vec<f32>> = table.to_vec2().unwrap();
    rows[usize::try_from(ids["?"].as_u64().unwrap()).unwrap()].fill(f32::NAN);
    *table = Tensor::new(rows, &Device::Cpu).unwrap();
    candle_core::safetensors::save(&tensors, &path).unwrap();
}

#[test]
fn where_the_model_fails_only_what_it_fails_on_is_lost() {
    let place = Place::new();
    cracked(&place);
    let server = Server::start_in(place, &["--model", "cracked", "--compute-type", "f32"]);
    let asked = |number: usize| {
        let texts: Vec<String> = (0..30).map(|text| format!("de weg {text} van {number}")).collect();
        json!({ "q": texts, "source": "nl", "target": "en" })
    };
    let server = &server;
    let bad = json!({ "q": ["de weg", "de weg?"], "source": "nl", "target": "en" });
    let alone: Vec<Value> = (0..8).map(|number| server.json("/translate", &asked(number)).good()).collect();
    thread::scope(|scope| {
        let asking: Vec<_> =
            (0..8).map(|number| scope.spawn(move || server.json("/translate", &asked(number)).good())).collect();
        while asking.iter().any(|asking| !asking.is_finished()) {
            server.json("/translate", &bad).refused(500, "the server failed at this request");
        }
        let together: Vec<Value> = asking.into_iter().map(|asking| asking.join().unwrap()).collect();
        assert_eq!(together, alone);
    });
}

#[test]
fn of_a_crowd_each_is_answered_rightly_or_told_to_come_back() {
    let server = Server::start(&["--max-requests", "40"]);
    let asked = |number: usize| json!({ "q": format!("De brug is {number} meter lang."), "id": number.to_string() });
    let alone: Vec<Value> = (0..10).map(|number| server.json("/digest", &asked(number)).good()).collect();
    let replies: Vec<Reply> = thread::scope(|scope| {
        let ask = |number: usize| server.json("/digest", &asked(number % 10));
        let asking: Vec<_> = (0..300).map(|number| scope.spawn(move || ask(number))).collect();
        asking.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let mut good = 0;
    for (number, reply) in replies.iter().enumerate() {
        if reply.status == 200 {
            assert_eq!(reply.good(), alone[number % 10]);
            good += 1;
        } else {
            reply.refused(503, "40 requests are waiting already");
            assert_eq!(reply.retry_after.as_deref(), Some("5"));
        }
    }
    assert!(good >= 40, "{good} were answered");
    let again = Reply::from(agent().get(server.url("/health")).call().unwrap());
    assert_eq!(again.good()["status"], "ok");
}
