//! `kortom models list`: the models on this machine, those that commands would use, and those that can be fetched.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use indicatif::DecimalBytes;
use kortom::hub::{self, CatalogEntry, Installed, ModelTask, Origin, Resolved};
use serde_json::json;

use super::{ListingOptions, languages, table};

/// Prints the installed models, and those of the catalogue that are not installed.
pub(super) fn run(common: ListingOptions) -> Result<ExitCode> {
    let hub = common.hub();
    let (installed, others) = hub.list()?;
    let uses = [("translate", ModelTask::Translate, "nl", "en"), ("summarize", ModelTask::Summarize, "en", "en")];
    let uses = uses.map(|(command, task, from, to)| (command, hub.best_installed(task, from, to)));
    let absent: Vec<&CatalogEntry> = hub::catalog().iter().filter(|entry| !is_here(entry, &installed)).collect();
    let mut text = String::from("On this machine:\n");
    text += &table(installed.iter().map(installed_row));
    for (command, chosen) in &uses {
        text += &chosen_line(command, chosen.as_ref());
    }
    if others > 0 {
        let cache = hub.options().cache.display();
        writeln!(text, "{others} more in `{cache}` are of kinds kortom does not run")?;
    }
    for (task, heading) in [(ModelTask::Translate, "translations"), (ModelTask::Summarize, "summaries")] {
        writeln!(text, "\nFor {heading}, with `kortom models pull NAME`:")?;
        text += &table(absent.iter().filter(|entry| entry.task == task).map(|entry| absent_row(entry)));
    }
    text += "(!) no commercial use: --accept-license\n";
    let chosen = uses.iter().map(|(command, chosen)| ((*command).to_owned(), json!(chosen.as_ref().map(name_of))));
    let value = json!({
        "installed": installed,
        "available": absent,
        "chosen": chosen.collect::<serde_json::Map<_, _>>(),
        "others": others,
        "cache": hub.options().cache,
        "offline": hub.options().offline,
    });
    common.print(&value, &text)?;
    Ok(ExitCode::SUCCESS)
}

fn is_here(entry: &CatalogEntry, installed: &[Installed]) -> bool {
    installed.iter().any(|model| model.name == entry.alias && model.missing.is_empty())
}

/// The name to write after `--model`.
pub(super) fn name_of(resolved: &Resolved) -> String {
    resolved.entry.map_or_else(|| resolved.files.name().to_owned(), |entry| entry.alias.clone())
}

/// Which model a command takes when none is named, and why.
fn chosen_line(command: &str, chosen: Option<&Resolved>) -> String {
    match chosen {
        None => format!("`{command}` has no model: it picks out sentences; better: kortom models pull cnn-fast\n"),
        Some(model) if model.origin == Origin::Bundled => {
            format!(
                "`{command}` takes `{}`, as nothing better is installed; better: kortom models pull nl-en\n",
                name_of(model)
            )
        }
        Some(model) => {
            format!("`{command}` takes `{}`, the first of the catalogue that is installed\n", name_of(model))
        }
    }
}

fn installed_row(model: &Installed) -> Vec<String> {
    let revision = model.revision.as_deref().map_or("", |revision| revision.get(..8).unwrap_or(revision));
    let state = if model.missing.is_empty() { "" } else { "not whole, pull it again" };
    vec![
        model.name.clone(),
        DecimalBytes(model.size).to_string(),
        model.license.clone().unwrap_or_else(|| "licence not stated".to_owned()),
        model.task.map_or("", ModelTask::name).to_owned(),
        languages(&model.from, &model.to),
        revision.to_owned(),
        origin(model.origin).to_owned(),
        state.to_owned(),
    ]
}

fn absent_row(entry: &CatalogEntry) -> Vec<String> {
    let license = entry.license.clone().unwrap_or_else(|| "see its card".to_owned());
    vec![
        entry.alias.clone(),
        format!("{} M", entry.parameters),
        if entry.non_commercial { format!("{license} (!)") } else { license },
        languages(&entry.from, &entry.to),
        entry.note.clone(),
    ]
}

fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Folder => "folder",
        Origin::Models => "KORTOM_MODELS",
        Origin::Bundled => "bundled",
        Origin::Cache | Origin::Downloaded => "Hugging Face cache",
    }
}
