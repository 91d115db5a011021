//! Memory for a model's weights, in large pages where the system has them.
//!
//! Every step reads all weights of the decoder. With pages of 4 KiB the processor looks up one page for every 64 cache
//! lines, which for a few rows takes up to a sixth of a product's time (benches/results/2026-11-28-xeon.md).
//! Invariant: no two slabs share a byte, and a slab never changes once it is written.

use std::cell::RefCell;
use std::io;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

use memmap2::{Mmap, MmapMut, MmapRaw};

/// Bytes of one mapping, a whole number of large pages. Pages that are never written take no memory.
const MAPPING_SIZE: usize = 16 * LARGE_PAGE;
/// Bytes of a large page on x86-64 and most other processors.
const LARGE_PAGE: usize = 2 << 20;
/// The alignment of slabs, in bytes.
const ALIGNMENT: usize = 64;

/// A type of values that a [`Slab`] may hold.
///
/// # Safety
/// All-zero bytes must be a valid value, and the alignment must be 64 bytes at most.
pub unsafe trait Plain: Copy + Send + Sync {}

/// An allocator for the weights of one model, which lie one after another in memory.
#[derive(Default)]
pub struct Pages(RefCell<Option<Mapping>>);

/// A mapping whose first `used` bytes are taken.
struct Mapping {
    map: Arc<MmapRaw>,
    used: usize,
}

/// Weights in mapped memory, which stays mapped as long as the slab exists.
pub struct Slab<T> {
    map: Arc<MmapRaw>,
    start: usize,
    count: usize,
    of: PhantomData<T>,
}

impl Pages {
    /// Allocates `count` values. They are zeros when `write` receives them to fill.
    ///
    /// # Errors
    /// When the system has no memory for them.
    pub fn slab<T: Plain>(&self, count: usize, write: impl FnOnce(&mut [T])) -> io::Result<Slab<T>> {
        let size = (count * size_of::<T>()).next_multiple_of(ALIGNMENT);
        let open = self.0.take().filter(|mapping| mapping.map.len() - mapping.used >= size);
        let Mapping { map, used: start } = open.map_or_else(|| Mapping::new(size), Ok)?;
        self.0.replace(Some(Mapping { map: map.clone(), used: start + size }));
        // SAFETY: the mapping is zeros, the slab is aligned and inside it, and no other slab has its bytes.
        write(unsafe { std::slice::from_raw_parts_mut(map.as_mut_ptr().add(start).cast(), count) });
        Ok(Slab { map, start, count, of: PhantomData })
    }
}

impl Mapping {
    /// Maps pages for at least `size` bytes.
    fn new(size: usize) -> io::Result<Self> {
        let map = MmapMut::map_anon(size.next_multiple_of(LARGE_PAGE).max(MAPPING_SIZE))?;
        // A system without large pages uses small ones.
        #[cfg(target_os = "linux")]
        map.advise(memmap2::Advice::HugePage).ok();
        Ok(Self { map: Arc::new(map.into()), used: 0 })
    }
}

impl<T> Deref for Slab<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: as in `Pages::slab`; the slab is no longer written.
        unsafe { std::slice::from_raw_parts(self.map.as_ptr().add(self.start).cast(), self.count) }
    }
}

/// Asks the system to back a mapped file with large pages, if it can.
pub fn advise(file: &Mmap) {
    #[cfg(target_os = "linux")]
    file.advise(memmap2::Advice::HugePage).ok();
    #[cfg(not(target_os = "linux"))]
    let _ = file;
}

#[cfg(test)]
mod tests {
    use super::*;

    // SAFETY: a number of bytes, of which zeros are one.
    unsafe impl Plain for u64 {}

    #[test]
    fn slabs_share_nothing_and_outlive_the_pages() {
        let pages = Pages::default();
        // More than a mapping in all, one of them by itself.
        let counts = [0, 1, 7, 100_000, MAPPING_SIZE / 16, 9, MAPPING_SIZE / 16, MAPPING_SIZE / 8 + 1, 3];
        let slab = |(number, count): (u64, usize)| {
            let write = |values: &mut [u64]| {
                assert!(values.iter().all(|&value| value == 0), "slab {number}");
                values.fill(number);
            };
            pages.slab(count, write).unwrap()
        };
        let slabs: Vec<Slab<u64>> = (1..).zip(counts).map(slab).collect();
        drop(pages);
        for ((number, count), slab) in (1..).zip(counts).zip(&slabs) {
            assert!(slab.len() == count && slab.iter().all(|&value| value == number), "slab {number}");
            assert!(slab.as_ptr().addr().is_multiple_of(ALIGNMENT), "slab {number}");
        }
    }
}
