//! `LibreTranslate`'s API (<https://github.com/LibreTranslate/LibreTranslate>), so that its clients work with this
//! server.
//!
//! Invariant: answers have the fields of that API, and its request fields are accepted. Confidence is in percent.
//! Pages of other origins may read the answers, as in `LibreTranslate`, because answers contain nothing of other
//! requests.

use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path as Named, Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use axum::routing::{get, post};
use kortom::detect::{self, Detected};
use kortom::document::{Content, Document, Format, ReadOptions, decode};
use kortom::error::WithHint;
use kortom::render::ReportFormat;
use serde_json::{Map, Value, json};
use tower_http::cors::{Any, CorsLayer};

use super::articles::{Sessions, Wish, reports};
use super::client::RequestContext;
use super::fields::Fields;
use super::files::{File, safe_name};
use super::languages::{detect, detect_each};
use super::models::Pair;
use super::refusal::{Answer, Refusal, json_response, other_method, response};
use super::{Server, Shared, digest, events, formats};

/// The most alternatives of a text. Each needs a beam, and more beams than this do not help.
const MOST_ALTERNATIVES: usize = 10;

/// What the warning about a PDF says of its translation.
const AS_MARKDOWN: &str = "its text comes out as Markdown";

/// The routes of the API, open to pages of any origin (CORS).
pub fn routes() -> Router<Arc<Server>> {
    let cors = CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE]);
    Router::new()
        .route("/translate", post(translate))
        .route("/languages", get(languages))
        .route("/detect", post(detect_language))
        .route("/translate_file", post(translate_file))
        .route("/download_file/{name}", get(download_file))
        .route("/frontend/settings", get(settings))
        .method_not_allowed_fallback(other_method)
        .layer(cors)
}

/// The fields of a request to `/translate`.
struct Texts {
    all: Vec<String>,
    listed: bool,
    source: String,
    target: String,
    format: Format,
    alternatives: usize,
}

/// Handles `POST /translate`.
async fn translate(State(server): Shared, request: Request) -> Answer<Response> {
    let headers = request.headers().clone();
    let fields = Fields::read(request, &server.limits).await?;
    server.admit(&headers, &fields)?;
    let texts = Texts::read(&fields, &server)?;
    if events::are_wanted(&headers) {
        return digest::translate_in_events(server, texts.alone()?, &fields).await;
    }
    let answer = server.work(move |context, _| translated(context, &texts)).await?;
    Ok(json_response(StatusCode::OK, answer.to_string()))
}

impl Texts {
    fn read(fields: &Fields, server: &Server) -> Answer<Self> {
        let (texts, listed) = fields.texts("q")?;
        server.limits.check_length(texts.iter().map(String::as_str))?;
        let format = match fields.text("format")? {
            None | Some("text" | "") => Format::Text,
            Some("html") => Format::HtmlWhole,
            Some(other) => {
                return Err(Refusal::bad(
                    format!("`{other}` is no format here").with_hint("`format` is `text` or `html`"),
                ));
            }
        };
        let alternatives = fields.parsed("alternatives", "a whole number")?.unwrap_or(0);
        if alternatives > MOST_ALTERNATIVES {
            return Err(Refusal::bad(format!("`alternatives` must be {MOST_ALTERNATIVES} at most")));
        }
        let (source, target) = (fields.needed("source")?.to_owned(), fields.needed("target")?.to_owned());
        Ok(Self { all: texts, listed, source, target, format, alternatives })
    }

    /// The request as one article, for an answer in events.
    ///
    /// # Errors
    /// When the request has a list of texts, or wants alternatives.
    fn alone(self) -> Answer<digest::Article> {
        let Self { all: mut texts, listed: false, source, target, format, alternatives: 0 } = self else {
            return Err(Refusal::bad(
                "events are for one text, without alternatives".with_hint("send them one by one"),
            ));
        };
        Ok(digest::Article { id: None, text: texts.pop().unwrap_or_default(), format, source, target })
    }
}

/// Translates all texts: the object of the answer, with detected languages if the source is `auto`.
fn translated(context: &RequestContext<'_>, asked: &Texts) -> Answer<Value> {
    let auto = asked.source == "auto";
    let detected = if auto { detect_each(&asked.all) } else { vec![None; asked.all.len()] };
    let pairs = detected.iter().map(|found| context.models.pair_of(&asked.source, &asked.target, found.as_ref()));
    let pairs = pairs.collect::<Answer<Vec<Pair>>>()?;
    let mut answers: Vec<Translated> = vec![Translated::default(); asked.all.len()];
    for pair in distinct(&pairs) {
        let places: Vec<usize> = (0..pairs.len()).filter(|&place| pairs[place] == *pair).collect();
        let documents: Vec<Document> =
            places.iter().map(|&place| Document::parse("-", &asked.all[place], asked.format)).collect();
        let made = translations(context, pair, asked.alternatives, &documents)?;
        places.into_iter().zip(made).for_each(|(place, made)| answers[place] = made);
    }
    let one_or_all = |mut all: Vec<Value>| if asked.listed { all.into() } else { all.pop().unwrap_or_default() };
    let (texts, alternatives) = answers.into_iter().map(|made| (made.text.into(), made.alternatives.into())).unzip();
    let mut answer = Map::from_iter([("translatedText".to_owned(), one_or_all(texts))]);
    if asked.alternatives > 0 {
        answer.insert("alternatives".to_owned(), one_or_all(alternatives));
    }
    if auto {
        let told = detected.iter().zip(&pairs).map(|(found, pair)| match found {
            Some(found) => percent(found),
            None => json!({ "language": pair.from, "confidence": 0 }),
        });
        answer.insert("detectedLanguage".to_owned(), one_or_all(told.collect()));
    }
    Ok(answer.into())
}

fn distinct(pairs: &[Pair]) -> Vec<&Pair> {
    let mut distinct = Vec::new();
    for pair in pairs {
        if !distinct.contains(&pair) {
            distinct.push(pair);
        }
    }
    distinct
}

/// The translation of one text.
#[derive(Clone, Debug, Default)]
struct Translated {
    text: String,
    alternatives: Vec<String>,
}

fn translations(
    context: &RequestContext<'_>,
    pair: &Pair,
    alternatives: usize,
    documents: &[Document],
) -> Answer<Vec<Translated>> {
    let wish = Wish::translation(pair);
    let sessions = Sessions::new(context, &wish, alternatives)?;
    let digest = sessions.digest();
    let (translator, mut answers) = digest.translator().zip(sessions.answers()).ok_or_else(Refusal::internal)?;
    let mut plan = translator.plan(documents)?;
    while answers.next(&mut plan)?.is_some() {}
    // A text has fewer alternatives if one would lose a protected span.
    let others = |document| (1..=alternatives).filter_map(|rank| plan.alternative(document, rank)).collect();
    let others: Vec<Vec<Document>> = (0..documents.len()).map(others).collect();
    let translated = plan.finish()?.into_iter().zip(others).zip(documents);
    Ok(translated
        .map(|((translation, others), source)| {
            let text = |document: Document| document.in_language(source, &pair.to).text();
            let mut made = Translated { text: text(translation.document), alternatives: Vec::new() };
            for other in others.into_iter().map(text) {
                if other != made.text && !made.alternatives.contains(&other) {
                    made.alternatives.push(other);
                }
            }
            made
        })
        .collect())
}

/// A detected language as `LibreTranslate` writes it: with the confidence in percent.
fn percent(found: &Detected) -> Value {
    json!({ "language": found.language, "confidence": (found.confidence * 100.0).round() })
}

/// Handles `GET /languages`.
async fn languages(State(server): Shared) -> Response {
    json_response(StatusCode::OK, server.models.list().to_string())
}

/// Handles `POST /detect`.
async fn detect_language(State(server): Shared, request: Request) -> Answer<Response> {
    let headers = request.headers().clone();
    let fields = Fields::read(request, &server.limits).await?;
    server.admit(&headers, &fields)?;
    let (texts, _) = fields.texts("q")?;
    server.limits.check_length(texts.iter().map(String::as_str))?;
    let found = server.work(move |_, _| Ok(detect::language(&texts.join("\n")))).await?;
    let found: Vec<Value> = found.iter().map(percent).collect();
    Ok(json_response(StatusCode::OK, Value::from(found).to_string()))
}

/// Handles `GET /frontend/settings`.
async fn settings(State(server): Shared) -> Response {
    let Pair { from, to } = server.models.usual();
    let language = |code: &str| json!({ "code": code, "name": detect::name(code) });
    let settings = json!({
        "charLimit": server.limits.characters,
        "frontendTimeout": 500,
        "apiKeys": server.keys.are_needed(),
        "keyRequired": server.keys.are_needed(),
        "suggestions": false,
        "alignment": server.models.aligns(),
        "filesTranslation": true,
        "supportedFilesFormat": formats::extensions(formats::in_files()),
        "language": { "source": language(from), "target": language(to) },
    });
    json_response(StatusCode::OK, settings.to_string())
}

/// Handles `POST /translate_file`.
async fn translate_file(State(server): Shared, request: Request) -> Answer<Response> {
    let headers = request.headers().clone();
    let mut fields = Fields::read(request, &server.limits).await?;
    server.admit(&headers, &fields)?;
    let file =
        fields.file.take().ok_or_else(|| Refusal::bad("`file` is missing".with_hint("send a form with a file")))?;
    let name = safe_name(&file.name);
    let Some(format) =
        Format::known(Path::new(&name)).filter(|format| formats::in_files().any(|spec| spec.format == *format))
    else {
        let known = formats::extensions(formats::in_files()).join(", ");
        return Err(Refusal::bad("cannot translate this kind of file".with_hint(format!("it is one of {known}"))));
    };
    let (source, target) = (fields.needed("source")?.to_owned(), fields.needed("target")?.to_owned());
    let written = written_format(&fields, format)?;
    let options = read_options(&fields, format)?;
    let content = if format.spec().is_binary() {
        Content::from(file.bytes)
    } else {
        let text = decode(file.bytes).map_err(Refusal::unfit)?;
        server.limits.check_length(std::iter::once(text.as_str()))?;
        text.into()
    };
    let found = server.work(move |context, server| {
        let format = if format == Format::Html { Format::HtmlWhole } else { format };
        let document = Document::read_with(&name, content, format, &options).map_err(Refusal::unfit)?;
        server.limits.check_length(document.blocks.iter().map(|block| block.text.as_str()))?;
        let (file, warnings) = translated_file(context, &name, document, [&source, &target], written)?;
        let place = format!("{}.{}", server.files.keep(file.clone())?, file.name);
        Ok((place, warnings))
    });
    let (place, warnings) = found.await?;
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
    let host = host.map(|host| format!("http://{host}")).unwrap_or_default();
    let mut answer = json!({ "translatedFileUrl": format!("{host}/download_file/{place}") });
    if !warnings.is_empty() {
        answer["warnings"] = warnings.into();
    }
    Ok(json_response(StatusCode::OK, answer.to_string()))
}

/// The columns of a table that have text, and what they hold: the fields `field` and `field_format`, which no client of
/// `LibreTranslate` sends.
fn read_options(fields: &Fields, format: Format) -> Answer<ReadOptions> {
    let [is_named, is_typed] = ["field", "field_format"].map(|name| fields.is_given(name));
    if (is_named || is_typed) && !format.spec().has_fields() {
        let name = if is_named { "field" } else { "field_format" };
        let error = format!("`{name}` is for tables and JSONL, not for a file of the kind `{}`", format.name());
        return Err(Refusal::unfit(error.with_hint("leave it out")));
    }
    let named = if is_named { fields.texts("field")?.0 } else { Vec::new() };
    let typed = fields.text("field_format")?.filter(|_| is_typed);
    let field_format = typed.map(str::parse).transpose().map_err(Refusal::unfit)?;
    Ok(ReadOptions { fields: named, field_format: field_format.unwrap_or_default(), ..ReadOptions::default() })
}

/// The format that a file is written in: its own, unless it is one that can only be read, such as a PDF. Such a file becomes
/// Markdown, or what the field `format` names, which no client of `LibreTranslate` sends.
fn written_format(fields: &Fields, format: Format) -> Answer<ReportFormat> {
    let own = format.written_as();
    let wanted = match fields.text("format")? {
        None => return Ok(ReportFormat::Own(own)),
        Some("markdown") => ReportFormat::Own(Format::Markdown),
        Some("html") => ReportFormat::Html,
        Some(other) => {
            return Err(Refusal::bad(
                format!("`{other}` is no format here").with_hint("`format` is `markdown` or `html`"),
            ));
        }
    };
    if own == format {
        let error = format!("`format` is not for a file of the kind `{}`", format.name());
        return Err(Refusal::unfit(error.with_hint("leave it out: such a file comes back in its own format")));
    }
    Ok(wanted)
}

/// A translated file, and the warnings about it.
fn translated_file(
    context: &RequestContext<'_>,
    name: &str,
    document: Document,
    [source, target]: [&str; 2],
    written: ReportFormat,
) -> Answer<(File, Vec<String>)> {
    let detected = if source == "auto" { detect(&document.without_markup().text()) } else { None };
    let pair = context.models.pair_of(source, target, detected.as_ref())?;
    let wish = Wish::translation(&pair);
    let report = reports(context, &wish, vec![document])?.pop().unwrap_or_default();
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, "txt"));
    let file = |extension: &str, bytes| File { name: format!("{stem}_{}.{extension}", pair.to), bytes };
    if written == ReportFormat::Html {
        let told = |warning: &String| warning.replace(AS_MARKDOWN, "its text comes out as HTML");
        let warnings = report.warnings.iter().map(told).collect();
        return Ok((file(written.extension(), written.article(&report).into_bytes()), warnings));
    }
    let mut bytes = Vec::new();
    if let Some(document) = &report.document {
        document.write(&mut bytes)?;
    }
    let changed = Format::known(Path::new(name)).filter(|format| format.written_as() != *format);
    Ok((file(changed.map_or(extension, |_| written.extension()), bytes), report.warnings))
}

/// Handles `GET /download_file/{name}`.
async fn download_file(State(server): Shared, Named(name): Named<String>) -> Answer<Response> {
    let id = name.split('.').next().unwrap_or_default();
    let file = server.files.find(id).ok_or_else(|| {
        Refusal::new(StatusCode::NOT_FOUND, "there is no such file, or it has not been fetched for too long")
    })?;
    let saved = format!("attachment; filename=\"{}\"", file.name);
    // With this type a browser saves the file, and never shows it as a page of this server.
    let mut answer = response(StatusCode::OK, "application/octet-stream", file.bytes);
    answer
        .headers_mut()
        .insert(header::CONTENT_DISPOSITION, HeaderValue::from_str(&saved).map_err(|_| Refusal::internal())?);
    Ok(answer)
}
