//! `forwarder.example.toml` loads as it stands, is served, and keeps its word.

use std::fs;

use tempfile::TempDir;

use crate::support::certs::Certificates;
use crate::support::delivery::{Delivery, SHOPIFY};
use crate::support::forwarder::{AES, Forwarder, ForwarderConfig, SECRET};
use crate::support::history::open;
use crate::support::run::Run;
use crate::support::sender::Sender;
use crate::support::temporal::Temporal;
use crate::support::wait::run;

#[test]
fn the_example_loads_in_a_folder_with_what_it_names() {
    let folder = TempDir::new().expect("a temporary folder can be made");
    let certificates = Certificates::shared();
    for file in [&certificates.cert, &certificates.key] {
        let name = file.file_name().expect("a file");
        fs::copy(file, folder.path().join(name)).expect("the folder is writable");
    }
    let args = ["check", "--offline", "--config", EXAMPLE];
    let table = Run::inside(folder.path(), &args, &ENV).fine();
    assert!(
        table.contains(SHOPIFY) && table.contains("2026-11"),
        "{table}"
    );
    assert!(table.trim_end().ends_with("0 wrong, 0 warnings"), "{table}");

    let run = Run::inside(folder.path(), &args, &[]);
    run.misconfigured(&["SHOPIFY_WEBHOOKS_KEY", "PAYLOAD_KEY_2026_11"]);
    let elsewhere = Run::new(&args, &ENV);
    elsewhere.misconfigured(&["fullchain.pem", "privkey.pem"]);
}

#[test]
fn the_example_is_served_and_takes_a_webhook() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig {
            args: &["--config", EXAMPLE],
            env: &ENV,
            ..Default::default()
        })
        .await;
        let order = Delivery::order();
        let sender = Sender::new(&forwarder);
        assert_eq!(sender.send(&order).await.outcome(), "200 started");
        let started = Temporal::shared().await.started(&order.id).await;
        assert_eq!(started.workflow_type, "ShopifyWebhook");
        assert_eq!(started.task_queue, "shopify_webhooks");
        let argument = open(&started.input[0], "2026-11", AES.0);
        assert!(String::from_utf8_lossy(&argument.data).contains("820982911946154508"));
    });
}

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/forwarder.example.toml");
const ENV: [(&str, &str); 2] = [
    ("SHOPIFY_WEBHOOKS_KEY", SECRET),
    ("PAYLOAD_KEY_2026_11", AES.0),
];
