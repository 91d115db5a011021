//! Which letters a page draws, and where.
//!
//! A page is a program that moves a pen and draws letters (ISO 32000-2, 9.4). Of its operations those about text are run.
//! Invariant: letters come in the order in which they are drawn. What is marked as an artifact (a header, a page number) is left
//! out.

use std::sync::Arc;

use anyhow::{Result, ensure};
use hayro_font::hayro_cmap::BfString;
use hayro_font::hayro_syntax::content::TypedIter;
use hayro_font::hayro_syntax::content::ops::TypedInstruction as Operation;
use hayro_font::hayro_syntax::object::dict::keys::{
    BASE_FONT, CONTENTS, FONT_DESC, FONT_WEIGHT, MATRIX, RESOURCES, SUBTYPE,
};
use hayro_font::hayro_syntax::object::{Array, Dict, Name, Number, Object, Stream};
use hayro_font::hayro_syntax::page::{Page, Resources};
use hayro_font::kurbo::Affine;
use hayro_font::{CMapResolverFn, Font, FontCache, FontGlyph, FontQuery, FontResolverFn, UNITS_PER_EM};

use super::fragments::{Fragment, Glyph, readable};
use super::limits::UnpackLimit;
use crate::error::WithHint;

/// The most letters that a page may have; a page of a newspaper has 30,000.
const MOST_LETTERS: usize = 1 << 20;
/// The deepest nesting of drawings, and the most saved states.
const DEEPEST_FORM: usize = 12;
const MOST_SAVED: usize = 256;
/// Parts of the names of bold fonts, in small letters.
const BOLD_NAMES: [&str; 8] = ["bold", "black", "heavy", "demi", "cmbx", "sfbx", "cmssbx", "lmroman10-b"];

/// The contents of a page.
#[derive(Debug, Default)]
pub(super) struct Drawn {
    /// Its text, in the order in which it is drawn.
    pub(super) fragments: Vec<Fragment>,
    /// Whether there is a picture.
    pub(super) has_picture: bool,
    /// Number of letters whose fonts do not tell which they are.
    pub(super) unknown: usize,
    letters: usize,
}

/// Reads pages, and each font once.
pub(super) struct PageReader<'a, 'l> {
    fonts: FontCache<'a>,
    standard_fonts: FontResolverFn,
    cmaps: CMapResolverFn,
    limit: &'l UnpackLimit,
}

/// The state that decides the place and size of the next letter.
#[derive(Clone)]
struct TextState<'a> {
    /// The transformation from the coordinates of the drawing to those of the page.
    to_page: Affine,
    font: Option<(Font<'a>, bool)>,
    size: f64,
    letter_space: f64,
    word_space: f64,
    stretch: f64,
    leading: f64,
    rise: f64,
}

/// Runs one program of drawing.
struct Drawing<'r, 'a, 'l> {
    reader: &'r PageReader<'a, 'l>,
    drawn: &'r mut Drawn,
    resources: &'r Resources<'a>,
    state: TextState<'a>,
    saved: Vec<TextState<'a>>,
    /// Number of saved states beyond the limit, which are not kept.
    unkept: usize,
    /// The place where the line begins, and that of the next letter.
    line: Affine,
    pen: Affine,
    /// For each open mark, whether its content is an artifact.
    artifacts: Vec<bool>,
    depth: usize,
}

impl<'a, 'l> PageReader<'a, 'l> {
    pub(super) fn new(limit: &'l UnpackLimit) -> Self {
        let standard_fonts: FontResolverFn = Arc::new(|query: &FontQuery| {
            Some(match query {
                FontQuery::Standard(font) => font.get_font_data(),
                FontQuery::Fallback(query) => query.pick_standard_font().get_font_data(),
            })
        });
        Self { fonts: FontCache::new(), standard_fonts, cmaps: Arc::new(|_| None), limit }
    }

    /// Reads the contents of a page.
    ///
    /// # Errors
    /// When they would exceed the limit of unpacked bytes.
    pub(super) fn read(&self, page: &Page<'a>) -> Result<Drawn> {
        let contents = page.raw();
        let parts: Vec<Stream> = match contents.get::<Stream>(CONTENTS) {
            Some(part) => vec![part],
            None => contents.get::<Array>(CONTENTS).map(|parts| parts.iter::<Stream>().collect()).unwrap_or_default(),
        };
        let mut program = Vec::new();
        for part in parts {
            program.extend(self.limit.unpack(&part)?.unwrap_or_default());
            program.push(b' ');
        }
        let to_page = Affine::new(page.initial_transform(false).as_coeffs());
        let mut drawn = Drawn::default();
        self.drawing(&mut drawn, page.resources(), TextState::new(to_page), 0).run(&program)?;
        Ok(drawn)
    }

    fn drawing<'r>(
        &'r self,
        drawn: &'r mut Drawn,
        resources: &'r Resources<'a>,
        state: TextState<'a>,
        depth: usize,
    ) -> Drawing<'r, 'a, 'l> {
        let (line, pen) = (Affine::IDENTITY, Affine::IDENTITY);
        let (saved, artifacts) = (Vec::new(), Vec::new());
        Drawing { reader: self, drawn, resources, state, saved, unkept: 0, line, pen, artifacts, depth }
    }

    /// The font of a dictionary, and whether it is bold.
    fn font(&self, dictionary: &Dict<'a>) -> Result<Option<(Font<'a>, bool)>> {
        self.limit.allow_font(dictionary)?;
        let font = self.fonts.font(dictionary, &self.standard_fonts, &self.cmaps);
        Ok(font.map(|font| (font, is_bold(dictionary))))
    }
}

impl TextState<'_> {
    fn new(to_page: Affine) -> Self {
        let (size, letter_space, word_space, leading, rise) = (1.0, 0.0, 0.0, 0.0, 0.0);
        Self { to_page, font: None, size, letter_space, word_space, stretch: 1.0, leading, rise }
    }
}

impl<'a> Drawing<'_, 'a, '_> {
    fn run(&mut self, program: &[u8]) -> Result<()> {
        let mut operations = TypedIter::new(program);
        while let Some(operation) = operations.next() {
            self.mark(&operation);
            self.save(&operation);
            self.set(&operation)?;
            self.move_pen(&operation);
            self.show(&operation)?;
        }
        Ok(())
    }

    /// Runs an operation that begins or ends a mark.
    fn mark(&mut self, operation: &Operation) {
        match operation {
            Operation::BeginMarkedContent(mark) => self.artifacts.push(mark.0.as_ref() == b"Artifact"),
            Operation::BeginMarkedContentWithProperties(mark) => self.artifacts.push(mark.0.as_ref() == b"Artifact"),
            Operation::EndMarkedContent(_) => {
                self.artifacts.pop();
            }
            _ => {}
        }
    }

    /// Runs an operation that saves or restores the state.
    fn save(&mut self, operation: &Operation) {
        match operation {
            Operation::SaveState(_) if self.saved.len() == MOST_SAVED => self.unkept += 1,
            Operation::SaveState(_) => self.saved.push(self.state.clone()),
            Operation::RestoreState(_) if self.unkept > 0 => self.unkept -= 1,
            Operation::RestoreState(_) => self.state = self.saved.pop().unwrap_or_else(|| self.state.clone()),
            _ => {}
        }
    }

    /// Runs an operation that sets the font, the size or the spacing of later letters.
    fn set(&mut self, operation: &Operation) -> Result<()> {
        let state = &mut self.state;
        match operation {
            Operation::Transform(by) => state.to_page *= matrix([by.0, by.1, by.2, by.3, by.4, by.5]),
            Operation::CharacterSpacing(space) => state.letter_space = space.0.as_f64(),
            Operation::WordSpacing(space) => state.word_space = space.0.as_f64(),
            Operation::HorizontalScaling(percent) => state.stretch = percent.0.as_f64() / 100.0,
            Operation::TextLeading(leading) => state.leading = leading.0.as_f64(),
            Operation::TextRise(rise) => state.rise = rise.0.as_f64(),
            Operation::TextFont(font) => {
                state.size = font.1.as_f64();
                let dictionary = self.resources.get_font(font.0);
                state.font = dictionary.map(|dictionary| self.reader.font(&dictionary)).transpose()?.flatten();
            }
            _ => {}
        }
        Ok(())
    }

    /// Runs an operation that moves the pen.
    fn move_pen(&mut self, operation: &Operation) {
        match operation {
            Operation::BeginText(_) => self.begin_line(Affine::IDENTITY),
            Operation::SetTextMatrix(to) => self.begin_line(matrix([to.0, to.1, to.2, to.3, to.4, to.5])),
            Operation::NextLine(by) => self.next_line(by.0.as_f64(), by.1.as_f64()),
            Operation::NextLineAndSetLeading(by) => {
                self.state.leading = -by.1.as_f64();
                self.next_line(by.0.as_f64(), by.1.as_f64());
            }
            Operation::ShowTextWithParameters(shown) => {
                (self.state.word_space, self.state.letter_space) = (shown.0.as_f64(), shown.1.as_f64());
                self.next_line(0.0, -self.state.leading);
            }
            Operation::NextLineUsingLeading(_) | Operation::NextLineAndShowText(_) => {
                self.next_line(0.0, -self.state.leading);
            }
            _ => {}
        }
    }

    fn begin_line(&mut self, at: Affine) {
        (self.line, self.pen) = (at, at);
    }

    fn next_line(&mut self, right: f64, up: f64) {
        self.begin_line(self.line * Affine::translate((right, up)));
    }

    /// Runs an operation that draws letters, a picture or another drawing.
    fn show(&mut self, operation: &Operation) -> Result<()> {
        match operation {
            Operation::ShowText(shown) => self.letters(shown.0.as_bytes()),
            Operation::NextLineAndShowText(shown) => self.letters(shown.0.as_bytes()),
            Operation::ShowTextWithParameters(shown) => self.letters(shown.2.as_bytes()),
            Operation::ShowTexts(shown) => shown.0.iter::<Object>().try_for_each(|item| match item {
                Object::String(text) => self.letters(text.as_bytes()),
                Object::Number(back) => {
                    self.forward(-back.as_f64() / 1000.0 * self.state.size * self.state.stretch);
                    Ok(())
                }
                _ => Ok(()),
            }),
            Operation::XObject(name) => self.form(name.0),
            Operation::InlineImage(_) => {
                self.drawn.has_picture = true;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn forward(&mut self, by: f64) {
        self.pen *= Affine::translate((by, 0.0));
    }

    /// Draws an external object, which has a name: a picture, or a drawing with a program of its own.
    fn form(&mut self, name: &Name) -> Result<()> {
        let Some(part) = self.resources.get_x_object(name) else { return Ok(()) };
        if part.dict().get::<Name>(SUBTYPE).is_some_and(|kind| kind.as_ref() == b"Image") {
            self.drawn.has_picture = true;
            return Ok(());
        }
        if self.depth == DEEPEST_FORM || self.is_artifact() {
            return Ok(());
        }
        let Some(program) = self.reader.limit.unpack(&part)? else { return Ok(()) };
        let resources = part.dict().get::<Dict>(RESOURCES).map_or_else(|| self.resources.clone(), Resources::new);
        let inside = part.dict().get::<[f64; 6]>(MATRIX).map_or(Affine::IDENTITY, Affine::new);
        let state = TextState { to_page: self.state.to_page * inside, ..self.state.clone() };
        self.reader.drawing(self.drawn, &resources, state, self.depth + 1).run(&program)
    }

    fn is_artifact(&self) -> bool {
        self.artifacts.contains(&true)
    }

    /// Draws the letters of a string.
    fn letters(&mut self, string: &[u8]) -> Result<()> {
        let Some((font, bold)) = self.state.font.clone() else { return Ok(()) };
        let is_artifact = self.is_artifact();
        let mut at = 0;
        while at < string.len() {
            let (code, length) = font.read_code(string, at);
            at += length.max(1);
            let mut width = font.code_advance(code).x / f64::from(UNITS_PER_EM) * self.state.size;
            width += self.state.letter_space;
            if length == 1 && code == u32::from(b' ') {
                width += self.state.word_space;
            }
            width *= self.state.stretch;
            if !is_artifact {
                self.letter(&font, code, bold, width)?;
            }
            self.forward(width);
        }
        Ok(())
    }

    fn letter(&mut self, font: &Font<'a>, code: u32, bold: bool, width: f64) -> Result<()> {
        self.drawn.letters += 1;
        ensure!(
            self.drawn.letters <= MOST_LETTERS,
            format!("a page has more than {MOST_LETTERS} letters").with_hint("such a PDF is made to fill a memory")
        );
        let Some(text) = said(font, code).map(|text| readable(&text)).filter(|text| !text.is_empty()) else {
            self.drawn.unknown += 1;
            return Ok(());
        };
        let place = self.state.to_page * self.pen * Affine::translate((0.0, self.state.rise));
        let [a, b, c, d, x, y] = place.as_coeffs();
        let sign = self.state.size.signum();
        let turn = turn(a * sign, b * sign);
        // Along the line and across it, whichever way the line is turned.
        let (left, baseline) = match turn {
            0 => (x, y),
            1 => (y, -x),
            2 => (-x, -y),
            _ => (-y, x),
        };
        let size = self.state.size.abs() * c.hypot(d);
        let right = left + width.abs() * a.hypot(b);
        if ![left, right, baseline, size].iter().all(|length| length.is_finite()) || size < 0.1 {
            return Ok(());
        }
        let [left, right, baseline, size] = [left, right, baseline, size].map(|length| length as f32);
        let glyph = Glyph { text, left, right, baseline, size, bold, turn };
        let rest = match self.drawn.fragments.last_mut() {
            Some(last) => last.push(glyph),
            None => Some(glyph),
        };
        if let Some(glyph) = rest.filter(|glyph| !glyph.text.trim().is_empty()) {
            let fragments = &mut self.drawn.fragments;
            let fragment = match fragments.last() {
                Some(last) => last.next(glyph),
                None => glyph.into(),
            };
            fragments.push(fragment);
        }
        Ok(())
    }
}

/// The text of a letter by its font; `None` if the font does not tell.
fn said(font: &Font, code: u32) -> Option<String> {
    let said = match font.glyph(font.map_code(code), code) {
        FontGlyph::Outline(glyph) => glyph.as_unicode(),
        FontGlyph::Type3(glyph) => glyph.as_unicode().or_else(|| of_bitmap(code)),
    };
    said.map(|said| match said {
        BfString::Char(c) => c.to_string(),
        BfString::String(text) => text,
    })
}

/// The text of a letter in a bitmap font of TeX. Such a font does not tell its letters, but its codes are those of TeX's encoding
/// `T1`: ASCII, and ISO 8859-1 for most letters with accents.
fn of_bitmap(code: u32) -> Option<BfString> {
    Some(BfString::Char(match code {
        16 => '“',
        17 => '”',
        18 => '„',
        19 => '«',
        20 => '»',
        21 => '–',
        22 => '—',
        27 => 'ﬀ',
        28 => 'ﬁ',
        29 => 'ﬂ',
        30 => 'ﬃ',
        31 => 'ﬄ',
        39 => '’',
        96 => '‘',
        32..=126 | 192..=255 => char::from_u32(code)?,
        127 => '-',
        _ => return None,
    }))
}

/// The number of quarter turns of a line in this direction.
fn turn(right: f64, up: f64) -> u8 {
    match (right.abs() >= up.abs(), right >= 0.0, up >= 0.0) {
        (true, true, _) => 0,
        (false, _, true) => 1,
        (true, false, _) => 2,
        (false, _, false) => 3,
    }
}

/// Whether a font is bold, by its name or by its weight.
fn is_bold(font: &Dict) -> bool {
    let name = font.get::<Name>(BASE_FONT).map(|name| name.as_str().to_ascii_lowercase()).unwrap_or_default();
    let weight = font.get::<Dict>(FONT_DESC).and_then(|about| about.get::<Number>(FONT_WEIGHT));
    BOLD_NAMES.iter().any(|bold| name.contains(bold)) || weight.is_some_and(|weight| weight.as_f64() >= 600.0)
}

fn matrix(numbers: [Number; 6]) -> Affine {
    Affine::new(numbers.map(|number| number.as_f64()))
}
