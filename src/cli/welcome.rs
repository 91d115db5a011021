//! The text that `kortom` prints without a command.

use std::io::{self, IsTerminal};

use kortom::device::{ComputeType, DeviceChoice, Placement};
use kortom::hub::{BUNDLED, Hub, ModelTask};

/// The welcome for an output that is not a terminal; it does not depend on this machine.
const WELCOME: &str = "\
kortom translates Dutch articles to English and summarises them, on this machine.

Try this:

  kortom digest article.txt        English with a short summary on top
  kortom translate article.txt     the translation only
  echo \"Goedemorgen.\" | kortom translate

A small demonstration model is built in. For translations worth reading, fetch a better one once:

  kortom models pull nl-en

  kortom doctor                    what this machine can do
  kortom --help                    everything else
";

/// The welcome; on a terminal five lines about this machine.
pub fn page() -> String {
    if io::stdout().is_terminal() { here(&Hub::from_env(false)) } else { WELCOME.to_owned() }
}

/// The welcome for a terminal: the models of this machine, and what to type next.
fn here(hub: &Hub) -> String {
    let translating = hub.best_installed(ModelTask::Translate, "nl", "en");
    let summarising = hub.best_installed(ModelTask::Summarize, "en", "en");
    let built_in = translating.as_ref().is_none_or(|best| best.files.name() == BUNDLED);
    let translates = match &translating {
        Some(best) if !built_in => format!("`{}`", best.files.name()),
        _ => "a small built-in model".to_owned(),
    };
    let summarises = match &summarising {
        Some(best) => format!("with `{}`", best.files.name()),
        None => "in sentences of their own".to_owned(),
    };
    let placement = Placement::choose(DeviceChoice::Auto, ComputeType::Auto);
    let place = if placement.is_ok_and(|placement| !placement.device.is_cpu()) { "graphics card" } else { "CPU" };
    let next = if built_in || summarising.is_none() {
        "kortom setup                fetches better models, once"
    } else {
        "kortom serve                the same in a browser, at http://127.0.0.1:5000"
    };
    format!(
        "Dutch articles in English, here with {translates} on the {place}; and summaries {summarises}.\n  \
         kortom digest article.txt   English with a short summary on top\n  \
         kortom translate            translates what you type, line by line\n  \
         {next}\n  \
         kortom --help               everything else; `kortom doctor` looks at this machine\n"
    )
}
