//! Certificate chains and private keys (PEM): reading them, and what is wrong with them in words.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use tokio_rustls::rustls::crypto::aws_lc_rs::sign::any_supported_type;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{Error, InconsistentKeys, RootCertStore};
use x509_parser::prelude::{GeneralName, X509Certificate, X509Version};

use crate::config::Identity;

/// The certificates of the file, in their order; never empty.
///
/// # Errors
/// No PEM, or no certificate in it.
pub(super) fn chain(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|_| "the certificate file is not PEM".to_owned())?;
    if !chain.is_empty() {
        return Ok(chain);
    }
    let what = if x509_parser::parse_x509_certificate(pem).is_ok() {
        "is DER, not PEM: openssl x509 -inform der -in FILE converts it"
    } else if holds(pem, PRIVATE) {
        "holds a private key and no certificate: are the two files mixed up?"
    } else {
        "holds no PEM certificate"
    };
    Err(format!("the certificate file {what}"))
}

/// The first private key of the file.
///
/// # Errors
/// No PEM, no key in it, or one that is encrypted.
pub(super) fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    let what = if holds(pem, "-----BEGIN ENCRYPTED PRIVATE KEY-----")
        || holds(pem, "Proc-Type: 4,ENCRYPTED")
    {
        "is encrypted, and there is nobody to ask for its passphrase: openssl pkey -in FILE removes it"
    } else {
        match PrivateKeyDer::from_pem_slice(pem) {
            Ok(key) => return Ok(key),
            Err(_) if holds(pem, "-----BEGIN CERTIFICATE-----") => {
                "holds a certificate and no private key: are the two files mixed up?"
            }
            Err(_) if PrivateKeyDer::try_from(pem).is_ok() => {
                "is DER, not PEM: openssl pkey -inform der -in FILE converts it"
            }
            Err(_) => "holds no PEM private key",
        }
    };
    Err(format!("the key file {what}"))
}

/// Why certificate and key do not serve together.
pub(super) fn explain(error: &Error, identity: &Identity) -> String {
    let chain = chain(&identity.cert).unwrap_or_default();
    if let Error::InconsistentKeys(InconsistentKeys::KeyMismatch) = error {
        return match place_of_key(&chain, identity) {
            Some(place) => format!(
                "the leaf goes first: the private key is that of certificate {} of {} in the file",
                place + 1,
                chain.len()
            ),
            None => "the private key is not the certificate's".to_owned(),
        };
    }
    match chain
        .first()
        .map(|leaf| x509_parser::parse_x509_certificate(leaf))
    {
        Some(Ok((_, leaf))) if leaf.version() != X509Version::V3 => format!(
            "the certificate is X.509 version {}, which no TLS client accepts: make one of version 3, with a subjectAltName (openssl req -x509 -addext subjectAltName=DNS:hooks.example.com …)",
            leaf.version().0 + 1
        ),
        Some(Err(_)) => format!("the first certificate of the file cannot be read: {error}"),
        _ => error.to_string(),
    }
}

/// Which certificate of the chain the private key belongs to.
fn place_of_key(chain: &[CertificateDer<'_>], identity: &Identity) -> Option<usize> {
    let pem = private_key(identity.key.reveal()).ok()?;
    let key = any_supported_type(&pem).ok()?;
    let public = key.public_key()?;
    chain.iter().position(|certificate| {
        let parsed = x509_parser::parse_x509_certificate(certificate);
        parsed.is_ok_and(|(_, parsed)| parsed.public_key().raw == public.as_ref())
    })
}

/// What serves, but not everybody.
pub fn doubts(identity: &Identity) -> Vec<String> {
    let chain = chain(&identity.cert).unwrap_or_default();
    let parsed = chain
        .iter()
        .map(|it| x509_parser::parse_x509_certificate(it));
    let Ok(parsed) = parsed
        .map(|it| it.map(|(_, it)| it))
        .collect::<Result<Vec<_>, _>>()
    else {
        return vec!["a certificate of the chain cannot be read".to_owned()];
    };
    let Some(leaf) = parsed.first() else {
        return Vec::new();
    };
    let mut doubts = Vec::new();
    if parsed.len() == 1 && leaf.issuer() != leaf.subject() {
        doubts.push(format!(
            "the leaf is alone: senders that do not know its issuer ({}) refuse it; the issuer's certificate goes behind it, as in certbot's fullchain.pem",
            leaf.issuer()
        ));
    }
    for (index, pair) in parsed.windows(2).enumerate() {
        if pair[0].issuer() != pair[1].subject() {
            doubts.push(format!(
                "certificate {} of the file is not the issuer of certificate {} ({}): the leaf goes first, then the issuer of each",
                index + 2,
                index + 1,
                pair[0].issuer()
            ));
        }
    }
    if names_of(leaf).is_empty() {
        doubts.push(
            "the certificate has no subjectAltName: senders look for the host's name there, and nowhere else"
                .to_owned(),
        );
    }
    doubts
}

/// The host names and addresses of the leaf.
pub fn names(pem: &[u8]) -> Vec<String> {
    let chain = chain(pem).unwrap_or_default();
    let leaf = chain
        .first()
        .map(|leaf| x509_parser::parse_x509_certificate(leaf));
    match leaf {
        Some(Ok((_, leaf))) => names_of(&leaf),
        _ => Vec::new(),
    }
}

fn names_of(leaf: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(names)) = leaf.subject_alternative_name() else {
        return Vec::new();
    };
    let names = names
        .value
        .general_names
        .iter()
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            GeneralName::IPAddress(bytes) => address(bytes),
            _ => None,
        });
    names.collect()
}

/// An address as people write it.
pub(super) fn address(bytes: &[u8]) -> Option<String> {
    if let Ok(bytes) = <[u8; 4]>::try_from(bytes) {
        return Some(Ipv4Addr::from(bytes).to_string());
    }
    let bytes = <[u8; 16]>::try_from(bytes).ok()?;
    Some(Ipv6Addr::from(bytes).to_string())
}

/// From when until when the leaf of this chain (PEM) is valid, Unix seconds.
pub fn validity(pem: &[u8]) -> Option<Range<i64>> {
    let chain = chain(pem).ok()?;
    let (_, leaf) = x509_parser::parse_x509_certificate(chain.first()?).ok()?;
    let validity = leaf.validity();
    Some(validity.not_before.timestamp()..validity.not_after.timestamp())
}

/// Whether there is an authority in this PEM text that a peer's certificate can be checked by.
///
/// # Errors
/// No PEM, no certificate in it, none that can be understood.
pub fn check_authorities(pem: &[u8]) -> Result<(), String> {
    let (understood, _) = RootCertStore::empty().add_parsable_certificates(chain(pem)?);
    if understood == 0 {
        return Err("the certificate file holds no certificate of an authority".to_owned());
    }
    Ok(())
}

fn holds(pem: &[u8], line: &str) -> bool {
    pem.windows(line.len())
        .any(|window| window == line.as_bytes())
}

/// `-----BEGIN PRIVATE KEY-----`, `-----BEGIN EC PRIVATE KEY-----`
const PRIVATE: &str = "PRIVATE KEY-----";
