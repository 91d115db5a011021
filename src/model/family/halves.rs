//! Encoder-decoders made of two models: BERT or `RoBERTa` as the encoder; BERT, `RoBERTa` or GPT-2 as the decoder (Rothe
//! et al. 2020).
//!
//! Written after transformers' models `encoder_decoder`, `bert`, `roberta` and `gpt2`.

use anyhow::{Result, bail, ensure};

use super::{Config, activation};
use crate::batch::TokenId;
use crate::error::WithHint;
use crate::kernels::activation::Activation;
use crate::model::spec::{GlobalNames, Names, NormPlacement, Positions, Spec, Stack, StackNames};

/// One of the two models.
struct Half {
    stack: Stack,
    names: StackNames,
    vocabulary: usize,
}

pub(super) fn encoder_decoder(config: &Config) -> Result<Spec> {
    let [source, target] = [config.within("encoder")?, config.within("decoder")?];
    let encoder = match source.text("model_type").unwrap_or_default() {
        "bert" => bert(&source, BERT_ENCODER)?,
        "roberta" => roberta(&source, BERT_ENCODER)?,
        other => {
            bail!(format!("the encoder is of the family `{other}`").with_hint("kortom knows bert and roberta there"))
        }
    };
    let kind = target.text("model_type").unwrap_or_default();
    let (decoder, names, output_bias) = match kind {
        "bert" => (bert(&target, BERT_DECODER)?, BERT_NAMES, &BERT_BIAS[..]),
        "roberta" => (roberta(&target, ROBERTA_DECODER)?, ROBERTA_NAMES, &ROBERTA_BIAS[..]),
        "gpt2" => (gpt2(&target)?, GPT2_NAMES, &[][..]),
        other => bail!(
            format!("the decoder is of the family `{other}`").with_hint("kortom knows bert, roberta and gpt2 there")
        ),
    };
    let output_transform = match kind {
        // Whatever config.json says of the other layers.
        "roberta" => Some(Activation::Gelu),
        "gpt2" => None,
        _ => Some(decoder.stack.activation),
    };
    let shared = config.flag("tie_encoder_decoder") == Some(true);
    let names =
        Names { encoder: encoder.names, decoder: decoder.names, twins: names.twins.filter(|_| shared), ..names };
    Ok(Spec {
        family: config.family(),
        vocabulary: decoder.vocabulary,
        source_vocabulary: encoder.vocabulary,
        source_projection: encoder.stack.width != decoder.stack.width,
        encoder: encoder.stack,
        decoder: decoder.stack,
        shared_embedding: false,
        tied_output: target.flag("tie_word_embeddings").unwrap_or(true),
        output_scale: 1.0,
        output_bias,
        output_transform,
        logit_cap: None,
        merged_attention: false,
        own_embedding: None,
        wide_range: false,
        int8: false,
        prompts: None,
        predicting_stream: None,
        names,
    })
}

fn bert(config: &Config, names: StackNames) -> Result<Half> {
    let kind = config.text("position_embedding_type").unwrap_or("absolute");
    ensure!(
        kind == "absolute",
        format!("positions of the type `{kind}` are not known").with_hint("kortom knows absolute ones")
    );
    let (width, heads) = (config.size("hidden_size")?, config.size("num_attention_heads")?);
    let stack = stack(config, [width, heads, config.size("num_hidden_layers")?, config.size("intermediate_size")?])?;
    let stack = Stack {
        window: config.size_or("max_position_embeddings", 512)?,
        activation: activation(config.text("hidden_act").unwrap_or("gelu"))?,
        norm_placement: NormPlacement::Post,
        norm_eps: config.number("layer_norm_eps").unwrap_or(1e-12),
        embedding_norm: true,
        ..stack
    };
    Ok(Half { stack, names, vocabulary: config.size("vocab_size")? })
}

/// `RoBERTa`: BERT with positions counted as in fairseq.
fn roberta(config: &Config, names: StackNames) -> Result<Half> {
    let mut half = bert(config, names)?;
    let padding = config.size_or("pad_token_id", 1)?;
    let Some(window) = half.stack.window.checked_sub(padding + 1).filter(|window| *window > 0) else {
        bail!(
            format!("config.json has {} positions, all of them before the first", half.stack.window)
                .with_hint("fetch it again")
        );
    };
    half.stack.window = window;
    half.stack.positions = Positions::LearnedFairseq { padding: padding as TokenId };
    Ok(half)
}

fn gpt2(config: &Config) -> Result<Half> {
    ensure!(
        config.flag("scale_attn_by_inverse_layer_idx") != Some(true),
        "the scores of each layer are divided by its number (`scale_attn_by_inverse_layer_idx`)"
            .with_hint("kortom knows a GPT-2 without that")
    );
    let (width, heads) = (config.size("n_embd")?, config.size("n_head")?);
    let inner = config.size_or("n_inner", 4 * width)?;
    let stack = stack(config, [width, heads, config.size("n_layer")?, inner])?;
    let scaled = config.flag("scale_attn_weights").unwrap_or(true);
    let stack = Stack {
        window: config.size_or("n_positions", 1024)?,
        activation: activation(config.text("activation_function").unwrap_or("gelu_new"))?,
        attention_scale: if scaled { stack.attention_scale } else { 1.0 },
        norm_eps: config.number("layer_norm_epsilon").unwrap_or(1e-5),
        final_norm: true,
        ..stack
    };
    Ok(Half { stack, names: GPT2_DECODER, vocabulary: config.size("vocab_size")? })
}

/// What all halves have in common; the sizes are the width and the numbers of heads, of layers and of inner values.
fn stack(config: &Config, [width, heads, layers, inner]: [usize; 4]) -> Result<Stack> {
    let head_width = width / heads.max(1);
    ensure!(
        head_width * heads == width || heads == 0,
        format!("{heads} heads do not divide a width of {width} in a half of the family `{}`", config.family())
            .with_hint("fetch config.json again")
    );
    Ok(Stack { layers, inner, ..Stack::plain(width, heads) })
}

/// The bias that transformers 5 adds, and the name of the same one where the two are tied or transformers 4 wrote them.
const BERT_BIAS: [&str; 2] = ["decoder.cls.predictions.decoder.bias", "decoder.cls.predictions.bias"];
const ROBERTA_BIAS: [&str; 2] = ["decoder.lm_head.decoder.bias", "decoder.lm_head.bias"];

const BERT_PROJECTIONS: [&str; 4] = ["self.query", "self.key", "self.value", "output.dense"];

const BERT_ENCODER: StackNames = StackNames {
    embedding: "encoder.embeddings.word_embeddings.weight",
    positions: "encoder.embeddings.position_embeddings.weight",
    types: "encoder.embeddings.token_type_embeddings.weight",
    transposed: false,
    embedding_norm: "encoder.embeddings.LayerNorm",
    layers: "encoder.encoder.layer.",
    self_attention: ("attention", "attention.output.LayerNorm"),
    projections: BERT_PROJECTIONS,
    cross_attention: ("crossattention", "crossattention.output.LayerNorm"),
    cross_projections: BERT_PROJECTIONS,
    feed_forward: ["intermediate.dense", "", "output.dense", "output.LayerNorm"],
    after: [""; 3],
    head_norms: [""; 2],
    final_norm: "",
    globals: GlobalNames::NONE,
};

const BERT_DECODER: StackNames = StackNames {
    embedding: "decoder.bert.embeddings.word_embeddings.weight",
    positions: "decoder.bert.embeddings.position_embeddings.weight",
    types: "decoder.bert.embeddings.token_type_embeddings.weight",
    embedding_norm: "decoder.bert.embeddings.LayerNorm",
    layers: "decoder.bert.encoder.layer.",
    ..BERT_ENCODER
};

const ROBERTA_DECODER: StackNames = StackNames {
    embedding: "decoder.roberta.embeddings.word_embeddings.weight",
    positions: "decoder.roberta.embeddings.position_embeddings.weight",
    types: "decoder.roberta.embeddings.token_type_embeddings.weight",
    embedding_norm: "decoder.roberta.embeddings.LayerNorm",
    layers: "decoder.roberta.encoder.layer.",
    ..BERT_ENCODER
};

const GPT2_DECODER: StackNames = StackNames {
    embedding: "decoder.transformer.wte.weight",
    positions: "decoder.transformer.wpe.weight",
    types: "",
    transposed: true,
    embedding_norm: "",
    layers: "decoder.transformer.h.",
    self_attention: ("attn", "ln_1"),
    projections: ["c_attn", "c_attn", "c_attn", "c_proj"],
    cross_attention: ("crossattention", "ln_cross_attn"),
    cross_projections: ["q_attn", "c_attn", "c_attn", "c_proj"],
    feed_forward: ["mlp.c_fc", "", "mlp.c_proj", "ln_2"],
    final_norm: "decoder.transformer.ln_f",
    ..BERT_ENCODER
};

const BERT_NAMES: Names = Names {
    prefix: "",
    shared: "",
    head: "decoder.cls.predictions.decoder.weight",
    own_embedding: "",
    source_projection: "enc_to_dec_proj",
    output_transform: ["decoder.cls.predictions.transform.dense", "decoder.cls.predictions.transform.LayerNorm"],
    twins: Some(["encoder.", "decoder.bert."]),
    encoder: BERT_ENCODER,
    decoder: BERT_DECODER,
};

const ROBERTA_NAMES: Names = Names {
    head: "decoder.lm_head.decoder.weight",
    output_transform: ["decoder.lm_head.dense", "decoder.lm_head.layer_norm"],
    twins: Some(["encoder.", "decoder.roberta."]),
    decoder: ROBERTA_DECODER,
    ..BERT_NAMES
};

const GPT2_NAMES: Names = Names {
    head: "decoder.lm_head.weight",
    output_transform: [""; 2],
    twins: None,
    decoder: GPT2_DECODER,
    ..BERT_NAMES
};
