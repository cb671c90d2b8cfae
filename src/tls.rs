//! TLS: 1.2 and 1.3, ALPN h2 and http/1.1, aws-lc-rs.

mod by_name;
mod chain;
mod tickets;

use std::iter;
use std::sync::{Arc, PoisonError, RwLock};

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs::cipher_suite::{
    TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    TLS13_AES_128_GCM_SHA256, TLS13_AES_256_GCM_SHA384, TLS13_CHACHA20_POLY1305_SHA256,
};
use tokio_rustls::rustls::crypto::aws_lc_rs::{Ticketer, default_provider};
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{Error, RootCertStore, ServerConfig, SupportedCipherSuite, version};

use self::by_name::ByName;
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

/// An acceptor for this certificate and key.
///
/// # Errors
/// PEM without a certificate or key, an encrypted key, a key that is not the first certificate's.
pub fn acceptor(identity: &Identity) -> Result<TlsAcceptor, String> {
    let certificates = ByName::new(certified(identity)?);
    let clients = WebPkiClientVerifier::no_client_auth();
    let config = config(certificates, clients).map_err(|error| error.to_string())?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// The one for the settings, if there is to be one.
///
/// # Errors
/// PEM without a certificate or key, an encrypted key, a key that is not the first certificate's.
pub fn acceptor_of(settings: Option<&Tls>) -> Result<Option<TlsAcceptor>, Mistake> {
    let acceptor = settings.map(of_settings).transpose();
    acceptor.map_err(|problem| Mistake::new("TLS", problem))
}

fn of_settings(settings: &Tls) -> Result<TlsAcceptor, String> {
    let mut certificates = ByName::new(certified(&settings.identity)?);
    let others = settings.others.iter().map(|other| &other.identity);
    for identity in iter::once(&settings.identity).chain(others) {
        certificates.add(&names(&identity.cert), certified(identity)?);
    }
    let clients = match &settings.client_ca {
        Some(pem) => signed_by(pem)?,
        None => WebPkiClientVerifier::no_client_auth(),
    };
    let mut config = config(certificates, clients).map_err(|error| error.to_string())?;
    if settings.client_ca.is_some() {
        // Resumed, nobody would look at the client's certificate again: whether it has expired, or the
        // authority is another by now.
        config.ticketer = Arc::new(Tickets::none());
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    } else if !settings.ticket_keys.is_empty() {
        config.ticketer = Arc::new(Tickets::new(&settings.ticket_keys)?);
    }
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Certificate and key as the handshake wants them.
///
/// # Errors
/// PEM without a certificate or key, an encrypted key, a key that is not the first certificate's.
fn certified(identity: &Identity) -> Result<CertifiedKey, String> {
    let certificates = chain(&identity.cert)?;
    let key = private_key(identity.key.reveal())?;
    CertifiedKey::from_der(certificates, key, &default_provider())
        .map_err(|error| explain(&error, identity))
}

/// Requires a certificate of one of these authorities (PEM), valid now and made for clients.
fn signed_by(authorities: &[u8]) -> Result<Arc<dyn ClientCertVerifier>, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(chain(authorities)?);
    let provider = Arc::new(default_provider());
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| format!("client_ca: {error}"))
}

/// Session tickets are of keys that nobody else has, new ones every six hours.
fn config(
    certificates: ByName,
    clients: Arc<dyn ClientCertVerifier>,
) -> Result<ServerConfig, Error> {
    let mut provider = default_provider();
    provider.cipher_suites = CIPHER_SUITES.to_vec();
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])?
        .with_client_cert_verifier(clients)
        .with_cert_resolver(Arc::new(certificates));
    config.ignore_client_order = true;
    config.alpn_protocols = vec![H2.to_vec(), HTTP1.to_vec()];
    // A session is resumed from what its client keeps: none is held here.
    config.ticketer = Ticketer::new()?;
    Ok(config)
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

/// The cheapest that is strong comes first: a sender is a server, with instructions for AES.
const CIPHER_SUITES: &[SupportedCipherSuite] = &[
    TLS13_AES_128_GCM_SHA256,
    TLS13_AES_256_GCM_SHA384,
    TLS13_CHACHA20_POLY1305_SHA256,
    TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
];

/// HTTP/2's name in ALPN.
pub const H2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";
