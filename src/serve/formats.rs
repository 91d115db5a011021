//! The formats that requests and files may be in.
//!
//! Invariant: all lists of formats that a client or a person sees are made from `kortom::document::FORMATS`, also
//! those of the `OpenAPI` description and of the page.

use kortom::document::{FORMATS, FormatSpec, Holds};

/// Formats that an article in a request may be in: those that are text.
pub fn in_requests() -> impl Iterator<Item = &'static FormatSpec> {
    FORMATS.iter().filter(|spec| spec.holds == Holds::Article && !spec.is_binary())
}

/// Formats of files that are one article.
pub fn in_files() -> impl Iterator<Item = &'static FormatSpec> {
    FORMATS.iter().filter(|spec| spec.holds == Holds::Article && !spec.extensions.is_empty())
}

/// Formats of files whose text the page does not show: it uploads them, and offers the translated file.
pub fn documents() -> impl Iterator<Item = &'static FormatSpec> {
    in_files().filter(|spec| spec.is_binary())
}

/// Formats of files whose text the page shows.
pub fn on_page() -> impl Iterator<Item = &'static FormatSpec> {
    in_files().filter(|spec| !spec.is_binary())
}

/// The extensions of files in these formats, each with its dot.
pub fn extensions(formats: impl Iterator<Item = &'static FormatSpec>) -> Vec<String> {
    formats.flat_map(|spec| spec.extensions).map(|extension| format!(".{extension}")).collect()
}

/// The first extension of each format, as a list in a sentence: `.txt, .md or .srt`.
pub fn in_words(formats: impl Iterator<Item = &'static FormatSpec>) -> String {
    let usual: Vec<String> = formats.map(|spec| format!(".{}", spec.extensions[0])).collect();
    match usual.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => usual.concat(),
    }
}
