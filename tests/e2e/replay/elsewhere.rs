//! What is posted to another forwarder, what lies in S3, and what cannot be replayed.

use std::process::Command;

use prost::Message;
use serde_json::{Value, json};
use temporalio_common::protos::temporal::api::common::v1::Payload;
use uuid::Uuid;

use super::{ENV, Stage, decoded, every_format, source};
use crate::support::configured::Configured;
use crate::support::delivery::Delivery;
use crate::support::forwarder::{Forwarder, ForwarderConfig};
use crate::support::run::Run;
use crate::support::s3::{BUCKET, REGION, S3};
use crate::support::sender::Sender;
use crate::support::temporal;
use crate::support::wait::run;

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
            "[large_payloads]\nthreshold = '16KiB'\nbucket = '{BUCKET}'\nregion = '{REGION}'\nendpoint = 'http://{}'\n",
            s3.address()
        );
        let source = |more| source(&format!("body_limit = '8MiB'\ndeadline = '30s'\n{more}"));
        let stage = Stage::encrypted(&(large + &source("summary = '{body.number}'"))).await;
        // No zlib makes this small. More would only take time.
        let text: String = (0..1500).map(|_| Uuid::new_v4().to_string()).collect();
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

fn temporal_cli(address: &str, args: &[&str]) {
    let mut command = Command::new(temporal::binary());
    let output = command.args(args).args(["--address", address]).output();
    let output = output.expect("the Temporal CLI runs");
    assert!(output.status.success(), "{output:?}");
}
