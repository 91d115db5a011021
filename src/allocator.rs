//! The program's allocator.
//!
//! Responsible for a memory use that does not grow under load (docs/decisions/allocator.md has the figures).
//! `.cargo/config.toml` turns jemalloc's thread caches off, since a server has a thread for each request. The few
//! threads that compute live as long as the program, and turn theirs on again.

#[cfg(all(feature = "jemalloc", unix))]
mod jemalloc {
    use tikv_jemalloc_ctl::{Access, AsName};

    #[global_allocator]
    static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

    /// jemalloc's name of the setting that turns this thread's cache on.
    const KEEPS: &[u8] = b"thread.tcache.enabled\0";

    /// jemalloc's names of the number of its arenas, and of how long a new arena keeps freed pages, in milliseconds.
    const ARENAS: &[u8] = b"arenas.narenas\0";
    const KEPT_FOR: &[u8] = b"arenas.dirty_decay_ms\0";

    /// Returns freed memory to the system at once.
    pub fn give_back_freed() {
        let (count, usual) = (Access::<u32>::read(ARENAS.name()), Access::<isize>::read(KEPT_FOR.name()));
        for arena in 0..count.unwrap_or(0) {
            let name = format!("arena.{arena}.dirty_decay_ms\0");
            for kept_for in [0, usual.unwrap_or(0)] {
                // This fails for an arena that no thread uses; it has no memory to return.
                let _ = name.name().write(kept_for);
            }
        }
    }

    /// Turns this thread's cache on: memory that the thread frees is kept for its next allocations, which then take
    /// no lock.
    pub fn keep_freed() {
        // Without a cache the thread is only slower.
        let _ = KEEPS.name().write(true);
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_thread_keeps_what_it_frees_when_it_is_told_to() {
            let keeps = || Access::<bool>::read(KEEPS.name()).unwrap();
            std::thread::spawn(move || {
                assert!(!keeps(), "without .cargo/config.toml all threads do");
                keep_freed();
                assert!(keeps());
            })
            .join()
            .unwrap();
        }
    }
}

#[cfg(all(feature = "jemalloc", unix))]
pub use jemalloc::{give_back_freed, keep_freed};

/// Does nothing: other allocators have their own rules for thread caches.
#[cfg(not(all(feature = "jemalloc", unix)))]
pub fn keep_freed() {}

/// Does nothing: other allocators have their own rules for returning memory.
#[cfg(not(all(feature = "jemalloc", unix)))]
pub fn give_back_freed() {}
