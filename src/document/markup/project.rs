//! Projects markup from a sentence onto its translation.
//!
//! If the alignment of words is known, a pair of marks goes around the words that belong to those it was around, and a single mark
//! stays beside the word that belongs to its neighbour. Otherwise the place is a guess. A pair of marks goes around the same words
//! if the translation has them (a name, a number). If not, it goes around as many words as in the source: around those at the
//! number or name that it was around, or else as far into the sentence as before. Examples: in `Hij leest *Het Parool* thuis.` the
//! pair goes around `Het Parool` in `He reads Het Parool at home.`; in `Op *3 mei* kwam ze.` around `3 May` in
//! `She came on 3 May.`; in `Ze was *erg* blij.` around the third of four words, `very`, in `She was very happy.`
//!
//! A pair around a part of a word goes around the same part, if the translation has the word or its number: the digit of `CO2`.
//! Else it goes around the whole word.
//!
//! Invariant: every mark is placed, and none inside an address or another protected span. Pairs that were nested or beside each
//! other still are. If guessed pairs would cross, all marks keep the order of the source. The end of a range never stands before
//! its begin, and times keep their order. A cue of subtitles with words gets a word, if there are enough.

use std::ops::Range;

use super::pairs::{MarkPairs, keep_times};
use super::words::{affix, anchor, is_capital, is_whole, words};
use super::{Mark, MarkKind};
use crate::glossary;

/// The projection of marks from a text onto its translation.
pub(super) struct Projection<'a> {
    /// The source text.
    pub(super) source: &'a str,
    /// The translated text.
    pub(super) target: &'a str,
    /// For each sentence, its range in the source and in the target.
    pub(super) moves: &'a [(Range<usize>, Range<usize>)],
    /// Words of the source and of the target that belong together, as far as that is known.
    pub(super) pairs: &'a [[Range<usize>; 2]],
}

impl Projection<'_> {
    /// The projected marks, in their order in the target.
    pub(super) fn project(&self, marks: &[Mark]) -> Vec<Mark> {
        let mut places: Vec<usize> = marks.iter().map(|mark| self.point(mark)).collect();
        let pairs = MarkPairs::of(marks);
        for &(open, close) in &pairs.nested {
            let stretch = marks[open].at..marks[close].at;
            if self.source[stretch.clone()].trim().is_empty() {
                let place = if stretch.is_empty() { places[close] } else { places[open] };
                (places[open], places[close]) = self.blank(place, places[close]);
                continue;
            }
            let inner = pairs.nested.iter().filter(|(inner, _)| (open + 1..close).contains(inner));
            let inner = inner.map(|&(open, close)| places[open]..places[close]);
            let inner = inner.reduce(|a, b| a.start.min(b.start)..a.end.max(b.end));
            if let Some(span) = self.goal(&stretch, places[open], inner) {
                (places[open], places[close]) = (span.start, span.end);
            }
        }
        for &(begin, end) in &pairs.bounds {
            let stretch = marks[begin].at..marks[end].at;
            let span = if stretch.is_empty() { None } else { self.goal(&stretch, places[begin], None) };
            let span = span.unwrap_or(places[begin].min(places[end])..places[end]);
            (places[begin], places[end]) = (span.start, span.end);
        }
        pairs.keep_inside(marks, &mut places);
        self.fill_cues(marks, &mut places);
        let spans = glossary::spans(self.target);
        let outside = |(place, mark): (usize, &Mark)| outside(&spans, place, mark);
        places = places.into_iter().zip(marks).map(outside).collect();
        keep_times(marks, &mut places);
        let mut order: Vec<usize> = (0..marks.len()).collect();
        order.sort_by_key(|&mark| (places[mark], pairs.rank(mark, marks[mark].kind, &places), mark));
        if !pairs.is_nested(&order) {
            // Marks keep the order of the source; each is as near to its guessed place as the marks before it allow.
            order = (0..marks.len()).collect();
            places = marks.iter().map(|mark| outside((self.point(mark), mark))).collect();
            for mark in 1..places.len() {
                places[mark] = places[mark].max(places[mark - 1]);
            }
        }
        order.into_iter().map(|mark| self.spaced(Mark { at: places[mark], ..marks[mark].clone() })).collect()
    }

    /// Gives a cue of subtitles that would be empty, although it has words in the source, the next word of the translation, as long as
    /// there is one left for the cue after it.
    fn fill_cues(&self, marks: &[Mark], places: &mut [usize]) {
        let mut before: Option<usize> = None;
        for cue in (0..marks.len()).filter(|&mark| is_cue_end(&marks[mark])) {
            let Some(before) = before.replace(cue) else { continue };
            let (said, start) = (marks[before].at..marks[cue].at, places[before]);
            let is_empty = self.target.get(start..places[cue]).is_none_or(|text| text.trim().is_empty());
            let Some((_, to)) = self.around(&said).filter(|_| is_empty && !self.source[said.clone()].trim().is_empty())
            else {
                continue;
            };
            let ours = words(self.target, to);
            let mut after = ours.iter().filter(|word| word.start >= start);
            let (Some(word), Some(_)) = (after.next(), after.next()) else { continue };
            let end = word.end + self.target[word.end..to.end].find(char::is_whitespace).unwrap_or(0);
            for mark in cue..marks.len() {
                if matches!(marks[mark].kind, MarkKind::Break | MarkKind::Timed) {
                    places[mark] = places[mark].max(end);
                }
            }
        }
    }

    /// The target range that belongs to a source range; `near` and `inner` are the guesses for its begin and for pairs inside it.
    fn goal(&self, stretch: &Range<usize>, near: usize, inner: Option<Range<usize>>) -> Option<Range<usize>> {
        let is_sign = !self.source[stretch.clone()].contains(char::is_alphanumeric);
        let sign = if is_sign { self.same(stretch, near) } else { None };
        sign.or_else(|| self.part(stretch, near))
            .or_else(|| self.aligned(stretch))
            .or_else(|| self.same(stretch, near))
            .or_else(|| self.anchored(stretch))
            .or_else(|| self.span(stretch, inner))
    }

    /// The places of a pair around a space, or around nothing: around the space between the words beside it.
    fn blank(&self, open: usize, close: usize) -> (usize, usize) {
        let (start, end) = (open.min(close), open.max(close));
        let is_space = open > close && self.target[start..end].trim().is_empty();
        if is_space { (start, end) } else { (close, close) }
    }

    /// The part of a target word that belongs to a part of a source word, such as the digit of `CO2`.
    fn part(&self, stretch: &Range<usize>, near: usize) -> Option<Range<usize>> {
        if stretch.is_empty() || is_whole(self.source, stretch) {
            return None;
        }
        let (from, to) = self.around(stretch)?;
        let theirs = words(self.source, from);
        let word = theirs.iter().find(|word| word.start <= stretch.start && stretch.end <= word.end)?;
        let said = &self.source[word.clone()];
        let covered = stretch.start - word.start..stretch.end - word.start;
        if let Some(same) = self.same(word, near).filter(|same| self.target[same.clone()] == *said) {
            return Some(same.start + covered.start..same.start + covered.end);
        }
        let span = self.aligned(word).or_else(|| self.anchored(word)).or_else(|| self.span(word, None))?;
        let ours = words(self.target, &span);
        let part = ours.iter().find_map(|ours| {
            let part = affix(said, &covered, &self.target[ours.clone()])?;
            Some(ours.start + part.start..ours.start + part.end)
        });
        // A large first letter stays one.
        let is_capital = Some(word) == theirs.first() && covered.start == 0 && is_capital(&said[covered]);
        part.or_else(|| {
            let first = words(self.target, to).into_iter().next().filter(|_| is_capital)?;
            let letter = self.target[first.clone()].chars().next().filter(|c| c.is_alphabetic())?;
            Some(first.start..first.start + letter.len_utf8())
        })
    }

    /// The mark with its space on the side of the next word: a mark that went to the end of a sentence has none after it.
    fn spaced(&self, mark: Mark) -> Mark {
        let (before, after) = self.target.split_at(mark.at);
        let is_last =
            !before.is_empty() && !before.ends_with(char::is_whitespace) && !after.starts_with(char::is_alphanumeric);
        match mark.markup.strip_suffix(' ').filter(|bare| mark.kind == MarkKind::Single && is_last && !bare.is_empty())
        {
            Some(bare) => Mark { markup: format!(" {bare}"), ..mark },
            None => mark,
        }
    }

    /// The sentence around a range of the source, in source and target.
    fn around(&self, stretch: &Range<usize>) -> Option<&(Range<usize>, Range<usize>)> {
        let after = self.moves.partition_point(|(from, _)| from.end < stretch.end);
        self.moves.get(after).filter(|(from, _)| from.start <= stretch.start)
    }

    /// The target position of a mark, by its position in its sentence.
    fn point(&self, mark: &Mark) -> usize {
        let at = mark.at;
        let Some((from, to)) = self.around(&(at..at)) else {
            // Between sentences: as far from the sentence before as it was.
            let before = self.moves.partition_point(|(from, _)| from.end < at);
            return before.checked_sub(1).map_or(at, |index| {
                let (from, to) = &self.moves[index];
                floor(self.target, to.end + (at - from.end))
            });
        };
        if at == from.start && mark.kind != MarkKind::Close {
            return to.start;
        }
        if at == from.end {
            return to.end;
        }
        let (theirs, ours) = (words(self.source, from), words(self.target, to));
        let before = theirs.iter().filter(|word| word.start < at).count();
        let count = scale(before, theirs.len(), ours.len());
        let opens = matches!(mark.kind, MarkKind::Open | MarkKind::Leading | MarkKind::Begin(_) | MarkKind::Timed)
            || (mark.kind == MarkKind::Single && mark.markup.ends_with(' '));
        let keeps_order = matches!(mark.kind, MarkKind::Break | MarkKind::Timed);
        if let Some(place) = self.beside(at, opens, from, &theirs).filter(|_| !keeps_order) {
            return place;
        }
        match (opens, count) {
            (true, count) => ours.get(count).map_or(to.end, |word| word.start),
            (false, 0) => to.start,
            (false, count) if mark.kind == MarkKind::Break => {
                let end = ours[count - 1].end;
                end + self.target[end..to.end].find(char::is_whitespace).unwrap_or(to.end - end)
            }
            (false, count) => ours[count - 1].end,
        }
    }

    /// The target range from the first to the last word that belongs to a word of a source range; `None` if there is no such word,
    /// or if one of them is in another sentence.
    fn aligned(&self, stretch: &Range<usize>) -> Option<Range<usize>> {
        let (from, to) = self.around(stretch)?;
        if stretch == from {
            return Some(to.clone());
        }
        let inside = |theirs: &Range<usize>| theirs.start < stretch.end && stretch.start < theirs.end;
        let ours = self.pairs.iter().filter(|[theirs, _]| inside(theirs)).map(|[_, ours]| ours.clone());
        let span = ours.reduce(|a, b| a.start.min(b.start)..a.end.max(b.end))?;
        (to.start <= span.start && span.end <= to.end).then_some(span)
    }

    /// The target position of a single mark. A mark that `opens` something goes before the word that belongs to the word after it;
    /// any other mark goes after the word that belongs to the word before it.
    fn beside(&self, at: usize, opens: bool, from: &Range<usize>, theirs: &[Range<usize>]) -> Option<usize> {
        let neighbour = if opens {
            theirs.iter().find(|word| word.start >= at)?
        } else {
            theirs.iter().rev().find(|word| word.end <= at)?
        };
        if neighbour == from {
            return None;
        }
        let span = self.aligned(neighbour).or_else(|| self.anchored(neighbour))?;
        Some(if opens { span.start } else { span.end })
    }

    /// The range of the target sentence that has the same words as a range of the source; of several the one nearest to `near`.
    fn same(&self, stretch: &Range<usize>, near: usize) -> Option<Range<usize>> {
        let (from, to) = self.around(stretch)?;
        let words = self.source[stretch.clone()].trim();
        if stretch == from {
            return Some(to.clone());
        }
        if words.is_empty() {
            return None;
        }
        let found =
            self.target[to.clone()].match_indices(words).map(|(at, _)| to.start + at..to.start + at + words.len());
        let is_sign = !words.contains(char::is_alphanumeric);
        found.filter(|range| is_sign || is_whole(self.target, range)).min_by_key(|range| range.start.abs_diff(near))
    }

    /// The range of the target around the words of a source range that both sentences have exactly once, with as many words
    /// before and after them as the source has; none without such words.
    fn anchored(&self, stretch: &Range<usize>) -> Option<Range<usize>> {
        let (from, to) = self.around(stretch)?;
        let (theirs, ours) = (words(self.source, from), words(self.target, to));
        let inside = |word: &Range<usize>| word.start < stretch.end && stretch.start < word.end;
        let first = theirs.iter().position(inside)?;
        let last = theirs.iter().rposition(inside)?;
        let keys = |text: &str, words: &[Range<usize>]| -> Vec<_> {
            words.iter().map(|word| anchor(&text[word.clone()])).collect()
        };
        let (their_keys, our_keys) = (keys(self.source, &theirs), keys(self.target, &ours));
        let anchors: Vec<(usize, usize)> = (first..=last)
            .filter(|&word| only(&their_keys, their_keys[word].as_ref()).is_some())
            .filter_map(|word| Some((word, only(&our_keys, their_keys[word].as_ref())?)))
            .collect();
        let before = anchors.first()?.0 - first;
        let after = last - anchors.last()?.0;
        let places = || anchors.iter().map(|&(_, place)| place);
        let end = (places().max()? + after).min(ours.len() - 1);
        Some(ours[places().min()?.saturating_sub(before)].start..ours[end].end)
    }

    /// The target range of a source range within one sentence, by its position and its number of words; moved so that it contains
    /// `inner`.
    fn span(&self, stretch: &Range<usize>, inner: Option<Range<usize>>) -> Option<Range<usize>> {
        let (from, to) = self.around(stretch)?;
        let (theirs, ours) = (words(self.source, from), words(self.target, to));
        let first = theirs.iter().filter(|word| word.end <= stretch.start).count();
        let last = theirs.iter().filter(|word| word.start < stretch.end).count();
        let mut first = scale(first, theirs.len(), ours.len()).min(ours.len().checked_sub(1)?);
        let mut last = scale(last, theirs.len(), ours.len()).max(first + 1);
        if let Some(inner) = inner {
            let count = last - first;
            let inner_first = ours.iter().filter(|word| word.end <= inner.start).count();
            let inner_last = ours.iter().filter(|word| word.start < inner.end).count();
            if inner_first < first {
                (first, last) = (inner_first, inner_last.max(inner_first + count));
            } else if inner_last > last {
                (first, last) = (inner_first.min(inner_last - count.min(inner_last)), inner_last);
            }
        }
        let start = if stretch.start == from.start && first == 0 { to.start } else { ours.get(first)?.start };
        let end = if stretch.end == from.end && last == ours.len() { to.end } else { ours.get(last - 1)?.end };
        Some(start..end)
    }
}

/// Whether a mark is the end of a cue of subtitles, with the times of the next one.
fn is_cue_end(mark: &Mark) -> bool {
    mark.kind == MarkKind::Break && (mark.markup.contains("-->") || mark.markup.contains("Dialogue:"))
}

/// A position; if it is inside a span, the edge of the span.
fn outside(spans: &[Range<usize>], place: usize, mark: &Mark) -> usize {
    let inside = spans.iter().find(|span| span.start < place && place < span.end);
    inside.map_or(place, |span| if mark.kind == MarkKind::Open { span.start } else { span.end })
}

/// Scales a count of `theirs` to a count of `ours`, rounded.
fn scale(count: usize, theirs: usize, ours: usize) -> usize {
    if theirs == 0 { 0 } else { ((2 * count * ours + theirs) / (2 * theirs)).min(ours) }
}

/// The last character boundary at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

/// The index of the only element that equals `key`; none if there are several, or `key` is none.
fn only(keys: &[Option<String>], key: Option<&String>) -> Option<usize> {
    key?;
    let mut equal = keys.iter().enumerate().filter(|(_, other)| other.as_ref() == key).map(|(index, _)| index);
    equal.next().filter(|_| equal.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(at: usize, kind: MarkKind) -> Mark {
        Mark { at, markup: "*".to_owned(), kind }
    }

    /// The target with marks, of a source with a pair of marks around `word`.
    fn projected(source: &str, target: &str, word: &str, pairs: &[(&str, &str)]) -> String {
        let of = |text: &str, word: &str| text.find(word).map(|at| at..at + word.len()).unwrap();
        let pairs: Vec<_> = pairs.iter().map(|(theirs, ours)| [of(source, theirs), of(target, ours)]).collect();
        let stretch = of(source, word);
        let marks = [mark(stretch.start, MarkKind::Open), mark(stretch.end, MarkKind::Close)];
        let moves = [(0..source.len(), 0..target.len())];
        let mut made = target.to_owned();
        let projection = Projection { source, target, moves: &moves, pairs: &pairs };
        for mark in projection.project(&marks).iter().rev() {
            made.insert_str(mark.at, &mark.markup);
        }
        made
    }

    #[test]
    fn marks_go_with_the_words_that_belong_together_and_else_by_guess() {
        let (source, target) = ("Morgen komt de trein laat.", "The train is late tomorrow.");
        let pairs = [("Morgen", "tomorrow"), ("trein", "train"), ("komt", "is"), ("laat", "late")];
        assert_eq!(projected(source, target, "Morgen", &pairs), "The train is late *tomorrow*.");
        assert_eq!(projected(source, target, "de trein", &pairs), "The *train* is late tomorrow.");
        assert_eq!(projected(source, target, "trein laat", &pairs), "The *train is late* tomorrow.");
        assert_eq!(projected(source, target, "Morgen", &[]), "*The* train is late tomorrow.");
        assert_eq!(projected(source, target, "Morgen", &pairs[1..]), "*The* train is late tomorrow.");
    }

    #[test]
    fn signs_stay_signs() {
        assert_eq!(projected("Auteur: Jan.", "The author: Jan.", ":", &[("Auteur", "author")]), "The author*:* Jan.");
        assert_eq!(projected("De hond (*) blaft.", "The dog (*) barks.", "*", &[]), "The dog (***) barks.");
    }

    #[test]
    fn a_number_or_a_name_takes_the_words_beside_it_along() {
        let (source, target) = ("De stad opent op 3 mei 2024 een brug.", "On 3 May 2024 the city opens a bridge.");
        assert_eq!(projected(source, target, "3 mei 2024", &[]), "On *3 May 2024* the city opens a bridge.");
        assert_eq!(projected(source, target, "op 3 mei", &[]), "*On 3 May* 2024 the city opens a bridge.");
        let (source, target) = ("Gisteren kostte het 2,5 miljoen.", "It was 2.5 million yesterday.");
        assert_eq!(projected(source, target, "2,5 miljoen", &[]), "It was *2.5 million* yesterday.");
        let (source, target) = ("Volgens wethouder Anna Bos kan het.", "It can, says alderman Anna Bos.");
        assert_eq!(projected(source, target, "wethouder Anna Bos", &[]), "It can, says *alderman Anna Bos*.");
        // Two of a number, or another one: as far into the sentence as before.
        assert_eq!(projected("Er zijn 3 en 3 huizen.", "3 and 3 houses.", "zijn 3", &[]), "3 *and* 3 houses.");
    }

    #[test]
    fn single_marks_stay_beside_the_word_that_belongs_to_their_neighbour() {
        let (source, target) = ("Morgen komt Jan.", "Jan is coming tomorrow.");
        let pairs = [[0..6, 14..22], [12..15, 0..3]];
        let projection = Projection { source, target, moves: &[(0..16, 0..23)], pairs: &pairs };
        let place = |at, kind| projection.project(&[mark(at, kind)])[0].at;
        assert_eq!((place(6, MarkKind::Single), place(12, MarkKind::Leading)), (22, 0));
    }
}
