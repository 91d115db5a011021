//! Links to headings of the same document: programs make a heading's anchor from its text, so it changes with the translation.

use std::collections::HashMap;
use std::ops::Range;

/// The changes of translated blocks, which have these ranges in the whole text, that let links lead to their headings again. A heading
/// that names its own anchor has the same one as before.
pub(in crate::document) fn changes(
    text: &str,
    blocks: &[Range<usize>],
    headings: &[(&str, &str)],
) -> Vec<(Range<usize>, String)> {
    let mut anchors: HashMap<String, String> = HashMap::new();
    for (source, target) in headings {
        let (old, new) = (anchor(source), anchor(target));
        let is_named = [format!("{{#{old}"), format!("id=\"{old}\""), format!("name=\"{old}\"")];
        if old != new && !new.is_empty() && !is_named.iter().any(|name| text.contains(name)) {
            anchors.entry(old).or_insert(new);
        }
    }
    let mut changes = Vec::new();
    if anchors.is_empty() {
        return changes;
    }
    for block in blocks {
        for (at, sign) in text[block.clone()].match_indices("](#") {
            let start = block.start + at + sign.len();
            let end = start + text[start..block.end].find([')', ' ']).unwrap_or(0);
            changes.extend(anchors.get(&text[start..end]).map(|new| (start..end, new.clone())));
        }
    }
    changes
}

/// The anchor that GitHub and others give to a heading.
fn anchor(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    heading.trim().to_lowercase().chars().filter(kept).map(|c| if c == ' ' { '-' } else { c }).collect()
}
