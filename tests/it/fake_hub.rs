//! A Hub on the loopback address with one repository or more, and faults to order.
//!
//! It speaks what the real one does: a JSON description, HEAD with entity tags, large files redirected to a store under
//! another host name (`localhost` for `127.0.0.1`), ranges. Every request is written down, so a test can say what must
//! not have been asked or sent.

// A test that cannot go on should stop there; the standalone hub of `examples/` uses a part of this.
#![allow(clippy::unwrap_used, dead_code)]

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use sha2::Digest;

pub const COMMIT: &str = "89abcdef0123456789abcdef0123456789abcdef";

/// Files above this size are in the store, as with LFS.
const LARGE: usize = 1000;

/// What goes wrong with one answer.
#[derive(Clone, Debug)]
pub enum Fault {
    /// This status with these headers, and no body.
    Status(u16, &'static str),
    /// The connection breaks after so many bytes of the body.
    Cut(usize),
    /// Nothing for a while after so many bytes, then the connection breaks.
    Stall(usize, Duration),
    /// The body comes in so many pieces, each after a pause.
    Slow(usize, Duration),
    /// Every byte is another.
    WrongBytes,
    /// The range is ignored, the answer is 200 from the start.
    NoRange,
    /// HTML with status 200, as a sign-in page in between gives.
    SignIn,
}

/// One request as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    pub path: String,
    pub headers: HashMap<String, String>,
}

/// A repository: its name, and its files with their contents.
type Repository = (String, Vec<(String, Vec<u8>)>);

#[derive(Default)]
struct State {
    repositories: Vec<Repository>,
    license: Option<&'static str>,
    token: Option<&'static str>,
    claimed_size: Option<u64>,
    faults: Mutex<Vec<(&'static str, String, Fault)>>,
    asked: Mutex<Vec<Asked>>,
    port: u16,
}

/// The running hub; its threads end with the process.
pub struct FakeHub {
    state: Arc<State>,
}

/// What a hub has before it starts.
pub struct Setup(State);

impl Setup {
    pub fn new(repository: &str, files: &[(&str, &[u8])]) -> Self {
        Self(State::default()).and(repository, files)
    }

    /// Another repository on the same hub.
    pub fn and(mut self, repository: &str, files: &[(&str, &[u8])]) -> Self {
        let files = files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect();
        self.0.repositories.push((repository.to_owned(), files));
        self
    }

    pub fn license(mut self, license: &'static str) -> Self {
        self.0.license = Some(license);
        self
    }

    /// Only who sends this token is let in.
    pub fn private(mut self, token: &'static str) -> Self {
        self.0.token = Some(token);
        self
    }

    /// Large files are said to have this size.
    pub fn claimed_size(mut self, size: u64) -> Self {
        self.0.claimed_size = Some(size);
        self
    }

    /// Starts on this port, 0 for any.
    pub fn start(mut self, port: u16) -> FakeHub {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        self.0.port = listener.local_addr().unwrap().port();
        let state = Arc::new(self.0);
        let served = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&served);
                // A client that goes away in the middle of an answer is part of the game.
                thread::spawn(move || serve(&state, stream).ok());
            }
        });
        FakeHub { state }
    }
}

impl FakeHub {
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.state.port)
    }

    /// Spoils the next request with this method whose path contains `part`.
    pub fn fault(&self, method: &'static str, part: &str, fault: Fault) {
        self.state.faults.lock().unwrap().push((method, part.to_owned(), fault));
    }

    /// All requests so far with this method whose path contains `part`.
    pub fn asked(&self, method: &str, part: &str) -> Vec<Asked> {
        let all = self.state.asked.lock().unwrap();
        all.iter().filter(|asked| asked.method == method && asked.path.contains(part)).cloned().collect()
    }
}

fn serve(state: &State, stream: TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    while let Some(asked) = read_request(&mut reader)? {
        state.asked.lock().unwrap().push(asked.clone());
        let fault = take_fault(state, &asked);
        if asked.method == "CONNECT" {
            return tunnel(state, stream, fault.as_ref());
        }
        if !answer(state, &asked, &stream, fault.as_ref())? {
            return Ok(());
        }
    }
    Ok(())
}

fn read_request(reader: &mut impl BufRead) -> std::io::Result<Option<Asked>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim().split_once(':') else { break };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    Ok(Some(Asked { method, path, headers }))
}

fn take_fault(state: &State, asked: &Asked) -> Option<Fault> {
    let mut faults = state.faults.lock().unwrap();
    let found = faults.iter().position(|(method, part, _)| *method == asked.method && asked.path.contains(part))?;
    Some(faults.remove(found).2)
}

/// As a proxy: everything goes to this hub itself, whatever host was named.
fn tunnel(state: &State, stream: TcpStream, fault: Option<&Fault>) -> std::io::Result<()> {
    if let Some(Fault::Status(status, headers)) = fault {
        return write!(&stream, "HTTP/1.1 {status} x\r\n{headers}content-length: 0\r\n\r\n");
    }
    write!(&stream, "HTTP/1.1 200 x\r\n\r\n")?;
    serve(state, stream)
}

/// Answers one request; false when the connection has to end.
fn answer(state: &State, asked: &Asked, stream: &TcpStream, fault: Option<&Fault>) -> std::io::Result<bool> {
    let path = asked.path.split('?').next().unwrap_or_default();
    match fault {
        Some(&Fault::Status(status, headers)) => return reply(stream, asked, status, headers, b"", None),
        Some(Fault::SignIn) => return reply(stream, asked, 200, "", b"<html>sign in</html>", None),
        _ => {}
    }
    if let Some(hash) = path.strip_prefix("/store/") {
        let mut files = state.repositories.iter().flat_map(|(_, files)| files);
        let found = files.find(|(_, bytes)| sha256(bytes) == hash);
        return found.map_or(Ok(false), |(_, bytes)| content(stream, asked, "", bytes, fault));
    }
    let allowed =
        state.token.is_none_or(|token| asked.headers.get("authorization") == Some(&format!("Bearer {token}")));
    if !allowed {
        return reply(stream, asked, 401, "x-error-code: RepoNotFound\r\n", b"", None);
    }
    for repository in &state.repositories {
        if let Some(answered) = of_repository(state, repository, asked, path, stream, fault) {
            return answered;
        }
    }
    reply(stream, asked, 404, "x-error-code: RepoNotFound\r\n", b"", None)
}

/// The answer of one repository; nothing when the path is none of its.
fn of_repository(
    state: &State,
    repository: &Repository,
    asked: &Asked,
    path: &str,
    stream: &TcpStream,
    fault: Option<&Fault>,
) -> Option<std::io::Result<bool>> {
    const JSON: &str = "content-type: application/json\r\n";
    let (name, files) = repository;
    if let Some(revision) = path.strip_prefix(&format!("/api/models/{name}/revision/")) {
        if revision != "main" && revision != COMMIT {
            return Some(reply(stream, asked, 404, "x-error-code: RevisionNotFound\r\n", b"", None));
        }
        return Some(reply(stream, asked, 200, JSON, description(state, repository).as_bytes(), None));
    }
    if path.starts_with(&format!("/api/models/{name}/tree/")) {
        return Some(reply(stream, asked, 200, JSON, tree(files).as_bytes(), None));
    }
    let (_, wanted) = path.strip_prefix(&format!("/{name}/resolve/"))?.split_once('/')?;
    Some(match files.iter().find(|(other, _)| other == wanted) {
        Some((_, bytes)) => file(state, asked, stream, bytes, fault),
        None => reply(stream, asked, 404, "x-error-code: EntryNotFound\r\n", b"", None),
    })
}

/// A file's own address: small ones are answered here, large ones by the store.
fn file(
    state: &State,
    asked: &Asked,
    stream: &TcpStream,
    bytes: &[u8],
    fault: Option<&Fault>,
) -> std::io::Result<bool> {
    let commit = format!("x-repo-commit: {COMMIT}\r\n");
    if bytes.len() <= LARGE {
        return content(stream, asked, &format!("{commit}etag: \"{}\"\r\n", git_hash(bytes)), bytes, fault);
    }
    let (hash, size) = (sha256(bytes), state.claimed_size.unwrap_or(bytes.len() as u64));
    let headers = format!(
        "{commit}x-linked-etag: \"{hash}\"\r\nx-linked-size: {size}\r\n\
         location: http://localhost:{}/store/{hash}\r\n",
        state.port
    );
    reply(stream, asked, 302, &headers, b"", None)
}

fn content(
    stream: &TcpStream,
    asked: &Asked,
    headers: &str,
    bytes: &[u8],
    fault: Option<&Fault>,
) -> std::io::Result<bool> {
    let start =
        asked.headers.get("range").and_then(|range| range.strip_prefix("bytes=")?.split('-').next()?.parse().ok());
    let start: usize = start.filter(|_| !matches!(fault, Some(Fault::NoRange))).unwrap_or(0);
    if start > 0 && start >= bytes.len() {
        return reply(stream, asked, 416, headers, b"", None);
    }
    let wrong: Vec<u8> = bytes.iter().map(|byte| byte ^ 1).collect();
    let bytes = if matches!(fault, Some(Fault::WrongBytes)) { &wrong } else { bytes };
    let range = format!("{headers}content-range: bytes {start}-{}/{}\r\n", bytes.len() - 1, bytes.len());
    let (status, headers) = if start > 0 { (206, range.as_str()) } else { (200, headers) };
    reply(stream, asked, status, headers, &bytes[start..], fault)
}

/// Writes an answer; false when it was cut.
fn reply(
    mut stream: &TcpStream,
    asked: &Asked,
    status: u16,
    headers: &str,
    body: &[u8],
    fault: Option<&Fault>,
) -> std::io::Result<bool> {
    write!(stream, "HTTP/1.1 {status} x\r\n{headers}content-length: {}\r\n\r\n", body.len())?;
    if asked.method == "HEAD" {
        return Ok(true);
    }
    match fault {
        Some(Fault::Cut(at)) => stream.write_all(&body[..(*at).min(body.len())])?,
        Some(Fault::Stall(at, pause)) => {
            stream.write_all(&body[..(*at).min(body.len())])?;
            thread::sleep(*pause);
        }
        Some(Fault::Slow(pieces, pause)) => {
            for piece in body.chunks(body.len().div_ceil(*pieces)) {
                thread::sleep(*pause);
                stream.write_all(piece)?;
            }
            return Ok(true);
        }
        _ => {
            stream.write_all(body)?;
            return Ok(true);
        }
    }
    stream.shutdown(std::net::Shutdown::Both)?;
    Ok(false)
}

fn description(state: &State, (name, files): &Repository) -> String {
    let siblings: Vec<_> = files.iter().map(|(name, _)| serde_json::json!({"rfilename": name})).collect();
    let card = state.license.map(|license| serde_json::json!({"license": license}));
    let description = serde_json::json!({
        "id": name, "modelId": name, "sha": COMMIT, "siblings": siblings, "cardData": card,
        "private": false, "gated": false, "disabled": false, "downloads": 0, "likes": 0, "tags": []
    });
    description.to_string()
}

fn tree(files: &[(String, Vec<u8>)]) -> String {
    let entries = files.iter().map(|(name, bytes)| {
        let lfs = (bytes.len() > LARGE)
            .then(|| serde_json::json!({"oid": sha256(bytes), "size": bytes.len(), "pointerSize": 130}));
        let mut entry = serde_json::json!({"type": "file", "oid": git_hash(bytes), "size": bytes.len(), "path": name});
        if let Some(lfs) = lfs {
            entry["lfs"] = lfs;
        }
        entry
    });
    serde_json::Value::Array(entries.collect()).to_string()
}

pub fn sha256(bytes: &[u8]) -> String {
    hex(&sha2::Sha256::digest(bytes))
}

pub fn git_hash(bytes: &[u8]) -> String {
    let mut digest = sha1::Sha1::new_with_prefix(format!("blob {}\0", bytes.len()));
    digest.update(bytes);
    hex(&digest.finalize())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
