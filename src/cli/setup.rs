//! `kortom setup`: the recommended models, with one question.
//!
//! Invariant: nothing is fetched before the user agrees, and only what was shown. Without a network the error says
//! how to copy models from another machine.

use std::io::{self, BufRead, IsTerminal};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use indicatif::DecimalBytes;
use kortom::error::{self, Error, WithHint};
use kortom::hub::{BUNDLED, CatalogEntry, DownloadPlan, Hub, ModelTask, catalog};

use super::args::SetupArgs;

/// The recommended model for each task, and the languages that it is looked for with.
const RECOMMENDED: [(ModelTask, &str, &str, &str); 2] =
    [(ModelTask::Translate, "nl", "en", "nl-en"), (ModelTask::Summarize, "en", "en", "cnn-fast")];

/// Lists the missing models, asks, and fetches them.
pub fn run(args: &SetupArgs) -> Result<ExitCode> {
    let hub = Hub::from_env(args.offline);
    let missing = missing(&hub);
    if missing.is_empty() {
        eprintln!("nothing to do: models that translate and summarise are installed; `kortom models list` shows them");
        return Ok(ExitCode::SUCCESS);
    }
    if hub.options().offline {
        bail!("kortom is offline, so no model can be fetched".with_hint(by_hand(&missing)));
    }
    let plans = plans(&hub, &missing)?;
    let size = plans.iter().map(DownloadPlan::remaining).fold(0, u64::saturating_add);
    eprintln!("kortom setup fetches into `{}`:", hub.options().cache.display());
    for (entry, plan) in missing.iter().zip(&plans) {
        let license = plan.license.as_deref().unwrap_or("licence not stated");
        let (size, does) = (DecimalBytes(plan.remaining()), entry.task.name());
        eprintln!("  {} ({}), to {does}: {size}, {license}", entry.alias, plan.repository);
    }
    if !args.yes && !agreed(size)? {
        eprintln!("nothing was fetched");
        return Ok(ExitCode::SUCCESS);
    }
    for entry in &missing {
        hub.pull(&entry.alias, false).with_context(|| format!("cannot fetch `{}`", entry.alias))?;
    }
    eprintln!("done: `kortom digest article.txt` uses them from now on");
    Ok(ExitCode::SUCCESS)
}

/// The recommended models for tasks that no installed model does, or only the built-in one.
fn missing(hub: &Hub) -> Vec<&'static CatalogEntry> {
    let lacks = |task, from, to| hub.best_installed(task, from, to).is_none_or(|best| best.files.name() == BUNDLED);
    let lacking = RECOMMENDED.iter().filter(|&&(task, from, to, _)| lacks(task, from, to));
    lacking.filter_map(|&(.., alias)| catalog().iter().find(|entry| entry.alias == alias)).collect()
}

fn plans(hub: &Hub, missing: &[&CatalogEntry]) -> Result<Vec<DownloadPlan>> {
    let plans = missing.iter().map(|entry| hub.plan(&entry.alias)).collect::<Result<Vec<_>>>();
    plans.map_err(|error| {
        let (causes, hints) = error::parts(error.as_ref());
        let error = hints.into_iter().fold(Error::from(causes), Error::with_hint);
        error.with_hint(by_hand(missing)).into()
    })
}

/// The hint that says how to bring models onto a machine without a network.
fn by_hand(missing: &[&CatalogEntry]) -> String {
    let each = |command: &str| {
        let commands: Vec<_> =
            missing.iter().map(|entry| format!("`kortom models {command} {}`", entry.alias)).collect();
        commands.join(" and ")
    };
    format!(
        "run {} on a machine with a network, bring what is in {} and run {} here",
        each("pull"),
        each("path"),
        each("add FOLDER")
    )
}

/// Asks whether `size` bytes may be fetched.
fn agreed(size: u64) -> Result<bool> {
    if !io::stdin().is_terminal() {
        bail!(format!("fetching {} needs a yes", DecimalBytes(size)).with_hint("add --yes"));
    }
    eprint!("fetch {}? [y/N] ", DecimalBytes(size));
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}
