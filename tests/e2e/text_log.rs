//! The log for people: a line a request, plain text, and no word of a caller's can look like ours.

use std::process::Command;

use uuid::Uuid;

use crate::support::configured::Configured;
use crate::support::delivery::{Delivery, SHOPIFY, SIGNATURE};
use crate::support::forwarder::{Forwarder, SECRET};
use crate::support::leaks;
use crate::support::program::Program;
use crate::support::run::BINARY;
use crate::support::sender::{Answer, Sender};
use crate::support::temporal::Temporal;
use crate::support::wait::{PATIENCE, run};

#[test]
fn each_request_is_one_line_with_its_fields() {
    run(async {
        let (mut forwarder, sender) = start().await;
        let order = Delivery::order();
        for outcome in ["started", "duplicate"] {
            let answer = sender.send(&order).await;
            let line = line(&mut forwarder, &answer);
            for field in [
                " INFO ".to_owned(),
                format!("source=\"{SHOPIFY}\""),
                "topic=\"orders/create\"".to_owned(),
                format!("event_id=\"{}\"", order.id),
                format!("outcome=\"{outcome}\""),
                format!("workflow_id=\"{}\"", order.id),
                " ms=".to_owned(),
            ] {
                assert!(line.contains(&field), "{field} is not in {line}");
            }
        }
        let answer = sender.send(&Delivery::order().without(SIGNATURE)).await;
        let line = line(&mut forwarder, &answer);
        assert!(line.contains("outcome=\"invalid_signature\""), "{line}");
        assert!(
            line.contains("reason=") && !line.contains(" event_id="),
            "{line}"
        );
        end(forwarder, 3);
    });
}

#[test]
fn callers_words_stay_inside_their_quotes_and_their_line() {
    run(async {
        let (mut forwarder, sender) = start().await;
        let id = format!("{}\" outcome=\"forged\" x=\"\\", Uuid::new_v4());
        let topic = "a\" request_id=\"forged\"\\n2026-11-01T00:00:00Z  INFO request";
        let order = Delivery::order()
            .with_id(&id)
            .with("X-Shopify-Topic", topic);
        let answer = sender.send(&order).await;
        assert_eq!(answer.outcome(), "200 started");
        let line = line(&mut forwarder, &answer);
        let (_, rest) = line.split_once("topic=").expect("the topic");
        let expected =
            format!("{topic:?} event_id={id:?} outcome=\"started\" workflow_id={id:?} ms=");
        assert!(rest.starts_with(&expected), "{line}");

        // What is no printable ASCII: escape sequences, line ends of Unicode, a tab.
        let mut requests = 1;
        for odd in ["\u{1b}[31m", "\u{85}", "\u{2028}", "a\tb", "\u{202e}"] {
            // Not even a client that does not care can send some of them.
            for order in [
                Delivery::order().with("X-Shopify-Topic", odd),
                Delivery::order().with_id(odd),
            ] {
                requests += usize::from(sender.try_send(&order).await.is_ok());
            }
        }
        assert!(requests > 5, "some arrive");
        end(forwarder, requests);
    });
}

#[test]
fn a_proven_senders_words_stay_readable_and_are_obeyed_by_nobody_in_json_too() {
    run(async {
        let configured = Configured::new(
            "[[source]]\npath = '/temporal/shopify'\nprovider = 'shopify'\n\
             secrets = ['env:SHOPIFY_WEBHOOKS_KEY']\n\
             topic = ['json t']\ntenant = ['json u']\n",
        );
        let forwarder = Forwarder::start(configured.plain()).await;
        let sender = Sender::new(&forwarder);
        for (odd, expected) in [
            ("St\u{f6}rung \u{6ce8}", "St\u{f6}rung \u{6ce8}"),
            ("a\u{85}b", "a%C2%85b"),
            ("\u{9b}31m", "%C2%9B31m"),
            ("a\u{2028}b", "a%E2%80%A8b"),
            ("a\u{202e}b", "a%E2%80%AEb"),
        ] {
            let body = serde_json::json!({ "t": odd, "u": odd }).to_string();
            let answer = sender.send(&Delivery::shopify(body)).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let line = forwarder.request_line(answer.request_id());
            assert_eq!(line["topic"], expected);
            assert_eq!(line["tenant"], expected);
        }
        let raw = ['\u{85}', '\u{9b}', '\u{2028}', '\u{202e}'];
        let lines = forwarder.log_lines();
        assert!(lines.iter().all(|line| !line.contains(raw)), "{lines:?}");
    });
}

/// A forwarder that logs text, to a file.
async fn start() -> (Program, Sender) {
    leaks::forbid(SECRET);
    let endpoint = Temporal::shared().await.address();
    let mut command = Command::new(BINARY);
    command
        .args(["--no-tls", "--host", "127.0.0.1", "--port", "0"])
        .args(["--log-format", "text", "--endpoint", &endpoint])
        .env_clear()
        .env("SHOPIFY_WEBHOOKS_KEY", SECRET)
        // What makes programs write colours to a terminal, and only there.
        .envs([("TERM", "xterm-256color"), ("COLORTERM", "truecolor")]);
    let mut program = Program::start("the forwarder", &mut command);
    let address = program.wait_for("its address", |log| {
        let found = log.contains("connected to Temporal");
        let listening = log
            .lines()
            .find(|line| line.contains("listener=\"public\""))?;
        let (_, rest) = listening.split_once("address=\"")?;
        found.then(|| rest.split('"').next().map(str::to_owned))?
    });
    (program, Sender::plain(&address))
}

/// The one line of this request.
fn line(forwarder: &mut Program, answer: &Answer) -> String {
    let id = format!("request_id=\"{}\"", answer.request_id());
    forwarder.wait_for("the request's line", |log| {
        let (whole, _) = log.rsplit_once('\n')?;
        let mut lines = whole.lines().filter(|line| line.contains(&id));
        let line = lines.next()?;
        assert!(lines.next().is_none(), "more than one line:\n{log}");
        assert!(line.contains(" request "), "it says what it is: {line}");
        Some(line.to_owned())
    })
}

/// The whole log is plain text, leaks nothing, and has so many lines about requests.
fn end(mut forwarder: Program, requests: usize) {
    forwarder.signal("TERM");
    assert_eq!(forwarder.wait(PATIENCE).code(), Some(0));
    assert_eq!(forwarder.stdout(), "", "logs go to standard error");
    let log = forwarder.stderr();
    let plain = log.bytes().all(|byte| matches!(byte, b'\n' | b' '..=b'~'));
    assert!(plain, "not plain text:\n{log:?}");
    for line in log.lines() {
        assert!(
            line.starts_with("20") && line.contains("Z "),
            "no line of ours: {line}"
        );
    }
    let about_requests = log
        .lines()
        .filter(|line| line.contains(" request request_id="));
    assert_eq!(about_requests.count(), requests, "{log}");
    let lines: Vec<_> = log.lines().map(str::to_owned).collect();
    assert_eq!(leaks::find(&lines), [""; 0]);
}
