//! From an empty cache to a digest: `models pull` of a translation and of a summary model, in the layout of the published
//! ones, then `digest` without any option.

use std::process::{Command, Stdio};

use serde_json::Value;

use super::assembled::Assembled;
use crate::cli::{Place, Ran};
use crate::fake_hub::{FakeHub, Setup};

const TRANSLATION: &str = "Helsinki-NLP/opus-mt-nl-en";
const SUMMARY: &str = "sshleifer/distilbart-cnn-12-6";

fn borrowed(files: &[(String, Vec<u8>)]) -> Vec<(&str, &[u8])> {
    files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect()
}

fn hub() -> FakeHub {
    let (translation, summary) = (Assembled::new("nl-en").files(), Assembled::new("cnn-fast").files());
    let setup = Setup::new(TRANSLATION, &borrowed(&translation)).and(SUMMARY, &borrowed(&summary));
    setup.license("apache-2.0").start(0)
}

fn command(hub: &FakeHub, place: &Place, arguments: &[&str]) -> Command {
    let mut command = place.command(arguments);
    command.env("HF_ENDPOINT", hub.endpoint()).env("NO_PROXY", "*").stdin(Stdio::null());
    command
}

#[test]
fn two_pulls_and_a_digest() {
    let (place, hub) = (Place::new(), hub());
    let run = |arguments: &[&str]| Ran::from(command(&hub, &place, arguments).output().unwrap());
    run(&["models", "pull", "nl-en"]).good();
    run(&["models", "pull", "cnn-fast"]).good();
    let asked = hub.asked("GET", "").len();
    place.file("article.txt", crate::cli::ARTICLE);
    assert!(!run(&["digest", "article.txt"]).good().trim().is_empty());
    let digest: Value = serde_json::from_str(&run(&["digest", "article.txt", "--format", "json"]).good()).unwrap();
    let digest = &digest[0];
    assert_eq!(digest["method"], "abstractive", "{digest}");
    assert!(!digest["summary"].as_str().unwrap().trim().is_empty(), "{digest}");
    let models = digest["models"].to_string();
    assert!(models.contains(TRANSLATION) && models.contains(SUMMARY), "{models}");
    assert_eq!(hub.asked("GET", "").len(), asked, "what is whole in the cache needs no hub");
    let list: Value = serde_json::from_str(&run(&["models", "list", "--format", "json"]).good()).unwrap();
    assert_eq!((&list["chosen"]["translate"], &list["chosen"]["summarize"]), (&"nl-en".into(), &"cnn-fast".into()));
}
