//! A tiny checkpoint, loaded to compute in any type: f32 takes the fused kernels, every other type candle's own
//! operations, which are also those of a GPU.

use std::path::Path;

use anyhow::Result;
use candle_core::{DType, Device, Tensor};
use kortom::batch::{Batch, TokenId};
use kortom::engine::settings::{Caller, Overrides, SettingSources, resolve};
use kortom::files::ModelFiles;
use kortom::model::spec::GlobalAttention;
use kortom::model::{DecoderState, EncoderOutput, Seq2Seq, family, open_weights};
use kortom::search::{Hypothesis, Logits, SearchOptions, Sequence, Step, search};
use kortom::tokenizer::{LanguageTokens, Tokenizer};
use serde_json::{Map, Value};

use super::fixtures;

/// A checkpoint and its tokenizer.
pub struct Checkpoint {
    pub name: String,
    files: ModelFiles,
    pub model: Seq2Seq,
    /// Which tokens of its sources see everything, in its expectations.
    global: GlobalAttention,
    pub tokenizer: Tokenizer,
}

impl Checkpoint {
    /// A checkpoint in any folder, computing in `dtype` on the CPU.
    pub fn load(folder: &Path, dtype: DType) -> Self {
        Self::on(&Device::Cpu, folder, dtype)
    }

    /// A checkpoint in any folder, computing in `dtype` on `device`.
    pub fn on(device: &Device, folder: &Path, dtype: DType) -> Self {
        let name = folder.file_name().unwrap().to_str().unwrap();
        Self::of(ModelFiles::folder(folder, name, None).unwrap(), device, dtype)
    }

    /// A fixture with an adapter, computing in f32.
    pub fn adapted(name: &str, adapter: &Path) -> Self {
        let adapter = ModelFiles::adapter_folder(adapter, adapter.to_str().unwrap(), None).unwrap();
        let files = ModelFiles::folder(&fixtures().join(name), name, None).unwrap();
        Self::of(files.with_adapter(adapter), &Device::Cpu, DType::F32)
    }

    fn of(files: ModelFiles, device: &Device, dtype: DType) -> Self {
        let name = files.full_name();
        let spec = family::parse(&files.json("config.json").unwrap().unwrap()).unwrap();
        let weights = open_weights(&files).unwrap();
        let model = Seq2Seq::load(spec, &weights, device, dtype).unwrap();
        let tokenizer = Tokenizer::load(&files).unwrap();
        let expected = files.json("expected.json").unwrap();
        let first = expected.is_some_and(|expected| expected["global_attention"] == "first");
        let global = if first { GlobalAttention::First } else { GlobalAttention::None };
        Self { name, files, model, global, tokenizer }
    }

    /// A fixture, computing in f32.
    pub fn fixture(name: &str) -> Self {
        Self::load(&fixtures().join(name), DType::F32)
    }

    pub fn languages(&self, expected: &Value) -> LanguageTokens {
        let pair = expected["languages"].as_array();
        let code = |index: usize| pair.map(|pair| pair[index].as_str().unwrap());
        if pair.is_some() { self.tokenizer.language_tokens(code(0), code(1)).unwrap() } else { self.plain_languages() }
    }

    /// The tokens of a source without a requested language whose text names its own.
    fn plain_languages(&self) -> LanguageTokens {
        self.tokenizer.language_tokens(None, None).unwrap()
    }

    /// The search options that stand for decode settings in transformers' names.
    pub fn options(&self, expected: &Value, setting: &Value) -> SearchOptions {
        let own = setting["name"] == "own";
        let mut values: Map<String, Value> = if own {
            self.files
                .json("generation_config.json")
                .unwrap()
                .map_or_else(Map::new, |own| own.as_object().unwrap().clone())
        } else {
            let special = &expected["ids"];
            [("decoder_start_token_id", "start"), ("eos_token_id", "eos"), ("pad_token_id", "pad")]
                .map(|(name, short)| (name.to_owned(), special[short].clone()))
                .into_iter()
                .collect()
        };
        values.extend(setting["options"].as_object().unwrap().clone());
        let values = Value::Object(values);
        // A checkpoint of old keeps its settings in config.json.
        let generation_config = (!own || self.files.has("generation_config.json")).then_some(&values);
        let sources = SettingSources {
            call: None,
            flags: &Overrides::default(),
            user: &Overrides::default(),
            catalogue: None,
            task: None,
            defaults: None,
            config: &self.files.json("config.json").unwrap().unwrap(),
            generation_config,
            window: self.model.spec().encoder.window,
            positions: self.model.spec().target_capacity(),
            after_start: if own { self.languages(expected).after_start } else { None },
            caller: Caller::Generate,
        };
        resolve(&sources).unwrap().options
    }

    pub fn memory(&self, sources: &[Vec<TokenId>]) -> EncoderOutput {
        let batch = Batch { ids: sources.to_vec(), order: (0..sources.len()).collect() };
        self.model.encode(&batch, self.global).unwrap()
    }

    /// The hypotheses of each source, all in one batch; with a `nudge`, from logits with noise of that seed.
    pub fn search(&self, sources: &[Vec<TokenId>], options: &SearchOptions, nudge: u64) -> Vec<Vec<Hypothesis>> {
        let state = self.model.start(&self.memory(sources)).unwrap();
        let items: Vec<Sequence> = sources
            .iter()
            .enumerate()
            .map(|(index, source)| Sequence { source, index: index as u64, ..Sequence::default() })
            .collect();
        let found = search(&mut Running { model: &self.model, state, nudge }, &items, options).unwrap();
        found.into_iter().map(|found| found.hypotheses).collect()
    }
}

/// A model in the middle of decoding.
struct Running<'a> {
    model: &'a Seq2Seq,
    state: DecoderState,
    /// Seed of the noise on the logits; 0 for none.
    nudge: u64,
}

impl Step for Running<'_> {
    fn step(&mut self, tokens: &[TokenId]) -> Result<Logits> {
        if self.nudge == 0 {
            return self.model.predict(&mut self.state, tokens);
        }
        let logits = self.model.step(&mut self.state, tokens)?;
        Ok(self.nudged(&logits)?.into())
    }

    fn select(&mut self, rows: &[usize]) -> Result<()> {
        self.model.select(&mut self.state, rows)
    }
}

impl Running<'_> {
    /// Logits moved by up to 2e-5 each way: a tenth of the margin that is called near, or less.
    fn nudged(&mut self, logits: &Tensor) -> Result<Tensor> {
        let values = values(logits)?;
        let moved = values.into_iter().map(|value| {
            // Xorshift.
            self.nudge ^= self.nudge << 13;
            self.nudge ^= self.nudge >> 7;
            self.nudge ^= self.nudge << 17;
            value + ((self.nudge >> 40) as f32 / 8_388_608.0 - 1.0) * 2e-5
        });
        Ok(Tensor::from_vec(moved.collect::<Vec<f32>>(), logits.shape(), logits.device())?)
    }
}

/// The numbers of a tensor, in f32.
pub fn values(tensor: &Tensor) -> Result<Vec<f32>> {
    Ok(tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?)
}

/// Everything a search found, as bits.
pub fn bits(hypotheses: &[Hypothesis]) -> Vec<(Vec<TokenId>, u32, Vec<u32>)> {
    let scores = |hypothesis: &Hypothesis| hypothesis.token_scores.iter().map(|score| score.to_bits()).collect();
    hypotheses.iter().map(|found| (found.tokens.clone(), found.score.to_bits(), scores(found))).collect()
}

/// The numbers of a tensor in f32, as bits.
pub fn tensor_bits(tensor: &Tensor) -> Vec<u32> {
    tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap().into_iter().map(f32::to_bits).collect()
}
