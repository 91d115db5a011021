//! `T5Gemma` and `T5Gemma` 2: encoder-decoders with Gemma's layers.
//!
//! Written after transformers' models `t5gemma` and `t5gemma2`. Only text is supported: the weights of the vision tower
//! are left on disk. Invariant: a window of 0, and an unknown scaling of positions, are refused here.

use anyhow::{Context, Result, bail, ensure};

use super::names::{T5GEMMA_NAMES, T5GEMMA2_NAMES};
use super::{Config, activation};
use crate::batch::TokenId;
use crate::error::WithHint;
use crate::kernels::attention::Pattern;
use crate::model::spec::{Frequencies, NormKind, NormPlacement, Positions, Spec, Stack};

const BASE: f64 = 10_000.0;
const FULL: &str = "full_attention";
const SLIDING: &str = "sliding_attention";

/// `T5Gemma`: two stacks of Gemma 2's layers, which may have different widths.
pub(super) fn t5gemma(config: &Config) -> Result<Spec> {
    let [source, target] = [config.within("encoder")?, config.within("decoder")?];
    // Layers have a window and full attention in turns, the window first.
    let [mut encoder, mut decoder] = [stack(&source, 2, 0)?, stack(&target, 2, 0)?];
    for (stack, config) in [(&mut encoder, &source), (&mut decoder, &target)] {
        stack.attention_cap = number_or(config, "attn_logit_softcapping", 50.0);
        let base = config.number("rope_theta").unwrap_or(BASE);
        let full = frequencies(config, &["rope_parameters"], base)?;
        stack.positions = Positions::Rotary { full, window: full };
    }
    // A window reaches equally far before and after the token.
    see(&mut encoder, |window| [window, window]);
    see(&mut decoder, |window| [window - 1, 0]);
    let mut spec = spec(config, &source, &target, [encoder, decoder])?;
    spec.logit_cap = number_or(&target, "final_logit_softcapping", 30.0);
    spec.names = T5GEMMA_NAMES;
    Ok(spec)
}

/// `T5Gemma` 2: Gemma 3's layers, with a decoder that attends to its past and the source at once.
pub(super) fn t5gemma2(config: &Config) -> Result<Spec> {
    let around = config.within("encoder")?;
    let source = around.within("text_config").context("the encoder has no text half, only one that sees pictures")?;
    let target = config.within("decoder")?;
    let pattern = |config: &Config| config.size_or("sliding_window_pattern", 6);
    let [mut encoder, mut decoder] = [
        stack(&source, pattern(&source)?, pattern(&source)? - 1)?,
        stack(&target, pattern(&target)?, pattern(&target)? - 1)?,
    ];
    ensure!(
        (encoder.width, source.size("vocab_size")?) == (decoder.width, target.size("vocab_size")?),
        "the encoder has another width or vocabulary than the decoder".with_hint("fetch config.json again")
    );
    for (stack, config) in [(&mut encoder, &source), (&mut decoder, &target)] {
        stack.head_norms = true;
        let base = |key: &str, default: f64| config.number(key).unwrap_or(default);
        let full = frequencies(config, &["rope_parameters", FULL], base("rope_theta", 1e6))?;
        let window = frequencies(config, &["rope_parameters", SLIDING], base("rope_local_base_freq", BASE))?;
        stack.positions = Positions::Rotary { full, window };
    }
    // A window is centred on the token; if its size is even, it reaches one token further after than before.
    see(&mut encoder, |window| [window.div_ceil(2) - 1, window / 2]);
    see(&mut decoder, |window| [window - 1, 0]);
    let mut spec = spec(config, &source, &target, [encoder, decoder])?;
    spec.shared_embedding = true;
    spec.merged_attention = true;
    spec.own_embedding = Some(around.size_or("eoi_token_index", 256_000)? as TokenId);
    spec.logit_cap = target.number("final_logit_softcapping").map(|cap| cap as f32);
    spec.names = T5GEMMA2_NAMES;
    Ok(spec)
}

/// A number that may be null in config.json, which means none; only if the key is absent, the default holds.
fn number_or(config: &Config, key: &str, default: f32) -> Option<f32> {
    if config.has(key) { config.number(key).map(|number| number as f32) } else { Some(default) }
}

/// What both stacks of both families have in common. If there is no `layer_types`, every layer whose index modulo `every`
/// is `full` has full attention.
fn stack(config: &Config, every: usize, full: usize) -> Result<Stack> {
    let (width, heads, kv_heads) =
        (config.size("hidden_size")?, config.size("num_attention_heads")?, config.size("num_key_value_heads")?);
    ensure!(
        kv_heads > 0 && heads % kv_heads == 0,
        format!("{kv_heads} heads of keys (`num_key_value_heads`) do not divide {heads} heads")
            .with_hint("fetch config.json again")
    );
    let head_width = config.size_or("head_dim", width / heads.max(1))?;
    ensure!(
        head_width % 2 == 0,
        format!("`head_dim` in config.json is {head_width}, an odd number").with_hint("it must be even")
    );
    let layers = config.size("num_hidden_layers")?;
    let biased = config.flag("attention_bias").unwrap_or(false);
    Ok(Stack {
        width,
        layers,
        heads,
        kv_heads,
        head_width,
        attention_scale: 1.0 / config.number("query_pre_attn_scalar").unwrap_or(256.0).sqrt() as f32,
        attention_cap: None,
        head_norms: false,
        inner: config.size("intermediate_size")?,
        window: config.size("max_position_embeddings")?,
        attention_bias: biased,
        feed_forward_bias: false,
        attention: patterns(config, layers, every, full)?,
        activation: activation(config.text("hidden_activation").unwrap_or("gelu_pytorch_tanh"))?,
        gated: true,
        norm_placement: NormPlacement::Both,
        norm: NormKind::RmsOneMore,
        norm_eps: config.number("rms_norm_eps").unwrap_or(1e-6),
        final_norm: true,
        embedding_norm: false,
        word_norm: false,
        positions: Positions::Rotary {
            full: Frequencies { base: BASE, factor: 1.0 },
            window: Frequencies { base: BASE, factor: 1.0 },
        },
        embedding_scale: (width as f64).sqrt(),
        experts: None,
    })
}

/// The attention patterns of the layers. A window's whole size stands in `before` and in `after` until [`see`] divides
/// it.
fn patterns(config: &Config, layers: usize, every: usize, full: usize) -> Result<Vec<Pattern>> {
    let (window, positions) = (config.size_or("sliding_window", 4096)?, config.size("max_position_embeddings")?);
    let sees = |name: &str| match name {
        FULL => Ok(Pattern::Full),
        SLIDING => {
            super::long::check_window("sliding_window", window, positions)?;
            Ok(Pattern::Window { before: window, after: window, first: false })
        }
        other => bail!(
            format!("`layer_types` in config.json has `{other}`").with_hint(format!("known are {FULL} and {SLIDING}"))
        ),
    };
    let Some(types) = config.texts("layer_types") else {
        ensure!(every > 0, "`sliding_window_pattern` in config.json is 0".with_hint("fetch config.json again"));
        return (0..layers).map(|layer| sees(if layer % every == full { FULL } else { SLIDING })).collect();
    };
    ensure!(
        types.len() == layers,
        format!("config.json gives {} `layer_types` for {layers} layers", types.len())
            .with_hint("fetch config.json again")
    );
    types.into_iter().map(sees).collect()
}

/// Sets how far windows reach before and after a token, as a function of their size.
fn see(stack: &mut Stack, reach: impl Fn(usize) -> [usize; 2]) {
    for pattern in &mut stack.attention {
        if let Pattern::Window { before, after, .. } = pattern {
            [*before, *after] = reach(*before);
        }
    }
}

/// The frequencies of rotation. Files older than these keys have none of them; some in between have `rope_scaling`.
fn frequencies(config: &Config, path: &[&str], base: f64) -> Result<Frequencies> {
    let parameters = path.iter().try_fold(config.0, |value, key| value.get(key)).filter(|value| value.is_object());
    let older = || config.0.get("rope_scaling").filter(|value| value.is_object() && path.last() != Some(&SLIDING));
    let Some(parameters) = parameters.or_else(older).map(Config) else { return Ok(Frequencies { base, factor: 1.0 }) };
    let kind = parameters.text("rope_type").or(parameters.text("type")).unwrap_or("default");
    let factor = match kind {
        "default" => 1.0,
        "linear" => parameters.number("factor").unwrap_or(1.0),
        other => bail!(format!("config.json scales positions by `{other}`").with_hint("known are default and linear")),
    };
    let base = parameters.number("rope_theta").unwrap_or(base);
    ensure!(
        base > 0.0 && factor > 0.0,
        format!("config.json rotates by the base {base} and factor {factor}").with_hint("fetch it again")
    );
    Ok(Frequencies { base, factor })
}

fn spec(config: &Config, source: &Config, target: &Config, [encoder, decoder]: [Stack; 2]) -> Result<Spec> {
    Ok(Spec {
        family: config.family(),
        vocabulary: target.size("vocab_size")?,
        source_vocabulary: source.size("vocab_size")?,
        encoder,
        decoder,
        shared_embedding: false,
        tied_output: config.flag("tie_word_embeddings").unwrap_or(true),
        output_scale: 1.0,
        output_bias: &[],
        logit_cap: None,
        source_projection: false,
        output_transform: None,
        merged_attention: false,
        own_embedding: None,
        // Gemma was trained in bf16, and its embeddings alone are multiplied by up to 60.
        wide_range: true,
        int8: false,
        prompts: None,
        predicting_stream: None,
        names: T5GEMMA_NAMES,
    })
}
