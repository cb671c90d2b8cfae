//! New settings without a restart: configuration, secrets and certificates are read again every
//! two seconds (by content: it works with the symlinks of Kubernetes) and at SIGHUP, checked
//! whole, and swapped in between two requests. The last good ones stay if the new ones are bad.

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use tokio::signal::unix::Signal;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

use crate::cli::ServeArgs;
use crate::commands::Failure;
use crate::commands::load::{Loaded, all};
use crate::core::config::listen::Listen;
use crate::core::config::{Config, Identity, Mistake, Outside, Temporal as Said};
use crate::forward::{Forwarder, Settings};
use crate::server::tls::{self, Certificate};
use crate::telemetry::{CERTIFICATE_EXPIRY, LAST_RELOAD};
use crate::temporal::Temporal;

/// The world, as a task of its own may ask it.
pub type SharedOutside = Arc<dyn Outside + Send + Sync>;

/// What a reload reads and what it replaces.
pub struct Reload<T> {
    /// The flags stay what they are.
    pub args: ServeArgs,
    /// Where files are read.
    pub outside: SharedOutside,
    /// Gets new sources and payload keys.
    pub forwarder: Arc<Forwarder<T>>,
    /// Gets a new certificate.
    pub certificate: Option<Arc<Certificate>>,
}

/// Settings that hold until a restart.
#[derive(PartialEq, Eq, Clone)]
struct Fixed {
    public: Listen,
    admin: Option<Listen>,
    temporal: Said,
}

/// Settings that were read and found to be good.
struct Good {
    config: Config,
    acceptor: Option<TlsAcceptor>,
    fixed: Fixed,
}

impl<T: Temporal> Reload<T> {
    /// Watches for ever.
    pub async fn watch(self, mut hangup: Signal) {
        let mut seen = None;
        let mut fixed = None;
        loop {
            let (args, outside) = (self.args.clone(), Arc::clone(&self.outside));
            // Reading a slow file system must not hold up requests.
            let read = tokio::task::spawn_blocking(move || read(&args, &*outside)).await;
            if let Ok((digest, result)) = read {
                let first = seen.is_none();
                if seen.replace(digest) != Some(digest) {
                    self.take(result, first, &mut fixed);
                }
            }
            tokio::select! {
                () = sleep(EVERY) => {}
                _ = hangup.recv() => {
                    tracing::info!("SIGHUP: reading the configuration again");
                    seen = seen.map(|_| [0; 32]);
                }
            }
        }
    }

    fn take(&self, result: Result<Good, Vec<Mistake>>, first: bool, fixed: &mut Option<Fixed>) {
        let good = match result {
            Ok(good) => good,
            Err(mistakes) => {
                metrics::gauge!(LAST_RELOAD).set(0.0);
                for mistake in mistakes {
                    tracing::error!(
                        mistake = mistake.to_string(),
                        "the new configuration is not used"
                    );
                }
                return;
            }
        };
        let known = fixed.get_or_insert_with(|| good.fixed.clone());
        if *known != good.fixed {
            tracing::warn!(
                "other addresses of listeners or of Temporal take effect at the next start"
            );
        }
        metrics::gauge!(LAST_RELOAD).set(1.0);
        if first {
            // What the process started with.
            return;
        }
        if let Some(expiry) = good.config.tls.as_ref().and_then(tls::expiry) {
            metrics::gauge!(CERTIFICATE_EXPIRY).set(expiry as f64);
        }
        if let Some((certificate, acceptor)) = self.certificate.as_ref().zip(good.acceptor) {
            certificate.replace(acceptor);
        }
        let Config {
            sources, sealing, ..
        } = good.config;
        let count = sources.len();
        self.forwarder.replace(Settings { sources, sealing });
        tracing::info!(sources = count, "configuration reloaded");
    }
}

/// The settings, and a digest of everything that they were read from.
fn read(args: &ServeArgs, outside: &dyn Outside) -> ([u8; 32], Result<Good, Vec<Mistake>>) {
    let recorder = Recorder {
        outside,
        digest: RefCell::new(digest::Context::new(&digest::SHA256)),
    };
    let result = good(args, &recorder);
    let digest = recorder.digest.into_inner().finish();
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest.as_ref());
    (bytes, result)
}

fn good(args: &ServeArgs, outside: &dyn Outside) -> Result<Good, Vec<Mistake>> {
    let whole = Loaded::new(args, outside)
        .and_then(|loaded| all(loaded.config, loaded.public, loaded.admin, loaded.temporal));
    let (config, public, admin, _) = whole.map_err(|failure| match failure {
        Failure::Configuration(mistakes) => mistakes,
        other => vec![Mistake::new("configuration", format!("{other:?}"))],
    })?;
    let acceptor = config.tls.as_ref().map(tls::acceptor).transpose();
    let acceptor = acceptor.map_err(|problem| vec![Mistake::new("TLS", problem)])?;
    let temporal = config.temporal.clone();
    Ok(Good {
        config,
        acceptor,
        fixed: Fixed {
            public,
            admin,
            temporal,
        },
    })
}

/// Digests whatever is read through it.
struct Recorder<'a> {
    outside: &'a dyn Outside,
    digest: RefCell<digest::Context>,
}

impl Recorder<'_> {
    fn note(&self, name: &[u8], content: &[u8]) {
        let mut digest = self.digest.borrow_mut();
        for part in [name, content] {
            digest.update(&(part.len() as u64).to_be_bytes());
            digest.update(part);
        }
    }
}

impl Outside for Recorder<'_> {
    fn env(&self, name: &str) -> Option<Vec<u8>> {
        self.outside.env(name)
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        let result = self.outside.read(path);
        let content = result.as_ref().map_or_else(String::as_bytes, Vec::as_slice);
        self.note(path.as_os_str().as_encoded_bytes(), content);
        result
    }

    fn check_identity(&self, identity: &Identity) -> Result<(), String> {
        self.outside.check_identity(identity)
    }
}

const EVERY: Duration = Duration::from_secs(2);
