//! A server has a memory only where it is told so.

use serde_json::json;

use super::count;
use crate::cli::{ARTICLE, Place};
use crate::serve::Server;

#[test]
fn a_server_uses_a_memory_only_when_told() {
    let place = Place::new();
    let file = place.path("set");
    place.file("config/kortom/config.toml", format!("memory = '{}'\n", file.display()));
    let server = Server::start_in(place, &[]);
    let fresh = server.json("/digest", &json!({ "q": ARTICLE })).good();
    assert!(!file.exists() && !server.get("/metrics").body.contains("memory"));
    drop(server);

    let place = Place::new();
    let memory = place.path("memory");
    place.file("a.tsv", "Het regent.\tIt pours.\n");
    place.run(&["memory", "import", "a.tsv", "--memory", "memory"]).good();
    let server = Server::start_in(place, &["--memory", memory.to_str().unwrap()]);
    for known in [false, true] {
        let mut report = server.json("/digest", &json!({ "q": ARTICLE })).good();
        let segments = report["segments"].as_array_mut().unwrap();
        assert!(segments.iter().all(|segment| (segment["from"] == "memory") == known), "{segments:?}");
        for segment in segments {
            segment.as_object_mut().unwrap().remove("from");
        }
        assert_eq!(report, fresh);
    }
    assert!(count(&memory, "kept") >= 4);
    let metrics = server.get("/metrics").body;
    let metric = |name: &str| -> u64 {
        let line = metrics.lines().find_map(|line| line.strip_prefix(&format!("kortom_memory_{name} ")));
        line.unwrap_or_else(|| panic!("no `{name}` in {metrics}")).parse().unwrap()
    };
    let sentences = fresh["segments"].as_array().unwrap().len() as u64;
    assert_eq!((metric("misses_total"), metric("hits_total")), (sentences, sentences));
    assert_eq!(metric("corrections_total"), 0);
    assert!(metric("bytes") > 4096, "{metrics}");
    let events = server.events("/digest", &json!({ "q": format!("{ARTICLE} Dit is nieuw.") }));
    let sent = events.iter().filter(|(name, _)| name == "segment").count();
    let whole = &events.iter().find(|(name, _)| name == "start").unwrap().1["segments"];
    assert_eq!(whole, sent, "each sentence is sent once");
    let asked = json!({ "q": "Het regent. De zon schijnt.", "source": "nl", "target": "en", "alternatives": 2 });
    let answer = server.json("/translate", &asked).good();
    assert!(answer["translatedText"].as_str().unwrap().starts_with("It pours. "), "{answer}");
    assert!(server.get("/metrics").body.contains("\nkortom_memory_corrections_total 1\n"));
}
