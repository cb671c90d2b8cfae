//! The dashboard's queries, over pages that a forwarder really served.

use serde_json::Value;

use super::{SOURCE, now, page};
use crate::support::configured::Configured;
use crate::support::delivery::{Delivery, SIGNATURE};
use crate::support::forwarder::{Forwarder, ForwarderConfig};
use crate::support::sender::Sender;
use crate::support::telemetry::evaluate;
use crate::support::wait::{PATIENCE, run, until};

#[test]
fn every_query_of_the_dashboard_is_one_and_those_of_what_goes_on_show_something() {
    run(async {
        let configured =
            Configured::new(&format!("[metrics]\ntopics = ['orders/create']\n{SOURCE}"));
        let forwarder = Forwarder::start(ForwarderConfig {
            config: Some(configured.path("forwarder.toml")),
            ..ForwarderConfig::default()
        })
        .await;
        let sender = Sender::new(&forwarder);
        assert_eq!(
            sender.send(&Delivery::order()).await.outcome(),
            "200 started"
        );
        until(
            "Temporal was asked about the task queue",
            PATIENCE,
            async || page(&forwarder).await.text.contains("task_queue_pollers{"),
        )
        .await;
        let before = page(&forwarder).await;
        for order in [Delivery::order(), Delivery::order().without(SIGNATURE)] {
            sender.send(&order).await;
        }
        let after = page(&forwarder).await;
        let dashboard: Value = serde_json::from_str(DASHBOARD).expect("JSON");
        let panels = dashboard["panels"].as_array().expect("a list");
        let targets = panels
            .iter()
            .flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
        let queries = targets.map(|target| target["expr"].as_str().expect("text"));
        let queries: Vec<_> = queries
            .map(|query| {
                let query = query.replace("$__rate_interval", "1m");
                query.replace("$instance", ".*").replace("$source", ".*")
            })
            .collect();
        assert!(queries.len() > 20, "{queries:?}");
        let said = evaluate(now(), 150, &[(0, &before), (120, &after)], &queries);
        let empty = queries
            .iter()
            .zip(&said.series)
            .filter(|(_, series)| **series == 0);
        for (query, _) in empty {
            let is_rare = ["> 0", "code!=\"OK\""]
                .iter()
                .any(|part| query.contains(part));
            assert!(is_rare, "nothing: {query}");
        }
        // Those of failures name nothing that is not there.
        let page = include_str!("../../../docs/operation.md");
        for query in queries {
            for name in query.split("webhook_forwarder_").skip(1) {
                let name = name
                    .split(|c: char| !c.is_ascii_lowercase() && c != '_')
                    .next();
                let name = name.unwrap_or_default();
                let whole = ["_bucket", "_count", "_sum"]
                    .iter()
                    .find_map(|part| name.strip_suffix(part));
                let row = format!("| `{}` |", whole.unwrap_or(name));
                assert!(page.contains(&row), "{query}: no {row}");
            }
        }
    });
}

const DASHBOARD: &str = include_str!("../../../deploy/grafana/webhook-forwarder.json");
