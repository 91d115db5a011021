//! The pool of threads that compute.

use anyhow::{Context, Result};

use crate::allocator;

/// Starts `count` threads, or one for each processor.
///
/// # Errors
/// When the system cannot start them.
pub fn start(count: Option<usize>) -> Result<()> {
    let threads = rayon::ThreadPoolBuilder::new().num_threads(count.unwrap_or(0));
    threads.start_handler(|_| allocator::keep_freed()).build_global().context("cannot start the threads")
}
