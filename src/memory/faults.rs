//! Errors of a memory's file.
//!
//! Invariant: every error names the file, and its hint says what to do.

use std::path::Path;

use rusqlite::ErrorCode;

use crate::error::{Error, WithHint};

/// The error for an error of `SQLite`.
pub(super) fn told(path: &Path, error: &rusqlite::Error) -> Error {
    let name = path.display();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => damaged(path),
        Some(ErrorCode::DiskFull) => format!("there is no room left for the memory `{name}`")
            .with_hint("make room on that disk, or shrink it with `kortom memory prune --max-size`"),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            format!("the memory `{name}` is held by another program").with_hint("end that program, or wait for it")
        }
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => read_only(path),
        Some(ErrorCode::CannotOpen) => {
            format!("cannot open the memory `{name}`").with_hint("look whether its folder is there and may be written")
        }
        _ => format!("the memory `{name}` cannot be used: {error}").with_hint("leave it out with --no-memory"),
    }
}

/// The error for an error of `SQLite` after which the run goes on without the memory.
pub(super) fn during_run(path: &Path, error: &rusqlite::Error) -> Error {
    let told = told(path, error);
    let message = format!("{}; from here on, nothing was recalled or kept", told.message());
    message.with_hint(told.own_hint().unwrap_or_default())
}

/// The error for a damaged file.
pub(super) fn damaged(path: &Path) -> Error {
    format!("the memory `{}` is damaged or cut short", path.display())
        .with_hint("take it from a backup, or move it away: a new one is made")
}

/// The error for a file that cannot be written.
pub(super) fn read_only(path: &Path) -> Error {
    format!("the memory `{}` cannot be written", path.display())
        .with_hint("allow it with `chmod u+w`, or leave it out with --no-memory")
}

/// The error for a file of another program.
pub(super) fn foreign(path: &Path) -> Error {
    format!("`{}` is of another program, and no memory of kortom", path.display()).with_hint("name another file")
}
