//! A certificate chain with an intermediate, and the same of version 1, made for each test.

use std::time::{Duration, SystemTime};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SigningKey};

use super::certs::pem;

/// A chain of three as PEM texts, and the leaf's key.
#[derive(Debug)]
pub(crate) struct Chain {
    pub(crate) leaf: String,
    pub(crate) intermediate: String,
    pub(crate) root: String,
    pub(crate) key: String,
    /// The leaf as X.509 version 1: without extensions.
    pub(crate) version_1: String,
}

impl Chain {
    /// Valid for a year from `start` on.
    pub(crate) fn generate(names: &[&str], start: SystemTime) -> Self {
        let authority = |name: &str| {
            let mut params = CertificateParams::default();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.distinguished_name.push(DnType::CommonName, name);
            params
        };
        let new_key = || KeyPair::generate().expect("a key can be made");
        let (root_key, intermediate_key, key) = (new_key(), new_key(), new_key());
        let params = authority("Root of the tests");
        let root = params.self_signed(&root_key).expect("a valid request");
        let root_issuer = Issuer::new(params, root_key);
        let params = authority("Intermediate of the tests");
        let intermediate = params.signed_by(&intermediate_key, &root_issuer);
        let intermediate = intermediate.expect("a valid request").pem();
        let issuer = Issuer::new(params, intermediate_key);

        let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("valid names");
        params
            .distinguished_name
            .push(DnType::CommonName, "Leaf of the tests");
        params.not_before = start.into();
        params.not_after = (start + Duration::from_secs(365 * 86_400)).into();
        let leaf = params.signed_by(&key, &issuer).expect("a valid request");
        Self {
            version_1: version_1(leaf.der(), &key),
            leaf: leaf.pem(),
            intermediate,
            root: root.pem(),
            key: key.serialize_pem(),
        }
    }
}

/// The certificate without version and extensions, signed by this key.
fn version_1(certificate: &[u8], key: &KeyPair) -> String {
    let (_, certificate, _) = element(certificate);
    let (_, content, algorithms) = element(certificate);
    let mut rest = content;
    let mut kept = Vec::new();
    while !rest.is_empty() {
        let (tag, _, after) = element(rest);
        // [0] version, [3] extensions
        if ![0xa0, 0xa3].contains(&tag) {
            kept.extend_from_slice(&rest[..rest.len() - after.len()]);
        }
        rest = after;
    }
    let signed = wrapped(0x30, &kept);
    let (_, _, after) = element(algorithms);
    let algorithm = &algorithms[..algorithms.len() - after.len()];
    let mut signature = vec![0];
    signature.extend(key.sign(&signed).expect("it signs"));
    let parts = [&signed[..], algorithm, &wrapped(0x03, &signature)].concat();
    pem("CERTIFICATE", &wrapped(0x30, &parts))
}

/// Tag and content of the first element of this DER, and what follows it.
fn element(der: &[u8]) -> (u8, &[u8], &[u8]) {
    let (start, length) = match der[1] {
        short @ ..0x80 => (2, usize::from(short)),
        long => {
            let bytes = &der[2..2 + usize::from(long & 0x7f)];
            let length = bytes
                .iter()
                .fold(0, |sum, &byte| sum << 8 | usize::from(byte));
            (2 + bytes.len(), length)
        }
    };
    (der[0], &der[start..start + length], &der[start + length..])
}

fn wrapped(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).expect("it is short");
    let [high, low] = length.to_be_bytes();
    [&[tag, 0x82, high, low], content].concat()
}
