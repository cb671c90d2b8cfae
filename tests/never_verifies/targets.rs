//! A source for every entry of the catalogue that signs, with keys whose signatures nobody makes.

use temporal_webhook_forwarder::config::provider::catalogue;
use webhook_core::provider::Provider;
use webhook_core::provider::scheme::{Algorithm, Scheme, SecretForm};
use webhook_core::secret::Secret;
use webhook_core::source::{NamedSecret, Source, Verification};
use webhook_core::verify::key::Key;
use webhook_core::verify::{Verifier, VerifyContext};

/// One for each entry with a signature.
pub(super) fn all() -> impl Iterator<Item = Source> {
    let signing = catalogue::all().iter();
    signing
        .filter(|provider| !provider.schemes.is_empty())
        .map(source)
}

/// The entry's source.
pub(super) fn source(provider: &Provider) -> Source {
    let mut verifiers = Vec::new();
    let mut secrets = Vec::new();
    for (index, scheme) in provider.schemes.iter().enumerate() {
        let secret = Secret::new(secret(scheme).into_bytes()).expect("not empty");
        let key = Key::new(scheme.secret, &secret).expect("a key");
        verifiers.push(Verifier {
            keys: vec![(index, key)],
            scheme: scheme.clone(),
        });
        secrets.push(NamedSecret {
            name: "test".to_owned(),
            place: "test".to_owned(),
            tenant: None,
            secret,
        });
    }
    let names = provider.schemes.iter().flat_map(|s| s.signed.params());
    let params = names.map(|name| (name.to_owned(), PARAM.to_owned()));
    Source {
        fetch_keys: false,
        name: "test".to_owned(),
        path: "/temporal/test".to_owned(),
        provider: provider.clone(),
        verification: Verification::Signature { verifiers, secrets },
        client_certificate: None,
        verify_token: Secret::new(SHARED.into()),
        verify_context: VerifyContext {
            public_url: Some("https://hooks.example.com/temporal/test".to_owned()),
            params: params.collect(),
        },
        allow: Vec::new(),
        rate_limit: None,
        block: None,
        cors_origins: Vec::new(),
        routes: Vec::new(),
        body_limit: usize::MAX,
        capture: None,
    }
}

fn secret(scheme: &Scheme) -> String {
    match (scheme.secret, scheme.algorithm) {
        (SecretForm::Text, _) => SHARED.to_owned(),
        (SecretForm::Base64, _) => "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned(),
        (SecretForm::Hex, _) => {
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a".to_owned()
        }
        (SecretForm::Whpk, _) => "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=".to_owned(),
        (SecretForm::Pem, Algorithm::EcdsaP256Sha256) => EC.to_owned(),
        (SecretForm::Pem, _) => RSA.to_owned(),
        (SecretForm::Jwks, _) => {
            format!(
                r#"{{"keys":[{{"kty":"RSA","kid":"{KEY_ID}","n":"{RSA_MODULUS}","e":"AQAB"}}]}}"#
            )
        }
    }
}

/// What a request may name as its key.
pub(super) const KEY_ID: &str = "test";
/// A parameter of the source: what an attacker knows.
pub(super) const PARAM: &str = "arn:aws:sns:us-west-2:123456789012:MyTopic";
const SHARED: &str = "a secret that no attacker draws";
/// Public keys whose private ones were never written down.
const EC: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g==";
const RSA: &str = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA0gUv7TlQrG3UuIgZ7dWD5JQCiXLeSzXVRaWyuL4eC2a5kkryAzCjWP6O/r6TGVCsQHDX0Rln4OcgdieKGpxSDjV8LAFuZBd8ChYTjegig5v0DYjCPzfMlFoOU/fG5FNduoqCBp2Jgir1ekCffvpRwO+IDpNlWdiH35fV+JWM/DveX3SHERd0BiDQgYB5vE1akvp3MjiVVsSNFQ1FzADfNT7uMzCL50GQ/+RZ+yYo9JQlxq85CZaXG5muwVdsdpvqhc2WTqBiv60R198o25Eijt1vYXMrohnda0IJnYIor8i/LixOkBWrciNwIyOfMhn0Np79/4Z7g9UpblsOiEQV7wIDAQAB";
const RSA_MODULUS: &str = "0gUv7TlQrG3UuIgZ7dWD5JQCiXLeSzXVRaWyuL4eC2a5kkryAzCjWP6O_r6TGVCsQHDX0Rln4OcgdieKGpxSDjV8LAFuZBd8ChYTjegig5v0DYjCPzfMlFoOU_fG5FNduoqCBp2Jgir1ekCffvpRwO-IDpNlWdiH35fV-JWM_DveX3SHERd0BiDQgYB5vE1akvp3MjiVVsSNFQ1FzADfNT7uMzCL50GQ_-RZ-yYo9JQlxq85CZaXG5muwVdsdpvqhc2WTqBiv60R198o25Eijt1vYXMrohnda0IJnYIor8i_LixOkBWrciNwIyOfMhn0Np79_4Z7g9UpblsOiEQV7w";
