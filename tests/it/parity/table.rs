//! The table of what was compared, by family and setting: `cargo test --test it parity_table -- --nocapture`.

use std::collections::BTreeMap;
use std::path::Path;

use super::{COMPARED, compared, expectations, list};

/// The settings in the order in which they first occur in a fixture.
fn settings() -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (_, folder) in COMPARED {
        for setting in list(&expectations(folder)["settings"]) {
            let name = setting["name"].as_str().unwrap();
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
    }
    names
}

/// A row of a Markdown table.
fn row(first: &str, cells: impl Iterator<Item = String>) -> String {
    format!("| {first} | {} |\n", cells.collect::<Vec<_>>().join(" | "))
}

/// Counts without ties: how many there are depends on the processor's order of sums.
#[test]
fn parity_table() {
    let mut families: Vec<&str> = Vec::new();
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut ties: Vec<&str> = Vec::new();
    for &(family, folder) in COMPARED {
        if !families.contains(&family) {
            families.push(family);
        }
        let tally = compared(folder);
        for (setting, count) in &tally.settings {
            *counts.entry((family, setting)).or_default() += count;
        }
        ties.extend(tally.ties.iter().map(|(_, what)| what.as_str()));
    }
    let heads = families.iter().copied().chain(["all"]).map(str::to_owned);
    let mut table = row("setting", heads);
    table += &row("---", families.iter().map(|_| "---:".to_owned()).chain(["---:".to_owned()]));
    let mut line = |name: &str, count: &dyn Fn(&str) -> usize| {
        let cells = families.iter().map(|family| count(family)).collect::<Vec<_>>();
        let all = cells.iter().sum::<usize>();
        let shown = |count: usize| if count == 0 { String::new() } else { count.to_string() };
        table += &row(name, cells.into_iter().chain([all]).map(shown));
        all
    };
    for setting in settings() {
        line(&setting, &|family| counts.get(&(family, setting.as_str())).copied().unwrap_or(0));
    }
    let total = |family: &str| counts.iter().filter(|((of, _), _)| *of == family).map(|(_, count)| count).sum();
    let all = line("all", &total);
    println!("{table}\n{} near-ties\n{}", ties.len(), ties.join("\n"));
    assert!(all >= 2000, "{all}");
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/using/families.md");
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains(&table), "the table in docs/using/families.md is not this one:\n{table}");
}
