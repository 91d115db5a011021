//! The decision whether a kernel divides its work among threads.
//!
//! Invariant: no result depends on it. Each kernel knows how much work makes it worthwhile to wake other threads. Whether
//! other threads are free to help is known only to the caller, who gives them their work; [`work`] is how the caller says
//! so.

use std::cell::Cell;

thread_local! {
    static ALONE: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work`. With `alone`, the kernels in it do not divide their work: the other threads have work of their own, and
/// pieces that no other thread takes cost time too.
pub fn work<R>(alone: bool, work: impl FnOnce() -> R) -> R {
    let _restore = Restore(ALONE.replace(alone));
    work()
}

/// Restores the former value of `ALONE` when dropped, even after a panic.
struct Restore(bool);

impl Drop for Restore {
    fn drop(&mut self) {
        ALONE.set(self.0);
    }
}

/// Whether to divide `work` among threads; `least` is the amount from which on that is worthwhile.
pub(super) fn divides(work: usize, least: usize) -> bool {
    work >= least && !ALONE.get()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_done_alone_is_not_divided_and_a_panic_ends_that() {
        assert!(divides(2, 2) && !divides(1, 2));
        work(true, || {
            assert!(!divides(2, 2));
            work(false, || assert!(divides(2, 2)));
            assert!(!divides(2, 2));
        });
        assert!(std::panic::catch_unwind(|| work(true, || panic!("as it should"))).is_err());
        assert!(divides(2, 2));
    }
}
