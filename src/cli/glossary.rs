//! The glossary of a job: reading it, and checking that the model can write its terms.
//!
//! Invariant: a glossary that cannot be read or is not valid is an error before the first article. Its meaning
//! belongs to `kortom::glossary`.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use kortom::engine::Session;
use kortom::error::{Explain, WithHint};
use kortom::glossary::Glossary;
use kortom::pipeline::Pipeline;

use super::progress::Screen;

/// Most terms that a warning names.
const NAMED: usize = 5;

/// The pipeline with the glossary in a file, if there is one. Terms that the model cannot write get a warning.
pub fn add(pipeline: Pipeline, path: Option<&Path>, screen: &Screen) -> Result<Pipeline> {
    let (Some(path), Some(model)) = (path, &pipeline.models().translation) else { return Ok(pipeline) };
    let name = path.display();
    let bytes = fs::read(path).explain(|| {
        format!("cannot read the glossary `{name}`")
            .with_hint("it is a file with a source term, a tab and a target term on each line")
    })?;
    let (from, to) = (pipeline.options().source_language(), pipeline.options().target_language());
    let glossary = Glossary::parse(&bytes, from, to).with_context(|| format!("the glossary `{name}`"))?;
    if glossary.targets().next().is_none() {
        screen.warning(format!("the glossary `{name}` has no terms"));
    }
    let session = model.session()?;
    warn_of_unwritable(&glossary, &session, screen);
    let (beams, usual) = (session.beams_for_terms(), session.settings().options.num_beams);
    if beams > usual {
        screen.notice(format!(
            "sentences with a term of the glossary are searched with {beams} beams, others with {usual}"
        ));
    }
    drop(session);
    Ok(pipeline.with_glossary(Some(glossary)))
}

fn warn_of_unwritable(glossary: &Glossary, session: &Session<'_>, screen: &Screen) {
    let engine = session.engine();
    let unwritable: Vec<_> = glossary.targets().filter(|(_, target)| !engine.can_write(target)).collect();
    if unwritable.is_empty() {
        return;
    }
    let named: Vec<String> =
        unwritable.iter().take(NAMED).map(|(line, target)| format!("`{target}` (line {line})")).collect();
    let more = if unwritable.len() > NAMED { format!(" and {} more", unwritable.len() - NAMED) } else { String::new() };
    screen.warning(
        format!("the model's vocabulary cannot write {}{more}", named.join(", "))
            .with_hint("segments that need such a term will be flagged `glossary`"),
    );
}
