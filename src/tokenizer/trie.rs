//! A byte trie over a vocabulary, which finds the pieces that a text starts with.
//!
//! Invariant: the children of a node are stored side by side, sorted by their byte, and followed by those of the next
//! node. So a step is a binary search among at most 256 neighbours, and a lookup allocates nothing.

/// The piece of a node at which no piece ends.
const NONE: u32 = u32::MAX;

#[derive(Clone, Debug, Default)]
pub(super) struct Trie {
    /// The byte that leads to each node; that of the root, node 0, is never read.
    labels: Vec<u8>,
    /// All nodes, and a last one that only marks the end of the children of the node before it.
    nodes: Vec<TrieNode>,
}

#[derive(Clone, Copy, Debug)]
struct TrieNode {
    /// The index of the first child; without children, the end of the children of the node before.
    first: u32,
    /// The id of the piece that ends here, or [`NONE`].
    piece: u32,
}

impl Trie {
    /// Builds the trie of these pieces and their ids. No piece may be empty or occur twice.
    pub(super) fn new(pieces: Vec<(&[u8], u32)>) -> Self {
        let pieces = sorted(pieces);
        let mut trie = Self { labels: vec![0], nodes: Vec::new() };
        // Breadth first: the pieces below each node, and the number of their bytes that lead to it.
        let mut open = std::collections::VecDeque::from([(&pieces[..], 0usize)]);
        while let Some((mut pieces, depth)) = open.pop_front() {
            let ends = pieces.first().filter(|(text, _)| text.len() == depth);
            trie.nodes.push(TrieNode { first: trie.labels.len() as u32, piece: ends.map_or(NONE, |(_, id)| *id) });
            pieces = &pieces[usize::from(ends.is_some())..];
            for group in pieces.chunk_by(|left, right| left.0[depth] == right.0[depth]) {
                open.push_back((group, depth + 1));
                trie.labels.push(group[0].0[depth]);
            }
        }
        trie.nodes.push(TrieNode { first: trie.labels.len() as u32, piece: NONE });
        trie.labels.shrink_to_fit();
        trie.nodes.shrink_to_fit();
        trie
    }

    /// Calls `found` with the length and id of each piece that `text` starts with, shortest first.
    pub(super) fn prefixes(&self, text: &[u8], mut found: impl FnMut(usize, u32)) {
        let mut node = 0;
        for (index, byte) in text.iter().enumerate() {
            let Some(&[this, next]) = self.nodes.get(node..node + 2) else { return };
            let Ok(child) = self.labels[this.first as usize..next.first as usize].binary_search(byte) else { return };
            node = this.first as usize + child;
            if self.nodes[node].piece != NONE {
                found(index + 1, self.nodes[node].piece);
            }
        }
    }

    /// Length in bytes and id of the longest piece that `text` starts with.
    pub(super) fn longest(&self, text: &[u8]) -> Option<(usize, u32)> {
        let mut longest = None;
        self.prefixes(text, |length, id| longest = Some((length, id)));
        longest
    }
}

/// The pieces in the order of their bytes. Most comparisons are of the first eight bytes, as one number.
fn sorted(pieces: Vec<(&[u8], u32)>) -> Vec<(&[u8], u32)> {
    let begin = |text: &[u8]| {
        let mut begin = [0; 8];
        let length = text.len().min(8);
        begin[..length].copy_from_slice(&text[..length]);
        u64::from_be_bytes(begin)
    };
    let mut pieces: Vec<_> = pieces.into_iter().map(|(text, id)| (begin(text), text, id)).collect();
    pieces.sort_unstable();
    pieces.into_iter().map(|(_, text, id)| (text, id)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_prefix_is_found_shortest_first() {
        let trie = Trie::new(vec![(b"a", 1), (b"abc", 3), (b"ab", 2), (b"b", 4), (b"\xff\x00", 5)]);
        let all = |text: &[u8]| {
            let mut all = Vec::new();
            trie.prefixes(text, |length, id| all.push((length, id)));
            all
        };
        assert_eq!(all(b"abcd"), [(1, 1), (2, 2), (3, 3)]);
        assert_eq!(all(b"\xff\x00\x00"), [(2, 5)]);
        assert_eq!(all(b"c"), []);
        assert_eq!(trie.longest(b"abd"), Some((2, 2)));
        assert_eq!(Trie::new(Vec::new()).longest(b"a"), None);
    }

    #[test]
    fn pieces_are_sorted_by_all_their_bytes() {
        let texts: [&[u8]; 8] = [b"", b"\0", b"\0\0", b"abcdefgh", b"abcdefgh\0", b"abcdefghi", b"abcdefgi", b"\xff"];
        let turned = texts.iter().rev().map(|text| (*text, 0)).collect();
        assert!(sorted(turned).into_iter().map(|(text, _)| text).eq(texts));
    }
}
