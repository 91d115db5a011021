//! `kortom bench`: generated tokens per second on this machine.
//!
//! Invariant: every row generates the same number of tokens for each sentence, so that rows compare.

use std::fmt::Write;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use kortom::engine::Session;
use kortom::engine::settings::Overrides;
use kortom::pipeline::Models;

use super::args::BenchArgs;
use super::options::MessageOptions;
use super::pipeline_args::PipelineArgs;
use super::progress::Screen;
use super::settings::SettingsFile;

/// Number of tokens that are generated for each sentence.
const TOKENS: usize = 30;
/// The sentence that is translated.
const SENTENCE: &str =
    "De gemeente wil dat er volgend jaar op het oude terrein achter het station nieuwe woningen komen.";

/// Measures 1 and 4 beams with 1 and 32 sentences at a time; on a GPU also with 512.
pub fn run(args: &BenchArgs, file: &SettingsFile) -> Result<ExitCode> {
    let screen = Screen::new(&MessageOptions::default());
    let models = Models::load(&PipelineArgs::bench(args, file)?.options, &screen)?;
    let model = models.translation()?;
    let mut table = format!("{}\n\nbeams  sentences  generated tokens/s\n", model.engine().name());
    let counts: &[usize] = if model.engine().placement().device.is_cpu() { &[1, 32] } else { &[1, 32, 512] };
    for beams in [1, 4] {
        let session = model.session_with(Overrides {
            num_beams: Some(beams),
            min_new_tokens: Some(TOKENS),
            max_new_tokens: Some(TOKENS),
            ..Overrides::default()
        })?;
        for &sentences in counts {
            let rate = measure(&session, sentences)?;
            writeln!(table, "{beams:5}  {sentences:9}  {rate:18.1}")?;
        }
    }
    for notice in model.notices() {
        screen.notice(notice);
    }
    super::print(&table)
}

/// Generated tokens per second: the best of three runs, after one to warm up.
fn measure(session: &Session<'_>, sentences: usize) -> Result<f64> {
    let sources = vec![SENTENCE; sentences];
    session.generate(&sources)?;
    let mut best: f64 = 0.0;
    for _ in 0..3 {
        let start = Instant::now();
        let tokens: usize = session.generate(&sources)?.iter().map(|generation| generation.target_tokens).sum();
        best = best.max(tokens as f64 / start.elapsed().as_secs_f64());
    }
    Ok(best)
}
