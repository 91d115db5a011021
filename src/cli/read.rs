//! Reading ahead: a thread of its own reads the sources and sends events.
//!
//! Invariant: events come in the order of the sources. A source that a former run finished is skipped only if its
//! content, its name and all settings are equal and its output is unchanged. How a source is divided into items
//! belongs to `Work`.

use std::fs::File;
use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use kortom::render::journal::{JournalRecord, OutputState, sha256};

use super::inputs::Source;
use super::resume_key::of_output;
use super::sink::{Beginning, Destination};
use super::windows::{Event, Reader, Work};

/// Number of events that the reader may be ahead.
const AHEAD: usize = 64;

/// The information by which a run skips finished outputs.
#[derive(Debug, Default)]
pub struct Resume {
    /// The hash of everything but the input that an output depends on; `None` if the run records nothing.
    pub settings: Option<String>,
    /// The journal of former runs; empty without `--resume`.
    pub record: JournalRecord,
}

/// Starts to read in a thread of its own.
pub fn read_ahead<W: Work>(
    work: &W,
    sources: Vec<Source>,
    destination: Destination,
    resume: Resume,
) -> Receiver<Event<W::Item>> {
    let (sender, receiver) = sync_channel(AHEAD);
    let reader = work.reader();
    std::thread::spawn(move || {
        for (index, source) in sources.iter().enumerate() {
            if read_source(index, source, &reader, &destination, &resume, &sender).is_break() {
                return;
            }
        }
    });
    receiver
}

/// Reads one source, or skips it if it is finished. Breaks when the receiver is gone.
fn read_source<Item>(
    index: usize,
    source: &Source,
    reader: &Reader<Item>,
    destination: &Destination,
    resume: &Resume,
    sender: &SyncSender<Event<Item>>,
) -> ControlFlow<()> {
    let send = |event| if sender.send(event).is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) };
    let key = resume.settings.as_deref().and_then(|settings| key(settings, source));
    let output = destination.of(index).map(|(_, name)| name.to_string_lossy().into_owned());
    let known = key.as_deref().zip(output.as_deref());
    if let Some(entry) = known.and_then(|(key, output)| resume.record.finished(output, key)) {
        return send(Event::Skipped(entry.flags.clone(), source.size().unwrap_or(0)));
    }
    let reached = known.and_then(|(key, output)| resume.record.reached(output, key)).cloned();
    let mut skip = match reached.as_ref().map(|entry| &entry.state) {
        Some(OutputState::Reached { articles, .. }) => *articles,
        _ => 0,
    };
    send(Event::Begin(Beginning { source: index, name: source.name.clone(), framing: source.framing, key, reached }))?;
    let mut flow = ControlFlow::Continue(());
    let mut good = true;
    reader(source, &mut |read| {
        flow = match read {
            Ok(_) if skip > 0 => {
                skip -= 1;
                ControlFlow::Continue(())
            }
            Ok((item, bytes)) => send(Event::Item(item, bytes)),
            Err(failure) => {
                good = false;
                send(Event::Failed(failure))
            }
        };
        flow
    });
    flow?;
    send(Event::End(good))
}

/// The key of a source's output; `None` if the source cannot be read twice.
fn key(settings: &str, source: &Source) -> Option<String> {
    let content = sha256(File::open(source.path.as_ref()?).ok()?).ok()?;
    of_output(settings, source, &content).ok()
}
