//! What a source asks of its clients' certificates.

use webhook_core::client_certificate::RequiredCertificate;

use crate::cli::ServeArgs;
use crate::config::Mistake;
use crate::config::file::clients::{CertificateWord, Clients};
use crate::config::file::source::VerifyWord;
use crate::config::file::{self};

/// As the entry says. `clients` is what the listener asks of everybody.
pub(super) fn required(
    args: &ServeArgs,
    entry: &file::Source,
    clients: &Clients,
    mistakes: &mut Vec<Mistake>,
) -> Option<RequiredCertificate> {
    let mut wrong = |key: &str, problem: &str| {
        mistakes.push(Mistake::new(entry.places.of(key), problem));
    };
    let proves = entry.verify == Some(VerifyWord::ClientCertificate);
    let is_required = entry.client_certificate == Some(CertificateWord::Required);
    let is_optional = entry.client_certificate == Some(CertificateWord::Optional);
    let for_all = clients.authorities.is_some()
        && !matches!(clients.word, Some((_, CertificateWord::Optional)));
    if is_optional && (proves || entry.subjects.is_some()) {
        wrong("client_certificate", NOT_OPTIONAL);
    } else if is_optional && for_all {
        wrong("client_certificate", REQUIRED_OF_ALL);
    }
    if proves && entry.danger_accept_unverified {
        wrong("danger_accept_unverified", CONTRADICTION);
    }
    if proves && !entry.places.has("subjects") {
        wrong("subjects", NO_SUBJECTS);
    }
    if !proves && !is_required && entry.subjects.is_none() {
        return None;
    }
    let keys = ["subjects", "client_certificate", "verify"];
    let key = keys.into_iter().find(|key| entry.places.has(key));
    let key = key.unwrap_or("client_certificate");
    if args.no_tls {
        wrong(key, NO_TLS);
    } else if clients.authorities.is_none() {
        wrong(key, NO_AUTHORITY);
    }
    let subjects = entry.subjects.iter().flatten();
    Some(RequiredCertificate {
        subjects: subjects.map(|subject| subject.0.clone()).collect(),
    })
}

const NOT_OPTIONAL: &str =
    "\"optional\", but this source is for certain subjects: leave it out, or the subjects";
const REQUIRED_OF_ALL: &str = "\"optional\", but nobody gets here without one: client_certificate of [server.tls] has to be \"optional\", too";
const CONTRADICTION: &str =
    "true accepts whatever anybody sends, and verify asks for a certificate: expected one of them";
const NO_SUBJECTS: &str = "missing: an authority signs for many, expected whose certificates prove this source's sender, such as [\"client.example.com\"]: common names, or names of a subjectAltName";
const NO_TLS: &str = "no client shows a certificate with --no-tls: the proxy that terminates TLS would have to look at it";
const NO_AUTHORITY: &str = "no client is asked for a certificate: expected [server.tls] client_ca, the authorities that sign them, and client_certificate = \"optional\" there, if other sources do without";
