//! Certificates that an authority issues by itself (ACME, RFC 8555): ordered when there is none, renewed in
//! the last third of its life, shared with replicas by way of a folder.

mod cache;
mod http;
mod order;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout};

pub use self::cache::Cache;
use crate::config::Identity;
use crate::config::acme::Acme;
use crate::expiry::{self, Dated};
use crate::telemetry::ACME_ORDERS;
use crate::tls::{self, Ordered};

/// What it takes to keep a certificate.
pub struct Keeper {
    /// Which, and from whom.
    pub settings: Acme,
    /// Where it is kept.
    pub cache: Cache,
    /// Who shows it.
    pub ordered: Arc<Ordered>,
}

impl Keeper {
    /// What is in the folder is shown from the start.
    ///
    /// # Errors
    /// A folder that cannot be used.
    pub fn new(settings: &Acme) -> Result<Self, String> {
        let cache = Cache::open(settings)?;
        let ordered = Ordered::new(settings.domains.clone(), cache.answers());
        if let Some(identity) = cache.certificate(&settings.domains) {
            ordered.replace(&identity)?;
        }
        Ok(Self {
            settings: settings.clone(),
            cache,
            ordered: Arc::new(ordered),
        })
    }

    /// For ever. Who asks when certificates expire is told of each new one.
    pub async fn keep(self, certificates: watch::Sender<Vec<Dated>>) {
        for result in ["ok", "failed"] {
            metrics::counter!(ACME_ORDERS, "result" => result).increment(0);
        }
        self.announce(&certificates);
        let mut pause = FIRST_PAUSE;
        let mut not_before = Instant::now();
        loop {
            // Another replica may have ordered it.
            self.take_up(&certificates).await;
            let wait = self
                .until_due()
                .max(not_before.saturating_duration_since(Instant::now()));
            if !wait.is_zero() {
                sleep(wait.min(LOOK)).await;
                continue;
            }
            match self.order_alone().await {
                Ok(Turn::Ordered) => pause = FIRST_PAUSE,
                // Whoever has the turn is at it.
                Ok(Turn::Another) => sleep(TURN).await,
                Err(problem) => {
                    metrics::counter!(ACME_ORDERS, "result" => "failed").increment(1);
                    let (domains, next) = (self.settings.domains.join(", "), pause.as_secs());
                    let text = "no certificate could be ordered";
                    match self.ordered.validity() {
                        Some(validity) if validity.end > expiry::now() => {
                            tracing::warn!(domains, problem, next_try_seconds = next, "{text}");
                        }
                        _ => tracing::error!(domains, problem, next_try_seconds = next, "{text}"),
                    }
                    not_before = Instant::now() + pause;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// Shows what is in the folder, if it is another one.
    async fn take_up(&self, certificates: &watch::Sender<Vec<Dated>>) {
        let (cache, domains) = (self.cache.clone(), self.settings.domains.clone());
        let read = spawn_blocking(move || cache.certificate(&domains)).await;
        let Ok(Some(identity)) = read else {
            return;
        };
        let validity = tls::validity(&identity.cert);
        if validity == self.ordered.validity() {
            return;
        }
        match self.ordered.replace(&identity) {
            Ok(()) => {
                self.announce(certificates);
                let domains = self.settings.domains.join(", ");
                let expires = validity.map(|validity| expiry::date(validity.end));
                tracing::info!(domains, expires, "the ordered certificate is in use");
            }
            Err(problem) => tracing::error!(problem, "the ordered certificate cannot be used"),
        }
    }

    fn announce(&self, certificates: &watch::Sender<Vec<Dated>>) {
        let Some(validity) = self.ordered.validity() else {
            return;
        };
        expiry::renewed(certificates, Dated::ordered(&validity));
    }

    /// Nothing, if there is none or the last third of its life has begun.
    fn until_due(&self) -> Duration {
        let Some(validity) = self.ordered.validity() else {
            return Duration::ZERO;
        };
        let due = validity.end - (validity.end - validity.start) / 3;
        let seconds = u64::try_from(due - expiry::now());
        seconds.map_or(Duration::ZERO, Duration::from_secs)
    }

    /// One replica at a time; the others find it in the folder.
    async fn order_alone(&self) -> Result<Turn, String> {
        let cache = self.cache.clone();
        let turn = spawn_blocking(move || cache.turn()).await;
        let turn = turn.map_err(|error| error.to_string())??;
        let Some(_turn) = turn else {
            return Ok(Turn::Another);
        };
        let (cache, domains) = (self.cache.clone(), self.settings.domains.clone());
        let seen = spawn_blocking(move || cache.certificate(&domains)).await;
        let seen = seen.map_err(|error| error.to_string())?;
        let seen = seen.and_then(|identity| tls::validity(&identity.cert));
        if seen.is_some() && seen != self.ordered.validity() {
            // It was ordered while we waited for the turn.
            return Ok(Turn::Another);
        }
        let ordered = timeout(PATIENCE, order::order(&self.settings, &self.cache)).await;
        let issued = ordered.map_err(|_| "the authority took over five minutes".to_owned())??;
        tls::acceptor(&issued).map_err(|problem| format!("what was issued: {problem}"))?;
        self.cache.keep(&issued)?;
        metrics::counter!(ACME_ORDERS, "result" => "ok").increment(1);
        Ok(Turn::Ordered)
    }
}

enum Turn {
    Ordered,
    /// Another replica has it, or had it.
    Another,
}

/// What `check` says of the folder: the certificate in it, if there is one for these names.
///
/// # Errors
/// A folder that cannot be used.
pub fn cached(settings: &Acme) -> Result<Option<Identity>, String> {
    Ok(Cache::look(settings)?.and_then(|cache| cache.certificate(&settings.domains)))
}

/// How often the folder is looked at.
const LOOK: Duration = Duration::from_secs(30);
/// While another replica orders.
const TURN: Duration = Duration::from_secs(2);
/// For one order.
const PATIENCE: Duration = Duration::from_secs(300);
/// Between two failures: an authority counts them, Let's Encrypt five an hour for each name.
const FIRST_PAUSE: Duration = Duration::from_secs(5 * 60);
const LONGEST_PAUSE: Duration = Duration::from_secs(6 * 3600);
