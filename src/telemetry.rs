//! Logs and metrics: how they are set up, and every metric's name.

mod logs;
pub mod openmetrics;
pub mod timing;
pub mod traces;
mod writer;

use std::path::Path;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use webhook_core::dead_letter;
use webhook_core::source::{Source, Verification};

pub use self::logs::init_logs;
use self::timing::BUCKETS;
pub use self::writer::Written;
use crate::config::Config;

/// `requests_total{source,outcome}`
pub const REQUESTS: &str = "webhook_forwarder_requests_total";
/// `events_total{source,outcome}`, with `topic` and `tenant` if they are declared
pub const EVENTS: &str = "webhook_forwarder_events_total";
/// `last_event_timestamp_seconds{source}`
pub const LAST_EVENT: &str = "webhook_forwarder_last_event_timestamp_seconds";
/// `task_queue_pollers{task_queue}`
pub const POLLERS: &str = "webhook_forwarder_task_queue_pollers";
/// `task_queue_backlog_age_seconds{task_queue}`
pub const BACKLOG_AGE: &str = "webhook_forwarder_task_queue_backlog_age_seconds";
/// `dead_letters_total{source,reason}`
pub const DEAD_LETTERS: &str = "webhook_forwarder_dead_letters_total";
/// `request_duration_seconds{source,outcome}`
pub const REQUEST_DURATION: &str = "webhook_forwarder_request_duration_seconds";
/// `temporal_request_duration_seconds{operation,code}`
pub const TEMPORAL_DURATION: &str = "webhook_forwarder_temporal_request_duration_seconds";
/// `temporal_hedges_total{outcome}`
pub const HEDGES: &str = "webhook_forwarder_temporal_hedges_total";
/// `large_payload_request_duration_seconds{operation,code}`
pub const LARGE_DURATION: &str = "webhook_forwarder_large_payload_request_duration_seconds";
/// `temporal_up`
pub const TEMPORAL_UP: &str = "webhook_forwarder_temporal_up";
/// `in_flight`
pub const IN_FLIGHT: &str = "webhook_forwarder_in_flight";
/// `connections`
pub const CONNECTIONS: &str = "webhook_forwarder_connections";
/// `signature_key_used_total{source,key}`
pub const KEY_USED: &str = "webhook_forwarder_signature_key_used_total";
/// `certificate_expiry_timestamp_seconds`
pub const CERTIFICATE_EXPIRY: &str = "webhook_forwarder_certificate_expiry_timestamp_seconds";
/// `certificate_lifetime_seconds`
pub const CERTIFICATE_LIFETIME: &str = "webhook_forwarder_certificate_lifetime_seconds";
/// `acme_orders_total{result}`
pub const ACME_ORDERS: &str = "webhook_forwarder_acme_orders_total";
/// `config_last_reload_success`
pub const LAST_RELOAD: &str = "webhook_forwarder_config_last_reload_success";
/// `addresses_blocked_total{source}`
pub const BLOCKED: &str = "webhook_forwarder_addresses_blocked_total";
/// `proxy_headers_total{result}`
pub const PROXY_HEADERS: &str = "webhook_forwarder_proxy_headers_total";
/// `connections_shed_total{reason}`
pub const CONNECTIONS_SHED: &str = "webhook_forwarder_connections_shed_total";
/// `tls_handshakes_total{result}`
pub const TLS_HANDSHAKES: &str = "webhook_forwarder_tls_handshakes_total";
/// `http_errors_total{kind}`
pub const HTTP_ERRORS: &str = "webhook_forwarder_http_errors_total";
/// `payload_seals_total{key}`
pub const SEALS: &str = "webhook_forwarder_payload_seals_total";
/// `search_attributes_left_out_total{attribute}`
pub const ATTRIBUTES_LEFT_OUT: &str = "webhook_forwarder_search_attributes_left_out_total";
/// `log_lines_lost_total`
pub const LOG_LINES_LOST: &str = "webhook_forwarder_log_lines_lost_total";
/// `build_info{version}`
pub const BUILD_INFO: &str = "webhook_forwarder_build_info";

/// Sets up metrics; the handle renders them in Prometheus' text format.
///
/// # Errors
/// If metrics were set up before.
pub fn init_metrics() -> anyhow::Result<PrometheusHandle> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("duration_seconds".to_owned()), &BUCKETS)?
        .install_recorder()?;
    metrics::describe_counter!(REQUESTS, "Requests answered, by source and outcome");
    metrics::describe_counter!(EVENTS, "Verified events, by what became of them");
    metrics::describe_gauge!(
        LAST_EVENT,
        metrics::Unit::Seconds,
        "When the last verified event came, Unix time"
    );
    metrics::describe_counter!(DEAD_LETTERS, "Deliveries that were parked, by reason");
    metrics::describe_gauge!(
        POLLERS,
        "Workers that poll a task queue of the sources, as Temporal says"
    );
    metrics::describe_gauge!(
        BACKLOG_AGE,
        metrics::Unit::Seconds,
        "How long the oldest task on a task queue of the sources has waited for a worker"
    );
    metrics::describe_histogram!(
        REQUEST_DURATION,
        metrics::Unit::Seconds,
        "From a request's first byte to its answer"
    );
    metrics::describe_histogram!(
        TEMPORAL_DURATION,
        metrics::Unit::Seconds,
        "Calls to Temporal, retries inside a delivery included"
    );
    metrics::describe_counter!(
        HEDGES,
        "Calls to Temporal that were late and went out on a second connection, too, by what became of that"
    );
    metrics::describe_histogram!(
        LARGE_DURATION,
        metrics::Unit::Seconds,
        "Calls to the store of large payloads, each try by itself"
    );
    metrics::describe_gauge!(
        TEMPORAL_UP,
        "1 if Temporal takes events, 0 if it is away or refuses them"
    );
    metrics::gauge!(TEMPORAL_UP).set(0.0);
    metrics::describe_gauge!(IN_FLIGHT, "Requests being handled");
    metrics::describe_gauge!(CONNECTIONS, "Open connections on the public listener");
    metrics::describe_counter!(
        CONNECTIONS_SHED,
        "Connections closed for want of room, by reason"
    );
    metrics::describe_counter!(
        BLOCKED,
        "Addresses that were blocked for their bad signatures"
    );
    metrics::describe_counter!(
        PROXY_HEADERS,
        "PROXY protocol headers of trusted proxies, by what became of them"
    );
    metrics::describe_counter!(TLS_HANDSHAKES, "TLS handshakes, by how they ended");
    metrics::describe_counter!(
        HTTP_ERRORS,
        "What came in a request's place and could not be read, by kind"
    );
    metrics::describe_counter!(
        SEALS,
        "Encryptions under a payload key, each with a random nonce"
    );
    metrics::describe_counter!(
        ATTRIBUTES_LEFT_OUT,
        "Search attributes of [temporal] index that events were started without, since Temporal does not take them"
    );
    metrics::describe_counter!(KEY_USED, "Signatures that matched, by the secret's setting");
    metrics::describe_gauge!(
        CERTIFICATE_EXPIRY,
        metrics::Unit::Seconds,
        "When the certificate in use expires, Unix time"
    );
    metrics::describe_gauge!(
        CERTIFICATE_LIFETIME,
        metrics::Unit::Seconds,
        "How long the certificate in use is good in all, from its first moment to its last"
    );
    metrics::describe_counter!(
        ACME_ORDERS,
        "Certificates that were ordered from an authority, by how that ended"
    );
    metrics::describe_gauge!(
        LAST_RELOAD,
        "1 if the settings that were read last are in use, 0 if they are bad and the ones before stayed"
    );
    metrics::gauge!(LAST_RELOAD).set(1.0);
    metrics::describe_counter!(
        LOG_LINES_LOST,
        "Log lines that could not be written, or not in time"
    );
    metrics::counter!(LOG_LINES_LOST).increment(0);
    metrics::describe_gauge!(BUILD_INFO, "Always 1; the label says which version runs");
    metrics::gauge!(BUILD_INFO, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    metrics::gauge!(IN_FLIGHT).set(0.0);
    metrics::gauge!(CONNECTIONS).set(0.0);
    Ok(handle)
}

/// What runs, in one line.
pub fn announce_start(config: &Config, file: Option<&Path>) {
    let sources: Vec<_> = config.sources.iter().map(|it| it.path.as_str()).collect();
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        config = file.map(|file| file.display().to_string()),
        sources = sources.join(", "),
        "starting"
    );
}

/// Says which sources there are, and what should be otherwise with them.
pub fn announce_sources(config: &Config) {
    begin(&config.sources);
    for warning in &config.warnings {
        tracing::warn!(setting = warning.place, "{}", warning.problem);
    }
    for key in config.codec.keys() {
        metrics::counter!(SEALS, "key" => key.id().to_owned()).increment(0);
    }
    for source in &config.sources {
        let unverified = matches!(source.verification, Verification::DangerUnverified);
        let encrypted = !config.codec.keys().is_empty();
        tracing::info!(
            name = source.name,
            path = source.path,
            provider = source.provider.name,
            encrypted,
            "source"
        );
        if unverified {
            tracing::warn!(
                path = source.path,
                "DANGER: this source accepts webhooks that anybody may have sent"
            );
        }
    }
}

/// Series whose labels are known begin at 0, those of [`SourceMetrics`](crate::forward::metrics::SourceMetrics)
/// apart: the first that is counted is an increase, too. What was counted stays.
pub fn begin(sources: &[Source]) {
    for outcome in WITHOUT_SOURCE {
        metrics::counter!(REQUESTS, "source" => "none", "outcome" => outcome).increment(0);
    }
    for source in sources {
        let path = &source.path;
        for reason in dead_letter::LABELS {
            metrics::counter!(DEAD_LETTERS, "source" => path.clone(), "reason" => reason)
                .increment(0);
        }
    }
}

/// Counts up now and down when dropped.
pub struct Gauge(metrics::Gauge);

impl Gauge {
    /// Counts it up.
    pub fn enter(gauge: &metrics::Gauge) -> Self {
        gauge.increment(1.0);
        Self(gauge.clone())
    }
}

impl Drop for Gauge {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

/// How a request can end that fits no source.
const WITHOUT_SOURCE: [&str; 5] = [
    "not_found",
    "method_not_allowed",
    "malformed",
    "too_slow",
    "internal",
];
