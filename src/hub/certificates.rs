//! Which certificates make a host trusted.
//!
//! The file that the user named; else the platform's own list, which has the certificate of a company's proxy; else the list in
//! this program. Invariant: a named file is taken or refused, never ignored.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, ensure};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use super::options::HubOptions;
use crate::error::{Explain, WithHint};

/// The TLS settings of connections.
///
/// # Errors
/// When the file of certificates that was named cannot be read, or has none.
pub(super) fn tls(options: &HubOptions) -> Result<TlsConfig> {
    let roots = match &options.certificates {
        Some(path) => named(path)?,
        None => platform(),
    };
    if roots.is_empty() {
        return Ok(TlsConfig::default());
    }
    Ok(TlsConfig::builder().root_certs(RootCerts::Specific(Arc::new(roots))).build())
}

fn named(path: &Path) -> Result<Vec<Certificate<'static>>> {
    let unreadable =
        || format!("cannot read certificates from `{}`", path.display()).with_hint("look at SSL_CERT_FILE");
    let pem = fs::read(path).explain(unreadable)?;
    let items = parse_pem(&pem).collect::<Result<Vec<_>, _>>().explain(unreadable)?;
    let found = certificates(items);
    ensure!(
        !found.is_empty(),
        format!("there is no certificate in `{}`", path.display()).with_hint("look at SSL_CERT_FILE")
    );
    Ok(found)
}

/// The platform's list, without damaged entries.
fn platform() -> Vec<Certificate<'static>> {
    let found = rustls_native_certs::load_native_certs().certs;
    found.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect()
}

fn certificates(items: Vec<PemItem<'static>>) -> Vec<Certificate<'static>> {
    let certificate = |item| if let PemItem::Certificate(certificate) = item { Some(certificate) } else { None };
    items.into_iter().filter_map(certificate).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three bytes in a certificate's place: whether they are one is asked when a connection is made.
    const PEM: &str = "-----BEGIN CERTIFICATE-----\nAAEC\n-----END CERTIFICATE-----\n";

    #[test]
    fn a_file_that_was_named_must_have_certificates() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("roots.pem");
        let error = |path: &Path| named(path).unwrap_err().to_string();
        assert!(error(&path).contains("cannot read"));
        fs::write(&path, "# nothing\n").unwrap();
        assert!(error(&path).contains("no certificate in"));
        fs::write(&path, PEM.repeat(2)).unwrap();
        assert_eq!(named(&path).unwrap().len(), 2);
    }
}
