//! The layers and the top-k as candle's own operations, which is how a GPU computes: every family in f64 on
//! the CPU; or in f32 on the device that `KORTOM_TEST_DEVICE` names.
//!
//! The same comparisons as on the fused path. Candle's products may sum in another order for another number of
//! rows, so rows are compared within a bound and not by their bits.

use candle_core::{DType, Tensor};
use kortom::batch::TokenId;

use super::checkpoint::Checkpoint;
use super::compare::{Case, NEAR, Tally, check_encoder, check_logits};
use super::{COMPARED, expectations, fixtures, ids, list, named_device, start};

/// Greedy and beam search, alone and with everything at once, and as the checkpoint itself wants it: what f64 has time
/// for.
const SETTINGS: [&str; 5] = ["own", "greedy", "beam4", "beam4-all", "greedy-all"];

fn loaded(name: &str) -> Checkpoint {
    let folder = fixtures().join(name);
    named_device()
        .map_or_else(|| Checkpoint::load(&folder, DType::F64), |device| Checkpoint::on(&device, &folder, DType::F32))
}

fn sources(expected: &serde_json::Value) -> Vec<Vec<TokenId>> {
    list(&expected["source_ids"]).iter().map(ids).collect()
}

fn close(found: &Tensor, expected: &Tensor, what: &str) {
    let bound = if found.dtype() == DType::F64 { 1e-9 } else { NEAR };
    let wide = |x: &Tensor| x.flatten_all()?.to_dtype(DType::F64)?.to_vec1::<f64>();
    let [found, expected] = [found, expected].map(|x| wide(x).unwrap());
    assert_eq!(found.len(), expected.len(), "{what}");
    let far = found.iter().zip(&expected).find(|(a, b)| (**a - **b).abs() > bound * b.abs().max(1.0));
    assert!(far.is_none(), "{what}: {far:?}");
}

/// States, logits and tokens of transformers, from padded batches whose beams are reordered at every step.
#[test]
fn every_family_computes_the_same_without_the_kernels() {
    let mut all = 0;
    for (_, name) in COMPARED {
        let (checkpoint, expected) = (loaded(name), expectations(name));
        let sources = sources(&expected);
        check_encoder(&checkpoint, &expected);
        check_logits(&checkpoint, &expected, &sources);
        let mut tally = Tally::default();
        for setting in list(&expected["settings"]) {
            let name = setting["name"].as_str().unwrap();
            if named_device().is_none() && !SETTINGS.contains(&name) {
                continue;
            }
            let options = checkpoint.options(&expected, setting);
            let found = checkpoint.search(&sources, &options, 0);
            for (source, expected) in list(&setting["outputs"]).iter().enumerate() {
                let case = Case { name, source, ids: &sources[source], options: &options };
                tally.compare(&checkpoint, &case, &found[source], expected);
            }
        }
        tally.check_ties();
        all += tally.sequences();
    }
    println!("{all} sequences on the composed path");
    assert!(all >= 1500, "{all}");
}

/// A batch's states are those of each source alone; the padding is not compared.
#[test]
fn padding_changes_nothing_without_the_kernels() {
    for (_, name) in COMPARED {
        let (checkpoint, sources) = (loaded(name), sources(&expectations(name)));
        let together = checkpoint.memory(&sources).states;
        for (row, source) in sources.iter().enumerate() {
            let alone = checkpoint.memory(std::slice::from_ref(source)).states.get(0).unwrap();
            close(&together.get(row).unwrap().narrow(0, 0, source.len()).unwrap(), &alone, name);
        }
    }
}

/// Rows repeated, reordered and left out, of sentences of unlike lengths, say what rows fed from the start say.
#[test]
fn a_gathered_cache_says_the_same_as_a_fresh_one() {
    for (_, name) in COMPARED {
        let (checkpoint, expected) = (loaded(name), expectations(name));
        let model = &checkpoint.model;
        let sources: Vec<Vec<TokenId>> = sources(&expected).into_iter().take(3).collect();
        let start = start(&expected);
        let mut state = model.start(&checkpoint.memory(&sources)).unwrap();
        model.step(&mut state, &[start; 3]).unwrap();
        // Row by row: which source, and what it was fed.
        let mut rows: Vec<(usize, Vec<TokenId>)> = (0..3).map(|source| (source, vec![start])).collect();
        // Groups of one size and of several, in order and not, and more rows than there were places for.
        let moves: [&[usize]; 5] = [&[0, 0, 1, 1, 2, 2], &[5, 4, 0, 1, 3], &[3, 1, 0, 0], &[1, 3], &[1, 1, 0]];
        for (round, kept) in moves.into_iter().enumerate() {
            model.select(&mut state, kept).unwrap();
            rows = kept.iter().map(|&row| rows[row].clone()).collect();
            // Past the first room for keys, and into T5's wider buckets.
            for turn in 0..9 {
                let tokens: Vec<TokenId> =
                    (0..rows.len()).map(|row| (20 + 7 * round + row + turn) as TokenId).collect();
                rows.iter_mut().zip(&tokens).for_each(|((_, fed), &token)| fed.push(token));
                let logits = model.step(&mut state, &tokens).unwrap();
                if turn == 8 {
                    for (row, (source, fed)) in rows.iter().enumerate() {
                        let mut fresh = model.start(&checkpoint.memory(&[sources[*source].clone()])).unwrap();
                        let last = fed.iter().map(|&token| model.step(&mut fresh, &[token]).unwrap()).last().unwrap();
                        close(
                            &logits.get(row).unwrap(),
                            &last.get(0).unwrap(),
                            &format!("{name}, round {round}, row {row}"),
                        );
                    }
                }
            }
        }
    }
}
