//! `check --event` says what would become of a request, and `send --print http` writes one.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::page::{ARGS, json};
use super::run::Run;

#[test]
fn it_prints_the_route_and_the_request_to_temporal() {
    let (table, asked) = checked(ROUTES, &sample(&[]));
    assert!(
        table.contains("signature      ok       env:SHOPIFY_WEBHOOKS_KEY"),
        "{table}"
    );
    assert!(
        table.contains("event-1 (topic orders/create, tenant demo-shop.myshopify.com)"),
        "{table}"
    );
    let lines = [
        "route 1        ok       no, no such key: nobody: body.nobody == 1",
        "route 2        ok       yes: topic == \"orders/create\" && double(body.total_price) > 100.0",
        "route          ok       route 2",
    ];
    for line in lines {
        assert!(table.contains(line), "{line}: {table}");
    }
    let asked = asked.expect("JSON after the table");
    for (name, value) in [
        ("action", json!("signal-with-start")),
        ("signal", json!("order")),
        ("workflow_id", json!("order:820982911946154508")),
        ("task_queue", json!("orders")),
        ("priority", json!(2)),
        ("run_timeout", json!("1h")),
        (
            "search_attributes",
            json!({"Shop": "demo-shop.myshopify.com"}),
        ),
        ("summary", json!("Order #9999")),
        ("format", json!("json")),
        ("compress", json!("zlib")),
        ("encrypted_with", json!(null)),
    ] {
        assert_eq!(asked[name], value, "{name}: {asked:#}");
    }
    assert_eq!(asked["memo"]["event_id"], "event-1");
    assert_eq!(asked["payload"]["metadata"]["encoding"], "json/plain");
    assert_eq!(asked["payload"]["json"]["data"]["name"], "#9999");
}

#[test]
fn it_says_what_would_be_dropped_or_parked() {
    let (_, asked) = checked(ROUTES, &sample(&["--topic", "orders/drop"]));
    assert_eq!(asked, Some(json!({"action": "drop"})));

    let folder = folder(ROUTES, &sample(&["--topic", "orders/wrong"]));
    let run = Run::inside(folder.path(), &ARGS, &ENV);
    assert_eq!(run.code, Some(78), "{run:?}");
    let text = "WRONG    it would be a dead letter: route 4: workflow_id: {body.nobody}: no such key: nobody";
    assert!(run.stdout.contains(text), "{run:?}");
}

#[test]
fn a_header_of_ones_own_is_sent() {
    let request = sample(&["--header", "X-Shopify-Test: true", "--header", "x-a: 1"]);
    let request = String::from_utf8(request).expect("text");
    assert!(
        request.contains("\r\nx-shopify-test: true\r\nx-a: 1\r\n"),
        "{request}"
    );
    let run = Run::new(&["send", "shopify", "--header", "no header"], &ENV);
    run.failed(
        64,
        &["--header", "expected one such as 'X-Shopify-Test: true'"],
    );
}

#[test]
fn a_condition_that_fails_is_marked() {
    let config = ROUTES.replace("body.nobody == 1", "double(body.name) > 1.0");
    let folder = folder(&config, &sample(&[]));
    let run = Run::inside(folder.path(), &ARGS, &ENV);
    assert_eq!(run.code, Some(78), "{run:?}");
    let text = "route 1        WRONG    fails, double() cannot take this value";
    assert!(run.stdout.contains(text), "{run:?}");
}

#[test]
fn json_under_the_type_of_a_form_is_said_and_a_label_stays_on_its_line() {
    let request = String::from_utf8(sample(&[])).expect("text");
    let form = request.replace("application/json", "application/x-www-form-urlencoded");
    assert_ne!(form, request);
    let form = form.replace("orders/create", "orders\tcreate");
    let (table, _) = checked(OPEN, form.as_bytes());
    let text = "event          warning  the body is JSON under the type of a form";
    assert!(table.contains(text), "{table}");
    assert!(table.contains(r"(topic orders\tcreate, tenant"), "{table}");
    let (table, _) = checked(OPEN, request.as_bytes());
    assert!(!table.contains("under the type of a form"), "{table}");
}

#[test]
fn a_signature_that_does_not_hold_is_said_and_no_more() {
    let request = String::from_utf8(sample(&[])).expect("text");
    let request = request.replace("409.94", "509.94").into_bytes();
    let (table, asked) = checked(ROUTES, &request);
    assert!(table.contains("signature      warning"), "{table}");
    assert_eq!(asked.expect("JSON")["action"], "signal-with-start");
}

#[test]
fn a_body_of_another_length_than_the_head_says_is_said() {
    let (table, _) = checked(ROUTES, &sample(&[]));
    assert!(!table.contains("Content-Length"), "{table}");
    for (said, is_warned) in [("2", false), ("1", true), ("900", true)] {
        let head = format!(
            "POST /temporal/shopify HTTP/1.1\r\ncontent-type: application/json\r\nx-shopify-webhook-id: a\r\n\
             x-shopify-topic: orders/drop\r\ncontent-length: {said}\r\n\r\n{{}}"
        );
        let (table, _) = checked(ROUTES, head.as_bytes());
        let text = format!("Content-Length says {said}, and 2 bytes follow the head");
        assert_eq!(table.contains(&text), is_warned, "{table}");
    }
}

#[test]
fn a_file_that_is_no_request_of_a_source_is_named() {
    for (request, part) in [
        (
            &b"{\"id\": 1}"[..],
            "expected a request as HTTP/1.1 writes it",
        ),
        (
            b"POST /elsewhere HTTP/1.1\r\n\r\n{}",
            "no source has the path /elsewhere, expected one of /temporal/shopify",
        ),
        (b"POST /temporal/shopify HTTP/1.1\r\n\r\n{}", "no event id"),
    ] {
        let folder = folder(ROUTES, request);
        let run = Run::inside(folder.path(), &ARGS, &ENV);
        run.failed(1, &[part]);
    }
    let folder = folder(ROUTES, b"");
    let args = [
        "check",
        "--offline",
        "--no-tls",
        "--config",
        "f.toml",
        "--event",
        "nobody.http",
    ];
    Run::inside(folder.path(), &args, &ENV).failed(1, &["nobody.http"]);
}

/// The table and, after it, what Temporal would be asked.
fn checked(config: &str, request: &[u8]) -> (String, Option<Value>) {
    let folder = folder(config, request);
    let out = Run::inside(folder.path(), &ARGS, &ENV).fine();
    let json = json(&out);
    (out, json)
}

fn folder(config: &str, request: &[u8]) -> TempDir {
    let folder = TempDir::new().expect("a temporary folder can be made");
    fs::write(folder.path().join("f.toml"), config).expect("the folder is writable");
    fs::write(folder.path().join("event.http"), request).expect("the folder is writable");
    folder
}

/// Shopify's sample as `send` would send it.
fn sample(args: &[&str]) -> Vec<u8> {
    let begin = [
        "send", "shopify", "--id", "event-1", "--print", "http", "--url",
    ];
    let url = ["http://localhost:5000/temporal/shopify"];
    let args = [&begin[..], &url, args].concat();
    Run::new(&args, &ENV).fine().into_bytes()
}

const ENV: [(&str, &str); 1] = [("SHOPIFY_WEBHOOKS_KEY", "shpss_check_event")];

const OPEN: &str = r##"
[[source]]
path = "/temporal/shopify"
provider = "shopify"
secrets = ["env:SHOPIFY_WEBHOOKS_KEY"]
"##;
const ROUTES: &str = r##"
[[source]]
path = "/temporal/shopify"
provider = "shopify"
secrets = ["env:SHOPIFY_WEBHOOKS_KEY"]
task_queue = "orders"

[[source.route]]
when = 'body.nobody == 1'
priority = 1

[[source.route]]
when = 'topic == "orders/create" && double(body.total_price) > 100.0'
action = "signal-with-start"
signal = "order"
workflow_id = "order:{body.id}"
priority = 2
run_timeout = "1h"
compress = "zlib"
search_attributes = { Shop = "{tenant}" }
summary = "Order {body.name}"

[[source.route]]
when = 'topic == "orders/drop"'
action = "drop"

[[source.route]]
when = 'topic == "orders/wrong"'
workflow_id = "{event_id}:{body.nobody}"
"##;
