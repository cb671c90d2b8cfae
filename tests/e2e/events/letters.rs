//! `dead-letters`: listed with their reason, shown, started again once the route is mended, discarded.

use serde_json::Value;
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;

use super::{KEY, Stage};
use crate::support::delivery::Delivery;
use crate::support::leaks::CANARY;
use crate::support::sender::Sender;
use crate::support::wait::run;

#[test]
fn a_dead_letter_is_listed_shown_and_started_again_once_the_route_is_mended() {
    run(async {
        let stage = Stage::with(BROKEN, true).await;
        let [event, other] = parked(&stage).await;
        let table = stage.run(&["dead-letters", "--table"]).fine();
        let row = table
            .lines()
            .find(|row| row.contains(&event.id))
            .expect("a row");
        assert!(
            row.contains("orders/create") && row.ends_with("no such key: missing"),
            "{table}"
        );
        let list = stage
            .run(&["dead-letters", "--topic", "orders/create"])
            .fine();
        let list: Value = serde_json::from_str(&list).expect("JSON");
        assert_eq!(
            (&list["total"], &list["items"][0]["status"]),
            (&2.into(), &"Running".into())
        );
        let shown = stage
            .run(&["dead-letters", "show", &event.id, "--table"])
            .fine();
        assert!(
            shown.contains(CANARY) && shown.contains("no such key: missing"),
            "{shown}"
        );

        stage
            .run(&["dead-letters", "replay", &event.id])
            .failed(1, &[]);
        stage
            .configured
            .rewrite(&BROKEN.replace("body.missing", "name"));
        (stage.forwarder).line("a reload", |line| {
            line["message"] == "configuration reloaded"
        });
        let dry = stage
            .run(&["dead-letters", "replay", &event.id, "--dry-run"])
            .fine();
        assert!(dry.contains("would start"), "{dry}");
        let done = stage.run(&["dead-letters", "replay", &event.id]).fine();
        assert!(
            done.contains("started") && done.contains("1 event: 1 started"),
            "{done}"
        );
        let letter = format!("dead-letter:/temporal/shopify:{}", event.id);
        assert_eq!(ended(&stage, &letter).await, "replayed");
        stage
            .temporal
            .started(&format!("shopify:{}", event.id))
            .await;

        let again = stage.run(&["dead-letters", "replay", &letter]);
        again.failed(1, &[&letter, "terminated already"]);
        let wrong = stage.run(&["dead-letters", "replay", &other.id, "no-such-letter"]);
        wrong.failed(1, &["no-such-letter", "no such dead letter"]);
        let started = format!("shopify:{}", event.id);
        stage
            .run(&["dead-letters", "discard", &started, "--why", "x"])
            .failed(1, &["no dead letter"]);

        let letter = format!("dead-letter:/temporal/shopify:{}", other.id);
        stage
            .run(&["dead-letters", "discard", &letter])
            .failed(64, &["--why"]);
        stage
            .run(&["dead-letters", "discard", &letter, "--why", " "])
            .failed(64, &["--why"]);
        let done = stage
            .run(&[
                "dead-letters",
                "discard",
                &letter,
                "--why",
                "a test of ours",
            ])
            .fine();
        assert_eq!(done, format!("discarded  {letter}\n"));
        assert_eq!(ended(&stage, &letter).await, "discarded: a test of ours");
        // Its sender comes again: nothing is parked anew.
        let answer = Sender::new(&stage.forwarder).send(&other).await;
        assert_eq!(
            answer.outcome(),
            "200 started",
            "the route is mended: {answer:?}"
        );
    });
}

/// Two orders that cannot start.
async fn parked(stage: &Stage) -> [Delivery; 2] {
    let sender = Sender::new(&stage.forwarder);
    let events = [Delivery::order(), Delivery::order()];
    for event in &events {
        let event = event.clone().signed(KEY.1);
        assert_eq!(sender.send(&event).await.outcome(), "200 dead_lettered");
    }
    stage.has(2).await;
    events
}

/// Why it was terminated.
async fn ended(stage: &Stage, id: &str) -> String {
    match stage.temporal.history(id).await.pop() {
        Some(Attributes::WorkflowExecutionTerminatedEventAttributes(end)) => end.reason,
        other => panic!("{id} ends with {other:?}"),
    }
}

const BROKEN: &str = "[[source]]
path = '/temporal/shopify'
provider = 'shopify'
secrets = ['env:SHOPIFY_WEBHOOKS_KEY']
workflow_id = '{body.missing}:{event_id}'
deadline = '1m'
";
