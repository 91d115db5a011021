//! What a session generates from: a text, and what is required of its generation.

use crate::search::Divergence;

/// A text to generate from.
#[derive(Clone, Copy, Debug, Default)]
pub struct Input<'a> {
    /// The text, without the prefix that a session puts before it.
    pub text: &'a str,
    /// Terms that the generation contains as far as possible.
    pub constraints: &'a [Constraint],
    /// With a guard no sequence of [`super::GUARD`] tokens occurs twice in the generation. The search begins where this
    /// divergence, of the session's own generation without a guard, says that both part; from [`Divergence::Unknown`] it
    /// begins at the start and finds the same, but for the last digits of scores. Where the session's settings leave a
    /// guard nothing to do ([`super::Session::can_guard`]), it is ignored.
    pub guard: Option<&'a Divergence>,
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
