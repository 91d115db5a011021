//! Checksums of files: the Hub names large files by their SHA-256 and the others by git's SHA-1.
//!
//! Invariant: a file is only called right when its content was read and hashed. An entity tag of another form (some
//! mirrors make their own) proves nothing, and the result says so.

use std::fmt::Write;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use anyhow::{Context, Result};
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// Whether a file has the content its entity tag stands for; `None` when the tag is no hash we know.
///
/// # Errors
/// When the file cannot be read.
pub(super) fn matches(path: &Path, tag: &str) -> Result<Option<bool>> {
    if !tag.chars().all(|c| c.is_ascii_hexdigit()) {
        return Ok(None);
    }
    let unreadable = || format!("cannot read `{}`", path.display());
    let file = File::open(path).with_context(unreadable)?;
    let size = file.metadata().with_context(unreadable)?.len();
    let found = match tag.len() {
        64 => hash(Sha256::new(), file).with_context(unreadable)?,
        40 => hash(Sha1::new_with_prefix(format!("blob {size}\0")), file).with_context(unreadable)?,
        _ => return Ok(None),
    };
    Ok(Some(found == tag.to_lowercase()))
}

/// The SHA-256 of a file, in hexadecimal.
///
/// # Errors
/// When the file cannot be read.
pub(super) fn sha256(path: &Path) -> Result<String> {
    let file = File::open(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    hash(Sha256::new(), file).with_context(|| format!("cannot read `{}`", path.display()))
}

/// The SHA-1 of bytes, in hexadecimal.
pub(super) fn sha1(bytes: &[u8]) -> Result<String> {
    Ok(hash(Sha1::new(), bytes)?)
}

fn hash<D: Digest>(mut digest: D, file: impl Read) -> std::io::Result<String> {
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = reader.read(&mut buffer)?;
        if read == 0 {
            let mut hex = String::new();
            for byte in digest.finalize() {
                let _ = write!(hex, "{byte:02x}");
            }
            return Ok(hex);
        }
        digest.update(&buffer[..read]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_hashes_are_those_of_git_and_lfs() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "hello\n").unwrap();
        // `git hash-object` and `sha256sum` of the same line.
        let (git, lfs) = (
            "ce013625030ba8dba906f756967f9e9ca394464a",
            "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03",
        );
        assert_eq!(matches(&path, git).unwrap(), Some(true));
        assert_eq!(matches(&path, lfs).unwrap(), Some(true));
        assert_eq!(matches(&path, &git.replace('a', "b")).unwrap(), Some(false));
        assert_eq!(matches(&path, "5d41402abc4b2a76b9719d911017c592").unwrap(), None);
        assert_eq!(matches(&path, "2-abc").unwrap(), None);
    }
}
