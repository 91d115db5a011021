//! `kortom doctor`: what this machine and this build can do, a verdict per line, and what to do about the rest.

use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write as _};
use std::net::{TcpStream, ToSocketAddrs};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use kortom::device::{ComputeType, DeviceChoice, Placement};
use kortom::error::{self, WithHint};
use kortom::hub::{self, BUNDLED, Hub, Installed, ModelTask};
use kortom::kernels::simd::Level;
use kortom::memory::Memory;
use kortom::model::family;

use super::args::DoctorArgs;
use super::memory;
use super::progress::told;
use super::settings::SettingsFile;
use super::timings::field;

/// The least compute capability candle's CUDA kernels are built for by default.
const LEAST_CAPABILITY: f32 = 8.0;

/// One line of the report.
struct Diagnosis {
    verdict: &'static str,
    subject: &'static str,
    text: String,
    remedy: Option<String>,
}

impl Diagnosis {
    fn good(subject: &'static str, text: impl Into<String>) -> Self {
        Self { verdict: "ok", subject, text: text.into(), remedy: None }
    }

    fn note(subject: &'static str, text: impl Into<String>) -> Self {
        Self { verdict: "note", subject, text: text.into(), remedy: None }
    }

    fn remedy(mut self, verdict: &'static str, remedy: impl Into<String>) -> Self {
        self.verdict = verdict;
        self.remedy = Some(remedy.into());
        self
    }
}

/// The longest time that a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(4);

/// Asks a server whether it is well, as the health check of a container does.
pub fn ask(address: &str) -> Result<String> {
    let answer = || -> Result<String> {
        let place = address.to_socket_addrs()?.next().context("no such address")?;
        let mut stream = TcpStream::connect_timeout(&place, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(stream, "GET /health HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    let hint = "look at what `kortom serve` says, and at its `--host` and `--port`";
    let answer = answer()
        .map_err(|error| anyhow!(format!("the server at `{address}` does not answer: {error}").with_hint(hint)))?;
    match answer.lines().next() {
        Some(status) if status.contains(" 200 ") => Ok(format!("the server at {address} is well\n")),
        other => bail!(format!("the server at `{address}` says `{}`", other.unwrap_or_default()).with_hint(hint)),
    }
}

/// The whole report; `fault` is why the settings file cannot be used.
pub fn report(args: &DoctorArgs, settings: &SettingsFile, fault: Option<&anyhow::Error>) -> String {
    let hub = Hub::from_env(args.offline);
    let mut page = format!("kortom {}\n\n", env!("CARGO_PKG_VERSION"));
    let mut findings = vec![processor(), threads(), main_memory(), graphics(), build()];
    findings.extend(folders(&hub));
    findings.extend(settings_file(fault));
    findings.extend(kept(settings));
    findings.push(network(&hub));
    findings.extend(models(&hub));
    for finding in &findings {
        // Writing to a string cannot fail.
        let _ = writeln!(page, "{:6} {:9} {}", format!("[{}]", finding.verdict), finding.subject, finding.text);
        if let Some(remedy) = &finding.remedy {
            let _ = writeln!(page, "{:16} hint: {remedy}", "");
        }
    }
    page
}

#[cfg(target_arch = "x86_64")]
fn processor() -> Diagnosis {
    let features = [
        ("AVX2", is_x86_feature_detected!("avx2")),
        ("FMA", is_x86_feature_detected!("fma")),
        ("F16C", is_x86_feature_detected!("f16c")),
        ("AVX-512", is_x86_feature_detected!("avx512f")),
        ("VNNI", is_x86_feature_detected!("avx512vnni") || is_x86_feature_detected!("avxvnni")),
    ];
    let has: Vec<&str> = features.iter().filter(|(_, has)| *has).map(|(name, _)| *name).collect();
    let lacks: Vec<&str> = features.iter().filter(|(_, has)| !*has).map(|(name, _)| *name).collect();
    let mut text =
        format!("x86-64 with {}", if has.is_empty() { "none of the fast paths".to_owned() } else { has.join(", ") });
    if !lacks.is_empty() {
        text += &format!(" (not: {})", lacks.join(", "));
    }
    text += &format!("; computing with {}", Level::current().name());
    let finding = Diagnosis::good("processor", text);
    if has.contains(&"AVX2") && has.contains(&"FMA") {
        return finding;
    }
    finding.remedy("slow", "it works, but a processor with AVX2 is several times as fast")
}

#[cfg(not(target_arch = "x86_64"))]
fn processor() -> Diagnosis {
    Diagnosis::good("processor", format!("{}; computing with {}", std::env::consts::ARCH, Level::current().name()))
}

fn threads() -> Diagnosis {
    match std::thread::available_parallelism() {
        Ok(threads) => Diagnosis::good("threads", format!("{threads} (fewer with --threads)")),
        Err(error) => Diagnosis::note("threads", format!("unknown: {error}")).remedy("note", "give --threads yourself"),
    }
}

fn main_memory() -> Diagnosis {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let gibibytes = |bytes: u64| bytes as f64 / f64::from(1 << 30);
    match (field(&text, "MemTotal:"), field(&text, "MemAvailable:")) {
        (Some(total), Some(free)) => {
            let line = format!("{:.1} GiB, {:.1} GiB of it free", gibibytes(total), gibibytes(free));
            let finding = Diagnosis::good("memory", line);
            if free >= 1 << 30 {
                return finding;
            }
            finding.remedy("low", "close other programs, or use a small model and a lower --batch-tokens")
        }
        _ => Diagnosis::note("memory", "this system does not tell"),
    }
}

/// What `nvidia-smi` says of the first GPU: its name, memory and compute capability.
fn nvidia() -> Option<(String, Option<f32>)> {
    let query = ["--query-gpu=name,memory.total,compute_cap", "--format=csv,noheader"];
    let output = Command::new("nvidia-smi").args(query).output().ok().filter(|output| output.status.success())?;
    let line = String::from_utf8_lossy(&output.stdout).lines().next()?.trim().to_owned();
    let capability = line.rsplit(',').next().and_then(|text| text.trim().parse().ok());
    Some((line, capability))
}

fn graphics() -> Diagnosis {
    if cfg!(feature = "cuda") {
        // The program itself tries the GPU, because a run will do so too.
        return match Placement::choose(DeviceChoice::Cuda(0), ComputeType::Auto) {
            Ok(placement) => Diagnosis::good("gpu", placement.description),
            Err(error) => {
                let error = kortom::Error::from(error);
                let remedy = error.hint().unwrap_or("check it with `nvidia-smi`");
                Diagnosis::note("gpu", format!("{}; the CPU is used", error.message())).remedy("note", remedy)
            }
        };
    }
    match nvidia() {
        None => Diagnosis::good("gpu", "none; the CPU is used"),
        Some((gpu, Some(capability))) if capability < LEAST_CAPABILITY => Diagnosis::note("gpu", gpu).remedy(
            "note",
            format!("compute capability {capability} may be too old for candle's kernels (8.0); use --device cpu"),
        ),
        Some((gpu, _)) => Diagnosis::note("gpu", format!("{gpu}; this build cannot use it"))
            .remedy("note", "build with it: `cargo install --path . --features cuda` (needs the CUDA toolkit)"),
    }
}

fn build() -> Diagnosis {
    let cuda = match option_env!("CUDA_COMPUTE_CAP") {
        _ if !cfg!(feature = "cuda") => "CPU only".to_owned(),
        Some(capability) => format!("with CUDA for compute capability {capability}"),
        None => "with CUDA".to_owned(),
    };
    let finding = Diagnosis::good("build", format!("{cuda}, for {}-{}", std::env::consts::ARCH, std::env::consts::OS));
    if cfg!(debug_assertions) {
        return finding.remedy("slow", "this is a development build; `cargo build --release` makes a fast one");
    }
    finding
}

fn folders(hub: &Hub) -> Vec<Diagnosis> {
    let options = hub.options();
    let cache = options.cache.display();
    let cache = if options.cache.is_dir() {
        Diagnosis::good("cache", format!("{cache}"))
    } else {
        Diagnosis::good("cache", format!("{cache} (not there yet; made by `kortom models pull`)"))
    };
    let models = options.models.as_ref().map(|models| {
        let finding = Diagnosis::good("models", format!("{} (KORTOM_MODELS)", models.display()));
        if models.is_dir() {
            finding
        } else {
            finding.remedy("bad", "there is no such folder; make it, or unset KORTOM_MODELS")
        }
    });
    let stored = super::pipeline_args::stored().map(|path| {
        let files = path.read_dir().into_iter().flatten().flatten();
        let size: u64 = files.filter_map(|file| Some(file.metadata().ok()?.len())).sum();
        let state = format!("{} MiB of eight-bit weights, kept for faster starts; may be deleted", size >> 20);
        Diagnosis::good("stored", format!("{} ({state})", path.display()))
    });
    [Some(cache), stored, models].into_iter().flatten().collect()
}

/// Where the settings file is, or why it cannot be used; `None` if the system has no folder for it.
fn settings_file(fault: Option<&anyhow::Error>) -> Option<Diagnosis> {
    if let Some(fault) = fault {
        let (causes, hints) = error::parts(fault.as_ref());
        let remedy = hints.first().map_or("mend the line, or move the file away", |hint| hint.as_ref());
        return Some(Diagnosis::good("settings", causes).remedy("bad", remedy));
    }
    let path = SettingsFile::location()?;
    let state = if path.is_file() { "" } else { " (none yet)" };
    Some(Diagnosis::good("settings", format!("{}{state}", path.display())))
}

/// The state of the memory of translations; `None` if the system has no folder for it.
fn kept(settings: &SettingsFile) -> Option<Diagnosis> {
    let path = memory::usual(settings)?;
    let name = path.display();
    if !path.exists() {
        return Some(Diagnosis::good(
            "kept",
            format!("nothing over runs (`--memory on` keeps translations in {name})"),
        ));
    }
    Some(match Memory::open_existing(&path).and_then(|memory| memory.stats()) {
        Ok(stats) => {
            let texts = stats.segments + stats.summaries;
            let line = format!("{name} ({}: {texts} texts, {} corrections)", memory::size(&stats), stats.corrections);
            Diagnosis::good("kept", line)
        }
        Err(error) => {
            let error = kortom::Error::from(error);
            let remedy = error.hint().unwrap_or("leave it out with --no-memory").to_owned();
            Diagnosis::good("kept", error.message()).remedy("bad", remedy)
        }
    })
}

fn models(hub: &Hub) -> Vec<Diagnosis> {
    let (installed, _) = match hub.list() {
        Ok(found) => found,
        Err(error) => {
            return vec![Diagnosis::good("model", told(&error)).remedy("bad", "check the cache folder above")];
        }
    };
    let mut findings: Vec<Diagnosis> = installed.iter().map(model).collect();
    let lacks = |task, from, to| hub.best_installed(task, from, to).is_none_or(|best| best.files.name() == BUNDLED);
    if lacks(ModelTask::Translate, "nl", "en") {
        let line = "only the built-in one translates from Dutch to English, a demonstration";
        findings.push(Diagnosis::good("quality", line).remedy("note", "kortom models pull nl-en"));
    }
    if lacks(ModelTask::Summarize, "en", "en") {
        let line = "no summary model: summaries consist of the article's own sentences";
        findings.push(Diagnosis::good("quality", line).remedy("note", "kortom models pull cnn-fast"));
    }
    findings.extend(short_summaries(hub));
    findings
}

/// A remark on the summary model, where an article can be longer than what it reads at once and the catalogue has one that reads more.
fn short_summaries(hub: &Hub) -> Option<Diagnosis> {
    let best = hub.best_installed(ModelTask::Summarize, "en", "en")?;
    let spec = family::parse(&best.files.json("config.json").ok()??).ok()?;
    let entry = hub::longer("en", spec.encoder.window)?;
    if hub.installed(&entry.alias).ok()?.is_some() {
        return None;
    }
    let (name, window) = (best.files.name(), spec.encoder.window);
    let line = format!("`{name}` reads {window} tokens at once: longer articles are summarised in parts");
    let remedy = format!("kortom models pull {alias}, then `--summary-model {alias}`", alias = entry.alias);
    Some(Diagnosis::good("quality", line).remedy("note", remedy))
}

fn model(installed: &Installed) -> Diagnosis {
    let place = installed.folder.as_ref().map_or("in this program".to_owned(), |folder| folder.display().to_string());
    let finding = Diagnosis::good("model", format!("{}, {place}", installed.name));
    if installed.missing.is_empty() {
        return finding;
    }
    let remedy = format!("it lacks {}; kortom models pull {}", installed.missing.join(", "), installed.name);
    finding.remedy("bad", remedy)
}

fn network(hub: &Hub) -> Diagnosis {
    if hub.options().offline {
        return Diagnosis::note("network", "offline: no connection is opened").remedy(
            "note",
            "models must be on this machine already; leave out --offline or unset HF_HUB_OFFLINE to fetch one",
        );
    }
    Diagnosis::good("network", "used for `models pull` and models named by --model owner/name only")
}
