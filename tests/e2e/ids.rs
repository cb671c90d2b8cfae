//! Two sources never share a workflow by accident, whatever ids their senders give; ids and names are
//! what Temporal takes, whatever is in them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use crate::support::configured::Configured;
use crate::support::delivery::{Delivery, hmac, unix_now};
use crate::support::forwarder::{Forwarder, ForwarderConfig};
use crate::support::leaks;
use crate::support::sender::Sender;
use crate::support::temporal::Temporal;
use crate::support::wait::run;

/// A sender's way to deliver to this path, under this secret, an event of this id.
type Deliver = fn(&str, &str, &str) -> Delivery;

#[test]
fn one_id_at_two_sources_of_a_sender_starts_two_workflows() {
    let senders: [(&str, &str, Deliver); 5] = [
        ("github", "provider = 'github'", github),
        ("stripe", "provider = 'stripe'", stripe),
        ("standard", "provider = 'standard-webhooks'", standard),
        ("bytes", BODY_SHA256, body_sha256),
        ("numbers", NUMBERS, numbers),
    ];
    run(async {
        let temporal = Temporal::shared().await;
        let unique = Uuid::new_v4();
        let mut text = String::new();
        for (sender, provider, _) in &senders {
            for (place, secret) in [("one", "ONE"), ("two", "TWO")] {
                text += &format!(
                    "[[source]]\npath = '/{unique}/{sender}/{place}'\nname = '{sender}-{place}-{unique}'\nsecrets = ['env:IDS_{secret}']\n\
                     task_queue = 'ids-{place}'\nworkflow_type = 'Ids{secret}'\n{provider}\n"
                );
            }
        }
        let configured = Configured::new(&text);
        let forwarder = Forwarder::start(config(&configured)).await;
        let http = Sender::new(&forwarder);
        for (sender, _, deliver) in &senders {
            let id = "evt_1";
            for (place, secret, kind) in [("one", ONE, "IdsONE"), ("two", TWO, "IdsTWO")] {
                let delivery = deliver(&format!("/{unique}/{sender}/{place}"), secret, id);
                let answer = http.send(&delivery).await;
                assert_eq!(answer.outcome(), "200 started", "{sender} {place}");
                let id = answer.json()["workflow_id"].clone();
                let id = id.as_str().expect("it is named");
                let name = format!("{sender}-{place}-{unique}:");
                assert!(id.starts_with(&name), "{id}");
                let started = temporal.started(id).await;
                let found = (started.task_queue.as_str(), started.workflow_type.as_str());
                assert_eq!(found, (format!("ids-{place}").as_str(), kind));
                assert_eq!(http.send(&delivery).await.outcome(), "200 duplicate");
            }
        }
    });
}

#[test]
fn a_bare_id_is_none_of_another_source() {
    run(async {
        let temporal = Temporal::shared().await;
        let unique = Uuid::new_v4();
        let configured = Configured::new(&format!(
            "[[source]]\npath = '/shop'\nprovider = 'shopify'\nsecrets = ['env:IDS_ONE']\n\
             [[source]]\npath = '/hub'\nname = 'hub-{unique}'\nprovider = 'github'\nsecrets = ['env:IDS_TWO']\n"
        ));
        let forwarder = Forwarder::start(config(&configured)).await;
        let http = Sender::new(&forwarder);
        let taken = format!("hub-{unique}:evt_1");
        let shop = Delivery::order().with_id(&taken);
        let shop = Delivery {
            path: "/shop".into(),
            ..shop
        }
        .signed(ONE);
        let answer = http.send(&shop).await;
        assert_eq!(answer.outcome(), "200 started");
        let bare = format!("hub-{unique}%3Aevt_1");
        assert_eq!(answer.json()["workflow_id"], bare);
        assert_eq!(
            temporal.started(&bare).await.workflow_type,
            "ShopifyWebhook"
        );
        temporal.assert_absent(&taken).await;

        let answer = http.send(&github("/hub", TWO, "evt_1")).await;
        assert_eq!(answer.outcome(), "200 started");
        assert_eq!(
            temporal.started(&taken).await.workflow_type,
            "GithubWebhook"
        );
    });
}

#[test]
fn a_sender_that_moves_is_the_same_under_both_paths() {
    run(async {
        let configured = Configured::new(&["/old", "/new"].map(|path| {
            format!("[[source]]\npath = '{path}'\nprovider = 'github'\nsecrets = ['env:IDS_ONE']\nworkflow_id = 'moving:{{event_id}}'\nshared_ids = true\n")
        }).concat());
        let forwarder = Forwarder::start(config(&configured)).await;
        let http = Sender::new(&forwarder);
        let id = Uuid::new_v4().to_string();
        for (path, outcome) in [("/old", "200 started"), ("/new", "200 duplicate")] {
            let answer = http.send(&github(path, ONE, &id)).await;
            assert_eq!(answer.outcome(), outcome, "{path}");
            assert_eq!(answer.json()["workflow_id"], format!("moving:{id}"));
        }
    });
}

#[test]
fn what_senders_write_fits_into_names_and_stays_as_it_is_for_people() {
    run(async {
        let temporal = Temporal::shared().await;
        let configured = Configured::new(
            "[[source]]\npath = '/labels'\nsecrets = ['env:IDS_ONE']\n\
             workflow_id = '{name}:{body.kind}:{event_id}'\nworkflow_type = '{body.kind}'\ntask_queue = 'q:{body.kind}'\n\
             fairness_key = '{body.kind}'\nsummary = '{body.kind}'\nmemo = { kind = '{body.kind}' }\n\
             [source.provider]\nname = 'inhouse'\nid = ['json id']\n[[source.provider.signature]]\nin = ['header X-Signature']\n",
        );
        let forwarder = Forwarder::start(config(&configured)).await;
        let http = Sender::new(&forwarder);
        let send = async |id: &str, kind: &str| {
            let body = json!({"id": id, "kind": kind}).to_string();
            let answer = http.send(&signed("/labels", ONE, &body)).await;
            assert_eq!(answer.outcome(), "200 started", "{kind}");
            let id = answer.json()["workflow_id"].clone();
            id.as_str().expect("it is named").to_owned()
        };
        let id = Uuid::new_v4().to_string();
        let kind = "Störung 50 %\u{7}";
        let ascii = "St%C3%B6rung 50 %%07";
        assert_eq!(send(&id, kind).await, format!("labels:{ascii}:{id}"));
        let started = temporal.started(&format!("labels:{ascii}:{id}")).await;
        assert_eq!(started.workflow_type, ascii);
        assert_eq!(started.task_queue, format!("q:{ascii}"));
        assert_eq!(
            started.memo["kind"].data,
            json!(kind).to_string().as_bytes()
        );

        let long = "ü".repeat(700);
        let [one, two] = [format!("{long}1"), format!("{long}2")];
        let first = send(&id, &one).await;
        let second = send(&id, &two).await;
        assert_ne!(first, second, "two events");
        assert_eq!((first.len(), second.len()), (1000, 1000));
        let body = json!({"id": id, "kind": one}).to_string();
        let again = http.send(&signed("/labels", ONE, &body)).await;
        assert_eq!(again.outcome(), "200 duplicate");
        let [started, other] = [
            temporal.started(&first).await,
            temporal.started(&second).await,
        ];
        assert_eq!(
            (started.workflow_type.len(), started.task_queue.len()),
            (1000, 1000)
        );
        assert_ne!(started.workflow_type, other.workflow_type);
        assert_ne!(started.task_queue, other.task_queue);
        assert_eq!(started.memo["kind"].data, json!(one).to_string().as_bytes());
    });
}

#[test]
fn labels_make_names_of_queues_and_signals_too() {
    run(async {
        let temporal = Temporal::shared().await;
        let configured = Configured::new(
            "[[source]]\npath = '/signals'\nsecrets = ['env:IDS_ONE']\ntask_queue = 'ids'\n\
             [source.provider]\nid = ['json id']\ntopic = ['header X-Topic']\ntenant = ['json shop']\n[[source.provider.signature]]\nin = ['header X-Signature']\n\
             [[source.route]]\nwhen = 'has(body.entity)'\naction = 'signal-with-start'\nsignal = '{topic}'\nworkflow_id = '{body.entity}'\n\
             [[source.route]]\nwhen = 'has(body.there)'\naction = 'signal'\nsignal = '{topic}'\nworkflow_id = '{body.there}'\n\
             [[source.route]]\nwhen = 'has(body.key)'\naction = 'signal-with-start'\nworkflow_id = 'theirs:{body.key}'\n\
             [[source.route]]\nwhen = 'has(body.gid) && topic == \"opened\"'\nworkflow_id = '{body.gid}'\n\
             [[source.route]]\nwhen = 'has(body.gid)'\naction = 'signal'\nworkflow_id = '{body.gid}'\n\
             [[source.route]]\nwhen = 'tenant == \"störung.example\"'\nworkflow_type = '{tenant}'\n",
        );
        let forwarder = ForwarderConfig {
            args: Vec::leak([configured.args(), &["--no-global-queue"]].concat()),
            ..config(&configured)
        };
        let forwarder = Forwarder::start(forwarder).await;
        let http = Sender::new(&forwarder);
        let send = async |topic: &str, body: serde_json::Value| {
            let delivery = signed("/signals", ONE, &body.to_string()).with("X-Topic", topic);
            let answer = http.send(&delivery).await;
            (answer.outcome(), answer.json()["workflow_id"].clone())
        };
        let unique = Uuid::new_v4().to_string();

        let body = json!({"id": format!("{unique}-1"), "shop": "störung.example"});
        let (outcome, id) = send("Störung", body).await;
        assert_eq!(outcome, "200 started");
        let started = temporal.started(id.as_str().expect("it is named")).await;
        assert_eq!(started.task_queue, "ids:St%C3%B6rung");
        assert_eq!(started.workflow_type, "st%C3%B6rung.example");
        assert_eq!(started.memo["topic"].data, "\"Störung\"".as_bytes());

        // What may start a workflow takes no other source's id; what names one that is there does.
        let entity = format!("ids:ü:{unique}");
        let ours = format!("ids%3A%C3%BC%3A{unique}");
        let body = json!({"id": format!("{unique}-2"), "entity": entity});
        assert_eq!(
            send("Störung", body).await,
            ("200 signalled".to_owned(), json!(ours))
        );
        let theirs = format!("theirs:{unique}");
        let body = json!({"id": format!("{unique}-5"), "key": unique});
        let (outcome, id) = send("first", body).await;
        assert_eq!((outcome.as_str(), id), ("200 signalled", json!(theirs)));
        for (n, there) in [(3, &theirs), (4, &ours)] {
            let body = json!({"id": format!("{unique}-{n}"), "there": there});
            assert_eq!(
                send("über", body).await,
                ("200 signalled".to_owned(), json!(there))
            );
        }
        let names = async |id: &str| {
            let signals = temporal.signals(id).await.into_iter();
            signals.map(|(name, _)| name).collect::<Vec<_>>()
        };
        assert_eq!(names(&ours).await, ["St%C3%B6rung", "%C3%BCber"]);
        assert_eq!(names(&theirs).await, ["webhook", "%C3%BCber"]);

        // A signal reaches what a route with the same template starts.
        let gid = format!("gid://shop/Order/{unique}");
        let started = json!(format!("gid%3A//shop/Order/{unique}"));
        for (n, topic, expected) in [(6, "opened", "200 started"), (7, "paid", "200 signalled")] {
            let body = json!({"id": format!("{unique}-{n}"), "gid": gid});
            let (outcome, id) = send(topic, body).await;
            assert_eq!((outcome.as_str(), id), (expected, started.clone()));
        }
    });
}

#[test]
fn a_sender_of_ones_own_names_queue_and_type() {
    run(async {
        let temporal = Temporal::shared().await;
        let provider = |name: &str| {
            format!(
                "[source.provider]\n{name}id = ['json id']\n[[source.provider.signature]]\nin = ['header X-Signature']\n"
            )
        };
        let configured = Configured::new(&format!(
            "[[source]]\npath = '/own'\nsecrets = ['env:IDS_ONE']\n{}[[source]]\npath = '/temporal/nobody/else'\nsecrets = ['env:IDS_ONE']\n{}",
            provider("name = 'inhouse'\n"),
            provider(""),
        ));
        let forwarder = Forwarder::start(config(&configured)).await;
        let http = Sender::new(&forwarder);
        for (path, name, kind, queue) in [
            ("/own", "own", "InhouseWebhook", "inhouse_webhooks"),
            (
                "/temporal/nobody/else",
                "nobody-else",
                "Webhook",
                "webhooks",
            ),
        ] {
            let id = Uuid::new_v4().to_string();
            let answer = http.send(&numbers(path, ONE, &id)).await;
            assert_eq!(answer.outcome(), "200 started", "{path}");
            let started = temporal.started(&format!("{name}:{id}")).await;
            let found = (started.workflow_type.as_str(), started.task_queue.as_str());
            assert_eq!(found, (kind, queue));
        }
    });
}

fn github(path: &str, secret: &str, id: &str) -> Delivery {
    let body = r#"{"ref":"refs/heads/main"}"#;
    let signature = format!("sha256={}", hex::encode(hmac(secret, body.as_bytes())));
    json_to(path, body)
        .with("X-GitHub-Delivery", id)
        .with("X-GitHub-Event", "push")
        .with("X-Hub-Signature-256", signature)
}

fn stripe(path: &str, secret: &str, id: &str) -> Delivery {
    let body = json!({"id": id, "type": "charge.failed"}).to_string();
    let ts = unix_now();
    let signature = hex::encode(hmac(secret, format!("{ts}.{body}").as_bytes()));
    json_to(path, &body).with("Stripe-Signature", format!("t={ts},v1={signature}"))
}

fn standard(path: &str, secret: &str, id: &str) -> Delivery {
    let body = r#"{"type":"contact.created"}"#;
    let ts = unix_now();
    let key = STANDARD
        .decode(secret)
        .expect("the secrets are base64, too");
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &key);
    let signature = aws_lc_rs::hmac::sign(&key, format!("{id}.{ts}.{body}").as_bytes());
    json_to(path, body)
        .with("webhook-id", id)
        .with("webhook-timestamp", ts.to_string())
        .with(
            "webhook-signature",
            format!("v1,{}", STANDARD.encode(signature)),
        )
}

/// The same bytes are the same event, here and there.
fn body_sha256(path: &str, secret: &str, id: &str) -> Delivery {
    signed(path, secret, &json!({"same": id}).to_string())
}

fn numbers(path: &str, secret: &str, id: &str) -> Delivery {
    signed(path, secret, &json!({"id": id}).to_string())
}

fn signed(path: &str, secret: &str, body: &str) -> Delivery {
    json_to(path, body).with("X-Signature", hex::encode(hmac(secret, body.as_bytes())))
}

fn json_to(path: &str, body: &str) -> Delivery {
    Delivery::bare(Method::POST, path)
        .with("Content-Type", "application/json")
        .with_body(body)
}

fn config(configured: &Configured) -> ForwarderConfig {
    leaks::forbid(ONE);
    leaks::forbid(TWO);
    ForwarderConfig {
        env: &[("IDS_ONE", ONE), ("IDS_TWO", TWO)],
        ..configured.plain()
    }
}

const BODY_SHA256: &str = "[source.provider]\nid = ['body-sha256']\n[[source.provider.signature]]\nin = ['header X-Signature']\n";
const NUMBERS: &str = "[source.provider]\nid = ['json id']\n[[source.provider.signature]]\nin = ['header X-Signature']\n";
/// Base64, too.
const ONE: &str = "aWRzLW9uZS02YjFmMGQ5Ny1zZWNyZXQx";
const TWO: &str = "aWRzLXR3by0yNzNhY2U4OC1zZWNyZXQy";
