//! The language scheme of a checkpoint, and the tokens around every text.
//!
//! Invariant: every token of a table is one of the tokenizer's. Whether the model has a row for it belongs to
//! `embedding_rows`, and which languages are requested to `languages`.

use serde_json::Value;

use super::TokenModel;
use super::class::Class;
use super::languages::{LanguageTable, Scheme};
use super::settings::TokenizerSettings;
use crate::batch::TokenId;
use crate::files::ModelFiles;
use crate::language::Code;

/// The language table of a checkpoint: its scheme, its language tokens, and the tokens around every text.
pub(super) fn language_table(
    files: &ModelFiles,
    settings: &TokenizerSettings,
    config: &Value,
    class: Class,
    model: &TokenModel,
) -> LanguageTable {
    let id = |name: &str, default: &str| model.id(&settings.token(name, default)?.content);
    let ids = |name: &str, default: &str| id(name, default).into_iter().collect::<Vec<_>>();
    let (prefix, suffix) = match class {
        // Such a file has a template of its own; Blenderbot-small adds nothing around a text.
        Class::File | Class::Gemma | Class::Blenderbot | Class::BlenderbotSmall => (Vec::new(), Vec::new()),
        Class::Fsmt => (Vec::new(), ids("sep_token", "</s>")),
        Class::ProphetNet => (Vec::new(), ids("sep_token", "[SEP]")),
        Class::Bert => (ids("cls_token", "[CLS]"), ids("sep_token", "[SEP]")),
        Class::Bart => (ids("cls_token", "<s>"), ids("sep_token", "</s>")),
        _ => (Vec::new(), ids("eos_token", "</s>")),
    };
    let marian = class == Class::Marian || config.get("model_type").and_then(Value::as_str) == Some("marian");
    let (scheme, tokens) = if marian {
        marian_languages(settings, model.tokens_around_a_code(">>", "<<"))
    } else if class == Class::Seamless {
        let tokens = model.tokens_around_a_code("__", "__");
        (Scheme::SourceFirstAfterStart { targets: targets(files, &tokens) }, tokens)
    } else {
        other_languages(settings, config, class, model)
    };
    LanguageTable { model: files.name().to_owned(), scheme, tokens, prefix, suffix }
}

fn marian_languages(settings: &TokenizerSettings, targets: Vec<(String, TokenId)>) -> (Scheme, Vec<(String, TokenId)>) {
    // A code of a group of languages, such as `gmw`, does not name the language.
    let own = |key: &str| settings.text(key).filter(|code| Code::parse(code).is_language()).map(str::to_owned);
    if targets.is_empty() {
        (Scheme::Pair { from: own("source_lang"), to: own("target_lang") }, targets)
    } else {
        (Scheme::TargetToken { from: own("source_lang") }, targets)
    }
}

/// The target languages of a `SeamlessM4T` that are text: those of `generation_config.json`, as in transformers, or else
/// all that its tokenizer has.
fn targets(files: &ModelFiles, tokens: &[(String, TokenId)]) -> Vec<(String, TokenId)> {
    let config = files.json("generation_config.json").ok().flatten().unwrap_or_default();
    let Some(codes) = config.get("text_decoder_lang_to_code_id").and_then(Value::as_object) else {
        return tokens.to_vec();
    };
    let target = |(code, id): (&String, &Value)| Some((format!("__{code}__"), TokenId::try_from(id.as_u64()?).ok()?));
    codes.iter().filter_map(target).collect()
}

/// The pair of languages of an FSMT, from its tokenizer's settings or else from config.json.
pub(super) fn fsmt_pair<'a>(settings: &'a TokenizerSettings, config: &'a Value) -> Option<[&'a str; 2]> {
    let pair = settings.value("langs").or_else(|| config.get("langs"))?.as_array()?;
    let [from, to] = &pair[..] else { return None };
    Some([from.as_str()?, to.as_str()?])
}

fn other_languages(
    settings: &TokenizerSettings,
    config: &Value,
    class: Class,
    model: &TokenModel,
) -> (Scheme, Vec<(String, TokenId)>) {
    let scheme = match class {
        Class::T5 | Class::File => {
            let targets = model.tokens_around_a_code("<2", ">");
            return (if targets.is_empty() { Scheme::None } else { Scheme::TargetText }, targets);
        }
        Class::Fsmt => {
            let pair = fsmt_pair(settings, config).map(|pair| pair.map(str::to_owned));
            let [from, to] = pair.map_or([None, None], |pair| pair.map(Some));
            return (Scheme::Pair { from, to }, Vec::new());
        }
        Class::PlBart => {
            let many = settings.text("language_codes") == Some("multi");
            let named = |key: &str| settings.text(key).map(str::to_owned);
            let from = named("src_lang").or_else(|| many.then(|| "__en_XX__".to_owned()));
            Scheme::OwnSourceLastStart { from, to: named("tgt_lang") }
        }
        Class::Small100 => Scheme::TargetFirst,
        Class::Nllb if settings.flag("legacy_behaviour") == Some(true) => Scheme::SourceLast,
        Class::M2m100 | Class::MBart50 | Class::Nllb => Scheme::SourceFirst,
        Class::MBart => Scheme::SourceLastStart,
        _ => return (Scheme::None, Vec::new()),
    };
    let marked = matches!(class, Class::M2m100 | Class::Small100);
    let token = |code: &str| if marked { format!("__{code}__") } else { code.to_owned() };
    let tokens = class.language_codes(settings).into_iter().map(token);
    (scheme, tokens.filter_map(|token| model.id(&token).map(|id| (token, id))).collect())
}
