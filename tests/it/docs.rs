//! The manual: its pages are all there, and what they name is there too.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// Folders of the repository by which a path in a page is known.
const FOLDERS: [&str; 10] =
    ["src/", "tests/", "benches/", "docs/", "examples/", "models/", "python/", "packaging/", "training/", ".ci/"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A Markdown file as far as it is looked at here.
#[derive(Default)]
struct Page {
    /// Where links go to.
    links: Vec<String>,
    /// What stands in backticks inside a line.
    code: Vec<String>,
    /// What the headings are called in addresses.
    anchors: BTreeSet<String>,
}

impl Page {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let (mut page, mut heading) = (Self::default(), None::<String>);
        for event in Parser::new_ext(&text, Options::ENABLE_TABLES) {
            match event {
                Event::Start(Tag::Link { dest_url, .. }) => page.links.push(dest_url.into_string()),
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => page.anchors.extend(heading.take().map(|words| anchor(&words))),
                Event::Text(words) => heading = heading.map(|heading| heading + &words),
                Event::Code(code) => {
                    heading = heading.map(|heading| heading + &code);
                    page.code.push(code.into_string());
                }
                _ => {}
            }
        }
        page
    }
}

/// What a heading is called in an address.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

/// The Markdown files below a folder.
fn pages(folder: &str) -> BTreeSet<PathBuf> {
    let entries = walkdir::WalkDir::new(root().join(folder)).into_iter().map(|entry| entry.unwrap().into_path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect()
}

/// All documents whose links are followed.
fn documents() -> BTreeSet<PathBuf> {
    let single = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "models/README.md", "training/README.md"];
    let single = single.into_iter().map(|name| root().join(name));
    pages("docs").into_iter().chain(pages("benches")).chain(pages("examples")).chain(single).collect()
}

#[test]
fn every_page_is_in_the_summary_once() {
    let docs = root().join("docs");
    let listed: Vec<PathBuf> = Page::read(&docs.join("SUMMARY.md")).links.iter().map(|link| docs.join(link)).collect();
    let mut expected = pages("docs");
    expected.remove(&docs.join("SUMMARY.md"));
    assert_eq!(listed.len(), expected.len(), "a page is listed twice, or not at all");
    assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), expected);
}

#[test]
fn links_lead_somewhere() {
    let mut wrong = Vec::new();
    for path in documents() {
        for link in Page::read(&path).links.iter().filter(|link| !link.contains("://")) {
            let (file, place) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            let place_is_there = || place.is_empty() || Page::read(&target).anchors.contains(place);
            if !target.exists() || !place_is_there() {
                wrong.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The book has the pages and nothing else of the repository.
#[test]
fn links_of_the_book_stay_in_it() {
    let docs = root().join("docs").canonicalize().unwrap();
    for path in pages("docs") {
        for link in Page::read(&path).links.iter().filter(|link| !link.contains("://") && !link.starts_with('#')) {
            let file = link.split('#').next().unwrap();
            let target = path.parent().unwrap().join(file).canonicalize().unwrap();
            assert!(target.starts_with(&docs), "{}: {link}", path.display());
        }
    }
}

#[test]
fn paths_in_documents_are_those_of_the_repository() {
    let mut wrong = Vec::new();
    for path in documents() {
        for code in Page::read(&path).code {
            let named = code.split_whitespace().next().unwrap_or_default();
            if FOLDERS.iter().any(|folder| named.starts_with(folder)) && !root().join(named).exists() {
                wrong.push(format!("{}: {code}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// All options in a text, without the dashes before them.
fn options(text: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_ascii_lowercase() || c == '-';
    let names = text.split("--").skip(1).map(|rest| rest.split(|c| !is_name(c)).next().unwrap_or_default());
    names.filter(|name| name.len() > 1).map(str::to_owned).collect()
}

#[test]
fn options_in_the_manual_are_those_of_the_program() {
    let help = |command: &str| {
        let output =
            Command::new(env!("CARGO_BIN_EXE_kortom")).args(command.split(' ')).arg("--help").output().unwrap();
        assert!(output.status.success(), "{command}");
        options(&String::from_utf8(output.stdout).unwrap())
    };
    let commands =
        ["digest", "translate", "summarize", "generate", "serve", "score", "compare", "bench", "doctor", "setup"];
    let models =
        ["models list", "models pull", "models add", "models show", "models verify", "models rm", "models path"];
    let memory =
        ["glossary propose", "memory import", "memory export", "memory stats", "memory prune", "memory forget"];
    let known: BTreeSet<String> = commands.into_iter().chain(models).chain(memory).flat_map(help).collect();
    // Cargo's, not ours.
    let others = ["features", "no-default-features"];
    let mut wrong = Vec::new();
    for path in pages("docs/using").into_iter().chain([root().join("README.md")]) {
        let text = fs::read_to_string(&path).unwrap();
        let typed = text.lines().filter(|line| line.starts_with("kortom ") || line.contains("| kortom ")).map(options);
        let named = Page::read(&path).code.into_iter().filter(|code| code.starts_with("--")).map(|code| options(&code));
        let unknown = |option: &String| !known.contains(option) && !others.contains(&option.as_str());
        let unknown = typed.chain(named).flatten().filter(unknown);
        wrong.extend(unknown.map(|option| format!("{}: --{option}", path.display())));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_first_pages_are_short() {
    for (name, most) in [("README.md", 120), ("benches/README.md", 150)] {
        let lines = fs::read_to_string(root().join(name)).unwrap().lines().count();
        assert!(lines <= most, "{name} has {lines} lines\nhint: details belong to a page in docs");
    }
}

/// Whether a word in backticks is the name of something in the sources, and not of something else.
fn is_rust(code: &str) -> bool {
    let words: Vec<&str> = code.split("::").collect();
    let is_word = |word: &&str| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let is_named = words.len() > 1 || code.starts_with(char::is_uppercase) || code.contains('_');
    words.iter().all(is_word) && is_named && !code.starts_with("KORTOM_")
}

/// Whether a source defines something with this name.
fn defines(text: &str, name: &str) -> bool {
    let kinds = ["fn", "struct", "enum", "trait", "const", "static", "mod", "type"];
    let starts = kinds.iter().flat_map(|kind| ['(', '<', ' ', ':', ';'].map(|after| format!("{kind} {name}{after}")));
    starts.into_iter().any(|start| text.contains(&start))
}

/// Renaming something that the page on the architecture is about means renaming it there. Of `Plan::answer` a source has to define
/// the function that also names the type, or that is the module's.
#[test]
fn names_in_the_architecture_are_those_of_the_sources() {
    let folders = ["src", "tests/it"].map(|folder| walkdir::WalkDir::new(root().join(folder)));
    let files = folders.into_iter().flatten().map(|entry| entry.unwrap().into_path());
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    let sources: Vec<(PathBuf, String)> = files.map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect();
    let is_defined = |code: &str| {
        let (owner, name) = code.rsplit_once("::").unwrap_or(("", code));
        let owner = owner.rsplit("::").next().unwrap_or_default();
        sources
            .iter()
            .any(|(path, text)| defines(text, name) && (text.contains(owner) || path.to_string_lossy().contains(owner)))
    };
    let named = Page::read(&root().join("docs/architecture.md")).code;
    let named: Vec<&String> = named.iter().filter(|code| is_rust(code)).collect();
    assert!(named.len() > 30, "{named:?}");
    let unknown: Vec<&String> = named.into_iter().filter(|code| !is_defined(code)).collect();
    assert!(unknown.is_empty(), "docs/architecture.md names what is not in the sources: {unknown:?}");
}
