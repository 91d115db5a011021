//! What a request says, however it says it: JSON, a form, or behind the `?` of its address.
//!
//! Invariant: a field has the same meaning in all of them; one of the wrong kind is refused by its name, and fields that
//! nobody asks for are left alone, for clients send their own.

use std::str::FromStr;

use axum::body::Body;
use axum::extract::{FromRequest, Multipart};
use axum::http::{Request, StatusCode, header};
use kortom::error::WithHint;
use serde_json::{Map, Value};

use super::limits::Limits;
use super::refusal::{Answer, Refusal};

/// A request's fields.
#[derive(Debug, Default)]
pub struct Fields {
    values: Map<String, Value>,
    /// The file of a form that has one.
    pub file: Option<Upload>,
}

/// A file that was sent.
#[derive(Debug)]
pub struct Upload {
    /// What its sender calls it; never a path of this machine.
    pub name: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

impl Fields {
    /// Reads a request.
    ///
    /// # Errors
    /// When it is too much, or not what it says it is.
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

    /// A field that comes more than once is a list.
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

    /// A field that is not there, or says nothing, is none.
    fn value(&self, name: &str) -> Option<&Value> {
        self.values.get(name).filter(|value| !value.is_null())
    }

    /// A text.
    ///
    /// # Errors
    /// When it is something else.
    pub fn text(&self, name: &str) -> Answer<Option<&str>> {
        let Some(value) = self.value(name) else { return Ok(None) };
        value.as_str().map(Some).ok_or_else(|| Refusal::bad(format!("`{name}` must be a text")))
    }

    /// A text that must be there and say something.
    ///
    /// # Errors
    /// When it is not there or something else.
    pub fn needed(&self, name: &str) -> Answer<&str> {
        self.text(name)?.filter(|text| !text.is_empty()).ok_or_else(|| missing(name))
    }

    /// One text or several; whether they are a list.
    ///
    /// # Errors
    /// When there is none, or something else.
    pub fn texts(&self, name: &str) -> Answer<(Vec<String>, bool)> {
        if let Some(Value::Array(list)) = self.value(name) {
            let texts = list.iter().map(|text| text.as_str().map(str::to_owned)).collect::<Option<Vec<String>>>();
            let texts = texts.ok_or_else(|| Refusal::bad(format!("`{name}` must be a text or a list of texts")))?;
            return if texts.is_empty() { Err(missing(name)) } else { Ok((texts, true)) };
        }
        Ok((vec![self.needed(name)?.to_owned()], false))
    }

    /// Something with a text form, such as a number; `expected` says what it is when it is not.
    ///
    /// # Errors
    /// When it is something else.
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

    /// Several texts of which each is one of `known`.
    ///
    /// # Errors
    /// When one is not, or it is no list.
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
    // The parser's own words would repeat what was sent.
    let bad = |error: serde_json::Error| {
        Refusal::bad(format!("the request is not a JSON object: line {}, column {}", error.line(), error.column()))
    };
    serde_json::from_str(text(bytes)?).map_err(bad)
}
