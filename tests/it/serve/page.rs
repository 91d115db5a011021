//! The page in the browser. What it does there is tested in `tests/browser`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::{Server, agent};

/// The page's files: their names, and what is in them.
fn files() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/serve/page");
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(path).unwrap()))
        .collect()
}

#[test]
fn the_page_may_load_its_own_files_and_nothing_else() {
    let server = Server::start(&[]);
    for (name, text) in files() {
        let (path, kind) = match name.rsplit_once('.').unwrap() {
            ("index", "html") => ("/".to_owned(), "text/html"),
            (_, "css") => (format!("/{name}"), "text/css"),
            (_, extension) => (format!("/{name}"), if extension == "js" { "text/javascript" } else { "none" }),
        };
        let mut response = agent().get(server.url(&path)).call().unwrap();
        assert_eq!(response.status().as_u16(), 200, "{path}");
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("content-type"), format!("{kind}; charset=utf-8"));
        assert_eq!(header("x-content-type-options"), "nosniff");
        let policy = header("content-security-policy");
        let rules: Vec<&str> = policy.split(';').map(str::trim).collect();
        for rule in
            ["default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "base-uri 'none'"]
        {
            assert!(rules.contains(&rule), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe") && !policy.contains('*'), "{path}: {policy}");
        // In the page itself there are the formats that the server takes, in place of their names in braces.
        let served = response.body_mut().read_to_string().unwrap();
        let parts = text.split("{{").map(|part| part.split_once("}}").map_or(part, |(_, rest)| rest));
        assert!(!served.contains("{{") && parts.into_iter().all(|part| served.contains(part)), "{path}");
        let listed =
            served.contains("<option value=\"srt\" data-extensions=\"srt\">") && served.contains(".md,.markdown");
        assert_eq!(served.contains("data-documents=\".docx .docm "), path == "/", "{path}");
        assert_eq!(listed, path == "/", "{path}");
        assert!(!text.contains("http:") && !text.contains("https:"), "{path}");
    }
}

#[test]
fn the_page_names_all_its_files() {
    let files = files();
    let quoted = files.iter().flat_map(|(_, text)| text.split(['"', '\'']));
    let named = quoted
        .map(|name| name.trim_start_matches("./"))
        .filter(|name| matches!(name.rsplit_once('.'), Some((_, "js" | "css"))));
    let known = files.iter().map(|(name, _)| name.as_str()).filter(|name| *name != "index.html");
    assert_eq!(named.collect::<BTreeSet<_>>(), known.collect());
}
