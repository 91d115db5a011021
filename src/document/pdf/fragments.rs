//! Letters that follow each other become fragments of lines.
//!
//! Invariant: a fragment consists of letters of one line that were drawn one after the other, with a space at each gap, and no
//! letter is in two fragments. Which fragments form a line is decided in `lines`.

/// A gap wider than this share of the letters' size is a space between words.
pub(super) const SPACE: f32 = 0.15;
/// The widest gap within a fragment, in sizes of its letters. Justified lines have wide gaps; columns are not joined by it, because
/// programs do not draw a line of one column and then a line of the next.
const WIDEST_SPACE: f32 = 3.0;
/// The widest gap after a bullet or number of a list, in sizes of the letters.
const WIDEST_AFTER_SIGN: f32 = 4.0;
/// Letters whose baselines differ by less than this share of their size are on one line.
const SAME_LINE: f32 = 0.2;
/// A raised or lowered number is smaller than this share of the letters around it, and not further from their baseline than
/// `HIGHEST_SCRIPT`.
const LARGEST_SCRIPT: f32 = 0.85;
const HIGHEST_SCRIPT: f32 = 0.65;

/// A drawn letter, or a ligature of several, and its place. All lengths are in points on the page.
pub(super) struct Glyph {
    /// The text that it stands for.
    pub(super) text: String,
    /// Its left edge.
    pub(super) left: f32,
    /// The place where the next letter would be drawn.
    pub(super) right: f32,
    /// The height of its baseline; larger is further up.
    pub(super) baseline: f32,
    /// The size of its font.
    pub(super) size: f32,
    /// Whether the font is a bold one.
    pub(super) bold: bool,
    /// The number of quarter turns by which its line is turned.
    pub(super) turn: u8,
}

/// A piece of a line.
#[derive(Clone, Debug, Default)]
pub(super) struct Fragment {
    /// What it says.
    pub(super) text: String,
    /// The left edge of its first letter.
    pub(super) left: f32,
    /// The right edge of its last letter.
    pub(super) right: f32,
    /// The height of its baseline.
    pub(super) baseline: f32,
    /// The size of its largest letters.
    pub(super) size: f32,
    /// The number of its bold letters.
    pub(super) bold: usize,
    /// The number of quarter turns by which it is turned.
    pub(super) turn: u8,
    /// Whether it was drawn right after another one to the left of it on the same line, as cells of a table are.
    pub(super) after_cell: bool,
    /// The place where the next letter would be drawn. Unlike the right edge, it is behind a space at the end.
    pub(super) pen: f32,
}

impl Fragment {
    /// Adds the letter that was drawn next. A letter that does not belong to this fragment is returned.
    pub(super) fn push(&mut self, glyph: Glyph) -> Option<Glyph> {
        if !self.takes(&glyph) {
            return Some(glyph);
        }
        if glyph.text.trim().is_empty() {
            self.space();
            self.pen = glyph.right;
            return None;
        }
        let gap = glyph.left - self.pen;
        let size = self.size.max(glyph.size);
        if gap > SPACE * size {
            self.space();
        }
        let raised = glyph.baseline - self.baseline > SAME_LINE * size;
        let accented = self.text.chars().next_back().filter(|_| gap < -SPACE * size);
        let accented = accented.and_then(|accent| composed(accent, &glyph.text));
        if let Some(letter) = accented {
            self.text.pop();
            self.text.push(letter);
        } else if raised && glyph.size < LARGEST_SCRIPT * self.size {
            self.text.extend(glyph.text.chars().map(superscript));
        } else {
            self.text += &glyph.text;
        }
        if glyph.size > self.size {
            if self.baseline - glyph.baseline > SAME_LINE * size {
                self.raise(glyph.text.len());
            }
            (self.size, self.baseline) = (glyph.size, glyph.baseline);
        }
        self.bold += usize::from(glyph.bold);
        self.right = self.right.max(glyph.right);
        self.pen = glyph.right;
        None
    }

    /// The fragment after this one, which begins with `glyph`.
    pub(super) fn next(&self, glyph: Glyph) -> Self {
        let level = (self.baseline - glyph.baseline).abs() <= SAME_LINE * glyph.size;
        let after_cell = self.turn == glyph.turn && level && glyph.left > self.right;
        Self { after_cell, ..glyph.into() }
    }

    /// Whether the letter that was drawn next belongs to this fragment.
    fn takes(&self, glyph: &Glyph) -> bool {
        let (size, gap) = (self.size.max(glyph.size), glyph.left - self.pen);
        let height = (self.baseline - glyph.baseline).abs() / size;
        let is_script = glyph.size < LARGEST_SCRIPT * self.size || self.size < LARGEST_SCRIPT * glyph.size;
        let widest = match () {
            () if height > SAME_LINE => 0.4,
            () if is_sign(&self.text) => WIDEST_AFTER_SIGN,
            () => WIDEST_SPACE,
        };
        let near = -0.6 * size <= gap && gap <= widest * size;
        self.turn == glyph.turn && near && (height <= SAME_LINE || is_script && height <= HIGHEST_SCRIPT)
    }

    fn space(&mut self) {
        if !self.text.ends_with(' ') {
            self.text.push(' ');
        }
    }

    /// Turns everything before the last `kept` bytes into superscript digits.
    fn raise(&mut self, kept: usize) {
        let end = self.text.len() - kept;
        let raised: String = self.text[..end].chars().map(superscript).collect();
        self.text.replace_range(..end, &raised);
    }
}

impl From<Glyph> for Fragment {
    fn from(glyph: Glyph) -> Self {
        let Glyph { text, left, right, baseline, size, bold, turn } = glyph;
        Self { text, left, right, baseline, size, bold: usize::from(bold), turn, after_cell: false, pen: right }
    }
}

/// Whether a text is nothing but a bullet or number of a list: `•`, `–`, `3.`, `b)`.
pub(super) fn is_sign(text: &str) -> bool {
    let text = text.trim();
    if is_bullet(text) {
        return true;
    }
    let Some(number) = text.strip_suffix(['.', ')']) else { return false };
    let digits = (1..=3).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
    digits || number.len() == 1 && number.bytes().all(|byte| byte.is_ascii_lowercase())
}

/// Whether a text is a bullet.
pub(super) fn is_bullet(text: &str) -> bool {
    matches!(text, "•" | "–" | "—" | "-" | "*" | "▪" | "◦" | "‣" | "·" | "○" | "●" | "■" | "□" | "➢" | "✓")
}

/// A text in ordinary characters: ligatures become their letters, and private characters of symbol fonts become bullets.
pub(super) fn readable(text: &str) -> String {
    let mut said = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            'ﬀ' => said += "ff",
            'ﬁ' => said += "fi",
            'ﬂ' => said += "fl",
            'ﬃ' => said += "ffi",
            'ﬄ' => said += "ffl",
            'ﬅ' | 'ﬆ' => said += "st",
            '\u{2010}' | '\u{2011}' | '\u{ad}' => said.push('-'),
            '\u{e000}'..='\u{f8ff}' => said.push('•'),
            c if c.is_whitespace() => said.push(' '),
            c if c.is_control() => {}
            c => said.push(c),
        }
    }
    said
}

/// The superscript form of a digit; any other character is returned unchanged.
fn superscript(c: char) -> char {
    match c {
        '0' => '⁰',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        '4'..='9' => char::from_u32('⁴' as u32 + c as u32 - '4' as u32).unwrap_or(c),
        other => other,
    }
}

/// An accent and the letter that is drawn below it, as one letter. Fonts of TeX draw them one over the other.
fn composed(accent: char, letter: &str) -> Option<char> {
    let pairs = match accent {
        '´' => "aáeéiíıíoóuúyýcćnńsśzźAÁEÉIÍOÓUÚYÝCĆNŃSŚZŹ",
        '`' => "aàeèiìıìoòuùAÀEÈIÌOÒUÙ",
        '¨' => "aäeëiïıïoöuüyÿAÄEËIÏOÖUÜYŸ",
        '^' | 'ˆ' => "aâeêiîıîoôuûAÂEÊIÎOÔUÛ",
        '~' | '˜' => "aãnñoõAÃNÑOÕ",
        '¸' => "cçCÇsşSŞ",
        'ˇ' => "cčeěrřsšzžCČEĚRŘSŠZŽ",
        '˚' => "aåuůAÅUŮ",
        _ => return None,
    };
    let pairs: Vec<char> = pairs.chars().collect();
    let letter = letter.chars().next().filter(|first| first.len_utf8() == letter.len())?;
    pairs.chunks_exact(2).find(|pair| pair[0] == letter).map(|pair| pair[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glyph(text: &str, left: f32, baseline: f32, size: f32) -> Glyph {
        let right = left + 0.5 * size * text.chars().count() as f32;
        Glyph { text: text.to_owned(), left, right, baseline, size, bold: false, turn: 0 }
    }

    /// Joins these letters into fragments.
    fn drawn(glyphs: impl IntoIterator<Item = Glyph>) -> Vec<String> {
        let mut fragments: Vec<Fragment> = Vec::new();
        for glyph in glyphs {
            let rest = match fragments.last_mut() {
                Some(last) => last.push(glyph),
                None => Some(glyph),
            };
            fragments.extend(rest.map(Fragment::from));
        }
        fragments.into_iter().map(|fragment| fragment.text).collect()
    }

    #[test]
    fn gaps_are_spaces_and_wide_gaps_part_columns() {
        let word = |text: &str, left: f32| glyph(text, left, 100.0, 10.0);
        assert_eq!(drawn([word("de", 0.0), word("brug", 13.0), word("is", 45.0)]), ["de brug is"]);
        assert_eq!(drawn([word("de", 0.0), word("brug", 41.0)]), ["de", "brug"]);
        assert_eq!(drawn([word("•", 0.0), word("brug", 41.0)]), ["• brug"]);
        assert_eq!(drawn([word("de", 0.0), glyph("brug", 13.0, 80.0, 10.0)]), ["de", "brug"]);
    }

    #[test]
    fn notes_are_raised_and_accents_are_on_their_letters() {
        assert_eq!(drawn([glyph("brug", 0.0, 100.0, 10.0), glyph("12", 20.0, 104.0, 7.0)]), ["brug¹²"]);
        let note = [glyph("2", 0.0, 103.0, 6.0), glyph("Zie", 3.0, 100.0, 9.0)];
        assert_eq!(drawn(note), ["²Zie"]);
        let accented = [glyph("co", 0.0, 100.0, 10.0), glyph("¨", 10.0, 100.0, 10.0), glyph("o", 10.0, 100.0, 10.0)];
        assert_eq!(drawn(accented), ["coö"]);
        assert_eq!(readable("e\u{fb03}cie\u{a0}\u{f0b7}"), "efficie\u{20}•");
    }
}
