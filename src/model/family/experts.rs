//! Families some of whose layers have experts instead of one feed-forward layer.
//!
//! Written after transformers' models `nllb_moe` and `switch_transformers`. Invariant: a checkpoint whose routing depends
//! on chance or on other sequences of a batch is refused here.

use anyhow::{Result, ensure};

use super::names::{NLLB_MOE_NAMES, SWITCH_NAMES};
use super::{Config, activation, m2m_100, t5_like};
use crate::error::WithHint;
use crate::model::spec::{ExpertSpec, Routing, Spec};

const NAMES: [&str; 2] = ["router.classifier", "experts.expert_"];

/// NLLB-MoE: M2M100 in some of whose layers a token uses the two likeliest experts.
pub(super) fn nllb_moe(config: &Config) -> Result<Spec> {
    let mut spec = m2m_100(config)?;
    let policy = config.text("second_expert_policy").unwrap_or("all");
    ensure!(
        policy == "all",
        format!("`second_expert_policy` in config.json is `{policy}`, by which the second expert is left to chance")
            .with_hint("kortom computes `all`, as published checkpoints have it")
    );
    let fraction = config.number("moe_eval_capacity_token_fraction").unwrap_or(1.0);
    ensure!(
        fraction >= 1.0,
        format!(
            "`moe_eval_capacity_token_fraction` in config.json is {fraction}, by which an expert leaves out tokens when \
             others of the batch come before them"
        )
        .with_hint("kortom computes 1.0, as published checkpoints have it")
    );
    let dropout = config.number("moe_token_dropout").unwrap_or(0.2);
    let count = count(config, 128)?;
    for (stack, side) in [(&mut spec.encoder, "encoder"), (&mut spec.decoder, "decoder")] {
        if config.flag("scale_embedding").unwrap_or(true) {
            stack.embedding_scale = (stack.width as f64).sqrt();
        }
        let step = config.size_or(&format!("{side}_sparse_step"), 4)?;
        let layers = (0..stack.layers).filter(|layer| step > 0 && (layer + 1) % step == 0).collect();
        let routing = Routing::TwoLikeliest { share: (1.0 - dropout) as f32 };
        stack.experts = Some(experts(config, count, layers, routing));
    }
    spec.names = NLLB_MOE_NAMES;
    Ok(spec)
}

/// Switch Transformers: T5 in some of whose layers a token uses the likeliest expert, as long as that has capacity left.
pub(super) fn switch_transformers(config: &Config) -> Result<Spec> {
    // In this family tied embeddings still decide whether the output is scaled.
    let mut spec = t5_like(config, config.flag("tie_word_embeddings").unwrap_or(true))?;
    let room = config.size_or("expert_capacity", 64)?;
    ensure!(room > 0, "`expert_capacity` in config.json is 0".with_hint("fetch config.json again"));
    let count = count(config, 8)?;
    for (stack, side) in [(&mut spec.encoder, "encoder"), (&mut spec.decoder, "decoder")] {
        let sparse = config.size_or(&format!("num_sparse_{side}_layers"), 3)?;
        let step = stack.layers.checked_div(sparse).unwrap_or(stack.layers);
        ensure!(
            step > 0,
            format!(
                "config.json gives {sparse} layers of experts in a stack of {} layers (`num_sparse_{side}_layers`)",
                stack.layers
            )
            .with_hint("fetch config.json again")
        );
        let layers = (0..stack.layers).filter(|layer| step == 1 || layer % step == 1).collect();
        stack.experts = Some(experts(config, count, layers, Routing::Likeliest { room }));
        stack.activation = activation(config.text("dense_act_fn").unwrap_or("relu"))?;
        stack.gated = false;
    }
    spec.names = SWITCH_NAMES;
    Ok(spec)
}

fn count(config: &Config, usual: usize) -> Result<usize> {
    let count = config.size_or("num_experts", usual)?;
    ensure!(count > 1, format!("`num_experts` in config.json is {count}").with_hint("fetch config.json again"));
    Ok(count)
}

fn experts(config: &Config, count: usize, layers: Vec<usize>, routing: Routing) -> ExpertSpec {
    let router_bias = config.flag("router_bias").unwrap_or(false);
    ExpertSpec { count, layers, router_bias, routing, names: NAMES }
}
