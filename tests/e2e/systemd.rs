//! Under systemd: sockets that outlive the process, so that a restart refuses nobody; and what systemd is
//! told of how it goes.

use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::rustls::version::TLS13;
use uuid::Uuid;

use crate::support::configured::Configured;
use crate::support::delivery::Delivery;
use crate::support::forwarder::{Forwarder, ForwarderConfig, SECRET};
use crate::support::passed::Passed;
use crate::support::run::Run;
use crate::support::run_folder;
use crate::support::sender::Sender;
use crate::support::temporal::Temporal;
use crate::support::wait::{PATIENCE, run, until};

#[test]
fn restarts_under_load_refuse_no_connection_and_every_event_is_there_once() {
    run(async {
        let temporal = Temporal::shared().await;
        let passed = Passed::new("public");
        let address = passed.address(0).to_string();
        let mut forwarder = start(&passed).await;
        assert_eq!(forwarder.public, passed.address(0));

        let prefix = format!("passed-{}-", Uuid::new_v4().simple());
        let (number, stop) = (
            Arc::new(AtomicUsize::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let mut senders = JoinSet::new();
        for alpn in ["http/1.1", "h2", "http/1.1", "h2"] {
            let (prefix, address) = (prefix.clone(), address.clone());
            let (number, stop) = (Arc::clone(&number), Arc::clone(&stop));
            senders.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let next = number.fetch_add(1, Ordering::Relaxed);
                    let order = Delivery::order().with_id(&format!("{prefix}{next}"));
                    // Each comes on a connection of its own: one more that could be refused.
                    let sender = Sender::over(&address, &TLS13, alpn);
                    let answer = sender.try_send(&order).await;
                    let answer = answer.unwrap_or_else(|error| panic!("{next}: {error:?}"));
                    assert_eq!(answer.outcome(), "200 started", "{next}");
                }
            });
        }
        for round in 1..=3 {
            let until_now = number.load(Ordering::Relaxed);
            until("events come", PATIENCE, || async {
                number.load(Ordering::Relaxed) > until_now + 30
            })
            .await;
            forwarder.signal("TERM");
            assert_eq!(forwarder.wait(PATIENCE).code(), Some(0), "round {round}");
            // Nobody accepts, and nobody is refused.
            let waiting = TcpStream::connect(passed.address(0)).await;
            drop(waiting.expect("the socket is open"));
            forwarder = start(&passed).await;
        }
        stop.store(true, Ordering::Relaxed);
        while let Some(result) = senders.join_next().await {
            result.expect("every event was taken at once");
        }
        let count = number.load(Ordering::Relaxed);
        assert!(count > 90, "{count}");
        let mut runs = temporal.runs(&prefix, count).await;
        runs.sort();
        runs.dedup();
        assert_eq!(runs.len(), count);
    });
}

#[test]
fn the_admin_listener_is_passed_by_its_name() {
    run(async {
        let passed = Passed::new("admin:hooks.socket");
        let forwarder = start(&passed).await;
        assert_eq!(forwarder.admin, passed.address(0));
        assert_eq!(forwarder.public, passed.address(1));
        let admin = Sender::plain(&forwarder.admin.to_string());
        assert_eq!(admin.get("/health/ready").await.status, 200);
        let sender = Sender::new(&forwarder);
        let answer = sender.send(&Delivery::order()).await;
        assert_eq!(answer.outcome(), "200 started");
    });
}

#[test]
fn what_is_passed_and_has_no_place_is_a_mistake() {
    for (names, args, said) in [
        (
            "one:other",
            &["--no-tls"][..],
            "LISTEN_FDNAMES: 2 sockets are passed for the public listener: expected one TCP socket",
        ),
        (
            "admin",
            &["--no-tls", "--port", "0"],
            "LISTEN_FDNAMES: a socket called admin is passed, and there is no admin listener: --admin ADDRESS:PORT or [admin] listen",
        ),
    ] {
        let passed = Passed::new(names);
        let mut command = passed.command();
        command.args(args).env_clear();
        command.env("SHOPIFY_WEBHOOKS_KEY", SECRET);
        let run = Run::begun(&mut command, |command| passed.pass(command));
        run.misconfigured(&[said]);
    }
}

#[test]
fn a_port_in_the_settings_that_is_not_the_sockets_is_warned_of() {
    run(async {
        let configured = Configured::new("[server]\nlisten = '127.0.0.1:443'\n");
        let passed = Passed::new("public");
        let file = configured.path("forwarder.toml");
        let mut forwarder = Forwarder::start(ForwarderConfig {
            config: Some(file),
            port: None,
            passed: Some(passed.clone()),
            ..ForwarderConfig::default()
        })
        .await;
        let line = forwarder.line("a warning", |line| line["setting"] == "[server] listen");
        let said = format!(
            "port 443, but systemd passes a socket on {}",
            passed.address(0)
        );
        assert!(
            line["message"]
                .as_str()
                .unwrap_or_default()
                .starts_with(&said),
            "{line}"
        );
        assert!(forwarder.is_running());
    });
}

#[test]
fn systemd_is_told_when_it_is_ready_reloads_lives_and_stops() {
    run(async {
        let manager = Manager::new();
        let configured = Configured::new("[server]\n");
        let mut forwarder = Forwarder::start(ForwarderConfig {
            config: Some(configured.path("forwarder.toml")),
            env: manager.env("400000"),
            ..ForwarderConfig::default()
        })
        .await;
        let ready = format!("READY=1\nSTATUS=webhooks on {}\n", forwarder.public);
        manager.hears(&ready);

        let begun = Instant::now();
        for _ in 0..5 {
            manager.hears("WATCHDOG=1\n");
        }
        // Half of what it is allowed to take; the first was said at the start.
        assert!(begun.elapsed() < Duration::from_secs(10));

        forwarder.signal("HUP");
        let said = manager.hears("RELOADING=1\n");
        assert!(said.contains("\nMONOTONIC_USEC="), "{said}");
        manager.hears("READY=1\n");

        // While it is told, it still reads: a bad file is no end of a reload that never comes.
        configured.rewrite("[server]\nlisten = 1\n");
        forwarder.signal("HUP");
        manager.hears("RELOADING=1\n");
        manager.hears("READY=1\n");

        forwarder.signal("TERM");
        manager.hears("STOPPING=1\n");
        assert_eq!(forwarder.wait(PATIENCE).code(), Some(0));
    });
}

#[test]
fn a_process_that_stands_still_says_nothing() {
    run(async {
        let manager = Manager::new();
        let mut forwarder = Forwarder::start(ForwarderConfig {
            env: manager.env("400000"),
            ..ForwarderConfig::default()
        })
        .await;
        manager.hears("WATCHDOG=1\n");
        forwarder.signal("STOP");
        while manager.next(Duration::from_millis(600)).is_some() {}
        forwarder.signal("CONT");
        manager.hears("WATCHDOG=1\n");
    });
}

/// The other end of `NOTIFY_SOCKET`.
struct Manager {
    socket: UnixDatagram,
    folder: TempDir,
}

impl Manager {
    fn new() -> Self {
        let folder = TempDir::new_in(run_folder()).expect("the folder of the run is writable");
        let socket = UnixDatagram::bind(folder.path().join("notify"));
        Self {
            socket: socket.expect("the folder is writable"),
            folder,
        }
    }

    /// The variables of a service, which has to say within so many microseconds that it lives.
    fn env(&self, watchdog: &'static str) -> &'static [(&'static str, &'static str)] {
        let path = self.folder.path().join("notify");
        let path: &str = String::leak(path.to_str().expect("text").to_owned());
        Vec::leak(vec![("NOTIFY_SOCKET", path), ("WATCHDOG_USEC", watchdog)])
    }

    /// The next message that begins so.
    fn hears(&self, beginning: &str) -> String {
        let begun = Instant::now();
        let mut heard = Vec::new();
        while begun.elapsed() < PATIENCE {
            let Some(said) = self.next(Duration::from_secs(1)) else {
                continue;
            };
            if said.starts_with(beginning) {
                return said;
            }
            heard.push(said);
        }
        panic!("{beginning:?} is not said, but {heard:?}");
    }

    fn next(&self, within: Duration) -> Option<String> {
        let mut bytes = [0; 1024];
        let socket = &self.socket;
        socket.set_read_timeout(Some(within)).expect("it is not 0");
        let length = socket.recv(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes[..length]).into_owned())
    }
}

async fn start(passed: &Passed) -> Forwarder {
    Forwarder::start(ForwarderConfig {
        passed: Some(passed.clone()),
        ..ForwarderConfig::patient()
    })
    .await
}
