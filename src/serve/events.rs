//! Server-sent events: an answer in pieces, each sent as soon as it is there.
//!
//! Invariant: a request that is refused before its first event gets the status and object of any other refusal. A
//! later failure is an `error` event. When the client disconnects, the request is cancelled.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_core::Stream;
use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::client::RequestContext;
use super::refusal::{Answer, Refusal};
use super::{CancelOnDrop, Server};

/// The sender of the events of one answer.
pub struct Events(UnboundedSender<Answer<Event>>);

impl Events {
    /// Sends an event with `value` as its data. Nothing happens if the client has gone.
    pub fn send(&self, name: &str, value: &Value) {
        let _ = self.0.send(Ok(event(name, value)));
    }
}

/// An event of two lines: its name, and `value` as JSON, which has no line breaks.
fn event(name: &str, value: &Value) -> Event {
    Event::default().event(name).data(value.to_string())
}

/// Whether a request asks for events by its `Accept` header.
pub fn are_wanted(headers: &HeaderMap) -> bool {
    let accepts = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    accepts.split(',').any(|kind| kind.split(';').next().unwrap_or_default().trim() == "text/event-stream")
}

/// An answer in events, which `job` sends from a thread of its own.
///
/// # Errors
/// When the request is refused before its first event.
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
    let stream = EventStream { first: Some(first), receiver, _waiting: waiting };
    // Keep-alive comments are sent, because proxies often close a connection that is silent for a minute.
    let mut answer = Sse::new(stream).keep_alive(KeepAlive::new()).into_response();
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(answer)
}

/// The stream of events to a client.
struct EventStream {
    first: Option<Event>,
    receiver: UnboundedReceiver<Answer<Event>>,
    _waiting: CancelOnDrop,
}

impl Stream for EventStream {
    type Item = Result<Event, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        let received = self.receiver.poll_recv(context);
        received.map(|answer| Some(Ok(answer?.unwrap_or_else(|refusal| event("error", &refusal.body())))))
    }
}
