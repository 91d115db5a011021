//! The `kortom` command.

mod cli;
mod serve;

use std::process::ExitCode;

// A server's memory stays the same under load with it; Cargo.toml has the figures.
#[cfg(all(feature = "jemalloc", not(target_env = "msvc")))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    match cli::run() {
        Ok(code) => code,
        // Whoever read our output has had enough of it.
        Err(error) if cli::is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", cli::told(&error));
            ExitCode::from(2)
        }
    }
}
