//! Public keys and certificates that a request names by URL (AWS SNS, PayPal) or that a sender
//! publishes (JSON Web Key Sets): the only outbound network of verification. Off unless the
//! source says `fetch_keys = true`; https, from the provider's own hosts only, no redirects,
//! bounded in size, time and number, cached.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, Url, redirect};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};

use crate::core::config::secret::Secret;
use crate::core::config::source::{Source, Verification};
use crate::core::outcome::Reject;
use crate::core::provider::locator::{Found, Locator};
use crate::core::provider::scheme::{Scheme, SecretForm};
use crate::core::request::Received;
use crate::core::verify::key::Key;

/// The cache.
#[derive(Debug, Default)]
pub struct Keys {
    entries: Mutex<HashMap<Url, Entry>>,
    /// One fetch at a time: whoever comes meanwhile finds what it brought.
    fetching: Mutex<()>,
}

#[derive(Debug, Clone)]
struct Entry {
    at: Instant,
    key: Result<Arc<Key>, String>,
}

impl Entry {
    /// Whether it will do for a request that names this key of a set.
    fn serves(&self, key_id: Option<&str>) -> bool {
        let lasts = match &self.key {
            Ok(key) if key.has(key_id) => FRESH,
            // The sender may have published another one meanwhile.
            Ok(_) | Err(_) => FAILED,
        };
        self.at.elapsed() < lasts
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
    schemes.map(|scheme| Wanted::of(scheme, received)).collect()
}

/// A key that a request names.
#[derive(Debug)]
pub struct Wanted {
    url: Url,
    form: SecretForm,
    /// Which one, if there is a set of them.
    key_id: Option<String>,
}

impl Wanted {
    fn of(scheme: &Scheme, received: &Received) -> Result<Option<Self>, Reject> {
        let Some(place) = &scheme.key_url else {
            return Ok(None);
        };
        if Locator::find_first(&scheme.locations, received) == Found::Missing {
            return Ok(None);
        }
        let Some(url) = place.find(received) else {
            return Ok(None);
        };
        let url = Some(url).filter(|url| place.accepts(url));
        let url = url.and_then(|url| Url::parse(&url).ok());
        let foreign = "the key's URL is not one of the provider's";
        let foreign = Reject::InvalidSignature(foreign.into());
        let key_id = scheme.key_id.as_ref();
        Ok(Some(Self {
            url: url.ok_or(foreign)?,
            form: scheme.secret,
            key_id: key_id.and_then(|place| place.find(received).one()),
        }))
    }
}

impl Keys {
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
                Some(Wanted { url, form, key_id }) => {
                    let key = self.one(url, form, key_id.as_deref(), deadline).await;
                    Some(key.map_err(Reject::Unavailable)?)
                }
                None => None,
            });
        }
        Ok(keys)
    }

    async fn one(
        &self,
        url: Url,
        form: SecretForm,
        key_id: Option<&str>,
        deadline: Instant,
    ) -> Result<Arc<Key>, String> {
        if let Some(entry) = self.cached(&url, key_id).await {
            return entry.key;
        }
        let _alone = self.fetching.lock().await;
        if let Some(entry) = self.cached(&url, key_id).await {
            return entry.key;
        }
        let fetched = timeout_at(deadline, download(&url)).await;
        let key = fetched
            .unwrap_or_else(|_| Err("no answer in time".to_owned()))
            .and_then(|bytes| Secret::new(bytes).ok_or_else(|| "nothing there".to_owned()))
            .and_then(|text| Key::new(form, &text).map_err(str::to_owned))
            .map(Arc::new)
            .map_err(|problem| format!("the key at {url}: {problem}"));
        self.remember(
            url,
            Entry {
                at: Instant::now(),
                key: key.clone(),
            },
        )
        .await;
        key
    }

    async fn cached(&self, url: &Url, key_id: Option<&str>) -> Option<Entry> {
        let entries = self.entries.lock().await;
        entries
            .get(url)
            .filter(|entry| entry.serves(key_id))
            .cloned()
    }

    async fn remember(&self, url: Url, entry: Entry) {
        let mut entries = self.entries.lock().await;
        if entries.len() >= MAX_ENTRIES && !entries.contains_key(&url) {
            let oldest = entries.iter().min_by_key(|(_, entry)| entry.at);
            if let Some(oldest) = oldest.map(|(url, _)| url.clone()) {
                entries.remove(&oldest);
            }
        }
        entries.insert(url, entry);
    }
}

async fn download(url: &Url) -> Result<Vec<u8>, String> {
    let client = Client::builder()
        .https_only(true)
        .http1_only()
        .redirect(redirect::Policy::none())
        .timeout(TIMEOUT)
        .build()
        .map_err(|error| error.to_string())?;
    let failed = |error: reqwest::Error| anyhow::Error::from(error).root_cause().to_string();
    let mut response = client.get(url.clone()).send().await.map_err(failed)?;
    if !response.status().is_success() {
        return Err(format!("status {}", response.status()));
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > MAX_BYTES {
            return Err("it is too large for a key".to_owned());
        }
    }
    Ok(bytes)
}

/// How long a key is used before it is fetched again.
const FRESH: Duration = Duration::from_secs(3600);
/// How long a failure is remembered: a flood of bad URLs is no flood of fetches.
const FAILED: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_millis(1500);
const MAX_BYTES: usize = 64 * 1024;
const MAX_ENTRIES: usize = 64;
