//! `compare`: two systems on the same input, on a terminal, as a page, and for programs.

use serde_json::Value;

use super::{ARTICLE, Place};

const GREEDY: &str = "kortom-nl-en:beam-size=1";
const BEAMS: &str = "kortom-nl-en:beam-size=4";

fn object(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// A field of each segment of a system.
fn targets(comparison: &Value, system: usize, field: &str) -> Vec<Value> {
    let segments = comparison["segments"].as_array().unwrap();
    segments.iter().map(|segment| segment["targets"][system][field].clone()).collect()
}

/// An article with sentences that greedy search and four beams translate otherwise.
fn longer() -> String {
    format!(
        "{ARTICLE} Daarmee is een einde gekomen aan een strijd van drie jaar. De kosten daarvan schat zij op 35.000 euro."
    )
}

#[test]
fn both_give_what_they_give_alone() {
    let place = Place::new();
    place.file("a.txt", ARTICLE).file("b.jsonl", "{\"text\": \"Het sneeuwt. De trein komt te laat.\"}\n");
    let found = object(&place.run(&["compare", GREEDY, BEAMS, "a.txt", "b.jsonl", "--format", "json"]).good());
    assert_eq!(found["segments"].as_array().unwrap().len(), 7);
    assert_eq!(found["count"], 7);
    for (system, beams) in ["1", "4"].iter().enumerate() {
        let alone = ["translate", "--beam-size", beams, "--format", "json", "a.txt", "b.jsonl"];
        let articles = object(&place.run(&alone).good());
        let segments = articles.as_array().unwrap().iter().flat_map(|article| article["segments"].as_array().unwrap());
        let segments: Vec<&Value> = segments.collect();
        for field in ["target", "score", "tokens", "flags"] {
            let expected: Vec<Value> = segments.iter().map(|segment| segment[field].clone()).collect();
            assert_eq!(targets(&found, system, field), expected, "{field} of {beams} beams");
        }
        let measured = &found["systems"][system];
        assert_eq!(measured["system"], [GREEDY, BEAMS][system]);
        assert_eq!(measured["tokens"], segments.iter().map(|one| one["tokens"].as_u64().unwrap()).sum::<u64>());
        let flagged = segments.iter().filter(|one| !one["flags"].as_array().unwrap().is_empty()).count();
        assert_eq!(measured["flagged"], flagged);
    }
    let equal = found["segments"].as_array().unwrap().iter().filter(|segment| segment["equal"] == true).count();
    assert_eq!(
        (found["equal"].as_u64(), equal < 7),
        (Some(equal as u64), true),
        "greedy and four beams have to differ"
    );
    assert_eq!(found["segments"][5]["input"], "b.jsonl:1");
}

#[test]
fn ranges_of_words_are_those_that_differ() {
    let place = Place::new();
    let found = object(&place.pipe(&["compare", GREEDY, BEAMS, "--format", "json"], longer().as_bytes()).good());
    let without = |segment: &Value, side: usize| {
        let target: Vec<char> = segment["targets"][side]["target"].as_str().unwrap().chars().collect();
        let ranges = segment["targets"][side]["differs"].as_array().unwrap();
        let inside = |at: usize| {
            ranges.iter().any(|range| (range[0].as_u64().unwrap()..range[1].as_u64().unwrap()).contains(&(at as u64)))
        };
        let left = target.iter().enumerate().filter(|(at, c)| !inside(*at) && !c.is_whitespace());
        left.map(|(_, c)| *c).collect::<String>()
    };
    let differing = found["segments"].as_array().unwrap().iter().filter(|segment| segment["equal"] == false);
    let differing: Vec<&Value> = differing.collect();
    assert!(!differing.is_empty());
    for segment in differing {
        assert_eq!(without(segment, 0), without(segment, 1), "{segment}");
        assert!(segment["difference"].as_f64().unwrap() > 0.0);
    }
}

#[test]
fn a_table_and_the_segments_that_differ_most() {
    let place = Place::new();
    place.file("a.txt", longer());
    let text = place.run(&["compare", GREEDY, BEAMS, "a.txt", "--limit", "1"]).good();
    assert!(text.starts_with(&format!("A  {GREEDY}: kortom-nl-en")), "{text}");
    for said in [
        "\nB  kortom-nl-en:beam-size=4: kortom-nl-en",
        " of 7 segments are equal (",
        "\nsegments flagged ",
        "\nmean score ",
        "\nlength ratio ",
        "\ntokens/s ",
        "\npeak memory, MiB ",
        "a.txt, segment ",
        " % of the words differ\n",
        "\nA  ",
    ] {
        assert!(text.contains(said), "`{said}` is not in:\n{text}");
    }
    assert!(text.contains('[') && text.contains(']'), "words that differ are marked: {text}");
    assert_eq!(text.matches(" % of the words differ\n").count(), 1, "{text}");
    let same = place.run(&["compare", "kortom-nl-en", "kortom-nl-en", "a.txt"]).good();
    assert!(same.contains("7 of 7 segments are equal (100 %)") && !same.contains("% of the words"), "{same}");
}

#[test]
fn references_decide_with_scores_and_a_test() {
    let place = Place::new();
    place.file("dev.nl", "De brug is klaar.\n\nHet regent vandaag in de stad.\nDe gemeente bouwt een nieuwe school.\n");
    place.file("ref.en", "The bridge is ready.\n\nIt is raining in the city today.\nThe town builds a new school.\n");
    let arguments = ["compare", GREEDY, BEAMS, "dev.nl", "--reference", "ref.en"];
    let found = object(&place.run(&[&arguments[..], &["--format", "json"]].concat()).good());
    assert_eq!(found["count"], 3, "an empty line is no segment");
    assert_eq!(found["segments"][1]["reference"], "It is raining in the city today.");
    for (name, beams) in [("one", "1"), ("other", "4")] {
        place.file(name, place.run(&["translate", "--input-format", "lines", "--beam-size", beams, "dev.nl"]).good());
    }
    let scored =
        ["score", "--reference", "ref.en", "one", "other", "--paired", "bs", "--width", "12", "--format", "json"];
    let scored = object(&place.run(&scored).good());
    for system in 0..2 {
        for metric in 0..4 {
            let (ours, theirs) = (&found["systems"][system]["metrics"][metric], &scored[system]["metrics"][metric]);
            let near = |name: &str| (ours[name].as_f64().unwrap() - theirs[name].as_f64().unwrap()).abs() < 1e-9;
            assert!(near("score") && near("confidence_var"), "{ours} {theirs}");
            assert_eq!((&ours["p_value"], &ours["signature"]), (&theirs["p_value"], &theirs["signature"]));
        }
    }
    let text = place.run(&arguments).good();
    assert!(text.contains("\nBLEU ") && text.contains("(p = ") && text.contains("paired bootstrap"), "{text}");
    place.file("short", "one\n");
    let ran = place.run(&["compare", GREEDY, BEAMS, "dev.nl", "--reference", "short"]);
    assert_eq!(ran.bad(2, &["`short` has 1 lines and the input has 4", "hint: "]).stdout, "");
    place.run(&[&arguments[..], &["--input-format", "markdown"]].concat()).bad(2, &["references are for lines"]);
}

#[test]
fn a_model_that_cannot_be_loaded_leaves_the_other_complete() {
    let place = Place::new();
    place.file("broken/config.json", "{\"model_type\": \"marian\"}").file("a.txt", ARTICLE);
    let alone = object(&place.run(&["compare", GREEDY, GREEDY, "a.txt", "--format", "json"]).good());
    for (pair, whole) in [([GREEDY, "broken"], 0), (["broken", GREEDY], 1)] {
        let ran = place.run(&["compare", pair[0], pair[1], "a.txt", "--format", "json"]).bad(1, &["error: `broken`: "]);
        let found = object(&ran.stdout);
        for field in ["target", "score", "flags"] {
            assert_eq!(targets(&found, whole, field), targets(&alone, 0, field));
        }
        assert!(targets(&found, 1 - whole, "target").iter().all(Value::is_null));
        assert!(found["systems"][1 - whole]["error"].as_str().unwrap().contains("broken"), "{found}");
        let text = place.run(&["compare", pair[0], pair[1], "a.txt"]).bad(1, &[]).stdout;
        assert!(text.contains("broken: cannot be used: ") && text.contains("one translation only"), "{text}");
        let page = place.run(&["compare", pair[0], pair[1], "a.txt", "--format", "html"]).bad(1, &[]).stdout;
        assert!(page.contains("cannot be used: ") && page.contains("not translated"), "{page}");
    }
    let ran = place.run(&["compare", "broken", "none", "a.txt"]).bad(2, &["`broken`: ", "`none`: "]);
    assert_eq!(ran.stdout, "");
    let ran = place.run(&["compare", GREEDY, "kortom-nl-en:device=cuda:7", "a.txt"]).bad(1, &["cuda:7"]);
    assert!(ran.stdout.contains("\nsegments flagged "), "{}", ran.stdout);
}

#[test]
fn what_cannot_be_read_is_a_failure_and_the_rest_is_compared() {
    let place = Place::new();
    place.file("a.txt", "Het regent.").file("latin.txt", b"caf\xe9").file("empty.txt", "");
    let inputs = ["a.txt", "latin.txt", "empty.txt", "missing.txt"];
    let arguments = [&["compare", GREEDY, GREEDY, "--format", "json"][..], &inputs].concat();
    let ran = place.run(&arguments).bad(1, &["`latin.txt`", "`empty.txt`", "`missing.txt`"]);
    assert_eq!(object(&ran.stdout)["count"], 1);
    assert_eq!(place.run(&["compare", GREEDY, GREEDY, "missing.txt"]).bad(1, &["`missing.txt`"]).stdout, "");
}

#[test]
fn arguments_that_make_no_sense_are_refused() {
    let place = Place::new();
    place.file("a.txt", "Het regent.");
    let cases: [(&[&str], &str); 6] = [
        (&["kortom-nl-en", "kortom-nl-en:beam-sise=4", "a.txt"], "no option `beam-sise`"),
        (&["kortom-nl-en", "kortom-nl-en:beam-size=x", "a.txt"], "`kortom-nl-en:beam-size=x`: invalid value 'x'"),
        (&["kortom-nl-en", "kortom-nl-en:threads=2", "a.txt"], "no option `threads`"),
        (&["kortom-nl-en"], "<B>"),
        (&[GREEDY, BEAMS, "a.txt", "--from", "auto"], "in one language"),
        (&[GREEDY, BEAMS, "a.txt", "--limit", "0"], "at least 1"),
    ];
    for (arguments, said) in cases {
        let ran = place.run(&[&["compare"], arguments].concat()).bad(2, &[said]);
        assert_eq!(ran.stdout, "", "{arguments:?}");
    }
}

#[test]
fn options_behind_a_name_count_for_it_alone_and_others_for_both() {
    let place = Place::new();
    place.file("a.txt", ARTICLE);
    let short = ["compare", "kortom-nl-en:max-length=3", "kortom-nl-en", "a.txt", "--format", "json"];
    let found = object(&place.run(&short).good());
    let most = |system: usize| targets(&found, system, "tokens").iter().map(|n| n.as_u64().unwrap()).max();
    assert!(most(0) <= Some(3) && most(1) > Some(3), "{found}");
    let flags = &found["systems"][0]["flags"];
    assert!(flags["truncated"].as_u64() > Some(2), "{flags}");
    let found = object(&place.run(&[&short[..], &["--max-length", "2"]].concat()).good());
    let most = |system: usize| targets(&found, system, "tokens").iter().map(|n| n.as_u64().unwrap()).max();
    assert_eq!((most(0), most(1)), (Some(3), Some(2)));
}

/// Memory of the first system must not count for the second.
#[test]
#[cfg(target_os = "linux")]
fn memory_is_that_of_each_system() {
    let place = Place::new();
    let tiny = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tiny-marian");
    place.file("a.txt", ARTICLE);
    let found = object(&place.run(&["compare", "kortom-nl-en", tiny, "a.txt", "--format", "json"]).good());
    let peak = |system: usize| found["systems"][system]["peak_memory"].as_u64();
    if let (Some(first), Some(second)) = (peak(0), peak(1)) {
        assert!(second < first, "{second} {first}");
    }
}

#[test]
fn a_page_has_both_beside_the_source_and_runs_nothing() {
    let place = Place::new();
    let nasty = "Het regent <script>alert(1)</script> vandaag & morgen. Jan Janssen betaalde 30.000 euro in Amsterdam.";
    place.file("a.txt", format!("{ARTICLE}\n\n{nasty}"));
    let page = place.run(&["compare", "kortom-nl-en:max-length=5", BEAMS, "a.txt", "--format", "html"]).good();
    for absent in ["<script", "http:", "https:", "<link", "<img", "url(", "@import", "onclick"] {
        assert!(!page.contains(absent), "`{absent}` is in the page");
    }
    assert!(page.contains("default-src 'none'"));
    assert_eq!(page.matches("<section class=\"segment ").count(), 7);
    assert!(page.contains("<mark>") && page.contains("&lt;script&gt;"), "{page}");
    // Each filter has a rule of its own, and how many segments it leaves.
    assert!(page.contains("id=\"show-flag-truncated\"") && page.contains("id=\"show-different\" checked"), "{page}");
    assert!(page.contains("body:has(#show-flag-truncated:checked) .segment:not(.flag-truncated){display:none}"));
    let classes = page.split("<section class=\"").skip(1).map(|section| section.split('"').next().unwrap());
    let truncated = classes.filter(|classes| classes.contains("flag-truncated")).count();
    assert!(page.contains(&format!("truncated <span class=\"count\">{truncated}</span>")), "{truncated}: {page}");
}
