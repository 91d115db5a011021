//! `kortom serve`: what was typed becomes a server.

use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use kortom::error::WithHint;
use kortom::pipeline::Pipeline;

use super::args::ServeArgs;
use super::glossary;
use super::pipeline_args::PipelineArgs;
use super::progress::Screen;
use super::recall;
use super::settings::SettingsFile;
use super::threads;
use crate::serve::models::ServedModels;
use crate::serve::{self, Keys, Limits};

/// Serves until it is interrupted.
pub fn run(args: &ServeArgs, file: &SettingsFile) -> Result<ExitCode> {
    let PipelineArgs { options, glossary, memory, threads } = PipelineArgs::serve(args, file)?;
    if options.detects {
        bail!("a server has usual languages".with_hint("name them with --from and --to; each request may say `auto`"));
    }
    let screen = Screen::new(&file.fill(&args.messages)?);
    let keys = args.api_keys.as_deref().map(Keys::load).transpose()?.unwrap_or_default();
    threads::start(threads)?;
    let pipeline = Pipeline::load_with(options, &screen)?;
    let pipeline = glossary::add(pipeline, glossary.as_deref(), &screen)?;
    let models = ServedModels::new(recall::add(pipeline, memory.as_ref())?)?;
    let limits = Limits {
        body: args.max_body,
        characters: args.max_chars,
        requests: args.max_requests,
        time: Duration::from_secs(args.timeout),
    };
    if !is_loopback(args.host) && !keys.are_needed() {
        screen.warning(
            format!("`{}` can be reached from other machines, and anybody may ask", args.host)
                .with_hint("--api-keys says who may"),
        );
    }
    serve::run(models, keys, limits, SocketAddr::new(args.host, args.port), |address| {
        screen.notice(format!("listening on http://{address}"));
    })?;
    Ok(ExitCode::SUCCESS)
}

fn is_loopback(host: IpAddr) -> bool {
    host.to_canonical().is_loopback()
}
