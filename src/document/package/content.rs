//! An input before it is read: text, bytes, or a file.

use std::fs::File;

use anyhow::{Context, Result};

use crate::document::decode;

/// The content of an input before it is read.
#[derive(Debug)]
pub enum Content {
    /// Text that is decoded already.
    Text(String),
    /// All bytes of a file.
    Bytes(Vec<u8>),
    /// A file, of which only the needed parts are read into memory.
    File(File),
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<String> for Content {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Content {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<File> for Content {
    fn from(file: File) -> Self {
        Self::File(file)
    }
}

impl Content {
    /// The whole content as text.
    ///
    /// # Errors
    /// When a file cannot be read, or bytes are no text.
    pub(in crate::document) fn text(self) -> Result<String> {
        match self {
            Self::Text(text) => Ok(text),
            other => decode(other.bytes()?),
        }
    }

    /// The whole content as bytes.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub(in crate::document) fn bytes(self) -> Result<Vec<u8>> {
        match self {
            Self::Text(text) => Ok(text.into_bytes()),
            Self::Bytes(bytes) => Ok(bytes),
            Self::File(mut file) => {
                let mut bytes = Vec::new();
                std::io::Read::read_to_end(&mut file, &mut bytes).context("cannot read the file")?;
                Ok(bytes)
            }
        }
    }
}
