//! An article as events: first its blocks, then each sentence as soon as it is complete, then its report.
//!
//! Invariant: each sentence is sent once, and equals the one in the report.

use std::ops::Range;

use kortom::detect::Detected;
use kortom::document::{Block, BlockKind, Document};
use kortom::report::Report;
use kortom::translate::{Generate, Plan, Segment};
use serde_json::{Map, Value, json};

use super::articles::{Sessions, Wish};
use super::client::RequestContext;
use super::events::Events;
use super::refusal::{Answer, Refusal};

/// Makes the report of an article. While it is translated, events are sent: `start`, and a `segment` for each
/// sentence.
///
/// # Errors
/// When a model fails, or the request takes too long.
pub fn report(
    context: &RequestContext<'_>,
    wish: &Wish,
    document: Document,
    detected: Option<Detected>,
    events: &Events,
) -> Answer<Report> {
    let sessions = Sessions::new(context, wish, 0)?;
    let digest = sessions.digest();
    let (translator, mut answers) = digest.translator().zip(sessions.answers()).ok_or_else(Refusal::internal)?;
    let documents = vec![document];
    let mut plan = translator.plan(&documents)?;
    let known: Vec<usize> = (0..plan.len()).filter(|&number| plan.segment(number).is_some()).collect();
    let is_recalled = |number: &usize| plan.segment(*number).is_some_and(|segment| segment.from.is_some());
    let (recalled, copied): (Vec<usize>, Vec<usize>) = known.into_iter().partition(is_recalled);
    events.send("start", &start(&plan, &documents[0], detected));
    send(&plan, &recalled, events);
    while let Some(complete) = answers.next(&mut plan)? {
        send(&plan, &complete, events);
    }
    send(&plan, &copied, events);
    answers.align(&mut plan)?;
    let translations = plan.finish()?;
    digest.finish(documents, Some(translations))?.pop().ok_or_else(Refusal::internal)
}

/// The data of the event `start`: the blocks of an article, and the numbers of the sentences in each.
fn start<G: Generate + ?Sized>(plan: &Plan<'_, G>, document: &Document, detected: Option<Detected>) -> Value {
    let block = |(block, numbers): (&Block, &Range<usize>)| {
        let mut sent = json!({ "kind": kind(block.kind), "segments": numbers.clone().collect::<Vec<_>>() });
        if numbers.is_empty() {
            // A block without sentences is sent with its text, which no `segment` event will have.
            sent["text"] = block.text.clone().into();
        }
        sent
    };
    let blocks: Vec<Value> = document.blocks.iter().zip(plan.blocks(0)).map(block).collect();
    json!({
        "id": document.id.as_deref().unwrap_or(&document.input),
        "title": document.title(),
        "date": document.date,
        "detected": detected.map(|found| json!({ "language": found.language, "confidence": found.confidence })),
        "blocks": blocks,
        "segments": plan.len(),
    })
}

/// Sends a `segment` event for each of these sentences, which must be complete.
fn send<G: Generate + ?Sized>(plan: &Plan<'_, G>, numbers: &[usize], events: &Events) {
    for &number in numbers {
        let block = plan.blocks(0).iter().position(|numbers| numbers.contains(&number));
        if let (Some(segment), Some(block)) = (plan.segment(number), block) {
            events.send("segment", &event(segment, number, block));
        }
    }
}

/// The data of the event `segment`: the sentence as in the report, with its number and that of its block.
fn event(segment: &Segment, number: usize, block: usize) -> Value {
    // The segment is written as text and parsed again, so that its score has the digits that it has in the report.
    let sent = serde_json::to_string(segment).and_then(|text| serde_json::from_str::<Map<String, Value>>(&text));
    let mut sent = sent.unwrap_or_default();
    sent.insert("index".to_owned(), number.into());
    sent.insert("block".to_owned(), block.into());
    sent.entry("notes").or_insert_with(|| json!([]));
    sent.into()
}

/// The name of a kind of block in events.
fn kind(kind: BlockKind) -> &'static str {
    match kind {
        BlockKind::Date => "date",
        BlockKind::Title | BlockKind::Heading => "heading",
        BlockKind::Paragraph => "paragraph",
        BlockKind::Item => "list",
        BlockKind::Caption => "caption",
        BlockKind::Credit => "credit",
        BlockKind::Label => "label",
        BlockKind::Cell | BlockKind::Message => "cell",
        BlockKind::Speech => "speech",
        BlockKind::Line => "line",
    }
}
