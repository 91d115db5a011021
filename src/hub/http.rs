//! Requests to the Hub: redirects, proxies, timeouts, retries.
//!
//! Invariant: the access token goes to the endpoint's own scheme, host and port and nowhere else, whatever redirects
//! say. A `Client` exists only where the network is allowed; it opens no socket before a request is sent. What an error means
//! belongs to `http_errors`, which certificates are trusted to `certificates`.

use std::cell::Cell;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use hf_hub::Cache;
use hf_hub::api::sync::{Api, ApiBuilder};
use ureq::http::{HeaderMap, Method, Request, Response, Uri, header};
use ureq::tls::TlsConfig;
use ureq::{Agent, Body, Proxy};

use super::cache::RepoId;
use super::certificates;
use super::http_errors::{self, HubRequest, RequestFailure};
use super::options::HubOptions;
use crate::error::{Explain, WithHint};

/// How often a request is sent before it counts as failed.
pub(super) const ATTEMPTS: u32 = 5;
/// The longest pause that is accepted from a server's `Retry-After`.
const LONGEST_PAUSE: Duration = Duration::from_mins(2);
const REDIRECTS: usize = 10;

/// An HTTP client for one endpoint.
pub(super) struct Client {
    api: Api,
    endpoint: Uri,
    /// What hf-hub sends with each request: its name, and the token.
    headers: HeaderMap,
    direct: Agent,
    http_proxy: Option<Agent>,
    https_proxy: Option<Agent>,
    except: String,
    backoff: Duration,
    /// Whether any host has answered yet. Before that a missing network is the likelier reason for a failure, and the user should
    /// hear of it at once.
    answered: Cell<bool>,
}

impl Client {
    /// A client with these settings; nothing is sent yet.
    pub(super) fn new(options: &HubOptions) -> Result<Self> {
        let endpoint: Uri = options.endpoint.parse().ok().filter(|uri: &Uri| uri.host().is_some()).explain(|| {
            format!("`{}` is not the address of a Hub", options.endpoint)
                .with_hint("set HF_ENDPOINT as in https://host")
        })?;
        let api = ApiBuilder::from_cache(Cache::new(options.cache.clone()))
            .with_endpoint(options.endpoint.clone())
            .with_token(options.token.clone())
            .with_user_agent("kortom", env!("CARGO_PKG_VERSION"))
            .build()?;
        let asked = api.model("owner/name".to_owned()).info_request();
        let headers =
            asked.headers_ref().cloned().explain(|| "the access token is no text".with_hint("look at HF_TOKEN"))?;
        let tls = certificates::tls(options)?;
        let through = |proxy: &Option<String>| proxy.as_deref().map(|proxy| proxied(options, proxy, &tls)).transpose();
        Ok(Self {
            api,
            endpoint,
            headers,
            direct: agent(options, None, &tls),
            http_proxy: through(&options.proxies.http)?,
            https_proxy: through(&options.proxies.https)?,
            except: options.proxies.except.clone().unwrap_or_default(),
            backoff: options.backoff,
            answered: Cell::new(false),
        })
    }

    /// The description of a repository at a revision: its commit and its files, as JSON.
    pub(super) fn describe(&self, repository: &RepoId) -> Result<Response<Body>, RequestFailure> {
        let asked = self.api.repo(repository.repo()).info_request();
        let address = asked.uri_ref().context("the endpoint and the repository make no address")?.clone();
        self.send(&HubRequest { method: Method::GET, repository, file: None, start: 0 }, address)
    }

    /// The Hub's headers for one file. The response may be a redirect: the Hub's own response has the hash, not the store's.
    pub(super) fn head(&self, repository: &RepoId, file: &str) -> Result<Response<Body>, RequestFailure> {
        self.file(&HubRequest { method: Method::HEAD, repository, file: Some(file), start: 0 })
    }

    /// The bytes of one file, from `start` on if the server supports ranges.
    pub(super) fn get(&self, repository: &RepoId, file: &str, start: u64) -> Result<Response<Body>, RequestFailure> {
        self.file(&HubRequest { method: Method::GET, repository, file: Some(file), start })
    }

    fn file(&self, asked: &HubRequest) -> Result<Response<Body>, RequestFailure> {
        let address = self.api.repo(asked.repository.repo()).url(asked.file.unwrap_or_default());
        self.send(asked, address.parse().context("the endpoint and the repository make no address")?)
    }

    /// Sends a request until it succeeds, fails finally, or has failed too often.
    pub(super) fn with_retries<T>(&self, mut request: impl FnMut() -> Result<T, RequestFailure>) -> Result<T> {
        let mut pause = self.backoff;
        for attempt in 1.. {
            match request() {
                Ok(answer) => return Ok(answer),
                Err(RequestFailure::Final(error)) => return Err(error),
                Err(RequestFailure::Retry(error, wish)) => {
                    let last = if self.answered.get() { ATTEMPTS } else { 2 };
                    if attempt == last || wish.is_some_and(|wish| wish > LONGEST_PAUSE) {
                        return Err(error);
                    }
                    thread::sleep(wish.unwrap_or(pause));
                    pause *= 2;
                }
            }
        }
        unreachable!("the loop ends with its last attempt")
    }

    /// The pause after a first failure.
    pub(super) fn pause(&self) {
        thread::sleep(self.backoff);
    }

    /// Follows redirects itself: the token must not be sent to another host, and a HEAD request ends at the first response that
    /// has the file's hash.
    fn send(&self, asked: &HubRequest, mut address: Uri) -> Result<Response<Body>, RequestFailure> {
        for _ in 0..REDIRECTS {
            let response = self.once(asked, &address)?;
            let Some(next) = redirect(&response, &address) else {
                let token = self.headers.contains_key(header::AUTHORIZATION);
                return http_errors::classify(asked, &self.endpoint, token, response);
            };
            if asked.method == Method::HEAD && response.headers().contains_key("x-linked-etag") {
                return Ok(response);
            }
            address = next;
        }
        Err(RequestFailure::Final(anyhow!(
            format!("`{}` is redirected without end", asked.what()).with_hint("check HF_ENDPOINT")
        )))
    }

    fn once(&self, asked: &HubRequest, address: &Uri) -> Result<Response<Body>, RequestFailure> {
        let mut request = Request::builder().method(asked.method.clone()).uri(address.clone());
        for (name, value) in &self.headers {
            if name != header::AUTHORIZATION || same_origin(&self.endpoint, address) {
                request = request.header(name, value);
            }
        }
        if asked.start > 0 {
            request = request.header(header::RANGE, format!("bytes={}-", asked.start));
        }
        let (agent, proxied) = self.agent(address);
        let answer =
            agent.run(request.body(())?).map_err(|error| http_errors::unreachable_host(error, address, proxied))?;
        self.answered.set(true);
        Ok(answer)
    }

    /// The agent for an address, and whether it goes through a proxy.
    fn agent(&self, address: &Uri) -> (&Agent, bool) {
        let proxied = if address.scheme_str() == Some("https") { &self.https_proxy } else { &self.http_proxy };
        match proxied {
            Some(agent) if !is_excepted(&self.except, address.host().unwrap_or_default()) => (agent, true),
            _ => (&self.direct, false),
        }
    }
}

/// Where a redirect leads; `None` when the answer is none.
fn redirect(response: &Response<Body>, from: &Uri) -> Option<Uri> {
    if !response.status().is_redirection() {
        return None;
    }
    let location: Uri = response.headers().get(header::LOCATION)?.to_str().ok()?.parse().ok()?;
    if location.host().is_some() {
        return Some(location);
    }
    let mut parts = from.clone().into_parts();
    parts.path_and_query = location.into_parts().path_and_query;
    Uri::from_parts(parts).ok()
}

/// Whether two addresses have one scheme, host and port.
fn same_origin(a: &Uri, b: &Uri) -> bool {
    let port = |uri: &Uri| uri.port_u16().or(if uri.scheme_str() == Some("https") { Some(443) } else { Some(80) });
    a.scheme() == b.scheme() && a.host() == b.host() && port(a) == port(b)
}

/// Whether `NO_PROXY` names a host: itself, a domain it is in, or `*`.
fn is_excepted(list: &str, host: &str) -> bool {
    let host = host.to_lowercase();
    list.split(',').map(|entry| entry.trim().to_lowercase()).any(|entry| {
        let name = entry.trim_start_matches("*.").trim_start_matches('.');
        entry == "*" || (!name.is_empty() && (host == name || host.ends_with(&format!(".{name}"))))
    })
}

fn proxied(options: &HubOptions, proxy: &str, tls: &TlsConfig) -> Result<Agent> {
    let proxy = Proxy::new(proxy).explain(|| {
        format!("`{proxy}` is not the address of a proxy").with_hint("set HTTPS_PROXY as in http://host:port")
    })?;
    Ok(agent(options, Some(proxy), tls))
}

fn agent(options: &HubOptions, proxy: Option<Proxy>, tls: &TlsConfig) -> Agent {
    Agent::config_builder()
        .proxy(proxy)
        .tls_config(tls.clone())
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        // A compressed body would have another length than the file.
        .accept_encoding("identity")
        .timeout_connect(Some(options.timeout))
        .timeout_recv_response(Some(options.timeout))
        .timeout_per_read(Some(options.timeout))
        .build()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let same = |a: &str, b: &str| same_origin(&a.parse().unwrap(), &b.parse().unwrap());
        assert!(same("https://hub.example/a", "https://hub.example:443/b"));
        assert!(!same("https://hub.example/a", "http://hub.example/a"));
        assert!(!same("http://localhost:1/a", "http://localhost:2/a"));
        assert!(!same("http://localhost:1/a", "http://127.0.0.1:1/a"));
    }

    #[test]
    fn exceptions_from_the_proxy_are_hosts_and_their_domains() {
        let list = "localhost, .example.org,*.cdn.net";
        for host in ["localhost", "example.org", "hub.EXAMPLE.org", "a.cdn.net"] {
            assert!(is_excepted(list, host), "{host}");
        }
        assert!(!is_excepted(list, "notexample.org") && !is_excepted("", "localhost") && is_excepted("*", "x"));
    }
}
