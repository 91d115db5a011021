//! Which words of a source and of its target belong together, by one head of the decoder's cross-attention.
//!
//! A token of the target belongs to the token of the source that the head looked at most when the token was generated. From
//! tokens to words: a word of the source is as small as its tokens allow, which are found by encoding the source up to the end
//! of each word; a token of the target covers what decoding it adds to the text.
//!
//! Invariant: what a text gets depends on nothing but the text and its generation.

use std::ops::Range;

use anyhow::Result;

use super::{Generation, ResolvedRequest, Session};
use crate::batch::{TokenId, batches};

/// What belongs together in a source and its target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WordAlignment {
    /// The text of the generated tokens.
    pub target: String,
    /// Ranges of bytes in the source and in [`Self::target`], in the order of the target.
    pub pairs: Vec<[Range<usize>; 2]>,
}

/// A stretch of a source, in bytes, and its tokens.
type SourceWord = (Range<usize>, Range<usize>);

impl Session<'_> {
    /// Whether a head was asked for that says which words belong together.
    #[must_use]
    pub fn aligns(&self) -> bool {
        self.resolved.alignment.is_some()
    }

    /// Which words of texts and of their generations belong together; nothing where no head was asked for.
    ///
    /// # Errors
    /// When the model or device fails.
    pub fn align(&self, texts: &[(&str, &Generation)]) -> Result<Vec<WordAlignment>> {
        let sources: Vec<_> = texts.iter().map(|(text, _)| self.encode(text)).collect::<Result<_>>()?;
        self.align_tokens(texts, &sources)
    }

    /// Which words of texts and of their generations belong together, from source tokens as they are: those of
    /// [`Self::encode`], or of [`Self::encode_truncated`] for texts that were cut. Nothing where no head was asked for.
    ///
    /// # Errors
    /// When the model or device fails.
    pub fn align_tokens(&self, texts: &[(&str, &Generation)], sources: &[Vec<TokenId>]) -> Result<Vec<WordAlignment>> {
        let Some(head) = self.resolved.alignment else { return Ok(vec![WordAlignment::default(); texts.len()]) };
        let ResolvedRequest { settings, global_attention, .. } = &self.resolved;
        let limits = self.limits(&settings.options);
        let mut found = vec![WordAlignment::default(); texts.len()];
        for mut batch in batches(sources.to_vec(), |sentences, longest| limits.fits(sentences, longest)) {
            // A text without tokens has nothing to look at.
            batch.order.retain(|&index| !sources[index].is_empty());
            batch.ids.retain(|ids| !ids.is_empty());
            if batch.ids.is_empty() {
                continue;
            }
            // The last token leads to nothing.
            let target = |&index: &usize| {
                let tokens = &texts[index].1.tokens;
                [&settings.options.start[..], &tokens[..tokens.len().saturating_sub(1)]].concat()
            };
            let targets: Vec<Vec<TokenId>> = batch.order.iter().map(target).collect();
            let encoded = self.engine.model.encode(&batch, *global_attention)?;
            let weights = self.engine.model.align(&encoded, &targets, head)?;
            for (&index, weights) in batch.order.iter().zip(weights) {
                let (text, generation) = texts[index];
                let after_start = weights.get(settings.options.start.len().saturating_sub(1)..).unwrap_or_default();
                found[index] = self.word_alignment(text, &sources[index], generation, after_start)?;
            }
        }
        Ok(found)
    }

    /// The pairs of a text of these source tokens, from the weights of these for each generated token.
    fn word_alignment(
        &self,
        text: &str,
        source: &[TokenId],
        generation: &Generation,
        weights: &[Vec<f32>],
    ) -> Result<WordAlignment> {
        let theirs = self.source_words(text, source)?;
        let (target, ends) = self.target_ends(&generation.tokens);
        let looked_at: Vec<Option<usize>> = weights
            .iter()
            .map(|weights| {
                let token = largest(weights)?;
                theirs.iter().position(|(_, tokens)| tokens.contains(&token))
            })
            .collect();
        let mut pairs = Vec::new();
        for word in words(&target) {
            let begins = |token: usize| if token == 0 { 0 } else { ends[token - 1] };
            let covers = |token: &usize| begins(*token) < word.end && word.start < ends[*token];
            let tokens = (0..ends.len().min(looked_at.len())).filter(covers);
            let mut stretches: Vec<usize> = tokens.filter_map(|token| looked_at[token]).collect();
            stretches.sort_unstable();
            stretches.dedup();
            pairs.extend(stretches.into_iter().map(|stretch| [theirs[stretch].0.clone(), word.clone()]));
        }
        Ok(WordAlignment { target, pairs })
    }

    /// The words of a text with these source tokens; several in one where a token has a part of each. Where the text was
    /// cut, the word that was cut is the last.
    fn source_words(&self, text: &str, source: &[TokenId]) -> Result<Vec<SourceWord>> {
        let nothing = self.encode("")?;
        let before = same(&nothing, source);
        let after = same_from_the_end(&nothing[before..], &source[before..]);
        let own = &source[before..source.len() - after];
        let mut found: Vec<SourceWord> = Vec::new();
        let (mut start, mut tokens) = (None, 0);
        let all = words(text);
        for (number, word) in all.iter().enumerate() {
            let start_here = *start.get_or_insert(word.start);
            let count = if number + 1 == all.len() {
                own.len()
            } else {
                let until = self.encode(&text[..word.end])?;
                let until = until.get(before..until.len().saturating_sub(after)).unwrap_or_default();
                match () {
                    () if own.starts_with(until) => until.len(),
                    () if until.starts_with(own) => own.len(),
                    () => 0,
                }
            };
            if count > tokens {
                found.push((start_here..word.end, before + tokens..before + count));
                (start, tokens) = (None, count);
            }
        }
        Ok(found)
    }

    /// The text of generated tokens, and where each of them ends in it.
    fn target_ends(&self, tokens: &[TokenId]) -> (String, Vec<usize>) {
        let tokenizer = self.engine.tokenizer();
        let decode = |tokens: &[TokenId]| match self.resolved.clean_up {
            Some(clean_up) => tokenizer.decode_cleaning(tokens, clean_up),
            None => tokenizer.decode(tokens),
        };
        let text = decode(tokens);
        let mut last = 0;
        let ends = (1..=tokens.len()).map(|count| {
            let until = decode(&tokens[..count]);
            let end = same(until.as_bytes(), text.as_bytes());
            last = (last..=end).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(last);
            last
        });
        let ends = ends.collect();
        (text, ends)
    }
}

/// How many of the first values are the same.
fn same<T: PartialEq>(one: &[T], other: &[T]) -> usize {
    one.iter().zip(other).take_while(|(one, other)| one == other).count()
}

/// How many of the last values are the same.
fn same_from_the_end<T: PartialEq>(one: &[T], other: &[T]) -> usize {
    one.iter().rev().zip(other.iter().rev()).take_while(|(one, other)| one == other).count()
}

/// The place of the largest value; of several the first.
fn largest(values: &[f32]) -> Option<usize> {
    let all = values.iter().copied().enumerate();
    all.reduce(|best, next| if next.1 > best.1 { next } else { best }).map(|(place, _)| place)
}

/// The words of a text: letters and digits, with signs such as `'` and `-` between them, or one other sign.
fn words(text: &str) -> Vec<Range<usize>> {
    let mut words: Vec<Range<usize>> = Vec::new();
    let mut chars = text.char_indices().peekable();
    // Whether the last word may go on with a letter.
    let mut open = false;
    while let Some((at, c)) = chars.next() {
        let end = at + c.len_utf8();
        let joins = matches!(c, '\'' | '\u{2019}' | '-') && chars.peek().is_some_and(|(_, c)| c.is_alphanumeric());
        match words.last_mut() {
            Some(word) if open && (c.is_alphanumeric() || joins) => word.end = end,
            _ if c.is_whitespace() => open = false,
            _ => {
                words.push(at..end);
                open = c.is_alphanumeric();
            }
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_signs_inside_and_others_stand_alone() {
        let text = "Zo'n tv-ploeg, \u{201e}\u{e9}\u{e9}n\u{201d} - 3,5 km.";
        let found: Vec<&str> = words(text).into_iter().map(|word| &text[word]).collect();
        let expected =
            ["Zo'n", "tv-ploeg", ",", "\u{201e}", "\u{e9}\u{e9}n", "\u{201d}", "-", "3", ",", "5", "km", "."];
        assert_eq!(found, expected);
        assert!(words(" \n").is_empty());
    }

    #[test]
    fn of_equal_weights_the_first_counts() {
        assert_eq!(largest(&[0.1, 0.4, 0.4, 0.1]), Some(1));
        assert_eq!(largest(&[]), None);
        assert_eq!((same(&[1, 2, 3], &[1, 2]), same_from_the_end(&[1, 2], &[3, 2])), (2, 1));
    }
}
