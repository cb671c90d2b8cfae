//! The connections to Temporal: made in the background, renewed when their settings change, and
//! replaced when they freeze.

use std::error::Error;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use temporalio_client::errors::ClientConnectError;
use temporalio_client::{Connection, GrpcCompression};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use self::frozen::keep;
use super::connect::Settings;
use super::lean::Lean;
use super::pool::Pool;
use super::status;
use super::wire::Wire;

mod frozen;

/// What goes through one thing that may freeze: the official client's connection, and ours beside it
/// for what is asked for each event.
pub struct Line {
    /// For everything.
    pub official: Connection,
    /// For unary calls; none if they are to be compressed.
    pub wire: Option<Arc<dyn Wire>>,
}

/// What is below the connections: the real network, or a simulated one.
pub struct Network {
    /// Makes a connection with these settings, or says why there is none.
    pub dial: Box<Dial>,
    /// Where chance begins.
    pub seed: u64,
}

/// See [`Network::dial`].
pub type Dial = dyn Fn(Settings) -> BoxFuture<'static, Result<Line, String>> + Send + Sync;

impl Network {
    /// The real one.
    pub fn real() -> Self {
        Self {
            dial: Box::new(|settings| Box::pin(async move { Line::connect(&settings).await })),
            seed: Uuid::new_v4().as_u64_pair().0,
        }
    }
}

impl Line {
    async fn connect(settings: &Settings) -> Result<Self, String> {
        let official = connect(settings).await?;
        let agent = [official.client_name(), official.client_version()].map(str::to_owned);
        let wire: Option<Arc<dyn Wire>> = match settings.options.grpc_compression {
            GrpcCompression::None => Some(Lean::connect(settings, agent).await?),
            _ => None,
        };
        Ok(Self { official, wire })
    }
}

/// Connections, as soon as there are some.
pub struct Link {
    dial: Box<Dial>,
    updates: watch::Sender<Settings>,
    pool: Pool<Line>,
    /// Of the last try.
    error: RwLock<Option<String>>,
}

impl Link {
    /// No connection yet.
    pub fn new(settings: Settings, network: Network) -> Self {
        Self {
            dial: network.dial,
            pool: Pool::new(settings.connections, network.seed),
            updates: watch::Sender::new(settings),
            error: RwLock::new(None),
        }
    }

    /// One connection, made in one try.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn connected(settings: Settings) -> Result<Self, String> {
        let line = Line::connect(&settings).await?;
        let link = Self::new(settings, Network::real());
        link.pool.begin(line, 1);
        Ok(link)
    }

    /// Where new settings are put.
    pub fn settings_sender(&self) -> watch::Sender<Settings> {
        self.updates.clone()
    }

    /// What calls are spread over.
    pub const fn pool(&self) -> &Pool<Line> {
        &self.pool
    }

    /// Whether there is a connection to use now.
    pub fn is_connected(&self) -> bool {
        !self.pool.is_empty()
    }

    /// A connection to use now.
    pub fn connection(&self) -> Option<Connection> {
        self.pool.lease(None).map(|lease| lease.official.clone())
    }

    /// Why there is no connection.
    pub fn why_not(&self) -> String {
        let error = self.error.read().unwrap_or_else(PoisonError::into_inner);
        error.clone().unwrap_or_else(|| NOT_TRIED.to_owned())
    }

    /// Makes the connections what the settings say: with a new API key or metadata they go on, with
    /// anything else new another one takes their place as soon as Temporal answers on it. Gives the
    /// settings that are then in use; `used` is what it gave before.
    pub async fn renew(
        &self,
        updates: &mut watch::Receiver<Settings>,
        used: Option<Settings>,
    ) -> Settings {
        let mut pause = FIRST_PAUSE;
        loop {
            let settings = updates.borrow_and_update().clone();
            if self.goes_on(&settings, used.as_ref()) {
                return settings;
            }
            match (self.dial)(settings.clone()).await {
                Ok(line) => {
                    self.pool.begin(line, settings.connections);
                    tracing::info!(
                        address = settings.address,
                        namespace = settings.namespace,
                        security = settings.security(),
                        "connected to Temporal"
                    );
                    return settings;
                }
                Err(error) => {
                    tracing::warn!(
                        address = settings.address,
                        security = settings.security(),
                        error,
                        "{}",
                        if used.is_some() { NO_OTHER } else { NONE_YET }
                    );
                    *self.error.write().unwrap_or_else(PoisonError::into_inner) = Some(error);
                }
            }
            tokio::select! {
                biased;
                () = sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
                _ = updates.changed() => pause = FIRST_PAUSE,
            }
        }
    }

    /// Keeps as many connections as the settings say, and replaces those that freeze, for ever.
    pub async fn keep(&self, settings: &Settings) {
        let dial = || async move {
            let connected = (self.dial)(settings.clone()).await;
            if let Err(error) = &connected {
                let address = &settings.address;
                tracing::debug!(address, error, "no further connection to Temporal");
            }
            connected
        };
        let slots = 0..self.pool.size();
        join_all(slots.map(|slot| keep(&self.pool, slot, dial, &settings.address))).await;
    }

    /// Whether the connections that are there can go on with these settings; then they do.
    fn goes_on(&self, settings: &Settings, used: Option<&Settings>) -> bool {
        let same = used.is_some_and(|used| used.has_channel_of(settings));
        let all = self.pool.all();
        if all.is_empty() || !same {
            return false;
        }
        for line in all {
            line.official.set_api_key(settings.options.api_key.clone());
            let headers = settings.options.headers.clone();
            let set = line.official.set_headers(headers.unwrap_or_default());
            if set.is_err() {
                return false;
            }
            if let Some(wire) = &line.wire {
                wire.go_on_with(settings);
            }
        }
        tracing::info!(
            security = settings.security(),
            "the connection to Temporal goes on with another API key or other metadata"
        );
        true
    }
}

/// One try.
///
/// # Errors
/// Why there is no connection.
pub async fn connect(settings: &Settings) -> Result<Connection, String> {
    let connecting = Connection::connect(settings.options.clone());
    match timeout(CONNECT_TIMEOUT, connecting).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(ClientConnectError::SystemInfoCallError(status))) => {
            let text = status::text(&status);
            // With a source of its own it is none of Temporal's: the connection broke.
            let broke = status.source().is_some();
            Err(explained(if broke {
                text + settings.doubt()
            } else {
                text
            }))
        }
        Ok(Err(error)) => Err(explained(
            anyhow::Error::from(error).root_cause().to_string(),
        )),
        Err(_) => Err("no answer in time".to_owned()),
    }
}

/// The TLS library's words in an operator's.
fn explained(text: String) -> String {
    let mut known = IN_WORDS.iter().filter(|(theirs, _)| text.contains(theirs));
    match known.next() {
        Some((_, ours)) => format!("{ours} ({text})"),
        None => text,
    }
}

const NOT_TRIED: &str = "there is no connection yet";
const NONE_YET: &str = "no connection to Temporal, trying again";
const NO_OTHER: &str =
    "no connection to Temporal with the new settings, trying again; the old one stays in use";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Part of the TLS library's message, and what it means.
const IN_WORDS: [(&str, &str); 4] = [
    (
        "received corrupt message",
        "Temporal does not speak TLS there, and the settings ask for it",
    ),
    (
        "invalid peer certificate: BadEncoding",
        "Temporal's certificate cannot be read; if it is X.509 version 1, it needs one of version 3, with a subjectAltName: no TLS client accepts another",
    ),
    ("invalid peer certificate: UnknownIssuer", STRANGER),
    ("invalid peer certificate: BadSignature", STRANGER),
];
const STRANGER: &str =
    "the authority that signed Temporal's certificate is not one that is trusted: tls.ca names it";
