//! What a session generates from: a text, and the constraints on its generation.

use crate::search::ResumePoint;

/// A text to generate from.
#[derive(Clone, Copy, Debug, Default)]
pub struct Input<'a> {
    /// The text, without the prefix that a session puts before it.
    pub text: &'a str,
    /// Terms that the generation contains as far as possible.
    pub constraints: &'a [Constraint],
    /// With a guard no sequence of [`super::GUARD`] tokens occurs twice in the generation. The search resumes at this point of
    /// the session's own generation without a guard. From [`ResumePoint::Unknown`] it begins at the start and finds the same, but
    /// for the last digits of scores. The guard is ignored where the session's settings leave it nothing to do
    /// ([`super::Session::can_guard`]).
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
