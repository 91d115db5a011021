//! A byte trie over a vocabulary: it finds the pieces that a text starts with.
//!
//! Invariant: the children of a node stand side by side, sorted by their byte, and after them those of the next node, so
//! a step is a search among at most 256 neighbours and nothing is allocated while walking.

/// No piece ends at this node.
const NONE: u32 = u32::MAX;

#[derive(Clone, Debug, Default)]
pub(super) struct Trie {
    /// The byte that leads to each node; the root, node 0, has one that is never read.
    labels: Vec<u8>,
    /// All nodes, and one more that only says where the children of the last end.
    nodes: Vec<TrieNode>,
}

#[derive(Clone, Copy, Debug)]
struct TrieNode {
    /// The index of the first child; where there is none, the end of the children of the node before.
    first: u32,
    /// The piece that ends here.
    piece: u32,
}

impl Trie {
    /// Builds the trie of these pieces and their ids. A piece is not empty and occurs once.
    pub(super) fn new(mut pieces: Vec<(&[u8], u32)>) -> Self {
        pieces.sort_unstable();
        let mut trie = Self { labels: vec![0], nodes: Vec::new() };
        // Breadth first: the pieces of each node, and how many bytes of them lead to it.
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

    /// Length and id of the longest piece that `text` starts with.
    pub(super) fn longest(&self, text: &[u8]) -> Option<(usize, u32)> {
        let mut longest = None;
        self.prefixes(text, |length, id| longest = Some((length, id)));
        longest
    }
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
}
