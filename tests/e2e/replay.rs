//! `replay`: events out of real histories, sent on their way again by the real program.

mod again;
mod elsewhere;
mod parked;

use std::collections::HashMap;

use serde_json::{Value, json};
use temporal_webhook_forwarder::temporal::payload::from_temporal;
use temporalio_common::protos::temporal::api::common::v1::Payload;
use webhook_core::codec::Codec;
use webhook_core::codec::key::Key;
use webhook_core::proto;

use crate::support::configured::Configured;
use crate::support::delivery::Delivery;
use crate::support::formats::FORMATS;
use crate::support::forwarder::{AES, Forwarder, ForwarderConfig, SECRET};
use crate::support::history::Started;
use crate::support::leaks;
use crate::support::run::Run;
use crate::support::s3::CREDENTIALS;
use crate::support::sender::Sender;
use crate::support::temporal::Temporal;

/// A forwarder, and the configuration that it and `replay` have.
struct Stage {
    temporal: &'static Temporal,
    configured: Configured,
    forwarder: Forwarder,
    text: String,
    is_encrypted: bool,
}

impl Stage {
    async fn new(text: &str) -> Self {
        Self::with(text, false).await
    }

    async fn encrypted(text: &str) -> Self {
        Self::with(text, true).await
    }

    async fn with(text: &str, is_encrypted: bool) -> Self {
        let configured = Configured::new(text);
        leaks::forbid(CREDENTIALS[1].1);
        let forwarder = Forwarder::start(ForwarderConfig {
            aes: is_encrypted.then_some(AES),
            env: &CREDENTIALS,
            ..configured.plain()
        })
        .await;
        Self {
            temporal: Temporal::shared().await,
            configured,
            forwarder,
            text: text.to_owned(),
            is_encrypted,
        }
    }

    /// Delivers an event that cannot start; the dead letter's id.
    async fn parked(&self, event: &Delivery) -> String {
        let event = event.clone().signed(SECRET);
        let answer = Sender::new(&self.forwarder).send(&event).await;
        assert_eq!(answer.outcome(), "200 dead_lettered", "{answer:?}");
        format!("dead-letter:/temporal/shopify:{}", event.id)
    }

    fn replay(&self, args: &[&str]) -> Run {
        let address = self.temporal.address();
        let common = [
            &["replay", "--endpoint", &address],
            self.configured.args(),
            args,
        ]
        .concat();
        let keys = [("AES_KEY", AES.0), ("AES_KEY_ID", AES.1)];
        let keys = if self.is_encrypted { &keys[..] } else { &[] };
        let run = Run::new(&common, &[&ENV, &CREDENTIALS[..], keys].concat());
        assert!(!run.stdout.contains(SECRET), "{run:?}");
        run
    }

    async fn runs(&self, id: &str) -> bool {
        let info = self.temporal.description(id).await.workflow_execution_info;
        info.expect("it is there").close_time.is_none()
    }

    /// Everything that the newest run was started with, but for what is drawn at random.
    async fn whole(&self, id: &str) -> Value {
        let start = self.temporal.start_of(id).await;
        let Started {
            workflow_type,
            task_queue,
            input,
            memo,
        } = self.temporal.started(id).await;
        let input: Vec<_> = input.into_iter().map(shown).collect();
        let mut memo: HashMap<_, _> = memo
            .into_iter()
            .map(|(name, value)| (name, shown(value)))
            .collect();
        memo.remove("received_at");
        let attributes = start.search_attributes.map(|all| all.indexed_fields);
        let attributes = attributes.map(|all| {
            all.into_iter()
                .map(|(name, value)| (name, shown(value)))
                .collect::<HashMap<_, _>>()
        });
        let metadata = self.temporal.description(id).await;
        let config = metadata.execution_config.expect("it has one");
        let summary = config.user_metadata.and_then(|metadata| metadata.summary);
        json!({
            "type": workflow_type,
            "queue": task_queue,
            "input": input,
            "memo": memo,
            "search_attributes": attributes,
            "summary": summary.map(shown),
        })
    }
}

/// Decoded; JSON without the order of its keys, which a dead letter does not keep for headers.
fn shown(payload: Payload) -> Value {
    let payload = decoded(payload);
    let metadata: HashMap<_, _> = payload
        .metadata
        .iter()
        .map(|entry| {
            (
                String::from_utf8_lossy(&entry.name),
                String::from_utf8_lossy(&entry.value),
            )
        })
        .collect();
    let data =
        serde_json::from_slice::<Value>(&payload.data).unwrap_or_else(|_| json!(&payload.data[..]));
    json!({"metadata": metadata, "data": data})
}

fn decoded(payload: Payload) -> proto::Payload {
    let key = Key::from_hex(AES.1, AES.0).expect("a key");
    Codec::new(vec![key])
        .decode(from_temporal(payload))
        .expect("it decodes")
}

fn open_letters(id: &str) -> String {
    format!(
        "WorkflowType = 'WebhookDeadLetter' AND ExecutionStatus = 'Running' AND WorkflowId = '{id}'"
    )
}

fn source(more: &str) -> String {
    format!(
        "[[source]]
        path = '/temporal/shopify'
        provider = 'shopify'
        secrets = ['env:SHOPIFY_WEBHOOKS_KEY']
        workflow_id = '{{event_id}}'
        {more}
        "
    )
}

fn every_format(more: &str) -> String {
    let source = |format| {
        source(&format!("format = '{format}'\n{more}"))
            .replace("/temporal/shopify", &format!("/{format}"))
            .replace("{event_id}", &format!("{format}:{{event_id}}"))
    };
    FORMATS.map(source).concat()
}

const ENV: [(&str, &str); 1] = [("SHOPIFY_WEBHOOKS_KEY", SECRET)];
