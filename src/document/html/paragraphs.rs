//! Paragraphs that only blank lines part, as in the texts of `WordPress`.

/// The paragraphs of a text, as they stand in the page and with entities resolved: each but the last ends in blank lines.
pub(super) fn paragraphs<'t>(raw: &'t str, said: &'t str) -> Vec<(&'t str, &'t str)> {
    let (written, spoken) = (parted(raw), parted(said));
    // Otherwise an entity is a line break.
    if written.len() == spoken.len() { written.into_iter().zip(spoken).collect() } else { vec![(raw, said)] }
}

/// A text, parted after blank lines.
fn parted(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut at) = (0, 0);
    while let Some(found) = text[at..].find('\n') {
        at += found + 1;
        let space = text[at..].len() - text[at..].trim_ascii_start().len();
        if text[at..at + space].contains('\n') {
            at += space;
            parts.push(&text[start..at]);
            start = at;
        }
    }
    parts.push(&text[start..]);
    parts
}
