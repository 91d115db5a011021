//! The choice of the blocks of a page that belong to its article, by a readability library. If the library finds no
//! article, the headings, paragraphs and items outside of menus and the like are chosen.

use std::collections::HashSet;
use std::ops::Range;

use dom_smoothie::Readability;

use crate::document::{Block, BlockKind};

/// The first character of the last private-use plane, which only a few icon fonts use.
const FIRST_SIGN: char = '\u{100000}';

/// A block that was found.
pub(super) struct FoundBlock {
    pub(super) range: Range<usize>,
    pub(super) block: Block,
    /// Whether the block is in a menu, a footer or the like.
    pub(super) framed: bool,
    /// Whether the block is the content of an element for text, and not of a box of the page.
    pub(super) textual: bool,
}

/// The blocks that belong to the article.
pub(super) fn article(page: &str, blocks: Vec<FoundBlock>) -> Vec<(Range<usize>, Block)> {
    let chosen = chosen(page, &blocks).unwrap_or_else(|| blocks.iter().map(|found| found.textual).collect());
    blocks
        .into_iter()
        .zip(chosen)
        .filter(|(found, chosen)| *chosen && !found.framed)
        .map(|(found, _)| (found.range, found.block))
        .collect()
}

/// For each block, whether the library keeps it in the article; `None` if it finds no article. The page that the
/// library gets has a character of its own before each block, because blocks with equal texts could not be told apart
/// otherwise.
fn chosen(page: &str, blocks: &[FoundBlock]) -> Option<Vec<bool>> {
    let used: HashSet<char> = page.chars().filter(|&c| is_sign(c)).collect();
    let signs: Vec<char> = (FIRST_SIGN..=char::MAX).filter(|sign| !used.contains(sign)).take(blocks.len()).collect();
    if signs.len() < blocks.len() {
        return None;
    }
    let (mut signed, mut end) = (String::with_capacity(page.len() + 4 * signs.len()), 0);
    for (found, sign) in blocks.iter().zip(&signs) {
        signed.push_str(&page[end..found.range.start]);
        signed.push(*sign);
        end = found.range.start;
    }
    signed.push_str(&page[end..]);
    let read = Readability::new(signed, None, None).and_then(|mut page| page.parse()).ok()?;
    let left: HashSet<char> = read.text_content.chars().filter(|&c| is_sign(c)).collect();
    let mut chosen: Vec<bool> = signs.iter().map(|sign| left.contains(sign)).collect();
    // The library leaves out the title, which stands above the text, and what repeats it, also where that parts the text.
    let first = chosen.iter().position(|chosen| *chosen).unwrap_or(0);
    let last = chosen.iter().rposition(|chosen| *chosen).unwrap_or(0);
    let title = squeeze(&read.title);
    let is_title = |found: &FoundBlock| {
        let text = squeeze(&found.block.text);
        found.block.kind == BlockKind::Heading && !text.is_empty() && (title.contains(&text) || text.contains(&title))
    };
    let above = blocks[..first].iter().rposition(is_title);
    let among = (first..last).filter(|&at| is_title(&blocks[at]));
    above.into_iter().chain(among).for_each(|at| chosen[at] = true);
    Some(chosen)
}

fn is_sign(c: char) -> bool {
    c >= FIRST_SIGN
}

/// A text without white space and signs.
fn squeeze(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace() && !is_sign(*c)).collect()
}
