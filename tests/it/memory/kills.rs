//! A memory whose processes are killed, or are many.

use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use super::{count, database, is_whole, lines, rows, tiny};
use crate::cli::{Place, Ran};

/// Numbers that look random and are the same in every run (Knuth's MMIX generator).
struct Random(u64);

impl Random {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

/// Starts a command and kills it after a while; whether it ended before.
fn kill(place: &Place, arguments: &[&str], after: Duration) -> bool {
    let mut child = place.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    thread::sleep(after);
    let ended = child.try_wait().unwrap().is_some();
    child.kill().unwrap();
    child.wait().unwrap();
    ended
}

/// All that is kept.
fn kept(path: &Path) -> Vec<(Vec<u8>, String, String)> {
    let connection = database(path);
    let mut query = connection.prepare("SELECT key, target, details FROM kept ORDER BY key").unwrap();
    let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

#[test]
fn a_hundred_kills_corrupt_nothing_and_lose_the_last_batch_at_most() {
    let place = Place::new();
    let (tiny, memory) = (tiny(), place.path("memory"));
    place.file("rows.tsv", rows(40_000, "Kop:")).file("lines.txt", lines(1500));
    let import = ["memory", "import", "rows.tsv", "--memory", "memory"];
    let translate = ["translate", "lines.txt", "--input-format", "lines", "--model", &tiny, "--memory", "memory"];
    let (mut random, mut before, mut interrupted) = (Random(33), (0, 0), 0);
    for turn in 0..100 {
        let (command, most) = if turn % 10 == 0 { (&translate[..], 1500) } else { (&import[..], 120) };
        interrupted += usize::from(!kill(&place, command, Duration::from_millis(3 + random.below(most))));
        if !memory.exists() || memory.metadata().unwrap().len() == 0 {
            continue;
        }
        assert!(is_whole(&memory), "after {turn} kills");
        let has_tables =
            database(&memory).query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0));
        if has_tables.unwrap() == 0 {
            continue;
        }
        let now = (count(&memory, "corrections"), count(&memory, "kept"));
        assert!(now.0 >= before.0 && now.1 >= before.1 && now.0.is_multiple_of(500), "{before:?} became {now:?}");
        before = now;
    }
    assert!(interrupted > 50 && before.0 > 0, "{interrupted} were interrupted, and left {before:?}");
    let fresh = place.run(&[&translate[..6], &["--memory", "fresh"]].concat()).good();
    assert_eq!(place.run(&translate).good(), fresh);
    assert_eq!(kept(&memory), kept(&place.path("fresh")));
}

#[test]
fn many_processes_share_a_memory() {
    let place = Place::new();
    let tiny = tiny();
    place.file("lines.txt", lines(300)).file("rows.tsv", "Ja.\tYes.\nNee.\tNo.\n");
    let translate = ["translate", "lines.txt", "--input-format", "lines", "--model", &tiny];
    let fresh = place.run(&translate).good();
    let translate = [&translate[..], &["--memory", "memory"]].concat();
    let import = ["memory", "import", "rows.tsv", "--memory", "memory"];
    thread::scope(|scope| {
        let all: Vec<_> = [&translate[..], &translate, &import, &translate, &import]
            .into_iter()
            .map(|command| {
                let place = &place;
                scope.spawn(move || Ran::from(place.command(command).stdin(Stdio::null()).output().unwrap()))
            })
            .collect();
        for ran in all.into_iter().map(|one| one.join().unwrap()) {
            assert!(!ran.stderr.contains("nothing was recalled"), "{}", ran.stderr);
            let output = ran.good();
            assert!(output.is_empty() || output == fresh);
        }
    });
    let memory = place.path("memory");
    assert_eq!((count(&memory, "kept"), count(&memory, "corrections")), (300, 2));
    assert!(is_whole(&memory));
}
