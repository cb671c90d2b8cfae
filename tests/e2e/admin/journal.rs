//! What happened: counts, sources, refusals in full words, and what is kept of them.

use serde_json::{Value, json};

use super::text;
use crate::support::configured::Configured;
use crate::support::delivery::{Delivery, SHOPIFY, SIGNATURE};
use crate::support::forwarder::{Forwarder, ForwarderConfig};
use crate::support::leaks;
use crate::support::sender::Sender;
use crate::support::wait::run;

#[test]
fn counts_say_what_came_since_when_and_how_fast() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        let (sender, admin) = clients(&forwarder);
        let order = Delivery::order();
        for _ in 0..3 {
            sender.send(&order).await;
        }
        sender
            .send(&Delivery::order().signed("a wrong secret"))
            .await;
        sender.get("/no/such/path").await;
        let stats = admin.get("/stats").await.json();
        let process = &stats["process"];
        let outcomes = json!({
            "started": 1, "duplicate": 2, "invalid_signature": 1, "not_found": 1,
        });
        assert_eq!(process["outcomes"], outcomes, "{stats}");
        assert_eq!(process["total"], 5);
        assert!(text(process, "since").ends_with('Z'), "{stats}");
        for window in ["minute", "hour", "day"] {
            assert_eq!(process["rates"][window]["outcomes"], outcomes, "{stats}");
        }
        let source = &process["sources"][SHOPIFY];
        assert_eq!(source["total"], 4, "{stats}");
        assert_eq!(source["outcomes"]["not_found"], Value::Null);
    });
}

#[test]
fn sources_say_who_sends_with_which_secret_and_no_secret() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        let (sender, admin) = clients(&forwarder);
        let sources = admin.get("/sources").await.json();
        let quiet = &sources["sources"][0];
        assert_eq!(quiet["counts"], Value::Null, "{sources}");
        sender.send(&Delivery::order()).await;
        let answer = admin.get("/sources").await;
        let sources = answer.json();
        let source = &sources["sources"][0];
        for (name, value) in [
            ("path", json!(SHOPIFY)),
            ("name", json!("shopify")),
            ("provider", json!({ "name": "shopify", "title": "Shopify" })),
            ("verification", json!("signature")),
            ("deadline_seconds", json!(4.0)),
        ] {
            assert_eq!(source[name], value, "{name}: {sources}");
        }
        let counts = &source["counts"];
        assert_eq!(counts["outcomes"], json!({ "started": 1 }));
        assert_eq!(counts["last_secret"]["name"], "env:SHOPIFY_WEBHOOKS_KEY");
        assert!(counts["last_event"].is_string() && counts["last_refusal"].is_null());
        assert_eq!(leaks::find(&[answer.text]), Vec::<String>::new());
    });
}

#[test]
fn a_refusal_is_explained_in_full_words_with_what_to_do() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        let (sender, admin) = clients(&forwarder);
        let form = "id=820982911946154508&note=hello";
        let rewritten = Delivery::order()
            .with("Content-Type", "application/x-www-form-urlencoded")
            .with_body(form);
        let expected = format!(
            "the signature does not match: 1 of 1 secrets tried; the body is {} bytes of form data where Shopify sends JSON: did a proxy re-encode it?",
            form.len()
        );
        for (delivery, outcome, reason, advice) in [
            (
                rewritten,
                "invalid_signature",
                expected.as_str(),
                "byte for byte",
            ),
            (
                Delivery::order().signed("another secret"),
                "invalid_signature",
                "1 of 1 secrets tried",
                "compare the secret at Shopify with env:SHOPIFY_WEBHOOKS_KEY",
            ),
            (
                Delivery::order().without(SIGNATURE),
                "invalid_signature",
                "no signature",
                "Shopify signs in the header x-shopify-hmac-sha256",
            ),
            (
                Delivery::bare(reqwest::Method::PUT, SHOPIFY),
                "method_not_allowed",
                "PUT where POST, GET, HEAD are taken",
                "redirect",
            ),
            (
                Delivery::bare(reqwest::Method::POST, "/temporal/shopifi"),
                "not_found",
                "did you mean /temporal/shopify?: /temporal/shopifi",
                "mend the URL",
            ),
            (
                Delivery::order().with("Content-Encoding", "gzip"),
                "unsupported_type",
                "gzip",
                "uncompressed",
            ),
        ] {
            let answer = sender.send(&delivery).await;
            let page = admin.get("/rejections?limit=1").await;
            let entry = &page.json()["rejections"][0];
            assert_eq!(entry["request_id"], answer.request_id(), "{entry}");
            assert_eq!(entry["outcome"], outcome, "{entry}");
            assert!(text(entry, "reason").contains(reason), "{entry}");
            assert!(text(entry, "advice").contains(advice), "{entry}");
            assert_eq!(entry["peer"], "127.0.0.1");
            assert_eq!(entry["sent_again"], false);
            assert!(
                entry["captured"].is_null() && entry["tenant"].is_null(),
                "{entry}"
            );
            assert_eq!(leaks::find(&[page.text]), Vec::<String>::new());
        }
        let claimed = admin
            .get("/rejections?outcome=invalid_signature&limit=2")
            .await
            .json();
        let claimed = &claimed["rejections"];
        assert_eq!(claimed.as_array().map(Vec::len), Some(2), "{claimed}");
        assert_eq!(claimed[0]["claimed"]["tenant"], "e2e.myshopify.com");
        let strays = admin.get("/rejections?source=none").await.json();
        assert_eq!(
            strays["rejections"].as_array().map(Vec::len),
            Some(1),
            "{strays}"
        );
        for query in ["limit=0", "limit=501", "limit=many", "sauce=a"] {
            let answer = admin.get(&format!("/rejections?{query}")).await;
            assert_eq!(answer.status, 400, "{answer:?}");
            assert!(
                text(&answer.json(), "detail").contains("expected"),
                "{answer:?}"
            );
        }
    });
}

#[test]
fn of_refused_requests_the_listed_headers_are_kept_and_nothing_that_is_right_elsewhere() {
    run(async {
        let configured = Configured::new(&capturing("capture_rejections = 2"));
        let forwarder = Forwarder::start(configured.plain()).await;
        let (sender, admin) = clients(&forwarder);
        for index in 0..3 {
            let refused = Delivery::order()
                .signed("a secret of another shop")
                .with("User-Agent", format!("sender/{index}"))
                .with("Authorization", "Bearer right-elsewhere")
                .with("X-Api-Token", "right-elsewhere")
                .with("Cookie", "right=elsewhere");
            sender.send(&refused).await;
        }
        let page = admin.get("/rejections").await;
        let refusals = page.json();
        let captured: Vec<_> = refusals["rejections"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|entry| &entry["captured"])
            .collect();
        assert_eq!(captured.len(), 3, "{refusals}");
        let agents = captured.iter().map(|it| &it["headers"]["user-agent"][0]);
        assert_eq!(
            agents.collect::<Vec<_>>(),
            ["sender/2", "sender/1", "sender/0"]
        );
        for captured in captured {
            assert_eq!(captured["method"], "POST");
            assert_eq!(captured["headers"]["x-shopify-topic"][0], "orders/create");
            assert_eq!(captured["body_sha256"].as_str().map(str::len), Some(64));
            assert!(captured["body"].is_null(), "{captured}");
        }
        assert!(!page.text.contains("elsewhere"), "{}", page.text);
        assert!(!page.text.contains("hmac"), "{}", page.text);
        assert_eq!(leaks::find(&[page.text]), Vec::<String>::new());
    });
}

#[test]
fn a_body_is_kept_only_if_the_operator_asks_for_it_by_name_and_is_warned() {
    run(async {
        let more = "capture_rejections = { last = 1, headers = ['user-agent'] }\ndanger_capture_bodies = true";
        let configured = Configured::new(&capturing(more));
        let forwarder = Forwarder::start(configured.plain()).await;
        forwarder.line("it warns", |line| {
            line["level"] == "WARN" && text(line, "message").starts_with("DANGER: bodies")
        });
        let (sender, admin) = clients(&forwarder);
        let delivery = Delivery::order()
            .signed("another")
            .with("User-Agent", "sender/1");
        sender.send(&delivery).await;
        let refusals = admin.get("/rejections").await.json();
        let captured = &refusals["rejections"][0]["captured"];
        assert_eq!(captured["headers"], json!({ "user-agent": ["sender/1"] }));
        let body = String::from_utf8(delivery.body).expect("text");
        assert_eq!(captured["body"], body, "{refusals}");
    });
}

fn clients(forwarder: &Forwarder) -> (Sender, Sender) {
    let admin = Sender::plain(&forwarder.admin.to_string());
    (Sender::new(forwarder), admin)
}

fn capturing(more: &str) -> String {
    format!("{}{more}\n", super::SOURCE)
}
