//! Errors for checkpoints that are not an encoder-decoder of a known family.

use anyhow::{Result, bail};

use super::{Config, FAMILIES, Family};
use crate::error::{Error, WithHint};

/// Encoder-decoders that transformers 5 has dropped, so that there is no reference to compare with.
const DROPPED: [&str; 1] = ["xlm-prophetnet"];

/// Families in transformers' mappings of sequence-to-sequence models that read or write something other than text.
const NOT_TEXT: [(&str, &str); 4] = [
    (
        "made to write down speech",
        "whisper speech_to_text speech_to_text_2 speech-encoder-decoder moonshine audioflamingo3 glmasr granite_speech \
         granite_speech_plus moss_transcribe_diarize musicflamingo nemo_speechlm omniasr qwen2_audio qwen3_asr vibevoice_asr \
         voxtral voxtral_realtime kyutai_speech_to_text",
    ),
    (
        "made to read pictures",
        "pix2struct vision-encoder-decoder trocr donut-swin nougat blip blip-2 instructblip kosmos-2 florence2 udop git",
    ),
    ("made to make sounds", "musicgen musicgen_melody speecht5 pop2piano bark dia csm"),
    ("made to look up texts, with an index beside it", "rag realm retribert dpr"),
];

/// The hint for a checkpoint that is half a model.
pub(in crate::model) const WHOLE: &str = "kortom needs a whole encoder-decoder, such as a `…ForConditionalGeneration`";

/// The error for a family that kortom does not know: what the model is, and which families are known.
pub(super) fn unknown(family: &str, config: &Config) -> Error {
    let named = |family: &Family| match family.also {
        Some(also) => format!("{} (also {also})", family.model_type),
        None => family.model_type.to_owned(),
    };
    let known = FAMILIES.iter().map(named).collect::<Vec<_>>().join(", ");
    let class = config.class().unwrap_or_default();
    let not_text = NOT_TEXT.iter().find(|(_, names)| names.split_whitespace().any(|name| name == family));
    let what = match (family, not_text) {
        ("", _) => "config.json does not say which family the model is of (`model_type`)".to_owned(),
        (_, Some((what, _))) => format!("the model is of the family `{family}`: {what}, not to turn text into text"),
        _ if DROPPED.contains(&family) => {
            format!("the model is of the family `{family}`, which transformers 5 does not have, nor does kortom")
        }
        _ if config.flag("is_encoder_decoder") == Some(true) => {
            format!("the model is of the family `{family}`, which kortom does not know")
        }
        _ if class.ends_with("ForCausalLM") || class.ends_with("LMHeadModel") => {
            format!("the model is of the family `{family}` (`{class}`), a decoder without an encoder")
        }
        _ if !class.is_empty() => {
            format!(
                "the model is of the family `{family}` (`{class}`), which is not an encoder-decoder that kortom knows"
            )
        }
        _ => format!("the model is of the family `{family}`, which is not an encoder-decoder that kortom knows"),
    };
    what.with_hint(format!("kortom runs encoder-decoder checkpoints of these families: {known}"))
}

/// Refuses a checkpoint of a known family that is half a model, or made for another task than writing text.
///
/// # Errors
/// When the class in config.json says so, or config.json looks like that of an encoder without a class.
pub(super) fn check_class(family: &str, config: &Config) -> Result<()> {
    const ENDS: [(&str, &str); 5] = [
        ("ForCausalLM", "a decoder without an encoder"),
        ("EncoderModel", "an encoder without a decoder"),
        ("ForSequenceClassification", "made to classify texts, not to write them"),
        ("ForTokenClassification", "made to classify words, not to write text"),
        ("ForQuestionAnswering", "made to find answers in a text, not to write one"),
    ];
    let class = config.class().unwrap_or_default();
    if let Some((_, what)) = ENDS.iter().find(|(end, _)| class.ends_with(end)) {
        bail!(format!("the model is a `{class}` of the family `{family}`: {what}").with_hint(WHOLE));
    }
    // Image generators keep such files beside the encoder that they took out of a T5.
    let drawing =
        class.is_empty() && config.flag("is_gated_act") == Some(true) && config.text("feed_forward_proj").is_none();
    if drawing && matches!(family, "t5" | "mt5" | "umt5") {
        bail!(format!("config.json of this `{family}` names no class (`architectures`) and has `is_gated_act` without `feed_forward_proj`, \
             as those of programs that draw pictures have: an encoder without a decoder").with_hint(WHOLE));
    }
    Ok(())
}
