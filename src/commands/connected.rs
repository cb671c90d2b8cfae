//! What the commands have that ask Temporal about events, with the configuration of `serve`.

use std::path::Path;
use std::sync::Arc;

use anyhow::anyhow;
use tokio::time::{Duration, Instant};
use webhook_core::large::Claim;
use webhook_core::proto::Payload;

use super::Failure;
use crate::cli::ServeArgs;
use crate::config::file::Metrics;
use crate::config::source::SHOPIFY_KEY;
use crate::config::{Config, Environment, Identity};
use crate::events::Events;
use crate::events::item::Place;
use crate::events::scope::{Indexed, Scope};
use crate::forward::Settings;
use crate::load::{self, Loaded, SystemEnvironment};
use crate::storage::Store;
use crate::temporal::client::Client;
use crate::temporal::connect;
use crate::temporal::visibility::Visibility;

/// Settings that were checked; nothing was asked yet.
pub(super) struct Configured {
    settings: Settings,
    connection: connect::Settings,
}

/// Settings, and a Temporal that answers.
pub(super) struct Connected {
    pub(super) settings: Arc<Settings>,
    pub(super) temporal: Arc<Client>,
    place: Place,
}

impl Configured {
    /// As `serve` has them: what is about listening does not count.
    ///
    /// # Errors
    /// [`Failure::Configuration`]
    pub(super) fn load(serve: &ServeArgs) -> Result<Self, Failure> {
        Self::load_from(serve, &SystemEnvironment)
    }

    /// The same for what starts nothing: without Shopify's secret, too.
    ///
    /// # Errors
    /// [`Failure::Configuration`]
    pub(super) fn load_to_read(serve: &ServeArgs) -> Result<Self, Failure> {
        Self::load_from(serve, &Reading)
    }

    fn load_from(serve: &ServeArgs, environment: &dyn Environment) -> Result<Self, Failure> {
        // Nothing here listens.
        let serve = ServeArgs {
            no_tls: true,
            ..serve.clone()
        };
        let Loaded {
            config, temporal, ..
        } = Loaded::new(&serve, environment).map_err(Failure::Configuration)?;
        let (config, (), (), connection) =
            load::all(config, Ok(()), Ok(()), temporal).map_err(Failure::Configuration)?;
        let Config {
            sources,
            codec,
            large,
            index,
            ..
        } = config;
        let store = large.as_ref().map(Store::new).transpose()?;
        let settings = Settings::new(sources, codec, store, &Metrics::default()).indexed(index);
        Ok(Self {
            settings,
            connection,
        })
    }

    /// With a connection to Temporal.
    ///
    /// # Errors
    /// There is none.
    pub(super) async fn connect(self) -> Result<Connected, Failure> {
        let (address, place) = (self.connection.address.clone(), Place::of(&self.connection));
        let temporal = Client::connected(self.connection)
            .await
            .map_err(|error| anyhow!("Temporal at {address}: {error}"))?;
        if self.settings.index {
            // Without an answer it is looked for in memos.
            temporal.ask_for_index().await.ok();
        }
        Ok(Connected {
            settings: Arc::new(self.settings),
            temporal,
            place,
        })
    }
}

/// The real world, in which nobody has to have the secret that verifies what is received: nothing is.
struct Reading;

impl Environment for Reading {
    fn var(&self, name: &str) -> Option<Vec<u8>> {
        let unused = || (name == SHOPIFY_KEY).then(|| UNUSED.to_vec());
        SystemEnvironment.var(name).or_else(unused)
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        SystemEnvironment.read(path)
    }

    fn check_identity(&self, identity: &Identity) -> Result<(), String> {
        SystemEnvironment.check_identity(identity)
    }

    fn names(&self, identity: &Identity) -> Vec<String> {
        SystemEnvironment.names(identity)
    }
}

impl Connected {
    pub(super) fn events(&self) -> Events<'_, Client> {
        let indexed = match self.settings.index {
            true => Indexed::new(self.temporal.indexed()),
            false => Indexed::default(),
        };
        Events {
            store: &*self.temporal,
            scope: Scope::new(&self.settings.sources, indexed),
            codec: &self.settings.codec,
            place: self.place.clone(),
        }
    }
}

/// What is in a payload: fetched, decrypted, decompressed.
///
/// # Errors
/// Why that cannot be.
pub(super) async fn opened(settings: &Settings, payload: Payload) -> Result<Payload, String> {
    let payload = match (Claim::of(&payload)?, &settings.large) {
        (Some(claim), Some(store)) => {
            let stored = store.get(&claim, Instant::now() + TIMEOUT).await;
            stored.map_err(|reject| reject.reason().to_owned())?
        }
        _ => payload,
    };
    let opened = settings.codec.decode(payload);
    opened.map_err(|error| error.to_string())
}

/// No signature is made or checked with it.
const UNUSED: &[u8] = b"nothing is verified where events are only read";
/// For what is read in S3.
const TIMEOUT: Duration = Duration::from_secs(15);
