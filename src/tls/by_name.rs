//! Which certificate is shown: the one for the name that the client asks for (SNI).

use std::collections::HashMap;
use std::sync::Arc;

use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;

use super::{ACME, Ordered};

/// Certificates by the names that they are for.
#[derive(Debug)]
pub(super) struct ByName {
    /// For clients that name no host, or one that no certificate is for: they may not look.
    default: Option<Arc<CertifiedKey>>,
    /// For the names that it was ordered for.
    ordered: Option<Arc<Ordered>>,
    exact: HashMap<String, Arc<CertifiedKey>>,
    /// By what follows the `*.`, which stands for one label.
    wildcard: HashMap<String, Arc<CertifiedKey>>,
}

impl ByName {
    pub(super) fn new(default: Option<CertifiedKey>, ordered: Option<Arc<Ordered>>) -> Self {
        Self {
            default: default.map(Arc::new),
            ordered,
            exact: HashMap::new(),
            wildcard: HashMap::new(),
        }
    }

    /// For those of the names that no certificate before is for.
    pub(super) fn add(&mut self, names: &[String], certificate: CertifiedKey) {
        let certificate = Arc::new(certificate);
        for name in names {
            let name = name.to_ascii_lowercase();
            let (names, name) = match name.strip_prefix("*.") {
                Some(rest) => (&mut self.wildcard, rest.to_owned()),
                None => (&mut self.exact, name),
            };
            names
                .entry(name)
                .or_insert_with(|| Arc::clone(&certificate));
        }
    }

    /// `name` is in lower case.
    fn find(&self, name: &str) -> Option<&Arc<CertifiedKey>> {
        let by_wildcard = || self.wildcard.get(name.split_once('.')?.1);
        self.exact.get(name).or_else(by_wildcard)
    }
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name();
        let Some(ordered) = &self.ordered else {
            let found = name.and_then(|name| self.find(name));
            return found.or(self.default.as_ref()).map(Arc::clone);
        };
        if is_challenge(&hello) {
            return ordered.answer(name?);
        }
        let found = name.and_then(|name| ordered.of(name));
        let found = found.or_else(|| name.and_then(|name| self.find(name)).map(Arc::clone));
        let found = found.or_else(|| self.default.clone());
        found.or_else(|| ordered.any())
    }
}

/// Whether an authority wants to see that the name is ours: it speaks nothing else.
fn is_challenge(hello: &ClientHello<'_>) -> bool {
    let mut protocols = hello.alpn().into_iter().flatten();
    (protocols.next(), protocols.next()) == (Some(ACME), None)
}
