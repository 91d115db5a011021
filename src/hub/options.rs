//! Where models are looked for and how the network is reached: the environment's variables as one plain struct.
//!
//! Invariant: nothing else in the library reads the environment, and a value set in the struct is final. hf-hub reads
//! two of these variables itself (`HF_HOME`, `HF_ENDPOINT`), so it is always given the values found here instead.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where the Hub is when `HF_ENDPOINT` does not say otherwise.
const ENDPOINT: &str = "https://huggingface.co";

/// Where a [`super::Hub`] looks for models, and how it reaches the network.
#[derive(Clone, Debug)]
pub struct HubOptions {
    /// The folder of the Hugging Face cache, the one with `models--owner--name` in it (`HF_HUB_CACHE`).
    pub cache: PathBuf,
    /// A folder of model folders, looked in first (`KORTOM_MODELS`).
    pub models: Option<PathBuf>,
    /// The Hub's address, without a slash at its end (`HF_ENDPOINT`).
    pub endpoint: String,
    /// The access token, sent to the endpoint and to no other host (`HF_TOKEN`, or the file `hf auth login` writes).
    pub token: Option<String>,
    /// Open no socket, whatever is requested (`--offline`, `HF_HUB_OFFLINE`).
    pub offline: bool,
    /// Proxies by the scheme of the address they are for.
    pub proxies: Proxies,
    /// A PEM file of certificates to trust instead of the system's (`SSL_CERT_FILE`), as company proxies may need.
    pub certificates: Option<PathBuf>,
    /// Show a progress bar on standard error while downloading.
    pub progress: bool,
    /// How long the server may stay silent before a request counts as failed.
    pub timeout: Duration,
    /// The first pause before a failed request is repeated; each further pause is twice as long.
    pub backoff: Duration,
}

/// Proxy addresses, as their variables give them.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    /// For `http:` addresses (`HTTP_PROXY`, else `ALL_PROXY`).
    pub http: Option<String>,
    /// For `https:` addresses (`HTTPS_PROXY`, else `ALL_PROXY`).
    pub https: Option<String>,
    /// Hosts that are reached directly, separated by commas (`NO_PROXY`).
    pub except: Option<String>,
}

impl HubOptions {
    /// The options of the process's environment; the network is off when `offline` or the environment says so.
    #[must_use]
    pub fn from_env(offline: bool) -> Self {
        let mut options = Self::from_lookup(|name| env::var(name).ok(), env::home_dir().as_deref());
        options.offline |= offline;
        options
    }

    /// The options that `lookup` gives for the environment's variables; an empty value counts as unset.
    #[must_use]
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>, home: Option<&Path>) -> Self {
        let variable = |name: &str| lookup(name).filter(|value| !value.trim().is_empty());
        let either = |upper: &str| variable(&upper.to_lowercase()).or_else(|| variable(upper));
        let folder = |name: &str| variable(name).map(|value| expand(&value, home));
        let caches = folder("XDG_CACHE_HOME").unwrap_or_else(|| home.unwrap_or(Path::new(".")).join(".cache"));
        let hf_home = folder("HF_HOME").unwrap_or_else(|| caches.join("huggingface"));
        Self {
            cache: folder("HF_HUB_CACHE")
                .or_else(|| folder("HUGGINGFACE_HUB_CACHE"))
                .unwrap_or_else(|| hf_home.join("hub")),
            models: folder("KORTOM_MODELS"),
            endpoint: variable("HF_ENDPOINT").unwrap_or_else(|| ENDPOINT.to_owned()).trim_end_matches('/').to_owned(),
            token: variable("HF_TOKEN")
                .map(|token| token.trim().to_owned())
                .or_else(|| token_file(&folder("HF_TOKEN_PATH").unwrap_or_else(|| hf_home.join("token")))),
            offline: variable("HF_HUB_OFFLINE").is_some_and(|value| is_true(&value)),
            proxies: Proxies {
                http: either("HTTP_PROXY").or_else(|| either("ALL_PROXY")),
                https: either("HTTPS_PROXY").or_else(|| either("ALL_PROXY")),
                except: either("NO_PROXY"),
            },
            certificates: folder("SSL_CERT_FILE").or_else(|| folder("REQUESTS_CA_BUNDLE")),
            progress: true,
            timeout: Duration::from_secs(30),
            backoff: Duration::from_millis(500),
        }
    }
}

/// The spellings of "yes" that the Python client takes.
fn is_true(value: &str) -> bool {
    ["1", "on", "yes", "true"].contains(&value.trim().to_lowercase().as_str())
}

/// A path whose leading `~` is the home folder, as in variables set without a shell.
fn expand(value: &str, home: Option<&Path>) -> PathBuf {
    match (value.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(value),
    }
}

fn token_file(path: &Path) -> Option<String> {
    let token = fs::read_to_string(path).ok()?.trim().to_owned();
    (!token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(variables: &[(&str, &str)]) -> HubOptions {
        let lookup = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        HubOptions::from_lookup(lookup, Some(Path::new("/home/piet")))
    }

    #[test]
    fn the_cache_is_where_python_has_it() {
        let cache = |variables| from(variables).cache;
        assert_eq!(cache(&[]), Path::new("/home/piet/.cache/huggingface/hub"));
        assert_eq!(cache(&[("XDG_CACHE_HOME", "/x")]), Path::new("/x/huggingface/hub"));
        assert_eq!(cache(&[("HF_HOME", "~/hf"), ("XDG_CACHE_HOME", "/x")]), Path::new("/home/piet/hf/hub"));
        assert_eq!(cache(&[("HF_HOME", "/hf"), ("HF_HUB_CACHE", "/c")]), Path::new("/c"));
        assert_eq!(cache(&[("HF_HOME", ""), ("HF_HUB_CACHE", " ")]), Path::new("/home/piet/.cache/huggingface/hub"));
    }

    #[test]
    fn endpoint_offline_and_proxies() {
        let options = from(&[
            ("HF_ENDPOINT", "http://127.0.0.1:9/"),
            ("HF_HUB_OFFLINE", "YES"),
            ("ALL_PROXY", "http://all"),
            ("https_proxy", "http://lower"),
            ("HTTPS_PROXY", "http://upper"),
        ]);
        assert_eq!(options.endpoint, "http://127.0.0.1:9");
        assert!(options.offline);
        assert_eq!(options.proxies.http.as_deref(), Some("http://all"));
        assert_eq!(options.proxies.https.as_deref(), Some("http://lower"));
        assert!(!from(&[("HF_HUB_OFFLINE", "0")]).offline);
        assert_eq!(from(&[]).endpoint, ENDPOINT);
    }

    #[test]
    fn the_token_comes_from_the_variable_or_else_the_file() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("token"), "hf_file\n").unwrap();
        let home = folder.path().to_str().unwrap();
        assert_eq!(from(&[("HF_HOME", home)]).token.as_deref(), Some("hf_file"));
        assert_eq!(from(&[("HF_HOME", home), ("HF_TOKEN", "hf_variable ")]).token.as_deref(), Some("hf_variable"));
        assert_eq!(from(&[("HF_HOME", "/nowhere")]).token, None);
    }
}
