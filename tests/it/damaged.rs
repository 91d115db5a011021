//! Checkpoints that cannot be used: each is refused in words that name the thing and the remedy.

use std::fs;
use std::path::Path;

use kortom::device::Placement;
use kortom::engine::settings::Caller;
use kortom::engine::{Engine, Request};
use kortom::files::ModelFiles;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A copy of a tiny checkpoint, to be damaged.
fn copy(fixture: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(fixture);
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::write(folder.path().join(entry.file_name()), fs::read(entry.path()).unwrap()).unwrap();
    }
    folder
}

/// What loading says.
fn refusal(folder: &TempDir) -> String {
    let files = match ModelFiles::folder(folder.path(), "damaged", None) {
        Ok(files) => files,
        Err(error) => return format!("{error:#}"),
    };
    match Engine::load(&files, &Placement::cpu()) {
        Ok(_) => panic!("a damaged checkpoint was loaded"),
        Err(error) => format!("{error:#}"),
    }
}

fn expect(folder: &TempDir, parts: &[&str]) {
    let said = refusal(folder);
    assert!(said.contains("hint: ") && parts.iter().all(|part| said.contains(part)), "{parts:?} in: {said}");
}

fn configure(folder: &TempDir, key: &str, value: impl Into<Value>) {
    let path = folder.path().join("config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    config[key] = value.into();
    fs::write(&path, config.to_string()).unwrap();
}

#[test]
fn a_missing_file_is_named() {
    for file in ["config.json", "model.safetensors", "source.spm", "vocab.json"] {
        let folder = copy("tiny-marian");
        fs::remove_file(folder.path().join(file)).unwrap();
        expect(&folder, &[file]);
    }
}

#[test]
fn a_file_cut_short_is_named() {
    for (fixture, file) in [
        ("tiny-marian", "config.json"),
        ("tiny-marian", "model.safetensors"),
        ("tiny-marian", "source.spm"),
        ("tiny-marian", "vocab.json"),
        ("tiny-marian-bin", "pytorch_model.bin"),
    ] {
        let folder = copy(fixture);
        let path = folder.path().join(file);
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        expect(&folder, &[file]);
    }
}

#[test]
fn a_pointer_of_git_lfs_is_named_with_the_remedy() {
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a21\nsize 12345\n";
    for (fixture, file) in [("tiny-marian", "model.safetensors"), ("tiny-marian-bin", "pytorch_model.bin")] {
        let folder = copy(fixture);
        fs::write(folder.path().join(file), pointer).unwrap();
        expect(&folder, &[file, "Git LFS", "git lfs pull"]);
    }
}

#[test]
fn a_header_that_lies_is_refused() {
    let header = |text: &str| [&(text.len() as u64).to_le_bytes()[..], text.as_bytes(), &[0; 4]].concat();
    for bytes in [
        [&u64::MAX.to_le_bytes()[..], b"{}"].concat(),
        header(r#"{"model.shared.weight":{"dtype":"F32","shape":[1000000,64],"data_offsets":[0,4]}}"#),
        header(r#"{"model.shared.weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4000000000]}}"#),
        header(r#"{"model.shared.weight":{"dtype":"F32","shape":[18446744073709551615,2],"data_offsets":[0,4]}}"#),
    ] {
        let folder = copy("tiny-marian");
        fs::write(folder.path().join("model.safetensors"), bytes).unwrap();
        expect(&folder, &["model.safetensors"]);
    }
}

#[test]
fn a_pickle_that_wants_to_run_code_is_refused_by_name() {
    let folder = copy("tiny-marian-bin");
    let magic = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}.";
    let call = b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R.\x80\x02].";
    fs::write(folder.path().join("pytorch_model.bin"), [&magic[..], call].concat()).unwrap();
    expect(&folder, &["`os.system`", "pytorch_model.bin"]);
}

#[test]
fn another_family_is_refused_by_name() {
    for family in ["t5gemma3", "llama"] {
        let folder = copy("tiny-marian");
        configure(&folder, "model_type", family);
        expect(&folder, &[family, "marian, bart"]);
    }
    let folder = copy("tiny-t5");
    configure(&folder, "model_type", "xlm-prophetnet");
    expect(&folder, &["`xlm-prophetnet`, which transformers 5 does not have", "marian, bart"]);
    let folder = copy("tiny-marian");
    configure(&folder, "model_type", Value::Null);
    expect(&folder, &["model_type"]);
}

#[test]
fn models_of_speech_pictures_sounds_and_retrieval_are_refused_by_what_they_are() {
    for (family, what) in [
        ("whisper", "made to write down speech"),
        ("speech_to_text", "made to write down speech"),
        ("qwen2_audio", "made to write down speech"),
        ("pix2struct", "made to read pictures"),
        ("vision-encoder-decoder", "made to read pictures"),
        ("rag", "made to look up texts, with an index beside it"),
        ("pop2piano", "made to make sounds"),
    ] {
        let folder = copy("tiny-bart");
        configure(&folder, "model_type", family);
        expect(&folder, &[&format!("the family `{family}`: {what}, not to turn text into text"), "marian, bart"]);
    }
}

/// Changes what config.json has at a place.
fn configure_at(folder: &TempDir, place: &str, value: Value) {
    let path = folder.path().join("config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    *config.pointer_mut(place).unwrap_or_else(|| panic!("{place}")) = value;
    fs::write(&path, config.to_string()).unwrap();
}

#[test]
fn halves_that_make_no_whole_are_refused() {
    for (fixture, place, value, said) in [
        ("tiny-t5gemma", "/encoder/sliding_window", json!(0), "`sliding_window` in config.json is 0"),
        ("tiny-t5gemma", "/decoder/sliding_window", json!(9999), "9999, but the model has 256 positions"),
        ("tiny-t5gemma", "/decoder/num_key_value_heads", json!(3), "3 heads of keys (`num_key_value_heads`)"),
        ("tiny-t5gemma", "/decoder/head_dim", json!(7), "7, an odd number"),
        ("tiny-t5gemma", "/encoder/layer_types/1", json!("chunked"), "`chunked`"),
        ("tiny-t5gemma", "/encoder/layer_types", json!(["full_attention"]), "1 `layer_types` for 3 layers"),
        ("tiny-t5gemma", "/encoder/rope_parameters/rope_type", json!("yarn"), "scales positions by `yarn`"),
        ("tiny-t5gemma", "/decoder", Value::Null, "config.json has no `decoder`"),
        ("tiny-t5gemma2", "/encoder/text_config", Value::Null, "no text half, only one that sees pictures"),
        ("tiny-t5gemma2", "/decoder/hidden_size", json!(48), "another width or vocabulary than the decoder"),
        ("tiny-t5gemma2", "/encoder/text_config/sliding_window", json!(0), "`sliding_window` in config.json is 0"),
        ("tiny-bert2bert", "/encoder/model_type", json!("electra"), "the encoder is of the family `electra`"),
        ("tiny-bert2bert", "/decoder/model_type", json!("opt"), "the decoder is of the family `opt`"),
        ("tiny-bert2bert", "/decoder/num_attention_heads", json!(5), "5 heads do not divide a width of 32"),
        ("tiny-bert2bert", "/decoder/hidden_size", json!(48), "has the shape"),
        ("tiny-roberta2roberta", "/encoder/max_position_embeddings", json!(2), "all of them before the first"),
    ] {
        let folder = copy(fixture);
        configure_at(&folder, place, value);
        expect(&folder, &[said, "hint: "]);
    }
}

#[test]
fn halves_of_unlike_widths_need_a_projection() {
    let folder = copy("tiny-bert2gpt2");
    let path = folder.path().join("model.safetensors");
    let mut tensors = candle_core::safetensors::load(&path, &candle_core::Device::Cpu).unwrap();
    tensors.remove("enc_to_dec_proj.weight").unwrap();
    candle_core::safetensors::save(&tensors, &path).unwrap();
    expect(&folder, &["the encoder is 32 wide and the decoder 40", "no `enc_to_dec_proj`"]);
}

#[test]
fn experts_that_are_missing_too_many_or_routed_by_chance_are_refused() {
    for (fixture, key, value, said) in [
        (
            "tiny-nllb-moe",
            "num_experts",
            json!(3),
            "`model.encoder.layers.1.ffn.experts.expert_3.fc1.weight`, but config",
        ),
        (
            "tiny-nllb-moe",
            "num_experts",
            json!(5),
            "`model.encoder.layers.1.ffn.router.classifier.weight` has the shape",
        ),
        ("tiny-nllb-moe", "num_experts", json!(1), "`num_experts` in config.json is 1"),
        ("tiny-nllb-moe", "encoder_sparse_step", json!(4), "no tensor `model.encoder.layers.1.ffn.fc1.weight`"),
        (
            "tiny-nllb-moe",
            "second_expert_policy",
            json!("sampling"),
            "`sampling`, by which the second expert is left to",
        ),
        (
            "tiny-nllb-moe",
            "moe_eval_capacity_token_fraction",
            json!(0.5),
            "is 0.5, by which an expert leaves out tokens",
        ),
        (
            "tiny-switch",
            "num_experts",
            json!(3),
            "`encoder.block.1.layer.1.mlp.experts.expert_3.wi.weight`, but config",
        ),
        ("tiny-switch", "expert_capacity", json!(0), "`expert_capacity` in config.json is 0"),
        ("tiny-switch", "num_sparse_decoder_layers", json!(3), "3 layers of experts in a stack of 2 layers"),
        ("tiny-switch", "dense_act_fn", json!("gated-gelu"), "the activation function `gated-gelu` is not known"),
    ] {
        let folder = copy(fixture);
        configure(&folder, key, value);
        expect(&folder, &[said, "hint: "]);
    }
    let folder = copy("tiny-switch");
    without(&folder, "decoder.block.1.layer.2.mlp.experts.expert_2");
    expect(&folder, &["no tensor `decoder.block.1.layer.2.mlp.experts.expert_2.wi.weight`"]);
    let folder = copy("tiny-nllb-moe");
    without(&folder, "router");
    expect(&folder, &["no tensor `model.encoder.layers.1.ffn.router.classifier.weight`"]);
}

#[test]
fn prompts_vocabularies_and_languages_that_do_not_fit_are_refused() {
    for (fixture, key, value, said) in [
        ("tiny-mvp-prompt", "prompt_length", json!(0), "0 prompts (`prompt_length`)"),
        ("tiny-mvp-prompt", "prompt_length", json!(6), "`model.encoder.self_attn_prompt.prompt_embedding.weight` has"),
        (
            "tiny-mvp-prompt",
            "prompt_mid_dim",
            json!(7),
            "`model.encoder.self_attn_prompt.prompt_trans.0.weight` has the",
        ),
        ("tiny-mvp", "use_prompt", json!(true), "no tensor `model.decoder.self_attn_prompt.prompt_embedding.weight`"),
        ("tiny-fsmt", "src_vocab_size", json!(280), "`model.encoder.embed_tokens.weight` has the shape"),
        ("tiny-fsmt", "tgt_vocab_size", json!(280), "`model.decoder.embed_tokens.weight` has the shape"),
        ("tiny-seamless", "hidden_size", json!(16), "has the shape"),
        ("tiny-prophetnet", "pad_token_id", json!(1), "`pad_token_id` in config.json is 1"),
        ("tiny-prophetnet", "ngram", json!(0), "0 streams (`ngram`)"),
        ("tiny-prophetnet", "ngram", json!(3), "`prophetnet.decoder.ngram_embeddings.weight` has the shape"),
        ("tiny-prophetnet", "num_buckets", json!(9), "self_attn.relative_pos_embeddings.weight` has the shape"),
        ("tiny-prophetnet", "relative_max_distance", json!(4), "for distances up to 4"),
        ("tiny-prophetnet", "max_position_embeddings", json!(2), "2 positions (`max_position_embeddings`)"),
    ] {
        let folder = copy(fixture);
        configure(&folder, key, value);
        expect(&folder, &[said, "hint: "]);
    }
    let folder = copy("tiny-fsmt");
    without(&folder, "output_projection");
    expect(&folder, &["no tensor `model.decoder.output_projection.weight`"]);
    for (langs, said) in
        [(r#"["fr","en"]"#, "`fr`, whose words kortom cannot cut"), (r#"["nl"]"#, "does not name its two")]
    {
        let folder = copy("tiny-fsmt");
        configure(&folder, "langs", Value::Null);
        let settings = format!(r#"{{"tokenizer_class": "FSMTTokenizer", "langs": {langs}}}"#);
        fs::write(folder.path().join("tokenizer_config.json"), settings).unwrap();
        expect(&folder, &[said, "hint: "]);
    }
}

/// transformers 5 leaves the prompts of MVP's encoder out when it saves one.
#[test]
fn an_encoder_of_mvp_without_prompts_is_read_as_it_is() {
    let folder = copy("tiny-mvp-prompt");
    without(&folder, "encoder.self_attn_prompt");
    let files = ModelFiles::folder(folder.path(), "mvp", None).unwrap();
    let engine = Engine::load(&files, &Placement::cpu()).unwrap();
    let session = engine.session(&Request::new(Caller::Generate)).unwrap();
    assert!(session.generate(&["one two three"]).unwrap()[0].target_tokens > 0);
}

#[test]
fn an_attention_window_that_is_none_is_refused() {
    for (fixture, key, value, said) in [
        ("tiny-led", "attention_window", json!(0), "`attention_window` in config.json is 0"),
        ("tiny-led", "attention_window", json!([4, 0]), "`attention_window` in config.json is 0"),
        ("tiny-led", "attention_window", json!(7), "7, an odd number"),
        ("tiny-led", "attention_window", json!([4, 4096]), "4096, but the model has 304 positions"),
        ("tiny-led", "attention_window", json!([4, 4, 4]), "3 attention windows for 2 encoder layers"),
        ("tiny-led", "attention_window", json!([4, "x"]), "`attention_window` in config.json is not a size"),
        ("tiny-led", "attention_window", json!("wide"), "`attention_window` in config.json is \"wide\""),
        ("tiny-longt5-local", "local_radius", json!(0), "`local_radius` in config.json is 0"),
        ("tiny-longt5-global", "global_block_size", json!(0), "`global_block_size` in config.json is 0"),
        ("tiny-longt5-global", "encoder_attention_type", json!("sparse"), "known are local and transient-global"),
        ("tiny-pegasus-x", "block_size", json!(0), "`block_size` in config.json is 0"),
        ("tiny-pegasus-x", "block_size", json!(7), "7, an odd number"),
        ("tiny-pegasus-x", "num_global_tokens", json!(0), "`num_global_tokens` in config.json is 0"),
        ("tiny-pegasus-x", "num_global_tokens", json!(9), "`model.encoder.embed_global.weight` has the shape"),
        ("tiny-bigbird-pegasus", "block_size", json!(0), "`block_size` in config.json is 0"),
        ("tiny-bigbird-pegasus", "block_size", json!(5000), "5000, but the model has 300 positions"),
        ("tiny-bigbird-pegasus", "attention_type", json!("dense"), "known are block_sparse and original_full"),
    ] {
        let folder = copy(fixture);
        configure(&folder, key, value);
        expect(&folder, &[said, "hint: "]);
    }
}

/// A folder with a config.json like one on the hub, and the tokenizer and weights of a tiny checkpoint.
fn configured(config: &Value) -> TempDir {
    let folder = copy("tiny-bart");
    fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    folder
}

#[test]
fn a_decoder_alone_is_refused_as_one() {
    expect(
        &configured(&json!({
            "architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "activation_function": "gelu_new",
            "bos_token_id": 50256, "eos_token_id": 50256, "n_ctx": 1024, "n_embd": 768, "n_head": 12, "n_layer": 12,
            "n_positions": 1024, "vocab_size": 50257,
            "task_specific_params": {"text-generation": {"do_sample": true, "max_length": 50}},
        })),
        &["`gpt2`", "`GPT2LMHeadModel`", "a decoder without an encoder", "encoder-decoder checkpoints"],
    );
    let folder = copy("tiny-bart");
    configure(&folder, "architectures", json!(["BartForCausalLM"]));
    expect(&folder, &["`bart`", "`BartForCausalLM`", "a decoder without an encoder"]);
}

#[test]
fn an_encoder_alone_is_refused_as_one() {
    expect(
        &configured(&json!({
            "architectures": ["BertForMaskedLM"], "model_type": "bert", "hidden_act": "gelu", "hidden_size": 768,
            "intermediate_size": 3072, "max_position_embeddings": 512, "num_attention_heads": 12,
            "num_hidden_layers": 12, "pad_token_id": 0, "type_vocab_size": 2, "vocab_size": 30522,
        })),
        &["`bert`", "`BertForMaskedLM`", "not an encoder-decoder", "encoder-decoder checkpoints"],
    );
    for (fixture, class, what) in [
        ("tiny-t5", "T5EncoderModel", "an encoder without a decoder"),
        ("tiny-bart", "BartForSequenceClassification", "to classify"),
    ] {
        let folder = copy(fixture);
        configure(&folder, "architectures", json!([class]));
        expect(&folder, &[class, what]);
    }
}

#[test]
fn half_a_model_is_refused_as_one_by_its_weights_and_by_its_config() {
    let folder = copy("tiny-t5");
    without(&folder, "decoder.");
    expect(&folder, &["the weights are an encoder without a decoder", "a whole encoder-decoder"]);
    let folder = copy("tiny-marian");
    without(&folder, "encoder.layers");
    expect(&folder, &["the weights are a decoder without an encoder", "a whole encoder-decoder"]);
    // A tower that sees pictures is no encoder of texts.
    let folder = copy("tiny-t5gemma2");
    without(&folder, "model.encoder.layers");
    expect(&folder, &["the weights are a decoder without an encoder", "a whole encoder-decoder"]);
    // What programs that draw pictures keep of a T5.
    for family in ["t5", "umt5"] {
        let folder = copy("tiny-t5");
        let config = json!({
            "d_ff": 64, "d_kv": 12, "d_model": 32, "decoder_start_token_id": 0, "dropout_rate": 0.1, "eos_token_id": 1,
            "dense_act_fn": "gelu_pytorch_tanh", "initializer_factor": 1.0, "is_encoder_decoder": true,
            "is_gated_act": true, "layer_norm_epsilon": 1e-06, "model_type": family, "num_decoder_layers": 2,
            "num_heads": 4, "num_layers": 2, "output_past": true, "pad_token_id": 0,
            "relative_attention_num_buckets": 32, "tie_word_embeddings": false, "vocab_size": 412,
        });
        fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
        expect(&folder, &["an encoder without a decoder", "`is_gated_act` without `feed_forward_proj`"]);
    }
}

/// Takes tensors out of `model.safetensors`.
fn without(folder: &TempDir, unwanted: &str) {
    let path = folder.path().join("model.safetensors");
    let mut tensors = candle_core::safetensors::load(&path, &candle_core::Device::Cpu).unwrap();
    let before = tensors.len();
    tensors.retain(|name, _| !name.contains(unwanted));
    assert!(tensors.len() < before, "`{unwanted}` is in none of the names");
    candle_core::safetensors::save(&tensors, &path).unwrap();
}

#[test]
fn a_missing_tensor_is_named_with_what_was_found_instead() {
    for (fixture, unwanted, parts) in [
        ("tiny-t5", "decoder.block.1.layer.2", ["no tensor `decoder.block.1.layer.2.", "`decoder.block.1."]),
        ("tiny-marian-untied", "lm_head", ["no tensor `lm_head.weight`", "`model.decoder."]),
        (
            "tiny-mbart50",
            "encoder.layer_norm",
            ["no tensor `model.encoder.layer_norm.weight`", "`model.encoder.embed_positions.weight`"],
        ),
        (
            "tiny-bart",
            "decoder.embed_positions",
            ["no tensor `model.decoder.embed_positions.weight`", "`model.decoder."],
        ),
        ("tiny-m2m100", "encoder.layers.1.fc1.bias", ["no tensor `model.encoder.layers.1.fc1.bias`", ".fc1.weight`"]),
        ("tiny-marian", "shared", ["no tensor `model.shared.weight` or", "`model.decoder."]),
        (
            "tiny-pegasus",
            "k_proj.weight",
            ["no tensor `model.encoder.layers.0.self_attn.k_proj.weight`", "k_proj.bias`"],
        ),
    ] {
        let folder = copy(fixture);
        without(&folder, unwanted);
        expect(&folder, &parts);
        expect(&folder, &["they have: ", "saved with its language-model head"]);
    }
}

#[test]
fn a_tokenizer_of_another_model_is_refused() {
    // Much larger than the model's table.
    let folder = copy("tiny-t5");
    configure(&folder, "vocab_size", 100);
    expect(&folder, &["the tokenizer of the model `damaged` has ", "room for 100 (`vocab_size`)", "more than half"]);
    // The files of one model, the tokenizer of another.
    let folder = copy("tiny-marian");
    let other = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tokenizers/marian-bytes");
    for file in ["source.spm", "target.spm", "vocab.json", "tokenizer_config.json"] {
        fs::copy(other.join(file), folder.path().join(file)).unwrap();
    }
    expect(&folder, &["the tokenizer of the model `damaged` has 981 tokens", "(`vocab_size`): 666 of them"]);
    // Smaller than the model's own special tokens.
    let folder = copy("tiny-marian");
    configure(&folder, "pad_token_id", 5000);
    configure(&folder, "vocab_size", 5001);
    expect(&folder, &["5000 as `pad_token_id`"]);
}

#[test]
fn a_language_the_model_lacks_is_named_with_those_it_knows() {
    for (fixture, known) in [
        ("tiny-mbart25", "nl_XX"),
        ("tiny-mbart50", "af_ZA"),
        ("tiny-m2m100", "__nl__"),
        ("tiny-nllb", "nld_Latn"),
        ("tiny-marian-big", ">>eng<<"),
        ("tiny-madlad", "<2de>"),
    ] {
        let folder = copy(fixture);
        let files = ModelFiles::folder(folder.path(), "some/model", None).unwrap();
        let engine = Engine::load(&files, &Placement::cpu()).unwrap();
        let request =
            Request { from: Some("nl".to_owned()), to: Some("tlh".to_owned()), ..Request::new(Caller::Generate) };
        let said = engine.session(&request).err().unwrap().to_string();
        assert!(said.contains("`some/model` does not know the language `tlh`\nhint: it knows "), "{said}");
        assert!(said.contains(known), "{fixture}: {said}");
        let request = Request { to: Some("en".to_owned()), ..request };
        engine.session(&request).unwrap();
    }
}

#[test]
fn tensors_of_another_shape_or_missing_are_named() {
    let folder = copy("tiny-marian");
    configure(&folder, "decoder_attention_heads", 5);
    expect(&folder, &["5 heads (`decoder_attention_heads`) do not divide a width of 32 (`d_model`)"]);
    let folder = copy("tiny-marian");
    configure(&folder, "encoder_ffn_dim", 7);
    expect(&folder, &["model.encoder.layers.0.fc1.weight", "7"]);
    let folder = copy("tiny-marian");
    configure(&folder, "decoder_layers", 9);
    expect(&folder, &["no tensor `model.decoder.layers.", "they have: "]);
    let folder = copy("tiny-marian");
    configure(&folder, "d_model", -1);
    expect(&folder, &["`d_model`"]);
}
