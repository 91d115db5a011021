//! What a client is told when it does not get what it wants.
//!
//! Invariant: every refusal is a status that says whose fault it is and an object with `error` and, where there is a
//! remedy, `hint`; `LibreTranslate`'s clients read the first. None of it goes to a log.

use std::fmt::Display;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use kortom::error::{Error, WithHint};

/// A request that is not answered as it wished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    status: StatusCode,
    error: String,
    hint: Option<String>,
    retry_after: Option<Duration>,
}

/// An answer, or why there is none.
pub type Answer<T> = Result<T, Refusal>;

impl Refusal {
    /// A refusal with this status for a reason, which may have a hint.
    pub fn new(status: StatusCode, reason: impl Into<Error>) -> Self {
        let reason = reason.into();
        let hint = reason.own_hint().map(str::to_owned);
        Self { status, error: reason.message().to_owned(), hint, retry_after: None }
    }

    /// The request makes no sense.
    pub fn bad(reason: impl Into<Error>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, reason)
    }

    /// Nothing is wrong with the request, but what it holds cannot be worked on here.
    pub fn unfit(reason: impl Into<Error>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, reason)
    }

    /// There is too much to do, for so long about.
    pub fn busy(reason: impl Into<Error>, retry_after: Duration) -> Self {
        Self { retry_after: Some(retry_after), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, reason) }
    }

    /// The fault is ours; what it is stays here, for it may hold what stands in an article.
    pub fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the server failed at this request".with_hint("report it, with the request"),
        )
    }

    /// The object that says so.
    pub fn body(&self) -> Value {
        match &self.hint {
            Some(hint) => json!({ "error": self.error, "hint": hint }),
            None => json!({ "error": self.error }),
        }
    }
}

/// Only a refusal says what it is: the text of any other error may hold what stands in an article.
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

/// An answer that is JSON.
pub fn json_response(status: StatusCode, body: String) -> Response {
    response(status, "application/json", body)
}

/// An answer of some kind of content. No browser is to guess at another.
pub fn response(status: StatusCode, kind: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
