//! Signs as a sender does: with a shared secret, or with a private key (PKCS#8 PEM) where the
//! receiver has only the public one.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use webhook_core::provider::scheme::{Algorithm, Scheme};
use webhook_core::secret::Secret;
use webhook_core::verify::key::Key;

/// The signature; `None` if the secret is not for this scheme.
pub fn sign(scheme: &Scheme, secret: &Secret, signed: &[u8]) -> Option<Vec<u8>> {
    match scheme.algorithm {
        Algorithm::RsaSha256 | Algorithm::EcdsaP256Sha256 | Algorithm::Ed25519 => {
            let (_, pem) = x509_parser::pem::parse_x509_pem(secret.reveal()).ok()?;
            private(scheme.algorithm, &pem.contents, signed)
        }
        _ => Key::new(scheme.secret, secret)
            .ok()?
            .sign(scheme.algorithm, signed),
    }
}

fn private(algorithm: Algorithm, pkcs8: &[u8], signed: &[u8]) -> Option<Vec<u8>> {
    let random = SystemRandom::new();
    match algorithm {
        Algorithm::Ed25519 => Some(
            Ed25519KeyPair::from_pkcs8(pkcs8)
                .ok()?
                .sign(signed)
                .as_ref()
                .to_vec(),
        ),
        Algorithm::EcdsaP256Sha256 => {
            let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8).ok()?;
            Some(pair.sign(&random, signed).ok()?.as_ref().to_vec())
        }
        _ => {
            let pair = RsaKeyPair::from_pkcs8(pkcs8).ok()?;
            let mut signature = vec![0; pair.public_modulus_len()];
            pair.sign(&RSA_PKCS1_SHA256, &random, signed, &mut signature)
                .ok()?;
            Some(signature)
        }
    }
}
