//! The flows of a part in reading order, and joined to the part again.

use super::{FLOW, Flow};
use crate::document::Block;

/// The part with these blocks, which are in the order of [`blocks`], in place of its own.
pub(in crate::document::package) fn joined(flows: &[Flow], blocks: &[Block]) -> String {
    let mut sources: Vec<Vec<&str>> = flows.iter().map(|flow| vec![""; flow.blocks.len()]).collect();
    for ((flow, place), block) in order(flows).into_iter().zip(blocks) {
        sources[flow][place] = block.source();
    }
    let mut part = String::new();
    join(flows, &sources, 0, &mut part);
    part
}

/// All blocks of the flows, those of a flow after the block that it stands in.
pub(in crate::document::package) fn blocks(flows: &[Flow]) -> Vec<Block> {
    order(flows).into_iter().map(|(flow, place)| flows[flow].blocks[place].clone()).collect()
}

fn join(flows: &[Flow], sources: &[Vec<&str>], flow: usize, part: &mut String) {
    let mut add = |text: &str| {
        for (place, piece) in text.split(FLOW).enumerate() {
            match piece.parse() {
                Ok(inner) if place % 2 == 1 => join(flows, sources, inner, part),
                _ => part.push_str(piece),
            }
        }
    };
    let mut gaps = flows[flow].gaps.iter();
    gaps.next().into_iter().for_each(|gap| add(gap));
    for (source, gap) in sources[flow].iter().zip(gaps) {
        add(source);
        add(gap);
    }
}

/// The blocks in reading order, each as the number of its flow and its own number there.
fn order(flows: &[Flow]) -> Vec<(usize, usize)> {
    fn follow(flows: &[Flow], flow: usize, seen: &mut Vec<bool>, order: &mut Vec<(usize, usize)>) {
        if std::mem::replace(&mut seen[flow], true) {
            return;
        }
        for place in 0..flows[flow].gaps.len() {
            inner(&flows[flow].gaps[place]).for_each(|inner| follow(flows, inner, seen, order));
            if let Some(block) = flows[flow].blocks.get(place) {
                order.push((flow, place));
                inner(block.source()).for_each(|inner| follow(flows, inner, seen, order));
            }
        }
    }
    let mut order = Vec::new();
    follow(flows, 0, &mut vec![false; flows.len()], &mut order);
    order
}

/// For each block, whether it is in the outermost flow.
pub(in crate::document::package) fn outer(flows: &[Flow]) -> Vec<bool> {
    order(flows).into_iter().map(|(flow, _)| flow == 0).collect()
}

/// The numbers of the flows in a text.
fn inner(text: &str) -> impl Iterator<Item = usize> + '_ {
    text.split(FLOW).skip(1).step_by(2).filter_map(|number| number.parse().ok())
}
