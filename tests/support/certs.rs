//! A certificate authority, made for this run, and certificates for the forwarder.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};

/// A certificate and its key as files, and the authority to trust.
#[derive(Debug)]
pub(crate) struct Certificates {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
    /// The authority alone.
    pub(crate) ca: PathBuf,
    authority: CertificateDer<'static>,
    _folder: TempDir,
}

impl Certificates {
    /// The ones that every forwarder of the run uses.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Certificates> = OnceLock::new();
        SHARED.get_or_init(Self::generate)
    }

    pub(crate) fn generate() -> Self {
        Self::valid_until(SystemTime::now() + Duration::from_secs(365 * 86_400))
    }

    pub(crate) fn valid_until(end: SystemTime) -> Self {
        Self::named(&["localhost", "127.0.0.1"], end)
    }

    pub(crate) fn named(names: &[&str], end: SystemTime) -> Self {
        let authority_key = KeyPair::generate().expect("a key can be made");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = params.self_signed(&authority_key).expect("a valid request");
        let issuer = Issuer::new(params, authority_key);

        let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
        let leaf_key = KeyPair::generate().expect("a key can be made");
        let mut params = CertificateParams::new(names).expect("valid names");
        params.not_after = end.into();
        let leaf = params.signed_by(&leaf_key, &issuer);
        let leaf = leaf.expect("a valid request");

        // Cargo's folder, so that the next run can remove what a static or a kill leaves behind.
        let prefix = format!("run-{}-", std::process::id());
        let folder = TempDir::with_prefix_in(prefix, env!("CARGO_TARGET_TMPDIR"));
        let folder = folder.expect("a temporary folder can be made");
        let cert = folder.path().join("fullchain.pem");
        let key = folder.path().join("privkey.pem");
        let ca = folder.path().join("ca.pem");
        fs::write(&ca, authority.pem()).expect("the folder is writable");
        fs::write(&cert, leaf.pem() + &authority.pem()).expect("the folder is writable");
        fs::write(&key, leaf_key.serialize_pem()).expect("the folder is writable");
        Self {
            cert,
            key,
            ca,
            authority: authority.der().clone(),
            _folder: folder,
        }
    }

    /// The leaf, as a server shows it.
    pub(crate) fn leaf(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_file(&self.cert).expect("the first is the leaf")
    }

    /// Those who trust this authority only.
    pub(crate) fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots
            .add(self.authority.clone())
            .expect("our own authority");
        roots
    }

    /// A client that trusts this authority only and speaks exactly this version and protocol.
    pub(crate) fn client(
        &self,
        version: &'static SupportedProtocolVersion,
        alpn: &str,
    ) -> ClientConfig {
        let roots = self.roots();
        let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[version])
            .expect("the provider has the version")
            .with_root_certificates(roots)
            .with_no_client_auth();
        if !alpn.is_empty() {
            config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
        }
        config
    }
}

/// DER as PEM under this label.
pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<_> = text
        .as_bytes()
        .chunks(64)
        .map(String::from_utf8_lossy)
        .collect();
    let lines = lines.join("\n");
    format!("-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n")
}
