//! Tiny checkpoints of every family, token for token beside transformers (`tests/fixtures/make.py`).
//!
//! Encoder states and teacher-forced logits agree within 1e-4; so do all scores. Tokens and texts are
//! identical, except where the reference itself stood at a near-tie: if its margin is below 1e-4, another
//! order of the same sums may fall the other way. Then our own search must reach the reference's tokens when
//! the logits are nudged by less than that, with a score within 1e-4; at most 0.5 % may need this.

// What a fixture holds is known.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use anyhow::Result;
use candle_core::{DType, Device, Tensor};
use kortom::batch::{Batch, TokenId};
use kortom::device::Placement;
use kortom::engine::settings::{Caller, Overrides, Sources, resolve};
use kortom::engine::{Engine, Request};
use kortom::files::ModelFiles;
use kortom::model::{DecoderState, Seq2Seq, Weights, family};
use kortom::search::{Hypothesis, Item, SearchOptions, Step, search};
use kortom::tokenizer::{Languages, Tokenizer};
use serde_json::{Map, Value};

/// Two floats that went different ways to the same number.
const NEAR: f64 = 1e-4;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn ids(value: &Value) -> Vec<TokenId> {
    list(value).iter().map(|id| id.as_u64().unwrap() as TokenId).collect()
}

fn floats(value: &Value) -> Vec<f64> {
    list(value).iter().map(|value| value.as_f64().unwrap()).collect()
}

fn near(found: f64, expected: f64) -> bool {
    (found - expected).abs() <= NEAR * expected.abs().max(1.0)
}

/// A checkpoint and its tokenizer.
struct Checkpoint {
    name: String,
    files: ModelFiles,
    model: Seq2Seq,
    tokenizer: Tokenizer,
}

impl Checkpoint {
    fn load(folder: &Path) -> Self {
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let files = ModelFiles::folder(folder, &name, None).unwrap();
        let spec = family::parse(&files.json("config.json").unwrap().unwrap()).unwrap();
        let weights = Weights::open(&files).unwrap();
        let model = Seq2Seq::load(spec, &weights, &Device::Cpu, DType::F32).unwrap();
        let tokenizer = Tokenizer::load(&files).unwrap();
        Self { name, files, model, tokenizer }
    }

    fn fixture(name: &str) -> Self {
        Self::load(&fixtures().join(name))
    }

    fn languages(&self, expected: &Value) -> Languages {
        let pair = expected["languages"].as_array();
        let code = |index: usize| pair.map(|pair| pair[index].as_str().unwrap());
        if pair.is_some() { self.tokenizer.languages(code(0), code(1)).unwrap() } else { self.plain_languages() }
    }

    /// What a source gets where nobody asked for a language and the text says its own.
    fn plain_languages(&self) -> Languages {
        self.tokenizer.languages(None, None).unwrap()
    }

    /// The search options that stand for decode settings in transformers' names.
    fn options(&self, expected: &Value, setting: &Value) -> SearchOptions {
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
        let sources = Sources {
            flags: &Overrides::default(),
            user: &Overrides::default(),
            catalogue: None,
            task: None,
            config: &self.files.json("config.json").unwrap().unwrap(),
            generation_config,
            window: self.model.spec().window,
            positions: self.model.spec().capacity(),
            caller: Caller::Generate,
        };
        resolve(&sources).unwrap().options
    }

    fn memory(&self, sources: &[Vec<TokenId>]) -> kortom::model::Memory {
        let batch = Batch { ids: sources.to_vec(), order: (0..sources.len()).collect() };
        self.model.encode(&batch).unwrap()
    }

    fn search(&self, sources: &[Vec<TokenId>], options: &SearchOptions, nudge: u64) -> Vec<Vec<Hypothesis>> {
        let state = self.model.start(&self.memory(sources)).unwrap();
        let items: Vec<Item> =
            sources.iter().enumerate().map(|(place, source)| Item { source, place: place as u64 }).collect();
        search(&mut Running { model: &self.model, state, nudge }, &items, options).unwrap()
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
    fn step(&mut self, tokens: &[TokenId]) -> Result<Tensor> {
        let logits = self.model.step(&mut self.state, tokens)?;
        if self.nudge == 0 { Ok(logits) } else { self.nudged(&logits) }
    }

    fn select(&mut self, rows: &[usize]) -> Result<()> {
        self.model.select(&mut self.state, rows)
    }
}

impl Running<'_> {
    /// Logits moved by up to 2e-5 each way: a tenth of the margin that is called near, or less.
    fn nudged(&mut self, logits: &Tensor) -> Result<Tensor> {
        let values: Vec<f32> = logits.flatten_all()?.to_vec1()?;
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

/// What a comparison found.
#[derive(Default)]
struct Tally {
    sequences: usize,
    ties: Vec<String>,
}

/// Says where a hypothesis leaves the expected one, or nothing.
fn difference(found: &Hypothesis, expected: &Value) -> Option<String> {
    let tokens = ids(&expected["ids"]);
    if found.tokens != tokens {
        let first = found.tokens.iter().zip(&tokens).take_while(|(found, expected)| found == expected).count();
        return Some(format!(
            "token {first} differs: found {:?}, expected {:?}",
            &found.tokens[first..],
            &tokens[first..]
        ));
    }
    let score = expected["score"].as_f64().unwrap();
    if !near(f64::from(found.score), score) {
        return Some(format!("score {}, expected {score}", found.score));
    }
    let scores = floats(&expected["tokens"]);
    let wrong = (0..scores.len()).find(|&i| !near(f64::from(found.token_scores[i]), scores[i]))?;
    Some(format!("score of token {wrong} is {}, expected {}", found.token_scores[wrong], scores[wrong]))
}

fn differences(found: &[Hypothesis], expected: &[Value]) -> Option<String> {
    if found.len() != expected.len() {
        return Some(format!("{} hypotheses, expected {}", found.len(), expected.len()));
    }
    found.iter().zip(expected).find_map(|(found, expected)| difference(found, expected))
}

impl Tally {
    /// Compares one output; a difference is allowed where the reference's margin is tiny and a nudge undoes it.
    fn compare(&mut self, checkpoint: &Checkpoint, case: &Case, found: &[Hypothesis], expected: &Value) {
        let best = list(&expected["best"]);
        self.sequences += best.len();
        let Some(difference) = differences(found, best) else { return };
        let what = format!("{}, {}, source {}: {difference}", checkpoint.name, case.name, case.source);
        assert!(expected["margin"].as_f64().unwrap() < NEAR, "{what}");
        let undone = (1..=32).any(|seed| {
            let nudged = checkpoint.search(std::slice::from_ref(case.ids), case.options, seed * 0x9e37_79b9_7f4a_7c15);
            differences(&nudged[0], best).is_none()
        });
        assert!(undone, "{what}\nand no nudge of the logits leads to the expected tokens");
        self.ties.push(what);
    }
}

/// One source under one setting.
struct Case<'a> {
    name: &'a str,
    source: usize,
    ids: &'a Vec<TokenId>,
    options: &'a SearchOptions,
}

/// Every check of one tiny checkpoint.
fn check(name: &str) {
    let checkpoint = Checkpoint::fixture(name);
    let expected = json(&fixtures().join(name).join("expected.json"));
    let sources = check_sources(&checkpoint, &expected);
    check_encoder(&checkpoint, &expected);
    check_logits(&checkpoint, &expected, &sources);
    let mut tally = Tally::default();
    for setting in list(&expected["settings"]) {
        check_setting(&checkpoint, &expected, setting, &sources, &mut tally);
    }
    println!("{name}: {} sequences, {} near-ties: {:?}", tally.sequences, tally.ties.len(), tally.ties);
    assert!(tally.ties.len() * 200 <= tally.sequences, "{} of {} at near-ties", tally.ties.len(), tally.sequences);
}

/// Texts become the ids that transformers' tokenizer gives.
fn check_sources(checkpoint: &Checkpoint, expected: &Value) -> Vec<Vec<TokenId>> {
    let languages = checkpoint.languages(expected);
    let texts = list(&expected["sources"]).iter().zip(list(&expected["source_ids"]));
    let found = texts.map(|(text, expected)| {
        let found = checkpoint.tokenizer.encode(text.as_str().unwrap(), &languages).unwrap();
        assert_eq!(found, ids(expected), "{}: {text}", checkpoint.name);
        found
    });
    found.collect()
}

fn check_encoder(checkpoint: &Checkpoint, expected: &Value) {
    for sample in list(&expected["encoder"]) {
        let source = ids(&sample["ids"]);
        let states = checkpoint.memory(std::slice::from_ref(&source)).states;
        let states: Vec<Vec<f32>> = states.squeeze(0).unwrap().to_vec2().unwrap();
        for (row, expected) in ids(&sample["rows"]).iter().zip(list(&sample["states"])) {
            assert_near(&states[*row as usize], expected, &format!("{}, {source:?}, row {row}", checkpoint.name));
        }
    }
}

/// Our cached steps beside one pass of transformers over all tokens at once.
fn check_logits(checkpoint: &Checkpoint, expected: &Value, sources: &[Vec<TokenId>]) {
    for sample in list(&expected["logits"]) {
        let source = sample["source"].as_u64().unwrap() as usize;
        let mut state = checkpoint.model.start(&checkpoint.memory(&sources[source..=source])).unwrap();
        let columns = ids(&sample["columns"]);
        for (step, (token, expected)) in ids(&sample["decoder"]).iter().zip(list(&sample["values"])).enumerate() {
            let logits: Vec<Vec<f32>> = checkpoint.model.step(&mut state, &[*token]).unwrap().to_vec2().unwrap();
            let found: Vec<f32> = columns.iter().map(|&column| logits[0][column as usize]).collect();
            assert_near(&found, expected, &format!("{}, source {source}, step {step}", checkpoint.name));
        }
    }
}

fn assert_near(found: &[f32], expected: &Value, what: &str) {
    let expected = floats(expected);
    assert_eq!(found.len(), expected.len(), "{what}");
    let differs = found.iter().zip(&expected).position(|(&found, &expected)| !near(f64::from(found), expected));
    if let Some(first) = differs {
        panic!("{what}: value {first} is {}, expected {}", found[first], expected[first]);
    }
}

/// All sources in one padded batch, and each alone: not a bit may differ.
fn check_setting(
    checkpoint: &Checkpoint,
    expected: &Value,
    setting: &Value,
    sources: &[Vec<TokenId>],
    tally: &mut Tally,
) {
    let name = setting["name"].as_str().unwrap();
    let options = checkpoint.options(expected, setting);
    let found = checkpoint.search(sources, &options, 0);
    for (source, expected) in list(&setting["outputs"]).iter().enumerate() {
        let case = Case { name, source, ids: &sources[source], options: &options };
        tally.compare(checkpoint, &case, &found[source], expected);
        for best in list(&expected["best"]) {
            let text = checkpoint.tokenizer.decode(&ids(&best["ids"]));
            assert_eq!(text, best["text"].as_str().unwrap(), "{}, {name}, source {source}", checkpoint.name);
        }
    }
    for (source, together) in sources.iter().zip(&found) {
        let alone = checkpoint.search(std::slice::from_ref(source), &options, 0);
        assert_eq!(bits(&alone[0]), bits(together), "{}, {name}: alone and in a batch", checkpoint.name);
    }
}

/// Everything a search found, as bits.
fn bits(hypotheses: &[Hypothesis]) -> Vec<(Vec<TokenId>, u32, Vec<u32>)> {
    let scores = |hypothesis: &Hypothesis| hypothesis.token_scores.iter().map(|score| score.to_bits()).collect();
    hypotheses.iter().map(|found| (found.tokens.clone(), found.score.to_bits(), scores(found))).collect()
}

fn tensor_bits(tensor: &Tensor) -> Vec<u32> {
    tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap().into_iter().map(f32::to_bits).collect()
}

macro_rules! families {
    ($($test:ident: $folder:literal,)*) => {
        $(#[test]
        fn $test() {
            check($folder);
        })*
        /// Folders with expectations, so that none is forgotten.
        const COMPARED: &[&str] = &[$($folder),*];
    };
}

families! {
    marian: "tiny-marian",
    marian_with_separate_vocabularies: "tiny-marian-separate",
    marian_untied: "tiny-marian-untied",
    marian_big_with_a_target_token: "tiny-marian-big",
    marian_in_bf16: "tiny-marian-bf16",
    marian_without_bias: "tiny-marian-no-bias",
    marian_with_stored_positions: "tiny-marian-positions",
    marian_pickled: "tiny-marian-bin",
    marian_pickled_in_shards: "tiny-marian-bin-shards",
    marian_in_shards: "tiny-marian-shards",
    bart: "tiny-bart",
    bart_of_old: "tiny-bart-old",
    mbart25: "tiny-mbart25",
    mbart50: "tiny-mbart50",
    pegasus: "tiny-pegasus",
    pegasus_of_old: "tiny-pegasus-old",
    m2m100: "tiny-m2m100",
    nllb: "tiny-nllb",
    t5: "tiny-t5",
    t5_unscaled: "tiny-t5-unscaled",
    t5_v11: "tiny-t5-v11",
    madlad: "tiny-madlad",
    mt5: "tiny-mt5",
}

#[test]
fn every_expectation_is_compared() {
    for entry in std::fs::read_dir(fixtures()).unwrap() {
        let folder = entry.unwrap().path();
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        if name.starts_with("tiny-") && folder.join("expected.json").exists() {
            assert!(COMPARED.contains(&name.as_str()), "`{name}` is not compared");
        }
    }
}

/// The same weights in whatever files give the same bits.
#[test]
fn every_file_format_gives_the_same_bits() {
    let reference = Checkpoint::fixture("tiny-marian");
    let source = vec![vec![40, 41, 42, 43, 0], vec![50, 51, 0]];
    let start = reference.model.spec().vocabulary as TokenId - 1;
    let run = |checkpoint: &Checkpoint| {
        let memory = checkpoint.memory(&source);
        let mut state = checkpoint.model.start(&memory).unwrap();
        let logits = checkpoint.model.step(&mut state, &[start, start]).unwrap();
        (tensor_bits(&memory.states), tensor_bits(&logits))
    };
    let expected = run(&reference);
    for name in ["tiny-marian-bin", "tiny-marian-bin-shards", "tiny-marian-shards"] {
        assert_eq!(run(&Checkpoint::fixture(name)), expected, "{name}");
    }
}

/// A batch's states are those of each source alone; what lies in the padding is nobody's.
#[test]
fn padding_changes_no_bit_of_the_encoder() {
    for &name in COMPARED {
        let checkpoint = Checkpoint::fixture(name);
        let expected = json(&fixtures().join(name).join("expected.json"));
        let sources: Vec<Vec<TokenId>> = list(&expected["source_ids"]).iter().map(ids).collect();
        let together = checkpoint.memory(&sources).states;
        for (row, source) in sources.iter().enumerate() {
            let alone = checkpoint.memory(std::slice::from_ref(source)).states;
            let row = together.get(row).unwrap().narrow(0, 0, source.len()).unwrap();
            assert_eq!(tensor_bits(&row), tensor_bits(&alone), "{name}");
        }
    }
}

/// A cache whose rows were repeated, reordered and left out says what one that was fed from the start says.
#[test]
fn a_rearranged_cache_says_the_same_as_a_fresh_one() {
    for &name in COMPARED {
        let checkpoint = Checkpoint::fixture(name);
        let expected = json(&fixtures().join(name).join("expected.json"));
        let sources: Vec<Vec<TokenId>> = list(&expected["source_ids"]).iter().take(3).map(ids).collect();
        let start = expected["ids"]["start"].as_u64().unwrap() as TokenId;
        let model = &checkpoint.model;
        let mut state = model.start(&checkpoint.memory(&sources)).unwrap();
        model.step(&mut state, &[start; 3]).unwrap();
        // Row by row: which source, and what it was fed.
        let mut rows: Vec<(usize, Vec<TokenId>)> = (0..3).map(|source| (source, vec![start])).collect();
        let moves: [&[usize]; 4] = [&[2, 2, 0, 1], &[3, 1, 0, 0], &[1, 3], &[1, 1, 0]];
        for (round, kept) in moves.into_iter().enumerate() {
            model.select(&mut state, kept).unwrap();
            rows = kept.iter().map(|&row| rows[row].clone()).collect();
            let tokens: Vec<TokenId> = (0..rows.len()).map(|row| (20 + 7 * round + row) as TokenId).collect();
            rows.iter_mut().zip(&tokens).for_each(|((_, fed), &token)| fed.push(token));
            let logits = model.step(&mut state, &tokens).unwrap();
            for (row, (source, fed)) in rows.iter().enumerate() {
                let fresh = replayed(&checkpoint, &sources[*source], fed);
                assert_eq!(tensor_bits(&logits.get(row).unwrap()), fresh, "{name}, round {round}, row {row}");
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

/// The bundled model on our own sentences, greedy and with four beams, with its own settings: the same texts.
#[test]
fn the_bundled_model_translates_as_in_transformers() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/kortom-nl-en");
    let files = ModelFiles::folder(&folder, "kortom-nl-en", None).unwrap();
    let engine = Engine::load(&files, &Placement::cpu()).unwrap();
    let expected = json(&fixtures().join("bundled/expected.json"));
    let sources = std::fs::read_to_string(fixtures().join("bundled/sources.txt")).unwrap();
    let sources: Vec<&str> = sources.lines().collect();
    for beams in [1, 4] {
        let flags = Overrides { num_beams: Some(beams), ..Overrides::default() };
        let session = engine.session(&Request { flags, ..Request::new(Caller::Generate) }).unwrap();
        let found = session.generate(&sources).unwrap();
        let outputs = list(&expected[format!("beam{beams}")]);
        assert!(outputs.len() >= 200 && outputs.len() == found.len());
        let mut ties = 0;
        for (found, expected) in found.iter().zip(outputs) {
            if found.text == expected["text"].as_str().unwrap() {
                assert_eq!(found.tokens, ids(&expected["ids"]));
                assert!(near(f64::from(found.score), expected["score"].as_f64().unwrap()), "{expected}");
            } else {
                let margin = expected["margin"].as_f64().unwrap();
                assert!(margin < NEAR, "beam {beams}: found `{}`, expected {expected}", found.text);
                ties += 1;
            }
        }
        assert!(ties * 200 <= found.len(), "{ties} near-ties");
        println!("kortom-nl-en, beam {beams}: {} sentences, {ties} near-ties", found.len());
    }
}
