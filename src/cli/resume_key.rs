//! The resume key: everything but the inputs that outputs depend on. `--resume` skips an output only if its key is
//! equal.
//!
//! Invariant: equal keys mean equal outputs. A `Job` and the options inside it are taken apart field by field, so
//! that the code does not compile with a new field until it says whether outputs depend on that. The settings of a
//! model are in the key as a whole.

use anyhow::Result;
use kortom::document::ReadOptions;
use kortom::glossary::Glossary;
use kortom::kernels::simd::Level;
use kortom::memory::Memory;
use kortom::pipeline::{DecodingLayers, ModelKey, Pipeline, PipelineOptions, PipelineTask, SummaryRequest};
use kortom::render::Additions;
use kortom::render::journal::sha256;
use serde::Serialize;

use super::inputs::Source;
use super::job::Job;
use super::pipeline_args::PipelineArgs;

/// All settings that the outputs of a run depend on.
#[derive(Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the command line")]
pub struct ResumeKey<'a> {
    version: &'static str,
    task: PipelineTask,
    lines: bool,
    fields: &'a [String],
    field_format: String,
    html_whole: bool,
    overwrite: bool,
    additions: Additions,
    from: &'a str,
    detects: bool,
    to: &'a str,
    summary: Option<SummaryRequest>,
    /// Whether the user set the length of a summary in tokens, even if it equals that of the model.
    sets_summary_tokens: bool,
    has_n_best: bool,
    device: Option<String>,
    compute_type: Option<String>,
    /// The instruction set, because sums differ in their last digits between instruction sets.
    simd: &'static str,
    models: Vec<ModelKey>,
    summary_of_source: Option<bool>,
    glossary: Option<String>,
    /// The set of corrections in the memory; kept outputs do not change results.
    corrections: String,
    /// The percentage from which on similar sources are listed.
    similar: Option<u8>,
}

/// All that one output depends on.
#[derive(Serialize)]
struct OutputKey<'a> {
    settings: &'a str,
    name: &'a str,
    format: String,
    output: String,
    content: &'a str,
}

impl<'a> ResumeKey<'a> {
    /// The key of a job that is done by this pipeline.
    ///
    /// # Errors
    /// When a model cannot do what the options want.
    pub fn new(job: &'a Job, pipeline: &'a Pipeline) -> Result<Self> {
        // Outputs do not depend on which other inputs there are, on where they go, and on what is printed.
        let Job {
            lines,
            found: _,
            destination: _,
            resume: _,
            reading,
            html_whole,
            additions,
            pipeline: args,
            print: _,
        } = job;
        let ReadOptions { fields, field_format, overwrite, max_unpacked: _, without_comments: _ } = reading;
        let PipelineArgs { options, glossary: _, memory, threads: _ } = args;
        // Models with their adapters and the glossary are in the key by what they hold, languages as they are read, options of
        // decoding and of attention as the models settled them.
        let PipelineOptions {
            task,
            model: _,
            adapter: _,
            summary_model: _,
            from: _,
            detects,
            to: _,
            summary,
            global_attention: _,
            aligns: _,
            alignment_head: _,
            decoding: DecodingLayers { flags: _, file: _, prefix: _, first_flag: _ },
            device,
            compute_type,
            cache: _,
            offline: _,
            batch_tokens: _,
        } = options;
        let models = pipeline.models();
        Ok(Self {
            version: env!("CARGO_PKG_VERSION"),
            task: *task,
            lines: *lines,
            fields,
            field_format: format!("{field_format:?}"),
            html_whole: *html_whole,
            overwrite: *overwrite,
            additions: *additions,
            from: options.source_language(),
            detects: *detects,
            to: options.target_language(),
            summary: *summary,
            sets_summary_tokens: options.sets_summary_tokens(),
            has_n_best: job.has_n_best(),
            device: device.map(|device| device.to_string()),
            compute_type: compute_type.map(|compute| compute.to_string()),
            simd: Level::current().name(),
            models: models.keys()?,
            summary_of_source: models.summary.as_ref().map(|summary| summary.source),
            glossary: pipeline.glossary().map(Glossary::describe),
            corrections: pipeline.memory().map(Memory::edition).transpose()?.unwrap_or_default(),
            similar: memory.as_ref().and_then(|memory| memory.similar),
        })
    }

    /// The key as a hash.
    ///
    /// # Errors
    /// Never in practice: all of it can be written as JSON.
    pub fn hash(&self) -> Result<String> {
        Ok(sha256(serde_json::to_vec(self)?.as_slice())?)
    }
}

/// The key of one output: the settings' hash, the input's name, formats and content.
///
/// # Errors
/// Never in practice: all of it can be written as JSON.
pub fn of_output(settings: &str, source: &Source, content: &str) -> Result<String> {
    let Source { name, path: _, relative: _, format, output, framing: _ } = source;
    let (format, output) = (format!("{format:?}"), format!("{output:?}"));
    Ok(sha256(serde_json::to_vec(&OutputKey { settings, name, format, output, content })?.as_slice())?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use clap::Parser;
    use kortom::memory::{ExchangeFormat, Forget};

    use super::*;
    use crate::cli::commands::{Command, Typed};
    use crate::cli::options::{AllOptions, MessageOptions};
    use crate::cli::progress::Screen;
    use crate::cli::settings::SettingsFile;
    use crate::cli::{glossary, recall};

    const MARIAN: &str = "translate --model tests/fixtures/tiny-marian";
    const NLLB: &str = "translate --model tests/fixtures/tiny-nllb";
    const SAMPLE: &str = "translate --model tests/fixtures/tiny-marian --sample";
    const DIGEST: &str = "digest --model tests/fixtures/tiny-marian";
    const LED: &str = "generate --model tests/fixtures/tiny-led";
    const MEMORY: &str = "--memory IN_FOLDER";
    const GENERATE: &str = "generate --model tests/fixtures/tiny-marian --beam-size 3 --format jsonl";

    /// Each option that outputs depend on: a command, what it is given, and what it may be given instead.
    const CHANGES: [(&str, &str, &str, &str); 34] = [
        ("model", "translate", "--model tests/fixtures/tiny-marian", "--model tests/fixtures/tiny-marian-untied"),
        ("summary-model", DIGEST, "--method extractive", "--summary-model tests/fixtures/tiny-t5"),
        ("from", NLLB, "", "--from de"),
        ("to", NLLB, "", "--to de"),
        ("global-attention", LED, "", "--global-attention first"),
        ("glossary", MARIAN, "", "--glossary tests/fixtures/glossary/terms.tsv"),
        ("device", MARIAN, "", "--device cpu"),
        ("compute-type", MARIAN, "", "--compute-type f32"),
        ("prefix", MARIAN, "", "--prefix ja"),
        ("beam-size", MARIAN, "", "--beam-size 3"),
        ("length-penalty", MARIAN, "", "--length-penalty 0.7"),
        ("early-stopping", MARIAN, "", "--early-stopping never"),
        ("no-repeat-ngram", MARIAN, "", "--no-repeat-ngram 2"),
        ("repetition-penalty", MARIAN, "", "--repetition-penalty 1.3"),
        ("min-length", MARIAN, "", "--min-length 3"),
        ("max-length", MARIAN, "", "--max-length 9"),
        ("n-best", GENERATE, "", "--n-best 2"),
        ("sample", MARIAN, "", "--sample"),
        ("temperature", SAMPLE, "", "--temperature 0.7"),
        ("top-k", SAMPLE, "", "--top-k 3"),
        ("top-p", SAMPLE, "", "--top-p 0.7"),
        ("seed", SAMPLE, "", "--seed 7"),
        ("input-format", MARIAN, "", "--input-format markdown"),
        ("field", MARIAN, "--input-format jsonl", "--input-format jsonl --field body"),
        ("field-format", MARIAN, "--input-format jsonl", "--input-format jsonl --field-format html"),
        ("html-whole", MARIAN, "--input-format html", "--input-format html --html-whole"),
        ("overwrite", MARIAN, "--input-format po", "--input-format po --overwrite"),
        ("bilingual", MARIAN, "--input-format docx", "--input-format docx --bilingual"),
        ("comments", MARIAN, "--input-format odt", "--input-format odt --comments"),
        ("alignment", MARIAN, "", "--alignment --alignment-head -1,0"),
        ("alignment-head", MARIAN, "--alignment-head -1,0", "--alignment-head -1,1"),
        ("format", MARIAN, "", "--format json"),
        ("summary-length", DIGEST, "--method extractive", "--method extractive --summary-length 1"),
        ("memory-fuzzy", MARIAN, MEMORY, "--memory IN_FOLDER --memory-fuzzy 80"),
    ];
    /// Each option that outputs do not depend on.
    const OTHERS: [(&str, &str, &str, &str); 13] = [
        ("threads", MARIAN, "", "--threads 1"),
        ("batch-tokens", MARIAN, "", "--batch-tokens 64"),
        ("no-cache", MARIAN, "", "--no-cache"),
        ("max-unpacked", MARIAN, "--input-format docx", "--input-format docx --max-unpacked 512"),
        ("offline", MARIAN, "", "--offline"),
        ("output", MARIAN, "--output one/", "--output another/"),
        ("resume", MARIAN, "--output one/", "--output one/ --resume"),
        ("strict", MARIAN, "", "--strict"),
        ("timings", MARIAN, "", "--timings"),
        ("quiet", MARIAN, "", "--quiet"),
        ("verbose", MARIAN, "", "--verbose"),
        // Corrections do, but there are none in it.
        ("memory", MARIAN, "", MEMORY),
        ("no-memory", MARIAN, MEMORY, "--memory IN_FOLDER --no-memory"),
    ];
    /// The options that decide which part of a memory segments are in.
    const OF_SEGMENTS: [&str; 16] = [
        "model",
        "from",
        "to",
        "global-attention",
        "prefix",
        "beam-size",
        "length-penalty",
        "early-stopping",
        "no-repeat-ngram",
        "repetition-penalty",
        "min-length",
        "max-length",
        "n-best",
        "sample",
        "alignment",
        "alignment-head",
    ];

    /// The job of a command and its pipeline; `IN_FOLDER` is a file in a folder.
    fn load(command: &str, folder: &Path) -> (Job, Pipeline) {
        let command = command.replace("IN_FOLDER", folder.join("memory").to_str().unwrap());
        let typed = Typed::try_parse_from(["kortom"].into_iter().chain(command.split_whitespace())).unwrap();
        let file = SettingsFile::default();
        let job = match typed.command.unwrap() {
            Command::Digest(args) => Job::digest(&args, &file),
            Command::Translate(args) => Job::translate(&args, &file),
            Command::Generate(args) => Job::generate(&args, &file),
            _ => panic!("`{command}` has no outputs"),
        };
        let job = job.unwrap();
        let screen = Screen::new(&MessageOptions { quiet: Some(true), ..MessageOptions::default() });
        let pipeline = Pipeline::load_with(job.options().clone(), &screen).unwrap();
        let pipeline = glossary::add(pipeline, job.pipeline.glossary.as_deref(), &screen).unwrap();
        let pipeline = recall::add(pipeline, job.pipeline.memory.as_ref()).unwrap();
        (job, pipeline)
    }

    fn key(command: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let (job, pipeline) = load(command, folder.path());
        let settings = ResumeKey::new(&job, &pipeline).unwrap().hash().unwrap();
        of_output(&settings, &job.found.sources[0], "content").unwrap()
    }

    #[test]
    fn each_option_that_changes_outputs_is_in_the_key_and_no_other() {
        for (option, command, one, other) in CHANGES {
            let (one, other) = (format!("{command} {one}"), format!("{command} {other}"));
            assert_ne!(key(&one), key(&other), "`--{option}` is not in the key");
        }
        for (option, command, one, other) in OTHERS {
            let (one, other) = (format!("{command} {one}"), format!("{command} {other}"));
            assert_eq!(key(&one), key(&other), "`--{option}` does not change outputs");
        }
    }

    /// Which part of a memory the segments of a command are in.
    fn session_key(command: &str) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let (_, pipeline) = load(command, folder.path());
        let pipeline = pipeline.with_memory(Some(Memory::open(&folder.path().join("memory")).unwrap()), None).unwrap();
        let model = pipeline.models().translation().unwrap();
        let (from, to) = (pipeline.options().source_language(), pipeline.options().target_language());
        pipeline.session_key(model, &model.session().unwrap(), from, to).unwrap()
    }

    /// An option that is not known here is in neither of the tables above, so that the test below fails.
    #[test]
    fn segments_are_kept_under_each_option_that_decides_them_and_no_other() {
        let of_machine = ["device", "compute-type"];
        let of_chance = ["temperature", "top-k", "top-p", "seed"];
        let rows = CHANGES.iter().chain(&OTHERS);
        for (option, command, one, other) in
            rows.filter(|row| !of_machine.contains(&row.0) && !of_chance.contains(&row.0))
        {
            let (one, other) = (session_key(&format!("{command} {one}")), session_key(&format!("{command} {other}")));
            assert_eq!(one != other, OF_SEGMENTS.contains(option), "`--{option}`");
        }
    }

    #[test]
    fn corrections_are_in_the_key() {
        let folder = tempfile::tempdir().unwrap();
        let key = || {
            let (job, pipeline) = load(&format!("{MARIAN} {MEMORY}"), folder.path());
            ResumeKey::new(&job, &pipeline).unwrap().hash().unwrap()
        };
        let without = key();
        let memory = Memory::open(&folder.path().join("memory")).unwrap();
        let import = |text: &str| {
            let units = ExchangeFormat::Tsv.read(text.as_bytes(), "nl", "en").unwrap();
            memory.import(units, false).unwrap();
        };
        import("Ja.\tYes.");
        let with = key();
        assert_ne!(without, with);
        import("Ja.\tYes.");
        assert_eq!(key(), with, "nothing has changed");
        import("Ja.\tYeah.");
        assert_ne!(key(), with);
        memory.forget(&Forget::Corrections).unwrap();
        assert_eq!(key(), without);
    }

    #[test]
    fn of_every_option_it_is_known_whether_outputs_depend_on_it() {
        let all = serde_json::to_value(AllOptions::default()).unwrap();
        let all: BTreeSet<&str> = all.as_object().unwrap().keys().map(String::as_str).collect();
        // Where a method is another one, the summary model is too.
        let known = CHANGES.iter().chain(&OTHERS).map(|row| row.0).chain(["method"]).collect();
        assert_eq!(all, known, "an option is in neither table above, or is gone");
    }
}
