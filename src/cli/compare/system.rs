//! One of the two systems that are compared: its typed options, and its translation of the texts.
//!
//! Invariant: options behind a name are those of the command line under the same names, read by the same parser.

use std::path::Path;

use anyhow::{Result, bail};
use clap::{Arg, CommandFactory, Parser};
use kortom::compare::{ComparedSystem, Cost};
use kortom::device::{ComputeType, DeviceChoice};
use kortom::engine::settings::Mode;
use kortom::error::WithHint;
use kortom::pipeline::Pipeline;

use super::super::glossary;
use super::super::job::Job;
use super::super::options::{DecodeOptions, MachineOptions, SamplingOptions};
use super::super::progress::{Screen, cause, told};
use super::super::source_texts::{SourceTexts, TranslatedTexts};
use super::super::timings::{Timings, forget_peak_memory, peak_memory};
use super::super::values::at_least_one;
use crate::allocator;

/// A system as it was typed: `NAME`, or `NAME:option=value,option=value`.
pub struct NamedSystem {
    typed: String,
    /// The model; `None` for the best one installed.
    pub model: Option<String>,
    /// The options for this system alone.
    pub options: SystemOptions,
}

/// Options that may stand behind a name.
#[derive(Debug, Parser)]
#[command(no_binary_name = true, disable_help_flag = true, disable_version_flag = true)]
pub struct SystemOptions {
    #[arg(long)]
    pub adapter: Option<String>,
    #[arg(long)]
    pub device: Option<DeviceChoice>,
    #[arg(long)]
    pub compute_type: Option<ComputeType>,
    #[arg(long, value_parser = at_least_one)]
    pub batch_tokens: Option<usize>,
    #[command(flatten)]
    pub decode: DecodeOptions,
    #[command(flatten)]
    pub sampling: SamplingOptions,
}

/// The result of a system.
pub struct TranslatedBySystem {
    /// The system with its cost, and its error if it could not be used.
    pub system: ComparedSystem,
    /// The segments of each text.
    pub segments: TranslatedTexts,
    /// Number of texts that failed, or 1 if the system could not be used; each failure was printed.
    pub failed: usize,
}

impl NamedSystem {
    /// Parses a system as it was typed.
    ///
    /// # Errors
    /// When an option is unknown, or its value is not valid.
    pub fn parse(typed: &str) -> Result<Self> {
        let (name, options) = divide(typed);
        let arguments = options.map(|options| arguments(typed, options)).transpose()?.unwrap_or_default();
        let options = SystemOptions::try_parse_from(arguments).map_err(|error| {
            let said = error.render().to_string();
            // After the first empty line clap prints the usage of this parser, which users never type.
            let lines = said.lines().take_while(|line| !line.is_empty()).map(str::trim);
            let said = lines.collect::<Vec<_>>().join(" ").trim_start_matches("error: ").to_owned();
            anyhow::anyhow!(format!("`{typed}`: {said}").with_hint("`kortom compare --help` says what options take"))
        })?;
        let model = (!name.is_empty()).then(|| name.to_owned());
        Ok(Self { typed: typed.to_owned(), model, options })
    }

    /// The decoding options of the system: its own, completed by the `shared` ones of both. A beam size of its own
    /// rules out shared sampling, and sampling of its own a shared beam size.
    pub fn decoding(&self, shared: &DecodeOptions, chance: &SamplingOptions) -> (DecodeOptions, SamplingOptions) {
        let (own, own_chance) = (&self.options.decode, &self.options.sampling.values);
        let (mut decode, mut sampling) = (shared.clone(), chance.clone());
        if own_chance.sample == Some(true) {
            decode.search.values.leave_out(Mode::Beams);
        } else if own.search.values.num_beams.is_some() {
            sampling.values.leave_out(Mode::Sampling);
        }
        decode.search.values = own.search.values.or(&decode.search.values);
        decode.prefix = own.prefix.clone().or(decode.prefix);
        sampling.values = own_chance.or(&sampling.values);
        (decode, sampling)
    }

    /// The machine options of the system: its own, completed by the `shared` ones of both.
    pub fn machine(&self, shared: &MachineOptions) -> MachineOptions {
        let own = &self.options;
        MachineOptions {
            device: own.device.or(shared.device),
            compute_type: own.compute_type.or(shared.compute_type),
            batch_tokens: own.batch_tokens.or(shared.batch_tokens),
            ..shared.clone()
        }
    }
}

/// The name of a system and the options after it, if there are any. The path of an existing file or folder is a name
/// as a whole.
fn divide(typed: &str) -> (&str, Option<&str>) {
    let is_option = |text: &str| {
        let name = text.split(['=', ',']).next().unwrap_or_default();
        !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '-')
    };
    let mut parts = typed.match_indices(':').map(|(at, _)| (&typed[..at], &typed[at + 1..]));
    match parts.find(|(_, options)| is_option(options)) {
        Some((name, options)) if !Path::new(typed).exists() => (name, Some(options)),
        _ => (typed, None),
    }
}

/// The options after a name as arguments of a command line. A comma separates options if the name of an option
/// follows.
fn arguments(typed: &str, options: &str) -> Result<Vec<String>> {
    let command = SystemOptions::command();
    let known: Vec<&Arg> = command.get_arguments().collect();
    let mut arguments: Vec<String> = Vec::new();
    for part in options.split(',') {
        let (name, value) = part.split_once('=').map_or((part, None), |(name, value)| (name, Some(value)));
        let option = known.iter().find(|option| option.get_long() == Some(name));
        let is_switch = option.is_some_and(|option| option.get_num_args().is_some_and(|count| !count.takes_values()));
        match (option, arguments.last_mut()) {
            (Some(_), _) if is_switch && value == Some("false") => {}
            (Some(_), _) if is_switch && value == Some("true") => arguments.push(format!("--{name}")),
            (Some(_), _) => arguments.push(format!("--{part}")),
            (None, Some(last)) if value.is_none() => *last += &format!(",{part}"),
            (None, _) => {
                let names: Vec<String> =
                    known.iter().filter_map(|option| Some(format!("`{}`", option.get_long()?))).collect();
                bail!(
                    format!("`{typed}`: there is no option `{name}` that counts for one model alone")
                        .with_hint(format!("those are {}", names.join(", ")))
                );
            }
        }
    }
    Ok(arguments)
}

/// Loads a system, translates all texts with it, and drops it. Its errors are printed and are in the result.
pub fn translate(named: &NamedSystem, job: &Job, texts: &SourceTexts, screen: &mut Screen) -> TranslatedBySystem {
    // Freed memory of the other system must not count as memory of this one.
    allocator::give_back_freed();
    let measured = forget_peak_memory();
    let system = ComparedSystem { name: named.typed.clone(), ..ComparedSystem::default() };
    let pipeline = Pipeline::load_with(job.options().clone(), screen).map_err(anyhow::Error::from);
    match pipeline.and_then(|pipeline| glossary::add(pipeline, job.pipeline.glossary.as_deref(), screen)) {
        Ok(pipeline) => with(&pipeline, system, measured, texts, screen),
        Err(error) => {
            screen.error(format!("`{}`: {}", named.typed, told(&error)));
            let segments = texts.with_none();
            TranslatedBySystem { system: ComparedSystem { error: Some(cause(&error)), ..system }, segments, failed: 1 }
        }
    }
}

fn with(
    pipeline: &Pipeline,
    system: ComparedSystem,
    measured: bool,
    texts: &SourceTexts,
    screen: &mut Screen,
) -> TranslatedBySystem {
    let models = pipeline.models();
    let (segments, failures) = texts.translate(pipeline, screen);
    for failure in &failures {
        screen.error(format!("`{}`: `{}`: {}", system.name, failure.name, told(&failure.error)));
    }
    let timings = Timings::of(models);
    let engine = models.all().next().map(kortom::pipeline::LoadedModel::engine);
    let system = ComparedSystem {
        model: engine.map(|engine| engine.name().to_owned()),
        placement: engine.map(|engine| engine.placement().description.clone()),
        cost: Cost {
            load: timings.load,
            work: timings.encode + timings.decode,
            tokens: timings.tokens,
            peak_memory: if measured { peak_memory() } else { None },
        },
        ..system
    };
    TranslatedBySystem { system, segments, failed: failures.len() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_behind_a_name_are_those_of_the_command_line() {
        let system =
            NamedSystem::parse("owner/name@v1:beam-size=4,early-stopping=true,prefix=a, b: c,device=cpu").unwrap();
        assert_eq!(system.model.as_deref(), Some("owner/name@v1"));
        let (decode, _) = system.decoding(&DecodeOptions::default(), &SamplingOptions::default());
        assert_eq!((decode.search.values.num_beams, decode.prefix.as_deref()), (Some(4), Some("a, b: c")));
        assert_eq!(system.options.device.map(|device| device.to_string()).as_deref(), Some("cpu"));
        assert_eq!(NamedSystem::parse(":beam-size=2").unwrap().model, None);
        for name in ["nl-en", "C:\\models\\mine", "./a:b/c"] {
            assert_eq!(NamedSystem::parse(name).unwrap().model.as_deref(), Some(name));
        }
    }

    #[test]
    fn what_counts_for_one_alone_overrules_what_counts_for_both() {
        let both = NamedSystem::parse("m:sample=true,temperature=0.5").unwrap();
        let (shared, chance) = (both.options.decode, both.options.sampling);
        let (_, sampling) = NamedSystem::parse("m:beam-size=2").unwrap().decoding(&shared, &chance);
        assert_eq!((sampling.values.sample, sampling.values.temperature), (None, None));
        let (_, sampling) = NamedSystem::parse("m:sample,temperature=0.7").unwrap().decoding(&shared, &chance);
        assert_eq!((sampling.values.sample, sampling.values.temperature), (Some(true), Some(0.7)));
        let machine = MachineOptions { threads: Some(2), batch_tokens: Some(9), ..MachineOptions::default() };
        let machine = NamedSystem::parse("m:batch-tokens=7").unwrap().machine(&machine);
        assert_eq!((machine.threads, machine.batch_tokens), (Some(2), Some(7)));
    }

    #[test]
    fn what_is_no_option_is_named() {
        for (typed, said) in [
            ("nl-en:beam-sise=4", "no option `beam-sise`"),
            ("nl-en:threads=4", "no option `threads`"),
            ("nl-en:beam-size=many", "invalid value 'many'"),
            ("nl-en:beam-size", "`nl-en:beam-size`: "),
            ("nl-en:temperature=0.5", "--sample"),
        ] {
            let error = NamedSystem::parse(typed).map(|_| ()).unwrap_err().to_string();
            assert!(error.contains(said) && error.contains("\nhint: "), "{typed}: {error}");
        }
    }
}
