//! A signed webhook becomes a workflow, over every transport.

use std::collections::BTreeMap;

use reqwest::Version;
use serde_json::json;
use tokio_rustls::rustls::version::{TLS12, TLS13};

use crate::support::delivery::Delivery;
use crate::support::forwarder::{Forwarder, ForwarderConfig};
use crate::support::sender::Sender;
use crate::support::temporal::Temporal;
use crate::support::wait::run;

#[test]
fn a_signed_order_starts_a_workflow_over_both_http_and_both_tls_versions() {
    run(async {
        let temporal = Temporal::shared().await;
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        let address = forwarder.public.to_string();
        for (tls, alpn, version) in [
            (&TLS12, "http/1.1", Version::HTTP_11),
            (&TLS12, "h2", Version::HTTP_2),
            (&TLS13, "http/1.1", Version::HTTP_11),
            (&TLS13, "h2", Version::HTTP_2),
            (&TLS13, "", Version::HTTP_11),
        ] {
            let order = Delivery::order();
            let answer = Sender::over(&address, tls, alpn).send(&order).await;
            assert_eq!(answer.outcome(), "200 started", "{tls:?} {alpn}");
            assert_eq!(answer.version, version);
            assert_eq!(answer.header("content-type"), "application/json");

            let run_id = temporal.run_id(&order.id).await.expect("it is there");
            let expected = json!({"status": "started", "workflow_id": order.id, "run_id": run_id});
            assert_eq!(answer.json(), expected);
        }
    });
}

#[test]
fn without_tls_it_serves_plain_http() {
    run(async {
        let config = ForwarderConfig {
            tls: false,
            ..Default::default()
        };
        let forwarder = Forwarder::start(config).await;
        let answer = Sender::new(&forwarder).send(&Delivery::order()).await;
        assert_eq!(answer.outcome(), "200 started");
        assert_eq!(answer.version, Version::HTTP_11);
    });
}

#[test]
fn the_workflow_has_the_type_the_queue_and_the_memo_of_its_source() {
    run(async {
        let temporal = Temporal::shared().await;
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        let order = Delivery::order();
        Sender::new(&forwarder).send(&order).await;

        let started = temporal.started(&order.id).await;
        assert_eq!(started.workflow_type, "ShopifyWebhook");
        assert_eq!(started.task_queue, "shopify_webhooks");

        let text = |data: &[u8]| serde_json::from_slice::<String>(data).expect("a JSON string");
        let memo = started.memo.iter();
        let mut memo: BTreeMap<_, _> = memo
            .map(|(name, payload)| (name.as_str(), text(&payload.data)))
            .collect();
        let received_at = memo.remove("received_at").expect("the time of arrival");
        assert!(
            received_at.starts_with("20") && received_at.ends_with('Z'),
            "{received_at}"
        );
        let expected = [
            ("event_id", order.id.as_str()),
            ("provider", "shopify"),
            ("source", "/temporal/shopify"),
            ("tenant", "e2e.myshopify.com"),
            ("topic", "orders/create"),
        ];
        assert_eq!(memo, expected.map(|(k, v)| (k, v.to_owned())).into());
    });
}

#[test]
fn both_families_of_shopifys_headers_start_a_workflow() {
    run(async {
        let temporal = Temporal::shared().await;
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        let mut order = Delivery::order();
        for (name, _) in &mut order.headers {
            if let Some(rest) = name.strip_prefix("X-") {
                *name = rest.to_owned();
            }
        }
        assert!(order.header("Shopify-Hmac-Sha256").ends_with('='));
        let answer = Sender::new(&forwarder).send(&order).await;
        assert_eq!(answer.outcome(), "200 started");
        let started = temporal.started(&order.id).await;
        assert_eq!(started.memo["topic"].data, br#""orders/create""#);
        assert_eq!(started.memo["tenant"].data, br#""e2e.myshopify.com""#);
    });
}

#[test]
fn without_a_global_queue_each_topic_has_its_own() {
    run(async {
        let temporal = Temporal::shared().await;
        let forwarder = Forwarder::start(ForwarderConfig {
            args: &["--no-global-queue"],
            ..Default::default()
        })
        .await;
        for topic in ["orders/create", "app/uninstalled"] {
            let order = Delivery::order().with("X-Shopify-Topic", topic);
            Sender::new(&forwarder).send(&order).await;
            let started = temporal.started(&order.id).await;
            assert_eq!(started.task_queue, format!("shopify_webhooks:{topic}"));
            assert_eq!(started.workflow_type, "ShopifyWebhook");
        }
    });
}

#[test]
fn with_validation_off_an_unsigned_order_starts_a_workflow_marked_as_unverified() {
    run(async {
        let temporal = Temporal::shared().await;
        let forwarder = Forwarder::start(ForwarderConfig {
            secret: None,
            args: &["--no-validate-hmac"],
            ..Default::default()
        })
        .await;
        let warned = forwarder.log_lines();
        assert!(
            warned.iter().any(|line| line.contains("WARN")),
            "{warned:?}"
        );

        let order = Delivery::order().without("X-Shopify-Hmac-Sha256");
        let answer = Sender::new(&forwarder).send(&order).await;
        assert_eq!(answer.outcome(), "200 started");
        let started = temporal.started(&order.id).await;
        let (_, argument) = started.argument();
        let event = crate::support::event::Envelope::read(argument);
        assert_eq!(event.headers["x-webhook-verified"], "false");
    });
}
