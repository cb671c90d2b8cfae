//! `replay`: events out of real histories, sent on their way again by the real program.

use std::collections::HashMap;
use std::process::Command;
use std::time::{Duration, Instant};

use prost::Message;
use serde_json::{Value, json};
use temporal_webhook_forwarder::temporal::payload::from_temporal;
use temporalio_common::protos::temporal::api::common::v1::Payload;
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;
use uuid::Uuid;
use webhook_core::codec::Codec;
use webhook_core::codec::key::Key;
use webhook_core::proto;

use crate::support::configured::Configured;
use crate::support::delivery::Delivery;
use crate::support::formats::{BODIES, FORMATS};
use crate::support::forwarder::{AES, Forwarder, ForwarderConfig, SECRET};
use crate::support::history::Started;
use crate::support::inspect::json;
use crate::support::leaks;
use crate::support::run::Run;
use crate::support::s3::{BUCKET, CREDENTIALS, REGION, S3};
use crate::support::sender::Sender;
use crate::support::temporal::{self, Temporal};
use crate::support::wait::{PATIENCE, run, until};
use crate::support::worker::PythonWorker;

#[test]
fn a_dead_letter_becomes_the_workflow_that_it_should_have_been() {
    run(async {
        let attribute = format!("TwfReplay{}", &Uuid::new_v4().simple().to_string()[..8]);
        let stage = Stage::encrypted(&source(&format!(
            "search_attributes = {{ {attribute} = '{{topic}}' }}\nsummary = 'order {{body.id}}'"
        )))
        .await;
        let event = Delivery::order();
        let letter = stage.parked(&event).await;
        let by_query = ["--query", &open_letters(&letter)];
        stage.temporal.runs(&letter, 1).await;

        let dry = stage.replay(&[&by_query[..], &["--dry-run"]].concat());
        let expected = format!(
            "would start   {}  the source itself\n1 event: 1 would start\n",
            event.id
        );
        assert_eq!(dry.fine(), expected);
        stage.temporal.assert_absent(&event.id).await;

        let early = stage.replay(&by_query);
        assert_eq!(early.code, Some(1), "{early:?}");
        let failed = format!("failed        {letter}: ");
        assert!(early.stdout.starts_with(&failed), "{early:?}");
        assert!(early.stdout.contains(&attribute), "the reason: {early:?}");
        assert!(early.stdout.ends_with("1 event: 1 failed\n"), "{early:?}");
        stage.temporal.assert_absent(&event.id).await;
        assert_eq!(stage.temporal.count(&open_letters(&letter)).await, 1);

        stage
            .temporal
            .register_attribute(&attribute, "Keyword")
            .await;
        let late = stage.replay(&by_query).fine();
        let run_id = stage.temporal.run_id(&event.id).await.expect("it is there");
        assert_eq!(
            late,
            format!("started       {}  {run_id}\n1 event: 1 started\n", event.id)
        );

        // As if it had been delivered now.
        let text = stage.text.replace("{event_id}", "direct:{event_id}");
        let direct = Stage::encrypted(&text).await;
        let answer = Sender::new(&direct.forwarder).send(&event).await;
        assert_eq!(answer.outcome(), "200 started");
        let expected = direct.whole(&format!("direct:{}", event.id)).await;
        let replayed = stage.whole(&event.id).await;
        assert_eq!(replayed, expected);
        assert!(!replayed["search_attributes"].is_null());
        let body = stage.temporal.started(&event.id).await.input.remove(0);
        let body = String::from_utf8(decoded(body).data.to_vec()).expect("text");
        let sent = String::from_utf8(event.body.clone()).expect("text");
        assert!(
            body.ends_with(&format!(",\"data\":{sent}}}")),
            "byte for byte"
        );

        let last = stage.temporal.history(&letter).await.pop();
        let Some(Attributes::WorkflowExecutionTerminatedEventAttributes(end)) = last else {
            panic!("{letter} ends with {last:?}");
        };
        assert_eq!(end.reason, "replayed");
        let what = "nothing is left";
        until(what, PATIENCE, async || {
            stage.temporal.count(&open_letters(&letter)).await == 0
        })
        .await;
        let nothing = stage.replay(&by_query).fine();
        assert_eq!(nothing, "no workflow matches the query\n");
        let twice = stage.replay(&["--workflow-id", &letter]).fine();
        let expected = format!(
            "duplicate     {}  {run_id}\n1 event: 1 duplicate\n",
            event.id
        );
        assert_eq!(twice, expected);
        let again = Sender::new(&stage.forwarder).send(&event).await;
        assert_eq!(again.outcome(), "200 duplicate", "the sender's redelivery");
    });
}

#[test]
fn a_mended_template_and_one_that_is_not() {
    run(async {
        let stage = Stage::new(&source("summary = 'order {body.number}'")).await;
        let event = Delivery::shopify(br#"{"id":1}"#.to_vec());
        let letter = stage.parked(&event).await;
        let by_id = ["--workflow-id", letter.as_str()];
        for args in [&by_id[..], &["--dry-run", by_id[0], by_id[1]]] {
            let failed = stage.replay(args);
            assert_eq!(failed.code, Some(1), "{failed:?}");
            let reason = "the source itself: summary: ";
            assert!(failed.stdout.contains(reason), "{failed:?}");
        }

        stage
            .configured
            .rewrite(&source("summary = 'order {body.id}'"));
        let kept = stage.replay(&["--keep", by_id[0], by_id[1]]).fine();
        assert!(kept.starts_with("started "), "{kept}");
        assert!(stage.runs(&letter).await, "it was to be kept");
        let again = stage.replay(&by_id).fine();
        assert!(again.starts_with("duplicate "), "{again}");
        assert!(!stage.runs(&letter).await);

        // A rule for it is an answer, too; what nobody can read stays.
        let broken = Delivery::shopify(b"{".to_vec());
        let letter = stage.parked(&broken).await;
        let failed = stage.replay(&["--workflow-id", &letter]);
        assert_eq!(failed.code, Some(1));
        assert!(failed.stdout.contains("no well-formed JSON"), "{failed:?}");
        assert!(stage.runs(&letter).await);
    });
}

#[test]
fn a_rule_that_drops_it_closes_the_dead_letter() {
    run(async {
        let stage = Stage::new(&source("summary = '{body.number}'")).await;
        let letter = stage.parked(&Delivery::shopify(b"{}".to_vec())).await;
        stage.configured.rewrite(&source(
            "[[source.route]]\nwhen = '!has(body.number)'\naction = 'drop'",
        ));
        let dropped = stage.replay(&["--workflow-id", &letter]).fine();
        assert!(dropped.starts_with("dropped "), "{dropped}");
        assert!(!stage.runs(&letter).await);
    });
}

#[test]
fn a_closed_workflow_is_started_again_in_every_format() {
    run(async {
        for (stage, what) in [
            (Stage::new(&every_format("")).await, "plain"),
            (
                Stage::encrypted(&every_format("compress = 'zlib'")).await,
                "zlib, encrypted",
            ),
        ] {
            let sender = Sender::new(&stage.forwarder);
            let mut ids = Vec::new();
            for format in FORMATS {
                for body in BODIES {
                    let mut event = Delivery::shopify(body.bytes).without("Content-Type");
                    if !body.content_type.is_empty() {
                        event = event.with("Content-Type", body.content_type);
                    }
                    event.path = format!("/{format}");
                    assert_eq!(sender.send(&event).await.outcome(), "200 started");
                    ids.push(format!("{format}:{}", event.id));
                }
            }
            let flags: Vec<_> = ids.iter().flat_map(|id| ["--workflow-id", id]).collect();
            let flags = [&flags[..], &["--rate", "1000"]].concat();
            let running = stage.replay(&flags).fine();
            assert!(
                running.ends_with("42 events: 42 duplicate\n"),
                "{what}: {running}"
            );

            let mut before = HashMap::new();
            for id in &ids {
                let run_id = stage.temporal.run_id(id).await;
                before.insert(id, (run_id, stage.whole(id).await));
                stage.temporal.terminate(id).await;
            }
            let started = stage.replay(&flags).fine();
            assert!(
                started.ends_with("42 events: 42 started\n"),
                "{what}: {started}"
            );
            for id in &ids {
                let (run_id, whole) = &before[id];
                assert_ne!(stage.temporal.run_id(id).await, *run_id, "{what}: {id}");
                assert_eq!(stage.whole(id).await, *whole, "{what}: {id}");
            }
        }
    });
}

#[test]
fn signals_and_updates_are_sent_again() {
    run(async {
        let key = Uuid::new_v4().simple().to_string();
        let queue = format!("entity-{key}");
        let routes = ENTITY.replace("QUEUE", &queue);
        let stage = Stage::new(&routes).await;
        let sender = Sender::new(&stage.forwarder);
        let id = format!("entity:{key}");
        let _worker = PythonWorker::entity(&stage.temporal.address(), &queue);
        let event = |topic: &str, n: u32| {
            let body = json!({"key": key, "n": n}).to_string();
            Delivery::shopify(body).with("X-Shopify-Topic", topic)
        };
        let signals = [event("signal", 1), event("signal", 2)];
        for signal in &signals {
            assert_eq!(sender.send(signal).await.outcome(), "200 signalled");
        }
        let update = event("update", 3);
        sender.send_until_taken(&update).await;
        let by_id = ["--workflow-id", id.as_str()];
        let dry = stage.replay(&["--dry-run", by_id[0], by_id[1]]).fine();
        assert!(
            dry.ends_with("3 events: 2 would signal, 1 would update\n"),
            "{dry}"
        );

        // Running: the entity sees each once more, in the same order.
        let again = stage.replay(&by_id).fine();
        assert!(
            again.ends_with("3 events: 2 signalled, 1 updated\n"),
            "{again}"
        );
        let run_id = stage.temporal.run_id(&id).await;
        let seen = stage.temporal.signals(&id).await;
        let seen: Vec<_> = seen
            .iter()
            .map(|(_, event)| json(event)["data"]["n"].clone())
            .collect();
        assert_eq!(seen, [1, 2, 1, 2]);

        // Closed: another run begins. What the history has twice is done once.
        stage.temporal.terminate(&id).await;
        let first = stage.replay(&["--limit", "1", by_id[0], by_id[1]]).fine();
        assert!(
            first
                .ends_with("1 event: 1 signalled; stopped at --limit, 0 workflows not looked at\n"),
            "{first}"
        );
        assert_ne!(stage.temporal.run_id(&id).await, run_id);
        let run = run_id.as_deref().unwrap_or_default();
        let old = stage.replay(&["--run-id", run, by_id[0], by_id[1]]).fine();
        assert!(
            old.ends_with("6 events: 3 duplicate, 2 signalled, 1 updated\n"),
            "{old}"
        );
    });
}

#[test]
fn the_original_request_is_posted_and_verified() {
    run(async {
        let stage = Stage::new(&source("summary = 'order {body.number}'")).await;
        let event = Delivery::shopify(br#" {"id":1}"#.to_vec());
        let letter = stage.parked(&event).await;
        let mended = Configured::new(&every_format(""));
        let mended = Forwarder::start(mended.plain()).await;
        let base = format!("http://{}", mended.public);
        let url = format!("{base}/raw");
        let by_id = ["--workflow-id", letter.as_str()];
        let post = |url: &str| stage.replay(&["--url", url, by_id[0], by_id[1]]);

        let dry = stage
            .replay(&["--dry-run", "--url", &url, by_id[0], by_id[1]])
            .fine();
        let expected = format!("would post    {}  {url}\n1 event: 1 would post\n", event.id);
        assert_eq!(dry, expected);
        let unknown = post(&base);
        assert_eq!(unknown.code, Some(1));
        let why = format!("{base}/temporal/shopify answered 404 not found");
        assert!(
            unknown.stdout.contains(&why),
            "without a path the source's: {unknown:?}"
        );
        let parked = post(&format!("http://{}", stage.forwarder.public));
        assert_eq!(parked.code, Some(1));
        assert!(
            parked.stdout.contains("answered 200 dead_lettered"),
            "{parked:?}"
        );

        for outcome in ["started", "duplicate"] {
            let expected = format!(
                "posted        {}  200 {outcome}\n1 event: 1 posted\n",
                event.id
            );
            assert_eq!(post(&url).fine(), expected);
        }
        let id = format!("raw:{}", event.id);
        let input = stage.temporal.started(&id).await.input.remove(0);
        assert_eq!(input.data, event.body, "byte for byte");
        assert!(stage.runs(&letter).await, "it is not this forwarder's");

        let other = Forwarder::start(ForwarderConfig {
            secret: Some("another-secret"),
            ..Configured::new(&every_format("")).plain()
        })
        .await;
        let refused = post(&format!("http://{}/raw", other.public));
        assert_eq!(refused.code, Some(1));
        assert!(
            refused.stdout.contains("answered 401 invalid signature"),
            "{refused:?}"
        );
        let lossy = stage.replay(&["--url", &url, "--workflow-id", &id]);
        assert_eq!(lossy.code, Some(1));
        let why = "the format raw leaves something of the request out";
        assert!(lossy.stdout.contains(why), "{lossy:?}");
        let nobody = post("http://127.0.0.1:1");
        assert!(
            nobody.stdout.contains("is the forwarder running?"),
            "{nobody:?}"
        );
    });
}

#[test]
fn what_lies_in_s3_is_read_from_there() {
    run(async {
        let s3 = S3::start();
        let large = format!(
            "[large_payloads]\nbucket = '{BUCKET}'\nregion = '{REGION}'\nendpoint = 'http://{}'\n",
            s3.address()
        );
        let source = |more| source(&format!("body_limit = '8MiB'\ndeadline = '30s'\n{more}"));
        let stage = Stage::encrypted(&(large + &source("summary = '{body.number}'"))).await;
        // No zlib makes this small.
        let text: String = (0..90_000).map(|_| Uuid::new_v4().to_string()).collect();
        let event = Delivery::shopify(json!({ "text": text }).to_string());
        let letter = stage.parked(&event).await;
        assert_eq!(s3.objects().len(), 1, "the dead letter");

        let mended = stage.text.replace("summary = '{body.number}'", "");
        stage
            .configured
            .rewrite(&mended[mended.find("[[source]]").expect("a source")..]);
        let blind = stage.replay(&["--workflow-id", &letter]);
        let why = "it is in external storage, and there is no [large_payloads]";
        assert!(blind.stdout.contains(why), "{blind:?}");
        stage.configured.rewrite(&mended);
        let found = stage.replay(&["--workflow-id", &letter]).fine();
        assert!(found.starts_with("started "), "{found}");

        let input = stage.temporal.started(&event.id).await.input.remove(0);
        let reference: Value = serde_json::from_slice(&input.data).expect("a reference");
        let key = reference["claimData"]["key"].as_str().expect("a key");
        let objects = s3.objects();
        let (_, content) = objects
            .iter()
            .find(|(name, _)| name == key)
            .expect("it is there");
        let stored = Payload::decode(content.as_slice()).expect("a payload");
        let whole: Value = serde_json::from_slice(&decoded(stored).data).expect("JSON");
        let sent: Value = serde_json::from_slice(&event.body).expect("JSON");
        assert_eq!(whole["data"], sent);

        // A closed one is stored and started again.
        stage.temporal.terminate(&event.id).await;
        let again = stage.replay(&["--workflow-id", &event.id]).fine();
        assert!(again.starts_with("started "), "{again}");
    });
}

#[test]
fn what_cannot_be_replayed_is_said() {
    run(async {
        let stage = Stage::encrypted(&every_format("")).await;
        let mut event = Delivery::order();
        event.path = "/json".to_owned();
        let answer = Sender::new(&stage.forwarder).send(&event).await;
        assert_eq!(answer.outcome(), "200 started");
        let id = format!("json:{}", event.id);
        let foreign = format!("foreign-{}", event.id);
        temporal_cli(
            &stage.temporal.address(),
            &[
                "workflow",
                "start",
                "--type",
                "T",
                "--task-queue",
                "q",
                "--workflow-id",
                &foreign,
                "--input",
                "{\"headers\":{},\"data\":1}",
            ],
        );

        let other_source = Stage::encrypted(&source("")).await;
        let plain = Stage::new(&every_format("")).await;
        for (stage, id, part) in [
            (
                &other_source,
                &id,
                "its source /json is not configured any more: expected one of /temporal/shopify",
            ),
            (
                &plain,
                &id,
                "encrypted with key \"e2e-2026\", and there is no key of that id",
            ),
            (
                &stage,
                &foreign,
                "no argument of its start, its signals or its updates is an event",
            ),
            (&stage, &"nobody".to_owned(), "workflow not found"),
        ] {
            let failed = stage.replay(&["--workflow-id", id]);
            assert_eq!(failed.code, Some(1), "{failed:?}");
            assert!(
                failed.stdout.starts_with(&format!("failed        {id}: ")),
                "{failed:?}"
            );
            assert!(failed.stdout.contains(part), "{part}: {failed:?}");
        }
        let none = stage
            .replay(&["--query", "WorkflowType = 'NobodyHasThisType'"])
            .fine();
        assert_eq!(none, "no workflow matches the query\n");
        for (args, part) in [
            (&["--query", "no query"][..], "--query: "),
            (&[], "--workflow-id"),
            (&["--query", "a", "--workflow-id", "b"], "--query"),
            (&["--query", "a", "--run-id", "b"], "--run-id"),
            (
                &["--workflow-id", "a", "--workflow-id", "b", "--run-id", "c"],
                "--run-id: one run belongs to one workflow",
            ),
            (
                &["--workflow-id", "a", "--url", "nowhere"],
                "--url \"nowhere\"",
            ),
            (&["--workflow-id", "a", "--insecure"], "--url"),
            (&["--workflow-id", "a", "--rate", "0"], "--rate"),
        ] {
            stage.replay(args).failed(64, &[part]);
        }
        let nowhere = Run::new(
            &["replay", "--workflow-id", "a", "--endpoint", "127.0.0.1:1"],
            &ENV,
        );
        nowhere.failed(1, &["Temporal at 127.0.0.1:1: "]);
        let unset = Run::new(&["replay", "--workflow-id", "a"], &[]);
        unset.misconfigured(&["SHOPIFY_WEBHOOKS_KEY"]);
    });
}

#[test]
fn many_are_replayed_at_a_rate_and_up_to_a_limit() {
    run(async {
        let stage = Stage::new(&source("summary = 'order {body.number}'")).await;
        let prefix = Uuid::new_v4().simple().to_string();
        for n in 0..30 {
            let event =
                Delivery::shopify(br#"{"id":1}"#.to_vec()).with_id(&format!("{prefix}-{n}"));
            stage.parked(&event).await;
        }
        let letters = format!("dead-letter:/temporal/shopify:{prefix}");
        stage.temporal.runs(&letters, 30).await;
        stage.configured.rewrite(&source(""));
        let query = open_letters(&letters).replace("WorkflowId = ", "WorkflowId STARTS_WITH ");
        let by_query = ["--query", query.as_str()];
        let dry = stage
            .replay(&[&by_query[..], &["--dry-run", "--limit", "5"]].concat())
            .fine();
        let sum = "5 events: 5 would start; stopped at --limit, 25 workflows not looked at\n";
        assert!(dry.ends_with(sum), "{dry}");
        let some = stage
            .replay(&[&by_query[..], &["--limit", "10", "--rate", "100"]].concat())
            .fine();
        let sum = "10 events: 10 started; stopped at --limit, 20 workflows not looked at\n";
        assert!(some.ends_with(sum), "{some}");
        let ids: Vec<_> = some.lines().take(10).collect();
        for (n, line) in ids.iter().enumerate() {
            assert!(
                line.contains(&format!(" {prefix}-{n} ")),
                "the oldest first: {some}"
            );
        }
        until("20 are left", PATIENCE, async || {
            stage.temporal.count(&query).await == 20
        })
        .await;
        let begun = Instant::now();
        let rest = stage
            .replay(&[&by_query[..], &["--rate", "20"]].concat())
            .fine();
        assert!(rest.ends_with("20 events: 20 started\n"), "{rest}");
        assert!(begun.elapsed() >= Duration::from_millis(950), "20 a second");
        until("none is left", PATIENCE, async || {
            stage.temporal.count(&query).await == 0
        })
        .await;
        assert_eq!(
            stage.temporal.runs(&prefix, 30).await.len(),
            30,
            "each once"
        );
    });
}

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
        .map(|(name, value)| (name, String::from_utf8_lossy(value)))
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

fn temporal_cli(address: &str, args: &[&str]) {
    let mut command = Command::new(temporal::binary());
    let output = command.args(args).args(["--address", address]).output();
    let output = output.expect("the Temporal CLI runs");
    assert!(output.status.success(), "{output:?}");
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

const ENTITY: &str = r#"
[[source]]
path = "/temporal/shopify"
provider = "shopify"
secrets = ["env:SHOPIFY_WEBHOOKS_KEY"]
task_queue = "QUEUE"
workflow_type = "Entity"

[[source.route]]
when = 'topic == "signal"'
action = "signal-with-start"
workflow_id = "entity:{body.key}"

[[source.route]]
when = 'topic == "update"'
action = "update-with-start"
workflow_id = "entity:{body.key}"
"#;
