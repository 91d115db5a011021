//! `kortom config`: the settings in effect and where each comes from.

use std::env;
use std::fmt::Write;

use anyhow::{Context, Result, ensure};
use kortom::error::WithHint;
use kortom::kernels::simd::Level;

use super::args::{ConfigArgs, ConfigCommand};
use super::options::AllOptions;
use super::settings::SettingsFile;

/// The environment variables that kortom reads, and the purpose of each.
pub const VARIABLES: [(&str, &str); 14] = [
    ("KORTOM_MODELS", "a folder of model folders, looked in first"),
    ("HF_HOME", "the folder of everything Hugging Face"),
    ("HF_HUB_CACHE", "the cache of models, else the folder `hub` in HF_HOME"),
    ("HF_ENDPOINT", "the Hub's address"),
    ("HF_TOKEN", "an access token for models that are not open to all"),
    ("HF_TOKEN_PATH", "the file such a token is in, else `token` in HF_HOME"),
    ("HF_HUB_OFFLINE", "1: open no network connection"),
    ("HTTP_PROXY", "the proxy for http addresses"),
    ("HTTPS_PROXY", "the proxy for https addresses"),
    ("ALL_PROXY", "the proxy for both, where theirs is not set"),
    ("NO_PROXY", "hosts that are reached without it"),
    ("SSL_CERT_FILE", "certificates to trust in place of the system's"),
    ("NO_COLOR", "no colours"),
    (SIMD, "the instruction set to compute with, instead of the processor's best"),
];

/// See [`set_simd`].
const SIMD: &str = "KORTOM_SIMD";

/// Sets the instruction set that the environment variable names.
///
/// # Errors
/// When there is no instruction set of that name, or the processor lacks it.
pub fn set_simd() -> Result<()> {
    let Some(name) = env::var_os(SIMD).filter(|name| !name.is_empty()) else { return Ok(()) };
    let has: Vec<&str> = Level::ALL.into_iter().filter(|level| level.exists()).map(Level::name).collect();
    let taken = name.to_str().and_then(Level::named).is_some_and(Level::force);
    ensure!(
        taken,
        format!("{SIMD} is `{}`, which this processor cannot compute with", name.to_string_lossy())
            .with_hint(format!("unset it, or name one of: {}", has.join(", ")))
    );
    Ok(())
}

/// The output of `kortom config`.
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
    for (name, _) in VARIABLES {
        writeln!(page, "{name:names$}  {}", variable(name))?;
    }
    Ok(page)
}

/// The value of a variable; those of proxies may also have names in small letters. Of tokens and proxies, which may
/// contain a password, only whether they are set.
fn variable(name: &str) -> String {
    let proxy = name.ends_with("_PROXY").then(|| env::var(name.to_lowercase()).ok()).flatten();
    let secret = name == "HF_TOKEN" || name.ends_with("_PROXY");
    match proxy.or_else(|| env::var(name).ok()) {
        None => "not set".to_owned(),
        Some(_) if secret => "set".to_owned(),
        Some(value) => value,
    }
}
