//! The tags and texts of a page, with their ranges.
//!
//! Invariant: scripts and the like contain none. A tag such as `<script src="x"/>` begins a script in HTML, where the slash means
//! nothing; in XHTML the element ends there.

use std::ops::Range;

use html5gum::{DefaultEmitter, Emitter, ForwardingEmitter, State, Token, Tokenizer};

/// How much of a page is read to see what it is, in bytes.
const HEAD: usize = 4096;

/// The tags and texts of a page with their ranges.
pub(super) fn tokens(text: &str) -> impl Iterator<Item = Token<usize>> {
    let mut inner = DefaultEmitter::<usize>::new_with_span();
    inner.naively_switch_states(true);
    let emitter = PageEmitter { inner, is_xhtml: is_xhtml(text), is_closed: false };
    Tokenizer::new_with_emitter(text, emitter).map(|Ok(token)| token)
}

/// The end of a comment, or of the code of PHP that it begins.
pub(super) fn end_of_comment(text: &str, comment: Range<usize>) -> usize {
    let rest = text.get(comment.clone()).filter(|code| code.starts_with("<?php") || code.starts_with("<?="));
    let is_whole = rest.is_none_or(|code| code.ends_with("?>"));
    let end = text.get(comment.end..).filter(|_| !is_whole).and_then(|rest| rest.find("?>"));
    end.map_or(comment.end, |end| comment.end + end + "?>".len())
}

/// Whether a page is XHTML: it has an XML declaration, a document type of XHTML, or the namespace.
pub(super) fn is_xhtml(text: &str) -> bool {
    let head = head(text);
    let tag = |name: &str| head.find(name).map(|at| head[at..].split('>').next().unwrap_or_default());
    head.trim_start().starts_with("<?xml")
        || tag("<!doctype").is_some_and(|tag| tag.contains("xhtml"))
        || tag("<html").is_some_and(|tag| tag.contains("xmlns"))
}

/// Whether a page declares an encoding that is not UTF-8.
pub(super) fn declares_other_encoding(text: &str) -> bool {
    let head = head(text);
    let tags = head.match_indices("<meta").chain(head.match_indices("<?xml"));
    let mut values = tags.filter_map(|(at, _)| {
        let tag = head[at..].split('>').next()?;
        let (_, value) = tag.split_once("charset=").or_else(|| tag.split_once("encoding="))?;
        value.trim_start_matches(['"', '\'', ' ']).split(['"', '\'', ' ', ';', '/', '?']).next()
    });
    values.any(|value| !value.is_empty() && !matches!(value, "utf-8" | "utf8"))
}

/// The start of a page in lower case.
fn head(text: &str) -> String {
    let text = text.trim_start_matches('\u{feff}');
    String::from_utf8_lossy(&text.as_bytes()[..text.len().min(HEAD)]).to_ascii_lowercase()
}

/// Emits tokens; in XHTML a closed tag begins no script.
struct PageEmitter {
    inner: DefaultEmitter<usize>,
    is_xhtml: bool,
    /// Whether the current tag ends in a slash.
    is_closed: bool,
}

impl ForwardingEmitter for PageEmitter {
    type Token = Token<usize>;

    fn inner(&mut self) -> &mut impl Emitter<Token = Self::Token> {
        &mut self.inner
    }

    fn init_start_tag(&mut self) {
        self.is_closed = false;
        Emitter::init_start_tag(&mut self.inner);
    }

    fn set_self_closing(&mut self) {
        self.is_closed = true;
        Emitter::set_self_closing(&mut self.inner);
    }

    fn emit_current_tag(&mut self) -> Option<State> {
        self.inner.naively_switch_states(!(self.is_xhtml && self.is_closed));
        Emitter::emit_current_tag(&mut self.inner)
    }
}
