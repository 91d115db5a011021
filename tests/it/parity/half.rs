//! Checkpoints in f16 and bf16: the CPU computes them in f32, which holds each of their weights exactly.

use std::path::Path;

use candle_core::{DType, Tensor};
use kortom::batch::TokenId;
use kortom::device::{ComputeType, DeviceChoice, Placement};
use kortom::engine::settings::Caller;
use kortom::engine::{Engine, Request};
use kortom::files::ModelFiles;
use kortom::search::Hypothesis;

use super::changed::Changed;
use super::checkpoint::{Checkpoint, bits, tensor_bits};
use super::{COMPARED, expectations, ids, list};

/// A fixture with its weights rounded to `dtype`, stored as `stored`.
fn rounded(name: &str, dtype: DType, stored: DType) -> Changed {
    let round = |tensor: &Tensor| tensor.to_dtype(dtype).unwrap().to_dtype(stored).unwrap();
    Changed::new(name, |tensors| tensors.values_mut().for_each(|tensor| *tensor = round(tensor)))
}

fn sources(name: &str) -> Vec<Vec<TokenId>> {
    list(&expectations(name)["source_ids"]).iter().take(4).map(ids).collect()
}

/// What a checkpoint finds for some sources under its setting `beam4`.
fn found(checkpoint: &Checkpoint, name: &str, sources: &[Vec<TokenId>]) -> Vec<Vec<Hypothesis>> {
    let expected = expectations(name);
    let setting = list(&expected["settings"]).iter().find(|setting| setting["name"] == "beam4").unwrap();
    checkpoint.search(sources, &checkpoint.options(&expected, setting), 0)
}

/// Half precision on disk says just what the same numbers say in f32, in every family.
#[test]
fn half_precision_on_disk_is_read_exactly() {
    for (_, name) in COMPARED {
        for dtype in [DType::F16, DType::BF16] {
            let changed = [dtype, DType::F32].map(|stored| rounded(name, dtype, stored));
            let [half, wide] = changed.each_ref().map(|changed| changed.checkpoint(DType::F32));
            let sources = sources(name);
            let states = [&half, &wide].map(|checkpoint| tensor_bits(&checkpoint.memory(&sources).states));
            assert_eq!(states[0], states[1], "{name}, {dtype:?}");
            let [half, wide] = [half, wide].map(|checkpoint| found(&checkpoint, name, &sources));
            assert!(half.iter().zip(&wide).all(|(half, wide)| bits(half) == bits(wide)), "{name}, {dtype:?}");
        }
    }
}

fn texts(folder: &Path, compute: ComputeType, sources: &[Vec<TokenId>]) -> Vec<(String, u32)> {
    let placement = Placement::choose(DeviceChoice::Cpu, compute).unwrap();
    let engine = Engine::load(&ModelFiles::folder(folder, "half", None).unwrap(), &placement).unwrap();
    let session = engine.session(&Request::new(Caller::Generate)).unwrap();
    let generations = session.generate_tokens(sources.to_vec()).unwrap();
    generations.into_iter().map(|generation| (generation.text, generation.score.to_bits())).collect()
}

/// Asking for half precision on the CPU gives what f32 gives, whatever the checkpoint is stored in.
#[test]
fn half_precision_on_the_cpu_is_f32() {
    for (_, name) in COMPARED {
        let half = rounded(name, DType::F16, DType::F16);
        let sources = sources(name);
        let expected = texts(&half.folder, ComputeType::F32, &sources);
        for compute in [ComputeType::F16, ComputeType::Bf16, ComputeType::Auto] {
            assert_eq!(texts(&half.folder, compute, &sources), expected, "{name}, {compute}");
        }
    }
}

/// T5's feed-forward layers pass 65,504, the end of f16, which is why transformers keeps them in f32. Here they do so
/// by far: the logits stay numbers, and the tokens are those of f64.
#[test]
fn activations_beyond_f16_are_no_trouble() {
    for name in ["tiny-t5", "tiny-t5-v11", "tiny-madlad", "tiny-mt5", "tiny-umt5"] {
        // As large as f16 holds on disk.
        let changed = Changed::new(name, |tensors| {
            for (tensor, values) in tensors {
                let most = values.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
                let factor =
                    if tensor.ends_with("DenseReluDense.wo.weight") { 60_000.0 / f64::from(most) } else { 1.0 };
                *values = (&*values * factor).unwrap().to_dtype(DType::F16).unwrap();
            }
        });
        let sources = sources(name);
        for compute in [ComputeType::F16, ComputeType::Bf16] {
            let scores = texts(&changed.folder, compute, &sources);
            assert!(scores.iter().all(|(_, score)| f32::from_bits(*score).is_finite()), "{name}: {scores:?}");
        }
        let [single, double] = [DType::F32, DType::F64].map(|dtype| found(&changed.checkpoint(dtype), name, &sources));
        for (single, double) in single.iter().zip(&double) {
            assert_eq!(single[0].tokens, double[0].tokens, "{name}");
        }
    }
}
