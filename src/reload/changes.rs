//! What a reload changes, in one line. Settings and secrets are compared by digest; a secret is
//! named by where it is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use webhook_core::secret::Secret;
use webhook_core::source::{Source, Verification};

use super::Digest;
use crate::config::clients::Clients;
use crate::config::large::credentials::Credentials;
use crate::config::source::take_overwritable;
use crate::config::tls::Tls;
use crate::config::{Config, Identity, Mistake};
use crate::temporal::connect::Settings as Connection;

/// What there is to compare of all settings.
pub struct Inventory {
    /// Whether the file names any source.
    has_written_sources: bool,
    /// By path.
    sources: BTreeMap<String, Parts>,
    /// By path and name.
    secrets: BTreeMap<(String, String), Vec<Digest>>,
    /// Ids and keys, the one that encrypts first.
    keys: Vec<(String, Digest)>,
    certificate: Option<Digest>,
    /// By file.
    other_certificates: Vec<(String, Digest)>,
    ticket_keys: Vec<Digest>,
    clients: Option<Digest>,
    /// Whether revoked certificates of clients are refused.
    revokes: bool,
    admin: Digest,
    large: Digest,
    metrics: Digest,
    proxies: Digest,
    index: bool,
    connection: Connection,
}

/// Every key of a source, secrets apart, under the name that the file has for it.
type Parts = Vec<(&'static str, Digest)>;

impl Inventory {
    /// Of these settings.
    pub fn new(config: &Config, connection: &Connection) -> Self {
        let sources = config.sources.iter();
        let keys = config.codec.keys().iter();
        let tls = config.tls.as_ref();
        let others = tls.iter().flat_map(|tls| &tls.others);
        let ticket_keys = tls.iter().flat_map(|tls| &tls.ticket_keys);
        Self {
            has_written_sources: config.has_written_sources,
            sources: sources
                .clone()
                .map(|source| (source.path.clone(), parts(source)))
                .collect(),
            secrets: secrets(&config.sources),
            keys: keys
                .map(|key| (key.id().to_owned(), of_secret(key.secret())))
                .collect(),
            certificate: tls.and_then(|tls| Some(of_identity(tls.identity.as_ref()?))),
            other_certificates: others
                .map(|other| (other.file.clone(), of_identity(&other.identity)))
                .collect(),
            clients: tls.and_then(|tls| tls.clients.as_ref()).map(of_clients),
            revokes: tls.is_some_and(has_revocation),
            ticket_keys: ticket_keys.map(of_secret).collect(),
            admin: digest([
                text(&config.admin.hosts).as_bytes(),
                config.admin.token.as_ref().map_or(&[], Secret::reveal),
            ]),
            large: digest([
                text(&config.large).as_bytes(),
                &config
                    .large
                    .as_ref()
                    .map_or([0; 32], |large| of_credentials(&large.credentials)),
            ]),
            metrics: digest([text(&config.metrics).as_bytes()]),
            proxies: digest([text(&config.proxies).as_bytes()]),
            index: config.index,
            connection: connection.clone(),
        }
    }

    /// What new settings lack and a reload never takes away: a file that was cut short says so much by
    /// saying nothing.
    pub fn losses(&self, new: &Config, file: &str) -> Vec<Mistake> {
        let mut losses = Vec::new();
        if self.has_written_sources && !new.has_written_sources {
            losses.push(Mistake::new(file, NO_SOURCE));
        }
        if !self.keys.is_empty() && new.codec.keys().is_empty() {
            losses.push(Mistake::new(file, NO_KEY));
        }
        let tls = new.tls.as_ref();
        let asks = tls.is_some_and(|tls| tls.clients.is_some());
        if self.clients.is_some() && !asks {
            losses.push(Mistake::new(file, NO_CLIENT_CA));
        } else if self.revokes && !tls.is_some_and(has_revocation) {
            losses.push(Mistake::new(file, NO_CLIENT_CRL));
        }
        losses
    }

    /// What is otherwise than it was, for people: `sources +1 (/b), routes of /a changed`.
    pub fn since(&self, before: &Self) -> String {
        let mut said = Vec::new();
        let paths = |of: &Self, other: &Self| {
            let paths = of.sources.keys().cloned();
            paths
                .filter(|path| !other.sources.contains_key(path))
                .collect::<Vec<_>>()
        };
        for (sign, paths) in [('+', paths(self, before)), ('-', paths(before, self))] {
            if !paths.is_empty() {
                said.push(format!("sources {sign}{} ({})", paths.len(), some(&paths)));
            }
        }
        for (path, parts) in &self.sources {
            if let Some(old) = before.sources.get(path) {
                let changed = parts.iter().zip(old).filter(|(new, old)| new != old);
                let names: Vec<_> = changed.map(|((name, _), _)| *name).collect();
                if !names.is_empty() {
                    said.push(format!("{} of {path} changed", names.join(", ")));
                }
            }
        }
        said.extend(self.secrets_since(before));
        if self.certificate != before.certificate {
            said.push("certificate replaced".to_owned());
        }
        if self.other_certificates != before.other_certificates {
            said.push("certificates of [[server.certificate]] changed".to_owned());
        }
        if self.ticket_keys != before.ticket_keys {
            said.push("keys of session tickets changed".to_owned());
        }
        if self.clients != before.clients {
            said.push(
                "client_ca, client_crl or client_certificate of [server.tls] changed".to_owned(),
            );
        }
        if self.admin != before.admin {
            said.push("token or hosts of [admin] changed".to_owned());
        }
        said.extend(self.keys_since(before));
        if self.large != before.large {
            said.push("large_payloads changed".to_owned());
        }
        if self.metrics != before.metrics {
            said.push("metrics changed".to_owned());
        }
        if self.proxies != before.proxies {
            said.push("trusted_proxies of [server] changed".to_owned());
        }
        if self.index != before.index {
            let now = if self.index { "on" } else { "off" };
            said.push(format!("[temporal] index is {now}"));
        }
        if !self.connection.connects_as(&before.connection) {
            said.push("connection to Temporal changed".to_owned());
        }
        if said.is_empty() {
            return "nothing".to_owned();
        }
        said.join(", ")
    }

    /// Those of sources that are there before and after.
    fn secrets_since(&self, before: &Self) -> Vec<String> {
        let mut replaced = BTreeSet::new();
        let mut said = Vec::new();
        for (place, digests) in &self.secrets {
            let (path, name) = place;
            match before.secrets.get(place) {
                Some(old) if old != digests => _ = replaced.insert(name),
                None if before.sources.contains_key(path) => {
                    said.push(format!("secret {name} of {path} added"));
                }
                _ => {}
            }
        }
        for place in before.secrets.keys() {
            let (path, name) = place;
            if self.sources.contains_key(path) && !self.secrets.contains_key(place) {
                said.push(format!("secret {name} of {path} removed"));
            }
        }
        said.extend(
            replaced
                .iter()
                .map(|name| format!("secret {name} replaced")),
        );
        said
    }

    fn keys_since(&self, before: &Self) -> Vec<String> {
        let find = |of: &Self, id: &str| of.keys.iter().find(|key| key.0 == id).map(|key| key.1);
        let mut said = Vec::new();
        for (id, key) in &self.keys {
            match find(before, id) {
                None => said.push(format!("encryption key {id:?} added")),
                Some(old) if old != *key => said.push(format!("encryption key {id:?} replaced")),
                Some(_) => {}
            }
        }
        let gone = before
            .keys
            .iter()
            .filter(|(id, _)| find(self, id).is_none());
        said.extend(gone.map(|(id, _)| format!("encryption key {id:?} removed")));
        let first = |of: &Self| of.keys.first().map(|(id, _)| id.clone());
        if let (Some(new), Some(old)) = (first(self), first(before))
            && new != old
        {
            said.push(format!("encryption key {new:?} encrypts now"));
        }
        said
    }
}

const NO_SOURCE: &str = "has no [[source]] any more: restart to run on the flags' own source";
const NO_KEY: &str =
    "has no key of [encryption] any more: restart to store events as they are, for all to read";
const NO_CLIENT_CA: &str =
    "has no client_ca of [server.tls] any more: restart to let everybody in without a certificate";

const NO_CLIENT_CRL: &str = "has no client_crl of [server.tls] any more: restart to accept certificates again that were revoked";

/// Named as in the file. A new field of a source has to be put in its place here.
fn parts(source: &Source) -> Parts {
    let Source {
        name,
        path: _,
        provider,
        verification,
        client_certificate,
        verify_token: _,
        verify_context,
        allow,
        rate_limit,
        block,
        cors_origins,
        fetch_keys,
        routes,
        body_limit,
        capture,
    } = source;
    let mut rest = provider.clone();
    let said = take_overwritable(&mut rest);
    let (kind, authorised_for) = match verification {
        Verification::Signature { .. } => ("signature", Duration::ZERO),
        Verification::AddressHandshake { authorised_for, .. } => ("address", *authorised_for),
        Verification::ClientCertificate => ("client certificate", Duration::ZERO),
        Verification::DangerUnverified => ("none", Duration::ZERO),
    };
    let own = [
        ("name", text(name)),
        ("routes", text(routes)),
        ("provider", text(&rest)),
        ("verification", kind.to_owned()),
        ("client_certificate", text(client_certificate)),
        ("authorised_for", text(&authorised_for)),
        ("public_url", text(&verify_context.public_url)),
        ("params", text(&verify_context.params)),
        ("allow", text(allow)),
        ("rate_limit", text(rate_limit)),
        ("block", text(block)),
        ("cors_origins", text(cors_origins)),
        ("fetch_keys", text(fetch_keys)),
        ("body_limit", text(body_limit)),
        ("capture_rejections", text(capture)),
    ];
    let all = own.into_iter().chain(said);
    all.map(|(name, text)| (name, digest([text.as_bytes()])))
        .collect()
}

fn secrets(sources: &[Source]) -> BTreeMap<(String, String), Vec<Digest>> {
    let mut all = BTreeMap::<_, Vec<_>>::new();
    for source in sources {
        let mut note = |name: String, secret| {
            let place = (source.path.clone(), name);
            all.entry(place).or_default().push(of_secret(secret));
        };
        if let Verification::Signature { secrets, .. } = &source.verification {
            for named in secrets {
                let of_tenant =
                    (named.tenant.as_ref()).map(|tenant| format!(" of tenant {tenant}"));
                let name = format!("{:?}{}", named.name, of_tenant.unwrap_or_default());
                note(name, &named.secret);
            }
        }
        if let Some(token) = &source.verify_token {
            note("verify_token".to_owned(), token);
        }
    }
    all
}

fn of_credentials(credentials: &Credentials) -> Digest {
    match credentials {
        Credentials::Keys { id, secret, token } => digest([
            id.as_bytes(),
            secret.reveal(),
            token.as_ref().map_or(&[], Secret::reveal),
        ]),
        Credentials::Role(variables) => digest([text(variables).as_bytes()]),
    }
}

fn of_identity(identity: &Identity) -> Digest {
    digest([identity.cert.as_slice(), identity.key.reveal()])
}

fn of_clients(clients: &Clients) -> Digest {
    let revoked = clients.revocation.as_ref();
    digest([
        &clients.authorities,
        revoked.map_or(&[], |lists| &lists.pem),
        text(&clients.required).as_bytes(),
    ])
}

fn has_revocation(tls: &Tls) -> bool {
    let clients = tls.clients.as_ref();
    clients.is_some_and(|clients| clients.revocation.is_some())
}

fn of_secret(secret: &Secret) -> Digest {
    digest([secret.reveal()])
}

/// Whatever is a secret does not show in it.
fn text(setting: &impl Debug) -> String {
    format!("{setting:?}")
}

fn digest<const N: usize>(parts: [&[u8]; N]) -> Digest {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let mut bytes = [0; 32];
    bytes.copy_from_slice(context.finish().as_ref());
    bytes
}

/// A line has an end.
fn some(paths: &[String]) -> String {
    let shown = paths[..paths.len().min(MAX_SHOWN)].join(", ");
    if paths.len() > MAX_SHOWN {
        return shown + ", …";
    }
    shown
}

const MAX_SHOWN: usize = 5;
