//! The `kortom` command.

mod allocator;
mod cli;
mod serve;

use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::run() {
        Ok(code) => code,
        // The reader of our output has closed the pipe.
        Err(error) if cli::is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", cli::told(&error));
            ExitCode::from(2)
        }
    }
}
