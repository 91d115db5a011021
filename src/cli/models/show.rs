//! `kortom models show`: what a model is, and the decode settings in effect.
//!
//! Invariant: no weights are read, only the headers of their files, so this is quick for a model of any size.

use std::process::ExitCode;

use anyhow::{Result, bail};
use indicatif::DecimalBytes;
use kortom::engine::settings::{Caller, Setting};
use kortom::engine::{Checkpoint, Request, ResolvedRequest};
use kortom::error::WithHint;
use kortom::hub::{self, CatalogEntry, Facts, ModelTask, Resolved};
use kortom::model::{self, Weights};
use serde_json::{Value, json};

use super::{ListingOptions, languages, table};

/// The description of an installed model.
struct Shown<'a> {
    resolved: &'a Resolved,
    entry: Option<&'a CatalogEntry>,
    facts: Facts,
    license: Option<String>,
    /// Number of parameters, and their precision.
    numbers: Option<(usize, String)>,
    settings: Vec<Setting>,
    warnings: Vec<String>,
    /// Why the model cannot be used; `None` if it can.
    fault: Option<String>,
}

/// Prints the description of a model.
pub(super) fn run(name: &str, common: ListingOptions) -> Result<ExitCode> {
    let hub = common.hub();
    match hub.installed(name)? {
        Some(resolved) => {
            let shown = Shown::of(&resolved)?;
            common.print(&shown.json(), &shown.text())?;
        }
        None => absent(name, common)?,
    }
    Ok(ExitCode::SUCCESS)
}

impl<'a> Shown<'a> {
    fn of(resolved: &'a Resolved) -> Result<Self> {
        let same = |entry: &&CatalogEntry| entry.repo.as_deref() == Some(resolved.files.name());
        let entry = resolved.entry.or_else(|| hub::catalog().iter().find(same));
        let facts = hub::facts(&resolved.files)?;
        let weights = model::open_weights(&resolved.files);
        let checkpoint = Checkpoint::open(&resolved.files);
        let opened = checkpoint.as_ref().ok().zip(weights.as_ref().ok());
        let half = opened.and_then(|(checkpoint, weights)| model::check_stacks(checkpoint.spec(), weights).err());
        let settled = checkpoint.and_then(|checkpoint| settle(&checkpoint, resolved, entry.map(|entry| entry.task)));
        let fault = weights.as_ref().err().or(settled.as_ref().err()).or(half.as_ref());
        let fault = fault.map(|error| format!("{error:#}"));
        Ok(Self {
            resolved,
            entry,
            license: facts.license.clone().or_else(|| resolved.entry?.license.clone()),
            facts,
            numbers: weights.map(|weights| (weights.parameters(), precision(&weights))).ok(),
            settings: settled.as_ref().map(settings).unwrap_or_default(),
            warnings: settled.map(|settled| settled.article.settings.warnings).unwrap_or_default(),
            fault,
        })
    }

    fn json(&self) -> Value {
        let settings = self.settings.iter();
        let settings = settings.map(|set| json!({ "name": set.name, "value": set.value, "origin": set.origin }));
        let files = &self.resolved.files;
        json!({
            "settings": settings.collect::<Vec<_>>(), "warnings": self.warnings,
            "usable": self.fault.is_none(), "fault": self.fault,
            "name": files.name(), "revision": files.revision(), "origin": self.resolved.origin,
            "folder": self.resolved.folder, "license": self.license, "facts": self.facts, "catalogue": self.entry,
            "parameters": self.numbers.as_ref().map(|(parameters, _)| parameters),
            "precision": self.numbers.as_ref().map(|(_, precision)| precision),
        })
    }

    fn text(&self) -> String {
        let mut text = table(self.rows().into_iter());
        text += &format!("files, {}:\n", DecimalBytes(self.facts.size));
        let files = self.facts.files.iter();
        text += &table(files.map(|file| vec![file.name.clone(), DecimalBytes(file.size).to_string()]));
        if !self.settings.is_empty() {
            text += "decode settings, and where they are from:\n";
        }
        let settings = self.settings.iter();
        text += &table(settings.map(|set| vec![set.name.to_owned(), set.value.to_string(), set.origin.clone()]));
        text.extend(self.warnings.iter().map(|warning| format!("warning: {warning}\n")));
        text.extend(self.fault.iter().map(|fault| format!("it cannot be used: {fault}\n")));
        text
    }

    /// The rows at the head of the text.
    fn rows(&self) -> Vec<Vec<String>> {
        let folder = self.resolved.folder.as_ref().map(|folder| folder.display().to_string());
        let (parameters, precision) = match &self.numbers {
            Some((parameters, precision)) => (format!("{:.1} M", *parameters as f64 / 1e6), precision.clone()),
            None => ("not known".to_owned(), String::new()),
        };
        let mut rows = vec![
            row("model", self.resolved.files.full_name()),
            row("where", folder.unwrap_or_else(|| "in the program".to_owned())),
            row("architecture", self.facts.architecture.clone().unwrap_or_default()),
            row("parameters", parameters),
            row("precision", precision),
            row("licence", self.license.clone().unwrap_or_else(|| "not stated".to_owned())),
        ];
        if let Some(entry) = self.entry {
            rows.push(row("task", entry.task.name().to_owned()));
            rows.push(row("languages", languages(&entry.from, &entry.to)));
            rows.extend(about(entry));
        }
        rows
    }
}

/// The type of most parameters, as safetensors writes it.
fn precision(weights: &Weights) -> String {
    weights.precision().map_or_else(String::new, |dtype| dtype.as_str().to_uppercase())
}

/// The requests of a model without options, as the checkpoint resolves them.
struct Usual {
    /// The request of `translate` and `summarize`.
    article: ResolvedRequest,
    /// The request of `generate`.
    generate: ResolvedRequest,
}

fn settle(checkpoint: &Checkpoint, resolved: &Resolved, task: Option<ModelTask>) -> Result<Usual> {
    let request = request(checkpoint, resolved, task);
    let article = checkpoint.resolve(&request)?;
    let generate = checkpoint.resolve(&Request { caller: Caller::Generate, task: None, ..request })?;
    Ok(Usual { article, generate })
}

/// The request of `translate` and `summarize` without options.
fn request(checkpoint: &Checkpoint, resolved: &Resolved, task: Option<ModelTask>) -> Request {
    let mut request = Request::new(Caller::Article);
    if let Some(entry) = resolved.entry {
        request.catalogue = Some(Value::Object(entry.settings.clone()));
        request.prefix.clone_from(&entry.prefix);
    }
    if task == Some(ModelTask::Summarize) {
        request.task = Some("summarization".to_owned());
        // A model for many languages needs the code of the language that it summarises.
        let told = resolved.entry.and_then(|entry| entry.to.first()).map(|language| Request {
            from: Some(language.clone()),
            to: Some(language.clone()),
            ..request.clone()
        });
        return told.filter(|told| checkpoint.resolve(told).is_ok()).unwrap_or(request);
    }
    if task == Some(ModelTask::Translate) {
        (request.from, request.to) = (Some("nl".to_owned()), Some("en".to_owned()));
    }
    request
}

/// All effective settings, with the prefix if there is one, and the maximum of `generate` if it differs.
fn settings(usual: &Usual) -> Vec<Setting> {
    let Usual { article, generate } = usual;
    let mut settings = article.settings.origins.clone();
    let maximum = |setting: &&Setting| setting.name == "max_new_tokens";
    let other = generate.settings.origins.iter().find(maximum).filter(|other| !settings.contains(other)).cloned();
    if let (Some(other), Some(place)) = (other, settings.iter().position(|setting| maximum(&setting))) {
        settings.insert(place + 1, Setting { name: "max_new_tokens in `generate`", ..other });
    }
    settings.extend((!article.prefix.is_empty()).then(|| Setting {
        name: "prefix",
        value: Value::from(article.prefix.as_str()),
        origin: "put before every source".to_owned(),
    }));
    settings
}

fn row(label: &str, value: String) -> Vec<String> {
    vec![label.to_owned(), value]
}

fn about(entry: &CatalogEntry) -> impl Iterator<Item = Vec<String>> {
    let quality = entry.quality.clone().map(|quality| row("quality", quality));
    let head = entry.alignment_head.map(|[layer, head]| {
        row("word alignment", format!("layer {layer}, head {head} of the decoder (`translate --alignment`)"))
    });
    std::iter::once(row("note", entry.note.clone())).chain(quality).chain(head)
}

/// Prints the description of a model that is not installed, from the catalogue.
fn absent(name: &str, common: ListingOptions) -> Result<()> {
    let Some(entry) = hub::alias(name.split('@').next().unwrap_or(name)) else {
        bail!(format!("the model `{name}` is not installed").with_hint(format!("kortom models pull {name}")));
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
    common.print(&json!({ "name": name, "installed": false, "catalogue": entry }), &text)
}
