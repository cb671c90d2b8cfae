//! The example workers, in four languages, see what the sender sent: in every form of the payload,
//! plain and encrypted, with a new key and an old one, compressed or not. None loses an event that
//! it cannot decrypt.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::codec::{Opened, open_by_python};
use crate::support::configured::Configured;
use crate::support::delivery::Delivery;
use crate::support::forwarder::{AES, Forwarder, ForwarderConfig, SECRET};
use crate::support::install;
use crate::support::leaks::CANARY;
use crate::support::sender::Sender;
use crate::support::temporal::Temporal;
use crate::support::wait::{eventually, run};
use crate::support::worker::{Language, Worker};

#[test]
fn the_python_worker_reads_every_form_and_waits_for_its_key() {
    reads_every_form_and_waits_for_its_key(Language::Python);
}

#[test]
fn the_go_worker_reads_every_form_and_waits_for_its_key() {
    reads_every_form_and_waits_for_its_key(Language::Go);
}

#[test]
fn the_typescript_worker_reads_every_form_and_waits_for_its_key() {
    reads_every_form_and_waits_for_its_key(Language::TypeScript);
}

#[test]
fn the_java_worker_reads_every_form_and_waits_for_its_key() {
    reads_every_form_and_waits_for_its_key(Language::Java);
}

#[test]
fn each_worker_is_built_from_its_folder_alone() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    for language in Language::ALL {
        let command = language.command();
        let words: Vec<_> = command.get_args().chain([command.get_program()]).collect();
        let is_ours = |word: &&&OsStr| Path::new(word).starts_with(repository.join("examples"));
        assert_eq!(words.iter().find(is_ours), None, "{language:?}");
        let links = install::sources(language.folder()).into_iter();
        let links: Vec<_> = links.filter(|file| file.is_symlink()).collect();
        assert!(links.is_empty(), "{links:?}");
        assert!(!language.folder().starts_with(repository.join("examples")));
    }
    // Java's generates its code of a copy.
    let proto = "webhook/forwarder/v1/event.proto";
    let read = |folder: &Path| fs::read_to_string(folder.join(proto)).expect("it is there");
    let copy = Language::Java.folder().join("src/main/protobuf");
    assert_eq!(
        read(&copy),
        read(&repository.join("proto")),
        "make it anew with scripts/worker-protos.sh"
    );
}

#[test]
fn the_python_worker_knows_the_forwarders_default_key() {
    knows_the_forwarders_default_key(Language::Python);
}

#[test]
fn the_go_worker_knows_the_forwarders_default_key() {
    knows_the_forwarders_default_key(Language::Go);
}

#[test]
fn the_typescript_worker_knows_the_forwarders_default_key() {
    knows_the_forwarders_default_key(Language::TypeScript);
}

#[test]
fn the_java_worker_knows_the_forwarders_default_key() {
    knows_the_forwarders_default_key(Language::Java);
}

/// `AES_KEY` alone on both sides; a key of another id is named.
fn knows_the_forwarders_default_key(language: Language) {
    const ALONE: &[(&str, &str)] = &[("AES_KEY", AES.0)];
    language.command();
    run(async {
        let temporal = Temporal::shared().await;
        let queue = format!("default-key-{language:?}");
        let other = format!("{queue}-other");
        let mut worker = language.start(&temporal.address(), &queue, ALONE);
        let mut named = language.start(
            &temporal.address(),
            &other,
            &[("AES_KEY", AES.0), ("AES_KEY_ID", AES.1)],
        );
        let configured = Configured::new(&sources(&queue, &other));
        let forwarder = Forwarder::start(ForwarderConfig {
            env: ALONE,
            ..configured.plain()
        });
        let forwarder = forwarder.await;
        let sent = [
            Sent::to(&forwarder, "json", "/json/none", TOPIC).await,
            Sent::to(&forwarder, "json-protobuf", "/json-protobuf/zlib", TOPIC).await,
        ];
        let unknown = Sent::to(&forwarder, "json", "/waiting", TOPIC).await;
        for sent in sent {
            let result = temporal.result(&sent.delivery.id, &mut worker).await;
            let opened = open_by_python(&[result], &[("default", AES.0)]).remove(0);
            assert_seen(language, &opened, &sent, "default");
        }
        let why = eventually("a worker with another id fails", PATIENCE, || {
            named.assert_running();
            temporal.waits_after_a_failure(&unknown.delivery.id)
        })
        .await;
        assert!(why.contains("no key with id 'default'"), "{why}");
    });
}

fn reads_every_form_and_waits_for_its_key(language: Language) {
    language.command(); // which installs it: not on the runtime, whose threads other tests need
    run(async {
        let temporal = Temporal::shared().await;
        let start = |queue: &str, key: &str| {
            let further = format!("{}={}", OLD.1, OLD.0);
            let env = [
                ("AES_KEY", key),
                ("AES_KEY_ID", AES.1),
                ("AES_KEYS", &further),
            ];
            language.start(&temporal.address(), queue, &env)
        };
        let queue = format!("workers-{language:?}");
        let waiting = format!("{queue}-waiting");
        let mut worker = start(&queue, AES.0);
        let mut wrong = start(&waiting, OTHER);

        let configured = Configured::new(&sources(&queue, &waiting));
        let forwarder = |aes| {
            Forwarder::start(ForwarderConfig {
                aes,
                ..configured.plain()
            })
        };
        let (plain, new, old) =
            tokio::join!(forwarder(None), forwarder(Some(AES)), forwarder(Some(OLD)));
        let locked = Sent::to(&new, "json", "/waiting", TOPIC).await;
        let what = format!("a worker with a wrong key fails on {}", locked.delivery.id);
        let why = eventually(&what, PATIENCE, || {
            wrong.assert_running();
            temporal.waits_after_a_failure(&locked.delivery.id)
        })
        .await;
        let expected = format!("the key with id '{}' does not open this payload", AES.1);
        assert!(why.contains(&expected), "{why}");
        drop(wrong);
        let mut right = start(&waiting, AES.0);

        let mut all = Vec::new();
        for forwarder in [&plain, &new, &old] {
            for (format, _) in FORMATS {
                for compress in COMPRESSIONS {
                    let path = format!("/{format}/{compress}");
                    all.push(Sent::to(forwarder, format, &path, TOPIC).await);
                }
            }
        }
        for (format, _) in FORMATS {
            let path = format!("/{format}/none");
            all.push(Sent::to(&new, format, &path, "").await);
        }
        for seen in results(temporal, &all, &mut worker).await.iter().zip(&all) {
            assert_seen(language, seen.0, seen.1, AES.1);
        }

        // Last: Temporal offers it to a worker again only after some seconds.
        let seen = results(temporal, std::slice::from_ref(&locked), &mut right).await;
        assert_seen(language, &seen[0], &locked, AES.1);
    });
}

/// A delivery, and what the worker should see of it.
struct Sent {
    delivery: Delivery,
    format: &'static str,
    path: String,
    topic: &'static str,
}

impl Sent {
    async fn to(
        forwarder: &Forwarder,
        format: &'static str,
        path: &str,
        topic: &'static str,
    ) -> Self {
        let mut delivery = Delivery::shopify(body().to_string()).with("X-Shopify-Topic", topic);
        if topic.is_empty() {
            delivery = delivery.without("X-Shopify-Topic");
        }
        path.clone_into(&mut delivery.path);
        let answer = Sender::new(forwarder)
            .send(&delivery.clone().signed(SECRET))
            .await;
        assert_eq!(answer.outcome(), "200 started", "{path}: {answer:?}");
        Self {
            delivery,
            format,
            path: path.to_owned(),
            topic,
        }
    }
}

/// What the worker returned of each, opened.
async fn results(temporal: &Temporal, all: &[Sent], worker: &mut Worker) -> Vec<Opened> {
    let mut results = Vec::with_capacity(all.len());
    for sent in all {
        results.push(temporal.result(&sent.delivery.id, worker).await);
    }
    open_by_python(&results, &[(AES.1, AES.0)])
}

fn assert_seen(language: Language, result: &Opened, sent: &Sent, key: &str) {
    let what = format!("{} from {}", sent.delivery.id, sent.path);
    let first = result.layers.first().and_then(|layer| layer.key.as_deref());
    assert_eq!(
        first,
        Some(key),
        "{what}: a result is encrypted with the first key"
    );

    let mut seen: Value = serde_json::from_str(&result.data).expect("JSON");
    let mut data = body();
    if language == Language::TypeScript {
        data["id"] = json!(820982911946154500_u64); // as its README says
    }
    assert_eq!(seen["data"].take(), data, "{what}");
    if sent.format == "raw" {
        assert_eq!(seen, json!({"data": null}), "{what}");
    } else if ["json", "json-string"].contains(&sent.format) {
        let topic = if sent.topic.is_empty() {
            Value::Null
        } else {
            sent.topic.into()
        };
        assert_eq!(seen["headers"]["x-shopify-topic"], topic, "{what}");
        assert_eq!(seen["headers"]["x-webhook-verified"], "true", "{what}");
    } else {
        let expected = json!({
            "id": sent.delivery.id,
            "topic": sent.topic,
            "tenant": "e2e.myshopify.com",
            "source": sent.path,
            "data": null,
        });
        assert_eq!(seen, expected, "{what}");
    }
}

/// An order with what is easily lost: digits, other scripts, and what HTML and JSON escape.
fn body() -> Value {
    json!({
        "id": 820982911946154508_u64,
        "admin_graphql_api_id": "gid://shopify/Order/820982911946154508",
        "note": CANARY,
        "customer": {"first_name": "Zoë 山田 🫖", "note": "<b>\"a\\b\"</b> & \u{2028}"},
        "line_items": [{"grams": 1.5, "gift": null, "taxable": true}, {"grams": 1.5, "gift": null, "taxable": true}],
    })
}

/// One for each format and compression, and one whose worker has another key.
fn sources(queue: &str, waiting: &str) -> String {
    let source = |path: &str, queue: &str, rest: &str| {
        format!(
            "[[source]]\npath = '{path}'\nprovider = 'shopify'\nsecrets = ['env:SHOPIFY_WEBHOOKS_KEY']\ntask_queue = '{queue}'\n{rest}\n"
        )
    };
    let mut text = source("/waiting", waiting, "");
    for (format, workflow) in FORMATS {
        for compress in COMPRESSIONS {
            let rest = format!(
                "format = '{format}'\ncompress = '{compress}'\nworkflow_type = '{workflow}'\n"
            );
            text += &source(&format!("/{format}/{compress}"), queue, &rest);
        }
    }
    text
}

const FORMATS: [(&str, &str); 6] = [
    ("json", "ShopifyWebhook"),
    ("json-string", "ShopifyString"),
    ("raw", "ShopifyRaw"),
    ("cloudevents", "ShopifyCloudEvent"),
    ("protobuf", "ShopifyProtobuf"),
    ("json-protobuf", "ShopifyProtobuf"),
];
const COMPRESSIONS: [&str; 2] = ["none", "zlib"];
const PATIENCE: Duration = Duration::from_secs(60);
const TOPIC: &str = "orders/create";

/// The key before [`AES`].
const OLD: (&str, &str) = ("00112233445566778899aabbccddeeff", "e2e-2025");

/// Not the key that [`AES`] is.
const OTHER: &str = "ff1d0c8ff2a94e03b75a16d98c4e2f70513bd6a8e97c04f2a1b8d3e65f90c742";
