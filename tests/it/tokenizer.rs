//! Every kind of tokenizer against what transformers makes of the same texts (`fixtures/make_tokenizers.py`),
//! and what becomes of broken files and unknown languages.

use std::fs;
use std::path::{Path, PathBuf};

use kortom::files::ModelFiles;
use kortom::tokenizer::{LanguageError, LanguageTokens, Tokenizer};
use serde_json::{Value, json};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tokenizers").join(name)
}

fn bundled() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models/kortom-nl-en")
}

fn load(folder: &Path) -> anyhow::Result<Tokenizer> {
    Tokenizer::load(&ModelFiles::folder(folder, "model", None)?)
}

fn ids(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|id| u32::try_from(id.as_u64().unwrap()).unwrap()).collect()
}

/// Compares all cases of a file; how many there were.
fn compare(tokenizer: &Tokenizer, languages: &LanguageTokens, expected: &Path) -> usize {
    let expected: Value = serde_json::from_slice(&fs::read(expected).unwrap()).unwrap();
    let mut differ = Vec::new();
    for case in expected["cases"].as_array().unwrap() {
        let found = tokenizer.encode(case["text"].as_str().unwrap(), languages).unwrap();
        assert!(found.iter().all(|&id| (id as usize) < tokenizer.vocabulary_size()));
        if found != ids(&case["ids"]) {
            differ.push(format!("{case}\n    ours {found:?}"));
        }
    }
    let decoded = expected["cases"].as_array().unwrap().iter().filter(|case| case["decoded"].is_string());
    for case in decoded.chain(expected["decodes"].as_array().unwrap()) {
        let found = tokenizer.decode(&ids(&case["ids"]));
        if found != case["decoded"].as_str().unwrap() {
            differ.push(format!("{case}\n    ours {found:?}"));
        }
    }
    assert!(differ.is_empty(), "{} differ:\n{}", differ.len(), differ[..differ.len().min(5)].join("\n"));
    expected["cases"].as_array().unwrap().len() + expected["decodes"].as_array().unwrap().len()
}

#[test]
fn the_bundled_model_reads_and_writes_as_transformers_does() {
    let tokenizer = load(&bundled()).unwrap();
    let languages = tokenizer.language_tokens(Some("nl"), Some("en")).unwrap();
    assert!(compare(&tokenizer, &languages, &fixture("bundled.json")) >= 700);
}

/// One test per kind, so that a failure names it.
macro_rules! kinds {
    ($($test:ident: $folder:literal, $from:expr, $to:expr;)*) => {$(
        #[test]
        fn $test() {
            let tokenizer = load(&fixture($folder)).unwrap();
            let languages = tokenizer.language_tokens($from, $to).unwrap();
            assert!(compare(&tokenizer, &languages, &fixture($folder).join("expected.json")) >= 110);
        }
    )*};
}

kinds! {
    marian: "marian", Some("nld"), Some("eng");
    marian_with_separate_vocabularies: "marian-separate", None, None;
    marian_with_several_targets: "marian-targets", Some("nl"), Some("en");
    marian_with_bytes_and_symbols: "marian-bytes", None, None;
    t5: "t5", None, None;
    t5_json: "t5-json", None, None;
    mt5: "mt5", None, None;
    madlad: "madlad", Some("nl"), Some("en");
    madlad_json: "madlad-json", None, Some("<2en>");
    pegasus: "pegasus", None, None;
    pegasus_json: "pegasus-json", None, None;
    mbart: "mbart", Some("nl"), Some("en");
    mbart_json: "mbart-json", None, None;
    mbart50: "mbart50", Some("nl_XX"), Some("en_XX");
    mbart50_json: "mbart50-json", Some("nld"), Some("eng");
    nllb: "nllb", Some("nl"), Some("en");
    nllb_json: "nllb-json", Some("nld_Latn"), Some("eng_Latn");
    nllb_legacy: "nllb-legacy", None, None;
    m2m100: "m2m100", Some("__nl__"), Some("en");
    bart: "bart", None, None;
    bart_json: "bart-json", None, None;
    gemma: "gemma", None, None;
    bert: "bert", None, None;
    bert_json: "bert-json", None, None;
    prophetnet: "prophetnet", None, None;
    plbart: "plbart", Some("python"), Some("en");
    small100: "small100", None, Some("en");
    blenderbot_json: "blenderbot", None, None;
    blenderbot_small: "blenderbot-small", None, None;
    fsmt: "fsmt", Some("nl"), Some("en");
    fsmt_from_german: "fsmt-de", None, None;
    fsmt_from_english: "fsmt-en", None, None;
    seamless: "seamless", Some("nl"), Some("en");
    seamless_json: "seamless-json", Some("nld"), Some("__eng__");
}

#[test]
fn a_text_may_name_its_own_target() {
    let tokenizer = load(&fixture("marian-targets")).unwrap();
    let english = tokenizer.language_tokens(None, None).unwrap();
    let dutch = tokenizer.language_tokens(None, Some("nl")).unwrap();
    let own = tokenizer.encode(">>nld<< Hello", &english).unwrap();
    assert_eq!(own, tokenizer.encode("Hello", &dutch).unwrap());
    assert_eq!(own[0], tokenizer.token_id(">>nld<<").unwrap());
}

#[test]
fn a_text_that_names_a_target_the_model_lacks_is_read_behind_the_one_asked_for() {
    let tokenizer = load(&fixture("marian-targets")).unwrap();
    let asked = tokenizer.language_tokens(None, Some("en")).unwrap();
    let by_default = tokenizer.language_tokens(None, None).unwrap();
    let english = tokenizer.token_id(">>eng<<").unwrap();
    let unknown = tokenizer.token_id("<unk>").unwrap();
    for text in [">>xyz<< De oude veerman", ">><<", ">> eng << De oude veerman", ">>xyz<<>>eng<< De"] {
        // As transformers reads `>>eng<<` and the text: what follows the first code is no code.
        let ids = tokenizer.encode(text, &asked).unwrap();
        assert_eq!(ids, tokenizer.encode(&format!(">>eng<<{text}"), &by_default).unwrap(), "{text}");
        assert!(ids[0] == english && ids[1] != unknown && ids[1] != english, "{text}: {ids:?}");
        // And the text alone, where no target was requested: a code that is not known.
        let ids = tokenizer.encode(text, &by_default).unwrap();
        assert!(ids[0] == unknown && !ids.contains(&english), "{text}: {ids:?}");
    }
    let plain = tokenizer.encode("De oude veerman", &by_default).unwrap();
    assert_eq!(plain, tokenizer.encode("De oude veerman", &asked).unwrap());
    assert_eq!(plain[0], english);
}

#[test]
fn scores_in_tokenizer_json_are_read_to_the_last_bit() {
    let folder = copy("t5-json");
    // Those of T5: the sum from left to right decides between `-` `---` `---` and `---` `---` `-`.
    let pieces = json!([
        ["<pad>", 0.0],
        ["</s>", 0.0],
        ["<unk>", 0.0],
        ["▁", -2.012_292_861_938_476_6],
        ["-", -5.129_043_102_264_404],
        ["---", -12.130_167_007_446_289]
    ]);
    edit(folder.path(), "tokenizer.json", |file| file["model"]["vocab"] = pieces);
    // Where the crate reads the file itself, it is a bit off: as in transformers.
    for (class, expected) in [("T5Tokenizer", [3, 4, 5, 5, 1]), ("PreTrainedTokenizerFast", [3, 5, 5, 4, 1])] {
        edit(folder.path(), "tokenizer_config.json", |config| config["tokenizer_class"] = json!(class));
        let tokenizer = load(folder.path()).unwrap();
        let languages = tokenizer.language_tokens(None, None).unwrap();
        assert_eq!(tokenizer.encode("-------", &languages).unwrap(), expected, "{class}");
    }
}

#[test]
fn the_mask_of_mbart_is_found_before_character_rules() {
    let folder = copy("mbart50");
    edit(folder.path(), "tokenizer_config.json", |config| drop(config.as_object_mut().unwrap().remove("mask_token")));
    let tokenizer = load(folder.path()).unwrap();
    let languages = tokenizer.language_tokens(None, None).unwrap();
    // A rule makes signs of full width narrow. A mask that is only then found is a piece like others: no word begins after it.
    let wide = "a\u{ff1c}mask\u{ff1e}b";
    let ids = |tokenizer: &Tokenizer, tokens: &str| -> Vec<u32> {
        tokens.split(' ').map(|token| tokenizer.token_id(token).unwrap()).collect()
    };
    assert_eq!(tokenizer.encode(wide, &languages).unwrap(), ids(&tokenizer, "nl_XX ▁a <mask> b </s>"));
    edit(folder.path(), "tokenizer_config.json", |config| {
        config["mask_token"] = json!({"__type": "AddedToken", "content": "<mask>", "lstrip": true, "normalized": true});
    });
    let tokenizer = load(folder.path()).unwrap();
    assert_eq!(tokenizer.encode(wide, &languages).unwrap(), ids(&tokenizer, "nl_XX ▁a <mask> ▁ b </s>"));
}

/// The tokens of a text under changed settings, in the spelling of the tokenizer, as transformers 5.24 has them.
#[test]
fn special_tokens_without_names_are_those_of_the_first_file_that_lists_any() {
    let ordinary = "▁ j a ▁ nl_XX ne e </s> nl_XX";
    let added = "▁ j a nl_XX ▁ ne e </s> nl_XX";
    for (config, map, expected) in [
        (json!({}), json!({}), added),
        (json!({"additional_special_tokens": null}), json!({}), ordinary),
        (json!({"additional_special_tokens": null}), json!({"additional_special_tokens": ["nl_XX"]}), ordinary),
        (json!({"additional_special_tokens": []}), json!({}), ordinary),
        (json!({"additional_special_tokens": ["nl_XX"]}), json!({}), added),
        (json!({"extra_special_tokens": null}), json!({}), ordinary),
        (json!({"extra_special_tokens": []}), json!({"extra_special_tokens": ["nl_XX"]}), added),
        // What the SentencePiece model marks stands in the place of this list.
        (json!({}), json!({"additional_special_tokens": ["ja"]}), added),
    ] {
        let folder = copy("mbart");
        edit(folder.path(), "tokenizer_config.json", |file| {
            file.as_object_mut().unwrap().extend(config.as_object().unwrap().clone());
        });
        fs::write(folder.path().join("special_tokens_map.json"), map.to_string()).unwrap();
        let tokenizer = load(folder.path()).unwrap();
        let languages = tokenizer.language_tokens(Some("nl"), None).unwrap();
        let expected: Vec<u32> = expected.split(' ').map(|token| tokenizer.token_id(token).unwrap()).collect();
        assert_eq!(tokenizer.encode("ja nl_XXnee", &languages).unwrap(), expected, "{config} {map}");
    }
}

#[test]
fn languages_become_the_tokens_each_family_wants() {
    let of = |folder: &str| {
        let tokenizer = load(&fixture(folder)).unwrap();
        let languages = tokenizer.language_tokens(Some("nl"), Some("en")).unwrap();
        let id = move |token: &str| tokenizer.token_id(token).unwrap();
        (languages, id)
    };
    let (nllb, id) = of("nllb");
    assert_eq!((nllb.source_prefix, nllb.source_suffix), (vec![id("nld_Latn")], vec![id("</s>")]));
    assert_eq!((nllb.forced_bos, nllb.decoder_start), (Some(id("eng_Latn")), None));
    let (legacy, id) = of("nllb-legacy");
    assert_eq!((legacy.source_prefix, legacy.source_suffix), (vec![], vec![id("</s>"), id("nld_Latn")]));
    let (mbart, id) = of("mbart");
    assert_eq!((mbart.source_prefix, mbart.source_suffix), (vec![], vec![id("</s>"), id("nl_XX")]));
    assert_eq!((mbart.forced_bos, mbart.decoder_start), (None, Some(id("en_XX"))));
    let (mbart50, id) = of("mbart50-json");
    assert_eq!((mbart50.source_prefix, mbart50.forced_bos), (vec![id("nl_XX")], Some(id("en_XX"))));
    let (m2m100, id) = of("m2m100");
    assert_eq!((m2m100.source_prefix, m2m100.forced_bos), (vec![id("__nl__")], Some(id("__en__"))));
    let (madlad, _) = of("madlad");
    assert_eq!((madlad.text_prefix.as_str(), madlad.forced_bos), ("<2en> ", None));
    let (marian, id) = of("marian-targets");
    assert_eq!((marian.source_prefix, marian.source_suffix), (vec![id(">>eng<<")], vec![id("</s>")]));
}

#[test]
fn language_tokens_never_appear_in_a_text() {
    for (folder, token) in
        [("m2m100", "__en__"), ("nllb", "eng_Latn"), ("madlad", "<2en>"), ("marian-targets", ">>eng<<")]
    {
        let tokenizer = load(&fixture(folder)).unwrap();
        let languages = tokenizer.language_tokens(None, None).unwrap();
        let mut ids = vec![tokenizer.token_id(token).unwrap()];
        ids.extend(tokenizer.encode("De oude veerman", &languages).unwrap());
        assert_eq!(tokenizer.decode(&ids), "De oude veerman", "{folder}");
    }
}

fn language_error(folder: &Path, from: Option<&str>, to: Option<&str>) -> LanguageError {
    let error = load(folder).unwrap().language_tokens(from, to).unwrap_err();
    kortom::error::find::<LanguageError>(&error).unwrap().clone()
}

#[test]
fn an_unknown_language_is_refused_with_the_list() {
    let LanguageError::Unknown { code, known, .. } = language_error(&fixture("m2m100"), Some("tlh"), None) else {
        panic!()
    };
    assert_eq!(code, "tlh");
    assert!(known.contains("`__nl__`") && known.contains("`__zu__`"), "{known}");
    let error = load(&fixture("marian-targets")).unwrap().language_tokens(None, Some("fr")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the model `model` does not know the language `fr`\nhint: it knows `>>eng<<`, `>>nld<<`"
    );
}

#[test]
fn a_bilingual_model_refuses_another_pair() {
    let own = Some("nl");
    for (from, to) in [(own, Some("de")), (Some("fr"), Some("en")), (None, Some("nl")), (Some("en"), None)] {
        let error = language_error(&bundled(), from, to);
        assert!(matches!(error, LanguageError::OtherPair { .. }), "{error}");
        assert!(error.to_string().starts_with("the model `model` translates from `nl` to `en`, not"), "{error}");
    }
    for (from, to) in [(None, None), (own, None), (Some("nld"), Some("eng")), (Some("nl_XX"), Some("en_XX"))] {
        load(&bundled()).unwrap().language_tokens(from, to).unwrap();
    }
}

#[test]
fn a_model_without_languages_refuses_them() {
    for folder in ["bart", "t5", "pegasus-json"] {
        let error = language_error(&fixture(folder), Some("nl"), None);
        assert!(matches!(error, LanguageError::NotApplicable { .. }), "{error}");
    }
}

#[test]
fn pegasus_counts_both_masks_whatever_the_files_name() {
    let folder = copy("pegasus");
    fs::write(folder.path().join("tokenizer_config.json"), "{}").unwrap();
    for named in [json!({}), json!({"mask_token": "<mask_2>", "eos_token": "</s>"})] {
        fs::write(folder.path().join("special_tokens_map.json"), named.to_string()).unwrap();
        let tokenizer = load(folder.path()).unwrap();
        let languages = tokenizer.language_tokens(None, None).unwrap();
        assert!(compare(&tokenizer, &languages, &fixture("pegasus").join("expected.json")) >= 110);
    }
}

#[test]
fn limits_come_from_the_checkpoint() {
    assert_eq!(load(&bundled()).unwrap().max_length(), Some(512));
    let folder = copy("t5");
    edit(folder.path(), "tokenizer_config.json", |config| config["model_max_length"] = json!(1e30));
    assert_eq!(load(folder.path()).unwrap().max_length(), None);
}

#[test]
fn cleaning_up_happens_where_the_checkpoint_asks_for_it() {
    let folder = copy("t5");
    let ids = |tokenizer: &Tokenizer| {
        tokenizer.encode("Na , nee .", &tokenizer.language_tokens(None, None).unwrap()).unwrap()
    };
    let plain = load(folder.path()).unwrap();
    assert_eq!(plain.decode(&ids(&plain)), "Na , nee .");
    edit(folder.path(), "tokenizer_config.json", |config| config["clean_up_tokenization_spaces"] = json!(true));
    let cleaned = load(folder.path()).unwrap();
    assert_eq!(cleaned.decode(&ids(&cleaned)), "Na, nee.");
}

#[test]
fn what_a_vocabulary_lacks_is_taken_from_the_source() {
    let mut lacking = 0;
    for kind in fs::read_dir(fixture("")).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        let tokenizer = load(&kind).unwrap();
        let languages = LanguageTokens::default();
        let ids = |text: &str| tokenizer.encode(text, &languages).unwrap();
        let source = "een \u{6751} twee \u{6751}";
        let (plain, restored) =
            (tokenizer.decode(&ids(source)), tokenizer.decode_copying_unknowns(&ids(source), source));
        assert_eq!(tokenizer.decode_copying_unknowns(&ids("een twee"), source), None, "{kind:?}");
        if plain.contains('\u{6751}') {
            assert_eq!(restored, None, "{kind:?}");
            continue;
        }
        lacking += 1;
        let restored = restored.unwrap_or_else(|| panic!("{kind:?}: {plain:?}"));
        assert_eq!(restored.matches('\u{6751}').count(), 2, "{kind:?}: {restored:?}");
        assert_eq!(restored.replace([' ', '\u{6751}'], ""), plain.replace(' ', ""), "{kind:?}");
        // As many as the source has, and only where they are all the same.
        assert_eq!(tokenizer.decode_copying_unknowns(&ids(source), "een \u{6751} twee"), None, "{kind:?}");
        assert_eq!(tokenizer.decode_copying_unknowns(&ids(source), "een \u{6751} twee \u{5e02}"), None, "{kind:?}");
        let fewer = tokenizer.decode_copying_unknowns(&ids("een \u{6751}"), source);
        assert!(fewer.is_some_and(|text| text.matches('\u{6751}').count() == 1), "{kind:?}");
    }
    assert!(lacking >= 12, "{lacking}");
}

#[test]
fn signs_that_a_vocabulary_lacks_are_spelled_with_those_it_has() {
    let tokenizer = load(&bundled()).unwrap();
    // It lacks the first quotation mark, not the second; a character rule spells out the dots.
    let print = "\u{ab}\u{2019}s Avonds\u{201d} \u{2013} ja\u{2026}";
    assert_eq!(tokenizer.substituted(print), "\"'s Avonds\" \u{2013} ja\u{2026}");
    for plain in ["'s Avonds", "\u{201c}Ja\u{201d}", "caf\u{e9} \u{20ac} 3"] {
        assert_eq!(tokenizer.substituted(plain), plain);
    }
    // Bytes stand for whatever it lacks.
    assert_eq!(load(&fixture("bart")).unwrap().substituted("\u{201e}\u{2019}s\u{201d}"), "\u{201e}\u{2019}s\u{201d}");
}

#[test]
fn ids_that_nothing_stands_for_leave_nothing_behind() {
    for folder in ["t5", "t5-json", "bart", "nllb", "marian", "mbart"] {
        let tokenizer = load(&fixture(folder)).unwrap();
        assert_eq!(tokenizer.decode(&[1_000_000, u32::MAX]), "", "{folder}");
    }
}

// --- broken checkpoints --------------------------------------------------------------------------------------------

fn copy(kind: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(fixture(kind)).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
    }
    folder
}

fn edit(folder: &Path, file: &str, change: impl FnOnce(&mut Value)) {
    let mut value = serde_json::from_slice(&fs::read(folder.join(file)).unwrap()).unwrap();
    change(&mut value);
    fs::write(folder.join(file), value.to_string()).unwrap();
}

#[test]
fn a_missing_file_is_named() {
    for (kind, file) in [
        ("marian", "source.spm"),
        ("marian", "target.spm"),
        ("marian", "vocab.json"),
        ("marian-separate", "target_vocab.json"),
        ("t5", "spiece.model"),
        ("m2m100", "sentencepiece.bpe.model"),
        ("nllb", "sentencepiece.bpe.model"),
        ("bart", "merges.txt"),
    ] {
        let folder = copy(kind);
        fs::remove_file(folder.path().join(file)).unwrap();
        let message = load(folder.path()).unwrap_err().to_string();
        assert!(message.starts_with(&format!("the model `model` has no file `{file}`\nhint: it has ")), "{message}");
    }
}

#[test]
fn a_file_cut_anywhere_is_an_error_or_a_smaller_tokenizer_never_a_panic() {
    for (kind, file) in [("marian", "source.spm"), ("t5", "spiece.model"), ("m2m100", "sentencepiece.bpe.model")] {
        let folder = copy(kind);
        let whole = fs::read(fixture(kind).join(file)).unwrap();
        let mut refused = 0;
        for length in (0..whole.len()).step_by(whole.len() / 60) {
            fs::write(folder.path().join(file), &whole[..length]).unwrap();
            match load(folder.path()) {
                Ok(tokenizer) => drop(tokenizer.encode("Een proef.", &LanguageTokens::default())),
                Err(error) => {
                    refused += 1;
                    let message = format!("{error:#}");
                    assert!(
                        message.contains(&format!("`{file}` of the model `model` cannot be used\nhint: ")),
                        "{message}"
                    );
                }
            }
        }
        assert!(refused > 50, "{kind}: {refused}");
    }
}

#[test]
fn changed_bytes_never_panic() {
    for (kind, file) in [("marian-bytes", "source.spm"), ("t5", "spiece.model"), ("mbart50", "sentencepiece.bpe.model")]
    {
        let folder = copy(kind);
        let whole = fs::read(fixture(kind).join(file)).unwrap();
        for step in 0..150 {
            let mut changed = whole.clone();
            // Mostly the character rules at the end of the file, where offsets live; also lengths.
            let position = (step * 7_919 + step * step) % whole.len();
            changed[position] = [0xff, 0x00, 0x80, 0x7f][step % 4];
            changed[(position + 1) % whole.len()] ^= 0x55;
            fs::write(folder.path().join(file), &changed).unwrap();
            if let Ok(tokenizer) = load(folder.path()) {
                let ids =
                    tokenizer.encode("Één ﬁets… ＡＢ\u{a0}\u{301}", &LanguageTokens::default()).unwrap_or_default();
                drop(tokenizer.decode(&ids));
            }
        }
    }
}

#[test]
fn a_length_that_lies_is_refused() {
    let folder = copy("marian");
    // Field 1, length 2^63: a piece of nine million terabytes.
    fs::write(folder.path().join("source.spm"), [0x0a, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01])
        .unwrap();
    let message = format!("{:#}", load(folder.path()).unwrap_err());
    assert!(message.contains("it is cut short: a field of 9223372036854775808 bytes where 0 are left"), "{message}");
    for vocabulary in [r#"{"</s>": 0, "<unk>": 4294967295}"#, r#"{"</s>": 0, "<unk>": -1}"#, r#"["</s>"]"#, "{}", ""] {
        let folder = copy("marian");
        fs::write(folder.path().join("vocab.json"), vocabulary).unwrap();
        let message = load(folder.path()).unwrap_err().to_string();
        assert!(message.starts_with("`vocab.json` of the model `model` cannot be used\n"), "{message}");
    }
}

#[test]
fn a_token_without_a_row_is_refused_where_a_text_has_it() {
    let folder = copy("bart");
    let whole = load(folder.path()).unwrap();
    edit(folder.path(), "config.json", |config| config["vocab_size"] = json!(599));
    let tokenizer = load(folder.path()).unwrap();
    let languages = LanguageTokens::default();
    for text in ["The old ferryman", "", "<mas k> & mask"] {
        assert_eq!(tokenizer.encode(text, &languages).unwrap(), whole.encode(text, &languages).unwrap());
    }
    assert_eq!(
        tokenizer.encode("The <mask> ferryman", &languages).unwrap_err().to_string(),
        "the text has `<mask>`, which is token 599, but the model `model` has 599 rows and none for it\n\
         hint: take it out of the text"
    );
    // Nor is it among the ways in which a required term can be written.
    assert!(
        !whole.tokenizations("<mask>").is_empty() || whole.tokenizations("port").iter().any(|ids| ids.contains(&598))
    );
    edit(folder.path(), "config.json", |config| config["vocab_size"] = json!(598));
    assert!(load(folder.path()).unwrap().tokenizations("port").iter().flatten().all(|&id| id < 598));
    edit(folder.path(), "config.json", |config| config["vocab_size"] = json!(640));
    assert_eq!(load(folder.path()).unwrap().vocabulary_size(), 600);
}

#[test]
fn a_language_without_a_row_is_one_that_the_model_lacks() {
    let folder = copy("mbart");
    let whole = load(folder.path()).unwrap();
    let dutch = whole.token_id("nl_XX").unwrap();
    edit(folder.path(), "config.json", |config| config["vocab_size"] = json!(dutch + 1));
    let tokenizer = load(folder.path()).unwrap();
    let pair = (Some("nl"), Some("en"));
    assert_eq!(tokenizer.language_tokens(pair.0, pair.1).unwrap(), whole.language_tokens(pair.0, pair.1).unwrap());
    assert_eq!(tokenizer.known_language_tokens().last(), Some("nl_XX"));
    let error = kortom::Error::from(language_error(folder.path(), Some("ro"), None));
    let message = error.describe();
    assert!(message.starts_with("the model `model` does not know the language `ro`\nhint: it knows "), "{message}");
    let languages = tokenizer.language_tokens(pair.0, pair.1).unwrap();
    let message = tokenizer.encode("zh_CN", &languages).unwrap_err().to_string();
    assert!(message.contains("the text has `zh_CN`"), "{message}");
}

#[test]
fn a_tokenizer_of_another_model_is_refused_with_what_shows_it() {
    let folder = copy("bart");
    edit(folder.path(), "config.json", |config| config["vocab_size"] = json!(299));
    assert_eq!(
        load(folder.path()).unwrap_err().to_string(),
        "the tokenizer of the model `model` has 600 tokens, but its config.json has room for 299 (`vocab_size`): 301 of \
         them have no row in the model, which is more than half\n\
         hint: the files are of two different models; fetch them again, all from one place"
    );
    edit(folder.path(), "config.json", |config| config["vocab_size"] = json!(320));
    load(folder.path()).unwrap();
    // Of what stands around every text nothing may lack a row.
    edit(folder.path(), "config.json", |config| config["vocab_size"] = json!(301));
    edit(folder.path(), "vocab.json", |vocabulary| {
        vocabulary["</s>"] = json!(600);
        vocabulary["port2"] = json!(2);
    });
    let message = load(folder.path()).unwrap_err().to_string();
    assert!(
        message.contains("`</s>`, which stands in every text, is token 600 and has no row in the model"),
        "{message}"
    );
}

#[test]
fn an_unknown_kind_is_refused() {
    let folder = copy("t5");
    edit(folder.path(), "config.json", |config| config["model_type"] = json!("gpt2"));
    edit(folder.path(), "tokenizer_config.json", |config| config["tokenizer_class"] = json!("GPT2Tokenizer"));
    let message = load(folder.path()).unwrap_err().to_string();
    assert!(
        message.starts_with("the model `model` has a tokenizer of an unknown kind (tokenizer_class `GPT2Tokenizer`)"),
        "{message}"
    );
}

#[test]
fn a_class_of_its_own_is_not_that_of_its_family() {
    let folder = copy("mbart");
    edit(folder.path(), "tokenizer_config.json", |config| config["tokenizer_class"] = json!("BarthezTokenizer"));
    let message = load(folder.path()).unwrap_err().to_string();
    assert!(message.contains("has a tokenizer of an unknown kind (tokenizer_class `BarthezTokenizer`)"), "{message}");
    // Its tokenizer.json says all there is to say.
    let folder = copy("mbart-json");
    edit(folder.path(), "tokenizer_config.json", |config| config["tokenizer_class"] = json!("BarthezTokenizer"));
    assert_eq!(load(folder.path()).unwrap().known_language_tokens().count(), 0);
    // A class that reads any file says nothing of the family.
    edit(folder.path(), "tokenizer_config.json", |config| config["tokenizer_class"] = json!("TokenizersBackend"));
    assert_eq!(load(folder.path()).unwrap().known_language_tokens().count(), 25);
}

#[test]
fn a_tokenizer_json_may_lack_parts_and_ask_for_cutting() {
    for class in ["T5Tokenizer", "PreTrainedTokenizerFast"] {
        let folder = copy("t5-json");
        edit(folder.path(), "tokenizer_config.json", |config| config["tokenizer_class"] = json!(class));
        let whole = load(folder.path()).unwrap();
        let languages = whole.language_tokens(None, None).unwrap();
        let text = "De oude veerman zette zijn pet recht \u{6751}";
        let ids = whole.encode(text, &languages).unwrap();
        edit(folder.path(), "tokenizer.json", |file| {
            drop(file["model"].as_object_mut().unwrap().remove("type"));
            file["truncation"] =
                json!({"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0});
            file["padding"] = json!({
                "strategy": {"Fixed": 64}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0,
                "pad_type_id": 0, "pad_token": "<pad>"
            });
        });
        // Cutting and padding are for those who ask for them, as in a call of transformers' class without either.
        assert_eq!(load(folder.path()).unwrap().encode(text, &languages).unwrap(), ids, "{class}");
        edit(folder.path(), "tokenizer.json", |file| file["decoder"] = Value::Null);
        let without = load(folder.path()).unwrap();
        let (expected, restored) = if class == "T5Tokenizer" {
            (whole.decode(&ids), whole.decode_copying_unknowns(&ids, text))
        } else {
            // The tokens as they are, with spaces between them.
            assert!(without.decode(&ids).starts_with("\u{2581} D e \u{2581}"));
            (without.decode(&ids), Some(format!("{} \u{6751}", without.decode(&ids))))
        };
        assert_eq!(
            (without.decode(&ids), without.decode_copying_unknowns(&ids, text)),
            (expected, restored),
            "{class}"
        );
        assert!(!without.decode(&ids).is_empty());
    }
}

#[test]
fn an_added_token_may_have_the_id_of_a_piece() {
    let folder = copy("marian");
    let before = load(folder.path()).unwrap();
    let languages = before.language_tokens(None, None).unwrap();
    let ids = before.encode("De oude veerman", &languages).unwrap();
    let piece = ids[1];
    let token = json!({"content": "<x>", "lstrip": false, "normalized": false, "rstrip": false, "single_word": false});
    edit(folder.path(), "tokenizer_config.json", |config| {
        config["added_tokens_decoder"] = json!({ piece.to_string(): token });
    });
    // As in transformers: both are encoded as that id, and it is decoded as the token.
    let tokenizer = load(folder.path()).unwrap();
    assert_eq!(tokenizer.encode("De oude veerman", &languages).unwrap(), ids);
    assert_eq!(tokenizer.encode("<x>", &languages).unwrap()[0], piece);
    assert_eq!(tokenizer.decode(&ids), "<x>e oude veerman");
    // In a tokenizer.json the id of a token that no piece spells is the next one that is free.
    let folder = copy("t5-json");
    let size = load(folder.path()).unwrap().vocabulary_size() as u32;
    edit(folder.path(), "config.json", |config| config["vocab_size"] = json!(size + 1));
    edit(folder.path(), "tokenizer.json", |file| {
        let token = json!({"id": 7, "content": "<x>", "lstrip": false, "normalized": false, "rstrip": false,
                           "single_word": false, "special": false});
        file["added_tokens"].as_array_mut().unwrap().push(token);
    });
    let tokenizer = load(folder.path()).unwrap();
    let languages = tokenizer.language_tokens(None, None).unwrap();
    assert_eq!(tokenizer.encode("<x>", &languages).unwrap(), [size, 1]);
}

#[test]
fn a_file_of_unknown_class_is_followed_to_the_letter() {
    let folder = copy("t5-json");
    edit(folder.path(), "tokenizer_config.json", |config| config["tokenizer_class"] = json!("PreTrainedTokenizerFast"));
    let tokenizer = load(folder.path()).unwrap();
    let languages = tokenizer.language_tokens(None, None).unwrap();
    assert!(compare(&tokenizer, &languages, &fixture("t5-json").join("expected.json")) >= 110);
}

#[test]
fn a_long_text_is_no_trouble() {
    let tokenizer = load(&bundled()).unwrap();
    let languages = tokenizer.language_tokens(None, None).unwrap();
    let text = "De oude veerman keek over de rivier. ".repeat(20_000);
    let sentence = tokenizer.encode("De oude veerman keek over de rivier.", &languages).unwrap().len() - 1;
    assert_eq!(tokenizer.encode(&text, &languages).unwrap().len(), 20_000 * sentence + 1);
    assert!(tokenizer.encode(&"x".repeat(1_000_000), &languages).unwrap().len() > 1_000);
}
