//! Who may import whom: imports point down, and each foreign crate has one home.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Each module, bottom up, with the modules it may import besides itself and `error`.
const MODULES: [(&str, &[&str]); 32] = [
    ("error", &[]),
    ("platform", &[]),
    ("language", &[]),
    ("glossary", &["language"]),
    ("document", &["glossary", "language"]),
    ("batch", &[]),
    ("kernels", &[]),
    ("device", &[]),
    ("files", &[]),
    ("detect", &["language"]),
    ("segment", &["document", "language"]),
    ("memory", &["document", "language", "platform", "segment"]),
    ("check", &["document", "language"]),
    ("score", &[]),
    ("nn", &["kernels"]),
    ("tokenizer", &["batch", "files", "language"]),
    ("search", &["batch", "glossary", "kernels"]),
    ("model", &["batch", "files", "kernels", "nn"]),
    ("hub", &["files", "language", "model", "platform"]),
    ("engine", &["batch", "device", "files", "glossary", "hub", "kernels", "language", "model", "search", "tokenizer"]),
    ("translate", &["check", "detect", "document", "engine", "glossary", "memory", "segment"]),
    ("summarize", &["check", "document", "engine", "memory", "segment"]),
    ("report", &["check", "detect", "document", "engine", "memory", "summarize", "translate"]),
    ("consistency", &["check", "glossary", "language", "summarize", "translate"]),
    ("compare", &["check", "score", "translate"]),
    (
        "render",
        &[
            "check",
            "compare",
            "consistency",
            "document",
            "platform",
            "report",
            "score",
            "segment",
            "summarize",
            "translate",
        ],
    ),
    (
        "digest",
        &["check", "detect", "document", "engine", "glossary", "memory", "report", "segment", "summarize", "translate"],
    ),
    (
        "pipeline",
        &[
            "check",
            "detect",
            "device",
            "digest",
            "document",
            "engine",
            "files",
            "glossary",
            "hub",
            "kernels",
            "memory",
            "report",
            "segment",
            "summarize",
            "tokenizer",
            "translate",
        ],
    ),
    ("allocator", &[]),
    ("serve", &[]),
    ("cli", &["allocator", "serve"]),
    ("main", &[]),
];

/// Foreign names and the only places where they may stand.
const HOMES: [(&str, &[&str]); 19] = [
    ("quick_xml::", &["document"]),
    ("flate2::", &["document"]),
    ("hayro_font::", &["document"]),
    ("rusqlite::", &["memory"]),
    ("clap::", &["cli"]),
    ("hf_hub::", &["hub"]),
    ("tokenizers::", &["tokenizer"]),
    ("lingua::", &["detect"]),
    ("whatlang::", &["detect"]),
    ("tikv_jemallocator::", &["allocator"]),
    ("tikv_jemalloc_ctl::", &["allocator"]),
    ("rustix::", &["platform"]),
    ("signal_hook::", &["platform"]),
    ("cfg(unix", &["platform", "model/storage.rs"]),
    ("cfg(windows", &["platform"]),
    ("target_os", &["kernels"]),
    ("similar::", &["compare", "translate"]),
    ("std::env", &["cli", "hub"]),
    ("unsafe ", &["kernels", "model/storage.rs", "device/gpu.rs"]),
];

/// All sources as (path below `src`, module, code without comments).
fn sources() -> Vec<(String, String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    for entry in walkdir::WalkDir::new(&root).into_iter().map(Result::unwrap) {
        let path = entry.path().strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
        if let Some(stem) = path.strip_suffix(".rs")
            && path != "lib.rs"
        {
            let module = stem.split('/').next().unwrap().to_owned();
            let text = fs::read_to_string(entry.path()).unwrap();
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
            found.push((path, module, code));
        }
    }
    found
}

#[test]
fn imports_point_down() {
    let mut wrong = Vec::new();
    for (path, module, code) in sources() {
        let allowed = MODULES.iter().find(|(name, _)| *name == module);
        let (_, allowed) = allowed.unwrap_or_else(|| panic!("`{path}` is in no layer"));
        let used: BTreeSet<&str> = code
            .split("crate::")
            .skip(1)
            .filter_map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next())
            .filter(|name| MODULES.iter().any(|(module, _)| module == name))
            .collect();
        wrong.extend(
            used.iter()
                .filter(|used| **used != module && **used != "error" && !allowed.contains(used))
                .map(|used| format!("{path}: {used}")),
        );
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Hints are values; `error` makes text of them.
#[test]
fn no_message_has_a_hint_in_it() {
    let with_hint = |(path, _, code): (String, String, String)| {
        let code = code.split("mod tests {").next().unwrap_or_default();
        (path != "error.rs" && (code.contains("\\nhint: ") || code.contains("\"hint: "))).then_some(path)
    };
    let wrong: Vec<String> = sources().into_iter().filter_map(with_hint).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn foreign_names_stay_at_home() {
    let mut wrong = Vec::new();
    for (path, module, code) in sources() {
        for (name, homes) in HOMES {
            if code.contains(name) && !homes.iter().any(|home| *home == module || *home == path) {
                wrong.push(format!("{path}: {name}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
