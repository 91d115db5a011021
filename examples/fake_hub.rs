//! The fake Hub of the tests as a program, to try clients against: `cargo run --example fake_hub -- FOLDER owner/name PORT
//! [cut | stall]`. It serves the files of a folder as one repository until it is stopped. The first transfer of the largest
//! file breaks after a million bytes with `cut`, and stands still there for a minute with `stall`.

#[path = "../tests/it/fake_hub.rs"]
mod fake_hub;

use std::error::Error;
use std::time::Duration;

use fake_hub::{Fault, Setup, sha256};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, repository, port, rest @ ..] = arguments.as_slice() else {
        return Err("usage: fake_hub FOLDER owner/name PORT [cut | stall]".into());
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        files.push((entry.file_name().to_string_lossy().into_owned(), std::fs::read(entry.path())?));
    }
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    let hub = Setup::new(repository, &files).start(port.parse()?);
    let largest = files.iter().map(|(_, bytes)| *bytes).max_by_key(|bytes| bytes.len()).unwrap_or_default();
    match rest.first().map(String::as_str) {
        Some("cut") => hub.fault("GET", &sha256(largest), Fault::Cut(1_000_000)),
        Some("stall") => hub.fault("GET", &sha256(largest), Fault::Stall(1_000_000, Duration::from_mins(1))),
        _ => {}
    }
    println!("{}", hub.endpoint());
    loop {
        std::thread::park();
    }
}
