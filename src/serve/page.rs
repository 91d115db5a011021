//! The page in the browser: a few files that are in the program.
//!
//! Responsible for what a browser gets at `/` and for what it lets that page do. Invariant: the page loads nothing and asks
//! nothing but from this server, and runs nothing but these scripts; it is no part of another page. What it asks is
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

/// The files: where they are, what they are, and what is in them.
const FILES: [(&str, &str, &str); 7] = [
    ("/", "text/html; charset=utf-8", include_str!("page/index.html")),
    ("/page.css", "text/css; charset=utf-8", include_str!("page/page.css")),
    ("/page.js", SCRIPT, include_str!("page/page.js")),
    ("/elements.js", SCRIPT, include_str!("page/elements.js")),
    ("/reading.js", SCRIPT, include_str!("page/reading.js")),
    ("/stream.js", SCRIPT, include_str!("page/stream.js")),
    ("/words.js", SCRIPT, include_str!("page/words.js")),
];
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// A route for each file.
pub fn routes() -> Router<Arc<Server>> {
    FILES.iter().fold(Router::new(), |routes, &(path, kind, text)| {
        routes.route(path, get(move || async move { file(kind, text) }))
    })
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
