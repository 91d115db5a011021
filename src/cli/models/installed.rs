//! `kortom models verify`, `rm` and `path`: commands for installed models.

use std::fmt::Write as _;
use std::io::{self, BufRead, IsTerminal};
use std::process::ExitCode;

use anyhow::{Result, bail};
use indicatif::DecimalBytes;
use kortom::error::WithHint;
use kortom::hub::{Hub, Origin, Removal, Verdict};
use serde_json::{Value, json};

use super::{ListingOptions, table};

/// Reads the files of models again, and prints which still have the content that was fetched.
pub(super) fn verify(name: Option<&str>, common: ListingOptions) -> Result<ExitCode> {
    let hub = common.hub();
    let all = || -> Result<Vec<String>> {
        let here = hub.list()?.0.into_iter().filter(|model| model.origin != Origin::Bundled);
        Ok(here.map(|model| model.name).collect())
    };
    let names = name.map_or_else(all, |name| Ok(vec![name.to_owned()]))?;
    let (mut text, mut values, mut damaged) = (String::new(), Vec::new(), Vec::new());
    for name in names {
        let files = hub.verify(&name)?;
        if files.iter().any(|file| matches!(file.verdict, Verdict::Changed | Verdict::Missing)) {
            damaged.push(name.clone());
        }
        writeln!(text, "{name}")?;
        text += &table(files.iter().map(|file| vec![file.file.clone(), verdict(file.verdict).to_owned()]));
        values.push(json!({ "name": name, "files": files }));
    }
    common.print(&Value::Array(values), &text)?;
    for name in &damaged {
        eprintln!(
            "error: {}",
            format!("the model `{name}` is damaged").with_hint(format!("kortom models pull {name}"))
        );
    }
    Ok(if damaged.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Right => "right",
        Verdict::Changed => "CHANGED",
        Verdict::Missing => "MISSING",
        Verdict::Unknown => "no hash to compare with",
    }
}

/// Removes a model after the user agreed, or with `yes` at once.
pub(super) fn remove(name: &str, yes: bool, common: ListingOptions) -> Result<ExitCode> {
    let hub = common.hub();
    let removal = hub.removal(name)?;
    if !yes {
        confirm(&hub, &removal)?;
    }
    hub.remove(&removal)?;
    let stays = stays(&removal);
    common.print(
        &json!(removal),
        &format!("removed {}: {} are free{stays}\n", removal.repository, DecimalBytes(removal.size)),
    )?;
    Ok(ExitCode::SUCCESS)
}

/// The part of a message that says how much a store shared by models keeps of a removed one.
fn stays(removal: &Removal) -> String {
    match removal.shared {
        0 => String::new(),
        bytes => format!(
            "; {} stay in the store that models of this cache share: `hf cache prune` removes what none needs",
            DecimalBytes(bytes)
        ),
    }
}

/// Asks whether a model may be removed, because the cache is shared by all Hugging Face programs of the user.
///
/// # Errors
/// When the user does not agree, or cannot be asked.
fn confirm(hub: &Hub, removal: &Removal) -> Result<()> {
    let kept =
        if removal.kept.is_empty() { String::new() } else { format!("; {} other revisions stay", removal.kept.len()) };
    let what = format!(
        "{} of {} in `{}`{kept}{}\nother programs that use the Hugging Face cache, such as Python's transformers, lose it too",
        DecimalBytes(removal.size),
        removal.repository,
        hub.options().cache.display(),
        stays(removal)
    );
    if !io::stdin().is_terminal() {
        bail!(format!("removing needs a yes: {what}").with_hint("add --yes"));
    }
    eprint!("remove {what}\nremove it? [y/N] ");
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    if !matches!(answer.trim().to_lowercase().as_str(), "y" | "yes") {
        bail!("nothing was removed".with_hint("answer y, or add --yes"));
    }
    Ok(())
}

/// Prints where a model lies.
pub(super) fn path(name: &str, common: ListingOptions) -> Result<ExitCode> {
    let Some(folder) = common.hub().folder_of(name)? else {
        bail!(format!("`{name}` is part of the program and has no folder").with_hint("use it by its name"));
    };
    common.print(&json!({ "name": name, "folder": folder }), &format!("{}\n", folder.display()))?;
    Ok(ExitCode::SUCCESS)
}
