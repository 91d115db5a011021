//! Finding, fetching, checking and removing models, against folders, caches and a hub of our own.

use std::fs;
use std::path::{Path, PathBuf};

use std::time::Duration;

use kortom::hub::{Hub, HubOptions, ModelTask, Origin, Verdict};
use tempfile::TempDir;

use crate::fake_hub::{self, Asked, FakeHub, Fault, Setup, sha256};

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
    assert!(error.contains("it lacks target.spm\n") && error.contains("hint:"), "{error}");
}

#[test]
fn names_that_are_no_model_say_what_would_be_one() {
    let home = home();
    let hub = Hub::new(options(home.path()));
    for (name, part) in [
        ("nonsense", "known aliases: nl-en"),
        ("./nowhere/at/all", "no such model folder"),
        ("../../no/such/folder", "no such model folder"),
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
    let best = |hub: &Hub| hub.best_installed(ModelTask::Translate, "nl", "en").unwrap();
    assert_eq!(hub.resolve("kortom-nl-en").unwrap().origin, Origin::Bundled);
    assert_eq!(best(&hub).files.name(), "kortom-nl-en");
    assert!(hub.best_installed(ModelTask::Summarize, "en", "en").is_none());
    assert!(hub.best_installed(ModelTask::Translate, "en", "nl").is_none());

    options.models = Some(home.path().join("models"));
    model_folder(&home.path().join("models/nl-en"));
    let hub = Hub::new(options);
    assert_eq!((best(&hub).origin, best(&hub).files.name().to_owned()), (Origin::Models, "nl-en".to_owned()));
    assert_eq!(best(&hub).entry.unwrap().alias, "nl-en");
}

#[cfg(unix)]
#[test]
fn a_folder_that_is_added_is_a_model_of_the_cache() {
    let (home, elsewhere, third) = (home(), home(), home());
    let folder = elsewhere.path().join("een map/opus-mt-nl-en");
    model_folder(&folder);
    write(&folder.join("rust_model.ot"), b"of another framework");
    let hub = Hub::new(options(home.path()));
    // The catalogue has a repository of this name.
    let added = hub.add(&folder, None).unwrap();
    assert_eq!(added.entry.unwrap().alias, "nl-en");
    fs::remove_dir_all(&folder).unwrap();
    let found = hub.best_installed(ModelTask::Translate, "nl", "en").unwrap();
    assert_eq!((found.origin, &found.folder), (Origin::Cache, &added.folder));
    assert!(found.files.has("model.safetensors") && !found.files.has("rust_model.ot"));
    assert!(hub.verify("nl-en").unwrap().iter().all(|file| file.verdict == Verdict::Right));

    // From one cache into another, where it has the same commit.
    let repository = hub.options().cache.join("models--Helsinki-NLP--opus-mt-nl-en");
    let again = Hub::new(options(third.path())).add(&repository, None).unwrap();
    assert_eq!(again.files.full_name(), added.files.full_name());
    let error = hub.add(&repository, None).unwrap_err().to_string();
    assert!(error.contains("installed already") && error.contains("kortom models rm"), "{error}");
}

#[test]
fn a_folder_without_a_name_or_a_whole_model_is_not_added() {
    let (home, elsewhere) = (home(), home());
    let hub = Hub::new(options(home.path()));
    let folder = elsewhere.path().join("mine");
    model_folder(&folder);
    let error = |name: Option<&str>| hub.add(&folder, name).unwrap_err().to_string();
    assert!(error(None).contains("it is not known which model"), "{}", error(None));
    assert!(error(Some("kortom-nl-en")).contains("is part of kortom"));
    assert!(error(Some("a/../b")).contains("is not the name of a repository"));
    fs::remove_file(folder.join("vocab.json")).unwrap();
    assert!(error(Some("piet/mine")).contains("it lacks vocab.json"), "{}", error(Some("piet/mine")));
    assert!(!hub.options().cache.exists(), "what is refused leaves nothing");
    write(&folder.join("vocab.json"), b"{}");
    assert!(hub.add(&folder, Some("piet/mine@v1")).unwrap().entry.is_none());
    assert!(hub.installed("piet/mine").unwrap().is_none());
    assert_eq!(hub.installed("piet/mine@v1").unwrap().unwrap().origin, Origin::Cache);
    assert!(hub.add(&elsewhere.path().join("nowhere"), None).unwrap_err().to_string().contains("cannot read"));
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
    assert_eq!(hub.best_installed(ModelTask::Translate, "nl", "en").unwrap().origin, Origin::Cache);

    fs::remove_file(root.join("blobs").join(format!("{:040x}", 1))).unwrap();
    let error = hub.resolve("nl-en").unwrap_err().to_string();
    assert!(error.contains("lacks model.safetensors or pytorch_model.bin") && error.contains("offline"), "{error}");
    assert_eq!(hub.best_installed(ModelTask::Translate, "nl", "en").unwrap().origin, Origin::Bundled);
}

const NAME: &str = "iemand/nl-en";

/// Bytes that differ from place to place, so that a wrong join shows.
fn weights() -> Vec<u8> {
    (0..300_000_u32).flat_map(|i| (i.wrapping_mul(2_654_435_761) >> 8).to_le_bytes()).collect()
}

fn setup(weights: &[u8]) -> Setup {
    let mut files = MARIAN.to_vec();
    files[1].1 = weights;
    files.extend([("rust_model.ot", b"o".as_slice()), ("tf_model.h5", b"h"), ("README.md", b"# A model")]);
    Setup::new(NAME, &files)
}

/// A home and a hub client that reaches `server` and does not pause between attempts.
fn client(server: &FakeHub) -> (TempDir, HubOptions) {
    let home = home();
    let mut options = options(home.path());
    options.endpoint = server.endpoint();
    options.backoff = Duration::from_millis(1);
    // Long, so that a busy machine is not taken for a silent server.
    options.timeout = Duration::from_mins(1);
    (home, options)
}

fn error_of<T>(result: anyhow::Result<T>) -> String {
    let error = result.err().expect("an error").to_string();
    assert!(error.contains("\nhint: "), "no hint: {error}");
    error
}

/// Every file in the cache that is not the finished download of something.
fn leftovers(options: &HubOptions) -> Vec<PathBuf> {
    let files = walkdir::WalkDir::new(&options.cache).into_iter().filter_map(Result::ok);
    files.map(walkdir::DirEntry::into_path).filter(|path| path.extension().is_some_and(|e| e == "incomplete")).collect()
}

#[test]
fn a_repository_is_pulled_into_the_layout_python_reads() {
    let weights = weights();
    let server = setup(&weights).start(0);
    let (_home, mut options) = client(&server);
    let hub = Hub::new(options.clone());
    let (plan, pulled) = hub.pull(NAME, false).unwrap();
    assert_eq!(plan.remaining(), plan.size());
    assert_eq!(&*pulled.files.read("pytorch_model.bin").unwrap(), weights);
    let names: Vec<&str> = pulled.files.names().collect();
    assert_eq!(names, ["README.md", "config.json", "pytorch_model.bin", "source.spm", "target.spm", "vocab.json"]);
    let root = options.cache.join("models--iemand--nl-en");
    assert_eq!(fs::read_to_string(root.join("refs/main")).unwrap(), fake_hub::COMMIT);
    let link = root.join("snapshots").join(fake_hub::COMMIT).join("pytorch_model.bin");
    #[cfg(unix)]
    assert_eq!(fs::read_link(&link).unwrap(), Path::new("../../blobs").join(sha256(&weights)));
    assert!(link.is_file() && leftovers(&options).is_empty());

    // Whole in the cache, it is used without a word to anyone, and offline too.
    let before = server.asked("GET", "").len() + server.asked("HEAD", "").len();
    assert_eq!(hub.resolve(NAME).unwrap().origin, Origin::Cache);
    options.offline = true;
    assert_eq!(Hub::new(options).resolve(NAME).unwrap().files.full_name(), format!("{NAME}@{}", fake_hub::COMMIT));
    assert_eq!(server.asked("GET", "").len() + server.asked("HEAD", "").len(), before);

    // Pulled again, nothing is fetched but the description.
    let fetched = server.asked("GET", "/store/").len();
    assert_eq!(hub.pull(NAME, false).unwrap().0.remaining(), 0);
    assert_eq!(server.asked("GET", "/store/").len(), fetched);
}

#[test]
fn a_full_name_is_fetched_when_it_is_used_and_an_alias_is_not() {
    let server = setup(&weights()).start(0);
    let (_home, options) = client(&server);
    let hub = Hub::new(options);
    assert!(error_of(hub.resolve("nl-en")).contains("kortom models pull nl-en"));
    assert!(server.asked("GET", "").is_empty());
    assert_eq!(hub.resolve(NAME).unwrap().origin, Origin::Downloaded);
    assert_eq!(hub.resolve(&format!("{NAME}@{}", fake_hub::COMMIT)).unwrap().origin, Origin::Cache);
}

#[test]
fn the_token_stays_with_the_endpoint() {
    let server = setup(&weights()).private("hf_secret").start(0);
    let (_home, mut options) = client(&server);
    let error = error_of(Hub::new(options.clone()).pull(NAME, false));
    assert!(error.contains("no such repository") && error.contains("HF_TOKEN"), "{error}");
    options.token = Some("hf_secret".to_owned());
    Hub::new(options).pull(NAME, false).unwrap();
    let stored = server.asked("GET", "/store/");
    assert_eq!(stored.len(), 1);
    assert!(stored[0].headers["host"].starts_with("localhost:"));
    assert!(stored.iter().all(|asked| !asked.headers.contains_key("authorization")));
    assert!(server.asked("HEAD", "config.json")[0].headers.contains_key("authorization"));
}

#[test]
fn a_broken_transfer_goes_on_where_it_stopped() {
    let weights = weights();
    let server = setup(&weights).start(0);
    let (_home, options) = client(&server);
    server.fault("GET", "/store/", Fault::Cut(400_000));
    server.fault("GET", "/store/", Fault::Cut(300_000));
    let (_, pulled) = Hub::new(options).pull(NAME, false).unwrap();
    assert_eq!(&*pulled.files.read("pytorch_model.bin").unwrap(), weights);
    assert_eq!(ranges(&server), ["", "bytes=400000-", "bytes=700000-"]);
}

#[test]
fn a_server_that_falls_silent_is_left_and_asked_for_the_rest() {
    let weights = weights();
    let server = setup(&weights).start(0);
    let (_home, mut options) = client(&server);
    options.timeout = Duration::from_secs(2);
    server.fault("GET", "/store/", Fault::Stall(400_000, Duration::from_mins(1)));
    let (_, pulled) = Hub::new(options).pull(NAME, false).unwrap();
    assert_eq!(&*pulled.files.read("pytorch_model.bin").unwrap(), weights);
    // On a busy machine more than the one silence may be met; each time the rest is asked for, never all of it again.
    let ranges = ranges(&server);
    assert!(ranges.len() > 1 && ranges[1..].iter().all(|range| range.starts_with("bytes=")), "{ranges:?}");
}

/// The ranges that were asked of the store, empty for the whole file.
fn ranges(server: &FakeHub) -> Vec<String> {
    let asked = server.asked("GET", "/store/");
    asked.iter().map(|asked| asked.headers.get("range").cloned().unwrap_or_default()).collect()
}

#[test]
fn what_an_earlier_try_left_is_used_and_what_it_spoiled_is_not() {
    let weights = weights();
    for (part, ranges) in [(weights[..500_000].to_vec(), 1), (vec![7; 500_000], 2), (vec![7; 2_000_000], 1)] {
        let server = setup(&weights).start(0);
        let (_home, options) = client(&server);
        let blob = options.cache.join("models--iemand--nl-en/blobs").join(format!("{}.incomplete", sha256(&weights)));
        write(&blob, &part);
        let (plan, pulled) = Hub::new(options.clone()).pull(NAME, false).unwrap();
        assert_eq!(&*pulled.files.read("pytorch_model.bin").unwrap(), weights);
        assert!(plan.remaining() < plan.size());
        assert_eq!(server.asked("GET", "/store/").len(), ranges);
        assert!(leftovers(&options).is_empty());
    }
}

#[test]
fn a_server_without_ranges_costs_a_new_start_and_no_wrong_file() {
    let weights = weights();
    let server = setup(&weights).start(0);
    let (_home, options) = client(&server);
    server.fault("GET", "/store/", Fault::Cut(400_000));
    server.fault("GET", "/store/", Fault::NoRange);
    let (_, pulled) = Hub::new(options.clone()).pull(NAME, false).unwrap();
    assert_eq!(&*pulled.files.read("pytorch_model.bin").unwrap(), weights);

    // One that always breaks at the same place is given up, and what came is kept.
    let server = setup(&weights).start(0);
    let (_home, options) = client(&server);
    for _ in 0..40 {
        server.fault("GET", "/store/", Fault::Cut(0));
    }
    assert!(error_of(Hub::new(options).pull(NAME, false)).contains("connection breaks"));
    assert_eq!(server.asked("GET", "/store/").len(), 5);
}

#[test]
fn wrong_bytes_are_removed() {
    let weights = weights();
    let server = setup(&weights).start(0);
    let (_home, options) = client(&server);
    let hub = Hub::new(options.clone());
    server.fault("GET", "/store/", Fault::WrongBytes);
    let error = error_of(hub.pull(NAME, false));
    assert!(error.contains("`pytorch_model.bin`") && error.contains("removed"), "{error}");
    assert!(leftovers(&options).is_empty());
    assert!(hub.installed(NAME).unwrap().is_none());
    assert!(!options.cache.join("models--iemand--nl-en/refs/main").exists());

    // Small files have git's hash, and are checked too.
    let (_home, options) = client(&server);
    server.fault("GET", "vocab.json", Fault::WrongBytes);
    assert!(error_of(Hub::new(options).pull(NAME, false)).contains("`vocab.json`"));
}

#[test]
fn a_busy_or_faulty_hub_is_asked_again_and_not_forever() {
    let server = setup(&weights()).start(0);
    let (_home, options) = client(&server);
    let hub = Hub::new(options);
    server.fault("GET", "/api/", Fault::Status(429, "retry-after: 0\r\n"));
    server.fault("HEAD", "config.json", Fault::Status(503, ""));
    server.fault("GET", "/store/", Fault::Status(500, ""));
    server.fault("GET", "vocab.json", Fault::Status(429, "ratelimit: \"resolvers\";r=0;t=0\r\n"));
    hub.pull(NAME, false).unwrap();
    assert_eq!(server.asked("GET", "/api/").len(), 2);
    assert_eq!(server.asked("GET", "vocab.json").len(), 2);

    for (fault, part) in [(Fault::Status(500, ""), "status 500"), (Fault::Status(429, ""), "429")] {
        let before = server.asked("GET", "/api/").len();
        for _ in 0..5 {
            server.fault("GET", "/api/", fault.clone());
        }
        assert!(error_of(hub.pull(NAME, false)).contains(part));
        assert_eq!(server.asked("GET", "/api/").len() - before, 5);
    }
    // A pause of an hour is told, not slept.
    server.fault("GET", "/api/", Fault::Status(429, "retry-after: 3600\r\n"));
    assert!(error_of(hub.pull(NAME, false)).contains("in 3600 seconds"));
    server.fault("GET", "/api/", Fault::Status(429, "ratelimit: \"api\";r=0;t=2900\r\n"));
    assert!(error_of(hub.pull(NAME, false)).contains("in 2900 seconds"));
}

/// The time that an answer may take to begin is not the time that its body may take.
#[test]
fn a_body_that_takes_longer_than_the_patience_arrives() {
    let server = setup(&weights()).start(0);
    let (_home, mut options) = client(&server);
    options.timeout = Duration::from_millis(1500);
    server.fault("GET", "/store/", Fault::Slow(10, Duration::from_millis(200)));
    Hub::new(options).pull(NAME, false).unwrap();
    assert_eq!(server.asked("GET", "/store/").len(), 1);
}

#[test]
fn each_refusal_says_what_it_means() {
    let server = setup(&weights()).start(0);
    let (_home, options) = client(&server);
    let hub = Hub::new(options.clone());
    let gated = "x-error-code: GatedRepo\r\n";
    for (fault, part) in [
        (Fault::Status(401, gated), "is gated"),
        (Fault::Status(403, gated), "is gated"),
        (Fault::Status(403, "x-error-message: no entry\r\n"), "forbids access to `iemand/nl-en`: no entry"),
        (Fault::Status(404, ""), "no such repository"),
        (Fault::Status(418, ""), "status 418"),
        (Fault::SignIn, "sign-in page"),
    ] {
        server.fault("GET", "/api/", fault);
        let error = error_of(hub.pull(NAME, false));
        assert!(error.contains(part), "{error}");
    }
    assert!(error_of(hub.pull("nobody/nothing", false)).contains("no such repository `nobody/nothing`"));
    assert!(error_of(hub.pull(&format!("{NAME}@elsewhere"), false)).contains("no revision `elsewhere`"));
    assert!(error_of(hub.pull("kortom-nl-en", false)).contains("nothing to fetch"));
    assert!(error_of(hub.pull("nonsense", false)).contains("no such model"));

    let mut with_token = options.clone();
    with_token.token = Some("old".to_owned());
    server.fault(
        "GET",
        "/api/",
        Fault::Status(401, "x-error-message: Invalid credentials in Authorization header\r\n"),
    );
    assert!(error_of(Hub::new(with_token).pull(NAME, false)).contains("refuses the access token"));

    let mut nowhere = options;
    nowhere.endpoint = "http://127.0.0.1:1".to_owned();
    assert!(error_of(Hub::new(nowhere.clone()).pull(NAME, false)).contains("cannot reach `127.0.0.1`"));
    nowhere.endpoint = "not an address".to_owned();
    assert!(error_of(Hub::new(nowhere).pull(NAME, false)).contains("HF_ENDPOINT"));
}

#[test]
fn a_model_the_disk_has_no_room_for_is_not_begun() {
    let server = setup(&weights()).claimed_size(1 << 60).start(0);
    let (_home, options) = client(&server);
    let error = error_of(Hub::new(options.clone()).pull(NAME, false));
    assert!(error.contains("not enough space"), "{error}");
    assert!(server.asked("GET", "/store/").is_empty() && !options.cache.exists());
}

#[test]
fn a_non_commercial_licence_has_to_be_accepted() {
    let server = setup(&weights()).license("CC-BY-NC-4.0").start(0);
    let (_home, options) = client(&server);
    let hub = Hub::new(options);
    for refused in [error_of(hub.pull(NAME, false)), error_of(hub.resolve(NAME))] {
        assert!(refused.contains("cc-by-nc-4.0") && refused.contains("--accept-license"), "{refused}");
    }
    assert!(server.asked("GET", "/store/").is_empty());
    hub.pull(NAME, true).unwrap();
    hub.resolve(NAME).unwrap();
}

#[test]
fn a_plan_fetches_nothing() {
    let weights = weights();
    let server = setup(&weights).license("mit").start(0);
    let (_home, options) = client(&server);
    let plan = Hub::new(options.clone()).plan(NAME).unwrap();
    assert_eq!(plan.license.as_deref(), Some("mit"));
    let last = plan.files.last().unwrap();
    assert_eq!((last.name.as_str(), last.size, last.present), ("pytorch_model.bin", weights.len() as u64, 0));
    assert!(!options.cache.exists());
}

#[test]
fn a_proxy_is_used_unless_the_host_is_excepted() {
    let server = setup(&weights()).start(0);
    let (_home, mut options) = client(&server);
    options.endpoint = "http://hub.invalid".to_owned();
    options.proxies.http = Some(server.endpoint());
    // The store is on `localhost`, which is reached directly.
    options.proxies.except = Some("localhost".to_owned());
    Hub::new(options.clone()).pull(NAME, false).unwrap();
    let through = server.asked("CONNECT", "");
    assert!(!through.is_empty() && through.iter().all(|asked| asked.path == "hub.invalid:80"));
    assert_eq!(server.asked("GET", "/store/").len(), 1);

    server.fault("CONNECT", "", Fault::Status(403, ""));
    let error = error_of(Hub::new(options.clone()).pull(NAME, false));
    assert!(error.contains("proxy does not let us through") && error.contains("403"), "{error}");
    options.proxies.except = Some("*".to_owned());
    assert!(error_of(Hub::new(options).pull(NAME, false)).contains("cannot reach `hub.invalid`"));
}

#[test]
fn a_proxy_is_told_the_password_in_its_address() {
    let server = setup(&weights()).start(0);
    let (_home, mut options) = client(&server);
    options.endpoint = "http://hub.invalid".to_owned();
    options.proxies.http = Some(server.endpoint().replace("://", "://jan:ge%40heim@"));
    Hub::new(options.clone()).pull(NAME, false).unwrap();
    let told = |asked: &Asked| asked.headers.get("proxy-authorization").cloned();
    let through = server.asked("CONNECT", "");
    // `jan:ge@heim` in base 64.
    assert!(!through.is_empty() && through.iter().all(|asked| told(asked).unwrap() == "Basic amFuOmdlQGhlaW0="));
    assert!(server.asked("GET", "").iter().all(|asked| told(asked).is_none()));

    server.fault("CONNECT", "", Fault::Status(407, "proxy-authenticate: Basic\r\n"));
    let (_home, mut options) = client(&server);
    options.endpoint = "http://hub.invalid".to_owned();
    options.proxies.http = Some(server.endpoint());
    let error = error_of(Hub::new(options).pull(NAME, false));
    assert!(error.contains("name and a password") && error.contains("HTTPS_PROXY"), "{error}");
}

#[test]
fn a_moved_repository_is_followed() {
    let server = setup(&weights()).start(0);
    let (_home, mut options) = client(&server);
    options.token = Some("hf_x".to_owned());
    server.fault("GET", "/api/", Fault::Status(307, "location: /api/models/iemand/nl-en/revision/main\r\n"));
    Hub::new(options).pull(NAME, false).unwrap();
    assert!(server.asked("GET", "/api/").iter().all(|asked| asked.headers.contains_key("authorization")));
}

#[test]
fn offline_sends_no_request() {
    let server = setup(&weights()).start(0);
    let (_home, mut options) = client(&server);
    options.offline = true;
    options.proxies.http = Some(server.endpoint());
    let hub = Hub::new(options);
    assert!(error_of(hub.resolve(NAME)).contains("offline"));
    assert!(error_of(hub.resolve("nl-en")).contains("offline"));
    assert!(error_of(hub.pull(NAME, true)).contains("offline"));
    assert!(error_of(hub.plan("nl-en")).contains("offline"));
    hub.best_installed(ModelTask::Translate, "nl", "en").unwrap();
    assert!(["GET", "HEAD", "CONNECT"].iter().all(|method| server.asked(method, "").is_empty()));
}

#[test]
fn a_cache_that_cannot_be_written_is_named() {
    let server = setup(&weights()).start(0);
    let (home, mut options) = client(&server);
    options.cache = home.path().join("file");
    fs::write(&options.cache, "").unwrap();
    assert!(error_of(Hub::new(options).pull(NAME, false)).contains("HF_HUB_CACHE"));
}

#[test]
fn the_list_has_what_can_be_used_and_counts_the_rest() {
    let server = setup(&weights()).start(0);
    let (home, mut options) = client(&server);
    options.models = Some(home.path().join("models"));
    model_folder(&home.path().join("models/mine"));
    model_folder(&home.path().join("models/owner/theirs"));
    write(&options.cache.join("models--a--bert/snapshots/1/config.json"), br#"{"model_type": "bert"}"#);
    let hub = Hub::new(options);
    hub.pull(NAME, false).unwrap();
    let (found, others) = hub.list().unwrap();
    let names: Vec<&str> = found.iter().map(|model| model.name.as_str()).collect();
    assert_eq!(names, ["mine", "owner/theirs", NAME, "kortom-nl-en"]);
    assert_eq!(others, 1);
    assert!(found.iter().all(|model| model.missing.is_empty() && model.size > 0));
    for model in &found {
        assert!(hub.installed(&model.name).unwrap().is_some(), "`{}` cannot be typed", model.name);
    }
}

#[test]
fn verify_finds_what_changed_and_pull_mends_it() {
    let weights = weights();
    let server = setup(&weights).start(0);
    let (_home, options) = client(&server);
    let hub = Hub::new(options);
    let folder = hub.pull(NAME, false).unwrap().1.folder.unwrap();
    assert!(hub.verify(NAME).unwrap().iter().all(|file| file.verdict == Verdict::Right));

    let blob = fs::canonicalize(folder.join("pytorch_model.bin")).unwrap();
    let mut spoiled = weights.clone();
    spoiled[1000] ^= 1;
    fs::write(&blob, &spoiled).unwrap();
    fs::remove_file(fs::canonicalize(folder.join("vocab.json")).unwrap()).unwrap();
    let found = hub.verify(NAME).unwrap();
    let verdict = |name: &str| found.iter().find(|file| file.file == name).unwrap().verdict;
    assert_eq!(verdict("pytorch_model.bin"), Verdict::Changed);
    assert_eq!(verdict("vocab.json"), Verdict::Missing);
    assert_eq!(verdict("config.json"), Verdict::Right);

    hub.pull(NAME, false).unwrap();
    assert!(hub.verify(NAME).unwrap().iter().all(|file| file.verdict == Verdict::Right));
    assert!(error_of(hub.verify("nl-en")).contains("not installed"));
}

#[cfg(unix)]
#[test]
fn removal_keeps_what_another_revision_uses() {
    let home = home();
    let options = options(home.path());
    let root = python_cache(&options.cache, NAME, &MARIAN);
    let other = root.join("snapshots").join("f".repeat(40));
    fs::create_dir_all(&other).unwrap();
    std::os::unix::fs::symlink(format!("../../blobs/{:040x}", 1), other.join("pytorch_model.bin")).unwrap();
    write(&root.join("refs/refs/pr/1"), "f".repeat(40).as_bytes());
    let hub = Hub::new(options.clone());
    let removal = hub.removal(&format!("{NAME}@main")).unwrap();
    assert_eq!(removal.kept, ["f".repeat(40)]);
    hub.remove(&removal).unwrap();
    assert!(hub.installed(NAME).unwrap().is_none());
    assert_eq!(fs::read(other.join("pytorch_model.bin")).unwrap(), b"weights");
    assert_eq!(fs::read_dir(root.join("blobs")).unwrap().count(), 1);

    let removal = hub.removal(NAME).unwrap();
    assert_eq!((removal.commits.len(), removal.size > 0), (1, true));
    hub.remove(&removal).unwrap();
    assert!(!root.exists());
    assert!(error_of(hub.removal(NAME)).contains("not in the cache"));
    assert!(error_of(hub.removal("kortom-nl-en")).contains("part of kortom"));
    model_folder(&home.path().join("own"));
    assert!(error_of(hub.removal(home.path().join("own").to_str().unwrap())).contains("did not make"));
}

/// `huggingface_hub` puts large files into a store that all repositories of a cache share, and links them.
#[cfg(unix)]
#[test]
fn removal_says_what_a_shared_store_keeps() {
    let home = home();
    let options = options(home.path());
    let root = python_cache(&options.cache, NAME, &MARIAN);
    let (hash, blob) = ("ab".repeat(32), root.join("blobs").join(format!("{:040x}", 1)));
    let stored = options.cache.join("blobs/ab").join(&hash);
    write(&stored, &[7; 1234]);
    fs::remove_file(&blob).unwrap();
    std::os::unix::fs::symlink(format!("../../blobs/ab/{hash}"), &blob).unwrap();
    let hub = Hub::new(options.clone());
    for name in [format!("{NAME}@main"), NAME.to_owned()] {
        let removal = hub.removal(&name).unwrap();
        assert_eq!(removal.shared, 1234, "{name}");
        assert!(removal.size < 1234 && !removal.paths.contains(&stored), "{removal:?}");
        if name.contains('@') {
            assert!(
                removal.paths.contains(&fs::canonicalize(root.join("blobs")).unwrap().join(blob.file_name().unwrap()))
            );
        }
    }
    let removal = hub.removal(&format!("{NAME}@main")).unwrap();
    hub.remove(&removal).unwrap();
    assert!(!blob.is_symlink() && stored.is_file(), "the link is ours, what it leads to is not");
}

/// Runs one test of this binary under strace and returns how many sockets it opened; none when strace cannot be used.
#[cfg(target_os = "linux")]
fn sockets_opened_by(test: &str) -> Option<usize> {
    let trace = tempfile::NamedTempFile::new().unwrap();
    let ran = std::process::Command::new("strace")
        .args(["-f", "-e", "trace=socket,connect", "-o"])
        .arg(trace.path())
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test])
        .output()
        .ok()?;
    let passed = ran.status.success() && String::from_utf8_lossy(&ran.stdout).contains("1 passed");
    passed.then(|| fs::read_to_string(trace.path()).unwrap().matches("socket(").count())
}

#[cfg(target_os = "linux")]
#[test]
fn offline_opens_no_socket_at_all() {
    // The control: a test that does use the network, so that a silent strace is not taken for silence.
    if sockets_opened_by("hub::a_plan_fetches_nothing").is_none_or(|sockets| sockets == 0) {
        eprintln!("strace cannot be used here, so sockets are not counted");
        return;
    }
    for test in ["a_cache_written_by_python_is_read_without_a_network", "offline_without_a_server_is_told"] {
        assert_eq!(sockets_opened_by(&format!("hub::{test}")), Some(0), "{test}");
    }
}

#[test]
fn offline_without_a_server_is_told() {
    let home = home();
    let mut options = options(home.path());
    options.offline = true;
    let hub = Hub::new(options);
    assert!(error_of(hub.resolve(NAME)).contains("offline"));
    assert!(error_of(hub.pull("nl-en", true)).contains("offline"));
    assert_eq!(hub.list().unwrap().0.len(), 1);
    assert!(hub.best_installed(ModelTask::Translate, "nl", "en").is_some());
}
