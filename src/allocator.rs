//! The program's allocator.
//!
//! Responsible for memory that stays the same under load (docs/decisions/allocator.md has the figures): jemalloc is set up in `.cargo/config.toml` to
//! keep no freed pieces for a thread, since a server has one for each request. The few threads that compute, and live as long
//! as the program, keep some all the same.

#[cfg(all(feature = "jemalloc", not(target_env = "msvc")))]
mod jemalloc {
    use tikv_jemalloc_ctl::{Access, AsName};

    #[global_allocator]
    static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

    /// What jemalloc calls it whether this thread keeps pieces.
    const KEEPS: &[u8] = b"thread.tcache.enabled\0";

    /// What jemalloc calls the number of its arenas, and how long freed pages are kept, by default and in one of them.
    const ARENAS: &[u8] = b"arenas.narenas\0";
    const KEPT_FOR: &[u8] = b"arenas.dirty_decay_ms\0";

    /// Gives freed memory back to the system at once.
    pub fn give_back_freed() {
        let (count, usual) = (Access::<u32>::read(ARENAS.name()), Access::<isize>::read(KEPT_FOR.name()));
        for arena in 0..count.unwrap_or(0) {
            let name = format!("arena.{arena}.dirty_decay_ms\0");
            for kept_for in [0, usual.unwrap_or(0)] {
                // An arena that nobody uses has nothing to give back.
                let _ = name.name().write(kept_for);
            }
        }
    }

    /// Has this thread keep pieces that it frees, to use them again without asking anybody.
    pub fn keep_freed() {
        // It works without, only slower.
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

#[cfg(all(feature = "jemalloc", not(target_env = "msvc")))]
pub use jemalloc::{give_back_freed, keep_freed};

/// Other allocators know for themselves what to keep.
#[cfg(not(all(feature = "jemalloc", not(target_env = "msvc"))))]
pub fn keep_freed() {}

/// Other allocators know for themselves what to give back.
#[cfg(not(all(feature = "jemalloc", not(target_env = "msvc"))))]
pub fn give_back_freed() {}
