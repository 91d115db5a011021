//! Decode settings beside those that transformers has in effect (`tests/fixtures/make_settings.py`), and what
//! only kortom knows: flags, config file, catalogue, task.

// What a fixture holds is known.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use kortom::engine::settings::{Caller, DecodeSettings, Overrides, SettingSources, resolve};
use kortom::search::EarlyStopping;
use serde_json::{Value, json};

/// `generate`, without anything but the checkpoint.
fn sources<'a>(flags: &'a Overrides, config: &'a Value, generation_config: Option<&'a Value>) -> SettingSources<'a> {
    const NONE: &Overrides = &Overrides::NONE;
    SettingSources {
        call: None,
        flags,
        user: NONE,
        catalogue: None,
        task: None,
        defaults: None,
        config,
        generation_config,
        window: 512,
        positions: Some(1024),
        after_start: None,
        caller: Caller::Generate,
    }
}

/// The value listed under a name.
fn listed(settings: &DecodeSettings, name: &str) -> Value {
    settings.origins.iter().find(|setting| setting.name == name).unwrap().value.clone()
}

/// Where the setting of a name comes from.
fn origin(settings: &DecodeSettings, name: &str) -> String {
    settings.origins.iter().find(|setting| setting.name == name).unwrap().origin.clone()
}

fn error(sources: &SettingSources) -> String {
    resolve(sources).unwrap_err().to_string()
}

/// Arguments of transformers' `generate` as flags.
fn flags(arguments: &Value) -> Overrides {
    let count = |name: &str| arguments[name].as_u64().map(|count| count as usize);
    Overrides {
        num_beams: count("num_beams"),
        n_best: count("num_return_sequences"),
        length_penalty: arguments["length_penalty"].as_f64(),
        early_stopping: match &arguments["early_stopping"] {
            Value::Null => None,
            Value::Bool(true) => Some(EarlyStopping::True),
            Value::Bool(false) => Some(EarlyStopping::False),
            _ => Some(EarlyStopping::Never),
        },
        no_repeat_ngram_size: count("no_repeat_ngram_size"),
        repetition_penalty: arguments["repetition_penalty"].as_f64(),
        min_new_tokens: count("min_new_tokens"),
        max_new_tokens: count("max_new_tokens"),
        sample: arguments["do_sample"].as_bool(),
        ..Overrides::NONE
    }
}

/// A setting of transformers in the form in which it is listed here.
pub fn expected(name: &str, value: &Value) -> Value {
    let value = value.clone();
    match name {
        "eos_token_id" | "forced_eos_token_id" if value.is_u64() => json!([value]),
        "bad_words_ids" | "forced_eos_token_id" | "suppress_tokens" | "begin_suppress_tokens" if value.is_null() => {
            json!([])
        }
        "renormalize_logits" if value.is_null() => json!(false),
        _ => value,
    }
}

/// Compares settings with those that transformers has in effect.
pub fn check_effective(settings: &DecodeSettings, effective: &Value, what: &str) {
    for (name, value) in effective.as_object().unwrap() {
        let found = match name.as_str() {
            "least" => {
                let options = &settings.options;
                json!(options.min_new_tokens.max(options.min_length.saturating_sub(options.start.len())))
            }
            name => listed(settings, name),
        };
        let same = match (found.as_f64(), value.as_f64()) {
            (Some(found), Some(value)) => (found - value).abs() < 1e-9,
            // A start that a language asks for is one token.
            _ => found == expected(name, value) || *value == json!([found]),
        };
        assert!(same, "`{name}` is {found}, in transformers {value}: {what}");
    }
}

#[test]
fn checkpoints_get_the_settings_that_transformers_gives_them() {
    let cases: Value = serde_json::from_str(include_str!("../fixtures/settings.json")).unwrap();
    let mut compared = 0;
    for case in cases.as_array().unwrap() {
        let generation_config = Some(&case["generation_config"]).filter(|file| !file.is_null());
        let flags = flags(&case["arguments"]);
        let sources = sources(&flags, &case["config"], generation_config);
        if flags.early_stopping.is_some() && case["effective"]["num_beams"] == 1 {
            // The one combination in which a flag does nothing: transformers warns, a flag of ours is refused.
            assert!(error(&sources).contains("--early-stopping"));
            continue;
        }
        let settings = resolve(&sources).unwrap();
        check_effective(&settings, &case["effective"], &case.to_string());
        compared += 1;
    }
    assert!(compared >= 250, "{compared} cases compared");
}

#[test]
fn the_stronger_source_wins_and_is_named() {
    let flags = Overrides { num_beams: Some(5), ..Overrides::NONE };
    let user = Overrides { num_beams: Some(6), length_penalty: Some(0.5), ..Overrides::NONE };
    let catalogue = json!({"num_beams": 7, "length_penalty": 0.6, "no_repeat_ngram_size": 2});
    let config = json!({
        "bos_token_id": 0, "eos_token_id": 2, "decoder_start_token_id": 2, "repetition_penalty": 1.9,
        "task_specific_params": {"summarization": {
            "num_beams": 8, "no_repeat_ngram_size": 3, "min_length": 30, "max_length": 200, "prefix": "summarize: "
        }}
    });
    let file = json!({"decoder_start_token_id": 2, "num_beams": 9, "min_length": 5, "max_length": 60, "forced_bos_token_id": 0});
    let all = SettingSources {
        user: &user,
        catalogue: Some(&catalogue),
        task: Some("summarization"),
        ..sources(&flags, &config, Some(&file))
    };
    let settings = resolve(&all).unwrap();
    let expected = [
        ("num_beams", json!(5), "flag `--beam-size`"),
        ("length_penalty", json!(0.5), "config file"),
        ("no_repeat_ngram_size", json!(2), "catalogue"),
        ("min_length", json!(30), "config.json, task `summarization`"),
        ("max_new_tokens", json!(199), "config.json, task `summarization`, `max_length` 200 without the start"),
        ("forced_bos_token_id", json!(0), "generation_config.json"),
        ("repetition_penalty", json!(1.0), "default"),
        ("eos_token_id", json!([2]), "config.json"),
    ];
    for (name, value, from) in expected {
        assert_eq!((listed(&settings, name), origin(&settings, name)), (value, from.to_owned()), "{name}");
    }
    let names: BTreeSet<&str> = settings.origins.iter().map(|setting| setting.name).collect();
    assert_eq!(names.len(), settings.origins.len(), "a setting is listed twice");
    // One line for each field of `SearchOptions`, `sampling` being `do_sample`.
    assert_eq!(names.len(), 20);
    let without_task = resolve(&SettingSources { task: None, ..all }).unwrap();
    assert_eq!(without_task.options.max_new_tokens, 59);
}

#[test]
fn the_maximum_follows_caller_window_and_positions() {
    let none = Overrides::NONE;
    let config = json!({"decoder_start_token_id": 2, "eos_token_id": 2});
    let base = sources(&none, &config, None);
    assert_eq!(resolve(&base).unwrap().options.max_new_tokens, 20);
    let article = SettingSources { caller: Caller::Article, ..base.clone() };
    assert_eq!(resolve(&article).unwrap().options.max_new_tokens, 511);
    let tiny = SettingSources { positions: Some(10), ..base };
    assert_eq!(resolve(&tiny).unwrap().options.max_new_tokens, 9);
    let long = json!({"decoder_start_token_id": 2, "eos_token_id": 2, "max_length": 50});
    let tiny = SettingSources { config: &long, ..tiny };
    let settings = resolve(&tiny).unwrap();
    assert_eq!(settings.options.max_new_tokens, 10);
    assert!(settings.warnings[0].contains("not 49 (config.json, `max_length` 50 without the start)"));
    let flags = Overrides { max_new_tokens: Some(11), ..Overrides::NONE };
    assert!(error(&SettingSources { flags: &flags, ..tiny.clone() }).contains("flag `--max-length`"));
    let short = json!({"decoder_start_token_id": 2, "eos_token_id": 2, "max_length": 1});
    assert!(error(&SettingSources { config: &short, ..tiny }).contains("`max_length` is 1 (config.json)"));
}

#[test]
fn a_pipeline_falls_back_to_four_beams_and_256_tokens() {
    let none = Overrides::NONE;
    let config = json!({"decoder_start_token_id": 2, "eos_token_id": 2, "num_beams": 6});
    let base = SettingSources { caller: Caller::Pipeline, ..sources(&none, &config, None) };
    let settings = resolve(&base).unwrap();
    assert_eq!((settings.options.num_beams, settings.options.max_new_tokens), (4, 256));
    assert_eq!(origin(&settings, "num_beams"), "the pipeline");
    // `max_length` counts where the checkpoint has it, or the pipeline was made with it; in a call the 256 win over it.
    let length = json!({"max_length": 11});
    let called = resolve(&SettingSources { call: Some(&length), ..base.clone() }).unwrap();
    assert_eq!(called.options.max_new_tokens, 256);
    let made = SettingSources { defaults: Some(&length), ..base.clone() };
    assert_eq!(resolve(&made).unwrap().options.max_new_tokens, 10);
    let limited = json!({"decoder_start_token_id": 2, "eos_token_id": 2, "max_length": 60});
    let own = SettingSources { config: &limited, ..base.clone() };
    assert_eq!(resolve(&own).unwrap().options.max_new_tokens, 59);
    assert_eq!(resolve(&SettingSources { call: Some(&length), ..own }).unwrap().options.max_new_tokens, 10);
    // A person's settings file says nothing to a pipeline.
    let user = Overrides { num_beams: Some(2), ..Overrides::NONE };
    assert_eq!(resolve(&SettingSources { user: &user, ..base.clone() }).unwrap().options.num_beams, 4);
    let wrong = json!({"num_return_sequences": 5});
    assert!(
        error(&SettingSources { call: Some(&wrong), ..base }).contains("use `num_beams 5` or more, or `do_sample`")
    );
}

#[test]
fn impossible_values_name_the_setting_and_its_source() {
    let config = json!({"decoder_start_token_id": 2, "eos_token_id": 2});
    let wrong = [
        (Overrides { num_beams: Some(0), ..Overrides::NONE }, "`num_beams` is 0 (flag `--beam-size`)"),
        (Overrides { max_new_tokens: Some(0), ..Overrides::NONE }, "`max_new_tokens` is 0 (flag `--max-length`)"),
        (Overrides { n_best: Some(3), ..Overrides::NONE }, "(flag `--n-best`): more than `num_beams`, which is 1"),
        (Overrides { length_penalty: Some(f64::NAN), ..Overrides::NONE }, "(flag `--length-penalty`): not a number"),
        (Overrides { repetition_penalty: Some(0.0), ..Overrides::NONE }, "(flag `--repetition-penalty`)"),
        (Overrides { sample: Some(true), temperature: Some(-1.0), ..Overrides::NONE }, "(flag `--temperature`)"),
        (Overrides { sample: Some(true), top_p: Some(1.5), ..Overrides::NONE }, "(flag `--top-p`)"),
        (Overrides { sample: Some(true), num_beams: Some(2), ..Overrides::NONE }, "sampling with 2 beams"),
        (Overrides { temperature: Some(0.7), ..Overrides::NONE }, "flag `--temperature` does nothing without"),
        (Overrides { seed: Some(7), ..Overrides::NONE }, "flag `--seed` does nothing without"),
        (Overrides { early_stopping: Some(EarlyStopping::True), ..Overrides::NONE }, "does nothing without"),
    ];
    for (flags, words) in wrong {
        let error = error(&sources(&flags, &config, None));
        assert!(error.contains(words) && error.contains("\nhint: "), "{words}: {error}");
    }
    let none = Overrides::NONE;
    let wrong = [
        (json!({"num_beams": "four"}), "`num_beams` is \"four\" (generation_config.json)"),
        (json!({"num_beams": -1}), "`num_beams` is -1 (generation_config.json)"),
        (json!({"early_stopping": "sometimes"}), "`early_stopping` is \"sometimes\""),
        (json!({"bad_words_ids": [5]}), "`bad_words_ids` is [5]"),
        (json!({"forced_bos_token_id": [5]}), "`forced_bos_token_id` is [5]"),
        (json!({"eos_token_id": -1}), "`eos_token_id` is -1"),
        (json!({"num_beam_groups": 2}), "`num_beam_groups` is 2"),
        (json!({"penalty_alpha": 0.6}), "`penalty_alpha` is 0.6"),
        (json!({"force_words_ids": [[3]]}), "`force_words_ids` is [[3]]"),
        (json!({"do_sample": true, "num_beams": 4}), "sampling with 4 beams"),
        (json!([]), "generation_config.json is not a JSON object"),
    ];
    for (file, words) in wrong {
        let error = error(&sources(&none, &config, Some(&file)));
        assert!(error.contains(words) && error.contains("\nhint: "), "{words}: {error}");
    }
    let typing_error = json!({"num_beam": 4});
    let catalogue = SettingSources { catalogue: Some(&typing_error), ..sources(&none, &config, None) };
    assert!(error(&catalogue).contains("the catalogue sets `num_beam`"));
    let no_start = json!({"eos_token_id": 2});
    assert!(error(&sources(&none, &no_start, None)).contains("neither `decoder_start_token_id` nor"));
}

#[test]
fn what_has_no_effect_here_is_said() {
    let none = Overrides::NONE;
    let config = json!({"decoder_start_token_id": 2, "eos_token_id": 2});
    let warnings = |file: Value| resolve(&sources(&none, &config, Some(&file))).unwrap().warnings;
    let file = json!({"decoder_start_token_id": 2, "guidance_scale": 1.5, "diversity_penalty": 0.0, "sequence_bias": [[[3], 1.5]]});
    let said = warnings(file);
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].starts_with("`guidance_scale` 1.5 (generation_config.json) is not supported"));
    assert!(warnings(json!({"decoder_start_token_id": 2, "typical_p": 0.2})).is_empty());
    assert_eq!(warnings(json!({"decoder_start_token_id": 2, "typical_p": 0.2, "do_sample": true})).len(), 1);
    assert!(warnings(json!({"bos_token_id": 0}))[0].contains("starts with its `bos_token_id` [0]"));
    assert!(warnings(json!({"decoder_start_token_id": 2, "min_length": 40}))[0].contains("no end before 39 new"));
    let endless = json!({"decoder_start_token_id": 2});
    assert!(resolve(&sources(&none, &endless, None)).unwrap().warnings[0].contains("no `eos_token_id`"));
}

#[test]
fn of_sampling_and_beams_the_stronger_source_wins() {
    let config = json!({"decoder_start_token_id": 2, "eos_token_id": 2});
    let beams = json!({"num_beams": 4});
    let sample = Overrides { sample: Some(true), seed: Some(3), ..Overrides::NONE };
    let settings = resolve(&sources(&sample, &config, Some(&beams))).unwrap();
    assert_eq!(settings.options.num_beams, 1);
    let sampling = settings.options.sampling.unwrap();
    assert_eq!((sampling.top_k, sampling.seed), (50, 3));
    assert_eq!(origin(&settings, "num_beams"), "flag `--sample`, `do_sample`");
    let sampled = json!({"do_sample": true, "temperature": 0.5, "top_k": 5});
    let four = Overrides { num_beams: Some(4), ..Overrides::NONE };
    let settings = resolve(&sources(&four, &config, Some(&sampled))).unwrap();
    assert_eq!((settings.options.num_beams, settings.options.sampling), (4, None));
    let none = Overrides::NONE;
    let settings = resolve(&sources(&none, &config, Some(&sampled))).unwrap();
    assert_eq!(settings.options.sampling.unwrap().top_k, 5);
}
