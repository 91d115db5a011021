//! The byte ranges of values in JSON. Values are not parsed and written again, because that would round numbers.

use std::ops::Range;

use anyhow::{Context, Result, bail};
use serde::de::IgnoredAny;

/// The names and value ranges of the members of the object at `place`, in the order in which they were written, with
/// repeated names.
///
/// # Errors
/// When the value is not an object.
pub(super) fn members(text: &str, place: Range<usize>) -> Result<Vec<(String, Range<usize>)>> {
    let mut members = Vec::new();
    let mut at = inside(text, &place, '{')?;
    while text[at..].starts_with('"') {
        let (name, after) = value(text, at)?;
        let (value, after) = value(text, space(text, after + 1))?;
        members.push((serde_json::from_str(&text[name])?, value));
        at = space(text, after + 1);
    }
    Ok(members)
}

/// The ranges of the elements of the array at `place`.
///
/// # Errors
/// When the value is not an array.
pub(super) fn elements(text: &str, place: Range<usize>) -> Result<Vec<Range<usize>>> {
    let mut elements = Vec::new();
    let mut at = inside(text, &place, '[')?;
    while at < place.end && !text[at..].starts_with(']') {
        let (element, after) = value(text, at)?;
        elements.push(element);
        if text[after..].starts_with(']') {
            break;
        }
        at = space(text, after + 1);
    }
    Ok(elements)
}

/// The range of the value at the end of a path such as `article.body`; the part for an array is the number of an
/// element.
pub(super) fn at_path(text: &str, place: Range<usize>, path: &str) -> Option<Range<usize>> {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let inner = match name.parse::<usize>() {
        Ok(number) if text[place.clone()].trim_start().starts_with('[') => {
            elements(text, place).ok()?.get(number)?.clone()
        }
        _ => members(text, place).ok()?.into_iter().rfind(|(known, _)| known == name)?.1,
    };
    rest.map_or(Some(inner.clone()), |rest| at_path(text, inner, rest))
}

/// The position at which the content of an object or of an array begins.
fn inside(text: &str, place: &Range<usize>, opening: char) -> Result<usize> {
    // All of it first: its error has the right column, and what follows can count on its form.
    serde_json::from_str::<IgnoredAny>(&text[place.clone()])?;
    let at = space(text, place.start);
    if !text[at..].starts_with(opening) {
        bail!("it is another value");
    }
    Ok(space(text, at + 1))
}

/// The range of the value at `at`, and the position after it and after the white space behind it.
fn value(text: &str, at: usize) -> Result<(Range<usize>, usize)> {
    let mut values = serde_json::Deserializer::from_str(&text[at..]).into_iter::<IgnoredAny>();
    values.next().context("a value is missing")??;
    let end = at + values.byte_offset();
    Ok((at..end, space(text, end)))
}

/// The first offset at or after `at` that is not white space.
fn space(text: &str, at: usize) -> usize {
    text.len() - text[at..].trim_ascii_start().len()
}
