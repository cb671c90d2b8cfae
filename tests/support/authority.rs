//! An authority that signs certificates of clients, and says which of them it has revoked.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertificateRevocationListParams, DnType,
    IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SanType, SerialNumber,
};
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::crypto::aws_lc_rs::sign::any_supported_type;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio_rustls::rustls::{ClientConfig, SupportedProtocolVersion};

use super::certs::Certificates;

/// The authority.
pub(crate) struct Authority {
    certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate that it has signed, and its key.
#[derive(Debug, Clone)]
pub(crate) struct ClientIdentity {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    key: Vec<u8>,
    serial: u64,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let key = KeyPair::generate().expect("a key can be made");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.self_signed(&key).expect("a valid request");
        Self {
            certificate,
            issuer: Issuer::new(params, key),
        }
    }

    /// PEM.
    pub(crate) fn pem(&self) -> String {
        self.certificate.pem()
    }

    /// With this common name, and these names in its subjectAltName; `URI:` stands before one that is none of
    /// a host.
    pub(crate) fn sign(&self, common_name: &str, names: &[&str]) -> ClientIdentity {
        self.sign_until(
            common_name,
            names,
            SystemTime::now() + Duration::from_secs(86_400),
        )
    }

    pub(crate) fn sign_until(
        &self,
        common_name: &str,
        names: &[&str],
        end: SystemTime,
    ) -> ClientIdentity {
        let key = KeyPair::generate().expect("a key can be made");
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, common_name);
        params.subject_alt_names = names
            .iter()
            .map(|name| match name.strip_prefix("URI:") {
                Some(uri) => SanType::URI(uri.try_into().expect("ASCII")),
                None => SanType::DnsName((*name).try_into().expect("ASCII")),
            })
            .collect();
        params.not_after = end.into();
        let serial = rand();
        params.serial_number = Some(SerialNumber::from(serial));
        let signed = params.signed_by(&key, &self.issuer);
        ClientIdentity {
            chain: vec![signed.expect("a valid request").der().clone()],
            key: key.serialize_der(),
            serial,
        }
    }

    /// PEM; to be replaced at this time.
    pub(crate) fn revoking(&self, revoked: &[&ClientIdentity], until: SystemTime) -> String {
        let long_ago = SystemTime::now() - Duration::from_secs(30 * 86_400);
        let entry = |identity: &&ClientIdentity| RevokedCertParams {
            serial_number: SerialNumber::from(identity.serial),
            revocation_time: long_ago.into(),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: long_ago.into(),
            next_update: until.into(),
            crl_number: SerialNumber::from(rand()),
            issuing_distribution_point: None,
            revoked_certs: revoked.iter().map(entry).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = list.signed_by(&self.issuer).expect("a valid list");
        list.pem().expect("it has a form in text")
    }
}

impl ClientIdentity {
    /// The certificate of this one, and the key of the other: what a thief has.
    pub(crate) fn with_key_of(&self, other: &Self) -> Self {
        Self {
            key: other.key.clone(),
            ..self.clone()
        }
    }

    /// A client that trusts our forwarders, and shows this.
    pub(crate) fn client(
        &self,
        version: &'static SupportedProtocolVersion,
        alpn: &str,
    ) -> ClientConfig {
        let mut config = Certificates::shared().client(version, alpn);
        let key = PrivateKeyDer::try_from(self.key.clone()).expect("a key");
        let key = any_supported_type(&key).expect("a key of a known type");
        // Nothing is checked here: what does not fit is the server's to find.
        let shown = CertifiedKey::new(self.chain.clone(), key);
        config.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(shown));
        config
    }
}

/// Any serial number.
fn rand() -> u64 {
    let mut bytes = [0; 8];
    let provider = default_provider();
    provider.secure_random.fill(&mut bytes).expect("randomness");
    u64::from_be_bytes(bytes) >> 1
}
