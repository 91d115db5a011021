//! Errors of requests to the Hub: what a status or a failed connection means.
//!
//! Invariant: every error says in plain words what is wrong and what to do, and whether a retry may help. Retrying belongs to
//! `http`.

use std::fmt::Display;
use std::io;
use std::time::{Duration, SystemTime};

use anyhow::{Error, anyhow};
use ureq::Body;
use ureq::http::{Method, Response, Uri};

use super::cache::RepoId;
use crate::error::{ErrorKind, WithHint};

/// Why a request failed, and whether to retry it.
pub(super) enum RequestFailure {
    /// A retry may succeed, perhaps only after a pause that the server asked for.
    Retry(Error, Option<Duration>),
    /// A retry will not succeed.
    Final(Error),
}

impl<E: Into<Error>> From<E> for RequestFailure {
    fn from(error: E) -> Self {
        Self::Final(error.into())
    }
}

/// One request, as error messages describe it.
pub(super) struct HubRequest<'a> {
    pub(super) method: Method,
    pub(super) repository: &'a RepoId,
    pub(super) file: Option<&'a str>,
    pub(super) start: u64,
}

impl HubRequest<'_> {
    /// The file and the repository, or the repository alone.
    pub(super) fn what(&self) -> String {
        let repository = format!("{}@{}", self.repository.name, self.repository.revision);
        self.file.map_or_else(|| repository.clone(), |file| format!("{file} of {repository}"))
    }
}

/// Makes an error of a response that is not a success; `token` says whether one was sent. Status 416 is left to the caller,
/// who knows how much of the file it has.
pub(super) fn classify(
    asked: &HubRequest,
    endpoint: &Uri,
    token: bool,
    response: Response<Body>,
) -> Result<Response<Body>, RequestFailure> {
    let status = response.status().as_u16();
    if response.status().is_success() || status == 416 {
        return Ok(response);
    }
    let (name, endpoint) = (&asked.repository.name, endpoint.to_string());
    let endpoint = endpoint.trim_end_matches('/');
    let text = |header: &str| response.headers().get(header).and_then(|value| value.to_str().ok()).unwrap_or("");
    let error = match (text("x-error-code"), status) {
        ("GatedRepo", _) => anyhow!(
            format!("the repository `{name}` is gated: its owner wants its terms accepted first")
                .with_hint(format!("accept them at {endpoint}/{name}, then set HF_TOKEN to a token of that account"))
        ),
        ("RevisionNotFound", _) => {
            let revision = &asked.repository.revision;
            anyhow!(
                format!("the repository `{name}` has no revision `{revision}`")
                    .with_hint(format!("leave `@{revision}` out, or choose one of {endpoint}/{name}/tree/main"))
            )
        }
        ("EntryNotFound", _) => anyhow!(format!("`{}` is not there", asked.what()).with_hint("try another revision")),
        (_, 401) if token && text("x-error-message").contains("Invalid") => {
            anyhow!("the Hub refuses the access token".with_hint("renew it, or unset HF_TOKEN for public models"))
        }
        ("RepoNotFound", _) | (_, 401 | 404) => anyhow!(
            format!("no such repository `{name}`, or it is private")
                .with_hint(format!("check the spelling at {endpoint}/{name}; for a private one set HF_TOKEN"))
        ),
        (_, 403) => anyhow!(
            format!(
                "the Hub forbids access to `{name}`{}",
                Some(text("x-error-message"))
                    .filter(|text| !text.is_empty())
                    .map(|text| format!(": {text}"))
                    .unwrap_or_default()
            )
            .with_hint(format!("look at {endpoint}/{name}, and set HF_TOKEN to a token that may read it"))
        ),
        (_, 407) => no_proxy_password(),
        (_, 429 | 500..) => {
            let now = SystemTime::now();
            let wish = pause(text("retry-after").trim(), now).or_else(|| until_reset(text("ratelimit")));
            return Err(busy(status, wish));
        }
        _ => anyhow!(
            format!("`{}` was answered with status {status}", asked.what())
                .with_hint("check HF_ENDPOINT and the proxy")
        ),
    };
    Err(RequestFailure::Final(error))
}

/// The error for status 429 and 5xx, with the pause that the server asks for.
fn busy(status: u16, pause: Option<Duration>) -> RequestFailure {
    let when = pause.map_or("later".to_owned(), |pause| format!("in {} seconds", pause.as_secs()));
    let error = if status == 429 {
        network(
            "the Hub takes no more requests from here for now (429)"
                .with_hint(format!("try again {when}; a token in HF_TOKEN raises the limit")),
        )
    } else {
        network(
            format!("the Hub has a fault of its own (status {status})")
                .with_hint(format!("try again {when}; what was fetched is kept")),
        )
    };
    RequestFailure::Retry(error, pause)
}

/// The pause that a `Retry-After` asks for: a number of seconds, or the time until a date.
fn pause(retry_after: &str, now: SystemTime) -> Option<Duration> {
    if let Ok(seconds) = retry_after.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(retry_after).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

/// The time until quotas that are used up begin anew, as a `RateLimit` says it: `"api";r=0;t=55` (draft-ietf-httpapi-ratelimit-headers),
/// several of them with commas between.
fn until_reset(rate_limit: &str) -> Option<Duration> {
    let of = |item: &str| {
        let number = |key: &str| item.split(';').find_map(|part| part.trim().strip_prefix(key)?.parse::<u64>().ok());
        number("t=").filter(|_| number("r=").is_none_or(|rest| rest == 0))
    };
    rate_limit.split(',').filter_map(of).max().map(Duration::from_secs)
}

/// An error of the network.
fn network(error: crate::Error) -> Error {
    error.or_kind(ErrorKind::Network).into()
}

fn no_proxy_password() -> Error {
    network("the proxy wants a name and a password".with_hint("put them into HTTPS_PROXY: http://name:password@host"))
}

fn insecure(error: impl Display, host: &str, way: &str) -> RequestFailure {
    RequestFailure::Final(network(
        format!("no secure connection to `{host}`{way}: {error}")
            .with_hint("behind a company's proxy, set SSL_CERT_FILE to its certificates"),
    ))
}

/// The error for a request that got no response.
pub(super) fn unreachable_host(error: ureq::Error, address: &Uri, proxied: bool) -> RequestFailure {
    let host = address.host().unwrap_or_default();
    let way = if proxied { ", through the proxy" } else { "" };
    let hint = "check the network, HF_ENDPOINT and the proxy variables; `--offline` uses only what is installed";
    match error {
        ureq::Error::ConnectProxyFailed(reason) if reason.contains("407") => RequestFailure::Final(no_proxy_password()),
        ureq::Error::ConnectProxyFailed(reason) => RequestFailure::Final(network(
            format!("the proxy does not let us through to `{host}`: {reason}")
                .with_hint("check HTTPS_PROXY, or name the host in NO_PROXY"),
        )),
        ureq::Error::Rustls(_) | ureq::Error::Tls(_) | ureq::Error::Pem(_) => insecure(error, host, way),
        // This is how rustls reports a certificate that is not trusted.
        ureq::Error::Io(cause) if cause.kind() == io::ErrorKind::InvalidData => insecure(cause, host, way),
        ureq::Error::Http(_) | ureq::Error::BadUri(_) | ureq::Error::LargeResponseHeader(..) => {
            RequestFailure::Final(network(format!("`{host}` cannot be asked: {error}").with_hint(hint)))
        }
        _ => RequestFailure::Retry(network(format!("cannot reach `{host}`{way}: {error}").with_hint(hint)), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_700);
        assert_eq!(pause("Sun, 06 Nov 1994 08:49:37 GMT", now), Some(Duration::from_secs(77)));
        assert_eq!(pause("Sun, 06 Nov 1983 08:49:37 GMT", now), Some(Duration::ZERO));
        assert_eq!(pause("30", now), Some(Duration::from_secs(30)));
        assert_eq!([pause("", now), pause("soon", now), pause("Sun, 06 Nov 1994", now)], [None, None, None]);
    }

    #[test]
    fn a_quota_that_is_used_up_says_when_it_begins_anew() {
        let seconds = |header: &str| until_reset(header).map(|wait| wait.as_secs());
        assert_eq!(seconds("\"api\";r=0;t=55"), Some(55));
        assert_eq!(seconds("\"resolvers\"; r=0; t=149, \"api\";r=7;t=200"), Some(149));
        assert_eq!([seconds(""), seconds("\"api\";r=3;t=55"), seconds("\"api\";r=0;t=soon")], [None; 3]);
    }
}
