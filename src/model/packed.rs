//! The int8 matrices of a checkpoint, stored in a file so that the next start maps them instead of quantising again.
//!
//! Invariant: a stored matrix is used only if three things hold. The file was made from the same checkpoint by the same
//! version of kortom; it is complete (it has a checksum); and the matrix has the size that the layer needs. Any other
//! file is ignored: matrices are quantised again, and the file is replaced.
//!
//! Layout of the file: a magic number, the length of a JSON header, the header, zeros up to a multiple of 64, and the
//! matrices as [`Quantised`] keeps them, each at a multiple of 64.

use std::cell::RefCell;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use memmap2::Mmap;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::kernels::gemm::{Quantised, WeightMatrix};
use crate::kernels::pages::{self, Pages};

const MAGIC: &[u8; 8] = b"kortom-8";
/// Version of the layout of the file and of [`Quantised`].
const FORMAT: u32 = 4;
const ALIGNMENT: usize = 64;
/// Bytes that one thread checks at once: a few milliseconds' work.
const CHECKED_AT_ONCE: usize = 4 << 20;

#[derive(Deserialize, PartialEq, Serialize)]
struct Header {
    format: u32,
    version: String,
    /// Memory layout of the matrices, [`Quantised::form`].
    form: String,
    checkpoint: String,
    checksum: u32,
    matrices: Vec<StoredMatrix>,
}

/// A matrix `[n, k]`, which starts `offset` bytes after the header.
#[derive(Clone, Copy, Deserialize, PartialEq, Serialize)]
struct StoredMatrix {
    n: usize,
    k: usize,
    offset: usize,
}

/// A complete file with the matrices of the right checkpoint.
struct StoredMatrices {
    map: Arc<Mmap>,
    start: usize,
    matrices: Vec<StoredMatrix>,
}

/// Quantises the matrices of one model, or maps them from a file, in the order of its layers.
pub(super) struct Quantiser {
    stored: Option<StoredMatrices>,
    given: RefCell<Vec<Arc<Quantised>>>,
}

impl Quantiser {
    /// A quantiser that maps the matrices of `checkpoint` from `file`, if that has them.
    pub fn new(file: Option<&Path>, checkpoint: &str) -> Self {
        Self { stored: file.and_then(|file| StoredMatrices::open(file, checkpoint)), given: RefCell::default() }
    }

    /// The next matrix, `[n, k]`; `fill(row, values)` writes a row of its f32 values.
    ///
    /// # Errors
    /// When `pages` has no memory for it.
    pub fn matrix(
        &self,
        pages: &Pages,
        n: usize,
        k: usize,
        fill: impl Fn(usize, &mut [f32]) + Sync,
    ) -> io::Result<Arc<Quantised>> {
        let mut given = self.given.borrow_mut();
        let stored = self.stored.as_ref().and_then(|stored| stored.matrix(given.len(), n, k));
        let matrix = Arc::new(stored.map_or_else(|| Quantised::pack(pages, n, k, fill), Ok)?);
        given.push(matrix.clone());
        Ok(matrix)
    }

    /// Stores the matrices of a complete model, unless all of them came from the file.
    pub fn store(self, file: &Path, checkpoint: &str) -> io::Result<()> {
        let given = self.given.into_inner();
        if self.stored.is_some_and(|stored| stored.is_source_of(&given)) {
            return Ok(());
        }
        let folder = file.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let part = tempfile::NamedTempFile::new_in(folder)?;
        write(&given, checkpoint, part.as_file())?;
        part.persist(file)?;
        Ok(())
    }
}

fn write(matrices: &[Arc<Quantised>], checkpoint: &str, file: &File) -> io::Result<()> {
    let mut hasher = crc32fast::Hasher::new();
    let (mut entries, mut offset) = (Vec::new(), 0);
    for matrix in matrices {
        entries.push(StoredMatrix { n: matrix.n(), k: matrix.k(), offset });
        hasher.update(matrix.bytes());
        offset += matrix.bytes().len();
    }
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let checkpoint = checkpoint.to_owned();
    let form = Quantised::form().to_owned();
    let header = Header { format: FORMAT, version, form, checkpoint, checksum: hasher.finalize(), matrices: entries };
    let header = serde_json::to_vec(&header)?;
    let mut file = BufWriter::new(file);
    file.write_all(MAGIC)?;
    file.write_all(&(header.len() as u64).to_le_bytes())?;
    file.write_all(&header)?;
    file.write_all(&[0; ALIGNMENT][..payload_start(header.len()) - 16 - header.len()])?;
    for matrix in matrices {
        file.write_all(matrix.bytes())?;
    }
    file.flush()
}

/// The CRC-32 of the matrices, computed by all threads.
fn checksum(bytes: &[u8]) -> u32 {
    let part = |bytes: &[u8]| {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(bytes);
        hasher
    };
    let join = |mut hasher: crc32fast::Hasher, next: crc32fast::Hasher| {
        hasher.combine(&next);
        hasher
    };
    bytes.par_chunks(CHECKED_AT_ONCE).map(part).reduce(crc32fast::Hasher::new, join).finalize()
}

fn payload_start(header: usize) -> usize {
    (16 + header).next_multiple_of(ALIGNMENT)
}

impl StoredMatrices {
    fn open(path: &Path, checkpoint: &str) -> Option<Self> {
        let file = File::open(path).ok()?;
        let map = super::storage::map(&file).ok()?;
        pages::advise(&map);
        let length = usize::try_from(u64::from_le_bytes(map.get(8..16)?.try_into().ok()?)).ok()?;
        let header: Header = serde_json::from_slice(map.get(16..length.checked_add(16)?)?).ok()?;
        let start = payload_start(length);
        let ours = map.starts_with(MAGIC)
            && (header.format, header.version.as_str()) == (FORMAT, env!("CARGO_PKG_VERSION"))
            && header.form == Quantised::form()
            && header.checkpoint == checkpoint
            && checksum(map.get(start..)?) == header.checksum;
        ours.then(|| Self { map: Arc::new(map), start, matrices: header.matrices })
    }

    fn matrix(&self, number: usize, n: usize, k: usize) -> Option<Quantised> {
        let entry = self.matrices.get(number).filter(|entry| (entry.n, entry.k) == (n, k))?;
        Quantised::mapped(n, k, self.map.clone(), self.start.checked_add(entry.offset)?)
    }

    /// Whether all of these matrices came from this file.
    fn is_source_of(&self, matrices: &[Arc<Quantised>]) -> bool {
        matrices.len() == self.matrices.len() && matrices.iter().all(|matrix| matrix.is_mapped())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(seed: usize, row: usize, column: usize) -> f32 {
        ((seed + row * 31 + column * 17) % 97) as f32 - 48.0
    }

    /// Two matrices of `seed`, made or taken from `file`; whether they were taken, and their numbers.
    fn round(file: &Path, checkpoint: &str, seed: usize) -> (bool, Vec<f32>) {
        let quantiser = Quantiser::new(Some(file), checkpoint);
        let (sizes, pages) = ([(37, 20), (5, 64)], Pages::default());
        let fill = |row: usize, out: &mut [f32]| {
            for (column, out) in out.iter_mut().enumerate() {
                *out = value(seed, row, column);
            }
        };
        let matrices = sizes.map(|(n, k)| quantiser.matrix(&pages, n, k, fill).unwrap());
        quantiser.store(file, checkpoint).unwrap();
        let mut numbers = Vec::new();
        for (matrix, (n, k)) in matrices.iter().zip(sizes) {
            for row in 0..n {
                let mut out = vec![0f32; k];
                matrix.row(row, &mut out);
                numbers.extend(out);
            }
        }
        (matrices.iter().all(|matrix| matrix.is_mapped()), numbers)
    }

    #[test]
    fn what_was_stored_is_used_only_for_the_same_checkpoint() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("deep").join("a.packed");
        let (mapped, numbers) = round(&file, "one", 0);
        assert!(!mapped);
        // Other numbers, so that those of the file can be told from new ones.
        assert_eq!(round(&file, "one", 1), (true, numbers.clone()));
        let (mapped, others) = round(&file, "two", 1);
        assert!(!mapped && others != numbers);
        assert_eq!(round(&file, "two", 0), (true, others));
    }

    #[test]
    fn a_damaged_file_is_as_good_as_none() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.packed");
        round(&file, "one", 0);
        let whole = fs::read(&file).unwrap();
        for at in [0, 9, 30, whole.len() / 2, whole.len() - 1] {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            fs::write(&file, &damaged).unwrap();
            assert!(!round(&file, "one", 0).0, "byte {at}");
            fs::write(&file, &whole[..at]).unwrap();
            assert!(!round(&file, "one", 0).0, "cut at {at}");
            assert_eq!(fs::read(&file).unwrap(), whole, "made anew");
        }
    }
}
