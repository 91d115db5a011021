//! Server-sent events: an answer in pieces, each as soon as there is one.
//!
//! Invariant: what is refused before the first event is refused as any other request; what fails later is an `error`
//! event. When the client goes, the request is given up.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use futures_core::Stream;
use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::client::RequestContext;
use super::refusal::{Answer, Refusal, response};
use super::{CancelOnDrop, Server};

/// An event's name and what it says.
type Event = (&'static str, Value);

/// Where events go.
pub struct Events(UnboundedSender<Answer<Event>>);

impl Events {
    /// Sends one; whoever should get it may have gone.
    pub fn send(&self, name: &'static str, value: Value) {
        let _ = self.0.send(Ok((name, value)));
    }
}

/// Whether a request wants events.
pub fn are_wanted(headers: &HeaderMap) -> bool {
    let accepts = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    accepts.split(',').any(|kind| kind.split(';').next().unwrap_or_default().trim() == "text/event-stream")
}

/// An answer in events, which `job` sends.
///
/// # Errors
/// When it is refused before the first of them.
pub async fn answer(
    server: Arc<Server>,
    job: impl FnOnce(&RequestContext<'_>, &Server, &Events) -> Answer<()> + Send + 'static,
) -> Answer<Response> {
    let (slot, cancel) = server.slot()?;
    let waiting = CancelOnDrop(cancel.clone());
    let (sender, mut receiver) = unbounded_channel();
    tokio::task::spawn_blocking(move || {
        let events = Events(sender);
        if let Err(refusal) = server.guarded(cancel, |context, server| job(context, server, &events)) {
            let _ = events.0.send(Err(refusal));
        }
        drop(slot);
    });
    let first = receiver.recv().await.unwrap_or_else(|| Err(Refusal::internal()))?;
    let stream = Told { first: Some(first), receiver, _waiting: waiting };
    let mut answer = response(StatusCode::OK, "text/event-stream", Body::from_stream(stream));
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(answer)
}

/// Events on their way to a client.
struct Told {
    first: Option<Event>,
    receiver: UnboundedReceiver<Answer<Event>>,
    _waiting: CancelOnDrop,
}

impl Stream for Told {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(written(&first))));
        }
        self.receiver.poll_recv(context).map(|event| {
            let event = event?.unwrap_or_else(|refusal| ("error", refusal.body()));
            Some(Ok(written(&event)))
        })
    }
}

/// An event as it is sent. JSON has no line breaks of its own.
fn written((name, value): &Event) -> Bytes {
    format!("event: {name}\ndata: {value}\n\n").into()
}
