//! The certificate that an authority issues by ACME: shown for its names, and the proof (TLS-ALPN-01) that
//! they are ours, for the authority alone.

use std::fmt;
use std::fs;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use rcgen::{CertificateParams, CustomExtension, KeyPair};
use tokio_rustls::rustls::crypto::aws_lc_rs::sign::any_supported_type;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::sign::CertifiedKey;

use super::chain::validity;
use crate::config::Identity;

/// Outlives the settings: a reload shows the same.
pub struct Ordered {
    /// In lower case.
    domains: Vec<String>,
    /// Where what proves a name stands, while it is being proven, by us or by another replica.
    answers: PathBuf,
    current: RwLock<Option<Current>>,
}

#[derive(Clone)]
struct Current {
    certificate: Arc<CertifiedKey>,
    validity: Range<i64>,
}

impl Ordered {
    /// None yet.
    pub fn new(domains: Vec<String>, answers: PathBuf) -> Self {
        Self {
            domains,
            answers,
            current: RwLock::default(),
        }
    }

    /// From the next handshake on this one.
    ///
    /// # Errors
    /// It cannot serve.
    pub fn replace(&self, identity: &Identity) -> Result<(), String> {
        let current = Current {
            certificate: Arc::new(super::certified(identity)?),
            validity: validity(&identity.cert).ok_or("its expiry cannot be read")?,
        };
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(current);
        Ok(())
    }

    /// Of the one in use, Unix seconds.
    pub fn validity(&self) -> Option<Range<i64>> {
        self.current().map(|current| current.validity)
    }

    fn current(&self) -> Option<Current> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.clone()
    }

    /// The certificate, if there is one.
    pub(super) fn any(&self) -> Option<Arc<CertifiedKey>> {
        self.current().map(|current| current.certificate)
    }

    /// The certificate, if it is for this name, which is in lower case.
    pub(super) fn of(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        let is_ours = self.domains.iter().any(|domain| domain == name);
        is_ours.then(|| self.any())?
    }

    /// What proves that the name is ours, if it is being proven. A read of a small file: nobody asks but the
    /// authority, and whoever else does learns what the authority has told the world.
    pub(super) fn answer(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        let name = self.domains.iter().find(|domain| *domain == name)?;
        let digest = fs::read(self.answers.join(answer_name(name))).ok()?;
        let digest = hex::decode(digest).ok().filter(|it| it.len() == DIGEST)?;
        let mut params = CertificateParams::new([name.clone()]).ok()?;
        params.custom_extensions = vec![CustomExtension::new_acme_identifier(&digest)];
        let key = KeyPair::generate().ok()?;
        let certificate = params.self_signed(&key).ok()?;
        let key = PrivateKeyDer::try_from(key.serialize_der()).ok()?;
        let chain = vec![certificate.der().clone()];
        // What it has to say is an extension that nobody else knows: it is not to be read here.
        let key = any_supported_type(&key).ok()?;
        Some(Arc::new(CertifiedKey::new(chain, key)))
    }
}

impl fmt::Debug for Ordered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ordered").field(&self.domains).finish()
    }
}

/// The file in which the digest stands that proves this name.
pub fn answer_name(domain: &str) -> String {
    format!("challenge-{domain}")
}

/// Bytes of SHA-256.
const DIGEST: usize = 32;
