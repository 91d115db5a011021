//! From config.json to a [`Spec`]: one short function per family, and the only module that knows families by name.
//!
//! Each difference between families is checked against transformers by the parity tests.

mod bart_like;
mod config;
mod experts;
mod gemma;
mod halves;
mod long;
mod names;
mod refusal;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::batch::TokenId;
use crate::error::WithHint;
use crate::kernels::activation::Activation;
use crate::kernels::attention::Pattern;

pub(super) use refusal::WHOLE;

use super::spec::{NormKind, NormPlacement, Positions, Spec, Stack};
use config::Config;
use names::{BART_NAMES, T5_NAMES};

/// A family of encoder-decoders.
struct Family {
    /// Its `model_type` in config.json.
    model_type: &'static str,
    /// Other models of this family that are known by names of their own.
    also: Option<&'static str>,
    read: fn(&Config) -> Result<Spec>,
}

/// All families that kortom can run.
const FAMILIES: &[Family] = &[
    Family { model_type: "marian", also: None, read: marian },
    Family { model_type: "bart", also: None, read: bart },
    Family { model_type: "mbart", also: None, read: mbart },
    Family { model_type: "pegasus", also: None, read: pegasus },
    Family { model_type: "m2m_100", also: Some("NLLB, SMaLL-100"), read: m2m_100 },
    Family { model_type: "t5", also: Some("MADLAD-400"), read: t5 },
    Family { model_type: "mt5", also: None, read: mt5 },
    Family { model_type: "umt5", also: None, read: umt5 },
    Family { model_type: "led", also: None, read: long::led },
    Family { model_type: "longt5", also: None, read: long::longt5 },
    Family { model_type: "pegasus_x", also: None, read: long::pegasus_x },
    Family { model_type: "bigbird_pegasus", also: None, read: long::bigbird_pegasus },
    Family { model_type: "t5gemma", also: None, read: gemma::t5gemma },
    Family { model_type: "t5gemma2", also: None, read: gemma::t5gemma2 },
    Family {
        model_type: "encoder-decoder",
        also: Some("BERT and RoBERTa into BERT, RoBERTa or GPT-2"),
        read: halves::encoder_decoder,
    },
    Family { model_type: "mvp", also: None, read: bart_like::mvp },
    Family { model_type: "plbart", also: None, read: bart_like::plbart },
    Family { model_type: "blenderbot", also: None, read: bart_like::blenderbot },
    Family { model_type: "blenderbot-small", also: None, read: bart_like::blenderbot_small },
    Family { model_type: "fsmt", also: None, read: bart_like::fsmt },
    Family { model_type: "seamless_m4t", also: None, read: bart_like::seamless_m4t },
    Family { model_type: "seamless_m4t_v2", also: None, read: bart_like::seamless_m4t },
    Family { model_type: "nllb-moe", also: None, read: experts::nllb_moe },
    Family { model_type: "prophetnet", also: None, read: bart_like::prophetnet },
    Family { model_type: "switch_transformers", also: None, read: experts::switch_transformers },
];

fn find(model_type: &str) -> Option<&'static Family> {
    FAMILIES.iter().find(|family| family.model_type == model_type)
}

/// Whether kortom can run models whose `model_type` in config.json is this one.
#[must_use]
pub fn is_known(model_type: &str) -> bool {
    find(model_type).is_some()
}

/// Reads the specification of a checkpoint from its config.json.
///
/// # Errors
/// When the family is unknown, or a value is missing or makes no sense.
pub fn parse(config: &Value) -> Result<Spec> {
    let config = Config(config);
    let model_type = config.text("model_type").unwrap_or_default();
    let Some(family) = find(model_type) else { bail!(refusal::unknown(model_type, &config)) };
    refusal::check_class(model_type, &config)?;
    let spec = (family.read)(&config);
    let spec = spec.with_context(|| format!("config.json of this `{model_type}` model cannot be used"))?;
    check(&spec)?;
    Ok(spec)
}

fn check(spec: &Spec) -> Result<()> {
    for (name, value) in [
        ("width", spec.encoder.width.min(spec.decoder.width)),
        ("vocabulary", spec.vocabulary),
        ("encoder layers", spec.encoder.layers),
        ("decoder layers", spec.decoder.layers),
        ("attention heads", spec.encoder.heads.min(spec.decoder.heads)),
        ("head width", spec.encoder.head_width.min(spec.decoder.head_width)),
        ("feed-forward width", spec.encoder.inner.min(spec.decoder.inner)),
    ] {
        ensure!(value > 0, format!("config.json gives a {name} of 0").with_hint("fetch config.json again"));
    }
    Ok(())
}

fn marian(config: &Config) -> Result<Spec> {
    let mut spec = bart_like(config)?;
    for stack in spec.stacks() {
        stack.norm_placement = NormPlacement::Post;
        stack.positions = Positions::Sinusoidal;
    }
    // Measured on FLORES dev with the bundled model, four beams, AVX-512: BLEU 22.08 and chrF 52.17, against 22.11 and
    // 52.10 in f32. For no other family was there a trained checkpoint to measure.
    spec.int8 = true;
    let shared = config.flag("share_encoder_decoder_embeddings").unwrap_or(true);
    spec.shared_embedding = shared;
    if !shared {
        spec.vocabulary = config.size_or("decoder_vocab_size", spec.vocabulary)?;
    }
    Ok(spec)
}

fn bart(config: &Config) -> Result<Spec> {
    let mut spec = bart_like(config)?;
    for stack in spec.stacks() {
        stack.norm_placement = NormPlacement::Post;
        stack.positions = Positions::Learned { offset: 2 };
        stack.embedding_norm = true;
    }
    Ok(spec)
}

fn mbart(config: &Config) -> Result<Spec> {
    let mut spec = bart_like(config)?;
    for stack in spec.stacks() {
        stack.positions = Positions::Learned { offset: 2 };
        stack.embedding_norm = true;
        stack.final_norm = true;
    }
    Ok(spec)
}

fn pegasus(config: &Config) -> Result<Spec> {
    let mut spec = bart_like(config)?;
    // Pegasus overflows f16: https://github.com/huggingface/transformers/issues/9257
    spec.wide_range = true;
    for stack in spec.stacks() {
        stack.positions = Positions::Sinusoidal;
        stack.final_norm = true;
    }
    Ok(spec)
}

fn m2m_100(config: &Config) -> Result<Spec> {
    let mut spec = bart_like(config)?;
    let padding = Some(config.size_or("pad_token_id", 1)? as TokenId);
    for stack in spec.stacks() {
        stack.positions = Positions::SinusoidalFairseq { padding };
        stack.final_norm = true;
    }
    spec.output_bias = &[];
    Ok(spec)
}

/// What the families that came from fairseq have in common: a pre-norm stack without extras.
fn bart_like(config: &Config) -> Result<Spec> {
    let positions = config.size("max_position_embeddings")?;
    bart_with_positions(config, [positions; 2])
}

/// A family like BART with these numbers of positions in the encoder and in the decoder.
fn bart_with_positions(config: &Config, windows: [usize; 2]) -> Result<Spec> {
    let width = config.size(if config.has("d_model") { "d_model" } else { "hidden_size" })?;
    let activation = activation(config.text("activation_function").unwrap_or("gelu"))?;
    let stack = |side: &str, window: usize| -> Result<Stack> {
        // ProphetNet's keys begin with `num_`, those of the other families do not.
        let named = |what: &str| {
            let counted = format!("num_{side}_{what}");
            if config.has(&counted) { counted } else { format!("{side}_{what}") }
        };
        let key = named("attention_heads");
        let heads = config.size(&key)?;
        // A model with 0 heads is refused later, with the other sizes.
        let head_width = width / heads.max(1);
        ensure!(
            head_width * heads == width || heads == 0,
            format!("{heads} heads (`{key}`) do not divide a width of {width} (`d_model`)")
                .with_hint("fetch config.json again")
        );
        Ok(Stack {
            layers: config.size(&named("layers"))?,
            inner: config.size(&format!("{side}_ffn_dim"))?,
            window,
            activation,
            positions: Positions::Sinusoidal,
            embedding_scale: if config.flag("scale_embedding").unwrap_or(false) { (width as f64).sqrt() } else { 1.0 },
            ..Stack::plain(width, heads)
        })
    };
    let vocabulary = config.size(if config.has("tgt_vocab_size") { "tgt_vocab_size" } else { "vocab_size" })?;
    Ok(Spec {
        family: config.family(),
        vocabulary,
        source_vocabulary: config.size_or("src_vocab_size", vocabulary)?,
        encoder: stack("encoder", windows[0])?,
        decoder: stack("decoder", windows[1])?,
        shared_embedding: true,
        tied_output: config.flag("tie_word_embeddings").unwrap_or(true),
        output_scale: 1.0,
        output_bias: &["final_logits_bias"],
        logit_cap: None,
        source_projection: false,
        output_transform: None,
        merged_attention: false,
        own_embedding: None,
        wide_range: false,
        int8: false,
        prompts: None,
        predicting_stream: None,
        names: BART_NAMES,
    })
}

/// Whether a T5 multiplies its decoder's states by `d^-1/2` before the output matrix. In transformers 4 the key for tied
/// embeddings decides this; from version 5 on there is a separate key.
fn scales(config: &Config) -> bool {
    config.flag("scale_decoder_outputs").or(config.flag("tie_word_embeddings")).unwrap_or(true)
}

fn t5(config: &Config) -> Result<Spec> {
    t5_like(config, scales(config))
}

fn mt5(config: &Config) -> Result<Spec> {
    t5_like(config, false)
}

/// What all versions of T5 have in common. `scaled`: whether states are multiplied by `d^-1/2` before the output matrix.
fn t5_like(config: &Config, scaled: bool) -> Result<Spec> {
    let width = config.size("d_model")?;
    let projection = config.text("feed_forward_proj").unwrap_or("relu");
    let (gated, name) = match projection.strip_prefix("gated-") {
        Some(name) => (true, name),
        None => (false, projection),
    };
    let encoder = Stack {
        width,
        layers: config.size("num_layers")?,
        heads: config.size("num_heads")?,
        kv_heads: config.size("num_heads")?,
        head_width: config.size("d_kv")?,
        attention_scale: 1.0,
        attention_cap: None,
        head_norms: false,
        inner: config.size("d_ff")?,
        window: config.size_or("n_positions", 512)?,
        attention_bias: false,
        feed_forward_bias: false,
        attention: vec![Pattern::Full],
        // transformers reads `gated-gelu` as the tanh formula, for compatibility with the first checkpoints.
        activation: if projection == "gated-gelu" { Activation::GeluTanh } else { activation(name)? },
        gated,
        norm_placement: NormPlacement::Pre,
        norm: NormKind::Rms,
        norm_eps: config.number("layer_norm_epsilon").unwrap_or(1e-6),
        final_norm: true,
        embedding_norm: false,
        word_norm: false,
        positions: Positions::Relative {
            buckets: config.size_or("relative_attention_num_buckets", 32)?,
            max_distance: config.size_or("relative_attention_max_distance", 128)?,
            every_layer: false,
        },
        embedding_scale: 1.0,
        experts: None,
    };
    let decoder = Stack { layers: config.size_or("num_decoder_layers", encoder.layers)?, ..encoder.clone() };
    let vocabulary = config.size("vocab_size")?;
    Ok(Spec {
        family: config.family(),
        vocabulary,
        source_vocabulary: vocabulary,
        encoder,
        decoder,
        shared_embedding: true,
        // Whatever config.json says: if the file has no output matrix of its own, the embedding is used.
        tied_output: true,
        output_scale: if scaled { 1.0 / (width as f64).sqrt() } else { 1.0 },
        output_bias: &[],
        logit_cap: None,
        source_projection: false,
        output_transform: None,
        merged_attention: false,
        own_embedding: None,
        // T5 overflows f16: https://github.com/huggingface/transformers/issues/9295
        wide_range: true,
        int8: false,
        prompts: None,
        predicting_stream: None,
        names: if gated { names::t5_gated() } else { T5_NAMES },
    })
}

/// UMT5: T5 with a bias by distance in every layer.
fn umt5(config: &Config) -> Result<Spec> {
    let mut spec = t5_like(config, scales(config))?;
    for stack in spec.stacks() {
        if let Positions::Relative { every_layer, .. } = &mut stack.positions {
            *every_layer = true;
        }
    }
    Ok(spec)
}

fn activation(name: &str) -> Result<Activation> {
    Ok(match name {
        "relu" => Activation::Relu,
        "silu" | "swish" => Activation::Silu,
        "gelu" => Activation::Gelu,
        "gelu_new" | "gelu_pytorch_tanh" => Activation::GeluTanh,
        _ => bail!(
            format!("the activation function `{name}` is not known")
                .with_hint("known are relu, silu, swish, gelu, gelu_new")
        ),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_t5_is_scaled_as_its_keys_say_and_tied_whatever_they_say() {
        let nothing = json!({});
        let published = json!({"tie_word_embeddings": false});
        let transformers_5 = json!({"tie_word_embeddings": true, "scale_decoder_outputs": false});
        let both = json!({"tie_word_embeddings": false, "scale_decoder_outputs": true});
        for (family, scaled) in [
            ("t5", [true, false, false, true]),
            ("umt5", [true, false, false, true]),
            ("mt5", [false, false, false, false]),
        ] {
            for (keys, scaled) in [&nothing, &published, &transformers_5, &both].into_iter().zip(scaled) {
                let mut config = json!({
                    "model_type": family, "d_model": 16, "d_kv": 4, "d_ff": 8, "num_layers": 1, "num_heads": 2,
                    "vocab_size": 9,
                });
                config.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
                let spec = parse(&config).unwrap();
                let scale = if scaled { 0.25 } else { 1.0 };
                assert!(spec.tied_output && (spec.output_scale - scale).abs() < 1e-9, "{config}");
            }
        }
    }
}
