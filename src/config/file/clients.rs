//! What stands in the file of clients' certificates: who signs them, which are revoked, who has to show one.

use std::path::PathBuf;

use serde::Deserialize;

use crate::config::reader::{Reader, Section};

/// Those keys of `[server.tls]`.
#[derive(Debug, Default)]
pub struct Clients {
    /// `client_ca`: who signs them, PEM, and its name for mistakes.
    pub authorities: Option<(String, PathBuf)>,
    /// `client_crl`: which are revoked, PEM, and its name for mistakes.
    pub revocation: Option<(String, PathBuf)>,
    /// `client_certificate`: whether a connection has to show one, and its name for mistakes.
    pub word: Option<(String, CertificateWord)>,
}

impl Clients {
    pub(super) fn read<'t>(r: &mut Reader<'t>, tls: &mut Section<'t>) -> Self {
        let mut file = |key: &'static str| {
            let place = r.place(tls.at(key), &tls.full(key));
            let path = tls.take(r, key);
            path.map(|path| (place, path))
        };
        let (authorities, revocation) = (file("client_ca"), file("client_crl"));
        let key = "client_certificate";
        let place = r.place(tls.at(key), &tls.full(key));
        let word = tls.take(r, key);
        Self {
            authorities,
            revocation,
            word: word.map(|word| (place, word)),
        }
    }
}

/// The words of `client_certificate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CertificateWord {
    /// Nobody is answered without a good one.
    Required,
    /// Whoever shows none, or none of ours, is answered, too.
    Optional,
}

/// One of a source's `subjects`.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct Subject(pub String);

impl TryFrom<String> for Subject {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.is_empty() || text.trim() != text || text.contains(char::is_control) {
            return Err(format!("{text:?}: {SUBJECT}"));
        }
        if text.contains('*') {
            return Err(format!("{text:?}: no pattern: {SUBJECT}"));
        }
        if text.contains("CN=") {
            return Err(format!(
                "{text:?}: the name alone, without what stands before it: {SUBJECT}"
            ));
        }
        Ok(Self(text))
    }
}

const SUBJECT: &str = "expected a whole common name, or a host name, address, URI or e-mail address of a subjectAltName";
