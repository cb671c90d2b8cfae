//! Client certificates: who may come without a good one, and whose the one is that is shown.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use tokio_rustls::rustls::client::danger::HandshakeSignatureValid;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use tokio_rustls::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use tokio_rustls::rustls::server::{ProducesTickets, WebPkiClientVerifier};
use tokio_rustls::rustls::{
    DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme,
};
use webhook_core::client_certificate::{ClientCertificate, Names};
use x509_parser::prelude::GeneralName;

use super::chain::{address, chain};
use crate::config::clients::Clients;

/// Takes a certificate of these authorities, valid now, made for clients and not revoked.
///
/// # Errors
/// Authorities or revocation lists that cannot be used.
pub(super) fn verifier(settings: &Clients) -> Result<Arc<dyn ClientCertVerifier>, String> {
    let lists = settings.revocation.as_ref();
    let lists = lists.map(|lists| self::lists(&lists.pem)).transpose()?;
    build(&settings.authorities, lists.unwrap_or_default())
}

fn build(
    authorities: &[u8],
    lists: Vec<CertificateRevocationListDer<'static>>,
) -> Result<Arc<dyn ClientCertVerifier>, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(chain(authorities)?);
    let provider = Arc::new(default_provider());
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .with_crls(lists)
        .build()
        .map_err(|error| error.to_string())
}

/// Whether this text (PEM) has a revocation list of each of these authorities (PEM).
///
/// # Errors
/// No PEM, no list in it, none of an authority: each of its certificates would be refused.
pub fn check_revocation(authorities: &[u8], pem: &[u8]) -> Result<(), String> {
    let lists = lists(pem)?;
    let parsed: Vec<_> = lists
        .iter()
        .filter_map(|list| x509_parser::parse_x509_crl(list).ok())
        .collect();
    for authority in chain(authorities)? {
        let Ok((_, authority)) = x509_parser::parse_x509_certificate(&authority) else {
            continue;
        };
        let is_of = |list: &x509_parser::prelude::CertificateRevocationList<'_>| {
            list.issuer().as_raw() == authority.subject().as_raw()
        };
        if !parsed.iter().any(|(_, list)| is_of(list)) {
            return Err(format!(
                "no revocation list of {}, of which no certificate could be accepted: expected one of each authority of client_ca",
                authority.subject()
            ));
        }
    }
    build(authorities, lists).map(drop)
}

/// From when until when these revocation lists (PEM) are the newest there are, Unix seconds: as the first of
/// them to be replaced says.
pub fn revocation_validity(pem: &[u8]) -> Option<Range<i64>> {
    let lists = lists(pem).ok()?;
    let ends = lists.iter().filter_map(|list| {
        let (_, list) = x509_parser::parse_x509_crl(list).ok()?;
        Some(list.last_update().timestamp()..list.next_update()?.timestamp())
    });
    ends.min_by_key(|range| range.end)
}

fn lists(pem: &[u8]) -> Result<Vec<CertificateRevocationListDer<'static>>, String> {
    let lists: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(pem).collect();
    match lists {
        Ok(lists) if !lists.is_empty() => Ok(lists),
        _ if x509_parser::parse_x509_crl(pem).is_ok() => {
            Err("the file is DER, not PEM: openssl crl -inform der -in FILE converts it".to_owned())
        }
        _ => Err("the file holds no revocation list in PEM (-----BEGIN X509 CRL-----)".to_owned()),
    }
}

/// Whom this certificate is for.
pub(super) fn names(certificate: &CertificateDer<'_>) -> Names {
    let Ok((_, certificate)) = x509_parser::parse_x509_certificate(certificate) else {
        return Names::default();
    };
    let mut common_names = certificate.subject().iter_common_name();
    // Of several, which one counts is anybody's guess.
    let common_name = match (common_names.next(), common_names.next()) {
        (Some(name), None) => name.as_str().ok().map(str::to_owned),
        _ => None,
    };
    let mut names = Names {
        common_name,
        ..Names::default()
    };
    let Ok(Some(alternatives)) = certificate.subject_alternative_name() else {
        return names;
    };
    for name in &alternatives.value.general_names {
        match name {
            GeneralName::DNSName(name) => names.hosts.push(name.to_ascii_lowercase()),
            GeneralName::URI(text) | GeneralName::RFC822Name(text) => {
                names.others.push((*text).to_owned());
            }
            GeneralName::IPAddress(bytes) => names.others.extend(address(bytes)),
            _ => {}
        }
    }
    names
}

/// What the client of one connection has shown.
#[derive(Debug, Default)]
pub(super) struct Shown(OnceLock<ClientCertificate>);

impl Shown {
    pub(super) fn take(self: Arc<Self>) -> Option<Arc<ClientCertificate>> {
        self.0.get().cloned().map(Arc::new)
    }
}

/// Of one connection: takes every certificate, and notes whether it is good. One that is not counts as none,
/// since some clients show what they have to whoever asks.
#[derive(Debug)]
pub(super) struct Lenient {
    pub(super) strict: Arc<dyn ClientCertVerifier>,
    pub(super) shown: Arc<Shown>,
}

impl Lenient {
    /// What is signed by a certificate that is none of ours proves nothing, and need not.
    fn signature(
        &self,
        check: impl FnOnce() -> Result<HandshakeSignatureValid, Error>,
    ) -> Result<HandshakeSignatureValid, Error> {
        match self.shown.0.get() {
            Some(ClientCertificate::Unverified(_)) => Ok(HandshakeSignatureValid::assertion()),
            _ => check(),
        }
    }
}

impl ClientCertVerifier for Lenient {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.strict.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self
            .strict
            .verify_client_cert(end_entity, intermediates, now);
        let shown = match verified {
            Ok(_) => ClientCertificate::Good(names(end_entity)),
            Err(error) => ClientCertificate::Unverified(error.to_string()),
        };
        match self.shown.0.set(shown) {
            Ok(()) => Ok(ClientCertVerified::assertion()),
            Err(_) => Err(Error::General("a second certificate".to_owned())),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signature(|| self.strict.verify_tls12_signature(message, cert, dss))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signature(|| self.strict.verify_tls13_signature(message, cert, dss))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.strict.supported_verify_schemes()
    }
}

/// Of one connection: no tickets for who has shown a certificate. Resumed, nobody would look at it again.
pub(super) struct Unshown {
    pub(super) tickets: Arc<dyn ProducesTickets>,
    pub(super) shown: Arc<Shown>,
}

impl ProducesTickets for Unshown {
    fn enabled(&self) -> bool {
        self.tickets.enabled()
    }

    fn lifetime(&self) -> u32 {
        self.tickets.lifetime()
    }

    fn encrypt(&self, session: &[u8]) -> Option<Vec<u8>> {
        let none = self.shown.0.get().is_none();
        none.then(|| self.tickets.encrypt(session))?
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        self.tickets.decrypt(ticket)
    }
}

impl fmt::Debug for Unshown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Unshown").field(&self.tickets).finish()
    }
}
