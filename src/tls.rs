//! TLS: 1.2 and 1.3, ALPN h2 and http/1.1, aws-lc-rs.

mod by_name;
mod chain;
mod clients;
mod ordered;
mod tickets;

use std::io;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::net::TcpStream;
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
use tokio_rustls::rustls::{
    ConfigBuilder, Error, ServerConfig, SupportedCipherSuite, WantsVerifier, version,
};
use tokio_rustls::server::TlsStream;
use webhook_core::client_certificate::ClientCertificate;

use self::by_name::ByName;
use self::chain::{chain, explain, private_key};
pub use self::chain::{check_authorities, doubts, names, validity};
use self::clients::{Lenient, Shown, Unshown};
pub use self::clients::{check_revocation, revocation_validity};
pub use self::ordered::{Ordered, answer_name};
use self::tickets::Tickets;
use crate::config::tls::Tls;
use crate::config::{Identity, Mistake};

/// The certificate in use: replaced between two connections.
pub struct Certificate(RwLock<Acceptor>);

impl Certificate {
    /// Begins with this one.
    pub const fn new(acceptor: Acceptor) -> Self {
        Self(RwLock::new(acceptor))
    }

    /// For the next connection.
    pub fn current(&self) -> Acceptor {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// From the next connection on this one.
    pub fn replace(&self, acceptor: Acceptor) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = acceptor;
    }
}

/// Makes encrypted streams of connections.
#[derive(Clone)]
pub struct Acceptor {
    config: Arc<ServerConfig>,
    /// Who may show a certificate, where nobody has to.
    optional: Option<Arc<dyn ClientCertVerifier>>,
    /// The certificate for whom no other is for, if it is one that is ordered.
    awaited: Option<Arc<Ordered>>,
}

impl Acceptor {
    fn new(config: ServerConfig) -> Self {
        Self {
            config: Arc::new(config),
            optional: None,
            awaited: None,
        }
    }

    /// Whether some clients cannot be shown any certificate, since it is not there yet.
    pub fn awaits_certificate(&self) -> bool {
        let awaited = self.awaited.as_ref();
        awaited.is_some_and(|ordered| ordered.validity().is_none())
    }

    /// The handshake; and what certificate the client has shown, if any.
    ///
    /// # Errors
    /// It failed.
    pub async fn accept(
        &self,
        stream: TcpStream,
    ) -> io::Result<(TlsStream<TcpStream>, Option<Arc<ClientCertificate>>)> {
        let accept = async |config| TlsAcceptor::from(config).accept(stream).await;
        let Some(strict) = &self.optional else {
            let stream = accept(Arc::clone(&self.config)).await?;
            let shown = stream.get_ref().1.peer_certificates();
            let leaf = shown.and_then(<[_]>::first);
            let shown = leaf.map(|leaf| ClientCertificate::Good(clients::names(leaf)));
            return Ok((stream, shown.map(Arc::new)));
        };
        let shown = Arc::new(Shown::default());
        let config = self.asking(Arc::clone(strict), Arc::clone(&shown));
        let stream = accept(Arc::new(config.map_err(io::Error::other)?)).await?;
        Ok((stream, shown.take()))
    }

    /// For one connection: the verifier has no other way of saying what it has seen.
    fn asking(
        &self,
        strict: Arc<dyn ClientCertVerifier>,
        shown: Arc<Shown>,
    ) -> Result<ServerConfig, Error> {
        let common = &self.config;
        let tickets = Arc::clone(&common.ticketer);
        let clients = Arc::new(Lenient {
            strict,
            shown: Arc::clone(&shown),
        });
        let mut config = builder()?
            .with_client_cert_verifier(clients)
            .with_cert_resolver(Arc::clone(&common.cert_resolver));
        config.ignore_client_order = common.ignore_client_order;
        config.alpn_protocols.clone_from(&common.alpn_protocols);
        // By its id a session of TLS 1.2 would be resumed without a ticket, whatever was shown.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.ticketer = Arc::new(Unshown { tickets, shown });
        Ok(config)
    }

    /// The same, without HTTP/2.
    #[must_use]
    pub fn http1_only(&self) -> Self {
        let mut config = ServerConfig::clone(&self.config);
        config.alpn_protocols = vec![HTTP1.to_vec()];
        Self {
            config: Arc::new(config),
            ..self.clone()
        }
    }
}

/// An acceptor for this certificate and key.
///
/// # Errors
/// PEM without a certificate or key, an encrypted key, a key that is not the first certificate's.
pub fn acceptor(identity: &Identity) -> Result<Acceptor, String> {
    let certificates = ByName::new(Some(certified(identity)?), None);
    let clients = WebPkiClientVerifier::no_client_auth();
    let config = config(certificates, clients).map_err(|error| error.to_string())?;
    Ok(Acceptor::new(config))
}

/// The one for the settings, if there is to be one.
///
/// # Errors
/// PEM without a certificate or key, an encrypted key, a key that is not the first certificate's; none at all,
/// and none that is `ordered`.
pub fn acceptor_of(
    settings: Option<&Tls>,
    ordered: Option<&Arc<Ordered>>,
) -> Result<Option<Acceptor>, Mistake> {
    let acceptor = settings.map(|settings| of_settings(settings, ordered));
    let acceptor = acceptor.transpose();
    acceptor.map_err(|problem| Mistake::new("TLS", problem))
}

fn of_settings(settings: &Tls, ordered: Option<&Arc<Ordered>>) -> Result<Acceptor, String> {
    let first = settings.identity.as_ref();
    if first.is_none() && ordered.is_none() {
        return Err(NOT_YET.to_owned());
    }
    let default = first.map(certified).transpose()?;
    let mut certificates = ByName::new(default, ordered.map(Arc::clone));
    let others = settings.others.iter().map(|other| &other.identity);
    for identity in first.into_iter().chain(others) {
        certificates.add(&names(&identity.cert), certified(identity)?);
    }
    let strict = settings.clients.as_ref().map(clients::verifier);
    let strict = strict.transpose()?;
    let is_required = settings.clients.as_ref().is_some_and(|it| it.required);
    let required = strict.as_ref().filter(|_| is_required).map(Arc::clone);
    let clients = required.unwrap_or_else(WebPkiClientVerifier::no_client_auth);
    let mut config = config(certificates, clients).map_err(|error| error.to_string())?;
    if ordered.is_some() {
        config.alpn_protocols.push(ACME.to_vec());
    }
    if is_required {
        // Resumed, nobody would look at the client's certificate again: whether it has expired, or the
        // authority is another by now.
        config.ticketer = Arc::new(Tickets::none());
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    } else if !settings.ticket_keys.is_empty() {
        config.ticketer = Arc::new(Tickets::new(&settings.ticket_keys)?);
    }
    Ok(Acceptor {
        optional: strict.filter(|_| !is_required),
        awaited: ordered.filter(|_| first.is_none()).map(Arc::clone),
        ..Acceptor::new(config)
    })
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

/// Session tickets are of keys that nobody else has, new ones every six hours.
fn config(
    certificates: ByName,
    clients: Arc<dyn ClientCertVerifier>,
) -> Result<ServerConfig, Error> {
    let mut config = builder()?
        .with_client_cert_verifier(clients)
        .with_cert_resolver(Arc::new(certificates));
    config.ignore_client_order = true;
    config.alpn_protocols = vec![H2.to_vec(), HTTP1.to_vec()];
    // A session is resumed from what its client keeps: none is held here.
    config.ticketer = Ticketer::new()?;
    Ok(config)
}

fn builder() -> Result<ConfigBuilder<ServerConfig, WantsVerifier>, Error> {
    let mut provider = default_provider();
    provider.cipher_suites = CIPHER_SUITES.to_vec();
    ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])
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
/// In which an authority asks whether a name is ours (RFC 8737): it wants to see a certificate, and no more.
pub const ACME: &[u8] = b"acme-tls/1";
const NOT_YET: &str = "[server.tls] acme takes effect at the next start, and until then there is no other certificate";
const HTTP1: &[u8] = b"http/1.1";
