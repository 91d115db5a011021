//! The fake Hub of the tests as a program, to try clients against: `cargo run --example fake_hub -- FOLDER owner/name PORT
//! [cut]`. It serves the files of a folder as one repository until it is stopped; with `cut` the first transfer of a large
//! file breaks after a million bytes.

#[path = "../tests/it/fake_hub.rs"]
mod fake_hub;

use std::error::Error;

use fake_hub::{Fault, Setup};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, repository, port, rest @ ..] = arguments.as_slice() else {
        return Err("usage: fake_hub FOLDER owner/name PORT [cut]".into());
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        files.push((entry.file_name().to_string_lossy().into_owned(), std::fs::read(entry.path())?));
    }
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    let hub = Setup::new(repository, &files).start(port.parse()?);
    if rest.iter().any(|word| word == "cut") {
        hub.fault("GET", "/store/", Fault::Cut(1_000_000));
    }
    println!("{}", hub.endpoint());
    loop {
        std::thread::park();
    }
}
