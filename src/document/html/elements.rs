//! The rules of HTML for elements, by name: which have no end tag, are inside sentences, or end where another begins.

use crate::document::BlockKind;

/// Whether an element of this name has no content and no end tag.
pub(in crate::document) fn is_void(name: &str) -> bool {
    matches!(
        name,
        "area"
            | "base"
            | "br"
            | "col"
            | "embed"
            | "hr"
            | "img"
            | "input"
            | "link"
            | "meta"
            | "source"
            | "track"
            | "wbr"
    )
}

/// Whether a tag of this name can be inside a sentence.
pub(in crate::document) fn is_phrase(name: &str) -> bool {
    matches!(
        name,
        "a" | "abbr"
            | "acronym"
            | "b"
            | "bdi"
            | "bdo"
            | "big"
            | "cite"
            | "data"
            | "del"
            | "dfn"
            | "em"
            | "font"
            | "i"
            | "img"
            | "ins"
            | "label"
            | "mark"
            | "q"
            | "s"
            | "small"
            | "span"
            | "strike"
            | "strong"
            | "sub"
            | "sup"
            | "time"
            | "tt"
            | "u"
            | "wbr"
    )
}

/// Whether the content of an element of this name is no text to translate.
pub(in crate::document) fn is_kept(name: &str) -> bool {
    matches!(
        name,
        "audio"
            | "canvas"
            | "code"
            | "iframe"
            | "kbd"
            | "math"
            | "noscript"
            | "object"
            | "pre"
            | "samp"
            | "script"
            | "select"
            | "style"
            | "svg"
            | "template"
            | "textarea"
            | "title"
            | "var"
            | "video"
    )
}

/// Whether this is the name of an element that stands in an article.
pub(in crate::document) fn is_element(name: &str) -> bool {
    let is_part = matches!(name, "thead" | "tbody" | "tfoot" | "tr" | "summary");
    is_void(name) || is_phrase(name) || is_kept(name) || is_box(name) || kind(name).is_some() || is_part
}

/// The kind of a block in an element of this name, if the name determines it.
pub(in crate::document) fn kind(name: &str) -> Option<BlockKind> {
    match name {
        "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => Some(BlockKind::Heading),
        "figcaption" | "caption" => Some(BlockKind::Caption),
        "title" => Some(BlockKind::Title),
        "td" | "th" => Some(BlockKind::Cell),
        "li" | "dd" | "dt" => Some(BlockKind::Item),
        "p" | "blockquote" => Some(BlockKind::Paragraph),
        _ => None,
    }
}

/// Whether an element of this name is outside of articles, such as a menu.
pub(super) fn is_frame(name: &str) -> bool {
    matches!(name, "aside" | "button" | "dialog" | "footer" | "menu" | "nav")
}

/// Whether an element ends where another begins, without a tag of its own.
pub(super) fn ends_before(name: &str, next: &str) -> bool {
    match name {
        "p" => is_box(next),
        "li" | "tr" => next == name,
        "td" | "th" => matches!(next, "td" | "th" | "tr"),
        "dt" | "dd" => matches!(next, "dt" | "dd"),
        _ => false,
    }
}

/// Whether a paragraph cannot hold an element of this name: HTML, "The p element".
fn is_box(name: &str) -> bool {
    matches!(
        name,
        "address"
            | "article"
            | "aside"
            | "blockquote"
            | "center"
            | "details"
            | "dialog"
            | "div"
            | "dl"
            | "fieldset"
            | "figcaption"
            | "figure"
            | "footer"
            | "form"
            | "h1"
            | "h2"
            | "h3"
            | "h4"
            | "h5"
            | "h6"
            | "header"
            | "hr"
            | "main"
            | "menu"
            | "nav"
            | "ol"
            | "p"
            | "pre"
            | "section"
            | "table"
            | "ul"
    )
}
