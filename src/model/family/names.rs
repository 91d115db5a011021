//! The names of tensors in each family.

use crate::model::spec::{GlobalNames, Names, StackNames};

const HEAD: &str = "lm_head.weight";

const BART_PROJECTIONS: [&str; 4] = ["q_proj", "k_proj", "v_proj", "out_proj"];

pub(super) const BART_NAMES: Names = Names {
    prefix: "model.",
    shared: "model.shared.weight",
    head: HEAD,
    own_embedding: "",
    source_projection: "",
    output_transform: [""; 2],
    twins: None,
    encoder: StackNames {
        embedding: "model.encoder.embed_tokens.weight",
        positions: "model.encoder.embed_positions.weight",
        types: "",
        transposed: false,
        embedding_norm: "model.encoder.layernorm_embedding",
        layers: "model.encoder.layers.",
        self_attention: ("self_attn", "self_attn_layer_norm"),
        projections: BART_PROJECTIONS,
        cross_attention: ("encoder_attn", "encoder_attn_layer_norm"),
        cross_projections: BART_PROJECTIONS,
        feed_forward: ["fc1", "", "fc2", "final_layer_norm"],
        final_norm: "model.encoder.layer_norm",
        after: [""; 3],
        head_norms: [""; 2],
        globals: GlobalNames::NONE,
    },
    decoder: StackNames {
        embedding: "model.decoder.embed_tokens.weight",
        positions: "model.decoder.embed_positions.weight",
        types: "",
        transposed: false,
        embedding_norm: "model.decoder.layernorm_embedding",
        layers: "model.decoder.layers.",
        self_attention: ("self_attn", "self_attn_layer_norm"),
        projections: BART_PROJECTIONS,
        cross_attention: ("encoder_attn", "encoder_attn_layer_norm"),
        cross_projections: BART_PROJECTIONS,
        feed_forward: ["fc1", "", "fc2", "final_layer_norm"],
        final_norm: "model.decoder.layer_norm",
        after: [""; 3],
        head_norms: [""; 2],
        globals: GlobalNames::NONE,
    },
};

const T5_PROJECTIONS: [&str; 4] = ["q", "k", "v", "o"];

pub(super) const T5_NAMES: Names = Names {
    prefix: "",
    shared: "shared.weight",
    head: HEAD,
    own_embedding: "",
    source_projection: "",
    output_transform: [""; 2],
    twins: None,
    encoder: StackNames {
        embedding: "encoder.embed_tokens.weight",
        positions: "layer.0.SelfAttention.relative_attention_bias.weight",
        types: "",
        transposed: false,
        embedding_norm: "",
        layers: "encoder.block.",
        self_attention: ("layer.0.SelfAttention", "layer.0.layer_norm"),
        projections: T5_PROJECTIONS,
        cross_attention: ("", ""),
        cross_projections: T5_PROJECTIONS,
        feed_forward: ["layer.1.DenseReluDense.wi", "", "layer.1.DenseReluDense.wo", "layer.1.layer_norm"],
        final_norm: "encoder.final_layer_norm",
        after: [""; 3],
        head_norms: [""; 2],
        globals: GlobalNames::NONE,
    },
    decoder: StackNames {
        embedding: "decoder.embed_tokens.weight",
        positions: "layer.0.SelfAttention.relative_attention_bias.weight",
        types: "",
        transposed: false,
        embedding_norm: "",
        layers: "decoder.block.",
        self_attention: ("layer.0.SelfAttention", "layer.0.layer_norm"),
        projections: T5_PROJECTIONS,
        cross_attention: ("layer.1.EncDecAttention", "layer.1.layer_norm"),
        cross_projections: T5_PROJECTIONS,
        feed_forward: ["layer.2.DenseReluDense.wi", "", "layer.2.DenseReluDense.wo", "layer.2.layer_norm"],
        final_norm: "decoder.final_layer_norm",
        after: [""; 3],
        head_norms: [""; 2],
        globals: GlobalNames::NONE,
    },
};

/// T5's names for checkpoints whose feed-forward layer is gated.
pub(super) const fn t5_gated() -> Names {
    let mut names = T5_NAMES;
    let [encoder, decoder] = [&mut names.encoder.feed_forward, &mut names.decoder.feed_forward];
    (encoder[0], encoder[1]) = ("layer.1.DenseReluDense.wi_1", "layer.1.DenseReluDense.wi_0");
    (decoder[0], decoder[1]) = ("layer.2.DenseReluDense.wi_1", "layer.2.DenseReluDense.wi_0");
    names
}

/// LED's names: BART's, except for the encoder's attention.
pub(super) const LED_NAMES: Names = Names {
    prefix: "led.",
    shared: "led.shared.weight",
    head: HEAD,
    own_embedding: "",
    source_projection: "",
    output_transform: [""; 2],
    twins: None,
    encoder: StackNames {
        embedding: "led.encoder.embed_tokens.weight",
        positions: "led.encoder.embed_positions.weight",
        embedding_norm: "led.encoder.layernorm_embedding",
        layers: "led.encoder.layers.",
        projections: ["longformer_self_attn.query", "longformer_self_attn.key", "longformer_self_attn.value", "output"],
        globals: GlobalNames {
            projections: [
                "longformer_self_attn.query_global",
                "longformer_self_attn.key_global",
                "longformer_self_attn.value_global",
            ],
            ..GlobalNames::NONE
        },
        ..BART_NAMES.encoder
    },
    decoder: StackNames {
        embedding: "led.decoder.embed_tokens.weight",
        positions: "led.decoder.embed_positions.weight",
        embedding_norm: "led.decoder.layernorm_embedding",
        layers: "led.decoder.layers.",
        ..BART_NAMES.decoder
    },
};

const GEMMA_PROJECTIONS: [&str; 4] = ["q_proj", "k_proj", "v_proj", "o_proj"];

const T5GEMMA_DECODER: StackNames = StackNames {
    embedding: "model.decoder.embed_tokens.weight",
    positions: "",
    types: "",
    transposed: false,
    embedding_norm: "",
    layers: "model.decoder.layers.",
    self_attention: ("self_attn", "pre_self_attn_layernorm"),
    projections: GEMMA_PROJECTIONS,
    cross_attention: ("cross_attn", "pre_cross_attn_layernorm"),
    cross_projections: GEMMA_PROJECTIONS,
    feed_forward: ["mlp.up_proj", "mlp.gate_proj", "mlp.down_proj", "pre_feedforward_layernorm"],
    after: ["post_self_attn_layernorm", "post_cross_attn_layernorm", "post_feedforward_layernorm"],
    head_norms: ["q_norm", "k_norm"],
    final_norm: "model.decoder.norm",
    globals: GlobalNames::NONE,
};

pub(super) const T5GEMMA_NAMES: Names = Names {
    prefix: "model.",
    shared: "",
    head: "lm_head.out_proj.weight",
    own_embedding: "",
    source_projection: "",
    output_transform: [""; 2],
    twins: None,
    encoder: StackNames {
        embedding: "model.encoder.embed_tokens.weight",
        layers: "model.encoder.layers.",
        final_norm: "model.encoder.norm",
        ..T5GEMMA_DECODER
    },
    decoder: T5GEMMA_DECODER,
};

pub(super) const T5GEMMA2_NAMES: Names = Names {
    shared: "model.encoder.embed_tokens.weight",
    own_embedding: "model.encoder.embed_tokens.eoi_embedding",
    // The prefixes of saved files, and of the model in memory, in transformers.
    twins: Some(["model.encoder.", "model.encoder.text_model."]),
    encoder: StackNames {
        embedding: "model.encoder.embed_tokens.weight",
        layers: "model.encoder.layers.",
        final_norm: "model.encoder.norm",
        ..T5GEMMA_DECODER
    },
    ..T5GEMMA_NAMES
};

/// FSMT's names: BART's, with two vocabularies. If the file has only one embedding, it is the decoder's.
pub(super) const FSMT_NAMES: Names =
    Names { shared: "model.decoder.embed_tokens.weight", head: "model.decoder.output_projection.weight", ..BART_NAMES };

/// NLLB-MoE's names: BART's, except for cross-attention and the feed-forward layers.
pub(super) const NLLB_MOE_NAMES: Names = Names {
    encoder: StackNames { feed_forward: ["ffn.fc1", "", "ffn.fc2", "ff_layer_norm"], ..BART_NAMES.encoder },
    decoder: StackNames {
        feed_forward: ["ffn.fc1", "", "ffn.fc2", "ff_layer_norm"],
        cross_attention: ("cross_attention", "cross_attention_layer_norm"),
        ..BART_NAMES.decoder
    },
    ..BART_NAMES
};

/// `SeamlessM4T`'s names of the text stacks, which stand beside those for speech.
pub(super) const SEAMLESS_NAMES: Names = Names {
    prefix: "",
    shared: "shared.weight",
    encoder: StackNames {
        embedding: "text_encoder.embed_tokens.weight",
        positions: "text_encoder.embed_positions.weights",
        layers: "text_encoder.layers.",
        feed_forward: ["ffn.fc1", "", "ffn.fc2", "ffn_layer_norm"],
        final_norm: "text_encoder.layer_norm",
        ..BART_NAMES.encoder
    },
    decoder: StackNames {
        embedding: "text_decoder.embed_tokens.weight",
        positions: "text_decoder.embed_positions.weights",
        layers: "text_decoder.layers.",
        feed_forward: ["ffn.fc1", "", "ffn.fc2", "ffn_layer_norm"],
        cross_attention: ("cross_attention", "cross_attention_layer_norm"),
        final_norm: "text_decoder.layer_norm",
        ..BART_NAMES.decoder
    },
    ..BART_NAMES
};

/// Names of Switch Transformers: T5's, except for the feed-forward layers.
pub(super) const SWITCH_NAMES: Names = Names {
    encoder: StackNames {
        feed_forward: ["layer.1.mlp.wi", "", "layer.1.mlp.wo", "layer.1.layer_norm"],
        ..T5_NAMES.encoder
    },
    decoder: StackNames {
        feed_forward: ["layer.2.mlp.wi", "", "layer.2.mlp.wo", "layer.2.layer_norm"],
        ..T5_NAMES.decoder
    },
    ..T5_NAMES
};

const PROPHETNET_PROJECTIONS: [&str; 4] = ["query_proj", "key_proj", "value_proj", "out_proj"];

pub(super) const PROPHETNET_NAMES: Names = Names {
    prefix: "prophetnet.",
    shared: "prophetnet.word_embeddings.weight",
    encoder: StackNames {
        embedding: "prophetnet.encoder.word_embeddings.weight",
        positions: "prophetnet.encoder.position_embeddings.weight",
        embedding_norm: "prophetnet.encoder.embeddings_layer_norm",
        layers: "prophetnet.encoder.layers.",
        projections: PROPHETNET_PROJECTIONS,
        feed_forward: ["feed_forward.intermediate", "", "feed_forward.output", "feed_forward_layer_norm"],
        ..BART_NAMES.encoder
    },
    decoder: StackNames {
        embedding: "prophetnet.decoder.word_embeddings.weight",
        positions: "prophetnet.decoder.position_embeddings.weight",
        embedding_norm: "prophetnet.decoder.embeddings_layer_norm",
        layers: "prophetnet.decoder.layers.",
        projections: PROPHETNET_PROJECTIONS,
        cross_attention: ("cross_attn", "cross_attn_layer_norm"),
        cross_projections: PROPHETNET_PROJECTIONS,
        feed_forward: ["feed_forward.intermediate", "", "feed_forward.output", "feed_forward_layer_norm"],
        ..BART_NAMES.decoder
    },
    ..BART_NAMES
};
