//! Translated files, kept until their owners fetch them.
//!
//! Invariant: files are kept in memory only, under names that cannot be guessed, for a limited time and up to a total
//! size. No name ever reaches the file system.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

/// How long a file is kept.
const KEPT: Duration = Duration::from_mins(20);
/// Most bytes of all files together.
const MOST: usize = 64 << 20;

/// A translated file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// The name under which a browser saves the file.
    pub name: String,
    /// The content.
    pub bytes: Vec<u8>,
}

/// The files that are kept, the oldest first, with their ids and times.
#[derive(Default)]
pub struct Files(Mutex<VecDeque<(String, Instant, File)>>);

impl Files {
    /// Keeps a file, and returns the id by which it can be fetched.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn keep(&self, file: File) -> Result<String> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|error| anyhow!("no random numbers: {error}"))?;
        let id = format!("{:032x}", u128::from_be_bytes(random));
        let mut files = self.files();
        files.push_back((id.clone(), Instant::now(), file));
        while files.len() > 1 && files.iter().map(|(_, _, file)| file.bytes.len()).sum::<usize>() > MOST {
            files.pop_front();
        }
        Ok(id)
    }

    /// The file with this id, if it is still kept.
    pub fn find(&self, id: &str) -> Option<File> {
        self.files().iter().find(|(known, ..)| known == id).map(|(_, _, file)| file.clone())
    }

    /// The files, after those that are older than [`KEPT`] were removed.
    fn files(&self) -> MutexGuard<'_, VecDeque<(String, Instant, File)>> {
        let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        files.retain(|(_, since, _)| since.elapsed() < KEPT);
        files
    }
}

/// A file name that is safe in addresses and headers: the last part of a path, with underscores for all but ASCII
/// letters, digits, dots, hyphens and underscores, and cut to its last 80 characters.
pub fn safe_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let safe = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
    let name: String = last.trim_start_matches('.').chars().map(safe).collect();
    let start = name.len().saturating_sub(80);
    name[start..].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_by_their_id_and_nothing_else() {
        let files = Files::default();
        let file = File { name: "a.txt".to_owned(), bytes: b"Hi.".to_vec() };
        let id = files.keep(file.clone()).unwrap();
        let other = files.keep(file.clone()).unwrap();
        assert!(id != other && id.len() == 32);
        assert_eq!(files.find(&id), Some(file));
        assert_eq!([files.find("a.txt"), files.find(""), files.find(&id[..31])], [None, None, None]);
    }

    #[test]
    fn the_oldest_make_room() {
        let files = Files::default();
        let keep = |size: usize| files.keep(File { name: String::new(), bytes: vec![b'x'; size] }).unwrap();
        let ids = [keep(MOST / 2), keep(MOST / 2), keep(1)];
        assert_eq!(ids.map(|id| files.find(&id).is_some()), [false, true, true]);
    }

    #[test]
    fn names_are_safe() {
        for (name, safe) in [
            ("../../etc/passwd", "passwd"),
            ("C:\\a\\b.txt", "b.txt"),
            (".hidden", "hidden"),
            ("één\r\nx: y.md", "__n__x__y.md"),
        ] {
            assert_eq!(safe_name(name), safe);
        }
        assert_eq!(safe_name(&"a".repeat(200)).len(), 80);
    }
}
