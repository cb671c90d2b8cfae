//! Forms and queries: fields that are JSON, bytes that are no text, JSON under the type of a form, and
//! the query of what has no body.

mod bytes;

use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use crate::support::configured::Configured;
use crate::support::delivery::{Delivery, hmac, unix_now};
use crate::support::event::Envelope;
use crate::support::forwarder::{Forwarder, ForwarderConfig};
use crate::support::history::Started;
use crate::support::leaks::{self, CANARY};
use crate::support::sender::Sender;
use crate::support::temporal::Temporal;
use crate::support::wait::run;

#[test]
fn a_field_that_its_sender_documents_as_json_is_embedded_and_routes_look_into_it() {
    run(async {
        let configured = configured();
        let forwarder = Forwarder::start(config(&configured)).await;
        let sender = Sender::new(&forwarder);
        let id = Uuid::new_v4().to_string();
        // Every digit and the order of the keys.
        let payload = format!(
            r#"{{"type":"block_actions","trigger_id":"{id}","n":12345678901234567890.10,"callback_id":"approve","a":1}}"#
        );
        let body = form(&[("payload", &payload)]);
        for (path, queue, data) in [
            ("/slack", "approvals", format!(r#"{{"payload":{payload}}}"#)),
            (
                "/slack-text",
                "q",
                json!({ "payload": payload }).to_string(),
            ),
        ] {
            let delivery = slack(path, FORM, body.as_bytes());
            let answer = sender.send(&delivery).await;
            assert_eq!(answer.outcome(), "200 started", "{path}: {answer:?}");
            assert_eq!(sender.send(&delivery).await.outcome(), "200 duplicate");
            let started = started(path, &id).await;
            assert_eq!(started.task_queue, queue, "{path}");
            let envelope = Envelope::read(started.argument().1);
            assert_eq!(envelope.data(), data, "{path}");
        }
        // What is no JSON stays a text; what is a command has no such field.
        let id = Uuid::new_v4().to_string();
        let body = form(&[
            ("payload", "{not json"),
            ("trigger_id", &id),
            ("text", "{}"),
        ]);
        let delivery = slack("/slack", FORM, body.as_bytes());
        assert_eq!(sender.send(&delivery).await.outcome(), "200 started");
        let started = started("/slack", &id).await;
        let envelope = Envelope::read(started.argument().1);
        let expected = format!(r#"{{"payload":"{{not json","trigger_id":"{id}","text":"{{}}"}}"#);
        assert_eq!((envelope.data(), &*started.task_queue), (&*expected, "q"));
    });
}

#[test]
fn github_s_form_and_every_format_have_the_payload_as_json() {
    run(async {
        let configured = configured();
        let forwarder = Forwarder::start(config(&configured)).await;
        let payload = r#"{"z":1.0,"action":"opened","number":12345678901234567890}"#;
        let body = form(&[("payload", payload)]);
        let signature = format!("sha256={}", hex::encode(hmac(KEY, body.as_bytes())));
        let data = format!(r#"{{"payload":{payload}}}"#);
        for format in ["json", "json-string", "cloudevents", "raw", "protobuf"] {
            let path = format!("/github-{format}");
            let id = Uuid::new_v4().to_string();
            let delivery = Delivery::bare(Method::POST, &path)
                .with("Content-Type", FORM)
                .with("X-GitHub-Delivery", &id)
                .with("X-GitHub-Event", "issues")
                .with("X-Hub-Signature-256", &signature)
                .with_body(body.as_str());
            let answer = Sender::new(&forwarder).send(&delivery).await;
            assert_eq!(answer.outcome(), "200 started", "{format}");
            let started = started(&path, &id).await;
            assert_eq!(started.task_queue, "opened", "{format}");
            let argument = started.argument().1;
            match format {
                "raw" => assert_eq!(argument, body.as_bytes()),
                "protobuf" => assert!(argument.ends_with(body.as_bytes())),
                "json-string" => {
                    let inner: String = serde_json::from_slice(argument).expect("a string");
                    assert_eq!(Envelope::read(inner.as_bytes()).data(), data);
                }
                _ => {
                    let text = String::from_utf8_lossy(argument);
                    assert!(text.ends_with(&format!(r#""data":{data}}}"#)), "{text}");
                }
            }
        }
    });
}

#[test]
fn an_operator_s_own_multipart_sender_says_it_and_has_its_id_there() {
    run(async {
        let configured = configured();
        let forwarder = Forwarder::start(config(&configured)).await;
        let id = Uuid::new_v4().to_string();
        let payload = format!(
            r#"{{"event":"media.play","Metadata":{{"guid":"{id}","ratingKey":12345678901234567890}}}}"#
        );
        let body = format!(
            "--XX\r\nContent-Disposition: form-data; name=\"payload\"\r\nContent-Type: application/json\r\n\r\n{payload}\r\n\
             --XX\r\nContent-Disposition: form-data; name=\"thumb\"; filename=\"thumb.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n{{}}\r\n--XX--\r\n"
        );
        let delivery = own("/plex", "multipart/form-data; boundary=XX", body.as_bytes());
        let answer = Sender::new(&forwarder).send(&delivery).await;
        assert_eq!(answer.outcome(), "200 started", "{answer:?}");
        let started = started("/plex", &id).await;
        assert_eq!(started.task_queue, "plays", "by the topic");
        let thumb = r#"{"filename":"thumb.jpg","content_type":"image/jpeg","data_base64":"e30="}"#;
        let expected = format!(r#"{{"payload":{payload},"thumb":{thumb}}}"#);
        assert_eq!(Envelope::read(started.argument().1).data(), expected);
    });
}

#[test]
fn json_under_the_type_of_a_form_is_warned_of_without_a_word_of_it() {
    run(async {
        let configured = configured();
        let forwarder = Forwarder::start(config(&configured)).await;
        let sender = Sender::new(&forwarder);
        for (body, level) in [
            (
                format!(r#"{{"url":"https://example.com/?a=1&b=2","note":"{CANARY}"}}"#),
                "WARN",
            ),
            (format!(r#"["{CANARY}"]"#), "WARN"),
            (format!(r#" "{CANARY}" "#), "WARN"),
            (format!("a=1&note={CANARY}"), "INFO"),
            // Fields without a value, and no less JSON.
            ("123".to_owned(), "INFO"),
            ("true".to_owned(), "INFO"),
            ("-1.5e3".to_owned(), "INFO"),
            (format!(r#"payload={{"a":"{CANARY}"}}"#), "INFO"),
        ] {
            let id = Uuid::new_v4().to_string();
            let delivery = Delivery::bare(Method::POST, "/generic")
                .with("Content-Type", FORM)
                .with("Webhook-Id", &id)
                .with_body(body.as_str());
            let answer = sender.send(&delivery).await;
            assert_eq!(answer.outcome(), "200 started", "{body}");
            let line = forwarder.request_line(answer.request_id());
            assert_eq!(line["level"], level, "{body}: {line}");
            let hint = line["hint"].as_str().unwrap_or_default();
            assert_eq!(
                hint.contains("JSON under the type of a form"),
                level == "WARN",
                "{line}"
            );
            let text = line.to_string();
            assert!(
                !text.contains(CANARY) && !text.contains("example.com"),
                "{line}"
            );
        }
    });
}

#[test]
fn the_query_of_a_post_without_a_body_is_the_event_as_a_get_s_is() {
    run(async {
        let configured = configured();
        let forwarder = Forwarder::start(config(&configured)).await;
        let sender = Sender::new(&forwarder);
        let unique = Uuid::new_v4().to_string();
        let query = format!("a=1&b=x%20y&a=2&id={unique}");
        for (format, content_type) in [("generic", ""), ("raw", "application/json")] {
            let mut delivery = Delivery::bare(Method::POST, &format!("/{format}?{query}"));
            if !content_type.is_empty() {
                delivery = delivery.with("Content-Type", content_type);
            }
            let answer = sender.send(&delivery).await;
            assert_eq!(answer.outcome(), "200 started", "{answer:?}");
            assert_eq!(sender.send(&delivery).await.outcome(), "200 duplicate");
            let workflow_id = answer.json()["workflow_id"].as_str().map(str::to_owned);
            let workflow_id = workflow_id.expect("the answer names it");
            let started = Temporal::shared().await.started(&workflow_id).await;
            let argument = started.argument().1;
            assert_eq!(
                started.memo["request_query"].data,
                json!(query).to_string().as_bytes()
            );
            if format == "raw" {
                assert_eq!(argument, query.as_bytes());
                continue;
            }
            let envelope = Envelope::read(argument);
            let expected = format!(r#"{{"a":["1","2"],"b":"x y","id":"{unique}"}}"#);
            assert_eq!(envelope.data(), expected);
            assert_eq!(envelope.headers["x-webhook-method"], "POST");
        }
        // Signed is the body, which is none: not the query.
        let mut delivery = own("/plex", "", b"");
        delivery.path.push_str("?a=1");
        assert_eq!(sender.send(&delivery).await.status, 400);
        for path in ["/generic", "/generic?", "/generic?&"] {
            let answer = sender.send(&Delivery::bare(Method::POST, path)).await;
            assert_eq!(answer.status, 400, "{path}: {answer:?}");
        }
    });
}

fn form(fields: &[(&str, &str)]) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(fields).finish()
}

fn slack(path: &str, content_type: &str, body: &[u8]) -> Delivery {
    let now = unix_now().to_string();
    let signed = [b"v0:", now.as_bytes(), b":", body].concat();
    Delivery::bare(Method::POST, path)
        .with("Content-Type", content_type)
        .with("X-Slack-Request-Timestamp", &now)
        .with(
            "X-Slack-Signature",
            format!("v0={}", hex::encode(hmac(KEY, &signed))),
        )
        .with_body(body)
}

/// As an operator's own sender, with the body's HMAC.
fn own(path: &str, content_type: &str, body: &[u8]) -> Delivery {
    let mut delivery = Delivery::bare(Method::POST, path)
        .with("X-Signature", hex::encode(hmac(KEY, body)))
        .with_body(body);
    if !content_type.is_empty() {
        delivery = delivery.with("Content-Type", content_type);
    }
    delivery
}

async fn started(path: &str, id: &str) -> Started {
    let workflow_id = format!("forms{path}:{id}");
    Temporal::shared().await.started(&workflow_id).await
}

fn configured() -> Configured {
    let source = |path: &str, rest: &str, routes: &[(&str, &str)]| {
        let routes = routes.iter().map(|(when, queue)| {
            format!("[[source.route]]\nwhen = '{when}'\ntask_queue = '{queue}'\n")
        });
        let (keys, provider) = rest.split_once("---").unwrap_or((rest, ""));
        format!(
            "[[source]]\npath = '{path}'\nworkflow_id = 'forms{path}:{{event_id}}'\ntask_queue = 'q'\n{keys}\n{provider}\n{}\n",
            routes.collect::<String>()
        )
    };
    let entry = |name: &str| format!("provider = '{name}'\nsecrets = ['env:FORMS_KEY']\n");
    let own = |words: &str| {
        format!(
            "secrets = ['env:FORMS_KEY']\n---[source.provider]\n{words}\n[[source.provider.signature]]\nin = ['header X-Signature']\n"
        )
    };
    let mut text = source(
        "/slack",
        &entry("slack"),
        &[(
            "type(body.payload) == map && body.payload.callback_id == \"approve\"",
            "approvals",
        )],
    );
    text += &source(
        "/slack-text",
        &format!("{}json_fields = []\n", entry("slack")),
        &[],
    );
    for format in ["json", "json-string", "cloudevents", "raw", "protobuf"] {
        let keys = format!("{}format = '{format}'\n", entry("github"));
        let opened = [("body.payload.action == \"opened\"", "opened")];
        text += &source(&format!("/github-{format}"), &keys, &opened);
    }
    text += &source(
        "/plex",
        &own(
            "id = ['json payload.Metadata.guid', 'header X-Id']\ntopic = ['json payload.event']\njson_fields = ['payload']",
        ),
        &[("topic == \"media.play\"", "plays")],
    );
    text += &source("/json-id", &own("id = ['json id']\nkeep_headers = []"), &[]);
    for path in ["/ipn", "/ipn-other"] {
        text += &source(
            path,
            &own(
                "id = ['form txn_id']\ntopic = ['form txn_type']\nkeep_headers = ['content-type']",
            ),
            &[
                ("topic == \"web_accept\"", "paid"),
                ("topic == \"Störung\"", "disturbed"),
            ],
        );
    }
    let open = "provider = 'generic'\ndanger_accept_unverified = true\n";
    text += &source("/generic", open, &[]);
    text += &source("/raw", &format!("{open}format = 'raw'\n"), &[]);
    Configured::new(&text)
}

fn config(configured: &Configured) -> ForwarderConfig {
    leaks::forbid(KEY);
    ForwarderConfig {
        env: &[("FORMS_KEY", KEY)],
        ..configured.plain()
    }
}

const KEY: &str = "forms-key-9a8b7c6d";

const FORM: &str = "application/x-www-form-urlencoded";
