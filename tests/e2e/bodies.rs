//! Every kind of body: verified over the bytes as they came, and given to the worker as promised.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::configured::Configured;
use crate::support::delivery::{Delivery, SHOPIFY, hmac};
use crate::support::event::Envelope;
use crate::support::forwarder::{Forwarder, ForwarderConfig};
use crate::support::leaks;
use crate::support::sender::Sender;
use crate::support::temporal::Temporal;
use crate::support::wait::run;

#[test]
fn each_kind_of_body_is_verified_as_sent_and_reaches_the_worker_in_its_form() {
    run(async {
        let configured = configured("id = ['header X-Id']");
        let forwarder = Forwarder::start(config(&configured)).await;
        let multipart = "multipart/form-data; boundary=XX";
        let file = b"--XX\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhello\r\n\
            --XX\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nagain\r\n\
            --XX\r\nContent-Disposition: form-data; name=\"scan\"; filename=\"a \xc3\xbc.bin\"\r\n\
            Content-Type: image/png\r\n\r\n\x00\xff\r\n\r\n--XX--\r\n";
        let scan = json!({
            "filename": "a ü.bin", "content_type": "image/png",
            "data_base64": STANDARD.encode(b"\x00\xff\r\n"),
        });
        let xml = "<?xml version=\"1.0\"?>\r\n<a b=\"c\">ü</a>\r\n";
        let form = "application/x-www-form-urlencoded";
        let cases: [(&str, &[u8], Value); 13] = [
            (
                form,
                b"a=1&b=x+y%26&a=2&c=&d",
                json!({"a": ["1", "2"], "b": "x y&", "c": "", "d": ""}),
            ),
            (
                multipart,
                file,
                json!({"note": ["hello", "again"], "scan": scan}),
            ),
            (
                "text/plain; charset=utf-8",
                "h\u{fc} \"q\"\r\n".as_bytes(),
                json!("hü \"q\"\r\n"),
            ),
            ("application/xml", xml.as_bytes(), json!(xml)),
            ("text/xml", xml.as_bytes(), json!(xml)),
            ("application/soap+xml", xml.as_bytes(), json!(xml)),
            (
                "application/json",
                b"\xef\xbb\xbf {\"a\": 1}\r\n",
                json!({"a": 1}),
            ),
            ("Application/Problem+JSON", b"[1]", json!([1])),
            ("", b"{\"a\":1}", json!({"a": 1})),
            (
                "application/octet-stream",
                b"\x00\x01\xff",
                base64(b"\x00\x01\xff"),
            ),
            ("image/png", b"{}", base64(b"{}")),
            ("text/plain", b"\xff\xfe", base64(b"\xff\xfe")),
            ("", b"no json", base64(b"no json")),
        ];
        for (content_type, body, expected) in cases {
            let delivery = signed(content_type, body);
            let sender = Sender::new(&forwarder);
            let answer = sender.send(&delivery).await;
            assert_eq!(answer.outcome(), "200 started", "{content_type:?} {body:?}");
            assert_eq!(data(&delivery.id).await, expected, "{content_type:?}");

            // One more byte, even white space, is another body.
            let changed = signed(content_type, body).with_body([body, b" "].concat());
            assert_eq!(sender.send(&changed).await.status, 401, "{content_type:?}");
        }
        for (content_type, body) in [
            ("application/json", &b"{"[..]),
            (multipart, b"--YY--"),
            ("multipart/form-data", file),
        ] {
            let answer = Sender::new(&forwarder)
                .send(&signed(content_type, body))
                .await;
            assert_eq!(answer.outcome(), "200 dead_lettered", "{content_type}");
        }
    });
}

#[test]
fn id_and_topic_are_found_in_the_json_of_a_form_field_payload() {
    run(async {
        let configured =
            configured("id = ['json id']\ntopic = ['json action.type']\ntask_queue = 'q:{topic}'");
        let forwarder = Forwarder::start(config(&configured)).await;
        let sender = Sender::new(&forwarder);
        let unique = Delivery::order().id;
        let payload = format!(r#"{{"id":"{unique}","action":{{"type":"opened"}}}}"#);
        let body: String = form_urlencoded::Serializer::new(String::new())
            .append_pair("payload", &payload)
            .finish();
        let form = "application/x-www-form-urlencoded";
        let answer = sender.send(&signed(form, body.as_bytes())).await;
        assert_eq!(answer.outcome(), "200 started");
        assert_eq!(data(&unique).await, json!({ "payload": payload }));
        let started = Temporal::shared().await.started(&unique).await;
        assert_eq!(started.task_queue, "q:opened");

        let twice = format!("{body}&{body}");
        let answer = sender.send(&signed(form, twice.as_bytes())).await;
        assert_eq!(answer.status, 400, "two payloads are none: {answer:?}");
    });
}

#[test]
fn a_body_with_a_content_encoding_is_415_and_nothing_is_inflated() {
    run(async {
        let configured = configured("id = ['header X-Id']");
        let forwarder = Forwarder::start(config(&configured)).await;
        // gzip of {"a":1}, which would be a good event.
        let gzip = STANDARD
            .decode("H4sIAAAAAAAAA6tWSlSyMqwFAPmDPmUHAAAA")
            .expect("base64");
        for coding in ["gzip", "deflate", "br", "zstd", "x-unknown"] {
            for body in [gzip.as_slice(), b"{\"a\":1}"] {
                let delivery = signed("application/json", body).with("Content-Encoding", coding);
                let answer = Sender::new(&forwarder).send(&delivery).await;
                assert_eq!(answer.status, 415, "{coding:?}: {answer:?}");
                let line = forwarder.request_line(answer.request_id());
                assert_eq!(line["outcome"], "unsupported_type");
                Temporal::shared().await.assert_absent(&delivery.id).await;
            }
        }
        let plain = signed("application/octet-stream", &gzip);
        let answer = Sender::new(&forwarder).send(&plain).await;
        assert_eq!(answer.outcome(), "200 started");
        assert_eq!(data(&plain.id).await, base64(&gzip));
    });
}

/// What the worker gets: `data`, or an object with `data_base64`.
async fn data(workflow_id: &str) -> Value {
    let started = Temporal::shared().await.started(workflow_id).await;
    let envelope: Value = serde_json::from_slice(started.argument().1).expect("JSON");
    Envelope::read(started.argument().1);
    match envelope.get("data_base64") {
        Some(text) => json!({ "data_base64": text }),
        None => envelope["data"].clone(),
    }
}

fn base64(bytes: &[u8]) -> Value {
    json!({ "data_base64": STANDARD.encode(bytes) })
}

fn signed(content_type: &str, body: &[u8]) -> Delivery {
    let id = Delivery::order().id;
    let mut delivery = Delivery::bare(reqwest::Method::POST, SHOPIFY)
        .with("X-Id", &id)
        .with("X-Signature", hex::encode(hmac(KEY, body)))
        .with_body(body);
    if !content_type.is_empty() {
        delivery = delivery.with("Content-Type", content_type);
    }
    delivery.id = id;
    delivery
}

fn configured(labels: &str) -> Configured {
    Configured::new(&format!(
        "[[source]]
        path = '{SHOPIFY}'
        secrets = ['env:BODIES_KEY']
        workflow_id = '{{event_id}}'
        [source.provider]
        {labels}
        [[source.provider.signature]]
        in = ['header X-Signature']"
    ))
}

fn config(configured: &Configured) -> ForwarderConfig {
    leaks::forbid(KEY);
    ForwarderConfig {
        env: &[("BODIES_KEY", KEY)],
        ..configured.plain()
    }
}

const KEY: &str = "bodies-key-5a6b7c8d";
