//! Files that are no memory, or cannot be used as one: each is named, with what to do.

use std::fs;

use super::{count, database, lines, rows, tiny};
use crate::cli::{Place, Ran};

/// A place with a memory of some size.
fn filled() -> Place {
    let place = Place::new();
    place.file("rows.tsv", rows(2000, "Ook:")).run(&["memory", "import", "rows.tsv", "--memory", "memory"]).good();
    place
}

fn translate(place: &Place) -> Ran {
    place.pipe(&["translate", "--model", &tiny(), "--input-format", "lines", "--memory", "memory"], b"Het regent.\n")
}

#[test]
fn a_memory_of_a_newer_version_is_not_touched() {
    let place = filled();
    database(&place.path("memory")).pragma_update(None, "user_version", 99).unwrap();
    let before = fs::read(place.path("memory")).unwrap();
    translate(&place)
        .bad(2, &["`memory` was made by a newer kortom: it has version 99", "hint: take the newer kortom"]);
    place.run(&["memory", "stats", "--memory", "memory"]).bad(2, &["newer kortom"]);
    assert_eq!(fs::read(place.path("memory")).unwrap(), before);
}

#[test]
fn a_file_of_another_program_is_not_touched() {
    let place = Place::new();
    database(&place.path("memory")).execute_batch("CREATE TABLE bookmarks (url)").unwrap();
    place.file("notes.txt", "SQL is fun, says this file, which is none.").file("folder/x", "");
    let said = ["of another program, and no memory of kortom", "hint: name another file"];
    translate(&place).bad(2, &said);
    for file in ["notes.txt", "memory"] {
        let before = fs::read(place.path(file)).unwrap();
        place.run(&["memory", "stats", "--memory", file]).bad(2, &said);
        assert_eq!(fs::read(place.path(file)).unwrap(), before);
    }
    place.run(&["memory", "stats", "--memory", "folder"]).bad(2, &["`folder` is a folder", "hint: "]);
    place.run(&["memory", "export", "--memory", "none"]).bad(2, &["there is no memory `none`", "hint: "]);
    assert!(!place.path("none").exists());
    place.file("file", "").run(&["translate", "--memory", "file/m"]).bad(2, &["cannot make the memory", "hint: "]);
}

#[test]
fn a_truncated_memory_is_named() {
    let place = filled();
    let whole = fs::read(place.path("memory")).unwrap();
    assert!(whole.len() > 100_000);
    for length in [10, 50, 4000, whole.len() / 2, whole.len() - 4096] {
        place.file("memory", &whole[..length]);
        translate(&place).bad(2, &["`memory` is damaged or cut short", "hint: take it from a backup"]);
        assert_eq!(fs::read(place.path("memory")).unwrap(), whole[..length], "{length}");
    }
    place.file("memory", "");
    translate(&place).good();
    assert_eq!(count(&place.path("memory"), "kept"), 1, "an empty file becomes a memory");
}

#[test]
#[cfg(unix)]
fn a_read_only_memory_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let place = filled();
    fs::set_permissions(place.path("memory"), fs::Permissions::from_mode(0o444)).unwrap();
    translate(&place).bad(2, &["`memory` cannot be written", "hint: allow it with `chmod u+w`"]);
}

/// A limit on the size of files stands for a full disk: writing fails in the middle of a run.
#[test]
#[cfg(target_os = "linux")]
fn on_a_full_disk_a_run_goes_on_without_its_memory() {
    let place = Place::new();
    place.file("lines.txt", lines(800)).file("none.tsv", "Ja.\tYes.\n");
    place.run(&["memory", "import", "none.tsv", "--memory", "memory"]).good();
    let fresh = place.run(&["translate", "--model", &tiny(), "--input-format", "lines", "lines.txt"]).good();
    let kortom =
        place.command(&["translate", "--model", &tiny(), "--input-format", "lines", "lines.txt", "--memory", "memory"]);
    let mut limited = std::process::Command::new("sh");
    // A shell's blocks have 512 bytes, or 1024.
    limited.args(["-c", "trap '' XFSZ; ulimit -f 150; exec \"$0\" \"$@\""]).arg(kortom.get_program());
    limited.args(kortom.get_args()).current_dir(place.path(""));
    for (name, value) in kortom.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    let ran = Ran::from(limited.output().unwrap())
        .bad(0, &["warning: ", "from here on, nothing was recalled or kept", "hint: "]);
    assert_eq!(ran.stdout, fresh);
    let ran =
        place.run(&["translate", "--model", &tiny(), "--input-format", "lines", "lines.txt", "--memory", "memory"]);
    assert!(!ran.stderr.contains("nothing was recalled"), "{}", ran.stderr);
    assert_eq!(ran.good(), fresh, "the memory is whole, and usable when there is room");
}

#[test]
fn a_run_does_not_wait_for_ever_for_a_memory_that_another_program_holds() {
    let place = Place::new();
    place.file("none.tsv", "Ja.\tYes.\n").run(&["memory", "import", "none.tsv", "--memory", "memory"]).good();
    let fresh = place.pipe(&["translate", "--model", &tiny(), "--input-format", "lines"], b"Het regent.\n").good();
    let other = database(&place.path("memory"));
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let ran = translate(&place).bad(0, &["`memory` is held by another program", "hint: "]);
    assert_eq!(ran.stdout, fresh);
    other.execute_batch("ROLLBACK").unwrap();
    assert!(!translate(&place).stderr.contains("nothing was recalled"));
    assert_eq!(count(&place.path("memory"), "kept"), 1);
}
