//! Whether a kernel divides its work among threads.
//!
//! Invariant: a result does not depend on it. How much work is worth other threads each kernel knows; whether there are any
//! that could help, only whoever keeps them busy.

use std::cell::Cell;

thread_local! {
    static ALONE: Cell<bool> = const { Cell::new(false) };
}

/// Does some work, the kernels in which divide nothing if it is done `alone`: the other threads have work of their own, and
/// pieces that nobody takes cost time too.
pub fn work<R>(alone: bool, work: impl FnOnce() -> R) -> R {
    let _before = Before(ALONE.replace(alone));
    work()
}

/// What held before, and does again even after a panic.
struct Before(bool);

impl Drop for Before {
    fn drop(&mut self) {
        ALONE.set(self.0);
    }
}

/// Whether to divide so much work, where from `least` on that is worth waking other threads.
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
