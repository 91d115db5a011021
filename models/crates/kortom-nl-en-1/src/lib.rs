//! Part 1 of 3 of the weights of kortom's built-in model, as a file in the safetensors format.

/// The bytes of `model-00001-of-00003.safetensors`.
pub static WEIGHTS: &[u8] = include_bytes!("../model-00001-of-00003.safetensors");

// In the repository the file is a symbolic link into `models/kortom-nl-en`; a package holds the file itself.
const _: () =
    assert!(WEIGHTS.len() > 4096, "git wrote a link as text: `git config core.symlinks true`, then check out again");
