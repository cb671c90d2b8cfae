//! TLS: 1.2 and 1.3, ALPN h2 and http/1.1, aws-lc-rs.

mod chain;
mod tickets;

use std::sync::{Arc, PoisonError, RwLock};

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs::{Ticketer, default_provider};
use tokio_rustls::rustls::{ServerConfig, version};
use webhook_core::secret::Secret;

use self::chain::{chain, explain, private_key};
pub use self::chain::{check_authorities, doubts, names, validity};
use self::tickets::Tickets;
use crate::config::tls::Tls;
use crate::config::{Identity, Mistake};

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

/// An acceptor for this certificate and key. Without keys for session tickets it makes its own, and
/// new ones every six hours.
///
/// # Errors
/// PEM without a certificate or key, an encrypted key, a key that is not the first certificate's.
pub fn acceptor(identity: &Identity, ticket_keys: &[Secret]) -> Result<TlsAcceptor, String> {
    let certificates = chain(&identity.cert)?;
    let key = private_key(identity.key.reveal())?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])
        .map_err(|error| error.to_string())?
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .map_err(|error| explain(&error, identity))?;
    config.alpn_protocols = vec![H2.to_vec(), HTTP1.to_vec()];
    // A session is resumed from what its client keeps: none is held here.
    config.ticketer = match ticket_keys {
        [] => Ticketer::new().map_err(|error| error.to_string())?,
        keys => Arc::new(Tickets::new(keys)?),
    };
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// The one for the settings, if there is to be one.
///
/// # Errors
/// See [`acceptor`].
pub fn acceptor_of(settings: Option<&Tls>) -> Result<Option<TlsAcceptor>, Mistake> {
    let acceptor = settings.map(|tls| acceptor(&tls.identity, &tls.ticket_keys));
    let acceptor = acceptor.transpose();
    acceptor.map_err(|problem| Mistake::new("TLS", problem))
}

/// The same, without HTTP/2.
pub fn http1_only(acceptor: &TlsAcceptor) -> TlsAcceptor {
    let mut config = ServerConfig::clone(acceptor.config());
    config.alpn_protocols = vec![HTTP1.to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

/// When the leaf certificate expires, Unix seconds.
pub fn expiry(identity: &Identity) -> Option<i64> {
    Some(validity(&identity.cert)?.end)
}

/// The same of the settings' certificate.
pub fn expiry_of(settings: &Tls) -> Option<i64> {
    expiry(&settings.identity)
}

/// HTTP/2's name in ALPN.
pub const H2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";
