//! Families that differ little from BART or M2M100.
//!
//! Written after transformers' models `mvp`, `plbart`, `blenderbot`, `blenderbot_small`, `fsmt`, `seamless_m4t` and
//! `prophetnet`.

use anyhow::{Result, ensure};

use super::names::{FSMT_NAMES, PROPHETNET_NAMES, SEAMLESS_NAMES};
use super::{Config, bart, bart_like, m2m_100};
use crate::batch::TokenId;
use crate::error::WithHint;
use crate::kernels::attention::Pattern;
use crate::model::spec::{NormPlacement, Positions, PredictingStream, Prompts, Spec};

/// MVP: BART, with prompts in every attention if `use_prompt` is set.
pub(super) fn mvp(config: &Config) -> Result<Spec> {
    let mut spec = bart(config)?;
    if config.flag("use_prompt").unwrap_or(false) {
        let count = config.size_or("prompt_length", 100)?;
        let inner = config.size_or("prompt_mid_dim", 800)?;
        ensure!(
            count > 0 && inner > 0,
            format!(
                "config.json gives {count} prompts (`prompt_length`) of an inner width of {inner} (`prompt_mid_dim`)"
            )
            .with_hint("fetch config.json again")
        );
        spec.encoder.attention = vec![Pattern::Prompted { prompts: count }];
        spec.prompts = Some(Prompts {
            count,
            inner,
            names: [
                "model.encoder.self_attn_prompt",
                "model.decoder.self_attn_prompt",
                "model.decoder.cross_attn_prompt",
            ],
        });
    }
    Ok(spec)
}

/// `PLBart`: BART whose embeddings are scaled unless config.json says otherwise.
pub(super) fn plbart(config: &Config) -> Result<Spec> {
    let mut spec = bart(config)?;
    if config.flag("scale_embedding").unwrap_or(true) {
        for stack in spec.stacks() {
            stack.embedding_scale = (stack.width as f64).sqrt();
        }
    }
    Ok(spec)
}

/// Blenderbot: BART with normalisation before each part.
pub(super) fn blenderbot(config: &Config) -> Result<Spec> {
    let mut spec = bart_like(config)?;
    for stack in spec.stacks() {
        stack.positions = Positions::Learned { offset: 0 };
        stack.final_norm = true;
    }
    Ok(spec)
}

/// Blenderbot-small: BART whose decoder normalises unscaled token embeddings before it adds positions.
pub(super) fn blenderbot_small(config: &Config) -> Result<Spec> {
    let mut spec = bart(config)?;
    for stack in spec.stacks() {
        stack.positions = Positions::Learned { offset: 0 };
    }
    spec.decoder.embedding_norm = false;
    spec.decoder.word_norm = true;
    spec.decoder.embedding_scale = 1.0;
    Ok(spec)
}

/// FSMT: M2M100's positions, a vocabulary for each language, and an output matrix of its own.
pub(super) fn fsmt(config: &Config) -> Result<Spec> {
    let mut spec = bart_like(config)?;
    let padding = Some(config.size_or("pad_token_id", 1)? as TokenId);
    for stack in spec.stacks() {
        stack.norm_placement = NormPlacement::Post;
        stack.positions = Positions::SinusoidalFairseq { padding };
        if config.flag("scale_embedding").unwrap_or(true) {
            stack.embedding_scale = (stack.width as f64).sqrt();
        }
    }
    spec.shared_embedding = false;
    spec.tied_output = config.flag("tie_word_embeddings").unwrap_or(false);
    spec.output_bias = &[];
    spec.names = FSMT_NAMES;
    Ok(spec)
}

/// `SeamlessM4T`, text to text: M2M100 with other names. The weights for speech are not read, and `layer_norm_eps` in
/// config.json is of the layers for speech only.
pub(super) fn seamless_m4t(config: &Config) -> Result<Spec> {
    let mut spec = m2m_100(config)?;
    let padding = Some(config.size_or("pad_token_id", 0)? as TokenId);
    for stack in spec.stacks() {
        stack.positions = Positions::SinusoidalFairseq { padding };
        if config.flag("scale_embedding").unwrap_or(true) {
            stack.embedding_scale = (stack.width as f64).sqrt();
        }
    }
    spec.names = SEAMLESS_NAMES;
    Ok(spec)
}

/// `ProphetNet`: BART whose decoder predicts the next token in a stream of its own.
pub(super) fn prophetnet(config: &Config) -> Result<Spec> {
    let mut spec = bart(config)?;
    let padding = config.size_or("pad_token_id", 0)?;
    // transformers counts distances from position 1 on, and refuses to decode if padding is not 0.
    ensure!(
        padding == 0,
        format!("`pad_token_id` in config.json is {padding}, and its positions begin after 0")
            .with_hint("fetch config.json again")
    );
    for stack in spec.stacks() {
        ensure!(
            stack.window > 2,
            format!("config.json gives {} positions (`max_position_embeddings`)", stack.window)
                .with_hint("fetch config.json again")
        );
        stack.window -= 1;
        stack.positions = Positions::Learned { offset: 1 };
        stack.embedding_scale = 1.0;
    }
    let stream = PredictingStream {
        streams: config.size_or("ngram", 2)?,
        buckets: config.size_or("num_buckets", 32)?,
        max_distance: config.size_or("relative_max_distance", 128)?,
        names: ["prophetnet.decoder.ngram_embeddings.weight", "relative_pos_embeddings"],
    };
    ensure!(
        stream.streams > 0 && stream.buckets > 1 && stream.max_distance > stream.buckets / 2,
        format!(
            "config.json gives {} streams (`ngram`), and {} buckets (`num_buckets`) for distances up to {} \
             (`relative_max_distance`)",
            stream.streams, stream.buckets, stream.max_distance
        )
        .with_hint("fetch config.json again")
    );
    spec.predicting_stream = Some(stream);
    spec.output_bias = &[];
    spec.names = PROPHETNET_NAMES;
    Ok(spec)
}
