//! `kortom models`: list, fetch, look at, check and remove models.
//!
//! Invariant: what was asked for goes to standard output, as text or JSON; what a person should know besides goes to
//! standard error. Everything is decided in `kortom::hub`; here it is only asked and printed.

use std::fmt::Write as _;
use std::io::{self, BufRead, IsTerminal, Write};
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use indicatif::DecimalBytes;
use kortom::device::Placement;
use kortom::engine::settings::{Caller, Setting};
use kortom::engine::{Engine, Request};
use kortom::hub::{self, Entry, Hub, HubOptions, Installed, Origin, Plan, Removal, Resolved, Task, Verdict};
use serde_json::{Value, json};

/// `kortom models`.
#[derive(Args, Debug)]
pub struct ModelsArgs {
    #[command(subcommand)]
    pub command: ModelsCommand,
}

/// What to do with models.
#[derive(Debug, Subcommand)]
pub enum ModelsCommand {
    /// Show the models on this machine, which one would be used, and those that can be fetched
    List {
        #[command(flatten)]
        common: Common,
    },
    /// Fetch a model into the shared Hugging Face cache, or bring it up to date and mend it there
    Pull {
        /// An alias, or owner/name[@revision]
        name: String,
        /// Accept a licence that forbids commercial use
        #[arg(long)]
        accept_license: bool,
        /// Only show which files would be fetched, and their sizes
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        common: Common,
    },
    /// Show what a model is, its licence and files, and the decode settings in effect
    Show {
        /// An alias, a folder, or owner/name[@revision]
        name: String,
        #[command(flatten)]
        common: Common,
    },
    /// Read all files again and compare them with the hashes they were fetched with
    Verify {
        /// The model; without one, all that are installed
        name: Option<String>,
        #[command(flatten)]
        common: Common,
    },
    /// Remove a model from the cache; with @revision, only what that revision alone uses
    Rm {
        /// An alias, or owner/name[@revision]
        name: String,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
        #[command(flatten)]
        common: Common,
    },
    /// Print the folder of a model
    Path {
        /// An alias, a folder, or owner/name[@revision]
        name: String,
        #[command(flatten)]
        common: Common,
    },
}

/// Options of every one of these commands.
#[derive(Args, Clone, Copy, Debug)]
pub struct Common {
    /// How to print the result
    #[arg(long, value_enum, default_value_t = Form::Text)]
    format: Form,
    /// Open no socket at all (also `HF_HUB_OFFLINE=1`)
    #[arg(long)]
    offline: bool,
    /// Print no progress and no notices
    #[arg(long, short)]
    quiet: bool,
}

/// How to print the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// For people
    Text,
    /// For programs
    Json,
}

/// Runs one of the commands.
///
/// # Errors
/// When there is no such model, it cannot be fetched, or the output cannot be written.
pub fn run(args: &ModelsArgs) -> Result<ExitCode> {
    match &args.command {
        ModelsCommand::List { common } => list(*common),
        ModelsCommand::Pull { name, accept_license, dry_run, common } => {
            if *dry_run {
                dry_pull(name, *common)
            } else {
                pull(name, *accept_license, *common)
            }
        }
        ModelsCommand::Show { name, common } => show(name, *common),
        ModelsCommand::Verify { name, common } => verify(name.as_deref(), *common),
        ModelsCommand::Rm { name, yes, common } => remove(name, *yes, *common),
        ModelsCommand::Path { name, common } => path(name, *common),
    }
}

impl Common {
    fn hub(self) -> Hub {
        let mut options = HubOptions::from_env(self.offline);
        options.progress = !self.quiet;
        Hub::new(options)
    }

    /// Prints the one or the other form.
    fn print(self, value: &Value, text: &str) -> Result<()> {
        let mut out = io::stdout().lock();
        match self.format {
            Form::Json => writeln!(out, "{value:#}")?,
            Form::Text => out.write_all(text.as_bytes())?,
        }
        Ok(out.flush()?)
    }

    fn notice(self, text: &str) {
        if !self.quiet {
            eprintln!("{text}");
        }
    }
}

fn list(common: Common) -> Result<ExitCode> {
    let hub = common.hub();
    let (installed, others) = hub.list()?;
    let uses = [("translate", Task::Translate, "nl", "en"), ("summarize", Task::Summarize, "en", "en")];
    let uses = uses.map(|(command, task, from, to)| (command, hub.best_installed(task, from, to)));
    let absent: Vec<&Entry> = hub::catalog().iter().filter(|entry| !is_here(entry, &installed)).collect();
    let mut text = String::from("On this machine:\n");
    text += &table(installed.iter().map(installed_row));
    for (command, chosen) in &uses {
        text += &chosen_line(command, chosen.as_ref());
    }
    if others > 0 {
        let cache = hub.options().cache.display();
        writeln!(text, "{others} more in `{cache}` are of kinds kortom does not run")?;
    }
    for (task, heading) in [(Task::Translate, "translations"), (Task::Summarize, "summaries")] {
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

fn is_here(entry: &Entry, installed: &[Installed]) -> bool {
    installed.iter().any(|model| model.name == entry.alias && model.missing.is_empty())
}

fn name_of(resolved: &Resolved) -> String {
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
        model.task.map_or("", Task::name).to_owned(),
        languages(&model.from, &model.to),
        revision.to_owned(),
        origin(model.origin).to_owned(),
        state.to_owned(),
    ]
}

fn absent_row(entry: &Entry) -> Vec<String> {
    let license = entry.license.clone().unwrap_or_else(|| "see its card".to_owned());
    vec![
        entry.alias.clone(),
        format!("{} M", entry.parameters),
        if entry.non_commercial { format!("{license} (!)") } else { license },
        languages(&entry.from, &entry.to),
        entry.note.clone(),
    ]
}

fn languages(from: &[String], to: &[String]) -> String {
    let one = |list: &[String]| list.join(",").replace('*', "many");
    if from.is_empty() { String::new() } else { format!("{} > {}", one(from), one(to)) }
}

fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Folder => "folder",
        Origin::Models => "KORTOM_MODELS",
        Origin::Bundled => "bundled",
        Origin::Cache | Origin::Downloaded => "Hugging Face cache",
    }
}

/// Columns as wide as their widest cell, the last as it is.
fn table(rows: impl Iterator<Item = Vec<String>>) -> String {
    let rows: Vec<Vec<String>> = rows.collect();
    let mut widths = vec![0; rows.iter().map(Vec::len).max().unwrap_or(0)];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).filter(|(_, width)| **width > 0);
        let cells: Vec<String> = cells.map(|(cell, &width)| format!("{cell:width$}")).collect();
        format!("  {}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

fn dry_pull(name: &str, common: Common) -> Result<ExitCode> {
    let plan = common.hub().plan(name)?;
    common.print(&json!(plan), &plan_text(&plan))?;
    Ok(ExitCode::SUCCESS)
}

fn plan_text(plan: &Plan) -> String {
    let license = plan.license.as_deref().unwrap_or("licence not stated");
    let mut text = format!("{}@{} ({license})\n", plan.repository, plan.commit);
    text += &table(plan.files.iter().map(|file| {
        let here = match file.present {
            0 => "",
            present if present == file.size => "here",
            _ => "here in part",
        };
        vec![file.name.clone(), DecimalBytes(file.size).to_string(), here.to_owned()]
    }));
    text + &format!("{} in all, {} to fetch\n", DecimalBytes(plan.size()), DecimalBytes(plan.remaining()))
}

fn pull(name: &str, accept_license: bool, common: Common) -> Result<ExitCode> {
    let (plan, resolved) = common.hub().pull(name, accept_license)?;
    let folder = resolved.folder.unwrap_or_default();
    let fetched = DecimalBytes(plan.remaining());
    let text = format!("{}@{}: {fetched} fetched, all files have the right hash\n", plan.repository, plan.commit);
    common.print(&json!({ "plan": plan, "folder": folder }), &text)?;
    common.notice(&format!("use it: kortom translate --model {name} article.txt; where it is: {}", folder.display()));
    Ok(ExitCode::SUCCESS)
}

fn show(name: &str, common: Common) -> Result<ExitCode> {
    let hub = common.hub();
    let Some(resolved) = hub.installed(name)? else { return show_absent(name, common) };
    let facts = hub::facts(&resolved.files)?;
    let license = facts.license.clone().or_else(|| resolved.entry?.license.clone());
    let entry = resolved
        .entry
        .or_else(|| hub::catalog().iter().find(|entry| entry.repo.as_deref() == Some(resolved.files.name())));
    let mut rows = vec![
        row("model", resolved.files.full_name()),
        row(
            "where",
            resolved.folder.as_ref().map_or("in the program".to_owned(), |folder| folder.display().to_string()),
        ),
        row("architecture", facts.architecture.clone().unwrap_or_default()),
        row(
            "parameters",
            facts.parameters.map_or("not known".to_owned(), |count| format!("{:.1} M", count as f64 / 1e6)),
        ),
        row("precision", facts.precision.clone().unwrap_or_default()),
        row("licence", license.clone().unwrap_or_else(|| "not stated".to_owned())),
    ];
    if let Some(entry) = entry {
        rows.push(row("task", entry.task.name().to_owned()));
        rows.push(row("languages", languages(&entry.from, &entry.to)));
        rows.extend(about(entry));
    }
    let mut text = table(rows.into_iter());
    writeln!(text, "files, {}:", DecimalBytes(facts.size))?;
    text += &table(facts.files.iter().map(|file| vec![file.name.clone(), DecimalBytes(file.size).to_string()]));
    let settings = settings(&resolved, entry.map(|entry| entry.task));
    match &settings {
        Ok(settings) => {
            text += "decode settings, and where they are from:\n";
            text +=
                &table(settings.iter().map(|set| vec![set.name.to_owned(), set.value.to_string(), set.origin.clone()]));
        }
        Err(error) => writeln!(text, "it cannot be used: {error:#}")?,
    }
    let usable = settings.is_ok();
    let settings = settings.unwrap_or_default();
    let settings = settings.iter().map(|set| json!({ "name": set.name, "value": set.value, "origin": set.origin }));
    let value = json!({
        "settings": settings.collect::<Vec<_>>(),
        "usable": usable,
        "name": resolved.files.name(), "revision": resolved.files.revision(), "origin": resolved.origin,
        "folder": resolved.folder, "license": license, "facts": facts, "catalogue": entry,
    });
    common.print(&value, &text)?;
    Ok(ExitCode::SUCCESS)
}

/// What `translate` and `summarize` would decode with if no option were given. The model is loaded for it, so what this
/// says is what happens.
fn settings(resolved: &Resolved, task: Option<Task>) -> Result<Vec<Setting>> {
    let engine = Engine::load(&resolved.files, &Placement::cpu())?;
    let mut request = Request::new(Caller::Article);
    if let Some(entry) = resolved.entry {
        request.catalogue = Some(Value::Object(entry.settings.clone()));
        request.prefix.clone_from(&entry.prefix);
    }
    if task == Some(Task::Summarize) {
        request.task = Some("summarization".to_owned());
    } else if task == Some(Task::Translate) {
        (request.from, request.to) = (Some("nl".to_owned()), Some("en".to_owned()));
    }
    let session = engine.session(&request)?;
    let prefix = (!session.prefix().is_empty()).then(|| Setting {
        name: "prefix",
        value: Value::from(session.prefix()),
        origin: "put before every source".to_owned(),
    });
    Ok(session.settings().origins.iter().cloned().chain(prefix).collect())
}

fn row(label: &str, value: String) -> Vec<String> {
    vec![label.to_owned(), value]
}

fn about(entry: &Entry) -> impl Iterator<Item = Vec<String>> {
    let quality = entry.quality.clone().map(|quality| row("quality", quality));
    std::iter::once(row("note", entry.note.clone())).chain(quality)
}

/// A model that is not here can still be described by the catalogue.
fn show_absent(name: &str, common: Common) -> Result<ExitCode> {
    let Some(entry) = hub::alias(name.split('@').next().unwrap_or(name)) else {
        bail!("the model `{name}` is not installed\nhint: kortom models pull {name}");
    };
    let rows = [
        row("model", entry.repo.clone().unwrap_or_default()),
        row("parameters", format!("{} M", entry.parameters)),
        row("licence", entry.license.clone().unwrap_or_else(|| "see its card".to_owned())),
        row("task", entry.task.name().to_owned()),
        row("languages", languages(&entry.from, &entry.to)),
    ];
    let rows = rows.into_iter().chain(about(entry));
    let text = format!("{}not installed; get it: kortom models pull {name}\n", table(rows));
    common.print(&json!({ "name": name, "installed": false, "catalogue": entry }), &text)?;
    Ok(ExitCode::SUCCESS)
}

fn verify(name: Option<&str>, common: Common) -> Result<ExitCode> {
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
        eprintln!("error: the model `{name}` is damaged\nhint: kortom models pull {name}");
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

fn remove(name: &str, yes: bool, common: Common) -> Result<ExitCode> {
    let hub = common.hub();
    let removal = hub.removal(name)?;
    if !yes {
        confirm(&hub, &removal)?;
    }
    hub.remove(&removal)?;
    common.print(
        &json!(removal),
        &format!("removed {}: {} are free\n", removal.repository, DecimalBytes(removal.size)),
    )?;
    Ok(ExitCode::SUCCESS)
}

/// The cache belongs to every Hugging Face program of this person, so nothing in it goes without a yes.
fn confirm(hub: &Hub, removal: &Removal) -> Result<()> {
    let kept =
        if removal.kept.is_empty() { String::new() } else { format!("; {} other revisions stay", removal.kept.len()) };
    let what = format!(
        "{} of {} in `{}`{kept}\nother programs that use the Hugging Face cache, such as Python's transformers, lose it too",
        DecimalBytes(removal.size),
        removal.repository,
        hub.options().cache.display()
    );
    if !io::stdin().is_terminal() {
        bail!("removing needs a yes: {what}\nhint: add --yes");
    }
    eprint!("remove {what}\nremove it? [y/N] ");
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    if !matches!(answer.trim().to_lowercase().as_str(), "y" | "yes") {
        bail!("nothing was removed\nhint: answer y, or add --yes");
    }
    Ok(())
}

fn path(name: &str, common: Common) -> Result<ExitCode> {
    let Some(folder) = common.hub().folder_of(name)? else {
        bail!("`{name}` is part of the program and has no folder\nhint: use it by its name");
    };
    common.print(&json!({ "name": name, "folder": folder }), &format!("{}\n", folder.display()))?;
    Ok(ExitCode::SUCCESS)
}
