//! The configuration file as the person wrote it (TOML). Strict: an unknown key, a wrong type is a
//! mistake, and every one is found in one run, each with its line and key.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use webhook_core::client::Proxies;
use webhook_core::limit::Block;
use webhook_core::provider::values::{ConnectionsPerPeer, IdleTimeout, Span};

use super::Mistake;
use super::large::Written as Large;
use super::listen::parse_listen;
use super::reader::{Placed, Reader, Section};
use super::secret::SecretRef;

pub mod acme;
pub mod admin;
pub mod capture;
pub mod clients;
pub mod limits;
pub mod metrics;
mod proxies;
pub mod route;
pub mod source;
pub mod temporal;
mod values;

use self::acme::Acme;
pub use self::admin::Admin;
use self::clients::Clients;
pub use self::metrics::Metrics;
pub use self::source::Source;
pub use self::temporal::Temporal;

/// The whole file.
#[derive(Debug, Default)]
pub struct File {
    /// `[server]`
    pub server: Server,
    /// `[admin]`
    pub admin: Option<Admin>,
    /// `[metrics]`
    pub metrics: Metrics,
    /// `[temporal]`
    pub temporal: Temporal,
    /// `[encryption] keys`; `None` if there is no such section.
    pub encryption: Option<Vec<EncryptionKey>>,
    /// `[large_payloads]`
    pub large: Option<Large>,
    /// `[[source]]`
    pub sources: Vec<Source>,
    /// Whether it is no TOML: then nothing more can be said.
    pub is_broken: bool,
}

/// `[server]`
#[derive(Debug, Default)]
pub struct Server {
    /// `"ADDRESS:PORT"`
    pub listen: Option<String>,
    /// `[server.tls] cert`: certificate chain, PEM.
    pub cert: Option<PathBuf>,
    /// `[server.tls] key`: private key, PEM.
    pub key: Option<PathBuf>,
    /// `[server.tls] ticket_keys`: what session tickets are sealed with, and its name for mistakes.
    pub ticket_keys: Option<Placed>,
    /// `[server.tls] client_…`: whose certificates clients may show, or have to.
    pub clients: Clients,
    /// `[server.tls] acme`: one that an authority issues by itself.
    pub acme: Option<Acme>,
    /// Whether there is such a table, readable or not.
    pub has_acme: bool,
    /// `[[server.certificate]]`: further ones, for other names.
    pub certificates: Vec<CertificateFiles>,
    /// How long a stop waits for requests in flight.
    pub drain_timeout: Option<Duration>,
    /// How long a connection may do nothing between two requests.
    pub idle_timeout: Option<Duration>,
    /// How many connections one peer may hold.
    pub max_connections_per_peer: Option<usize>,
    /// Who may say whom a request is from; `None`: nobody.
    pub proxies: Option<Proxies>,
    /// When an address is not listened to; `None`: every one is.
    pub block: Option<Block>,
    /// Whether a sender's trace is continued.
    pub trust_traceparent: Option<bool>,
}

/// `[[server.certificate]]`
#[derive(Debug)]
pub struct CertificateFiles {
    /// Its name, for mistakes.
    pub place: String,
    /// Certificate chain, PEM.
    pub cert: PathBuf,
    /// Private key, PEM.
    pub key: PathBuf,
}

/// One of `[encryption] keys`.
#[derive(Debug)]
pub struct EncryptionKey {
    /// Its name, for mistakes.
    pub place: String,
    /// The name under which workers know it.
    pub id: String,
    /// Hex digits.
    pub key: SecretRef,
}

/// `"ADDRESS:PORT"`
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct Address(String);

impl TryFrom<String> for Address {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        parse_listen(&text, "")
            .map(|_| Self(text))
            .map_err(|mistake| mistake.problem)
    }
}

impl File {
    /// Reads the file; the mistakes are in the order of their lines.
    pub fn read(name: &str, text: &str) -> (Self, Vec<Mistake>) {
        let (mut reader, mut root) = Reader::new(name, text);
        let r = &mut reader;
        if r.count() > 0 {
            let broken = Self {
                is_broken: true,
                ..Self::default()
            };
            return (broken, reader.into_mistakes());
        }
        let mut file = Self {
            server: Server::read(r, &mut root),
            ..Self::default()
        };
        file.admin = root.table_of(r, "admin", Admin::read);
        file.metrics = Metrics::read(r, &mut root);
        file.temporal = Temporal::read(r, &mut root);
        if let Some(mut encryption) = root.table(r, "encryption") {
            let before = r.count();
            let at = encryption.at("keys");
            let keys = encryption.tables(r, "keys");
            if keys.is_empty() && r.count() == before {
                r.mistake(at, &encryption.full("keys"), NO_KEYS);
            }
            let mut ids = HashSet::new();
            let read = |key| EncryptionKey::read(r, key, &mut ids);
            file.encryption = Some(keys.into_iter().filter_map(read).collect());
            encryption.finish(r);
        }
        let large = root.table(r, "large_payloads");
        file.large = large.map(|section| Large::read(r, section));
        let sources = root.tables(r, "source");
        file.sources = sources
            .into_iter()
            .map(|source| Source::read(r, source))
            .collect();
        root.finish(r);
        (file, reader.into_mistakes())
    }
}

impl Server {
    fn read<'t>(r: &mut Reader<'t>, root: &mut Section<'t>) -> Self {
        let Some(mut section) = root.table(r, "server") else {
            return Self::default();
        };
        let mut server = Self {
            listen: section.take(r, "listen").map(|Address(text)| text),
            drain_timeout: section.take(r, "drain_timeout").map(|Span(span)| span),
            idle_timeout: section
                .take(r, "idle_timeout")
                .map(|IdleTimeout(span)| span),
            max_connections_per_peer: section
                .take(r, "max_connections_per_peer")
                .map(|ConnectionsPerPeer(connections)| connections),
            proxies: proxies::read(r, &mut section),
            block: limits::block(r, &mut section),
            trust_traceparent: section.take(r, "trust_traceparent"),
            ..Self::default()
        };
        if let Some(mut tls) = section.table(r, "tls") {
            server.cert = tls.take(r, "cert");
            server.key = tls.take(r, "key");
            let place = r.place(tls.at("ticket_keys"), &tls.full("ticket_keys"));
            let tickets = tls.take_secret(r, "ticket_keys");
            server.ticket_keys = tickets.map(|secret| (place, secret));
            server.clients = Clients::read(r, &mut tls);
            server.has_acme = tls.has("acme");
            server.acme = tls.table_of(r, "acme", Acme::read).flatten();
            tls.finish(r);
        }
        let certificates = section.tables(r, "certificate").into_iter();
        let read = |section| CertificateFiles::read(r, section);
        server.certificates = certificates.filter_map(read).collect();
        section.finish(r);
        server
    }
}

impl CertificateFiles {
    fn read<'t>(r: &mut Reader<'t>, mut section: Section<'t>) -> Option<Self> {
        let place = r.place(section.start(), section.place());
        let (cert, key) = (
            section.require(r, "cert", "a file: the certificate chain, PEM"),
            section.require(r, "key", "a file: its private key, PEM"),
        );
        section.finish(r);
        Some(Self {
            place,
            cert: cert?,
            key: key?,
        })
    }
}

impl EncryptionKey {
    fn read<'t>(
        r: &mut Reader<'t>,
        mut section: Section<'t>,
        ids: &mut HashSet<String>,
    ) -> Option<Self> {
        let place = r.place(section.start(), section.place());
        let at = section.at("id");
        let (id, key): (Option<String>, _) = (
            section.require(r, "id", "the name under which workers know the key"),
            section.require_secret(r, "key"),
        );
        if let Some(id) = id.as_ref().filter(|id| !ids.insert((*id).clone())) {
            let problem =
                format!("{id:?} is the id of another key, too: payloads name their key by it");
            r.mistake(at, &section.full("id"), &problem);
        }
        section.finish(r);
        Some(Self {
            place,
            id: id?,
            key: key?,
        })
    }
}

const NO_KEYS: &str = "no key: give one, keys = [{ id = \"2026-11\", key = \"env:NAME\" }], or leave [encryption] out";
