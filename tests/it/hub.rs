//! Finding, fetching, checking and removing models, against folders, caches and a hub of our own.

use std::fs;
use std::path::{Path, PathBuf};

use kortom::hub::{Hub, HubOptions, Origin, Task};
use tempfile::TempDir;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// Surroundings of their own: an empty home, so nothing of this machine's is seen.
fn options(home: &Path) -> HubOptions {
    let mut options = HubOptions::from_lookup(|_| None, Some(home));
    options.progress = false;
    options
}

fn home() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// A folder that has every file of a Marian model, though nothing in them could be loaded.
fn model_folder(folder: &Path) {
    write(&folder.join("config.json"), br#"{"model_type": "marian", "architectures": ["MarianMTModel"]}"#);
    for file in ["model.safetensors", "source.spm", "target.spm", "vocab.json"] {
        write(&folder.join(file), file.as_bytes());
    }
}

/// A cache as Python leaves it: blobs, relative links, a ref.
#[cfg(unix)]
fn python_cache(cache: &Path, repository: &str, files: &[(&str, &[u8])]) -> PathBuf {
    let root = cache.join(format!("models--{}", repository.replace('/', "--")));
    for (index, (name, bytes)) in files.iter().enumerate() {
        let blob = format!("{index:040x}");
        write(&root.join("blobs").join(&blob), bytes);
        let link = root.join("snapshots").join(COMMIT).join(name);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(format!("../../blobs/{blob}"), link).unwrap();
    }
    write(&root.join("refs/main"), COMMIT.as_bytes());
    root
}

const MARIAN: [(&str, &[u8]); 5] = [
    ("config.json", br#"{"model_type": "marian"}"#),
    ("pytorch_model.bin", b"weights"),
    ("source.spm", b"s"),
    ("target.spm", b"t"),
    ("vocab.json", b"{}"),
];

#[test]
fn a_folder_is_a_model_and_what_it_lacks_is_named() {
    let home = home();
    let folder = home.path().join("mine");
    model_folder(&folder);
    let hub = Hub::new(options(home.path()));
    let found = hub.resolve(folder.to_str().unwrap()).unwrap();
    assert_eq!(found.origin, Origin::Folder);
    assert_eq!(found.folder.as_deref(), Some(folder.as_path()));
    fs::remove_file(folder.join("target.spm")).unwrap();
    let error = hub.resolve(folder.to_str().unwrap()).unwrap_err().to_string();
    assert!(error.contains("lacks source.spm, target.spm") && error.contains("hint:"), "{error}");
}

#[test]
fn names_that_are_no_model_say_what_would_be_one() {
    let home = home();
    let hub = Hub::new(options(home.path()));
    for (name, part) in [
        ("nonsense", "known aliases: nl-en"),
        ("./nowhere/at/all", "no such model folder"),
        ("../../etc", "no such model folder"),
        ("a/b@../../x", "not a revision"),
        ("kortom-nl-en@main", "no revisions"),
        ("nl-en", "hint: kortom models pull nl-en"),
    ] {
        let error = hub.resolve(name).unwrap_err().to_string();
        assert!(error.contains(part) && error.contains("hint:"), "{name}: {error}");
    }
    let file = home.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(hub.resolve(file.to_str().unwrap()).unwrap_err().to_string().contains("is a file"));
}

#[test]
fn the_bundled_model_needs_nothing_and_anything_installed_is_preferred() {
    let home = home();
    let mut options = options(home.path());
    options.offline = true;
    let hub = Hub::new(options.clone());
    let best = |hub: &Hub| hub.best_installed(Task::Translate, "nl", "en").unwrap();
    assert_eq!(hub.resolve("kortom-nl-en").unwrap().origin, Origin::Bundled);
    assert_eq!(best(&hub).files.name(), "kortom-nl-en");
    assert!(hub.best_installed(Task::Summarize, "en", "en").is_none());
    assert!(hub.best_installed(Task::Translate, "en", "nl").is_none());

    options.models = Some(home.path().join("models"));
    model_folder(&home.path().join("models/nl-en"));
    let hub = Hub::new(options);
    assert_eq!((best(&hub).origin, best(&hub).files.name().to_owned()), (Origin::Models, "nl-en".to_owned()));
    assert_eq!(best(&hub).entry.unwrap().alias, "nl-en");
}

#[cfg(unix)]
#[test]
fn a_cache_written_by_python_is_read_without_a_network() {
    let home = home();
    let mut options = options(home.path());
    options.offline = true;
    let root = python_cache(&options.cache, "Helsinki-NLP/opus-mt-nl-en", &MARIAN);
    let hub = Hub::new(options);
    for name in ["nl-en", "Helsinki-NLP/opus-mt-nl-en", &format!("Helsinki-NLP/opus-mt-nl-en@{COMMIT}"), "nl-en@main"] {
        let found = hub.resolve(name).unwrap();
        assert_eq!(found.origin, Origin::Cache, "{name}");
        assert_eq!(found.files.full_name(), format!("Helsinki-NLP/opus-mt-nl-en@{COMMIT}"));
        assert_eq!(&*found.files.read("pytorch_model.bin").unwrap(), b"weights");
        assert_eq!(found.entry.is_some(), name.starts_with("nl-en"), "{name}");
    }
    assert_eq!(hub.best_installed(Task::Translate, "nl", "en").unwrap().origin, Origin::Cache);

    fs::remove_file(root.join("blobs").join(format!("{:040x}", 1))).unwrap();
    let error = hub.resolve("nl-en").unwrap_err().to_string();
    assert!(error.contains("lacks model.safetensors or pytorch_model.bin") && error.contains("offline"), "{error}");
    assert_eq!(hub.best_installed(Task::Translate, "nl", "en").unwrap().origin, Origin::Bundled);
}
