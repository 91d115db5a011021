//! The `kortom` command.

mod allocator;
mod cli;
mod serve;

use std::process::ExitCode;

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
