//! The memory of a job: opening it, and reporting on it.
//!
//! Invariant: a memory that cannot be used is an error before the first article; one that fails later gives a
//! warning.

use anyhow::{Result, bail};
use kortom::error::WithHint;
use kortom::memory::Memory;
use kortom::pipeline::Pipeline;

use super::pipeline_args::UsedMemory;
use super::progress::Screen;

/// The pipeline with a memory, if one is used.
///
/// # Errors
/// When the memory cannot be opened, or outputs are sampled.
pub fn add(pipeline: Pipeline, memory: Option<&UsedMemory>) -> Result<Pipeline> {
    let Some(UsedMemory { path, similar }) = memory else { return Ok(pipeline) };
    if pipeline.models().sample()? {
        bail!("a memory does not apply to outputs that are drawn by chance".with_hint("add --no-memory"));
    }
    pipeline.with_memory(Some(Memory::open(path)?), *similar)
}

/// Prints how many texts the memory of a pipeline knew, and its fault if it has failed.
pub fn tell(pipeline: &Pipeline, screen: &Screen) {
    let Some(memory) = pipeline.memory() else { return };
    if let Some(fault) = memory.take_fault() {
        screen.warning(fault);
    }
    let counts = memory.counts();
    if counts.asked > 0 {
        let known = counts.kept + counts.corrected;
        let corrected =
            if counts.corrected > 0 { format!(", {} of them corrected", counts.corrected) } else { String::new() };
        screen.notice(format!("memory: {known} of {} texts were known{corrected}", counts.asked));
    }
}
