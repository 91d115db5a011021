//! `kortom setup`, and `doctor --server`.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Stdio;

use super::{Place, Ran};
use crate::fake_hub::Setup;

#[test]
fn setup_fetches_what_is_missing_after_a_yes() {
    let place = Place::new();
    let model = |name: &str| concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/").to_owned() + name;
    let entries = std::fs::read_dir(model("tiny-marian")).unwrap().map(Result::unwrap);
    let files: Vec<_> = entries
        .filter(|entry| entry.file_name() != "expected.json")
        .map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap()))
        .collect();
    let borrowed: Vec<_> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    let hub = Setup::new("Helsinki-NLP/opus-mt-nl-en", &borrowed).start(0);
    // A summary model is here already.
    std::fs::create_dir_all(place.path("models")).unwrap();
    for file in [
        "config.json",
        "generation_config.json",
        "merges.txt",
        "model.safetensors",
        "tokenizer_config.json",
        "vocab.json",
    ] {
        place
            .file(&format!("models/cnn-fast/{file}"), std::fs::read(format!("{}/{file}", model("tiny-bart"))).unwrap());
    }
    let setup = |arguments: &[&str]| -> Ran {
        let mut command = place.command(&[&["setup"], arguments].concat());
        command.env("HF_ENDPOINT", hub.endpoint()).env("NO_PROXY", "*").env("KORTOM_MODELS", place.path("models"));
        command.stdin(Stdio::null()).output().unwrap().into()
    };
    setup(&[]).bad(2, &["needs a yes", "hint: add --yes"]);
    assert!(!place.path("huggingface/hub/models--Helsinki-NLP--opus-mt-nl-en/snapshots").exists());
    let offline = setup(&["--offline"]);
    offline.bad(2, &["kortom is offline", "`kortom models pull nl-en`", "`kortom models add FOLDER nl-en`"]);
    let fetched = setup(&["--yes"]);
    assert_eq!(fetched.code, Some(0), "{}", fetched.stderr);
    assert!(fetched.stderr.contains("nl-en (Helsinki-NLP/opus-mt-nl-en), to translate"), "{}", fetched.stderr);
    let again = setup(&[]);
    assert!(again.code == Some(0) && again.stderr.contains("nothing to do"), "{}", again.stderr);
}

#[test]
fn a_server_is_asked_whether_it_is_well() {
    for (status, code) in [("200 OK", 0), ("503 Service Unavailable", 2)] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            // To the end of the head: a connection that is closed with something unread is reset.
            let (mut asked, mut part) = (Vec::new(), [0; 1024]);
            while !asked.ends_with(b"\r\n\r\n") {
                let length = stream.read(&mut part).unwrap();
                asked.extend_from_slice(&part[..length]);
            }
            write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").unwrap();
            String::from_utf8(asked).unwrap()
        });
        let ran = Place::new().run(&["doctor", "--server", &address]);
        assert_eq!(ran.code, Some(code), "{}", ran.stderr);
        assert!(server.join().unwrap().starts_with("GET /health HTTP/1.1\r\n"));
    }
    Place::new().run(&["doctor", "--server", "127.0.0.1:1"]).bad(2, &["does not answer", "hint: look at what"]);
}
