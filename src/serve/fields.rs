//! The fields of a request: from a JSON object, a form, or the query of its address.
//!
//! Invariant: a field means the same in all three. A field of the wrong type is refused with its name. Unknown fields
//! are ignored, because clients send fields of their own.

use std::str::FromStr;

use axum::body::Body;
use axum::extract::{FromRequest, Multipart};
use axum::http::{Request, StatusCode, header};
use kortom::error::WithHint;
use serde_json::{Map, Value};

use super::limits::Limits;
use super::refusal::{Answer, Refusal};

/// The fields of a request.
#[derive(Debug, Default)]
pub struct Fields {
    values: Map<String, Value>,
    /// The uploaded file, if the request is a form with one.
    pub file: Option<Upload>,
}

/// An uploaded file.
#[derive(Debug)]
pub struct Upload {
    /// The file name that the client sent; it is never used as a path of this machine.
    pub name: String,
    /// The content.
    pub bytes: Vec<u8>,
}

impl Fields {
    /// Reads the fields of a request.
    ///
    /// # Errors
    /// When the body is too large, or not of the type that its `Content-Type` names.
    pub async fn read(request: Request<Body>, limits: &Limits) -> Answer<Self> {
        let (parts, body) = request.into_parts();
        let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let bytes = limits.read(&parts.headers, body).await?;
        let mut fields = Self::default();
        fields.add_form(parts.uri.query().unwrap_or_default().as_bytes());
        match kind.as_str() {
            "application/json" => fields.values.extend(object(&bytes)?),
            "application/x-www-form-urlencoded" => fields.add_form(text(&bytes)?.as_bytes()),
            "multipart/form-data" => {
                let request = Request::from_parts(parts, Body::from(bytes));
                fields.add_parts(request).await?;
            }
            _ if bytes.is_empty() => {}
            other => {
                return Err(Refusal::new(
                    StatusCode::UNSUPPORTED_MEDIA_TYPE,
                    format!("cannot read `{other}`").with_hint("send `application/json` or a form"),
                ));
            }
        }
        Ok(fields)
    }

    fn add_form(&mut self, form: &[u8]) {
        for (name, value) in form_urlencoded::parse(form) {
            self.add(&name, value.into_owned());
        }
    }

    /// Adds a field; one that comes more than once becomes a list.
    fn add(&mut self, name: &str, value: String) {
        let value = Value::String(value);
        match self.values.get_mut(name) {
            None => {
                self.values.insert(name.to_owned(), value);
            }
            Some(Value::Array(all)) => all.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
        }
    }

    async fn add_parts(&mut self, request: Request<Body>) -> Answer<()> {
        let bad = |_| Refusal::bad("the form is damaged");
        let mut form =
            Multipart::from_request(request, &()).await.map_err(|_| Refusal::bad("the form has no boundary"))?;
        while let Some(part) = form.next_field().await.map_err(bad)? {
            let name = part.name().unwrap_or_default().to_owned();
            let file = part.file_name().map(str::to_owned);
            let bytes = part.bytes().await.map_err(bad)?;
            match file {
                Some(file) if name == "file" => self.file = Some(Upload { name: file, bytes: bytes.to_vec() }),
                _ => self.add(&name, text(&bytes)?.to_owned()),
            }
        }
        Ok(())
    }

    /// The value of a field; `None` if the field is missing or null.
    fn value(&self, name: &str) -> Option<&Value> {
        self.values.get(name).filter(|value| !value.is_null())
    }

    /// Whether a field says something: a form sends one that nobody has filled in as an empty text.
    pub fn is_given(&self, name: &str) -> bool {
        match self.value(name) {
            None => false,
            Some(Value::String(text)) => !text.is_empty(),
            Some(Value::Array(list)) => !list.is_empty(),
            Some(_) => true,
        }
    }

    /// The text in a field; `None` if the field is missing.
    ///
    /// # Errors
    /// When the field is not a text.
    pub fn text(&self, name: &str) -> Answer<Option<&str>> {
        let Some(value) = self.value(name) else { return Ok(None) };
        value.as_str().map(Some).ok_or_else(|| Refusal::bad(format!("`{name}` must be a text")))
    }

    /// The text in a field that is required.
    ///
    /// # Errors
    /// When the field is missing, empty, or not a text.
    pub fn needed(&self, name: &str) -> Answer<&str> {
        self.text(name)?.filter(|text| !text.is_empty()).ok_or_else(|| missing(name))
    }

    /// The text or the list of texts in a field that is required, and whether it is a list.
    ///
    /// # Errors
    /// When the field is missing or empty, or neither a text nor a list of texts.
    pub fn texts(&self, name: &str) -> Answer<(Vec<String>, bool)> {
        if let Some(Value::Array(list)) = self.value(name) {
            let texts = list.iter().map(|text| text.as_str().map(str::to_owned)).collect::<Option<Vec<String>>>();
            let texts = texts.ok_or_else(|| Refusal::bad(format!("`{name}` must be a text or a list of texts")))?;
            return if texts.is_empty() { Err(missing(name)) } else { Ok((texts, true)) };
        }
        Ok((vec![self.needed(name)?.to_owned()], false))
    }

    /// The value in a field that can be parsed from text, such as a number; `None` if the field is missing.
    /// `expected` names the expected type in the error.
    ///
    /// # Errors
    /// When the field has another type.
    pub fn parsed<T: FromStr>(&self, name: &str, expected: &str) -> Answer<Option<T>> {
        let wrong = || Refusal::bad(format!("`{name}` must be {expected}"));
        let text = match self.value(name) {
            None => return Ok(None),
            Some(Value::String(text)) => text.clone(),
            // In JSON a whole number may be written as `2.0`.
            Some(value @ (Value::Number(_) | Value::Bool(_))) => value.to_string().trim_end_matches(".0").to_owned(),
            Some(_) => return Err(wrong()),
        };
        text.parse().map(Some).map_err(|_| wrong())
    }

    /// The values that `known` has for the texts in a field, which may be a list.
    ///
    /// # Errors
    /// When a text is not one of `known`, or the field holds no texts.
    pub fn choices<T: Copy>(&self, name: &str, known: &[(&str, T)]) -> Answer<Vec<T>> {
        if self.value(name).is_none() {
            return Ok(Vec::new());
        }
        let names = known.iter().map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let find = |text: &String| known.iter().find(|(known, _)| known == text).map(|(_, value)| *value);
        let found = match self.value(name) {
            Some(Value::Array(list)) if list.is_empty() => Some(Vec::new()),
            _ => self.texts(name)?.0.iter().map(find).collect(),
        };
        found.ok_or_else(|| Refusal::bad(format!("`{name}` must be a list of {names}")))
    }
}

fn missing(name: &str) -> Refusal {
    Refusal::bad(format!("`{name}` is missing"))
}

fn text(bytes: &[u8]) -> Answer<&str> {
    std::str::from_utf8(bytes)
        .map_err(|error| Refusal::bad(format!("the request is not valid UTF-8 at byte {}", error.valid_up_to())))
}

fn object(bytes: &[u8]) -> Answer<Map<String, Value>> {
    // The parser's message is left out, because it would repeat a piece of the request.
    let bad = |error: serde_json::Error| {
        Refusal::bad(format!("the request is not a JSON object: line {}, column {}", error.line(), error.column()))
    };
    serde_json::from_str(text(bytes)?).map_err(bad)
}
