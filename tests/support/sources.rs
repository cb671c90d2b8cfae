//! A configuration file with many sources, each with keys of its own, made for this run.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{self, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderName, HeaderValue};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PublicKeyData};
use reqwest::Method;
use serde_json::json;
use tempfile::TempDir;
use temporal_webhook_forwarder::commands::sign;
use temporal_webhook_forwarder::config::provider::catalogue;
use uuid::Uuid;
use webhook_core::delivery::{Delivery as Signed, DeliveryOptions};
use webhook_core::provider::Provider;
use webhook_core::provider::scheme::{Algorithm, Scheme, SecretForm};
use webhook_core::request::Received;
use webhook_core::secret::Secret;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::certs::pem;
use super::delivery::Delivery;
use super::{leaks, run_folder};

/// A secret as sender and receiver have it: the same text, or the two halves of a key pair.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    /// What the sender signs with; a private key as PKCS#8 PEM.
    pub(crate) signs: String,
    /// What the receiver is configured with.
    pub(crate) verifies: String,
}

impl Keys {
    /// New ones for this scheme of the provider.
    pub(crate) fn generate(provider: &Provider, scheme: &Scheme) -> Self {
        let random = [Uuid::new_v4().into_bytes(), Uuid::new_v4().into_bytes()].concat();
        let pair = |algorithm| KeyPair::generate_for(algorithm).expect("a key can be made");
        let ed25519 = |public: &dyn Fn(&[u8]) -> String| {
            let pair = pair(&PKCS_ED25519);
            (pair.serialize_pem(), public(pair.der_bytes()))
        };
        let (signs, verifies) = match (scheme.secret, scheme.algorithm) {
            (SecretForm::Text, _) => same(hex::encode(random)),
            (SecretForm::Base64, _) => same(format!("whsec_{}", STANDARD.encode(random))),
            (SecretForm::Hex, _) => ed25519(&|raw| hex::encode(raw)),
            (SecretForm::Whpk, _) => ed25519(&|raw| format!("whpk_{}", STANDARD.encode(raw))),
            (SecretForm::Pem, Algorithm::EcdsaP256Sha256) => {
                let pair = pair(&PKCS_ECDSA_P256_SHA256);
                let public = STANDARD.encode(pair.subject_public_key_info());
                (pair.serialize_pem(), public)
            }
            (SecretForm::Pem, _) => {
                let (private, public) = rsa();
                (private, pem("PUBLIC KEY", &public))
            }
            (SecretForm::Jwks, _) => {
                let (private, public) = rsa();
                (private, jwks(&public, &key_id(provider, scheme)))
            }
        };
        leaks::forbid(&signs);
        Self { signs, verifies }
    }
}

/// One source of the file.
#[derive(Debug)]
pub(crate) struct Source {
    /// Its path is `/NAME`; the ids of its workflows begin with `NAME:`.
    pub(crate) name: String,
    pub(crate) provider: &'static Provider,
    /// None: it accepts whatever anybody sends.
    pub(crate) keys: Option<Keys>,
}

impl Source {
    /// As the sender knows it.
    pub(crate) fn public_url(&self) -> String {
        format!("https://hooks.example.com/{}", self.name)
    }

    /// What the provider signs besides the request.
    pub(crate) fn params(&self) -> Vec<(String, String)> {
        let schemes = self.provider.schemes.iter();
        let names = schemes.flat_map(|scheme| scheme.signed.params());
        let mut names: Vec<_> = names.map(str::to_owned).collect();
        names.sort();
        names.dedup();
        let value = |name: &str| match name {
            // The sample's own.
            "topic_arn" => {
                let body: serde_json::Value =
                    serde_json::from_str(&self.provider.sample.body).expect("SNS speaks JSON");
                body["TopicArn"].as_str().unwrap_or_default().to_owned()
            }
            name => format!("test-{name}"),
        };
        names
            .into_iter()
            .map(|name| (name.clone(), value(&name)))
            .collect()
    }

    fn write(&self, folder: &Path) -> String {
        let Self { name, provider, .. } = self;
        let mut text = format!(
            "[[source]]\npath = \"/{name}\"\nprovider = \"{}\"\ndeadline = \"12s\"\nworkflow_id = \"{name}:{{event_id}}\"\n",
            provider.name
        );
        match &self.keys {
            None => text += "danger_accept_unverified = true\n",
            Some(keys) => {
                let file = folder.join(format!("{}.secret", name.replace('/', "-")));
                fs::write(&file, &keys.verifies).expect("the folder is writable");
                text += &format!("secrets = [{:?}]\n", format!("file:{}", file.display()));
            }
        }
        if provider.schemes.iter().any(|s| s.signed.needs_url()) {
            text += &format!("public_url = {:?}\n", self.public_url());
        }
        let params = self.params();
        if !params.is_empty() {
            let params: Vec<_> = params.iter().map(|(k, v)| format!("{k} = {v:?}")).collect();
            text += &format!("params = {{ {} }}\n", params.join(", "));
        }
        text + "\n"
    }
}

/// One source for each kind of secret that an entry's schemes take, for every entry of the
/// catalogue; their names begin with this.
pub(crate) fn of_every_kind(beginning: &str) -> Vec<Source> {
    let all = catalogue::all();
    let sources: Vec<_> = all.iter().flat_map(|p| kinds(beginning, p)).collect();
    assert!(sources.len() > all.len() / 2, "{sources:?}");
    sources
}

/// Those of one entry.
pub(crate) fn kinds(beginning: &str, provider: &'static Provider) -> Vec<Source> {
    let source = |kind: String, keys| Source {
        name: format!("{beginning}/{}/{kind}", provider.name),
        provider,
        keys,
    };
    if provider.schemes.is_empty() {
        return vec![source("unverified".to_owned(), None)];
    }
    let mut kinds: Vec<SecretForm> = Vec::new();
    let mut sources = Vec::new();
    for scheme in &provider.schemes {
        if !kinds.contains(&scheme.secret) {
            kinds.push(scheme.secret);
            let kind = format!("{:?}", scheme.secret).to_lowercase();
            sources.push(source(kind, Some(Keys::generate(provider, scheme))));
        }
    }
    sources
}

/// The provider's sample, new and signed, for this source.
pub(crate) fn sample(source: &Source) -> Delivery {
    let id = Uuid::new_v4().to_string();
    let (url, params) = (source.public_url(), source.params());
    let options = DeliveryOptions {
        id: &id,
        topic: None,
        tenant: None,
        body: None,
        now: SystemTime::now(),
        url: &url,
        params: &params,
    };
    let signed = match &source.keys {
        None => Signed::unsigned(source.provider, &options),
        Some(keys) => {
            let secret = Secret::new(keys.signs.clone().into_bytes()).expect("it is not empty");
            let sign = |scheme: &Scheme, signed: &[u8]| sign::sign(scheme, &secret, signed);
            let signed = Signed::signed(source.provider, &options, &sign);
            signed.expect("the keys are the provider's")
        }
    };
    request(&format!("/{}", source.name), signed)
}

/// Writes the file of these sources, beside their secrets.
pub(crate) fn write(sources: &[Source]) -> (TempDir, PathBuf) {
    let folder = TempDir::new_in(run_folder()).expect("the folder of the run is writable");
    let text: String = sources.iter().map(|s| s.write(folder.path())).collect();
    let file = folder.path().join("forwarder.toml");
    fs::write(&file, text).expect("the folder is writable");
    (folder, file)
}

/// What the program's own `send` makes, as a request to this path.
pub(crate) fn request(path: &str, signed: Signed) -> Delivery {
    let query = signed.query.map(|query| format!("?{query}"));
    let path = format!("{path}{}", query.unwrap_or_default());
    let mut delivery = Delivery::bare(Method::POST, &path).with_body(signed.body);
    for (name, value) in signed.headers {
        delivery = delivery.with(&name, value);
    }
    delivery
}

/// The request as the program's core sees it.
pub(crate) fn received(delivery: &Delivery) -> Received {
    let mut headers = HeaderMap::new();
    for (name, value) in &delivery.headers {
        let name: HeaderName = name.parse().expect("a header's name");
        headers.append(
            name,
            HeaderValue::from_bytes(value).expect("a header's value"),
        );
    }
    let (path, query) = match delivery.path.split_once('?') {
        Some((path, query)) => (path, Some(query.to_owned())),
        None => (delivery.path.as_str(), None),
    };
    Received {
        method: delivery.method.clone(),
        path: path.to_owned(),
        query,
        headers,
        body: delivery.body.clone().into(),
        at: SystemTime::now(),
    }
}

fn same(text: String) -> (String, String) {
    (text.clone(), text)
}

/// A private key as PKCS#8 PEM, and the public one's DER.
fn rsa() -> (String, Vec<u8>) {
    let pair = rsa::KeyPair::generate(KeySize::Rsa2048).expect("a key can be made");
    let private: Pkcs8V1Der<'_> = pair.as_der().expect("a private key");
    let public: PublicKeyX509Der<'_> = pair.public_key().as_der().expect("a public key");
    (
        pem("PRIVATE KEY", private.as_ref()),
        public.as_ref().to_vec(),
    )
}

fn jwks(public: &[u8], id: &str) -> String {
    let (_, public) = SubjectPublicKeyInfo::from_der(public).expect("a public key");
    let Ok(PublicKey::RSA(public)) = public.parsed() else {
        panic!("no RSA key");
    };
    let number = |bytes: &[u8]| {
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        URL_SAFE_NO_PAD.encode(&bytes[zeros..])
    };
    let (n, e) = (number(public.modulus), number(public.exponent));
    json!({"keys": [{"kty": "RSA", "kid": id, "n": n, "e": e}]}).to_string()
}

/// How the provider's sample names its key.
fn key_id(provider: &Provider, scheme: &Scheme) -> String {
    let options = DeliveryOptions {
        id: "",
        topic: None,
        tenant: None,
        body: None,
        now: SystemTime::UNIX_EPOCH,
        url: "",
        params: &[],
    };
    let place = scheme.key_id.as_ref().expect("a key set has ids");
    let sample = request("/", Signed::unsigned(provider, &options));
    place
        .find(&received(&sample))
        .one()
        .expect("the sample names its key")
}
