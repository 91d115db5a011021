//! API keys: which clients may send requests.
//!
//! Invariant: a key is compared with all known keys, in constant time; only hashes of keys are kept. Without a file
//! of keys, every client that can connect may send requests.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use axum::http::{HeaderMap, StatusCode, header};
use kortom::error::WithHint;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use super::refusal::{Answer, Refusal};

/// The SHA-256 hashes of the keys that give access to the server.
#[derive(Default)]
pub struct Keys(Vec<[u8; 32]>);

impl Keys {
    /// Reads a file with a key on each line. Empty lines and lines that begin with `#` are skipped.
    ///
    /// # Errors
    /// When the file cannot be read or has no key.
    pub fn load(path: &Path) -> Result<Self> {
        let name = path.display();
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read the API keys in `{name}`"))?;
        let keys = Self::parse(&text);
        ensure!(
            keys.are_needed(),
            format!("there is no API key in `{name}`").with_hint("write one on each line, or leave out --api-keys")
        );
        Ok(keys)
    }

    fn parse(text: &str) -> Self {
        let keys = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        Self(keys.map(|key| Sha256::digest(key).into()).collect())
    }

    /// Whether a request needs a key.
    pub fn are_needed(&self) -> bool {
        !self.0.is_empty()
    }

    /// Checks the key of a request: `sent` in its body, as `LibreTranslate`'s clients do, or in its header
    /// `Authorization: Bearer`.
    ///
    /// # Errors
    /// When a key is needed and the request has none, or a wrong one.
    pub fn check(&self, headers: &HeaderMap, sent: Option<&str>) -> Answer<()> {
        let bearer = || headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ");
        match sent.filter(|key| !key.is_empty()).or_else(bearer) {
            _ if !self.are_needed() => Ok(()),
            Some(key) if self.has(key) => Ok(()),
            Some(_) => Err(Refusal::new(StatusCode::FORBIDDEN, "invalid API key")),
            None => Err(Refusal::new(
                StatusCode::FORBIDDEN,
                "this server needs an API key".with_hint("send it as `api_key`, or as `Authorization: Bearer KEY`"),
            )),
        }
    }

    fn has(&self, key: &str) -> bool {
        let key: [u8; 32] = Sha256::digest(key.trim()).into();
        self.0.iter().fold(Choice::from(0), |found, known| found | known.ct_eq(&key)).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_keys_open() {
        let keys = Keys::parse("# of the desk\nfirst-key\n\n  second-key \n");
        let bearer = |value: &str| HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())]);
        let none = HeaderMap::new();
        for key in ["first-key", "second-key"] {
            assert_eq!(keys.check(&none, Some(key)), Ok(()));
            assert_eq!(keys.check(&bearer(&format!("Bearer {key}")), None), Ok(()));
        }
        for key in ["", "first-ke", "first-key1", "# of the desk", "of the desk"] {
            assert!(keys.check(&none, Some(key)).is_err(), "{key}");
        }
        assert!(keys.check(&bearer("first-key"), None).is_err());
        assert!(Keys::default().check(&none, None).is_ok());
    }
}
