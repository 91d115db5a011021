//! kortom's own API: it takes an article and returns the object of `kortom digest --format json`, at once or in
//! events.
//!
//! Invariant: the object equals that of the command line byte for byte, with the `id` that was sent. `renderings` are
//! added at its end if they are requested.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use kortom::check;
use kortom::detect::Detected;
use kortom::document::{Document, Format};
use kortom::error::WithHint;
use kortom::render;
use kortom::report::Report;
use kortom::summarize::Length;
use serde_json::json;

use super::articles::{Wish, reports};
use super::client::RequestContext;
use super::events::{self, Events};
use super::fields::Fields;
use super::languages::detect;
use super::models::Pair;
use super::refusal::{Answer, Refusal, json_response};
use super::{Server, Shared, formats, stream};

/// The formats that a report can be rendered in, by their names in requests.
const RENDERINGS: [(&str, render::ReportFormat); 3] = [
    ("text", render::ReportFormat::Text),
    ("markdown", render::ReportFormat::Markdown),
    ("html", render::ReportFormat::Html),
];

/// An article of a request, and the languages that it is translated from and to.
pub struct Article {
    /// The `id` that the client sent.
    pub id: Option<String>,
    /// The text.
    pub text: String,
    /// The format of the text.
    pub format: Format,
    /// The code of its language, or `auto`.
    pub source: String,
    /// The code of the language of its translation.
    pub target: String,
}

/// What a request wants besides a translation.
struct Extras {
    summarize: bool,
    length: Option<Length>,
    renderings: Vec<render::ReportFormat>,
    /// Whether the translation says which words belong together.
    aligns: bool,
}

/// An article that was parsed, and whose languages are known.
struct Ready {
    document: Document,
    /// The detected language, if the client sent `auto`.
    detected: Option<Detected>,
    pair: Pair,
}

/// Handles `POST /digest`.
pub async fn digest(State(server): Shared, request: Request) -> Answer<Response> {
    let headers = request.headers().clone();
    let fields = Fields::read(request, &server.limits).await?;
    server.admit(&headers, &fields)?;
    let usual = server.models.usual();
    let article = Article::read(&fields, &server, &usual.from, &usual.to)?;
    let extras = Extras::read(&fields, true)?.aligning(&fields, &server)?;
    if events::are_wanted(&headers) {
        return events::answer(server, move |context, _, events| stream_article(context, &article, &extras, events))
            .await;
    }
    let answer = server.work(move |context, _| {
        let Ready { document, pair, .. } = article.ready(context)?;
        let report = report(reports(context, &extras.wish(pair), vec![document])?)?;
        extras.object(&report)
    });
    Ok(json_response(StatusCode::OK, answer.await?))
}

/// Handles `POST /translate` with an answer in events.
///
/// # Errors
/// When the request is not valid, or the server is busy.
pub async fn translate_in_events(server: Arc<Server>, article: Article, fields: &Fields) -> Answer<Response> {
    let extras = Extras::read(fields, false)?.aligning(fields, &server)?;
    events::answer(server, move |context, _, events| stream_article(context, &article, &extras, events)).await
}

/// Handles `POST /summarize`.
pub async fn summarize(State(server): Shared, request: Request) -> Answer<Response> {
    let headers = request.headers().clone();
    let fields = Fields::read(request, &server.limits).await?;
    server.admit(&headers, &fields)?;
    let article = Article::read(&fields, &server, &server.models.usual().to, "")?;
    let extras = Extras::read(&fields, true)?;
    let answer = server.work(move |context, _| {
        let document = article.document()?;
        let found = if article.source == "auto" { article.detect(&document) } else { None };
        let language = match found {
            Some(found) => found.language.to_owned(),
            None if article.source == "auto" => context.models.usual().to.clone(),
            None => article.source,
        };
        let wish = Wish { translate: None, aligns: false, summarize: true, length: extras.length, language };
        extras.object(&report(reports(context, &wish, vec![document])?)?)
    });
    Ok(json_response(StatusCode::OK, answer.await?))
}

impl Article {
    fn read(fields: &Fields, server: &Server, source: &str, target: &str) -> Answer<Self> {
        let text = fields.needed("q")?.to_owned();
        server.limits.check_length(std::iter::once(text.as_str()))?;
        let named = fields.text("format")?.unwrap_or("text");
        let known = || formats::in_requests().map(|spec| (spec.name, spec.format));
        let Some((_, format)) = known().find(|(name, _)| *name == named) else {
            let known = known().map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            return Err(Refusal::bad(format!("unknown format `{named}`").with_hint(format!("it is one of {known}"))));
        };
        let code = |name: &str, usual: &str| Answer::Ok(fields.text(name)?.unwrap_or(usual).to_owned());
        let id = fields.text("id")?.map(str::to_owned);
        Ok(Self { id, text, format, source: code("source", source)?, target: code("target", target)? })
    }

    fn document(&self) -> Answer<Document> {
        let mut document = Document::read("-", self.text.as_str(), self.format).map_err(Refusal::unfit)?;
        document.id.clone_from(&self.id);
        Ok(document)
    }

    fn detect(&self, document: &Document) -> Option<Detected> {
        if document.has_markup() { detect(&document.without_markup().text()) } else { detect(&self.text) }
    }

    fn ready(&self, context: &RequestContext<'_>) -> Answer<Ready> {
        let document = self.document()?;
        let detected = if self.source == "auto" { self.detect(&document) } else { None };
        let pair = context.models.pair_of(&self.source, &self.target, detected.as_ref())?;
        Ok(Ready { document, detected, pair })
    }
}

impl Extras {
    fn read(fields: &Fields, summarize: bool) -> Answer<Self> {
        let summarize = fields.parsed("summarize", "true or false")?.unwrap_or(summarize);
        let length = fields.parsed::<String>("summary_length", "a length")?;
        let length = length.map(|length| length.parse::<Length>().map_err(Refusal::bad)).transpose()?;
        Ok(Self { summarize, length, renderings: fields.choices("renderings", &RENDERINGS)?, aligns: false })
    }

    /// The extras with the alignment that a request for a translation may ask for.
    fn aligning(self, fields: &Fields, server: &Server) -> Answer<Self> {
        let aligns = fields.parsed("alignment", "true or false")?.unwrap_or(false);
        if aligns && !server.models.aligns() {
            let name = server.models.models().translation()?.engine().name();
            let error = format!("of the model `{name}` no head is known that aligns words");
            return Err(Refusal::bad(error.with_hint("leave out `alignment`")));
        }
        Ok(Self { aligns, ..self })
    }

    fn wish(&self, pair: Pair) -> Wish {
        let Self { aligns, summarize, length, .. } = *self;
        Wish { language: pair.to.clone(), translate: Some(pair), aligns, summarize, length }
    }

    /// The JSON object of a report, with its `renderings`.
    fn object(&self, report: &Report) -> Answer<String> {
        let object = report.json().map_err(anyhow::Error::from)?;
        let (true, Some(open)) = (!self.renderings.is_empty(), object.strip_suffix('}')) else { return Ok(object) };
        let name = |wanted| RENDERINGS.iter().find(|(_, format)| *format == wanted).map_or("", |(name, _)| *name);
        let rendered = self.renderings.iter().map(|&format| (name(format), format.article(report)));
        let rendered: HashMap<&str, String> = rendered.collect();
        Ok(format!("{open},\"renderings\":{}}}", json!(rendered)))
    }
}

fn report(reports: Vec<Report>) -> Answer<Report> {
    reports.into_iter().next().ok_or_else(Refusal::internal)
}

/// Translates an article, and sends its sentences, its summary and its report as events.
fn stream_article(context: &RequestContext<'_>, article: &Article, extras: &Extras, events: &Events) -> Answer<()> {
    let Ready { document, detected, pair } = article.ready(context)?;
    let detected = detected.or_else(|| article.detect(&document));
    let report = stream::report(context, &extras.wish(pair), document, detected, events)?;
    if extras.summarize {
        events.send(
            "summary",
            &json!({
                "summary": report.summary,
                "method": report.method,
                "flags": check::flags(&report.summary_notes),
                "notes": report.summary_notes,
            }),
        );
    }
    let object = extras.object(&report)?;
    events.send("done", &serde_json::from_str(&object).map_err(anyhow::Error::from)?);
    Ok(())
}
