//! The checks alone, for `benches/checks.py` and for trying them: `cargo run --example check_pairs -- nl en < pairs.tsv`. Each
//! line is a source, a tab and its translation; each gives one line, the findings as JSON. `check_pairs --summary en` takes an
//! article, a tab and its summary instead.

use std::error::Error;
use std::io::{self, BufRead, Write};

use kortom::check::{self, Checks, Finding};

/// What is to be said of two texts.
type Check<'a> = dyn Fn(&str, &str) -> Vec<Finding> + 'a;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let check: Box<Check> = match arguments.as_slice() {
        [option, language] if option == "--summary" => {
            Box::new(move |article, summary| check::unsupported(summary, article, language))
        }
        [from, to] => {
            let checks = Checks::of(from, to);
            Box::new(move |source, target| checks.findings(source, target))
        }
        _ => return Err("usage: check_pairs FROM TO < PAIRS, or check_pairs --summary LANGUAGE < PAIRS".into()),
    };
    let mut output = io::BufWriter::new(io::stdout().lock());
    for line in io::stdin().lock().lines() {
        let line = line?;
        let (source, target) = line.split_once('\t').ok_or("a line without a tab")?;
        let findings = check(source, target.split('\t').next().unwrap_or_default());
        writeln!(output, "{}", serde_json::to_string(&findings)?)?;
    }
    Ok(output.flush()?)
}
