//! Which certificates make a host trusted.
//!
//! A file that was named, else the system's own list, in which a company puts the certificate of its proxy, else the one
//! in this program. Invariant: a file that was named is taken or refused, never passed over.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use super::options::HubOptions;

/// Where systems keep their list.
const SYSTEM: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// How secure connections are made.
///
/// # Errors
/// When the file of certificates that was named cannot be read, or has none.
pub(super) fn tls(options: &HubOptions) -> Result<TlsConfig> {
    let roots = match &options.certificates {
        Some(path) => Some(named(path)?),
        None => SYSTEM.iter().find_map(|path| system(Path::new(path))),
    };
    let Some(roots) = roots else { return Ok(TlsConfig::default()) };
    Ok(TlsConfig::builder().root_certs(RootCerts::Specific(Arc::new(roots))).build())
}

fn named(path: &Path) -> Result<Vec<Certificate<'static>>> {
    let unreadable = || format!("cannot read certificates from `{}`\nhint: look at SSL_CERT_FILE", path.display());
    let pem = fs::read(path).with_context(unreadable)?;
    let items = parse_pem(&pem).collect::<Result<Vec<_>, _>>().with_context(unreadable)?;
    let found = certificates(items);
    ensure!(!found.is_empty(), "there is no certificate in `{}`\nhint: look at SSL_CERT_FILE", path.display());
    Ok(found)
}

/// One damaged entry of a system's list makes the others no worse.
fn system(path: &Path) -> Option<Vec<Certificate<'static>>> {
    let pem = fs::read(path).ok()?;
    let found = certificates(parse_pem(&pem).filter_map(Result::ok).collect());
    (!found.is_empty()).then_some(found)
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
    fn a_file_that_was_named_must_have_certificates_and_a_list_of_the_system_may() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("roots.pem");
        let error = |path: &Path| named(path).unwrap_err().to_string();
        assert!(error(&path).contains("cannot read") && system(&path).is_none());
        fs::write(&path, "# nothing\n").unwrap();
        assert!(error(&path).contains("no certificate in") && system(&path).is_none());
        fs::write(&path, PEM.repeat(2)).unwrap();
        assert_eq!((named(&path).unwrap().len(), system(&path).map(|roots| roots.len())), (2, Some(2)));
    }
}
