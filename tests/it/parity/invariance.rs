//! What must not change a bit: the file format, the padding, the rows beside a row, and their order.

use candle_core::DType;
use kortom::batch::TokenId;

use super::changed::Changed;
use super::checkpoint::{Checkpoint, tensor_bits};
use super::{COMPARED, expectations, ids, list, start};

/// A memory and the logits of a first step, as bits.
fn computed(checkpoint: &Checkpoint, sources: &[Vec<TokenId>], start: TokenId) -> [Vec<u32>; 2] {
    let memory = checkpoint.memory(sources);
    let mut state = checkpoint.model.start(&memory).unwrap();
    let logits = checkpoint.model.step(&mut state, &vec![start; sources.len()]).unwrap();
    [tensor_bits(&memory.states), tensor_bits(&logits)]
}

/// The one embedding of a model under whichever of its names a checkpoint kept, with the family's prefix and without.
#[test]
fn tied_weights_are_found_under_each_alias() {
    for (name, shared) in
        [("tiny-bart", "model.shared.weight"), ("tiny-m2m100", "model.shared.weight"), ("tiny-t5", "shared.weight")]
    {
        let fixture = Checkpoint::fixture(name);
        let sources = [vec![40, 41, 42, 2], vec![50, 51, 2]];
        let expected = computed(&fixture, &sources, 2);
        let embeddings = ["shared", "encoder.embed_tokens", "decoder.embed_tokens", "lm_head"];
        for alias in embeddings.iter().flat_map(|alias| [format!("model.{alias}.weight"), format!("{alias}.weight")]) {
            if (name == "tiny-t5" || alias.ends_with("lm_head.weight")) && alias.starts_with("model.") {
                continue;
            }
            let changed = Changed::new(name, |tensors| {
                let table = tensors.remove(shared).unwrap();
                tensors.retain(|name, _| !embeddings.iter().any(|alias| name.ends_with(&format!("{alias}.weight"))));
                tensors.insert(alias.clone(), table);
            });
            assert_eq!(computed(&changed.checkpoint(DType::F32), &sources, 2), expected, "{name}, {alias}");
        }
    }
}

/// A checkpoint without a bias on its logits has none, as one whose bias is zero.
#[test]
fn a_missing_bias_on_the_logits_is_nought() {
    let sources = [vec![40, 41, 42, 2], vec![50, 51, 2]];
    let [none, zero, fixture] = [
        Changed::new("tiny-bart", |tensors| drop(tensors.remove("final_logits_bias").unwrap())),
        Changed::new("tiny-bart", |tensors| {
            let bias = tensors.get_mut("final_logits_bias").unwrap();
            *bias = bias.zeros_like().unwrap();
        }),
        Changed::new("tiny-bart", |_| ()),
    ]
    .map(|changed| computed(&changed.checkpoint(DType::F32), &sources, 2));
    assert_eq!(none, zero);
    assert_ne!(none, fixture);
}

/// The tower of a model that sees pictures too is not read; of two halves that are one the file may have one.
#[test]
fn what_a_text_does_not_need_may_be_missing() {
    let sources = [vec![40, 41, 42, 2], vec![50, 51, 2]];
    for (name, needless) in [
        ("tiny-t5gemma2", "model.encoder.vision_tower."),
        ("tiny-t5gemma2", "model.encoder.multi_modal_projector."),
        ("tiny-roberta2roberta", "encoder."),
    ] {
        let without = Changed::new(name, |tensors| {
            let all = tensors.len();
            tensors.retain(|name, _| !name.starts_with(needless));
            assert!(tensors.len() < all, "{name} has no {needless}");
        });
        let found = computed(&without.checkpoint(DType::F32), &sources, 2);
        assert_eq!(found, computed(&Checkpoint::fixture(name), &sources, 2), "{name} without {needless}");
    }
}

/// The same weights in whatever files give the same bits.
#[test]
fn every_file_format_gives_the_same_bits() {
    let reference = Checkpoint::fixture("tiny-marian");
    let sources = [vec![40, 41, 42, 43, 0], vec![50, 51, 0]];
    let start = reference.model.spec().vocabulary as TokenId - 1;
    let expected = computed(&reference, &sources, start);
    for name in ["tiny-marian-bin", "tiny-marian-bin-shards", "tiny-marian-shards"] {
        assert_eq!(computed(&Checkpoint::fixture(name), &sources, start), expected, "{name}");
    }
}

/// A batch's states are those of each source alone; the padding is not compared.
#[test]
fn padding_changes_no_bit_of_the_encoder() {
    for (_, name) in COMPARED {
        let checkpoint = Checkpoint::fixture(name);
        let expected = expectations(name);
        let sources: Vec<Vec<TokenId>> = list(&expected["source_ids"]).iter().map(ids).collect();
        let together = checkpoint.memory(&sources).states;
        for (row, source) in sources.iter().enumerate() {
            let alone = checkpoint.memory(std::slice::from_ref(source)).states;
            let row = together.get(row).unwrap().narrow(0, 0, source.len()).unwrap();
            assert_eq!(tensor_bits(&row), tensor_bits(&alone), "{name}");
        }
    }
}

/// A cache whose rows were repeated, reordered and left out, and which other sentences joined on the way, says what one
/// that was fed from the start says.
#[test]
fn a_rearranged_cache_says_the_same_as_a_fresh_one() {
    for (_, name) in COMPARED {
        let checkpoint = Checkpoint::fixture(name);
        let expected = expectations(name);
        let sources: Vec<Vec<TokenId>> = list(&expected["source_ids"]).iter().take(6).map(ids).collect();
        let start = start(&expected);
        let model = &checkpoint.model;
        let mut state = model.start(&checkpoint.memory(&sources[..3])).unwrap();
        // Row by row: which source, and what it was fed.
        let mut rows: Vec<(usize, Vec<TokenId>)> = (0..3).map(|source| (source, Vec::new())).collect();
        // Which rows are kept, and which sources join them. In the end none of the first are left.
        let moves: [(&[usize], &[usize]); 7] = [
            (&[0, 1, 2], &[]),
            (&[2, 2, 0, 1], &[3]),
            (&[3, 1, 0, 0, 4], &[]),
            (&[1, 3, 4], &[4, 5]),
            (&[3, 4, 6, 1, 2, 5], &[0]),
            (&[6, 6, 2, 0, 4], &[]),
            (&[0, 2], &[]),
        ];
        for (round, (kept, joining)) in moves.into_iter().enumerate() {
            model.select(&mut state, kept).unwrap();
            rows = kept.iter().map(|&row| rows[row].clone()).collect();
            if let (Some(&first), Some(&last)) = (joining.first(), joining.last()) {
                // In some rounds sentences join in several rows that have been fed some tokens already.
                let starts: &[&[TokenId]] = if round == 3 { &[&[start, 30, 31, 32], &[start, 30, 33]] } else { &[&[]] };
                let fed = vec![starts.to_vec(); joining.len()];
                model.admit(&mut state, &checkpoint.memory(&sources[first..=last]), &fed).unwrap();
                rows.extend(joining.iter().flat_map(|&source| starts.iter().map(move |fed| (source, fed.to_vec()))));
            }
            // Past the first room for keys.
            for turn in 0..12 {
                let token = |(row, (_, fed)): (usize, &(usize, Vec<TokenId>))| {
                    if fed.is_empty() { start } else { (20 + 7 * round + row + turn) as TokenId }
                };
                let tokens: Vec<TokenId> = rows.iter().enumerate().map(token).collect();
                rows.iter_mut().zip(&tokens).for_each(|((_, fed), &token)| fed.push(token));
                let logits = model.step(&mut state, &tokens).unwrap();
                if turn % 11 == 0 {
                    for (row, (source, fed)) in rows.iter().enumerate() {
                        let fresh = replayed(&checkpoint, &sources[*source], fed);
                        assert_eq!(tensor_bits(&logits.get(row).unwrap()), fresh, "{name}, round {round}, row {row}");
                    }
                }
            }
        }
    }
}

/// The logits after feeding all these tokens to a decoder of one row.
fn replayed(checkpoint: &Checkpoint, source: &[TokenId], fed: &[TokenId]) -> Vec<u32> {
    let mut state = checkpoint.model.start(&checkpoint.memory(&[source.to_vec()])).unwrap();
    fed.iter()
        .map(|&token| checkpoint.model.step(&mut state, &[token]).unwrap())
        .last()
        .map(|last| tensor_bits(&last))
        .unwrap()
}
