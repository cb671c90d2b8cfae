//! What is done every so often while it serves.

use std::sync::Arc;
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusHandle;

use crate::forward::{Forwarder, flood};
use crate::temporal::client::Client;

/// Asks who works on what the sources start.
pub(super) async fn queues(forwarder: Arc<Forwarder<Client>>, client: Arc<Client>) {
    let names = || forwarder.task_queues();
    let ask = |name: String| {
        let client = Arc::clone(&client);
        async move { client.polled(&name).await }
    };
    forwarder.queues.watch(names, ask).await;
}

/// Says how many refusals got no line of their own.
pub(super) async fn floods(forwarder: Arc<Forwarder<Client>>) {
    loop {
        tokio::time::sleep(flood::INTERVAL).await;
        forwarder.say_what_was_left_out();
    }
}

/// Without this, samples pile up until somebody asks for the metrics.
pub(super) async fn metrics_upkeep(metrics: PrometheusHandle) {
    loop {
        tokio::time::sleep(UPKEEP).await;
        metrics.run_upkeep();
    }
}

const UPKEEP: Duration = Duration::from_secs(5);
