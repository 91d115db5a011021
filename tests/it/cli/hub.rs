//! `kortom models` as a person or a script uses it, against a hub on the loopback address.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::{Place, Ran};
use crate::fake_hub::{COMMIT, FakeHub, Fault, Setup, sha256};

const NAME: &str = "iemand/nl-en";

/// The bundled model, as a repository of a hub.
struct Served {
    files: Vec<(String, Vec<u8>)>,
    hub: FakeHub,
}

impl Served {
    fn start() -> Self {
        Self::with(|setup| setup)
    }

    fn with(change: impl FnOnce(Setup) -> Setup) -> Self {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/models/kortom-nl-en");
        // The training log is no file of the model.
        let entries =
            std::fs::read_dir(folder).unwrap().map(Result::unwrap).filter(|entry| entry.file_name() != "TRAINING.md");
        let read =
            |entry: std::fs::DirEntry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap());
        let files: Vec<_> = entries.map(read).collect();
        let borrowed: Vec<_> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
        let hub = change(Setup::new(NAME, &borrowed)).start(0);
        Self { files, hub }
    }

    /// The path of the largest file in the hub's store.
    fn largest(&self) -> String {
        let largest = self.files.iter().map(|(_, bytes)| bytes).max_by_key(|bytes| bytes.len()).unwrap();
        sha256(largest)
    }

    /// A command that finds this hub.
    fn command(&self, place: &Place, arguments: &[&str]) -> Command {
        let mut command = place.command(arguments);
        command.env("HF_ENDPOINT", self.hub.endpoint()).env("NO_PROXY", "*");
        command
    }

    fn run(&self, place: &Place, arguments: &[&str]) -> Ran {
        self.command(place, arguments).stdin(Stdio::null()).output().unwrap().into()
    }

    fn json(&self, place: &Place, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.run(place, &[arguments, &["--format", "json"]].concat()).good()).unwrap()
    }
}

#[test]
fn a_model_is_looked_at_fetched_used_and_removed() {
    let (place, served) = (Place::new(), Served::start());
    let size: u64 = served.files.iter().map(|(_, bytes)| bytes.len() as u64).sum();
    let plan = served.run(&place, &["models", "pull", NAME, "--dry-run"]).good();
    let told = format!("{}.{:02} MB to fetch", size / 1_000_000, size % 1_000_000 / 10_000);
    assert!(plan.contains("model-00001-of-00003.safetensors") && plan.contains(&told), "{plan}");
    let plan = served.json(&place, &["models", "pull", NAME, "--dry-run"]);
    let sizes = plan["files"].as_array().unwrap().iter().map(|file| file["size"].as_u64().unwrap());
    assert_eq!((sizes.sum::<u64>(), &plan["commit"]), (size, &COMMIT.into()));
    assert!(!place.path("huggingface").exists(), "looking writes nothing");

    let pulled = served.json(&place, &["models", "pull", NAME]);
    let folder = pulled["folder"].as_str().unwrap();
    assert_eq!(served.json(&place, &["models", "path", NAME])["folder"], folder);
    assert_eq!(served.run(&place, &["models", "path", NAME]).good(), format!("{folder}\n"));
    let list = served.json(&place, &["models", "list"]);
    let installed = &list["installed"][0];
    assert_eq!(
        (&installed["name"], &installed["size"], &installed["revision"]),
        (&NAME.into(), &size.into(), &COMMIT.into())
    );
    assert_eq!(list["chosen"]["translate"], "kortom-nl-en");
    let shown = served.json(&place, &["models", "show", NAME]);
    assert_eq!((&shown["usable"], &shown["facts"]["architecture"]), (&true.into(), &"MarianMTModel".into()));
    assert!(shown["settings"].as_array().unwrap().iter().any(|setting| setting["name"] == "num_beams"));
    let asked = served.hub.asked("GET", "").len();
    let article = ["translate", "a.txt", "--quiet"];
    place.file("a.txt", super::ARTICLE);
    let by_pulled = served.run(&place, &[&article[..], &["--model", NAME]].concat()).good();
    assert_eq!(by_pulled, place.run(&article).good());
    assert_eq!(served.hub.asked("GET", "").len(), asked, "what is whole in the cache needs no hub");

    let removed =
        served.run(&place, &["models", "rm", NAME]).bad(2, &["needs a yes", "Python's transformers", "--yes"]);
    assert!(removed.stdout.is_empty());
    // Two files of one content are one blob; the ref goes too.
    let blobs: BTreeMap<_, _> = served.files.iter().map(|(_, bytes)| (bytes, bytes.len() as u64)).collect();
    assert_eq!(
        served.json(&place, &["models", "rm", NAME, "--yes"])["size"],
        blobs.values().sum::<u64>() + COMMIT.len() as u64
    );
    assert_eq!(served.json(&place, &["models", "list"])["installed"].as_array().unwrap().len(), 1);
}

#[test]
fn damage_is_found_told_and_mended() {
    let (place, served) = (Place::new(), Served::start());
    served.run(&place, &["models", "pull", NAME, "--quiet"]).good();
    let verdicts = |verified: &Value| -> Vec<String> {
        let files = verified[0]["files"].as_array().unwrap();
        files.iter().map(|file| file["verdict"].as_str().unwrap().to_owned()).collect()
    };
    assert!(verdicts(&served.json(&place, &["models", "verify"])).iter().all(|verdict| verdict == "right"));
    let folder = served.run(&place, &["models", "path", NAME]).good();
    let vocabulary = std::path::Path::new(folder.trim()).join("vocab.json");
    std::fs::write(std::fs::canonicalize(&vocabulary).unwrap(), "{}").unwrap();
    let found = served.run(&place, &["models", "verify", NAME]);
    let found = found.bad(1, &["is damaged", "hint: kortom models pull iemand/nl-en"]);
    assert!(found.stdout.contains("CHANGED"), "{}", found.stdout);
    served.run(&place, &["models", "pull", NAME, "--quiet"]).good();
    assert!(verdicts(&served.json(&place, &["models", "verify", NAME])).iter().all(|verdict| verdict == "right"));
}

#[test]
fn a_pull_that_is_killed_goes_on_where_it_was() {
    let (place, served) = (Place::new(), Served::start());
    served.hub.fault("GET", &served.largest(), Fault::Stall(1_000_000, Duration::from_mins(1)));
    let mut child = served.command(&place, &["models", "pull", NAME, "--quiet"]).spawn().unwrap();
    let blobs = place.path("huggingface/hub/models--iemand--nl-en/blobs");
    let part = blobs.join(format!("{}.incomplete", served.largest()));
    while part.metadata().map_or(0, |part| part.len()) < 1_000_000 {
        std::thread::sleep(Duration::from_millis(10));
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    served.run(&place, &["translate", "--model", NAME, "--offline"]).bad(2, &["is not installed"]);

    served.run(&place, &["models", "pull", NAME]).good();
    let ranges = served.hub.asked("GET", &served.largest());
    assert_eq!(ranges.len(), 2);
    assert_eq!(ranges[1].headers["range"], "bytes=1000000-");
    assert!(!part.exists());
    let verified = served.run(&place, &["models", "verify", NAME]).good();
    assert_eq!(verified.matches("right").count(), served.files.len(), "{verified}");
}

#[test]
fn a_licence_that_forbids_commerce_is_accepted_in_so_many_words() {
    let (place, served) = (Place::new(), Served::with(|setup| setup.license("cc-by-nc-4.0")));
    let said = ["(cc-by-nc-4.0) forbids commercial use", "kortom models pull iemand/nl-en --accept-license"];
    served.run(&place, &["models", "pull", NAME]).bad(2, &said);
    served.run(&place, &["translate", "--model", NAME]).bad(2, &said);
    served.run(&place, &["models", "pull", NAME, "--accept-license"]).good();
}

/// What a command gives when no file of it may grow beyond so many blocks of 1024 bytes, as on a disk that is full.
#[cfg(target_os = "linux")]
fn confined(command: &Command, blocks: u32) -> Ran {
    let mut shell = Command::new("bash");
    shell.args(["-c", &format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\""), "bash"]);
    shell.arg(command.get_program()).args(command.get_args()).current_dir(command.get_current_dir().unwrap());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell.stdin(Stdio::null()).output().unwrap().into()
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_fills_up_spoils_nothing() {
    let (place, served) = (Place::new(), Served::start());
    let pull = served.command(&place, &["models", "pull", NAME]);
    confined(&pull, 2000).bad(2, &["cannot write", "hint: make room", "what was fetched is kept"]);
    let half = served.json(&place, &["models", "list"])["installed"][0].clone();
    assert!(!half["missing"].as_array().unwrap().is_empty(), "{half}");
    served.run(&place, &["models", "pull", NAME]).good();
    let asked = served.hub.asked("GET", "");
    let mut ranges = asked.iter().filter_map(|asked| asked.headers.get("range")).peekable();
    assert!(ranges.peek().is_some() && ranges.all(|range| range == "bytes=2048000-"), "what was begun is gone on with");

    place.file("in/long.txt", "Het regent.\n\n".repeat(2000)).file("in/short.txt", "De zon schijnt.");
    let translate = place.command(&["translate", "in", "--output", "out"]);
    confined(&translate, 8).bad(1, &["`in/long.txt`: cannot write", "hint: make room", "1 failed, 1 done"]);
    assert_eq!(super::visible(&place.path("out")), ["short.txt"]);
    assert!(!place.path("out/.long.txt.part").exists());
}

/// How many sockets a command opens; none when strace cannot be used.
#[cfg(target_os = "linux")]
fn sockets(command: &Command, code: i32) -> Option<usize> {
    let trace = tempfile::NamedTempFile::new().unwrap();
    let mut strace = Command::new("strace");
    strace.args(["-f", "-e", "trace=socket,socketpair,connect", "-o"]).arg(trace.path());
    strace.arg(command.get_program()).args(command.get_args()).current_dir(command.get_current_dir().unwrap());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => strace.env(name, value),
            None => strace.env_remove(name),
        };
    }
    let ran = Ran::from(strace.stdin(Stdio::null()).output().ok()?);
    let counted = std::fs::read_to_string(trace.path()).unwrap();
    // A strace that may not trace says so and writes nothing.
    (!counted.is_empty()).then(|| {
        assert_eq!(ran.code, Some(code), "{}", ran.stderr);
        counted.lines().filter(|line| line.contains("socket")).count()
    })
}

#[cfg(target_os = "linux")]
#[test]
fn no_command_opens_a_socket_without_need() {
    let (place, served) = (Place::new(), Served::start());
    if sockets(&served.command(&place, &["models", "pull", NAME]), 0).is_none_or(|sockets| sockets == 0) {
        eprintln!("strace cannot be used here, so sockets are not counted");
        return;
    }
    place.file("a.txt", super::ARTICLE);
    let without: [(&[&str], i32); 9] = [
        (&["digest", "a.txt"], 0),
        (&["translate", "a.txt", "--model", NAME], 0),
        (&["translate", "a.txt", "--model", NAME, "--offline"], 0),
        (&["translate", "a.txt", "--model", "gone/model", "--offline"], 2),
        (&["models", "pull", NAME, "--offline"], 2),
        (&["models", "list"], 0),
        (&["models", "show", "nl-en"], 0),
        (&["models", "verify"], 0),
        (&["config", "show"], 0),
    ];
    for (arguments, code) in without {
        assert_eq!(sockets(&served.command(&place, arguments), code), Some(0), "{arguments:?}");
    }
    let mut forbidden = served.command(&place, &["models", "pull", NAME]);
    assert_eq!(sockets(forbidden.env("HF_HUB_OFFLINE", "1"), 2), Some(0));
}

#[test]
fn what_the_catalogue_says_of_a_model_is_in_effect() {
    let place = Place::new();
    let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    for (alias, fixture) in [("cnn-fast", "tiny-bart"), ("flan", "tiny-t5"), ("xsum", "tiny-bart")] {
        for entry in std::fs::read_dir(fixtures.join(fixture)).unwrap().map(Result::unwrap) {
            let name = format!("models/{alias}/{}", entry.file_name().to_str().unwrap());
            place.file(&name, std::fs::read(entry.path()).unwrap());
        }
    }
    let setting = |alias: &str, name: &str| {
        let mut command = place.command(&["models", "show", alias, "--format", "json"]);
        command.env("KORTOM_MODELS", place.path("models"));
        let shown: Value = serde_json::from_str(&Ran::from(command.output().unwrap()).good()).unwrap();
        let found = shown["settings"].as_array().unwrap().iter().find(|setting| setting["name"] == name).cloned();
        found.map(|setting| (setting["value"].clone(), setting["origin"].as_str().unwrap().to_owned()))
    };
    assert_eq!(setting("cnn-fast", "num_beams").unwrap(), (2.into(), "catalogue".to_owned()));
    assert_ne!(setting("xsum", "num_beams").unwrap().1, "catalogue");
    assert_eq!(setting("flan", "prefix").unwrap().0, "summarize: ");
    assert!(setting("xsum", "prefix").is_none());
}
