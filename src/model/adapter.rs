//! LoRA adapters as PEFT saves them (`adapter_config.json`, `adapter_model.safetensors`). An adapter is merged into a
//! checkpoint's tensors as these are read: W + s·B·A (Hu et al. 2021), and whole tensors that replace others.
//!
//! Invariant: a model with a merged adapter equals what PEFT's `merge_and_unload` (<https://github.com/huggingface/peft>)
//! computes in f32. Adapters of other kinds are refused by name, and no tensor of an adapter is left unused.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use regex_automata::meta::Regex;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::error::WithHint;
use crate::files::ModelFiles;

use super::delta::Delta;
use super::family;
use super::spec::Names;
use super::view::View;
use super::weights::Weights;

/// The prefix of every tensor name in an adapter's file.
const PREFIX: &str = "base_model.model.";
/// The prefix that the names of some checkpoints have and those of others lack.
const MODEL: &str = "model.";
/// Names that one shared matrix may be stored under, most common first.
const EMBEDDINGS: [&str; 4] =
    ["shared.weight", "decoder.embed_tokens.weight", "encoder.embed_tokens.weight", "lm_head.weight"];
/// The output matrix, which may be trained separately from the embeddings.
const HEAD: &str = "lm_head.weight";
/// Variants of LoRA that cannot be merged, by the key in `adapter_config.json` that marks them.
const VARIANTS: [(&str, &str); 11] = [
    ("use_dora", "DoRA"),
    ("use_qalora", "QALoRA"),
    ("use_bdlora", "BD-LoRA"),
    ("alora_invocation_tokens", "Activated LoRA"),
    ("arrow_config", "Arrow"),
    ("kasa_config", "KaSA"),
    ("monteclora_config", "MonteCLoRA"),
    ("velora_config", "VeLoRA"),
    ("layer_replication", "layer replication"),
    ("target_parameters", "LoRA on parameters"),
    ("trainable_token_indices", "trained tokens"),
];
/// Initialisations that leave the checkpoint unchanged; others (PiSSA, OLoRA, LoftQ …) change it.
const HARMLESS: [&str; 3] = ["gaussian", "eva", "orthogonal"];
/// The hint for an adapter that cannot be merged by kortom.
const ELSEWHERE: &str =
    "merge it in Python (`merge_and_unload`, then `save_pretrained`) and name that folder with `--model`";

/// The contents of `adapter_config.json`.
#[derive(Deserialize)]
struct AdapterConfig {
    #[serde(default)]
    peft_type: String,
    base_model_name_or_path: Option<String>,
    #[serde(default = "eight")]
    r: f64,
    #[serde(default = "eight")]
    lora_alpha: f64,
    #[serde(default)]
    use_rslora: bool,
    rank_pattern: Option<Map<String, Value>>,
    alpha_pattern: Option<Map<String, Value>>,
    modules_to_save: Option<Vec<String>>,
    #[serde(default)]
    ensure_weight_tying: bool,
    #[serde(default)]
    init_lora_weights: Value,
    /// The names of tensors in the base model's files, if those in memory differ.
    #[serde(skip)]
    in_memory: Option<Names>,
    #[serde(flatten)]
    others: Map<String, Value>,
}

fn eight() -> f64 {
    8.0
}

/// The tensors that an adapter has for one module, by the suffixes of their names.
type Module<'a> = BTreeMap<&'a str, View<'a>>;

/// The weights of a model, into which its adapter is merged if it has one.
///
/// # Errors
/// When there are no weights, a file is damaged, or the adapter does not fit; the message names the file.
pub fn open_weights(files: &ModelFiles) -> Result<Weights> {
    let mut weights = Weights::open(files)?;
    if let Some(adapter) = files.adapter() {
        merge(&mut weights, adapter, files)?;
    }
    Ok(weights)
}

/// Merges an adapter into the weights of the model `base`.
///
/// # Errors
/// When the adapter is of another kind or for another base model, or when one of its tensors is missing, has another
/// shape, or has no counterpart in the model.
fn merge(weights: &mut Weights, adapter: &ModelFiles, base: &ModelFiles) -> Result<()> {
    merge_into(weights, adapter, base).with_context(|| format!("the adapter `{}` cannot be merged", adapter.name()))
}

fn merge_into(weights: &mut Weights, adapter: &ModelFiles, base: &ModelFiles) -> Result<()> {
    let mut config = AdapterConfig::read(adapter)?;
    config.check_base(base)?;
    config.in_memory = names_in_memory(base)?;
    let file = ["adapter_model.safetensors", "adapter_model.bin"].into_iter().find(|file| adapter.has(file));
    let file = file.context("it has neither `adapter_model.safetensors` nor `adapter_model.bin`")?;
    let own = Weights::single(adapter, file)?;
    let (modules, whole) = sorted(&own);
    ensure!(!modules.is_empty() || !whole.is_empty(), "`{file}` has no tensor of an adapter");
    let mut deltas = Vec::new();
    for (module, parts) in &modules {
        config.deltas(weights, module, parts, &mut deltas).with_context(|| config.made_for())?;
    }
    let mut places = Vec::new();
    for (name, target) in &whole {
        let targets = config.replaced(weights, target, &own.first(&[name])?).with_context(|| config.made_for())?;
        places.extend(targets.into_iter().map(|target| ((*name).to_owned(), target)));
    }
    if places.iter().any(|(_, target)| target == HEAD) {
        keep_embedding(weights);
        deltas.retain(|(name, _)| name != HEAD);
    }
    weights.add(deltas);
    weights.replace(own, &places);
    weights.stamp(&adapter.read("adapter_config.json")?);
    Ok(())
}

/// The tensors of an adapter's file: those that change modules, and whole tensors with the name of what they replace.
fn sorted(own: &Weights) -> (BTreeMap<String, Module<'_>>, Vec<(&str, String)>) {
    const ENDS: [&str; 5] =
        [".lora_A.weight", ".lora_B.weight", ".lora_B.bias", ".lora_embedding_A", ".lora_embedding_B"];
    let (mut modules, mut whole) = (BTreeMap::<String, Module>::new(), Vec::new());
    for name in own.names() {
        let bare = name.strip_prefix(PREFIX).unwrap_or(name);
        match ENDS.into_iter().find_map(|end| Some((bare.strip_suffix(end)?, end))) {
            Some((module, end)) => {
                let Some(view) = own.find(name) else { continue };
                modules.entry(module.to_owned()).or_default().insert(end, view);
            }
            // PEFT wraps a module that it changes; the name of the module itself is that without the wrapper.
            None => whole.push((name, bare.replace(".base_layer.", ".").replace(".modules_to_save.", "."))),
        }
    }
    (modules, whole)
}

impl AdapterConfig {
    fn read(adapter: &ModelFiles) -> Result<Self> {
        const FILE: &str = "adapter_config.json";
        let json = adapter.json(FILE)?.context("it has no `adapter_config.json`")?;
        let config: Self = serde_json::from_value(json).with_context(|| format!("`{FILE}` makes no sense"))?;
        if config.peft_type != "LORA" {
            bail!(
                format!("it is of the kind `{}`, and only LoRA can be merged", config.peft_type).with_hint(ELSEWHERE)
            );
        }
        let wanted = |key: &str| match config.others.get(key) {
            None | Some(Value::Null | Value::Bool(false)) => false,
            Some(Value::Array(list)) => !list.is_empty(),
            Some(Value::Object(map)) => !map.is_empty(),
            Some(_) => true,
        };
        if let Some((_, name)) = VARIANTS.into_iter().find(|(key, _)| wanted(key)) {
            bail!(format!("it uses {name}, and only plain LoRA can be merged").with_hint(ELSEWHERE));
        }
        if let Some(init) = config.init_lora_weights.as_str().filter(|init| !HARMLESS.contains(init)) {
            bail!(format!("its training began with `{init}`, which changes the checkpoint too").with_hint(ELSEWHERE));
        }
        Ok(config)
    }

    /// Refuses an adapter whose configuration names another repository as its base. A path there proves nothing.
    fn check_base(&self, base: &ModelFiles) -> Result<()> {
        let last = |name: &str| name.rsplit('/').next().unwrap_or(name).to_lowercase();
        let is_repository = |name: &str| name.split('/').count() == 2 && !name.starts_with(['.', '/', '~']);
        let Some(own) = self.base_model_name_or_path.as_deref().filter(|name| is_repository(name)) else {
            return Ok(());
        };
        let from_hub = base.revision().is_some() && is_repository(base.name());
        if from_hub && last(own) != last(base.name()) {
            bail!(format!("it was made for `{own}`, not for `{}`", base.name()).with_hint(format!(
                "use it with `--model {own}`; if the two are the same, say so in its adapter_config.json \
                 (`base_model_name_or_path`)"
            )));
        }
        Ok(())
    }

    fn made_for(&self) -> String {
        match &self.base_model_name_or_path {
            Some(name) => format!("it was made for `{name}`"),
            None => "it does not say for which model it was made".to_owned(),
        }
    }

    /// Adds to `deltas` the products that a module's tensors make, each with the name of the checkpoint's tensor that it
    /// changes.
    fn deltas(
        &self,
        weights: &Weights,
        module: &str,
        parts: &Module<'_>,
        deltas: &mut Vec<(String, Delta)>,
    ) -> Result<()> {
        const ENDS: [[&str; 2]; 2] = [[".lora_A.weight", ".lora_B.weight"], [".lora_embedding_A", ".lora_embedding_B"]];
        let embedding = parts.contains_key(ENDS[1][0]);
        let [a, b] = ENDS[usize::from(embedding)].map(|end| -> Result<_> {
            let view = parts.get(end).with_context(|| format!("it has no `{module}{end}`"))?;
            let &[rows, columns] = view.shape() else { bail!("`{module}{end}` is no matrix") };
            Ok((view, rows, columns))
        });
        let ((a, rank, inputs), (b, outputs, same)) = (a?, b?);
        let scale = self.scale(module, [rank, same])?;
        // An embedding is stored the other way round: its product is (B·A)ᵀ = Aᵀ·Bᵀ.
        let shape = if embedding { [inputs, outputs] } else { [outputs, inputs] };
        let names = self.stored_names(weights, &format!("{module}.weight"));
        ensure!(!names.is_empty(), "it changes `{module}`, which the model does not have");
        for name in names {
            fits(weights, &name, &shape)?;
            let (left, right) = if embedding { (transposed(a), transposed(b)) } else { (numbers(b), numbers(a)) };
            let left = left.into_iter().map(|number| (f64::from(number) * scale) as f32).collect();
            deltas.push((name, Delta { left, right, rank }));
        }
        if let Some(bias) = parts.get(".lora_B.bias") {
            let name = self.stored_names(weights, &format!("{module}.bias")).pop();
            let name = name.with_context(|| format!("it changes the bias of `{module}`, which has none"))?;
            fits(weights, &name, bias.shape())?;
            deltas.push((name, Delta { left: vec![scale as f32], right: numbers(bias), rank: 1 }));
        }
        Ok(())
    }

    /// The scale of a module's product, `alpha / r` or `alpha / √r`; `ranks` are those of its two matrices.
    fn scale(&self, module: &str, ranks: [usize; 2]) -> Result<f64> {
        let wanted = pattern(self.rank_pattern.as_ref(), module)?.unwrap_or(self.r) as usize;
        ensure!(
            wanted > 0 && ranks == [wanted; 2],
            "its matrices for `{module}` have the ranks {} and {}, and adapter_config.json says {wanted}",
            ranks[0],
            ranks[1]
        );
        let alpha = pattern(self.alpha_pattern.as_ref(), module)?.unwrap_or(self.lora_alpha);
        let rank = wanted as f64;
        Ok(alpha / if self.use_rslora { rank.sqrt() } else { rank })
    }

    /// The names of the checkpoint's tensors that a whole tensor replaces.
    fn replaced(&self, weights: &Weights, name: &str, view: &View<'_>) -> Result<Vec<String>> {
        let bare = name.strip_prefix(MODEL).unwrap_or(name);
        let apart = self.modules_to_save.iter().flatten().any(|module| {
            let owner = name.rsplit_once('.').map_or(name, |(owner, _)| owner);
            owner == module || owner.ends_with(&format!(".{module}"))
        });
        let apart = apart && !self.ensure_weight_tying;
        let names = self.stored_names(weights, name);
        let found = names.first().and_then(|name| weights.find(name));
        let found = found.with_context(|| format!("it has a tensor `{name}`, which the model does not have"))?;
        ensure!(
            found.shape() == view.shape(),
            "its `{name}` has the shape {:?}, and that of the model {:?}",
            view.shape(),
            found.shape()
        );
        if found.same(view) {
            // PEFT may save an embedding that was not trained, to be safe.
            return Ok(Vec::new());
        }
        if bare == HEAD && apart {
            return Ok(vec![HEAD.to_owned()]);
        }
        if apart && EMBEDDINGS.contains(&bare) {
            bail!(format!("it trained `{name}` apart from the matrix that shares its numbers").with_hint(ELSEWHERE));
        }
        Ok(names)
    }

    /// The names under which the checkpoint has a tensor: with or without the model's prefix, and for an embedding also
    /// those of the matrices that share it.
    fn stored_names(&self, weights: &Weights, name: &str) -> Vec<String> {
        let bare = name.strip_prefix(MODEL).unwrap_or(name);
        let stored_name = |bare: &str| {
            let whole = format!("{MODEL}{bare}");
            let in_files = self.in_memory.as_ref().and_then(|names| names.twin(&whole));
            let mut names = [bare.to_owned(), whole].into_iter().chain(in_files);
            names.find(|name| weights.find(name).is_some())
        };
        if !EMBEDDINGS.contains(&bare) {
            return stored_name(bare).into_iter().collect();
        }
        let known: Vec<String> = EMBEDDINGS.into_iter().filter_map(stored_name).collect();
        // A matrix that is not stored under this name is tied to one that is stored.
        let Some(own) = stored_name(bare).or_else(|| known.first().cloned()).and_then(|name| weights.find(&name))
        else {
            return Vec::new();
        };
        known.into_iter().filter(|name| weights.find(name).is_some_and(|view| view.same(&own))).collect()
    }
}

/// Fails if the checkpoint's tensor `name` does not have this shape.
fn fits(weights: &Weights, name: &str, shape: &[usize]) -> Result<()> {
    let found = weights.find(name).map_or_else(Vec::new, |view| view.shape().to_vec());
    ensure!(found == shape, "it is for `{name}` of the shape {shape:?}, and the model has {found:?}");
    Ok(())
}

/// Gives the embeddings a name of their own if the output matrix is the only stored name of both.
fn keep_embedding(weights: &mut Weights) {
    let names = weights.names().map(|name| name.strip_prefix(MODEL).unwrap_or(name));
    if names.filter(|name| EMBEDDINGS.contains(name)).eq([HEAD]) {
        weights.alias(HEAD, EMBEDDINGS[0]);
    }
}

/// The number that a pattern has for a module: that of the first key which, as a regular expression, matches the end of
/// the module's name.
fn pattern(pattern: Option<&Map<String, Value>>, module: &str) -> Result<Option<f64>> {
    for (key, value) in pattern.into_iter().flatten() {
        let expression = Regex::new(&format!(r"^(?:.*\.)?(?:{key})$"));
        let expression = expression.with_context(|| format!("`{key}` in adapter_config.json is no pattern"))?;
        if expression.is_match(module) {
            let number = value.as_f64().filter(|number| *number > 0.0);
            return number.map(Some).with_context(|| format!("`{key}` in adapter_config.json has no number"));
        }
    }
    Ok(None)
}

/// The names of a model whose tensors have other names in memory, which PEFT takes, than in its files. Not those of a
/// model whose stacks share tensors: an adapter of one stack leaves the other as it is.
fn names_in_memory(base: &ModelFiles) -> Result<Option<Names>> {
    let config = base.json("config.json")?.unwrap_or_default();
    // A config.json that makes no sense is refused where the model is built.
    let names = family::parse(&config).ok().map(|spec| spec.names);
    Ok(names.filter(|names| names.twins.is_some_and(|[stored, in_memory]| in_memory.starts_with(stored))))
}

/// The numbers of a matrix, row by row.
fn numbers(view: &View<'_>) -> Vec<f32> {
    let columns = view.shape().last().copied().unwrap_or(1).max(1);
    let mut numbers = vec![0.0; view.shape().iter().product()];
    numbers.chunks_exact_mut(columns).enumerate().for_each(|(row, out)| view.row(row, out));
    numbers
}

/// The numbers of a matrix, column by column.
fn transposed(view: &View<'_>) -> Vec<f32> {
    let (numbers, columns) = (numbers(view), view.shape()[1]);
    (0..columns).flat_map(|column| numbers.iter().skip(column).step_by(columns).copied()).collect()
}
