//! A `[[source]]` of the configuration file as the person wrote it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use http::StatusCode;
use ipnet::IpNet;
use serde::Deserialize;
use webhook_core::dead_letter;
use webhook_core::limit::{Block, RateLimit};
use webhook_core::provider::locator::Locator;
use webhook_core::provider::values::{Deadline, Size, Span, Success};
use webhook_core::provider::{HeaderPattern, Provider};

use super::capture::Capture;
use super::clients::{CertificateWord, Subject};
use super::limits::{self, Origin};
use super::route::{Overrides, Route};
use crate::config::provider::{self, catalogue};
use crate::config::reader::{Places, Reader, Section};
use crate::config::secret::SecretRef;

/// `[[source]]`
#[derive(Debug, Default, Clone)]
pub struct Source {
    /// Its keys' names, for mistakes.
    pub places: Places,
    /// Its name; `None`: made of the path.
    pub name: Option<String>,
    /// Its events may be another source's: the same ids are meant.
    pub shared_ids: bool,
    /// The path senders post to; empty if the file names none that can be.
    pub path: String,
    /// Whether the file describes them itself.
    pub is_own: bool,
    /// Who they are; `None` if the file names nobody known.
    pub provider: Option<Provider>,
    /// Any of them verifies; `None` if the file has none that can be read.
    pub secrets: Option<Vec<SecretEntry>>,
    /// Switches verification off.
    pub danger_accept_unverified: bool,
    /// Public keys may be fetched from the provider's hosts.
    pub fetch_keys: bool,
    /// `verify = "…"`: what proves its sender besides a signature, or instead of one.
    pub verify: Option<VerifyWord>,
    /// Whether its clients have to show a certificate.
    pub client_certificate: Option<CertificateWord>,
    /// Whose certificates will do.
    pub subjects: Option<Vec<Subject>>,
    /// What a handshake has to show.
    pub verify_token: Option<SecretRef>,
    /// How long an address handshake lasts.
    pub authorised_for: Option<Duration>,
    /// The URL as the sender knows it.
    pub public_url: Option<String>,
    /// Values for `{param:NAME}`.
    pub params: Vec<(String, String)>,
    /// Addresses that may send; empty: all.
    pub allow: Vec<Network>,
    /// How much it takes in a time; `None`: all.
    pub rate_limit: Option<RateLimit>,
    /// Whether `[server] block` is for it, too.
    pub block: Option<bool>,
    /// What `[server] block` says.
    pub block_of_server: Option<Block>,
    /// Pages of these origins may send to it.
    pub cors_origins: Option<Vec<Origin>>,
    /// What it says otherwise than its provider of what becomes of its events.
    pub overrides: Overrides,
    /// What becomes of some of them, in the order of the file.
    pub routes: Vec<Route>,
    /// Largest body, bytes.
    pub body_limit: Option<usize>,
    /// What is kept of what it refuses.
    pub capture: Option<Capture>,
    /// Bodies, too.
    pub danger_capture_bodies: bool,
    /// Overrides the provider's.
    pub deadline: Option<Duration>,
    /// Overrides the provider's.
    pub success_status: Option<StatusCode>,
    /// Overrides the provider's.
    pub keep_headers: Option<Vec<HeaderPattern>>,
    /// Overrides the provider's.
    pub event_id: Option<Vec<Locator>>,
    /// Overrides the provider's.
    pub topic: Option<Vec<Locator>>,
    /// Overrides the provider's.
    pub tenant: Option<Vec<Locator>>,
    /// Overrides the provider's.
    pub json_fields: Option<Vec<String>>,
}

/// A secret, and whose it is if the file says.
#[derive(Debug, Clone)]
pub struct SecretEntry {
    /// The tenant whose requests alone it verifies.
    pub tenant: Option<String>,
    /// Its name, for mistakes.
    pub place: String,
    /// Where it is.
    pub secret: SecretRef,
}

/// The words of `verify`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VerifyWord {
    /// A GET with the verify token authorises its address.
    AddressHandshake,
    /// A certificate for one of the `subjects`.
    ClientCertificate,
}

/// An address or a network: `192.0.2.1`, `192.0.2.0/24`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Network(pub IpNet);

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse::<IpNet>()
            .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
            .map(Self)
            .map_err(|_| {
                format!("{text:?}: expected an address or network such as \"192.0.2.0/24\"")
            })
    }
}

/// A name that a source may have.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct Name(String);

impl TryFrom<String> for Name {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if is_name(&text) {
            return Ok(Self(text));
        }
        Err(format!("{text:?} is no name: {NAME}"))
    }
}

/// Whether a source may have this name. No `:` is in it: it begins ids, and ends with that.
fn is_name(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    (1..=MAX_NAME).contains(&text.len()) && text.bytes().all(plain)
}

/// A path that a source may have.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct Path(String);

impl TryFrom<String> for Path {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if RESERVED.contains(&text.as_str()) {
            return Err(format!(
                "{text:?} is answered by the forwarder itself, {PATH}"
            ));
        }
        let plain = |b: u8| b.is_ascii_graphic() && !b"?#%\\{}\"<>|^`".contains(&b);
        if !(text.starts_with('/') && text.bytes().all(plain)) {
            // Without the text: a query may hold a token.
            return Err(format!(
                "no path: it begins with \"/\" and has no query, space, escape or hole, {PATH}"
            ));
        }
        if text.len() > MAX_PATH {
            return Err(format!(
                "{} characters long: expected 1 to {MAX_PATH}, since ids of dead letters and of signals begin with it",
                text.len()
            ));
        }
        Ok(Self(text))
    }
}

/// How long an address handshake may last.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "Span")]
struct Authorisation(Duration);

impl TryFrom<Span> for Authorisation {
    type Error = &'static str;

    fn try_from(Span(span): Span) -> Result<Self, &'static str> {
        let fits = AUTHORISATIONS.contains(&span);
        fits.then_some(Self(span))
            .ok_or("expected \"1s\" to \"30days\"")
    }
}

/// How large a source's bodies may be.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Size")]
struct BodyLimit(usize);

impl TryFrom<Size> for BodyLimit {
    type Error = &'static str;

    fn try_from(Size(bytes): Size) -> Result<Self, &'static str> {
        let fits = BODY_LIMITS.contains(&bytes);
        fits.then_some(Self(bytes))
            .ok_or("expected \"1KiB\" to \"50MiB\"")
    }
}

/// The URL of a source as its sender knows it.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct PublicUrl(String);

impl TryFrom<String> for PublicUrl {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let rest = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"));
        let host = |rest: &str| rest.split('/').next().is_some_and(|host| !host.is_empty());
        let fits = rest.is_some_and(host)
            && text.bytes().all(|b| b.is_ascii_graphic())
            && !text.contains(['?', '#', '@']);
        // Without the text: a query or a user may hold a secret.
        fits.then_some(Self(text)).ok_or(PUBLIC_URL)
    }
}

impl Source {
    pub(super) fn read<'t>(r: &mut Reader<'t>, mut s: Section<'t>) -> Self {
        let places = r.places(&s);
        let is_own = s.has_table("provider");
        let provider = if is_own {
            s.table(r, "provider")
                .and_then(|table| provider::read_inline(r, table))
        } else {
            named_provider(r, &mut s)
        };
        let before = r.count();
        let secrets = Some(read_secrets(r, &mut s))
            .filter(|secrets| !secrets.is_empty() || r.count() == before);
        let params: Option<BTreeMap<String, String>> = s.take(r, "params");
        let routes = s.tables(r, "route");
        let source = Self {
            places,
            name: s.take(r, "name").map(|Name(text)| text),
            shared_ids: s.take(r, "shared_ids").unwrap_or_default(),
            path: s
                .require(r, "path", "one such as \"/temporal/shopify\"")
                .map_or_else(String::new, |Path(text)| text),
            is_own,
            provider,
            secrets,
            danger_accept_unverified: s.take(r, "danger_accept_unverified").unwrap_or_default(),
            fetch_keys: s.take(r, "fetch_keys").unwrap_or_default(),
            verify: s.take(r, "verify"),
            client_certificate: s.take(r, "client_certificate"),
            subjects: s.take_list(r, "subjects"),
            verify_token: s.take_secret(r, "verify_token"),
            authorised_for: s.take(r, "authorised_for").map(|Authorisation(span)| span),
            public_url: s.take(r, "public_url").map(|PublicUrl(text)| text),
            params: params.unwrap_or_default().into_iter().collect(),
            allow: s.take_list(r, "allow").unwrap_or_default(),
            rate_limit: limits::rate_limit(r, &mut s),
            block: s.take(r, "block"),
            block_of_server: None,
            cors_origins: s.take_list(r, "cors_origins"),
            overrides: Overrides::read(r, &mut s),
            routes: routes
                .into_iter()
                .map(|route| Route::read(r, route))
                .collect(),
            body_limit: s.take(r, "body_limit").map(|BodyLimit(bytes)| bytes),
            capture: Capture::read(r, &mut s),
            danger_capture_bodies: s.take(r, "danger_capture_bodies").unwrap_or_default(),
            deadline: s.take(r, "deadline").map(|Deadline(span)| span),
            success_status: s.take(r, "success_status").map(|Success(status)| status),
            keep_headers: s.take(r, "keep_headers"),
            event_id: s.take_list(r, "event_id"),
            topic: s.take(r, "topic"),
            tenant: s.take(r, "tenant"),
            json_fields: s.take(r, "json_fields"),
        };
        s.finish(r);
        source
    }
}

impl Source {
    /// Its name: the file's, or else the path without a leading `/temporal/` or `/`, and `-` for what a
    /// name cannot have.
    ///
    /// # Errors
    /// A path that gives no name.
    pub fn name(&self) -> Result<String, String> {
        let name = match &self.name {
            Some(name) => name.clone(),
            None => self.derived_name()?,
        };
        if name == dead_letter::NAME {
            return Err(format!(
                "{name:?} is kept for dead letters, whose ids begin with it: give {:?} another, such as name = \"{name}-hooks\"",
                self.path
            ));
        }
        Ok(name)
    }

    fn derived_name(&self) -> Result<String, String> {
        let rest = (self.path.strip_prefix("/temporal/"))
            .unwrap_or_else(|| self.path.trim_start_matches('/'));
        let plain = |c: char| {
            if is_name(c.encode_utf8(&mut [0; 4])) {
                c
            } else {
                '-'
            }
        };
        let name: String = rest.chars().map(plain).collect();
        match is_name(&name) {
            true => Ok(name),
            false => Err(format!("missing, and the path gives none: {NAME}")),
        }
    }
}

fn named_provider<'t>(r: &mut Reader<'t>, s: &mut Section<'t>) -> Option<Provider> {
    let at = s.at("provider");
    let name: String = s.require(
        r,
        "provider",
        "a name of the catalogue or a table [source.provider]",
    )?;
    let found = catalogue::find(&name).cloned();
    if found.is_none() {
        r.mistake(at, &s.full("provider"), &catalogue::unknown(&name));
    }
    found
}

/// A list, or a table with a secret or a list of them for each tenant.
fn read_secrets<'t>(r: &mut Reader<'t>, s: &mut Section<'t>) -> Vec<SecretEntry> {
    if !s.has_table("secrets") {
        let secrets = s.take_secrets(r, "secrets");
        return secrets
            .into_iter()
            .map(|(place, secret)| SecretEntry {
                tenant: None,
                place,
                secret,
            })
            .collect();
    }
    let Some(table) = s.table(r, "secrets") else {
        return Vec::new();
    };
    let of_tenants = table.take_secrets_by_key(r);
    let entries = of_tenants.into_iter().flat_map(|(tenant, secrets)| {
        secrets.into_iter().map(move |(place, secret)| SecretEntry {
            tenant: Some(tenant.clone()),
            place,
            secret,
        })
    });
    entries.collect()
}

const MAX_NAME: usize = 64;
/// An event's id has 200 more, and Temporal takes ids of 1,000 bytes.
const MAX_PATH: usize = 200;
const NAME: &str = "expected 1 to 64 letters, digits, \".\", \"_\" and \"-\", such as name = \"shopify-eu\"; event ids are kept apart by it";
const RESERVED: [&str; 3] = ["/", "/health/live", "/health/ready"];
const PATH: &str = "expected one such as \"/temporal/shopify\"";
const PUBLIC_URL: &str = "no URL: expected one such as \"https://hooks.example.com/temporal/shopify\", without user and query";
const AUTHORISATIONS: RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(30 * 24 * 60 * 60);
const BODY_LIMITS: RangeInclusive<usize> = 1024..=50 * 1024 * 1024;
