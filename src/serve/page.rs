//! The page for browsers: a few files that are compiled into the program.
//!
//! Responsible for what a browser gets at `/`, and for what it lets that page do. Invariant: the page loads only
//! files of this server, sends requests only to this server, runs only these scripts, and cannot be embedded in
//! another page. Its requests are answered by `digest` and `libretranslate`, like those of any client.

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::get;
use kortom::document::FormatSpec;

use super::refusal::response;
use super::{Server, formats};

/// The Content-Security-Policy of the page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
                      form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

/// The HTML of the page, with the formats that the server accepts.
static PAGE: LazyLock<String> = LazyLock::new(|| {
    let option = |spec: &FormatSpec| {
        let (name, extensions, title) = (spec.name, spec.extensions.join(" "), spec.title);
        format!("<option value=\"{name}\" data-extensions=\"{extensions}\">{title}</option>")
    };
    let options: Vec<String> = formats::on_page().map(option).collect();
    include_str!("page/index.html")
        .replace("{{formats}}", &options.join("\n"))
        .replace("{{extensions}}", &formats::extensions(formats::in_files()).join(","))
        .replace("{{document extensions}}", &formats::extensions(formats::documents()).join(" "))
        .replace("{{usual extensions}}", &formats::in_words(formats::in_files()))
});

/// The other files of the page: path, media type, content.
const FILES: [(&str, &str, &str); 7] = [
    ("/page.css", "text/css; charset=utf-8", include_str!("page/page.css")),
    ("/page.js", SCRIPT, include_str!("page/page.js")),
    ("/alignment.js", SCRIPT, include_str!("page/alignment.js")),
    ("/elements.js", SCRIPT, include_str!("page/elements.js")),
    ("/reading.js", SCRIPT, include_str!("page/reading.js")),
    ("/stream.js", SCRIPT, include_str!("page/stream.js")),
    ("/words.js", SCRIPT, include_str!("page/words.js")),
];
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// The routes of the page: one for each file.
pub fn routes() -> Router<Arc<Server>> {
    let page = Router::new().route("/", get(|| async { file("text/html; charset=utf-8", PAGE.as_str()) }));
    FILES
        .iter()
        .fold(page, |routes, &(path, kind, text)| routes.route(path, get(move || async move { file(kind, text) })))
}

fn file(kind: &'static str, text: &'static str) -> Response {
    let mut file = response(StatusCode::OK, kind, text);
    let headers: [(HeaderName, &str); 3] = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        // After an update the program may have another page at this address.
        (header::CACHE_CONTROL, "no-cache"),
    ];
    for (name, value) in headers {
        file.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    file
}
