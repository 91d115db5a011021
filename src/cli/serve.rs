//! `kortom serve`: what was typed becomes a server.

use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};

use super::args::ServeArgs;
use super::engines::Models;
use super::job::Job;
use super::progress::Screen;
use super::settings::SettingsFile;
use super::terms;
use super::threads;
use crate::serve::models::Pair;
use crate::serve::{self, Keys, Limits};

/// Serves until it is interrupted.
pub fn run(args: &ServeArgs, file: &SettingsFile) -> Result<ExitCode> {
    let job = Job::serve(args, file)?;
    if job.detects() {
        bail!("a server has usual languages\nhint: name them with --from and --to; each request may say `auto`");
    }
    let keys = args.api_keys.as_deref().map(Keys::load).transpose()?.unwrap_or_default();
    threads::start(job.machine.threads)?;
    let screen = Screen::new(&job.print.messages);
    let models = Models::load(&job, &screen)?;
    let glossary = {
        let session = models.translation.as_ref().map(super::engines::Model::session).transpose()?;
        terms::load(&job, session.as_ref(), &screen)?
    };
    let usual = Pair { from: job.from().to_owned(), to: job.to().to_owned() };
    let mut models = models.for_serving(&usual)?;
    models.glossary = glossary;
    models.length = job.summary.and_then(|wish| wish.length);
    let limits = Limits {
        body: args.max_body,
        characters: args.max_chars,
        requests: args.max_requests,
        time: Duration::from_secs(args.timeout),
    };
    if !is_loopback(args.host) && !keys.are_needed() {
        screen.warning(format!(
            "`{}` can be reached from other machines, and anybody may ask\nhint: --api-keys says who may",
            args.host
        ));
    }
    serve::run(models, keys, limits, SocketAddr::new(args.host, args.port), |address| {
        screen.notice(format!("listening on http://{address}"));
    })?;
    Ok(ExitCode::SUCCESS)
}

fn is_loopback(host: IpAddr) -> bool {
    host.to_canonical().is_loopback()
}
