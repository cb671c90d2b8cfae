//! Public keys and certificates that a request names by URL (AWS SNS, PayPal) or that a sender
//! publishes (JSON Web Key Sets): the only outbound network of verification. Off unless the
//! source says `fetch_keys = true`; https, from the provider's own hosts only, no redirects,
//! bounded in size, time and number, cached. A fetch has its own time: whoever asked for it may go.

mod table;

use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::{Client, Url, redirect};
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout, timeout_at};
use webhook_core::outcome::Reject;
use webhook_core::provider::locator::{Locator, Lookup};
use webhook_core::provider::scheme::Scheme;
use webhook_core::request::Received;
use webhook_core::secret::Secret;
use webhook_core::shown::shown;
use webhook_core::source::{Source, Verification};
use webhook_core::verify::key::Key;

use self::table::{Id, State, Table};

/// The keys that were fetched.
pub struct Keys {
    table: Arc<Mutex<Table>>,
    /// Of each source, for URLs that requests name and that no key has come from yet: [`FETCHES`] at a
    /// time, first come, first served. Made-up URLs hold up whatever else is new to that source (503,
    /// and it is sent again), never a key that is known, a fixed URL or another source.
    places: Mutex<HashMap<String, Arc<Semaphore>>>,
    download: Download,
}

type Download = Arc<dyn Fn(Url) -> Downloading + Send + Sync>;
type Downloading = Pin<Box<dyn Future<Output = Result<Vec<u8>, String>> + Send>>;

impl Default for Keys {
    fn default() -> Self {
        let https = Arc::new(Https::default());
        Self::by(Arc::new(move |url| {
            let https = Arc::clone(&https);
            Box::pin(async move { https.get(url).await })
        }))
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

/// For each of the source's verifiers the key that the request names, if it may be fetched.
///
/// # Errors
/// [`Reject::InvalidSignature`] for a URL of another host.
pub fn wanted(source: &Source, received: &Received) -> Result<Vec<Option<Wanted>>, Reject> {
    let verifiers = match &source.verification {
        Verification::Signature { verifiers, .. } if source.fetch_keys => verifiers.as_slice(),
        _ => &[],
    };
    let schemes = verifiers.iter().map(|verifier| &verifier.scheme);
    schemes
        .map(|scheme| Wanted::of(source, scheme, received))
        .collect()
}

/// A key that a request names.
#[derive(Debug)]
pub struct Wanted {
    /// The source's path.
    source: String,
    id: Id,
    /// Which one, if there is a set of them.
    key_id: Option<String>,
    /// The request had no say in the URL.
    is_fixed: bool,
}

impl Wanted {
    fn of(source: &Source, scheme: &Scheme, received: &Received) -> Result<Option<Self>, Reject> {
        let Some(place) = &scheme.key_url else {
            return Ok(None);
        };
        if Locator::find_first(&scheme.locations, received) == Lookup::Missing {
            return Ok(None);
        }
        let Some(url) = place.find(received) else {
            return Ok(None);
        };
        let url = Some(url)
            .filter(|url| place.accepts(url))
            .and_then(|url| Url::parse(&url).ok());
        let foreign = Reject::InvalidSignature("the key's URL is not one of the provider's".into());
        let key_id = scheme.key_id.as_ref();
        Ok(Some(Self {
            source: source.path.clone(),
            id: (url.ok_or(foreign)?, scheme.secret),
            key_id: key_id.and_then(|place| place.find(received).one()),
            is_fixed: place.is_fixed(),
        }))
    }
}

impl Keys {
    fn by(download: Download) -> Self {
        Self {
            table: Arc::default(),
            places: Mutex::default(),
            download,
        }
    }

    /// What is wanted.
    ///
    /// # Errors
    /// [`Reject::Unavailable`] if a key cannot be had by `deadline`.
    pub async fn get(
        &self,
        wanted: Vec<Option<Wanted>>,
        deadline: Instant,
    ) -> Result<Vec<Option<Arc<Key>>>, Reject> {
        let mut keys = Vec::new();
        for wanted in wanted {
            keys.push(match wanted {
                Some(wanted) => {
                    let key = self.one(&wanted, deadline).await;
                    let url = || shown(wanted.id.0.as_str());
                    let at = |problem| format!("the key at {}: {problem}", url());
                    Some(key.map_err(|problem| Reject::Unavailable(at(problem)))?)
                }
                None => None,
            });
        }
        Ok(keys)
    }

    async fn one(&self, wanted: &Wanted, deadline: Instant) -> Result<Arc<Key>, String> {
        let mut place = None;
        loop {
            let state = lock(&self.table).state(&wanted.id, wanted.key_id.as_deref());
            let (mut flight, old) = match state {
                State::Answer(answer) => return answer,
                State::Flight(flight, old) => (flight, old),
                State::Missing { again } => {
                    if !again && !wanted.is_fixed && place.is_none() {
                        place = Some(self.place(&wanted.source, deadline).await?);
                    } else {
                        self.fetch(wanted, place.take());
                    }
                    continue;
                }
            };
            place = None;
            let patience = old.as_ref().map(|_| Instant::now() + PATIENCE);
            let until = patience.map_or(deadline, |patience| patience.min(deadline));
            // It is over when nothing can change any more.
            let over = timeout_at(until, flight.changed()).await;
            match (over, old) {
                (Ok(_), _) => {}
                (Err(_), Some(old)) => return Ok(old),
                (Err(_), None) => return Err("no answer in time".to_owned()),
            }
        }
    }

    /// A place among the fetches of a source.
    async fn place(&self, source: &str, deadline: Instant) -> Result<OwnedSemaphorePermit, String> {
        let places = {
            let mut by_source = lock(&self.places);
            let places = by_source.entry(source.to_owned());
            Arc::clone(places.or_insert_with(|| Arc::new(Semaphore::new(FETCHES))))
        };
        let acquired = timeout_at(deadline, places.acquire_owned()).await;
        let place = acquired.ok().and_then(Result::ok);
        place.ok_or_else(|| "too many others are being fetched".to_owned())
    }

    /// Begins a fetch, unless somebody has meanwhile.
    fn fetch(&self, wanted: &Wanted, place: Option<OwnedSemaphorePermit>) {
        let (over, flight) = watch::channel(());
        if !lock(&self.table).begin(&wanted.id, flight) {
            return;
        }
        let (table, id) = (Arc::clone(&self.table), wanted.id.clone());
        let downloading = (self.download)(id.0.clone());
        tokio::spawn(async move {
            let fetched = timeout(TIMEOUT, downloading).await;
            let key = fetched
                .unwrap_or_else(|_| Err("no answer in time".to_owned()))
                .and_then(|bytes| Secret::new(bytes).ok_or_else(|| "nothing there".to_owned()))
                .and_then(|text| Key::new(id.1, &text).map_err(str::to_owned));
            lock(&table).end(id, key.map(Arc::new));
            drop((over, place));
        });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What fetches: one client for all, made when the first key is wanted.
#[derive(Default)]
struct Https(OnceCell<Client>);

impl Https {
    async fn get(&self, url: Url) -> Result<Vec<u8>, String> {
        let failed = |error: reqwest::Error| anyhow::Error::from(error).root_cause().to_string();
        let mut response = self.client().await?.get(url).send().await.map_err(failed)?;
        if !response.status().is_success() {
            return Err(format!("status {}", response.status()));
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            append(&mut bytes, &chunk)?;
        }
        Ok(bytes)
    }

    /// It reads the certificates that the machine trusts from disk: not on a thread that serves.
    async fn client(&self) -> Result<&Client, String> {
        let build = || {
            let builder = Client::builder().https_only(true).http1_only();
            let builder = builder.redirect(redirect::Policy::none()).timeout(TIMEOUT);
            // A key is fetched once an hour: no connection is worth keeping.
            builder.pool_max_idle_per_host(0).build()
        };
        let building = async || {
            let built = spawn_blocking(build).await;
            let built = built.map_err(|error| error.to_string())?;
            built.map_err(|error| error.to_string())
        };
        self.0.get_or_try_init(building).await
    }
}

fn append(bytes: &mut Vec<u8>, chunk: &[u8]) -> Result<(), String> {
    if bytes.len() + chunk.len() > MAX_BYTES {
        return Err("it is too large for a key".to_owned());
    }
    bytes.extend_from_slice(chunk);
    Ok(())
}

/// For a fetch, whoever waits for it.
const TIMEOUT: Duration = Duration::from_millis(1500);
/// For a fetch, where an old key would do.
const PATIENCE: Duration = Duration::from_millis(500);
/// At a time, of URLs that requests of one source named, and that no key has come from yet.
const FETCHES: usize = 4;
const MAX_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests;
