//! The bytes of weight files, mapped or embedded, and the locations of tensors in them.
//!
//! Invariant: a file is only read. The memory of mapped bytes can be given back to the system at any time.

use std::fs::File;
use std::io;
use std::ops::Deref;

use candle_core::DType;
use memmap2::Mmap;

/// Linux maps the pages around one that is read too, up to multiples of this many bytes.
#[cfg(unix)]
const MAPPED_AROUND: usize = 1 << 16;

/// The bytes of one file.
pub(super) enum FileBytes {
    Mapped(Mmap),
    Embedded(&'static [u8]),
}

impl Deref for FileBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Embedded(bytes) => bytes,
        }
    }
}

impl FileBytes {
    /// Gives the memory of a range of bytes back to the system, if the file is mapped.
    pub fn release(&self, start: usize, length: usize) {
        #[cfg(unix)]
        if let Self::Mapped(map) = self {
            let end = (start + length).next_multiple_of(MAPPED_AROUND).min(map.len());
            let start = start - start % MAPPED_AROUND;
            // SAFETY: the mapping is shared with the file and read-only, so a page that comes back holds what it held.
            // A system may decline; that costs memory, and nothing else.
            let _ = unsafe { map.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, start, end - start) };
        }
        // Other systems take the memory of mapped files back when they need it.
        #[cfg(not(unix))]
        let _ = (start, length);
    }
}

/// The location of a tensor in its file. `strides` count elements of `dtype`; `start` counts bytes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct TensorLocation {
    pub dtype: DType,
    pub shape: Vec<usize>,
    pub strides: Vec<usize>,
    /// The first byte of the tensor in the file.
    pub start: usize,
}

impl TensorLocation {
    /// Whether the elements lie row by row, without gaps.
    pub fn is_contiguous(&self) -> bool {
        self.strides == contiguous(&self.shape)
    }

    /// Number of bytes from `start` to the end of the last element; `None` if that overflows.
    pub fn extent(&self) -> Option<usize> {
        if self.shape.contains(&0) {
            return Some(0);
        }
        let mut last = 0usize;
        for (&size, &stride) in self.shape.iter().zip(&self.strides) {
            last = last.checked_add((size - 1).checked_mul(stride)?)?;
        }
        last.checked_add(1)?.checked_mul(self.dtype.size_in_bytes())
    }
}

/// Maps a file without reading it.
pub(super) fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: the mapping is read-only; a file that another process cuts short while it is read is outside
    // what any reader of mapped files can defend against.
    unsafe { Mmap::map(file) }
}

/// The strides of a row-major tensor of this shape.
pub(super) fn contiguous(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1usize; shape.len()];
    for i in (1..shape.len()).rev() {
        strides[i - 1] = strides[i].saturating_mul(shape[i]);
    }
    strides
}
