//! `kortom serve`: what the command line does, over HTTP, for many clients at a time.
//!
//! A request's fields (`fields`) are read within the limits (`limits`), and its API key is checked (`keys`). Its
//! articles are worked on in a thread of its own (`articles`). There a `client` submits texts as work items
//! (`request`) to the one `queue` of all requests, and the one thread that runs the models (`worker`) takes them from
//! there. `libretranslate` has `LibreTranslate`'s API, `digest` kortom's own, and `stream` sends an article while it
//! is translated. `page` serves a page for people, which sends its requests to `digest`.
//!
//! Invariant: no request can name a file, a model or an address. No request can make another one fail: a panic is
//! answered with status 500. Nothing of requests and answers is printed.

mod articles;
mod client;
mod digest;
mod events;
mod fields;
mod files;
mod formats;
mod keys;
mod languages;
mod libretranslate;
mod limits;
mod listen;
mod metrics;
pub mod models;
mod openapi;
mod page;
mod queue;
mod refusal;
mod request;
mod stream;
mod worker;

use std::future::poll_fn;
use std::net::SocketAddr;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use kortom::error::{Explain, WithHint};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub use keys::Keys;
pub use limits::Limits;

use client::RequestContext;
use fields::Fields;
use files::Files;
use metrics::Metrics;
use models::ServedModels;
use queue::Queue;
use refusal::{Answer, Refusal, json_response, response};
use request::CancelToken;

/// The `Retry-After` of a request that is refused because too many others wait.
const RETRY: Duration = Duration::from_secs(5);

/// The parts of a server that all requests share.
struct Server {
    models: ServedModels,
    queue: Queue,
    keys: Keys,
    limits: Limits,
    files: Files,
    metrics: Metrics,
    slots: Arc<Semaphore>,
}

/// The argument by which handlers get the server.
type Shared = State<Arc<Server>>;

/// Serves until the process receives a signal to end, and then finishes the requests that it has accepted.
/// `listening` is called with the address once the server listens.
///
/// # Errors
/// When the server cannot listen on the address.
pub fn run(
    models: ServedModels,
    keys: Keys,
    limits: Limits,
    address: SocketAddr,
    listening: impl FnOnce(SocketAddr),
) -> Result<()> {
    // The default message of a panic may contain a piece of an article.
    panic::set_hook(Box::new(|panic| match panic.location() {
        Some(place) => eprintln!("error: a request failed at {}:{}", place.file(), place.line()),
        None => eprintln!("error: a request failed"),
    }));
    let server = Server::new(models, keys, limits);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(limits.requests)
        .build()
        .context("cannot start the threads")?;
    let worker = server.clone();
    let worker = thread::spawn(move || worker::work(&worker.queue, &worker.models, &worker.metrics));
    let served = runtime.block_on(async {
        let listener = TcpListener::bind(address).await.explain(|| {
            format!("cannot listen on `{address}`").with_hint("choose another address with --host and --port")
        })?;
        listening(listener.local_addr()?);
        listen::serve(listener, router(server.clone()), limits.time).await
    });
    server.queue.close();
    worker.join().map_err(|_| anyhow!("the thread of the models failed"))?;
    served
}

/// Cancels a request when it is dropped: when its answer is sent, or its client has gone.
struct CancelOnDrop(Arc<CancelToken>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl Server {
    fn new(models: ServedModels, keys: Keys, limits: Limits) -> Arc<Self> {
        let slots = Arc::new(Semaphore::new(limits.requests));
        let (queue, files, metrics) = Default::default();
        Arc::new(Self { models, queue, keys, limits, files, metrics, slots })
    }

    /// Checks the API key of a request, if the server needs one.
    fn admit(&self, headers: &HeaderMap, fields: &Fields) -> Answer<()> {
        if self.keys.are_needed() { self.keys.check(headers, fields.text("api_key")?) } else { Ok(()) }
    }

    /// A slot for a request, and its cancel token. The request is refused if all slots are taken.
    fn slot(&self) -> Answer<(OwnedSemaphorePermit, Arc<CancelToken>)> {
        let slot = self
            .slots
            .clone()
            .try_acquire_owned()
            .map_err(|_| Refusal::busy(format!("{} requests are waiting already", self.limits.requests), RETRY))?;
        Ok((slot, CancelToken::new(self.limits.time)))
    }

    /// Runs `job` for a request in a thread of its own. It is cancelled when the client has gone.
    async fn work<T: Send + 'static>(
        self: Arc<Self>,
        job: impl FnOnce(&RequestContext<'_>, &Self) -> Answer<T> + Send + 'static,
    ) -> Answer<T> {
        let (slot, cancel) = self.slot()?;
        let _waiting = CancelOnDrop(cancel.clone());
        let done = tokio::task::spawn_blocking(move || {
            let done = self.guarded(cancel, job);
            drop(slot);
            done
        });
        done.await.unwrap_or_else(|_| Err(Refusal::internal()))
    }

    /// Runs `job`, and turns a panic into a refusal with status 500. A fault of the memory is printed.
    fn guarded<T>(
        &self,
        cancel: Arc<CancelToken>,
        job: impl FnOnce(&RequestContext<'_>, &Self) -> Answer<T>,
    ) -> Answer<T> {
        let context = RequestContext { queue: &self.queue, models: &self.models, cancel };
        let answer =
            catch_unwind(AssertUnwindSafe(|| job(&context, self))).unwrap_or_else(|_| Err(Refusal::internal()));
        if let Some(fault) = self.models.take_memory_fault() {
            eprintln!("warning: {fault}");
        }
        answer
    }
}

fn router(server: Arc<Server>) -> Router {
    Router::new()
        .route("/digest", post(digest::digest))
        .route("/summarize", post(digest::summarize))
        .route("/health", get(health))
        .route("/metrics", get(metrics))
        .route("/openapi.json", get(described))
        .merge(page::routes())
        .method_not_allowed_fallback(refusal::other_method)
        // They answer to pages of other origins, also what is refused.
        .merge(libretranslate::routes())
        .fallback(|| async {
            Refusal::new(
                StatusCode::NOT_FOUND,
                "there is nothing here".with_hint("`/openapi.json` lists what there is"),
            )
        })
        .layer(middleware::from_fn_with_state(server.clone(), counted))
        // axum's limit is off: `limits` has our own, with a message that names it.
        .layer(DefaultBodyLimit::disable())
        .with_state(server)
}

/// Counts a request, its status and its time.
async fn counted(State(server): Shared, path: Option<MatchedPath>, request: Request, next: Next) -> Response {
    let begin = Instant::now();
    let _working = server.metrics.begin();
    let answer = guarded(next.run(request)).await;
    let route = path.as_ref().map_or("other", MatchedPath::as_str);
    server.metrics.end(route, answer.status().as_u16(), begin.elapsed());
    answer
}

/// The answer of a handler. If the handler panics, the client gets status 500.
async fn guarded(answering: impl Future<Output = Response>) -> Response {
    let mut answering = pin!(answering);
    poll_fn(|context| {
        let polled = catch_unwind(AssertUnwindSafe(|| answering.as_mut().poll(context)));
        polled.unwrap_or_else(|_| Poll::Ready(Refusal::internal().into_response()))
    })
    .await
}

async fn health() -> Response {
    json_response(StatusCode::OK, json!({ "status": "ok" }).to_string())
}

async fn described(State(server): Shared) -> Answer<Response> {
    let document = openapi::document(&server.models).map_err(|_| Refusal::internal())?;
    Ok(json_response(StatusCode::OK, document))
}

async fn metrics(State(server): Shared, headers: HeaderMap) -> Response {
    if let Err(refusal) = server.keys.check(&headers, None) {
        return refusal.into_response();
    }
    let work = server.models.models().translation.as_ref().map(|model| model.engine().stats()).unwrap_or_default();
    let memory = server.models.memory_file().map(|memory| (memory.counts(), memory.bytes()));
    let page = server.metrics.text(server.queue.len(), work, memory);
    response(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", page)
}

#[cfg(test)]
mod tests {
    use kortom::device::{ComputeType, DeviceChoice};
    use kortom::hub::BUNDLED;
    use kortom::pipeline::{Pipeline, PipelineOptions};

    use super::*;

    fn server() -> Arc<Server> {
        let (device, compute_type) = (Some(DeviceChoice::Cpu), Some(ComputeType::F32));
        let model = Some(BUNDLED.to_owned());
        let options = PipelineOptions { model, device, compute_type, offline: true, ..PipelineOptions::default() };
        let models = ServedModels::new(Pipeline::load(options).unwrap()).unwrap();
        let limits = Limits { body: 1000, characters: 1000, requests: 1, time: Duration::from_mins(1) };
        Server::new(models, Keys::default(), limits)
    }

    #[test]
    fn what_panics_is_answered_and_leaves_its_place() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let server = server();
        for _ in 0..3 {
            let failed: Answer<()> = runtime.block_on(server.clone().work(|_, _| panic!("on purpose")));
            assert_eq!(failed, Err(Refusal::internal()));
        }
        assert_eq!(runtime.block_on(server.work(|_, _| Ok(5))), Ok(5));
        let answer = runtime.block_on(guarded(async { panic!("on purpose") }));
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    }
}
