//! Which pieces does a text start with: a byte trie over a vocabulary.
//!
//! Invariant: the children of a node stand side by side, sorted by their byte, so a step is a
//! search among at most 256 neighbours and nothing is allocated while walking.

/// No piece ends at this node.
const NONE: u32 = u32::MAX;

#[derive(Clone, Debug, Default)]
pub(super) struct Trie {
    /// The byte that leads to each node; the root, node 0, has one that is never read.
    labels: Vec<u8>,
    nodes: Vec<Node>,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    first_child: u32,
    children: u32,
    piece: u32,
}

impl Trie {
    /// Builds the trie of these pieces and their ids. A piece is not empty and occurs once.
    pub(super) fn new(mut pieces: Vec<(&[u8], u32)>) -> Self {
        pieces.sort_unstable();
        let mut trie = Self { labels: vec![0], nodes: vec![Node { first_child: 0, children: 0, piece: NONE }] };
        // Breadth first: (node, its pieces, how many bytes of them lead to it).
        let mut open = std::collections::VecDeque::from([(0usize, &pieces[..], 0usize)]);
        while let Some((node, mut pieces, depth)) = open.pop_front() {
            if let Some((text, id)) = pieces.first()
                && text.len() == depth
            {
                trie.nodes[node].piece = *id;
                pieces = &pieces[1..];
            }
            trie.nodes[node].first_child = trie.nodes.len() as u32;
            for group in pieces.chunk_by(|left, right| left.0[depth] == right.0[depth]) {
                open.push_back((trie.nodes.len(), group, depth + 1));
                trie.labels.push(group[0].0[depth]);
                trie.nodes.push(Node { first_child: 0, children: 0, piece: NONE });
                trie.nodes[node].children += 1;
            }
        }
        trie
    }

    /// Calls `found` with the length and id of each piece that `text` starts with, shortest first.
    pub(super) fn prefixes(&self, text: &[u8], mut found: impl FnMut(usize, u32)) {
        let Some(mut node) = self.nodes.first() else { return };
        for (index, byte) in text.iter().enumerate() {
            let first = node.first_child as usize;
            let children = &self.labels[first..first + node.children as usize];
            let Ok(child) = children.binary_search(byte) else { return };
            node = &self.nodes[first + child];
            if node.piece != NONE {
                found(index + 1, node.piece);
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
