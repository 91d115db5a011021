//! Which paragraphs are headings, and of which rank.

use super::{ParagraphKind, TextParagraph, halves};

/// Letters larger than those of most text by this factor are a heading's.
pub(in crate::document::pdf) const LEAST_HEADING: f32 = 1.12;

/// Finds the headings: what has larger letters than most text, or is bold and short. The larger, the higher.
pub(super) fn set_headings(paragraphs: &mut [TextParagraph], size: f32) {
    let bold =
        paragraphs.iter().filter(|paragraph| paragraph.bold).map(|paragraph| paragraph.text.len()).sum::<usize>();
    let all = paragraphs.iter().map(|paragraph| paragraph.text.len()).sum::<usize>();
    let is_large = |paragraph: &TextParagraph| {
        paragraph.is_short() && paragraph.size >= LEAST_HEADING * size && paragraph.text.contains(char::is_alphabetic)
    };
    let is_strong = |paragraph: &TextParagraph| {
        let ends = paragraph.text.ends_with(['.', ',', ';', ':']);
        let is_heading = paragraph.bold && paragraph.lines <= 2 && paragraph.is_short() && !ends;
        is_heading && paragraph.size >= 0.95 * size && bold * 2 < all && paragraph.text.contains(char::is_alphabetic)
    };
    let mut sizes: Vec<i32> = paragraphs.iter().filter(|one| is_large(one)).map(|one| halves(one.size)).collect();
    sizes.sort_unstable_by_key(|&size| std::cmp::Reverse(size));
    sizes.dedup();
    for paragraph in paragraphs {
        let rank = sizes.iter().position(|&size| size == halves(paragraph.size));
        if let (true, Some(rank)) = (is_large(paragraph), rank) {
            paragraph.kind = ParagraphKind::Heading(1 + rank.min(5));
        } else if is_strong(paragraph) {
            paragraph.kind = ParagraphKind::Heading(1 + sizes.len().min(5));
        }
    }
}
