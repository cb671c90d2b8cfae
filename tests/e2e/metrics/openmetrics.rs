//! Who asks for OpenMetrics gets it: the same families as in Prometheus' text, as a strict parser reads them.

use std::collections::BTreeSet;

use serde_json::Value;

use super::scrape;
use crate::support::delivery::{Delivery, SIGNATURE};
use crate::support::forwarder::{Forwarder, ForwarderConfig};
use crate::support::sender::Sender;
use crate::support::telemetry::openmetrics;
use crate::support::wait::{PATIENCE, run, until};

#[test]
fn a_strict_parser_reads_every_family_if_openmetrics_is_asked_for() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        let sender = Sender::new(&forwarder);
        sender.send(&Delivery::order()).await;
        sender.send(&Delivery::order().without(SIGNATURE)).await;
        // As Prometheus 3 asks.
        let accept = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
        let page = Delivery::bare(reqwest::Method::GET, "/metrics").with("Accept", accept);
        until(
            "Temporal was asked about the task queue",
            PATIENCE,
            async || {
                let samples = scrape(&forwarder).await;
                samples.iter().any(|it| it.metric == "task_queue_pollers")
            },
        )
        .await;
        let answer = Sender::plain(&forwarder.admin.to_string())
            .page(&page)
            .await;
        let kind = answer.header("content-type");
        assert!(
            kind.starts_with("application/openmetrics-text; version=1.0.0"),
            "{kind}"
        );
        let families = openmetrics(&answer.text);
        let names = families.as_object().expect("an object").keys();
        let names: BTreeSet<_> = names.cloned().collect();
        let in_text = scrape(&forwarder).await.into_iter();
        let in_text: BTreeSet<_> = in_text
            .map(|sample| {
                let name = format!("webhook_forwarder_{}", sample.metric);
                name.strip_suffix("_total").unwrap_or(&name).to_owned()
            })
            .collect();
        assert_eq!(names, in_text);
        for (name, family) in families.as_object().expect("an object") {
            assert_ne!(family["type"], "unknown", "{name}");
            assert_ne!(family["documentation"], "", "{name} is not described");
            assert_eq!(family["exemplars"], Value::Array(Vec::new()), "{name}");
        }
        assert_eq!(families["webhook_forwarder_requests"]["type"], "counter");
        assert_eq!(
            families["webhook_forwarder_request_duration_seconds"]["type"],
            "histogram"
        );
    });
}
