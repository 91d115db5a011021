//! The `kortom` command.

fn main() {}
