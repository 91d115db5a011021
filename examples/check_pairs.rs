//! The checks alone, for `benches/checks.py` and for trying them: `cargo run --example check_pairs -- nl en < pairs.tsv`. Each
//! line is a source, a tab and its translation; each gives one line, the findings as JSON.

use std::error::Error;
use std::io::{self, BufRead, Write};

use kortom::check::Checks;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [from, to] = arguments.as_slice() else {
        return Err("usage: check_pairs FROM TO < PAIRS".into());
    };
    let checks = Checks::of(from, to);
    let mut output = io::BufWriter::new(io::stdout().lock());
    for line in io::stdin().lock().lines() {
        let line = line?;
        let (source, target) = line.split_once('\t').ok_or("a line without a tab")?;
        let findings = checks.findings(source, target.split('\t').next().unwrap_or_default());
        writeln!(output, "{}", serde_json::to_string(&findings)?)?;
    }
    Ok(output.flush()?)
}
