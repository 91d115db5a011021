//! The page in the browser: three files that are in the program.
//!
//! Responsible for what a browser gets at `/` and for what it lets that page do. Invariant: the page loads nothing and asks
//! nothing but from this server, and runs nothing but `page.js`; it is no part of another page. What it asks is
//! answered by `digest` and `libretranslate`, as to any client.

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::get;

use super::Server;
use super::refusal::response;

/// What a browser lets the page do.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
                      form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

/// The three files.
pub fn routes() -> Router<Arc<Server>> {
    Router::new()
        .route("/", get(|| async { file("text/html; charset=utf-8", include_str!("page/index.html")) }))
        .route("/page.css", get(|| async { file("text/css; charset=utf-8", include_str!("page/page.css")) }))
        .route("/page.js", get(|| async { file("text/javascript; charset=utf-8", include_str!("page/page.js")) }))
}

fn file(kind: &'static str, text: &'static str) -> Response {
    let mut file = response(StatusCode::OK, kind, text);
    let headers: [(HeaderName, &str); 3] = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        // A newer program may have a newer page at the same address.
        (header::CACHE_CONTROL, "no-cache"),
    ];
    for (name, value) in headers {
        file.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    file
}
