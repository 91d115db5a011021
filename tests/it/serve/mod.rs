//! `kortom serve` over a real socket, with the bundled model.

mod configured;
mod digest;
mod libretranslate;
mod limits;
mod page;
mod shared;
mod trouble;

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;
use ureq::http::Response;
use ureq::{Agent, Body};

use crate::cli::Place;

/// A server on a free port, killed when it is dropped.
pub struct Server {
    child: Child,
    said: Arc<Mutex<String>>,
    pub place: Place,
    pub address: String,
}

impl Server {
    pub fn start(arguments: &[&str]) -> Self {
        Self::start_in(Place::new(), arguments)
    }

    pub fn start_in(place: Place, arguments: &[&str]) -> Self {
        let mut command = place.command(&["serve", "--port", "0"]);
        let mut child = command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let said = Arc::new(Mutex::new(String::new()));
        let mut address = None;
        while address.is_none() {
            let mut line = String::new();
            assert!(stderr.read_line(&mut line).unwrap() > 0, "it ended: {}", said.lock().unwrap());
            address = line.trim().strip_prefix("note: listening on http://").map(str::to_owned);
            *said.lock().unwrap() += &line;
        }
        let more = said.clone();
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                *more.lock().unwrap() += &format!("{line}\n");
            }
        });
        Self { child, said, place, address: address.unwrap() }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn get(&self, path: &str) -> Reply {
        Reply::from(agent().get(self.url(path)).call().unwrap())
    }

    pub fn json(&self, path: &str, body: &Value) -> Reply {
        self.send(path, "application/json", body.to_string())
    }

    pub fn form(&self, path: &str, body: &str) -> Reply {
        self.send(path, "application/x-www-form-urlencoded", body)
    }

    pub fn send(&self, path: &str, kind: &str, body: impl AsRef<[u8]>) -> Reply {
        Reply::from(agent().post(self.url(path)).header("Content-Type", kind).send(body.as_ref()).unwrap())
    }

    /// The events of an answer: their names, and what they say.
    pub fn events(&self, path: &str, body: &Value) -> Vec<(String, Value)> {
        let asked = agent().post(self.url(path)).header("Accept", "text/event-stream");
        let reply = Reply::from(asked.header("Content-Type", "application/json").send(body.to_string()).unwrap());
        assert_eq!((reply.status, reply.kind.as_str()), (200, "text/event-stream"), "{}", reply.body);
        let event = |text: &str| {
            let (name, object) = text.strip_prefix("event: ").unwrap().split_once("\ndata: ").unwrap();
            (name.to_owned(), serde_json::from_str(object).unwrap())
        };
        // A comment keeps the connection alive where an event takes long.
        reply.body.trim_end().split("\n\n").filter(|text| !text.starts_with(':')).map(event).collect()
    }

    /// Asks it to end as a service manager does.
    pub fn terminate(&self) {
        let ended = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(ended.success());
    }

    /// How it ended, and all it said.
    pub fn end(mut self) -> (Option<i32>, String, String) {
        let code = self.child.wait().unwrap().code();
        let mut stdout = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        let said = self.said.lock().unwrap().clone();
        (code, stdout, said)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn agent() -> Agent {
    Agent::config_builder().http_status_as_error(false).build().into()
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub kind: String,
    pub retry_after: Option<String>,
    pub body: String,
}

impl From<Response<Body>> for Reply {
    fn from(mut response: Response<Body>) -> Self {
        let header = |name| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let (kind, retry_after) = (header("content-type").unwrap_or_default(), header("retry-after"));
        let body = response.body_mut().read_to_string().unwrap();
        Self { status: response.status().as_u16(), kind, retry_after, body }
    }
}

impl Reply {
    /// The object of an answer that is one.
    #[track_caller]
    pub fn good(&self) -> Value {
        assert_eq!((self.status, self.kind.as_str()), (200, "application/json"), "{}", self.body);
        serde_json::from_str(&self.body).unwrap()
    }

    /// It was refused with this status, for a reason in which this stands.
    #[track_caller]
    pub fn refused(&self, status: u16, said: &str) {
        assert_eq!((self.status, self.kind.as_str()), (status, "application/json"), "{}", self.body);
        let error = serde_json::from_str::<Value>(&self.body).unwrap()["error"].as_str().unwrap().to_owned();
        assert!(error.contains(said), "`{said}` is not in `{error}`");
    }
}

#[test]
fn the_document_of_the_interface_is_that_of_the_server() {
    let server = Server::start(&[]);
    let document = server.get("/openapi.json").good();
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    for (path, methods) in document["paths"].as_object().unwrap() {
        let get = methods.get("get").is_some();
        let reply = if get { server.get(path) } else { server.send(path, "text/plain", "x") };
        let expected = match path.as_str() {
            "/download_file/{name}" => 404,
            _ if get => 200,
            _ => 415,
        };
        assert_eq!(reply.status, expected, "{path}: {}", reply.body);
        let other = if get { server.send(path, "text/plain", "x") } else { server.get(path) };
        other.refused(405, "another method");
    }
    server.get("/nothing").refused(404, "nothing here");
    let metrics = server.get("/metrics").body;
    assert!(metrics.contains("kortom_requests_total{route=\"/digest\",status=\"415\"} 1\n"), "{metrics}");
}
