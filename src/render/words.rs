//! Words that belong together, in the page of an article: those of a group light up together under a pointer, by styles alone.
//!
//! Invariant: groups are counted within a block, so that a page needs no more styles than its block with most groups has.

use crate::translate::Segment;

/// A text of a segment.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum TextSide {
    Source = 0,
    Target = 1,
}

/// A word, as a range of characters, and the number of its group.
type GroupedWord = ([usize; 2], usize);

/// The words of a block that belong to others.
#[derive(Default)]
pub(super) struct Words {
    /// For each segment the words of its source and of its target, in their order.
    segments: Vec<[Vec<GroupedWord>; 2]>,
    groups: usize,
}

impl Words {
    /// The words of the segments of a block.
    pub fn of(segments: &[&Segment]) -> Self {
        let mut words = Self::default();
        for segment in segments {
            let pairs = segment.alignment.as_deref().unwrap_or_default();
            let own = words.grouped(pairs);
            words.segments.push(own);
        }
        words
    }

    /// How many groups there are.
    pub fn groups(&self) -> usize {
        self.groups
    }

    /// The words of pairs with their groups: words that share a word are of one group.
    fn grouped(&mut self, pairs: &[[[usize; 2]; 2]]) -> [Vec<GroupedWord>; 2] {
        let mut sides: [Vec<GroupedWord>; 2] = [Vec::new(), Vec::new()];
        let mut next = self.groups;
        for pair in pairs {
            let known =
                [0, 1].map(|side| sides[side].iter().find(|(word, _)| *word == pair[side]).map(|(_, group)| *group));
            let group = known[0].or(known[1]).unwrap_or_else(|| {
                next += 1;
                next - 1
            });
            if let [Some(one), Some(other)] = known {
                let all = sides.iter_mut().flatten().filter(|(_, group)| *group == other);
                all.for_each(|(_, group)| *group = one);
            }
            for side in [0, 1] {
                if known[side].is_none() {
                    sides[side].push((pair[side], group));
                }
            }
        }
        self.groups = next;
        for words in &mut sides {
            words.sort_unstable();
        }
        sides
    }

    /// A text of a segment with its words marked; `escaped` makes text of the page of what is in between.
    pub fn written(&self, segment: usize, side: TextSide, text: &str, escaped: impl Fn(&str) -> String) -> String {
        let mut written = String::new();
        let mut done = 0;
        let byte = |place: usize| text.char_indices().nth(place).map_or(text.len(), |(at, _)| at);
        for &([start, end], group) in &self.segments[segment][side as usize] {
            let (start, end) = (byte(start), byte(end));
            if start < done {
                continue;
            }
            written += &escaped(&text[done..start]);
            written += &format!("<span class=\"w w{group}\">{}</span>", escaped(&text[start..end]));
            done = end;
        }
        written + &escaped(&text[done..])
    }
}

/// The styles of a page whose blocks have at most `groups` groups.
pub(super) fn style(groups: usize) -> String {
    let rules = (0..groups).map(|group| format!(".pair:has(.w{group}:hover) .w{group}"));
    let rules: Vec<String> = rules.collect();
    if rules.is_empty() {
        return String::new();
    }
    format!("{}{{background:var(--word);box-shadow:0 0 0 .1em var(--word);border-radius:.1em}}\n", rules.join(",\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_share_a_word_are_of_one_group_and_every_group_has_a_style() {
        let segment = |source: &str, target: &str, pairs: &[[[usize; 2]; 2]]| Segment {
            source: source.to_owned(),
            target: target.to_owned(),
            alignment: Some(pairs.to_vec()),
            ..Segment::default()
        };
        let one = segment(
            "\u{e9}\u{e9}n <b> c",
            "A b C",
            &[[[0, 3], [4, 5]], [[8, 9], [0, 1]], [[4, 7], [2, 3]], [[8, 9], [2, 3]]],
        );
        let two = segment("ja", "yes", &[[[0, 2], [0, 3]]]);
        let words = Words::of(&[&one, &two]);
        let escaped = |text: &str| text.replace('<', "&lt;");
        let source = words.written(0, TextSide::Source, &one.source, escaped);
        assert_eq!(
            source,
            "<span class=\"w w0\">\u{e9}\u{e9}n</span> <span class=\"w w1\">&lt;b></span> <span class=\"w w1\">c</span>"
        );
        let target = words.written(0, TextSide::Target, &one.target, escaped);
        let expected = "<span class=\"w w1\">A</span> <span class=\"w w1\">b</span> <span class=\"w w0\">C</span>";
        assert_eq!(target, expected);
        assert_eq!(words.written(1, TextSide::Source, "ja", escaped), "<span class=\"w w3\">ja</span>");
        assert!(style(words.groups()).contains(".pair:has(.w3:hover) .w3") && style(0).is_empty());
    }
}
