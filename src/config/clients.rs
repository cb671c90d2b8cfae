//! `[server.tls] client_…` -> whose certificates clients show, and which are revoked.

use std::path::Path;

use super::file::File;
use super::file::clients::CertificateWord;
use super::{Environment, Mistake, keep};

/// Whose certificates clients show.
#[derive(Debug)]
pub struct Clients {
    /// Who signs them, PEM.
    pub authorities: Vec<u8>,
    /// Which of them are revoked.
    pub revocation: Option<Revocation>,
    /// Whether nobody gets in without one.
    pub required: bool,
}

/// Lists of revoked certificates.
#[derive(Debug)]
pub struct Revocation {
    /// Their file, as the settings name it.
    pub file: String,
    /// PEM.
    pub pem: Vec<u8>,
}

impl Clients {
    pub(super) fn new(
        file: &File,
        environment: &dyn Environment,
        mistakes: &mut Vec<Mistake>,
    ) -> Option<Self> {
        let written = &file.server.clients;
        let Some((place, path)) = &written.authorities else {
            let others = [
                written.revocation.as_ref().map(|(place, _)| place),
                written.word.as_ref().map(|(place, _)| place),
            ];
            let others = others.into_iter().flatten();
            mistakes.extend(others.map(|place| Mistake::new(place, NO_CLIENT_CA)));
            return None;
        };
        let required = !matches!(written.word, Some((_, CertificateWord::Optional)));
        if let Some((place, _)) = file.server.ticket_keys.as_ref().filter(|_| required) {
            mistakes.push(Mistake::new(place, NO_TICKETS));
        }
        let named = |path: &Path, problem: String| format!("{}: {problem}", path.display());
        let authorities = environment.read(path);
        let authorities =
            authorities.and_then(|pem| environment.check_authorities(&pem).map(|()| pem));
        let authorities = authorities.map_err(|problem| named(path, problem));
        let authorities = keep(mistakes, place, authorities)?;
        let revocation = match &written.revocation {
            None => None,
            Some((place, path)) => {
                let pem = environment.read(path);
                let pem = pem.and_then(|pem| {
                    let checked = environment.check_revocation(&authorities, &pem);
                    checked.map(|()| pem)
                });
                let file = path.display().to_string();
                let pem = pem.map_err(|problem| named(path, problem));
                Some(Revocation {
                    file,
                    pem: keep(mistakes, place, pem)?,
                })
            }
        };
        Some(Self {
            authorities,
            revocation,
            required,
        })
    }
}

const NO_CLIENT_CA: &str =
    "of no use without client_ca: the authorities that sign the certificates of clients, PEM";
const NO_TICKETS: &str = "of no use beside client_ca, unless client_certificate is \"optional\": a connection that showed a certificate is never resumed, since nobody would look at the certificate again";
