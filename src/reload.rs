//! New settings without a restart: configuration, secrets and certificates are read again every
//! two seconds (by content: it works with the symlinks of Kubernetes) and at SIGHUP, checked
//! whole, and swapped in between two requests. The last good ones stay if the new ones are bad.

mod changes;
pub mod poll;

use std::cell::RefCell;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest;
use tokio::signal::unix::Signal;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use webhook_core::secret::Secret;

pub use self::changes::Inventory;
use crate::admin::access::Access;
use crate::admin::configuration::Configuration;
use crate::cli::ServeArgs;
use crate::config::acme::Acme;
use crate::config::listen::Listen;
use crate::config::{Config, Environment, Identity, Mistake};
use crate::expiry::{self, Dated};
use crate::forward::{Forwarder, Settings};
use crate::load::{Loaded, all};
use crate::server::Limits;
use crate::server::proxy::Trusted;
use crate::storage::Store;
use crate::telemetry::{self, LAST_RELOAD};
use crate::temporal::connect::Settings as Connection;
use crate::temporal::{Temporal, attributes};
use crate::tls::{self, Acceptor, Certificate, Ordered};

/// The world, as a task of its own may ask it.
pub type SharedEnvironment = Arc<dyn Environment + Send + Sync>;

/// What a reload reads and what it replaces.
pub struct Reload<T> {
    /// The flags stay what they are.
    pub args: ServeArgs,
    /// Where files are read.
    pub environment: SharedEnvironment,
    /// Gets new sources and payload keys.
    pub forwarder: Arc<Forwarder<T>>,
    /// Gets new proxies that are trusted.
    pub trusted: Arc<Trusted>,
    /// Gets a new certificate.
    pub certificate: Option<Arc<Certificate>>,
    /// What an authority issues by itself, whatever else is new.
    pub ordered: Option<Arc<Ordered>>,
    /// Gets new settings of the connection to Temporal.
    pub temporal: watch::Sender<Connection>,
    /// Hears what became of new settings.
    pub configuration: Arc<Configuration>,
    /// Gets a new token of the admin listener, if there is one.
    pub access: Option<Arc<Access>>,
    /// Gets to know until when new certificates are good.
    pub certificates: watch::Sender<Vec<Dated>>,
    /// The settings in use, for saying what changes.
    pub in_use: Mutex<Inventory>,
    /// Asks Temporal about the newest settings.
    pub asking: Mutex<Option<JoinHandle<()>>>,
}

/// What the process started with.
pub struct Origin {
    /// Of everything that it was read from.
    pub digest: Digest,
    /// What a reload does not change.
    pub fixed: Fixed,
}

/// Settings that hold until a restart.
#[derive(PartialEq, Eq, Clone)]
pub struct Fixed {
    /// Where webhooks are received.
    pub public: Option<Listen>,
    /// Where operators look.
    pub admin: Option<Listen>,
    /// Where events go: address and namespace.
    pub temporal: (String, String),
    /// Which certificate is ordered, and from whom.
    pub acme: Option<Acme>,
    /// Of connections.
    pub limits: Limits,
    /// Whether senders' traces are continued.
    pub trust_traceparent: bool,
}

/// SHA-256 of all files that were read, and of all that could not be.
pub type Digest = [u8; 32];

/// Settings that were read and found to be good.
struct Good {
    config: Config,
    acceptor: Option<Acceptor>,
    temporal: Connection,
    large: Option<Store>,
    fixed: Fixed,
}

impl<T: Temporal> Reload<T> {
    /// Watches for ever.
    pub async fn watch(self, origin: Origin, hangup: Signal) {
        metrics::gauge!(LAST_RELOAD).set(1.0);
        let (args, environment) = (self.args.clone(), Arc::clone(&self.environment));
        let ordered = self.ordered.clone();
        let read = move || read(&args, &*environment, ordered.as_ref());
        let take = |result| self.take(result, &origin.fixed);
        poll::watch(origin.digest, hangup, read, take).await;
    }

    fn take(&self, result: Result<Good, Vec<Mistake>>, fixed: &Fixed) {
        let good = match result {
            Ok(good) => good,
            Err(mistakes) => return self.refused(&mistakes),
        };
        let mut in_use = self.in_use.lock().unwrap_or_else(PoisonError::into_inner);
        let losses = in_use.losses(&good.config, &self.file());
        if !losses.is_empty() {
            return self.refused(&losses);
        }
        let needs_restart = *fixed != good.fixed;
        if needs_restart {
            tracing::warn!(
                "other addresses of listeners, another address or namespace of Temporal, or other settings of [server] take effect at the next start"
            );
        }
        if fixed.temporal == good.fixed.temporal {
            self.temporal.send_if_modified(|wanted| {
                let is_new = !good.temporal.connects_as(wanted);
                if is_new {
                    *wanted = good.temporal;
                }
                is_new
            });
        }
        // Of another Temporal nothing is in use.
        let connection = self.temporal.borrow().clone();
        let inventory = Inventory::new(&good.config, &connection);
        let dated = expiry::certificates(&good.config, &connection, self.ordered.as_ref());
        metrics::gauge!(LAST_RELOAD).set(1.0);
        expiry::measure(&dated, &self.certificates.borrow());
        if let Some((certificate, acceptor)) = self.certificate.as_ref().zip(good.acceptor) {
            certificate.replace(acceptor);
        }
        self.certificates
            .send_if_modified(|old| std::mem::replace(old, dated.clone()) != dated);
        telemetry::announce_sources(&good.config);
        self.ask_for_attributes(&good.config, connection);
        if let Some(access) = &self.access {
            access.replace(good.config.admin.clone());
        }
        let Config {
            sources,
            codec,
            metrics,
            warnings,
            index,
            proxies,
            ..
        } = good.config;
        let count = sources.len();
        self.trusted.replace(proxies.clone());
        self.forwarder.replace(
            Settings::new(sources, codec, good.large, &metrics)
                .indexed(index)
                .behind(proxies),
        );
        let changed = inventory.since(&in_use);
        *in_use = inventory;
        self.configuration.taken(&changed, needs_restart, &warnings);
        tracing::info!(sources = count, changed, "configuration reloaded");
    }

    fn refused(&self, mistakes: &[Mistake]) {
        metrics::gauge!(LAST_RELOAD).set(0.0);
        not_used(mistakes);
        self.configuration.refused(mistakes);
    }

    /// How a mistake names the configuration file.
    fn file(&self) -> String {
        let file = self.args.config.as_ref();
        file.map_or_else(
            || "configuration".to_owned(),
            |file| file.display().to_string(),
        )
    }

    /// In the background, for a while: Temporal may be away, and the settings are good without its
    /// answer. What was asked for older settings matters no more.
    fn ask_for_attributes(&self, config: &Config, connection: Connection) {
        let wanted = attributes::expected(&config.sources);
        let asking = (!wanted.is_empty()).then(|| {
            tokio::spawn(async move {
                if timeout(ASKING, attributes::warn(&connection, wanted))
                    .await
                    .is_err()
                {
                    tracing::debug!("search attributes were asked for in vain");
                }
            })
        });
        let mut last = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = std::mem::replace(&mut *last, asking) {
            last.abort();
        }
    }
}

/// Says what is wrong with new settings: the old ones stay.
pub fn not_used(mistakes: &[Mistake]) {
    for mistake in mistakes {
        tracing::error!(
            mistake = mistake.to_string(),
            "the new configuration is not used"
        );
    }
}

/// The settings, and a digest of everything that they were read from.
fn read(
    args: &ServeArgs,
    environment: &dyn Environment,
    ordered: Option<&Arc<Ordered>>,
) -> poll::Reading<Good> {
    let recorder = Recorder::new(environment);
    let result = good(args, &recorder, ordered);
    (recorder.digest(), result)
}

fn good(
    args: &ServeArgs,
    environment: &dyn Environment,
    ordered: Option<&Arc<Ordered>>,
) -> Result<Good, Vec<Mistake>> {
    let loaded = Loaded::new(args, environment)?;
    let (config, public, admin, temporal) =
        all(loaded.config, loaded.public, loaded.admin, loaded.temporal)?;
    let acceptor = tls::acceptor_of(config.tls.as_ref(), ordered)?;
    let large = config.large.as_ref().map(Store::new).transpose()?;
    let fixed = Fixed {
        public: Some(public),
        admin,
        temporal: (temporal.address.clone(), temporal.namespace.clone()),
        acme: config.tls.as_ref().and_then(|tls| tls.acme.clone()),
        limits: Limits::public(&config),
        trust_traceparent: config.trust_traceparent,
    };
    Ok(Good {
        config,
        acceptor,
        temporal,
        large,
        fixed,
    })
}

/// Digests whatever is read through it.
pub struct Recorder<'a> {
    environment: &'a dyn Environment,
    digest: RefCell<digest::Context>,
}

impl<'a> Recorder<'a> {
    /// Nothing was read yet.
    pub fn new(environment: &'a dyn Environment) -> Self {
        Self {
            environment,
            digest: RefCell::new(digest::Context::new(&digest::SHA256)),
        }
    }

    /// Of everything that was read.
    pub fn digest(self) -> Digest {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.digest.into_inner().finish().as_ref());
        bytes
    }

    fn note(&self, name: &[u8], content: &[u8]) {
        let mut digest = self.digest.borrow_mut();
        for part in [name, content] {
            digest.update(&(part.len() as u64).to_be_bytes());
            digest.update(part);
        }
    }
}

impl Environment for Recorder<'_> {
    fn var(&self, name: &str) -> Option<Vec<u8>> {
        self.environment.var(name)
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        let result = self.environment.read(path);
        let content = result.as_ref().map_or_else(String::as_bytes, Vec::as_slice);
        self.note(path.as_os_str().as_encoded_bytes(), content);
        result
    }

    fn verify_token(&self) -> Option<Secret> {
        self.environment.verify_token()
    }

    fn check_identity(&self, identity: &Identity) -> Result<(), String> {
        self.environment.check_identity(identity)
    }

    fn check_authorities(&self, pem: &[u8]) -> Result<(), String> {
        self.environment.check_authorities(pem)
    }

    fn check_revocation(&self, authorities: &[u8], pem: &[u8]) -> Result<(), String> {
        self.environment.check_revocation(authorities, pem)
    }

    fn doubts(&self, identity: &Identity) -> Vec<String> {
        self.environment.doubts(identity)
    }

    fn names(&self, identity: &Identity) -> Vec<String> {
        self.environment.names(identity)
    }
}

/// For so long Temporal is asked about new settings.
const ASKING: Duration = Duration::from_secs(30);
