//! The `OpenAPI` description of all routes, for programs that generate clients or try a server.
//!
//! Invariant: the description is `openapi.json`, to which are added the languages of the models, the formats, and
//! forms. The schema of a form is that of the JSON object without nulls.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::formats;
use super::models::ServedModels;

/// The description without languages, formats and forms.
const DOCUMENT: &str = include_str!("openapi.json");
/// The media type of a form.
const FORM: &str = "application/x-www-form-urlencoded";

/// The description of a server with these models.
///
/// # Errors
/// When `openapi.json` is not JSON, which a test would have found.
pub fn document(models: &ServedModels) -> serde_json::Result<String> {
    let mut document: Value = serde_json::from_str(DOCUMENT)?;
    let (from, to) = models.codes();
    let sources: Vec<&str> = std::iter::once("auto").chain(from.iter().map(String::as_str)).collect();
    document["components"]["schemas"]["Source"]["enum"] = json!(sources);
    document["components"]["schemas"]["Target"]["enum"] = json!(to);
    if !models.aligns() {
        document["components"]["schemas"]["Article"]["properties"]["alignment"]["enum"] = json!([false, null]);
    }
    add_formats(&mut document);
    add_forms(&mut document);
    serde_json::to_string_pretty(&document)
}

/// Adds the formats that articles and files may be in.
fn add_formats(document: &mut Value) {
    let names: Vec<Value> = formats::in_requests().map(|spec| spec.name.into()).chain([Value::Null]).collect();
    for schema in ["Article", "ToSummarize"] {
        document["components"]["schemas"][schema]["properties"]["format"]["enum"] = json!(names);
    }
    let mut kinds: Vec<&str> = formats::in_files().map(|spec| spec.media_type).collect();
    kinds.dedup();
    let told =
        format!("The extension of the name says what kind of file it is: {}.", formats::in_words(formats::in_files()));
    let body = &mut document["paths"]["/translate_file"]["post"]["requestBody"]["content"]["multipart/form-data"];
    let file = &mut body["encoding"]["file"];
    file["contentType"] = json!(kinds.join(", "));
    file["headers"]["Content-Disposition"]["description"] = json!(told);
}

/// Adds, for each JSON object that a request may send, a form with its fields.
fn add_forms(document: &mut Value) {
    let mut forms = BTreeSet::new();
    for path in document["paths"].as_object_mut().into_iter().flat_map(Map::values_mut) {
        let Some(content) = path.pointer_mut("/post/requestBody/content").and_then(Value::as_object_mut) else {
            continue;
        };
        let named = content.get("application/json").and_then(|json| json["schema"]["$ref"].as_str()).map(str::to_owned);
        if let Some(named) = named {
            content.insert(FORM.to_owned(), json!({ "schema": { "$ref": format!("{named}Form") } }));
            forms.insert(named);
        }
    }
    for named in &forms {
        let mut form = document.pointer(named.trim_start_matches('#')).cloned().unwrap_or_default();
        as_form(&mut form);
        let name = named.rsplit('/').next().unwrap_or_default();
        document["components"]["schemas"][format!("{name}Form")] = form;
    }
}

/// Reduces a schema to what a form can express: without null, and with a list only if there is no alternative to it.
fn as_form(schema: &mut Value) {
    match schema {
        Value::Array(all) => {
            all.retain(|one| !one.is_null() && *one != "null" && one["type"] != "null" && one["type"] != "array");
            all.iter_mut().for_each(as_form);
        }
        Value::Object(all) => {
            all.values_mut().for_each(as_form);
            if let Some([only]) = all.get("anyOf").and_then(Value::as_array).map(Vec::as_slice) {
                *schema = only.clone();
            }
        }
        _ => {}
    }
}
