//! `[server.tls] acme` -> which certificate is ordered, and from whom.

use std::path::PathBuf;

use super::file::File;
use super::file::clients::CertificateWord;
use super::{Environment, Mistake, keep};

/// A certificate that an authority issues by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acme {
    /// The names, in lower case; at least one.
    pub domains: Vec<String>,
    /// Whom the authority may write to.
    pub email: Option<String>,
    /// The folder with account and certificate.
    pub cache: PathBuf,
    /// The authority's URL.
    pub directory: String,
    /// Who signs the authority's own certificate (PEM); `None`: whom the system trusts.
    pub authorities: Option<Vec<u8>>,
}

impl Acme {
    pub(super) fn new(
        file: &File,
        environment: &dyn Environment,
        mistakes: &mut Vec<Mistake>,
    ) -> Option<Self> {
        let written = file.server.acme.as_ref()?;
        let clients = &file.server.clients;
        let is_optional = matches!(clients.word, Some((_, CertificateWord::Optional)));
        if let Some((place, _)) = clients.authorities.as_ref().filter(|_| !is_optional) {
            mistakes.push(Mistake::new(place, REQUIRED));
        }
        let authorities = match &written.directory_ca {
            None => None,
            Some((place, _)) if written.directory.is_none() => {
                mistakes.push(Mistake::new(place, NO_DIRECTORY));
                None
            }
            Some((place, path)) => {
                let pem = environment.read(path);
                let pem = pem.and_then(|pem| environment.check_authorities(&pem).map(|()| pem));
                let pem = pem.map_err(|problem| format!("{}: {problem}", path.display()));
                Some(keep(mistakes, place, pem)?)
            }
        };
        let directory = match (&written.directory, written.staging) {
            (Some(directory), _) => directory.0.clone(),
            (None, true) => STAGING.to_owned(),
            (None, false) => PRODUCTION.to_owned(),
        };
        let mut domains: Vec<String> = Vec::new();
        for domain in &written.domains {
            if domains.contains(&domain.0) {
                let problem = format!("{:?} is there twice", domain.0);
                mistakes.push(Mistake::new(&written.place, problem));
            } else {
                domains.push(domain.0.clone());
            }
        }
        Some(Self {
            domains,
            email: written.email.as_ref().map(|email| email.0.clone()),
            cache: written.cache.clone(),
            directory,
            authorities,
        })
    }
}

/// Let's Encrypt's.
pub const PRODUCTION: &str = "https://acme-v02.api.letsencrypt.org/directory";
/// Let's Encrypt's for tries, whose certificates nobody trusts.
pub const STAGING: &str = "https://acme-staging-v02.api.letsencrypt.org/directory";
const REQUIRED: &str = "every client has to show a certificate, and the authority of acme shows none when it looks: expected client_certificate = \"optional\", and \"required\" at each source";
const NO_DIRECTORY: &str = "of no use without directory: Let's Encrypt's certificate is signed by an authority that the system trusts";
