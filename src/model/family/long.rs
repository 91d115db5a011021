//! Families for long documents, whose encoder has sparse attention.
//!
//! Written after transformers' models `led`, `longt5`, `pegasus_x` and `bigbird_pegasus`. Invariant: sizes that make no
//! valid pattern are refused here, so that no kernel divides by 0.

use anyhow::{Result, bail, ensure};

use super::names::LED_NAMES;
use super::{Config, activation, bart_like, bart_with_positions, scales, t5_like};
use crate::error::WithHint;
use crate::kernels::attention::Pattern;
use crate::model::spec::{GlobalNames, NormPlacement, Positions, Spec};

/// The most source tokens that LongT5 was trained with. Its positions are unlimited, and the `n_positions` in its
/// checkpoints is copied from T5: checkpoints for 16,384 tokens say 4,096.
const LONGT5_WINDOW: usize = 16_384;

/// LED: BART whose encoder layers have a window each, and whose first token may be made global.
pub(super) fn led(config: &Config) -> Result<Spec> {
    let positions = [("encoder", 16_384), ("decoder", 1024)];
    let positions = positions.map(|(side, most)| config.size_or(&format!("max_{side}_position_embeddings"), most));
    let [source, target] = positions;
    let mut spec = bart_with_positions(config, [source?, target?])?;
    for stack in spec.stacks() {
        stack.norm_placement = NormPlacement::Post;
        stack.positions = Positions::Learned { offset: 0 };
        stack.embedding_norm = true;
        stack.embedding_scale = 1.0;
    }
    let windows = config.sizes_or("attention_window", 512)?;
    ensure!(
        windows.len() == 1 || windows.len() == spec.encoder.layers,
        format!("config.json gives {} attention windows for {} encoder layers", windows.len(), spec.encoder.layers)
            .with_hint("fetch config.json again")
    );
    for &window in &windows {
        check_window("attention_window", window, spec.encoder.window)?;
        ensure!(
            window % 2 == 0,
            format!("`attention_window` in config.json is {window}, an odd number").with_hint("it must be even")
        );
    }
    let pattern = |window: usize| Pattern::Window { before: window / 2, after: window / 2, first: false };
    spec.encoder.attention = windows.into_iter().map(pattern).collect();
    spec.names = LED_NAMES;
    Ok(spec)
}

/// LongT5: T5 whose encoder has a window, and in one of two variants the sums of all blocks too.
pub(super) fn longt5(config: &Config) -> Result<Spec> {
    let mut spec = t5_like(config, scales(config))?;
    spec.encoder.window = LONGT5_WINDOW;
    let radius = config.size_or("local_radius", 127)?;
    check_window("local_radius", radius, usize::MAX)?;
    let names = &mut spec.names.encoder;
    match config.text("encoder_attention_type").unwrap_or("local") {
        "local" => {
            spec.encoder.attention = vec![Pattern::Window { before: radius, after: radius, first: false }];
            names.positions = "layer.0.LocalSelfAttention.relative_attention_bias.weight";
            names.self_attention.0 = "layer.0.LocalSelfAttention";
        }
        "transient-global" => {
            let block = config.size_or("global_block_size", 16)?;
            check_window("global_block_size", block, usize::MAX)?;
            spec.encoder.attention = vec![Pattern::WindowAndSums { radius, block }];
            names.positions = "layer.0.TransientGlobalSelfAttention.relative_attention_bias.weight";
            names.self_attention.0 = "layer.0.TransientGlobalSelfAttention";
            names.globals = GlobalNames {
                norm: "layer.0.TransientGlobalSelfAttention.global_input_layer_norm",
                bias: "layer.0.TransientGlobalSelfAttention.global_relative_attention_bias.weight",
                ..GlobalNames::NONE
            };
        }
        other => bail!(
            format!("`encoder_attention_type` in config.json is `{other}`")
                .with_hint("known are local and transient-global")
        ),
    }
    Ok(spec)
}

/// PEGASUS-X: attention within blocks, whose boundaries move by half a block in every second layer, and global tokens.
pub(super) fn pegasus_x(config: &Config) -> Result<Spec> {
    let mut spec = bart_like(config)?;
    // Activations are as large as those of Pegasus, from which it was trained.
    spec.wide_range = true;
    spec.output_bias = &[];
    for stack in spec.stacks() {
        stack.positions = Positions::SinusoidalFairseq { padding: None };
        stack.final_norm = true;
        stack.embedding_scale = scale(config, stack.width);
        stack.attention_bias = false;
    }
    let size = config.size_or("block_size", 512)?;
    let globals = config.size_or("num_global_tokens", 32)?;
    check_window("block_size", size, usize::MAX)?;
    check_window("num_global_tokens", globals, usize::MAX)?;
    let blocks = |shift: usize| Pattern::Blocks { size, shift, globals };
    spec.encoder.attention = vec![blocks(0)];
    if config.flag("stagger_local_blocks").unwrap_or(true) {
        ensure!(
            size % 2 == 0,
            format!("`block_size` in config.json is {size}, an odd number").with_hint("it must be even")
        );
        spec.encoder.attention.push(blocks(size / 2));
    }
    spec.names.encoder.globals = GlobalNames {
        tokens: "model.encoder.embed_global.weight",
        norm: "global_self_attn_layer_norm",
        ..GlobalNames::NONE
    };
    Ok(spec)
}

/// BigBird-Pegasus: attention to neighbouring blocks and to the first and last block, whose tokens see everything.
pub(super) fn bigbird_pegasus(config: &Config) -> Result<Spec> {
    let mut spec = bart_like(config)?;
    // Activations are as large as those of Pegasus, from which it was trained.
    spec.wide_range = true;
    let activation = activation(config.text("activation_function").unwrap_or("gelu_new"))?;
    for stack in spec.stacks() {
        stack.positions = Positions::Learned { offset: 0 };
        stack.final_norm = true;
        stack.embedding_scale = scale(config, stack.width);
        stack.activation = activation;
        stack.attention_bias = config.flag("use_bias").unwrap_or(false);
    }
    let block = config.size_or("block_size", 64)?;
    check_window("block_size", block, spec.encoder.window)?;
    let random = config.size_or("num_random_blocks", 3)?;
    match config.text("attention_type").unwrap_or("block_sparse") {
        "block_sparse" => spec.encoder.attention = vec![Pattern::BigBird { block, random }],
        "original_full" => {}
        other => {
            bail!(
                format!("`attention_type` in config.json is `{other}`")
                    .with_hint("known are block_sparse and original_full")
            )
        }
    }
    let names = &mut spec.names;
    names.encoder.projections = ["self.query", "self.key", "self.value", "output"];
    names.encoder.final_norm = names.encoder.embedding_norm;
    names.decoder.final_norm = names.decoder.embedding_norm;
    Ok(spec)
}

/// The factor on embeddings: in these families they are scaled unless config.json says otherwise.
fn scale(config: &Config, width: usize) -> f64 {
    if config.flag("scale_embedding").unwrap_or(true) { (width as f64).sqrt() } else { 1.0 }
}

pub(super) fn check_window(key: &str, window: usize, positions: usize) -> Result<()> {
    ensure!(window > 0, format!("`{key}` in config.json is 0").with_hint("fetch config.json again"));
    ensure!(
        window <= positions,
        format!("`{key}` in config.json is {window}, but the model has {positions} positions")
            .with_hint("fetch config.json again")
    );
    Ok(())
}
