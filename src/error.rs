//! The error type: what went wrong, its kind, and what to do about it.
//!
//! Inside the crate errors are those of `anyhow`; an [`Error`] is a link in such a chain of causes that has a hint or a kind.
//! Invariant: a hint is a value beside the message and never a part of it. Both become text here and nowhere else: all causes
//! on one line, the hints below them.

use std::error::Error as StdError;
use std::fmt::{self, Display};
use std::iter;
use std::sync::Arc;

/// The text that is put before each hint.
#[doc(hidden)]
pub const HINT: &str = "\nhint: ";

/// The kind of an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// There is no such model, or the one that was found cannot be used.
    Model,
    /// The network is needed, and cannot or must not be used.
    Network,
    /// The model does not know a language, or is for other languages.
    Language,
    /// The device cannot be used, or has not enough memory.
    Device,
    /// A text or a document cannot be processed.
    Input,
    /// Any other error.
    Other,
}

/// The error of the public functions of kortom.
///
/// `{error}` gives the message and the error's own hint; `{error:#}` and [`Error::describe`] give the causes too.
#[derive(Clone, Debug)]
pub struct Error {
    message: String,
    hints: Vec<String>,
    kind: Option<ErrorKind>,
    cause: Option<Cause>,
}

/// The cause of an error. It is shared, so that several texts can fail for one reason.
#[derive(Clone, Debug)]
enum Cause {
    /// Another error that led to this one.
    Of(Arc<anyhow::Error>),
    /// This error in its original type, which has the message of this one.
    Itself(Arc<anyhow::Error>),
}

impl Error {
    /// An error of another type with this hint. [`find`] still finds it.
    pub(crate) fn typed(error: impl StdError + Send + Sync + 'static, hint: String, kind: ErrorKind) -> Self {
        Self { hints: vec![hint], kind: Some(kind), ..anyhow::Error::new(error).into() }
    }

    /// The kind of the error: its own, or that of its nearest cause that has one.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.links().find_map(|link| link.kind).unwrap_or(ErrorKind::Other)
    }

    /// What to do about the error: its own hint, or that of its nearest cause that has one.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.links().find_map(Self::own_hint)
    }

    /// The hint of the error itself, without those of its causes.
    #[must_use]
    pub fn own_hint(&self) -> Option<&str> {
        self.hints.first().map(String::as_str)
    }

    /// The message, without causes and hints.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The error and its causes on one line, and all hints below it, each on a line of its own.
    #[must_use]
    pub fn describe(&self) -> String {
        describe(self)
    }

    /// The error with this kind, unless the error or one of its causes already has a kind.
    #[must_use]
    pub(crate) fn or_kind(self, kind: ErrorKind) -> Self {
        let known = self.links().any(|link| link.kind.is_some());
        Self { kind: if known { self.kind } else { Some(kind) }, ..self }
    }

    fn links(&self) -> impl Iterator<Item = &Self> {
        chain(self).filter_map(|link| link.downcast_ref())
    }

    fn itself(&self) -> Option<&anyhow::Error> {
        match self.cause.as_ref()? {
            Cause::Itself(error) => Some(error),
            Cause::Of(_) => None,
        }
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        if f.alternate() {
            return f.write_str(&self.describe());
        }
        f.write_str(&self.message)?;
        self.hints.iter().try_for_each(|hint| write!(f, "{HINT}{hint}"))
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self.cause.as_ref()? {
            Cause::Of(error) => Some((**error).as_ref()),
            Cause::Itself(error) => error.source(),
        }
    }
}

impl From<anyhow::Error> for Error {
    fn from(error: anyhow::Error) -> Self {
        let top: &(dyn StdError + 'static) = error.as_ref();
        if let Some(own) = top.downcast_ref::<Self>() {
            return own.clone();
        }
        let message = error.to_string();
        Self { cause: Some(Cause::Itself(Arc::new(error))), ..message.into() }
    }
}

impl From<String> for Error {
    fn from(message: String) -> Self {
        debug_assert!(!message.contains(HINT), "a hint is no part of a message: {message}");
        Self { message, hints: Vec::new(), kind: None, cause: None }
    }
}

impl From<&str> for Error {
    fn from(message: &str) -> Self {
        message.to_owned().into()
    }
}

/// A message or an error to which a hint can be added.
#[doc(hidden)]
pub trait WithHint {
    /// The error with `hint` added after its other hints.
    fn with_hint(self, hint: impl Into<String>) -> Error;
}

impl<M: Into<Error>> WithHint for M {
    fn with_hint(self, hint: impl Into<String>) -> Error {
        let mut error = self.into();
        error.hints.push(hint.into());
        error
    }
}

/// A result or an option whose failure becomes the cause of another error.
#[doc(hidden)]
pub trait Explain<T> {
    /// The value, or the error that `error` makes, with the failure as its cause.
    ///
    /// # Errors
    /// When there is no value.
    fn explain(self, error: impl FnOnce() -> Error) -> anyhow::Result<T>;
}

impl<T, E: Into<anyhow::Error>> Explain<T> for Result<T, E> {
    fn explain(self, error: impl FnOnce() -> Error) -> anyhow::Result<T> {
        self.map_err(|cause| Error { cause: Some(Cause::Of(Arc::new(cause.into()))), ..error() }.into())
    }
}

impl<T> Explain<T> for Option<T> {
    fn explain(self, error: impl FnOnce() -> Error) -> anyhow::Result<T> {
        self.ok_or_else(|| error().into())
    }
}

/// The first error of type `E` among an error and its causes.
#[doc(hidden)]
#[must_use]
pub fn find<E: StdError + Send + Sync + 'static>(error: &anyhow::Error) -> Option<&E> {
    error
        .chain()
        .find_map(|link| link.downcast_ref().or_else(|| link.downcast_ref::<Error>()?.itself()?.downcast_ref()))
}

/// The root cause of an error: the last of its chain of causes.
#[doc(hidden)]
#[must_use]
pub fn root(error: &anyhow::Error) -> Error {
    let root = error.root_cause();
    root.downcast_ref::<Error>().cloned().unwrap_or_else(|| root.to_string().into())
}

/// An error and its causes on one line, and all hints below it, each on a line of its own.
#[doc(hidden)]
#[must_use]
pub fn describe(error: &(dyn StdError + 'static)) -> String {
    let (causes, hints) = parts(error);
    hints.into_iter().fold(causes, |text, hint| text + HINT + hint)
}

/// An error and its causes on one line, and all hints.
#[doc(hidden)]
#[must_use]
pub fn parts<'e>(error: &'e (dyn StdError + 'static)) -> (String, Vec<&'e str>) {
    let (mut causes, mut hints) = (Vec::new(), Vec::new());
    for link in chain(error) {
        if let Some(error) = link.downcast_ref::<Error>() {
            causes.push(error.message.clone());
            hints.extend(error.hints.iter().map(String::as_str));
        } else {
            causes.push(link.to_string());
        }
    }
    // A library's error often repeats its cause.
    causes.dedup_by(|inner, outer| outer.ends_with(inner.as_str()));
    (causes.join(": "), hints)
}

fn chain<'e>(error: &'e (dyn StdError + 'static)) -> impl Iterator<Item = &'e (dyn StdError + 'static)> {
    iter::successors(Some(error), |&error| error.source())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Eq)]
    struct Full;

    impl Display for Full {
        fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
            f.write_str("the disk is full")
        }
    }

    impl StdError for Full {}

    fn failed() -> anyhow::Result<()> {
        Err::<(), _>(Full).explain(|| "cannot write".with_hint("make room"))?;
        Ok(())
    }

    #[test]
    fn hints_come_after_all_causes() {
        let error = Err::<(), _>(failed().unwrap_err().context("an article")).explain(|| "outer".with_hint("do this"));
        let error = error.unwrap_err();
        assert_eq!(
            describe(error.as_ref()),
            "outer: an article: cannot write: the disk is full\nhint: do this\nhint: make room"
        );
        assert_eq!(parts(error.as_ref()).1, ["do this", "make room"]);
        assert_eq!(error.to_string(), "outer\nhint: do this");
    }

    #[test]
    fn an_error_has_the_kind_and_the_hint_of_its_nearest_cause_and_keeps_all_types() {
        let error = Error::from(failed().unwrap_err().context("an article")).or_kind(ErrorKind::Input);
        assert_eq!((error.kind(), error.hint(), error.message()), (ErrorKind::Input, Some("make room"), "an article"));
        assert_eq!(error.describe(), "an article: cannot write: the disk is full\nhint: make room");
        let again = Error::from(anyhow::Error::from(error)).or_kind(ErrorKind::Model);
        assert_eq!(again.kind(), ErrorKind::Input);
        assert_eq!(find(&again.into()), Some(&Full));
        let typed = Error::typed(Full, "make room".to_owned(), ErrorKind::Device);
        assert_eq!(
            (typed.kind(), typed.describe()),
            (ErrorKind::Device, "the disk is full\nhint: make room".to_owned())
        );
        assert_eq!(find(&typed.into()), Some(&Full));
        assert_eq!(root(&failed().unwrap_err()).message(), "the disk is full");
    }
}
