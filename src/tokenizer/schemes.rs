//! Which tokens tell a checkpoint its languages, and which stand around every text.
//!
//! Invariant: every token of a table is one of the tokenizer's. Whether the model has a row for it belongs to `rows`, what somebody
//! asks for to `languages`.

use serde_json::Value;

use super::Model;
use super::class::Class;
use super::languages::{LanguageTable, Scheme};
use super::settings::Settings;
use crate::batch::TokenId;
use crate::files::ModelFiles;
use crate::language::Code;

/// All that a checkpoint knows of languages.
pub(super) fn language_table(
    files: &ModelFiles,
    settings: &Settings,
    config: &Value,
    class: Class,
    model: &Model,
) -> LanguageTable {
    let id = |name: &str, default: &str| model.id(&settings.token(name, default)?.content);
    let ids = |name: &str, default: &str| id(name, default).into_iter().collect::<Vec<_>>();
    let (prefix, suffix) = match class {
        // Such a file has a template of its own.
        Class::File => (Vec::new(), Vec::new()),
        Class::Gemma if !settings.surrounds() => (Vec::new(), Vec::new()),
        Class::Gemma => {
            let token = |flag: &str, name: &str, default: &str| {
                if settings.flag(flag) == Some(true) { ids(name, default) } else { Vec::new() }
            };
            (token("add_bos_token", "bos_token", "<bos>"), token("add_eos_token", "eos_token", "<eos>"))
        }
        Class::Bert => (ids("cls_token", "[CLS]"), ids("sep_token", "[SEP]")),
        Class::Bart => (ids("cls_token", "<s>"), ids("sep_token", "</s>")),
        _ => (Vec::new(), ids("eos_token", "</s>")),
    };
    let marian = class == Class::Marian || config.get("model_type").and_then(Value::as_str) == Some("marian");
    let (scheme, tokens) = if marian {
        marian_languages(settings, model.tokens_around_a_code(">>", "<<"))
    } else {
        other_languages(settings, class, model)
    };
    LanguageTable { model: files.name().to_owned(), scheme, tokens, prefix, suffix }
}

fn marian_languages(settings: &Settings, targets: Vec<(String, TokenId)>) -> (Scheme, Vec<(String, TokenId)>) {
    // A group of languages, such as `gmw`, says nothing of a single one.
    let own = |key: &str| settings.text(key).filter(|code| Code::parse(code).is_language()).map(str::to_owned);
    if targets.is_empty() {
        (Scheme::Pair { from: own("source_lang"), to: own("target_lang") }, targets)
    } else {
        (Scheme::TargetToken { from: own("source_lang") }, targets)
    }
}

fn other_languages(settings: &Settings, class: Class, model: &Model) -> (Scheme, Vec<(String, TokenId)>) {
    let scheme = match class {
        Class::T5 | Class::File => {
            let targets = model.tokens_around_a_code("<2", ">");
            return (if targets.is_empty() { Scheme::None } else { Scheme::TargetText }, targets);
        }
        Class::Nllb if settings.flag("legacy_behaviour") == Some(true) => Scheme::SourceLast,
        Class::M2m100 | Class::MBart50 | Class::Nllb => Scheme::SourceFirst,
        Class::MBart => Scheme::SourceLastStart,
        _ => return (Scheme::None, Vec::new()),
    };
    let spelled = |code: &str| if class == Class::M2m100 { format!("__{code}__") } else { code.to_owned() };
    let tokens = class.languages(settings).into_iter().map(spelled);
    (scheme, tokens.filter_map(|token| model.id(&token).map(|id| (token, id))).collect())
}
