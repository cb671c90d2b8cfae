//! Every payload format, read back from Temporal's history: nothing of the body is lost, and the
//! official SDKs of Temporal and CloudEvents read it.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use temporalio_common::protos::temporal::api::common::v1::Payload;
use webhook_core::payload::protobuf;

use crate::support::configured::Configured;
use crate::support::delivery::{Delivery, SIGNATURE, hmac};
use crate::support::event::Envelope;
use crate::support::formats::{BODIES, Body, FORMATS, Sources};
use crate::support::forwarder::{AES, Forwarder, ForwarderConfig, SECRET};
use crate::support::history::{Started, metadata, open};
use crate::support::sdk::Sdk::Python;
use crate::support::sender::Sender;
use crate::support::temporal::Temporal;
use crate::support::wait::run;

#[test]
fn json_and_json_string_hold_the_same() {
    run(async {
        let sources = Sources::start().await;
        for body in BODIES {
            let (delivery, started) = sources.deliver("json", body).await;
            let once = plain(&started.input[0], &delivery, body);
            let (delivery, started) = sources.deliver("json-string", body).await;
            let (metadata, text) = started.argument();
            assert_eq!(metadata, encoding("json/plain"));
            let text: String = serde_json::from_slice(text).expect("a JSON string");
            let twice = Payload {
                data: text.into_bytes(),
                ..started.input[0].clone()
            };
            assert_eq!(plain(&twice, &delivery, body), once, "{}", body.what);
            assert_eq!(started.memo.len(), 6, "headers are in the payload");
        }
    });
}

#[test]
fn cloudevents_are_read_by_their_sdk_and_a_json_body_is_as_sent() {
    run(async {
        let sources = Sources::start().await;
        for body in BODIES {
            let what = body.what;
            let (delivery, started) = sources.deliver("cloudevents", body).await;
            let (metadata, argument) = started.argument();
            assert_eq!(metadata, encoding("json/plain"));
            let raw: CloudEvent = serde_json::from_slice(argument).expect("a CloudEvent");
            let data = raw.data.as_ref().map(|data| data.get());
            assert_eq!(data, body.json, "{what}");

            let read = Python("cloudevents").ask("decode", json!({ "data": base64(argument) }));
            let mut attributes = read["attributes"].clone();
            let time = attributes["time"].take().to_string();
            assert_eq!(
                time,
                memo(&started, "received_at")
                    .to_string()
                    .replace('Z', "+00:00")
            );
            let mut expected = json!({
                "specversion": "1.0", "id": delivery.id, "source": "/cloudevents",
                "type": "shopify.orders/create", "time": null, "provider": "shopify",
                "topic": "orders/create", "tenant": "e2e.myshopify.com", "verified": true,
            });
            let content_type = match body.content_type {
                // What a form has become.
                "application/x-www-form-urlencoded" => "application/json",
                "application/json; charset=utf-8" => "application/json",
                said => said,
            };
            if !content_type.is_empty() {
                expected["datacontenttype"] = json!(content_type);
            }
            assert_eq!(attributes, expected, "{what}");
            match body.json {
                Some(text) => {
                    let sent: Value = serde_json::from_str(text).expect("JSON");
                    assert_eq!(read["data"], sent, "{what}");
                }
                None => assert_eq!(read["bytes"], base64(body.bytes), "{what}"),
            }
            let headers = memo(&started, "headers");
            assert_eq!(headers, json!(with_ours(&delivery)), "{what}");
            assert_eq!(started.memo.len(), 7);
        }
    });
}

#[test]
fn credentials_reach_no_worker_no_expression_and_no_dead_letter() {
    run(async {
        let source = |format| {
            format!(
                "[[source]]\npath = '/{format}'\nprovider = 'shopify'\nsecrets = ['env:SHOPIFY_WEBHOOKS_KEY']\n\
                 workflow_id = '{format}:{{event_id}}'\nformat = '{format}'\n\
                 keep_headers = ['*', 'authorization', 'Cookie']\n\
                 [[source.route]]\nwhen = 'has(headers.cookie) || has(headers.authorization)'\naction = 'drop'\n"
            )
        };
        let configured = Configured::new(&FORMATS.map(source).concat());
        let forwarder = Forwarder::start(configured.plain()).await;
        let sender = Sender::new(&forwarder);
        for format in FORMATS {
            for (body, outcome, prefix) in [
                ("{}", "200 started", format!("{format}:")),
                ("{", "200 dead_lettered", format!("dead-letter:/{format}:")),
            ] {
                let mut delivery = Delivery::shopify(body)
                    .with("Authorization", "Bearer credential-1a2b3c")
                    .with("Cookie", "session=credential-1a2b3c")
                    .with("Proxy-Authorization", "Basic credential-1a2b3c")
                    .with("Set-Cookie", "a=credential-1a2b3c")
                    .with("X-Any", "kept-4d5e6f");
                delivery.path = format!("/{format}");
                let answer = sender.send(&delivery).await;
                assert_eq!(answer.outcome(), outcome, "{format}");
                let workflow = format!("{prefix}{}", delivery.id);
                let started = Temporal::shared().await.started(&workflow).await;
                let payloads = started.input.iter().chain(started.memo.values());
                let stored: Vec<_> = payloads.flat_map(|payload| payload.data.clone()).collect();
                let stored = String::from_utf8_lossy(&stored);
                assert!(
                    !stored.contains("credential-1a2b3c"),
                    "{workflow}: {stored}"
                );
                let is_plain = outcome == "200 started";
                assert!(
                    !is_plain || stored.contains("kept-4d5e6f"),
                    "{workflow}: {stored}"
                );
            }
        }
    });
}

#[test]
fn raw_is_the_body_byte_for_byte() {
    run(async {
        let sources = Sources::start().await;
        for body in BODIES {
            let (delivery, started) = sources.deliver("raw", body).await;
            let (metadata, argument) = started.argument();
            assert_eq!(metadata, encoding("binary/plain"));
            assert_eq!(argument, body.bytes, "{}", body.what);
            let read = decode(&started.input[0]);
            assert_eq!(read, json!({"type": "bytes", "value": base64(body.bytes)}));
            assert_eq!(memo(&started, "headers"), json!(with_ours(&delivery)));
            assert_eq!(started.memo.len(), 7);
        }
    });
}

#[test]
fn the_typed_envelope_is_read_by_temporals_sdk_and_verified_again() {
    run(async {
        let sources = Sources::start().await;
        for (format, name) in [
            ("protobuf", "binary/protobuf"),
            ("json-protobuf", "json/protobuf"),
        ] {
            for body in BODIES {
                let what = format!("{format}: {}", body.what);
                let (delivery, started) = sources.deliver(format, body).await;
                let mut expected = encoding(name);
                expected.insert("messageType".into(), MESSAGE.into());
                assert_eq!(started.argument().0, expected);
                assert_eq!(started.memo.len(), 6, "headers are in the payload");

                let mut read = decode(&started.input[0]);
                assert_eq!(read["type"], "WebhookEvent", "{what}");
                let event = read["value"].take();
                let text = str::from_utf8(body.bytes).ok();
                let text = text.filter(|_| format == "json-protobuf");
                assert_eq!(
                    event,
                    json!({
                        "id": delivery.id, "topic": "orders/create", "tenant": "e2e.myshopify.com",
                        "provider": "shopify", "source": delivery.path, "method": "POST",
                        "query": "", "verified_by": "env:SHOPIFY_WEBHOOKS_KEY",
                        "received_at": event["received_at"], "headers": kept(&delivery),
                        "body": base64(body.bytes), "body_text": text,
                    }),
                    "{what}"
                );
                let at = event["received_at"].as_str().expect("a time");
                let ms = memo(&started, "received_at");
                let ms = ms.as_str().and_then(|ms| ms.strip_suffix('Z'));
                assert_eq!(Some(&at[..23]), ms, "{what}");

                let arrived = event["body"]
                    .as_str()
                    .and_then(|text| STANDARD.decode(text).ok());
                let signature = STANDARD.encode(hmac(SECRET, &arrived.expect("base64")));
                let header = &event["headers"][SIGNATURE.to_lowercase()];
                assert_eq!(*header, signature, "{what}: a worker can verify it again");

                if format == "json-protobuf" {
                    let json = &started.input[0].data;
                    let ours = protobuf::from_json(json).expect("an event");
                    assert_eq!(ours.body(), body.bytes, "{what}");
                    assert_eq!(protobuf::to_json(&ours), *json, "{what}");
                }
            }
        }
    });
}

#[test]
fn a_get_is_its_query_and_an_unverified_one_says_so() {
    run(async {
        let mut text = String::new();
        for format in FORMATS {
            text += &format!(
                "[[source]]
                path = '/{format}'
                danger_accept_unverified = true
                format = '{format}'
                workflow_id = '{format}:{{event_id}}'
                [source.provider]
                methods = ['GET']
                id = ['query id']
                "
            );
        }
        let configured = Configured::new(&text);
        let forwarder = Forwarder::start(configured.plain()).await;
        for format in FORMATS {
            let id = Delivery::order().id;
            let query = format!("id={id}&a=%20b&a=+");
            let delivery = Delivery::bare(reqwest::Method::GET, &format!("/{format}?{query}"));
            let answer = Sender::new(&forwarder).send(&delivery).await;
            assert_eq!(answer.outcome(), "200 started", "{format}");
            let started = Temporal::shared().await;
            let started = started.started(&format!("{format}:{id}")).await;
            let argument = &started.input[0];
            let fields = json!({"id": id, "a": [" b", " "]});
            match format {
                "json" => {
                    let event = Envelope::read(&argument.data);
                    assert_eq!(event.data(), fields.to_string());
                    assert_eq!(event.headers["x-webhook-verified"], "false");
                }
                "json-string" => {}
                "cloudevents" => {
                    let event: Value = serde_json::from_slice(&argument.data).expect("JSON");
                    assert_eq!(event["data"], fields);
                    assert_eq!(event["datacontenttype"], "application/json");
                    assert_eq!(event["type"], "custom.webhook");
                    assert_eq!(event["verified"], false);
                }
                "raw" => {
                    assert_eq!(argument.data, query.as_bytes());
                    let headers = memo(&started, "headers");
                    assert_eq!(headers["x-webhook-method"], "GET");
                    assert_eq!(headers["x-webhook-verified"], "false");
                }
                _ => {
                    let event = decode(argument)["value"].take();
                    assert_eq!(
                        (&event["method"], &event["query"]),
                        (&json!("GET"), &json!(query))
                    );
                    assert_eq!(
                        (&event["body"], &event["verified_by"]),
                        (&json!(""), &json!(""))
                    );
                }
            }
        }
    });
}

#[test]
fn each_format_can_be_encrypted_with_its_memo() {
    run(async {
        for format in FORMATS {
            let forwarder = Forwarder::start(ForwarderConfig {
                aes: Some(AES),
                args: vec!["--payload-format", format].leak(),
                ..Default::default()
            })
            .await;
            let order = Delivery::order();
            Sender::new(&forwarder).send(&order).await;
            let started = Temporal::shared().await.started(&order.id).await;
            let inside = open(&started.input[0], AES.1, AES.0);
            let name = match format {
                "raw" => "binary/plain",
                "protobuf" => "binary/protobuf",
                "json-protobuf" => "json/protobuf",
                _ => "json/plain",
            };
            assert_eq!(metadata(&inside)["encoding"], name);
            if matches!(format, "raw" | "cloudevents") {
                let headers = open(&started.memo["headers"], AES.1, AES.0);
                let headers: Value = serde_json::from_slice(&headers.data).expect("JSON");
                assert_eq!(headers, json!(with_ours(&order)));
            }
        }
    });
}

#[test]
fn a_body_of_almost_two_mebibytes_fits_unless_base64_makes_it_a_dead_letter() {
    run(async {
        let sources = Sources::start().await;
        // No text, which json-protobuf would have as it is.
        let large = vec![0xff; 2_000_000];
        for format in FORMATS {
            let delivery = sources.delivery(format, "application/octet-stream", &large);
            let answer = Sender::new(&sources.forwarder).send(&delivery).await;
            let workflow = format!("{format}:{}", delivery.id);
            if matches!(format, "raw" | "protobuf") {
                assert_eq!(answer.outcome(), "200 started", "{format}");
                let started = Temporal::shared().await.started(&workflow).await;
                let arrived = &started.input[0].data;
                assert!(arrived.ends_with(&large), "{format}");
            } else {
                assert_eq!(
                    answer.outcome(),
                    "200 dead_lettered",
                    "{format}: {answer:?}"
                );
                Temporal::shared().await.assert_absent(&workflow).await;
            }
        }
    });
}

/// A CloudEvent whose data is not parsed.
#[derive(Deserialize)]
struct CloudEvent {
    data: Option<Box<RawValue>>,
}

/// The data of the default format, once everything else in it has been compared.
fn plain(payload: &Payload, delivery: &Delivery, body: &Body) -> String {
    assert_eq!(metadata(payload), encoding("json/plain"));
    let event = Envelope::read(&payload.data);
    assert_eq!(event.headers, with_ours(delivery), "{}", body.what);
    assert_eq!(decode(payload)["type"], "dict", "{}", body.what);
    match body.json {
        Some(json) => assert_eq!(event.data(), json, "{}", body.what),
        None => assert_eq!(event.data_base64(), base64(body.bytes), "{}", body.what),
    }
    body.json.unwrap_or("bytes").to_owned()
}

/// What Temporal's Python SDK makes of it.
fn decode(payload: &Payload) -> Value {
    let question = json!({ "metadata": metadata(payload), "data": base64(&payload.data) });
    Python("temporal").ask("decode", question)
}

fn memo(started: &Started, name: &str) -> Value {
    let payload = &started.memo[name];
    assert_eq!(metadata(payload), encoding("json/plain"));
    serde_json::from_slice(&payload.data).expect("JSON")
}

/// The headers that a source of Shopify's keeps.
fn kept(delivery: &Delivery) -> BTreeMap<String, String> {
    let headers = delivery.headers.iter();
    let headers = headers.map(|(name, _)| (name.to_lowercase(), delivery.header(name)));
    headers.collect()
}

fn with_ours(delivery: &Delivery) -> BTreeMap<String, String> {
    let mut headers = kept(delivery);
    headers.insert("x-webhook-route".into(), delivery.path.clone());
    headers.insert("x-webhook-method".into(), "POST".into());
    headers.insert("x-webhook-verified".into(), "true".into());
    headers
}

fn encoding(name: &str) -> BTreeMap<String, String> {
    [("encoding".to_owned(), name.to_owned())].into()
}

fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

const MESSAGE: &str = "webhook.forwarder.v1.WebhookEvent";
