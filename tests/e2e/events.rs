//! What was received, over HTTP and on the command line: the same as Temporal's own tools say of a
//! thousand events, with and without encryption, with and without search attributes of our own.

mod agree;
mod commands;
mod letters;
mod paging;

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use futures_util::{StreamExt, stream};
use serde_json::Value;

use crate::support::configured::Configured;
use crate::support::delivery::Delivery;
use crate::support::forwarder::{AES, Forwarder, ForwarderConfig, SECRET};
use crate::support::leaks::CANARY;
use crate::support::run::Run;
use crate::support::sender::{Answer, Sender};
use crate::support::temporal::{self, Temporal};
use crate::support::wait::{PATIENCE, until};

/// A Temporal of its own, for counts are of all workflows, and a forwarder with three sources.
struct Stage {
    temporal: Temporal,
    configured: Configured,
    forwarder: Forwarder,
    is_encrypted: bool,
}

impl Stage {
    async fn new(is_indexed: bool, is_encrypted: bool) -> Self {
        let text = SOURCES.replace("INDEX", &is_indexed.to_string());
        Self::with(&text, is_encrypted).await
    }

    /// With this configuration, its search attributes registered.
    async fn with(text: &str, is_encrypted: bool) -> Self {
        let temporal = Temporal::start(&[]).await;
        let configured = Configured::new(text);
        let address = temporal.address();
        if text.contains("index = true") || text.contains("search_attributes") {
            let args = [
                "check",
                "--no-tls",
                "--endpoint",
                &address,
                "--register-search-attributes",
            ];
            Run::new(&[&args, configured.args()].concat(), &[KEY]).fine();
        }
        let forwarder = Forwarder::start(ForwarderConfig {
            endpoint: Some(address),
            aes: is_encrypted.then_some(AES),
            ..configured.plain()
        })
        .await;
        Self {
            temporal,
            configured,
            forwarder,
            is_encrypted,
        }
    }

    /// Delivers so many events, spread over sources, topics and tenants; their ids.
    async fn deliver(&self, count: usize) -> Vec<Delivery> {
        let sender = Sender::new(&self.forwarder);
        let events = (0..count).map(|number| {
            let sender = sender.clone();
            async move {
                let event = event(number);
                let answer = sender.send_until_taken(&event).await;
                assert_eq!(answer.outcome(), "200 started");
                event
            }
        });
        stream::iter(events).buffer_unordered(24).collect().await
    }

    /// Waits until the visibility store has so many.
    async fn has(&self, count: usize) {
        let all = async || self.temporal.count("").await;
        let count = i64::try_from(count).expect("few");
        until("they are visible", PATIENCE, async || all().await == count).await;
    }

    async fn get(&self, path: &str) -> Value {
        let answer = self.answer(path).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.json()
    }

    async fn answer(&self, path: &str) -> Answer {
        let admin = Sender::plain(&self.forwarder.admin.to_string());
        let answer = admin.get(path).await;
        assert!(!answer.text.contains(CANARY), "a body: {answer:?}");
        answer
    }

    /// All pages of a list; they repeat nothing.
    async fn all(&self, path: &str) -> Vec<Value> {
        let (mut items, mut next) = (Vec::new(), String::new());
        let mut seen = BTreeSet::new();
        loop {
            let page = self.get(&format!("{path}{next}")).await;
            for item in page["items"].as_array().expect("a list") {
                let run = item["run_id"].as_str().expect("a text").to_owned();
                assert!(seen.insert(run), "twice: {item}");
                items.push(item.clone());
            }
            match page["next"].as_str() {
                Some(cursor) => next = format!("&cursor={cursor}"),
                None => return items,
            }
        }
    }

    /// A subcommand of the program, with the forwarder's configuration.
    fn run(&self, args: &[&str]) -> Run {
        let address = self.temporal.address();
        let common = [&["--endpoint", &address], self.configured.args()].concat();
        let keys = [("AES_KEY", AES.0), ("AES_KEY_ID", AES.1)];
        let keys = if self.is_encrypted { &keys[..] } else { &[] };
        Run::new(&[args, &common].concat(), &[&[KEY], keys].concat())
    }

    /// The ids that the official CLI lists.
    fn listed(&self, query: &str) -> BTreeSet<String> {
        let address = self.temporal.address();
        let mut command = Command::new(temporal::binary());
        command.args(["workflow", "list", "--address", &address, "--query", query]);
        let output = command.args(["--limit", "5000", "-o", "jsonl"]).output();
        let output = output.expect("the Temporal CLI runs");
        assert!(output.status.success(), "{output:?}");
        let lines = String::from_utf8(output.stdout).expect("text");
        let ids = lines.lines().map(|line| {
            let info: Value = serde_json::from_str(line).expect("JSON");
            info["execution"]["workflowId"]
                .as_str()
                .expect("an id")
                .to_owned()
        });
        ids.collect()
    }
}

fn ids(items: &[Value]) -> BTreeSet<String> {
    let ids = items
        .iter()
        .map(|item| item["workflow_id"].as_str().expect("a text").to_owned());
    ids.collect()
}

/// Of a source, a topic and a tenant that its number says.
fn event(number: usize) -> Delivery {
    let mut event = Delivery::order()
        .with("X-Shopify-Topic", TOPICS[number % 4])
        .with(
            "X-Shopify-Shop-Domain",
            format!("shop-{}.example", number % 5),
        );
    event.path = PATHS[number % 3].to_owned();
    event
}

const PATHS: [&str; 3] = ["/temporal/shopify", "/second", "/third"];
const TOPICS: [&str; 4] = [
    "orders/create",
    "orders/paid",
    "carts/update",
    "app/uninstalled",
];
const KEY: (&str, &str) = ("SHOPIFY_WEBHOOKS_KEY", SECRET);
/// The first two start workflows of one type.
const SOURCES: &str = "[temporal]
index = INDEX
ui = 'http://localhost:8233/'
[metrics]
topics = ['orders/create', 'orders/paid']
tenants = ['shop-0.example']
[[source]]
path = '/temporal/shopify'
provider = 'shopify'
secrets = ['env:SHOPIFY_WEBHOOKS_KEY']
workflow_id = '{event_id}'
deadline = '1m'
[[source]]
name = 'second'
path = '/second'
provider = 'shopify'
secrets = ['env:SHOPIFY_WEBHOOKS_KEY']
workflow_id = '{name}:{event_id}'
deadline = '1m'
[[source]]
name = 'third'
path = '/third'
provider = 'shopify'
secrets = ['env:SHOPIFY_WEBHOOKS_KEY']
workflow_id = '{name}:{event_id}'
workflow_type = 'Third'
deadline = '1m'
";

/// What each source has of so many events.
fn by_source(count: usize) -> BTreeMap<&'static str, usize> {
    let of = |index| (0..count).filter(|number| number % 3 == index).count();
    (0..3).map(|index| (PATHS[index], of(index))).collect()
}
