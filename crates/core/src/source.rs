//! A source: one path, who sends there, how to know them, and what becomes of their events.

use core::net::IpAddr;
use std::time::Duration;

use http::{HeaderName, Method};
use ipnet::IpNet;

use super::client_certificate::RequiredCertificate;
use super::handshake::Handshake;
use super::limit::{Block, RateLimit};
use super::provider::Provider;
use super::route::Route;
use super::secret::Secret;
use super::verified::Proof;
use super::verify::{Verifier, VerifyContext};

/// One path, one provider, its secrets, and what its events start.
#[derive(Debug)]
pub struct Source {
    /// For people and in ids; no other source has it.
    pub name: String,
    /// The path senders post to.
    pub path: String,
    /// Who they are, with what this source says otherwise.
    pub provider: Provider,
    /// How to know them.
    pub verification: Verification,
    /// What it asks of its clients' certificates, whatever else proves them; `None`: nothing.
    pub client_certificate: Option<RequiredCertificate>,
    /// What a handshake has to show.
    pub verify_token: Option<Secret>,
    /// What else verification needs to know.
    pub verify_context: VerifyContext,
    /// The networks that may send; empty: all.
    pub allow: Vec<IpNet>,
    /// How much it takes in a time; `None`: all.
    pub rate_limit: Option<RateLimit>,
    /// When an address is not listened to; `None`: every one is.
    pub block: Option<Block>,
    /// Pages of these origins may send to it from a browser.
    pub cors_origins: Vec<String>,
    /// Public keys may be fetched from the provider's hosts.
    pub fetch_keys: bool,
    /// What becomes of its events; the last one has no condition.
    pub routes: Vec<Route>,
    /// Largest body, bytes.
    pub body_limit: usize,
    /// What is kept of refused requests, for the operator; `None`: nothing but why.
    pub capture: Option<Capture>,
}

/// What is kept of refused requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capture {
    /// So many at a time.
    pub last: usize,
    /// Of their headers these; none of them can hold a signature or a token.
    pub headers: Vec<HeaderName>,
    /// Their bodies, too: the operator asked for it by name.
    pub bodies: bool,
}

/// How a source knows its sender.
#[derive(Debug)]
pub enum Verification {
    /// By a signature under any of the secrets; neither list is empty.
    Signature {
        /// Every scheme that a secret fits.
        verifiers: Vec<Verifier>,
        /// What the verifiers' indices mean.
        secrets: Vec<NamedSecret>,
    },
    /// By its address, after a GET from there with the verify token. Weak: see the documentation.
    AddressHandshake {
        /// What the GET has to show.
        token: Secret,
        /// For how long.
        authorised_for: Duration,
    },
    /// By the client's certificate alone, which [`Source::client_certificate`] asks for.
    ClientCertificate,
    /// Not at all: the operator asked for it by name.
    DangerUnverified,
}

/// A secret and the setting it came from (`env:SHOPIFY_WEBHOOKS_KEY`), for the metric.
#[derive(Debug)]
pub struct NamedSecret {
    /// Not secret.
    pub name: String,
    /// How a mistake names it.
    pub place: String,
    /// The tenant whose requests alone it verifies.
    pub tenant: Option<String>,
    /// The secret.
    pub secret: Secret,
}

impl Source {
    /// Whether this address may send.
    pub fn allows(&self, address: IpAddr) -> bool {
        self.allow.is_empty()
            || self
                .allow
                .iter()
                .any(|network| network.contains(&address.to_canonical()))
    }

    /// What proved the sender: the setting of the secret (`env:SHOPIFY_WEBHOOKS_KEY`),
    /// `fetched-key`, `address`, `client-certificate`; empty: nothing did.
    pub fn verified_by(&self, proof: Proof) -> &str {
        match (proof, &self.verification) {
            (Proof::Secret(index), Verification::Signature { secrets, .. }) => &secrets[index].name,
            (Proof::FetchedKey, _) => "fetched-key",
            (Proof::Address, _) => "address",
            (Proof::ClientCertificate, _) => "client-certificate",
            (Proof::Secret(_) | Proof::Unverified, _) => "",
        }
    }
}

impl Source {
    /// What becomes of events that no other route takes.
    pub fn default_route(&self) -> &Route {
        self.routes
            .last()
            .expect("a source has a route without a condition")
    }

    /// Whether a request with this method may be an event or a handshake.
    pub fn takes(&self, method: &Method, query: Option<&str>) -> bool {
        let greets = matches!(self.verification, Verification::AddressHandshake { .. })
            || self.provider.handshake.is_some_and(Handshake::uses_get);
        self.provider.methods.contains(method)
            || *method == Method::GET && greets && query.is_some_and(|query| !query.is_empty())
    }
}
