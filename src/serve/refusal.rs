//! The answer to a request that is refused.
//!
//! Invariant: every refusal has a status that says whose fault it is, and an object with `error` and, if there is a
//! remedy, `hint`. `LibreTranslate`'s clients read `error`. Refusals are not logged.

use std::fmt::Display;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use kortom::error::{Error, WithHint};

/// A refused request: status, message, hint, and when to retry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    status: StatusCode,
    error: String,
    hint: Option<String>,
    retry_after: Option<Duration>,
}

/// The refusal of a request with a method that its path does not have.
pub async fn other_method() -> Refusal {
    let reason = "this path has another method".with_hint("`/openapi.json` lists what there is");
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, reason)
}

/// An answer, or the refusal of the request.
pub type Answer<T> = Result<T, Refusal>;

impl Refusal {
    /// A refusal with this status. The error `reason` has the message and may have a hint.
    pub fn new(status: StatusCode, reason: impl Into<Error>) -> Self {
        let reason = reason.into();
        let hint = reason.own_hint().map(str::to_owned);
        Self { status, error: reason.message().to_owned(), hint, retry_after: None }
    }

    /// A refusal of a request that is not valid (400).
    pub fn bad(reason: impl Into<Error>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, reason)
    }

    /// A refusal of a valid request whose content cannot be processed by this server (422).
    pub fn unfit(reason: impl Into<Error>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, reason)
    }

    /// A refusal because the server is busy (503), with the time after which to retry.
    pub fn busy(reason: impl Into<Error>, retry_after: Duration) -> Self {
        Self { retry_after: Some(retry_after), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, reason) }
    }

    /// A refusal because the server failed (500). The error is not sent, because it may contain a piece of an
    /// article.
    pub fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the server failed at this request".with_hint("report it, with the request"),
        )
    }

    /// The JSON object of the refusal.
    pub fn body(&self) -> Value {
        match &self.hint {
            Some(hint) => json!({ "error": self.error, "hint": hint }),
            None => json!({ "error": self.error }),
        }
    }
}

/// Only the text of a refusal is sent: that of any other error may contain a piece of an article.
impl From<anyhow::Error> for Refusal {
    fn from(error: anyhow::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(refusal) => refusal,
            Err(_) => Self::internal(),
        }
    }
}

impl Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str(&self.error)
    }
}

impl std::error::Error for Refusal {}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = json_response(self.status, self.body().to_string());
        if let Some(wait) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
        }
        response
    }
}

/// An answer with a JSON body.
pub fn json_response(status: StatusCode, body: String) -> Response {
    response(status, "application/json", body)
}

/// An answer with a body of the media type `kind`. Its headers forbid browsers to guess another type.
pub fn response(status: StatusCode, kind: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
