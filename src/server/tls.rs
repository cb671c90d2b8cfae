//! TLS: 1.2 and 1.3, ALPN h2 and http/1.1, aws-lc-rs.

use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{Error, InconsistentKeys, RootCertStore, ServerConfig, version};

use crate::core::config::Identity;

/// The certificate in use: replaced between two connections.
pub struct Certificate(RwLock<TlsAcceptor>);

impl Certificate {
    /// Begins with this one.
    pub const fn new(acceptor: TlsAcceptor) -> Self {
        Self(RwLock::new(acceptor))
    }

    /// For the next connection.
    pub fn current(&self) -> TlsAcceptor {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// From the next connection on this one.
    pub fn replace(&self, acceptor: TlsAcceptor) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = acceptor;
    }
}

/// An acceptor for this certificate and key.
///
/// # Errors
/// PEM without a certificate or key, a key that is not the certificate's.
pub fn acceptor(identity: &Identity) -> Result<TlsAcceptor, String> {
    let chain = chain(&identity.cert)?;
    let key = PrivateKeyDer::from_pem_slice(identity.key.reveal())
        .map_err(|_| "the key file holds no PEM private key".to_owned())?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])
        .map_err(|error| error.to_string())?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| match error {
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                "the private key is not the certificate's".to_owned()
            }
            other => other.to_string(),
        })?;
    config.alpn_protocols = vec![H2.to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// When the leaf certificate expires, Unix seconds.
pub fn expiry(identity: &Identity) -> Option<i64> {
    Some(validity(&identity.cert)?.end)
}

/// From when until when the leaf of this chain (PEM) is valid, Unix seconds.
pub fn validity(pem: &[u8]) -> Option<Range<i64>> {
    let chain = chain(pem).ok()?;
    let (_, leaf) = x509_parser::parse_x509_certificate(chain.first()?).ok()?;
    let validity = leaf.validity();
    Some(validity.not_before.timestamp()..validity.not_after.timestamp())
}

/// Whether there is an authority in this PEM text that a peer's certificate can be checked by.
///
/// # Errors
/// No PEM, no certificate in it, none that can be understood.
pub fn check_authorities(pem: &[u8]) -> Result<(), String> {
    let (understood, _) = RootCertStore::empty().add_parsable_certificates(chain(pem)?);
    if understood == 0 {
        return Err("the certificate file holds no certificate of an authority".to_owned());
    }
    Ok(())
}

fn chain(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|_| "the certificate file is not PEM".to_owned())?;
    if chain.is_empty() {
        return Err("the certificate file holds no PEM certificate".to_owned());
    }
    Ok(chain)
}

/// HTTP/2's name in ALPN.
pub const H2: &[u8] = b"h2";
