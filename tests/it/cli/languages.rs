//! Articles in other languages than Dutch: said to be so, and with `--from auto` never translated as if they were Dutch.

use super::{ARTICLE, Place, objects};

const GERMAN: &str = "Die Gemeinde will, dass auf dem alten Gelände Wohnungen gebaut werden, aber die Nachbarn sind nicht \
                      zufrieden. Sie sagen, dass ein Park für die Kinder besser ist und der Verkehr schon jetzt zu stark wird.";
const DUTCH: &str = "De gemeente wil dat er op het oude terrein woningen komen, maar de buurt is het er niet mee eens. Ze \
                     vindt dat een park beter is voor de kinderen en dat het verkeer nu al te druk wordt.";
const ENGLISH: &str = "\"The council wants homes to be built on the old site, but the neighbours are not happy with this. They \
                       say that a park is better for the children and that traffic is already too heavy.\"";
const FRISIAN: &str = "De gemeente wol dat der op it âlde terrein nije wenten komme, mar de buert is it der net mei iens. It \
                       reint hjoed yn de hiele provinsje en moarn wurdt it net folle better. De bern moatte nei skoalle, ek at \
                       it min waar is. Wy ha juster mei de boat oer de mar fearn. De plysje siket noch nei de man dy't ôfrûne \
                       moandei út de winkel wegrûn is. Der wiene mear as tûzen minsken op it feest yn Ljouwert.";

const SWEDISH: &str = "Kommunen vill att det byggs bostäder på den gamla tomten, men grannarna håller inte med. De tycker att \
                       en park är bättre för barnen och att trafiken redan är för tung.";

fn tiny(name: &str) -> String {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name).display().to_string()
}

#[test]
fn an_article_in_another_language_is_warned_of_and_translated_as_asked() {
    let place = Place::new();
    let ran = place.pipe(&["translate", "--format", "jsonl"], GERMAN.as_bytes());
    assert!(ran.stderr.contains("warning: `-`: this looks like German, not Dutch"), "{}", ran.stderr);
    let report = &objects(&ran.good())[0];
    let warnings = report["warnings"].as_array().unwrap();
    assert!(warnings.iter().any(|one| one.as_str().unwrap().starts_with("this looks like German")), "{report}");
    assert!(report["translation"].is_string() && report["detected"].is_null());
    // A Dutch article that quotes more English than it has Dutch, and short ones.
    let quoting = [DUTCH, ENGLISH, ENGLISH, ENGLISH].join("\n\n");
    for dutch in [ARTICLE, DUTCH, &quoting, "Die sind da.", "Hotel Berlin"] {
        let ran = place.pipe(&["translate"], dutch.as_bytes());
        assert!(!ran.stderr.contains("looks like"), "{}", ran.stderr);
    }
}

#[test]
fn with_auto_each_article_is_in_its_own_language() {
    let place = Place::new();
    place.file("in/de.txt", GERMAN).file("in/nl.txt", DUTCH).file("in/none.txt", "2-1 (***)");
    let said = [
        "note: `in/nl.txt`: this is in Dutch (confidence 1)",
        "`in/de.txt`: this is in German, which `kortom-nl-en` does not read",
        "hint: `kortom models list`",
        "1 failed, 2 done",
    ];
    place.run(&["translate", "in", "--from", "auto", "--output", "out", "--format", "json"]).bad(1, &said);
    assert_eq!(super::visible(&place.path("out")), ["nl.json", "none.json"]);
    let report = &serde_json::from_str::<serde_json::Value>(&place.read("out/nl.json")).unwrap()[0];
    assert_eq!(report["detected"], serde_json::json!({"language": "nl", "confidence": 1.0}));
    place.run(&["translate", "in/nl.txt", "--output", "plain/", "--format", "json"]).good();
    let plain = &serde_json::from_str::<serde_json::Value>(&place.read("plain/nl.json")).unwrap()[0];
    assert_eq!(report["translation"], plain["translation"]);
    // A copied score or result has no language.
    let none = &serde_json::from_str::<serde_json::Value>(&place.read("out/none.json")).unwrap()[0];
    assert_eq!((&none["translation"], none["detected"].is_null()), (&"2-1 (***)".into(), true));
    let frisian =
        place.pipe(&["translate", "--from", "auto"], FRISIAN.as_bytes()).bad(1, &["Frisian", "hint: ", "--from"]);
    assert_eq!(frisian.stdout, "");
    place.pipe(&["digest", "--from", "auto"], GERMAN.as_bytes()).bad(1, &["this is in German"]);
}

#[test]
fn a_model_for_many_languages_is_told_that_of_each_article() {
    let place = Place::new();
    let records = format!("{}\n{}\n", serde_json::json!({ "text": GERMAN }), serde_json::json!({ "text": DUTCH }));
    let model = tiny("tiny-nllb");
    let run = |from: &str| {
        let arguments =
            ["translate", "--model", &model, "--from", from, "--input-format", "jsonl", "--max-length", "20"];
        objects(&place.pipe(&arguments, records.as_bytes()).good())
    };
    let (auto, german, dutch) = (run("auto"), run("de"), run("nl"));
    assert_eq!((&auto[0]["detected"]["language"], &auto[1]["detected"]["language"]), (&"de".into(), &"nl".into()));
    assert_eq!((&auto[0]["segments"], &auto[1]["segments"]), (&german[0]["segments"], &dutch[1]["segments"]));
    assert_ne!(german[0]["segments"], dutch[0]["segments"], "the model makes no difference between languages");
}

#[test]
fn lines_are_in_one_language() {
    let place = Place::new();
    let lines = ["translate", "--input-format", "lines", "--from", "auto", "--format", "jsonl"];
    // Alone, neither its first line nor its third is in any language.
    let ran = place.pipe(&lines, format!("OK\n{DUTCH}\nMenu\n").as_bytes()).bad(0, &["note: `-`: this is in Dutch"]);
    assert_eq!(ran.stderr.matches("this is in").count(), 1, "{}", ran.stderr);
    let reports = objects(&ran.stdout);
    assert!(reports.len() == 3 && reports.iter().all(|report| report["detected"]["language"] == "nl"));
    let ran = place.pipe(&lines, format!("{GERMAN}\nMenu\n").as_bytes()).bad(1, &["this is in German", "2 failed"]);
    assert!(objects(&ran.stdout).iter().all(|report| report["target"] == "" && report["score"].is_null()));
}

#[test]
fn where_the_language_cannot_be_told_nothing_is_guessed() {
    let place = Place::new();
    let both = format!("{SWEDISH} {DUTCH}");
    let said = ["its language cannot be told: Swedish (0.5), Dutch (0.5)", "hint: name it with `--from`"];
    for command in [&["translate"][..], &["summarize"], &["translate", "--input-format", "lines"]] {
        let ran = place.pipe(&[command, &["--from", "auto"]].concat(), both.as_bytes()).bad(1, &said);
        assert_eq!(ran.stdout.trim(), "", "{command:?}");
    }
    place.file("in/both.txt", &both).file("in/nl.txt", DUTCH);
    let some = place.run(&["summarize", "in", "--from", "auto", "--output", "out"]);
    some.bad(1, &["`in/both.txt`: its language cannot be told", "1 failed, 1 done"]);
    assert_eq!(super::visible(&place.path("out")), ["nl.txt"]);
    place.pipe(&["summarize", "--from", "nl"], both.as_bytes()).good();
}

#[test]
fn summaries_are_of_the_language_of_each_article() {
    let place = Place::new();
    let summarize = |extra: &[&str], text: &str| {
        place.pipe(&[&["summarize", "--from", "auto", "--format", "jsonl"], extra].concat(), text.as_bytes())
    };
    let report = &objects(&summarize(&["--summary-length", "1"], DUTCH).good())[0];
    assert_eq!(report["detected"]["language"], "nl");
    assert!(DUTCH.contains(report["summary"].as_str().unwrap()));
    let mbart = tiny("tiny-mbart50");
    let own = summarize(&["--model", &mbart, "--max-length", "20"], GERMAN).good();
    let named = ["summarize", "--from", "de", "--model", &mbart, "--max-length", "20", "--format", "jsonl"];
    assert_eq!(objects(&own)[0]["summary"], objects(&place.pipe(&named, GERMAN.as_bytes()).good())[0]["summary"]);
}

#[test]
fn auto_is_refused_where_it_means_nothing() {
    let place = Place::new();
    place.file("terms.tsv", "wet\tact\n");
    for (arguments, said) in [
        (&["generate", "--model", "kortom-nl-en", "--from", "auto"][..], "does not look at its sources"),
        (&["translate", "--from", "auto", "--glossary", "terms.tsv"], "terms of one language"),
        (&["translate", "--from", "auto", "--model", &tiny("tiny-t5")], "no languages to choose from"),
        (&["summarize", "--from", "auto", "--model", &tiny("tiny-bart")], "does not say which language it reads"),
        (&["translate", "--to", "auto"], "`auto`"),
    ] {
        place.pipe(arguments, DUTCH.as_bytes()).bad(2, &[said, "hint: "]);
    }
    assert!(place.run(&["config", "show", "--from", "auto"]).good().contains("auto"));
    place.file("config/kortom/config.toml", "from = \"auto\"\n");
    place.pipe(&["translate"], GERMAN.as_bytes()).bad(1, &["this is in German"]);
}
