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
    let translating = hub.best_installed(ModelTask::Translate, "nl", "en").map(|best| best.files.name().to_owned());
    let summarising = hub.best_installed(ModelTask::Summarize, "en", "en").map(|best| best.files.name().to_owned());
    let placement = Placement::choose(DeviceChoice::Auto, ComputeType::Auto);
    let is_gpu = placement.is_ok_and(|placement| !placement.device.is_cpu());
    lines(translating.filter(|name| name != BUNDLED).as_deref(), summarising.as_deref(), is_gpu)
}

/// Five lines; with the built-in model they fit a terminal of 80 columns.
fn lines(translating: Option<&str>, summarising: Option<&str>, is_gpu: bool) -> String {
    let translates = translating.map_or("a small built-in model".to_owned(), |name| format!("`{name}`"));
    let summarises = summarising.map_or("extracts as summaries".to_owned(), |name| format!("summaries with `{name}`"));
    let place = if is_gpu { "graphics card" } else { "CPU" };
    let next = if translating.is_none() || summarising.is_none() {
        "kortom setup                fetches better models, once"
    } else {
        "kortom serve                the same in a browser, at http://127.0.0.1:5000"
    };
    format!(
        "Dutch to English with {translates} on the {place}; {summarises}.\n  \
         kortom digest article.txt   English with a short summary on top\n  \
         kortom translate            translates what you type, line by line\n  \
         {next}\n  \
         kortom --help               everything else; `kortom doctor`: this machine\n"
    )
}

#[cfg(test)]
mod tests {
    use super::lines;

    #[test]
    fn a_new_user_reads_five_lines_that_fit_a_terminal() {
        let text = lines(None, None, false);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        for (translating, summarising) in [(None, None), (Some("opus-mt-nl-en"), None), (None, Some("distilbart"))] {
            let text = lines(translating, summarising, false);
            assert_eq!(text.lines().count(), 5, "{text}");
            assert!(text.contains("kortom setup"), "{text}");
        }
        let text = lines(Some("opus-mt-nl-en"), Some("distilbart"), true);
        assert!(!text.contains("kortom setup") && text.contains("graphics card"), "{text}");
    }
}
