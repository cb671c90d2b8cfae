//! Forms and queries whose bytes are no text, or no JSON.

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use uuid::Uuid;

use super::{config, configured, own, started};
use crate::support::delivery::Delivery;
use crate::support::event::Envelope;
use crate::support::forwarder::Forwarder;
use crate::support::sender::Sender;
use crate::support::wait::run;

#[test]
fn a_multipart_form_that_is_no_utf8_has_its_id_and_topic_and_loses_no_byte() {
    run(async {
        let configured = configured();
        let forwarder = Forwarder::start(config(&configured)).await;
        let sender = Sender::new(&forwarder);
        let said = "multipart/form-data; boundary=XX";
        let part = |head: &[u8], value: &[u8]| {
            let head = [b"--XX\r\nContent-Disposition: form-data; ", head].concat();
            [&head[..], b"\r\n\r\n", value, b"\r\n"].concat()
        };
        let ids = [(); 4].map(|()| Uuid::new_v4().to_string());
        let end: &[u8] = b"--XX--\r\n";
        let topic = part(b"name=\"txn_type\"", b"web_accept");
        let whole = |first: Vec<u8>, id: &str| {
            let id = part(b"name=\"txn_id\"", id.as_bytes());
            [&first[..], &topic, &id, end].concat()
        };
        for (body, id) in [
            // The name of a field, and of a file.
            (whole(part(b"name=\"n\xe4me\"", b"1"), &ids[0]), &ids[0]),
            (
                whole(part(b"name=\"a\"; filename=\"\xe4.txt\"", b"text"), &ids[1]),
                &ids[1],
            ),
        ] {
            let answer = sender.send(&own("/ipn", said, &body)).await;
            assert_eq!(answer.outcome(), "200 started", "{answer:?}");
            let started = started("/ipn", id).await;
            assert_eq!(started.task_queue, "paid", "by the topic");
            let envelope = Envelope::read(started.argument().1);
            assert_eq!(envelope.data_base64(), STANDARD.encode(&body));
        }
        // A value.
        let body = whole(part(b"name=\"first_name\"", b"J\xf6rg"), &ids[2]);
        let answer = sender.send(&own("/ipn", said, &body)).await;
        assert_eq!(answer.outcome(), "200 started", "{answer:?}");
        let started = started("/ipn", &ids[2]).await;
        let envelope = Envelope::read(started.argument().1);
        assert!(envelope.data().contains(&STANDARD.encode(b"J\xf6rg")));
        // The id itself, and the topic.
        let latin = [b"\xfc", ids[3].as_bytes()].concat();
        let id = part(b"name=\"txn_id\"", &latin);
        let topic = part(b"name=\"txn_type\"", b"St\xf6rung");
        let body = [&id[..], &topic, end].concat();
        let answer = sender.send(&own("/ipn", said, &body)).await;
        assert_eq!(answer.outcome(), "200 started", "{answer:?}");
        let id = format!("\u{fc}{}", ids[3]);
        let hash = hex::encode(digest::digest(&digest::SHA256, id.as_bytes()));
        let started = self::started("/ipn", &hash).await;
        assert_eq!(started.task_queue, "disturbed", "by the topic");
        // Two of a kind that are broken, still.
        for broken in [&b"--XX\r\nnonsense"[..], b"--XX--"] {
            let answer = sender.send(&own("/ipn", said, broken)).await;
            assert_eq!(answer.status, 400, "no id: {answer:?}");
        }
    });
}

#[test]
fn an_id_with_half_a_surrogate_is_the_hash_of_its_json() {
    run(async {
        let configured = configured();
        let forwarder = Forwarder::start(config(&configured)).await;
        let sender = Sender::new(&forwarder);
        let own_id = Uuid::new_v4().simple().to_string();
        let mut seen = Vec::new();
        for raw in [
            format!(r#""{own_id}\ud800""#),
            format!(r#""{own_id}\udbff""#),
        ] {
            let body = format!(r#"{{"\udc00":1,"id":{raw}}}"#);
            for outcome in ["200 started", "200 duplicate"] {
                let delivery = own("/json-id", "application/json", body.as_bytes());
                let answer = sender.send(&delivery).await;
                assert_eq!(answer.outcome(), outcome, "{answer:?}");
            }
            let hash = hex::encode(digest::digest(&digest::SHA256, raw.as_bytes()));
            let started = started("/json-id", &hash).await;
            assert_eq!(Envelope::read(started.argument().1).data(), body);
            seen.push(hash);
        }
        assert_ne!(seen[0], seen[1]);
    });
}

#[test]
fn a_form_that_is_no_utf8_arrives_whole_and_its_id_and_topic_are_read() {
    run(async {
        let configured = configured();
        let forwarder = Forwarder::start(config(&configured)).await;
        let id = Uuid::new_v4().to_string();
        let form =
            format!("first_name=J%F6rg&charset=windows-1252&txn_id={id}&txn_type=web_accept");
        let raw = [form.as_bytes(), b"&note=\xfc"].concat();
        for (body, path) in [(form.as_bytes(), "/ipn"), (&raw, "/ipn-other")] {
            let said = "application/x-www-form-urlencoded; charset=windows-1252";
            let answer = Sender::new(&forwarder).send(&own(path, said, body)).await;
            assert_eq!(answer.outcome(), "200 started", "{answer:?}");
            let started = started(path, &id).await;
            assert_eq!(started.task_queue, "paid", "by the topic");
            let envelope = Envelope::read(started.argument().1);
            assert_eq!(envelope.data_base64(), STANDARD.encode(body));
            assert_eq!(envelope.headers["content-type"], said);
        }
        let query = format!("first_name=J%F6rg&id={id}");
        let delivery = Delivery::bare(Method::GET, &format!("/generic?{query}"));
        let delivery = delivery.with("Webhook-Id", &id);
        let answer = Sender::new(&forwarder).send(&delivery).await;
        assert_eq!(answer.outcome(), "200 started", "{answer:?}");
        let started = started("/generic", &id).await;
        let envelope = Envelope::read(started.argument().1);
        assert_eq!(envelope.data_base64(), STANDARD.encode(query));
    });
}
