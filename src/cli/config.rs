//! `kortom config`: the settings in effect and where each comes from.

use std::env;
use std::fmt::Write;

use anyhow::{Context, Result};

use super::args::{ConfigArgs, ConfigCommand};
use super::options::AllOptions;
use super::settings::SettingsFile;

/// Variables that kortom heeds, besides its options.
const VARIABLES: [&str; 10] = [
    "KORTOM_MODELS",
    "HF_HOME",
    "HF_HUB_CACHE",
    "HF_ENDPOINT",
    "HF_TOKEN",
    "HF_HUB_OFFLINE",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "NO_COLOR",
];

/// What the command prints.
pub fn answer(args: &ConfigArgs, file: &SettingsFile) -> Result<String> {
    match &args.command {
        ConfigCommand::Show(options) => show(options, file),
        ConfigCommand::Path => Ok(format!("{}\n", location()?)),
    }
}

fn location() -> Result<String> {
    let path = SettingsFile::location().context("this system has no folder for settings")?;
    Ok(path.display().to_string())
}

fn show(options: &AllOptions, file: &SettingsFile) -> Result<String> {
    let rows = file.origins(options)?;
    let width = |column: fn(&(String, String, String)) -> &str| {
        rows.iter().map(|row| column(row).chars().count()).max().unwrap_or(0)
    };
    let (names, values) = (width(|row| &row.0), width(|row| &row.1));
    let mut page = format!("settings file: {}\n\n", location()?);
    for (name, value, from) in &rows {
        writeln!(page, "{name:names$}  {value:values$}  {from}")?;
    }
    page += "\nenvironment\n";
    for name in VARIABLES {
        writeln!(page, "{name:names$}  {}", variable(name))?;
    }
    Ok(page)
}

/// A variable's value; a token and what may stand in a proxy's address are nobody's business.
fn variable(name: &str) -> String {
    let secret = name == "HF_TOKEN" || name.ends_with("_PROXY");
    match env::var(name) {
        Err(_) => "not set".to_owned(),
        Ok(_) if secret => "set".to_owned(),
        Ok(value) => value,
    }
}
