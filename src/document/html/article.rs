//! The choice of the blocks of a page that belong to its article, by a readability library. If the library finds no
//! article, the headings, paragraphs and items outside of menus and the like are chosen.

use std::collections::HashSet;
use std::ops::Range;

use dom_smoothie::Readability;

use crate::document::{Block, BlockKind};

/// The first character of the last private-use plane, which only a few icon fonts use.
const FIRST_SIGN: char = '\u{100000}';

/// The most elements inside each other for which the library is asked: its time grows with the square of this number. Browsers
/// allow no more either.
const DEEPEST: usize = 512;

/// A block that was found.
pub(super) struct FoundBlock {
    pub(super) range: Range<usize>,
    pub(super) block: Block,
    /// Whether the block is in a menu, a footer or the like.
    pub(super) framed: bool,
    /// Whether the block is the content of an element for text, and not of a box of the page.
    pub(super) textual: bool,
}

/// The blocks that belong to the article. `closed` are the elements of XHTML that end in their own tag, `deepest` is the number of
/// elements inside each other.
pub(super) fn article(
    page: &str,
    blocks: Vec<FoundBlock>,
    closed: &[(usize, String)],
    deepest: usize,
) -> Vec<(Range<usize>, Block)> {
    let chosen = if deepest > DEEPEST { None } else { chosen(page, &blocks, closed) };
    let chosen = chosen.unwrap_or_else(|| blocks.iter().map(|found| found.textual).collect());
    blocks
        .into_iter()
        .zip(chosen)
        .filter(|(found, chosen)| *chosen && !found.framed)
        .map(|(found, _)| (found.range, found.block))
        .collect()
}

/// For each block, whether the library keeps it in the article; `None` if it finds no article. The page that the
/// library gets has a character of its own before each block, because blocks with equal texts could not be told apart
/// otherwise. The library reads HTML, so what is closed in XHTML gets an end tag.
fn chosen(page: &str, blocks: &[FoundBlock], closed: &[(usize, String)]) -> Option<Vec<bool>> {
    let used: HashSet<char> = page.chars().filter(|&c| is_sign(c)).collect();
    let signs: Vec<char> = (FIRST_SIGN..=char::MAX).filter(|sign| !used.contains(sign)).take(blocks.len()).collect();
    if signs.len() < blocks.len() {
        return None;
    }
    let signed = blocks.iter().zip(&signs).map(|(found, sign)| (found.range.start, sign.to_string()));
    let ends = closed.iter().map(|(at, name)| (*at, format!("</{name}>")));
    let mut insertions: Vec<(usize, String)> = ends.chain(signed).collect();
    // An end tag comes before the block that begins there.
    insertions.sort_by_key(|(at, _)| *at);
    let (mut signed, mut end) = (String::with_capacity(page.len() + 4 * signs.len()), 0);
    for (at, inserted) in insertions {
        signed.push_str(&page[end..at]);
        signed.push_str(&inserted);
        end = at;
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
