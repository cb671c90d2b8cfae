//! What a reload replaces: the sources, the keys, the place for large payloads.

use std::sync::Arc;

use metrics::Counter;
use webhook_core::client::Proxies;
use webhook_core::codec::Codec;
use webhook_core::limit::RateLimit;
use webhook_core::similar::Paths;
use webhook_core::source::Source;

use crate::config::file::Metrics;
use crate::forward::limits::rates::Limiter;
use crate::forward::metrics::{Labels, SourceMetrics};
use crate::storage::Store;
use crate::telemetry::SEALS;

/// Replaced whole, between two requests.
pub struct Settings {
    /// At least one.
    pub sources: Vec<Source>,
    /// Encrypts payloads; without keys they are stored as they are.
    pub codec: Codec,
    /// Where large payloads are stored; `None`: they are refused.
    pub large: Option<Store>,
    /// Which labels there are, and how often task queues are asked about.
    pub observed: Metrics,
    /// Whether events are started with search attributes of our own.
    pub index: bool,
    /// Who may say whom a request is from; `None`: nobody.
    pub proxies: Option<Arc<Proxies>>,
    /// Of each source, in their order.
    pub(super) metrics: Vec<SourceMetrics>,
    /// Likewise; `None`: it has no limit, or nobody has [taken them over](Self::limited) yet.
    pub(super) limiters: Vec<Option<Arc<Limiter>>>,
    /// Counts what the first of the codec's keys seals.
    pub(super) seals: Counter,
    /// Those of the sources, for whoever asks for one that is nearly the same.
    pub(super) paths: Paths,
}

impl Settings {
    /// Of at least one source, counted and watched in this way.
    pub fn new(
        sources: Vec<Source>,
        codec: Codec,
        large: Option<Store>,
        observed: &Metrics,
    ) -> Self {
        let labels = Labels::new(observed);
        let metrics = |source| SourceMetrics::new(source, &labels);
        let paths = sources.iter().map(|source| source.path.as_str());
        let key = codec.keys().first().map(|key| key.id().to_owned());
        Self {
            paths: Paths::new(paths),
            metrics: sources.iter().map(metrics).collect(),
            seals: key.map_or_else(Counter::noop, |key| metrics::counter!(SEALS, "key" => key)),
            limiters: sources.iter().map(|_| None).collect(),
            index: false,
            proxies: None,
            sources,
            observed: observed.clone(),
            codec,
            large,
        }
    }

    /// With search attributes of our own, or without.
    pub const fn indexed(mut self, index: bool) -> Self {
        self.index = index;
        self
    }

    /// With the limiters that its sources ask for, of so many buckets. Where the limit is the same as before, its
    /// buckets stay: a new secret makes none of them full.
    pub(super) fn limited(mut self, before: Option<&Self>, buckets: usize) -> Self {
        let old = |path: &str, limit: &RateLimit| {
            let before = before?;
            let index = before.sources.iter().position(|old| old.path == path)?;
            let limiter = before.limiters[index].as_ref()?;
            limiter.is_of(limit).then(|| Arc::clone(limiter))
        };
        let limiters = self.sources.iter().map(|source| {
            let limit = source.rate_limit.as_ref()?;
            let old = old(&source.path, limit);
            Some(old.unwrap_or_else(|| Arc::new(Limiter::new(limit, buckets))))
        });
        self.limiters = limiters.collect();
        self
    }

    /// These are believed when they say whom a request is from.
    pub fn behind(self, proxies: Option<Arc<Proxies>>) -> Self {
        Self { proxies, ..self }
    }
}
