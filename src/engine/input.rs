//! The inputs of a session: texts, and constraints on their generations.

use crate::search::ResumePoint;

/// A text to generate from, with constraints on the generation.
#[derive(Clone, Copy, Debug, Default)]
pub struct Input<'a> {
    /// The text, without the session's prefix.
    pub text: &'a str,
    /// Terms that the generation contains if possible.
    pub constraints: &'a [Constraint],
    /// A guard against repetition: no sequence of [`super::GUARD`] tokens occurs twice in the generation. The point is
    /// that of the session's own generation without a guard; the search resumes there. From [`ResumePoint::Unknown`] the
    /// search begins at the start, and finds the same except for the last digits of scores. The guard is ignored if the
    /// session's settings make it pointless, see [`super::Session::can_guard`].
    pub guard: Option<&'a ResumePoint>,
}

/// A term that a generation must contain, in any one of several spellings.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Constraint {
    /// The spellings.
    pub alternatives: Vec<String>,
}

impl<'a> From<&'a str> for Input<'a> {
    fn from(text: &'a str) -> Self {
        Self { text, ..Self::default() }
    }
}

impl<'a> From<&'a String> for Input<'a> {
    fn from(text: &'a String) -> Self {
        Self::from(text.as_str())
    }
}
