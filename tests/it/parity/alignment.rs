//! What a head of cross-attention looks at, beside transformers' `output_attentions` of the same hypotheses
//! (`tests/fixtures/make_alignments.py`).

use candle_core::DType;
use kortom::batch::TokenId;
use kortom::model::spec::AlignmentHead;
use serde_json::Value;

use super::checkpoint::Checkpoint;
use super::{fixtures, ids, json, list};

/// Weights by source: for each token of the target, one for each token of the source.
type Weights = Vec<Vec<Vec<f32>>>;

/// The weights of all cases of a checkpoint, computed together.
fn together(checkpoint: &Checkpoint, cases: &[Value]) -> Weights {
    let sources: Vec<Vec<TokenId>> = cases.iter().map(|case| ids(&case["source"])).collect();
    let target = |case: &Value| {
        let (mut start, tokens) = (ids(&case["start"]), ids(&case["tokens"]));
        start.extend(&tokens[..tokens.len() - 1]);
        start
    };
    let targets: Vec<Vec<TokenId>> = cases.iter().map(target).collect();
    let number = |key: &str| cases[0][key].as_i64().unwrap();
    let head = AlignmentHead { layer: number("layer"), head: number("head") as usize };
    let weights = checkpoint.model.align(&checkpoint.memory(&sources), &targets, head).unwrap();
    weights.into_iter().zip(cases).map(|(rows, case)| rows[list(&case["start"]).len() - 1..].to_vec()).collect()
}

fn bits(weights: &Weights) -> Vec<u32> {
    weights.iter().flatten().flatten().map(|weight| weight.to_bits()).collect()
}

/// On the fused kernels, where all tokens are one prefill, and on candle's operations, where they are fed one by one.
#[test]
fn a_head_looks_at_what_it_looks_at_in_transformers() {
    let all = json(&fixtures().join("alignments.json"));
    let all = all.as_object().unwrap();
    assert!(all.len() >= 4);
    for (name, cases) in all {
        let cases = list(cases);
        for dtype in [DType::F32, DType::F64] {
            let checkpoint = Checkpoint::load(&fixtures().join(name), dtype);
            for (found, case) in together(&checkpoint, cases).iter().zip(cases) {
                let expected = list(&case["weights"]);
                assert_eq!(found.len(), expected.len(), "{name}, {}", case["setting"]);
                for (found, expected) in found.iter().zip(expected) {
                    let expected: Vec<f64> =
                        list(expected).iter().map(|weight| weight.as_f64().unwrap() / 1e6).collect();
                    assert_eq!(found.len(), expected.len(), "{name}, {}", case["setting"]);
                    let near = found.iter().zip(&expected).all(|(one, other)| (f64::from(*one) - other).abs() < 1e-5);
                    assert!(near, "{name}, {}, {dtype:?}: {found:?}, not {expected:?}", case["setting"]);
                }
            }
        }
    }
}

#[test]
fn what_a_source_gets_does_not_depend_on_those_beside_it() {
    for (name, cases) in json(&fixtures().join("alignments.json")).as_object().unwrap() {
        let (cases, checkpoint) = (list(cases), Checkpoint::fixture(name));
        let alone = cases.iter().flat_map(|case| together(&checkpoint, std::slice::from_ref(case)));
        assert_eq!(bits(&together(&checkpoint, cases)), bits(&alone.collect()), "{name}");
    }
}

#[test]
fn heads_are_counted_from_either_end_and_those_that_are_not_there_are_refused() {
    let checkpoint = Checkpoint::fixture("tiny-marian");
    let of = |layer, head| AlignmentHead { layer, head }.of(checkpoint.model.spec());
    assert_eq!([of(-1, 0).unwrap(), of(0, 3).unwrap()], [[1, 0], [0, 3]]);
    for (layer, head) in [(2, 0), (-3, 0), (0, 4)] {
        let error = of(layer, head).unwrap_err().to_string();
        assert!(error.contains("2 layers of 4 heads") && error.contains("hint: "), "{error}");
    }
    for name in ["tiny-prophetnet", "tiny-t5gemma2"] {
        let error = AlignmentHead { layer: 0, head: 0 }.of(Checkpoint::fixture(name).model.spec()).unwrap_err();
        assert!(error.to_string().contains("have no heads that align words"), "{error}");
    }
}
