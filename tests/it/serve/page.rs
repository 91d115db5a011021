//! The page in the browser. What it does there is tested in `tests/browser`.

use super::{Server, agent};

#[test]
fn the_page_may_load_its_own_files_and_nothing_else() {
    let server = Server::start(&[]);
    let files = [
        ("/", "text/html; charset=utf-8", include_str!("../../../src/serve/page/index.html")),
        ("/page.css", "text/css; charset=utf-8", include_str!("../../../src/serve/page/page.css")),
        ("/page.js", "text/javascript; charset=utf-8", include_str!("../../../src/serve/page/page.js")),
    ];
    for (path, kind, text) in files {
        let mut response = agent().get(server.url(path)).call().unwrap();
        assert_eq!(response.status().as_u16(), 200, "{path}");
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("content-type"), kind);
        assert_eq!(header("x-content-type-options"), "nosniff");
        let policy = header("content-security-policy");
        let rules: Vec<&str> = policy.split(';').map(str::trim).collect();
        for rule in
            ["default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "base-uri 'none'"]
        {
            assert!(rules.contains(&rule), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe") && !policy.contains('*'), "{path}: {policy}");
        assert_eq!(response.body_mut().read_to_string().unwrap(), text);
        assert!(!text.contains("http:") && !text.contains("https:"), "{path}");
    }
    let named = files[0].2.split(['"', '\'']).filter(|name| name.starts_with("page.")).count();
    assert_eq!(named, 2, "the page consists of other files than these");
}
