//! How much of anything a request may be.
//!
//! Invariant: nothing is read or held beyond these limits, and a client that exceeds one is told which. A body that is
//! too large is read on for a while and thrown away, for a client that is still sending does not hear an answer.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode, header};
use futures_core::Stream;
use kortom::error::WithHint;

use super::refusal::{Answer, Refusal};

/// How long a client may take to send a body; less where a request may not take as long.
const SENDING: Duration = Duration::from_secs(30);
/// How many times the limit of a body is read and thrown away at most.
const DRAINED: usize = 32;

/// The limits of a server.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of a body.
    pub body: usize,
    /// Characters of all texts of a request.
    pub characters: usize,
    /// Requests that are worked on or wait for their turn.
    pub requests: usize,
    /// How long a request may take.
    pub time: Duration,
}

impl Limits {
    /// The whole of a body.
    ///
    /// # Errors
    /// When it is too large, takes too long, or breaks off.
    pub async fn read(&self, headers: &HeaderMap, body: Body) -> Answer<Vec<u8>> {
        let declared = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        // Whoever asks first has not sent anything yet.
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

    /// Sees that texts are not too long together.
    ///
    /// # Errors
    /// When they are.
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
