//! What a process may run out of: descriptors, a disk for its log. And its clock; and comparisons that take their time.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::time::sleep;

use super::bytes::is_served;
use crate::support::delivery::Delivery;
use crate::support::forwarder::{Forwarder, ForwarderConfig, SECRET};
use crate::support::held::{Held, processor_time};
use crate::support::process::Process;
use crate::support::run::BINARY;
use crate::support::sender::Sender;
use crate::support::temporal::{Temporal, free_port};
use crate::support::wait::{PATIENCE, run, until};

#[test]
fn without_descriptors_it_neither_ends_nor_spins_and_serves_when_there_are_some_again() {
    run(async {
        let mut forwarder = Forwarder::start(ForwarderConfig {
            tls: false,
            ..ForwarderConfig::default()
        })
        .await;
        is_served(&forwarder).await;
        let most = Held::by(forwarder.id()).files as u32 + 8;
        let limit = Command::new("prlimit")
            .args(["--pid", &forwarder.id().to_string()])
            .arg(format!("--nofile={most}:{most}"))
            .status();
        assert!(limit.expect("prlimit is there").success());
        let mut clients = Vec::new();
        for _ in 0..64 {
            clients.push(
                TcpStream::connect(forwarder.public)
                    .await
                    .expect("the kernel takes it"),
            );
        }
        until("there are none left", PATIENCE, async || {
            Held::by(forwarder.id()).files >= f64::from(most)
        })
        .await;
        let before = processor_time(forwarder.id());
        sleep(Duration::from_secs(2)).await;
        let spent = processor_time(forwarder.id()) - before;
        assert!(
            spent < Duration::from_millis(500),
            "it spins: {spent:?} in 2 s"
        );
        assert!(forwarder.is_running());
        drop(clients);
        let began = Instant::now();
        let answer = Sender::new(&forwarder)
            .send_until_taken(&Delivery::order())
            .await;
        assert_eq!(answer.outcome(), "200 started");
        let took = began.elapsed();
        assert!(took < Duration::from_secs(10), "{took:?}");
    });
}

#[test]
fn a_log_on_a_full_disk_costs_lines_and_no_event() {
    run(async {
        let (port, admin) = (free_port(), free_port());
        let full = File::options()
            .write(true)
            .open("/dev/full")
            .expect("Linux has it");
        let mut command = Command::new(BINARY);
        command
            .args([
                "--no-tls",
                "--host",
                "127.0.0.1",
                "--port",
                &port.to_string(),
            ])
            .args(["--admin", &format!("127.0.0.1:{admin}")])
            .args(["--endpoint", &Temporal::shared().await.address()])
            .env_clear()
            .env("SHOPIFY_WEBHOOKS_KEY", SECRET)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(full);
        let mut process = Process::spawn("a forwarder with a full disk", &mut command);
        let sender = Sender::plain(&format!("127.0.0.1:{port}"));
        until("it serves", PATIENCE, async || {
            TcpStream::connect(("127.0.0.1", port)).await.is_ok()
        })
        .await;
        let answer = sender.send_until_taken(&Delivery::order()).await;
        assert_eq!(answer.outcome(), "200 started");
        let page = Sender::plain(&format!("127.0.0.1:{admin}"))
            .get("/metrics")
            .await
            .text;
        let mut lines = page.lines();
        let lost =
            lines.find_map(|line| line.strip_prefix("webhook_forwarder_log_lines_lost_total "));
        let lost: u64 = lost
            .and_then(|lost| lost.parse().ok())
            .expect("it is counted");
        assert!(lost > 0, "{page}");
        assert!(process.is_running());
    });
}

/// A step of the clock makes no answer late, closes no connection and lets none stay.
#[test]
fn no_deadline_is_counted_by_the_wall_clock() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut looked_at = 0;
    let mut folders = vec![
        root.join("server"),
        root.join("forward/limits"),
        root.join("temporal/hedge"),
    ];
    let mut files: Vec<_> = [
        "server.rs",
        "temporal/hedge.rs",
        "temporal/pool.rs",
        "temporal/link.rs",
    ]
    .map(|file| root.join(file))
    .into();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path);
            }
        }
    }
    for file in files {
        let text = fs::read_to_string(&file).expect("text");
        assert!(!text.contains("SystemTime"), "{}", file.display());
        looked_at += usize::from(text.contains("Instant") || text.contains("timeout"));
    }
    assert!(looked_at > 5, "{looked_at} files have deadlines");
}

/// What compares signatures, tokens and hashes is one function, which takes as long whatever is in them. A sender's
/// words are no arrays of bytes in these files but where they are claims.
#[test]
fn no_secret_is_compared_byte_by_byte() {
    let core = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/core/src");
    let mut gates = 0;
    for file in ["verify.rs", "verify/key.rs", "secret.rs"] {
        let text = fs::read_to_string(core.join(file)).expect("text");
        gates += text.matches("verify_slices_are_equal(").count();
        for line in text.lines() {
            let line = line.split("//").next().unwrap_or_default();
            let compares = line.contains("==") || line.contains("!=") || line.contains(".eq(");
            let names = ["actual", "claim", "expose", "signature", "digest", "mac"];
            let named = names
                .iter()
                .find(|name| line.to_lowercase().contains(*name));
            assert!(!compares || named.is_none(), "{file}: {line}");
        }
    }
    assert_eq!(gates, 3, "a MAC or token, the hash of a body, a secret");
}
