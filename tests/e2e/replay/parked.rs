//! Dead letters: replayed once what was wrong is mended, dropped, or left.

use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;
use uuid::Uuid;

use super::{Stage, decoded, open_letters, source};
use crate::support::delivery::Delivery;
use crate::support::sender::Sender;
use crate::support::wait::{PATIENCE, run, until};

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
