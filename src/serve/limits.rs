//! The limits of a request: its size, its length and its time.
//!
//! Invariant: nothing is kept beyond these limits, and the answer names the limit that a client exceeded. A body that
//! is too large is read on for a while and discarded, because a client that is still sending does not read an answer.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode, header};
use futures_core::Stream;
use kortom::error::WithHint;

use super::refusal::{Answer, Refusal};

/// The longest time in which a client may send a body; the limit of a request's time may be shorter.
const SENDING: Duration = Duration::from_secs(30);
/// A body is read and discarded up to this many times its limit.
const DRAINED: usize = 32;

/// The limits of a server.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most bytes of a body.
    pub body: usize,
    /// Most characters of all texts of a request together.
    pub characters: usize,
    /// Most requests that are in work or wait at one time.
    pub requests: usize,
    /// The longest time that a request may take.
    pub time: Duration,
}

impl Limits {
    /// Reads the whole body of a request.
    ///
    /// # Errors
    /// When the body is too large, takes too long, or breaks off.
    pub async fn read(&self, headers: &HeaderMap, body: Body) -> Answer<Vec<u8>> {
        let declared = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        // A client that sends `Expect: 100-continue` has not sent its body yet, so there is nothing to discard.
        if declared.is_some_and(|length: usize| length > self.body) && headers.contains_key(header::EXPECT) {
            return Err(self.too_large());
        }
        let sending = SENDING.min(self.time);
        match tokio::time::timeout(sending, self.collect(body)).await {
            Ok(collected) => collected,
            Err(_) => Err(Refusal::new(
                StatusCode::REQUEST_TIMEOUT,
                format!("the request was not complete after {} seconds", sending.as_secs()),
            )),
        }
    }

    async fn collect(&self, body: Body) -> Answer<Vec<u8>> {
        let mut stream = body.into_data_stream();
        let (mut whole, mut length) = (Vec::new(), 0);
        while let Some(piece) = poll_fn(|context| Pin::new(&mut stream).poll_next(context)).await {
            let piece: Bytes = piece.map_err(|_| Refusal::bad("the request broke off"))?;
            length += piece.len();
            if length <= self.body {
                whole.extend_from_slice(&piece);
            } else if length > self.body.saturating_mul(DRAINED) {
                break;
            }
        }
        if length > self.body { Err(self.too_large()) } else { Ok(whole) }
    }

    /// Checks the number of characters of all texts of a request.
    ///
    /// # Errors
    /// When the texts together exceed the limit.
    pub fn check_length<'t>(&self, texts: impl Iterator<Item = &'t str>) -> Answer<()> {
        let characters: usize = texts.map(|text| text.chars().count()).sum();
        if characters > self.characters {
            return Err(Refusal::bad(
                format!("`q` has {characters} characters, and this server takes {} at most", self.characters)
                    .with_hint("send it in parts, or start the server with a higher `--max-chars`"),
            ));
        }
        Ok(())
    }

    fn too_large(&self) -> Refusal {
        Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the request is larger than {} bytes", self.body)
                .with_hint("send it in parts, or start the server with a higher `--max-body`"),
        )
    }
}
