//! TLS sessions that are resumed: by another replica and after a restart, with the same file of
//! ticket keys, and only with it.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::HandshakeKind::{self, Full, Resumed};
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ClientConfig, SupportedProtocolVersion};

use crate::support::balancer::Balancer;
use crate::support::certs::Certificates;
use crate::support::configured::Configured;
use crate::support::forwarder::{Forwarder, ForwarderConfig};
use crate::support::leaks;
use crate::support::wait::run;

#[test]
fn a_session_is_resumed_by_whoever_has_the_same_keys_and_by_nobody_else() {
    run(async {
        let keys = configured(&[OLD]);
        let (one, other) = (start(&keys).await, start(&keys).await);
        let other_keys = configured(&[NEW]);
        let stranger = start(&other_keys).await;
        let without = Forwarder::start(ForwarderConfig::default()).await;
        for version in VERSIONS {
            let client = Client::new(version);
            assert_eq!(client.visit(&one).await, Full, "{version:?}");
            for _ in 0..10 {
                assert_eq!(client.visit(&other).await, Resumed, "{version:?}");
                assert_eq!(client.visit(&one).await, Resumed, "{version:?}");
            }
            for nobody in [&without, &stranger] {
                let client = Client::new(version);
                client.visit(&one).await;
                assert_eq!(client.visit(nobody).await, Full, "{version:?}");
                assert_eq!(client.visit(nobody).await, Resumed, "{version:?}: its own");
            }
        }
    });
}

/// What it is for: a balancer that passes TCP on, and does not know which replica a client has met before.
#[test]
fn behind_a_balancer_over_two_replicas_nine_of_ten_sessions_are_resumed_and_half_without_keys() {
    run(async {
        const VISITS: usize = 60;
        let keys = configured(&[OLD]);
        for (config, expected) in [
            (with(&keys), VISITS * 9 / 10..=VISITS),
            // By chance the same replica: what makes the test one of the keys.
            (ForwarderConfig::default(), 0..=VISITS * 8 / 10),
        ] {
            let replicas = [
                Forwarder::start(config.clone()).await,
                Forwarder::start(config).await,
            ];
            let balancer = Balancer::start(replicas.each_ref().map(|it| it.public)).await;
            for version in VERSIONS {
                let client = Client::new(version);
                client.visit_at(balancer.address).await;
                let mut resumed = 0;
                for _ in 0..VISITS {
                    resumed += usize::from(client.visit_at(balancer.address).await == Resumed);
                }
                assert!(
                    expected.contains(&resumed),
                    "{version:?}: {resumed} of {VISITS}"
                );
            }
            let taken = balancer.taken();
            assert!(taken.iter().all(|taken| *taken > VISITS / 2), "{taken:?}");
        }
    });
}

#[test]
fn a_restart_forgets_sessions_unless_there_are_keys() {
    run(async {
        for version in VERSIONS {
            let keys = configured(&[OLD]);
            for (config, expected) in [(with(&keys), Resumed), (ForwarderConfig::default(), Full)] {
                let client = Client::new(version);
                let first = Forwarder::start(config.clone()).await;
                assert_eq!(client.visit(&first).await, Full, "{version:?}");
                drop(first);
                let again = Forwarder::start(config).await;
                assert_eq!(client.visit(&again).await, expected, "{version:?}");
            }
        }
    });
}

#[test]
fn keys_are_rotated_while_it_runs_and_wrong_ones_are_not_taken() {
    run(async {
        let keys = configured(&[OLD]);
        let forwarder = start(&keys).await;
        let clients = VERSIONS.map(Client::new);
        for client in &clients {
            assert_eq!(client.visit(&forwarder).await, Full);
        }

        keys.write("tickets", &format!("{NEW}\n{}\n", &OLD[2..]));
        let line = forwarder.line("a key that is too short", |line| {
            line["message"] == "the new configuration is not used"
        });
        let mistake = line["mistake"].as_str().unwrap_or_default();
        for part in [
            "forwarder.toml:2 server.tls.ticket_keys: file:",
            "tickets, line 2: expected 64 hex digits",
        ] {
            assert!(mistake.contains(part), "{mistake}");
        }
        for client in &clients {
            assert_eq!(client.visit(&forwarder).await, Resumed, "the old stay");
        }

        keys.write("tickets", &format!("# November\n{NEW}\n\n{OLD}\n"));
        forwarder.line("new keys", |line| {
            line["changed"] == "keys of session tickets changed"
        });
        let (only_new, only_old) = (configured(&[NEW]), configured(&[OLD]));
        let (new, old) = (start(&only_new).await, start(&only_old).await);
        for client in &clients {
            assert_eq!(client.visit(&forwarder).await, Resumed, "sealed by the old");
            // What it was given just now is sealed by the new one.
            assert_eq!(client.visit(&new).await, Resumed);
            assert_eq!(client.visit(&old).await, Full);
        }
    });
}

/// A client that keeps what it needs to resume a session, as senders do.
struct Client(Arc<ClientConfig>);

impl Client {
    fn new(version: &'static SupportedProtocolVersion) -> Self {
        let config = Certificates::shared().client(version, "http/1.1");
        Self(Arc::new(config))
    }

    /// One request, and how the handshake before it went.
    async fn visit(&self, forwarder: &Forwarder) -> HandshakeKind {
        self.visit_at(forwarder.public).await
    }

    async fn visit_at(&self, address: SocketAddr) -> HandshakeKind {
        let stream = TcpStream::connect(address).await;
        let name = ServerName::try_from("localhost").expect("a name");
        let connector = TlsConnector::from(Arc::clone(&self.0));
        let stream = connector.connect(name, stream.expect("it listens")).await;
        let mut stream = stream.expect("a handshake");
        let request = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        stream.write_all(request).await.expect("it is open");
        // Tickets of TLS 1.3 come before the answer.
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer).await;
        read.expect("it says goodbye");
        assert!(answer.starts_with(b"HTTP/1.1 200"), "{answer:?}");
        let kind = stream.get_ref().1.handshake_kind();
        kind.expect("the handshake is over")
    }
}

/// A folder with these keys.
fn configured(keys: &[&str]) -> Configured {
    [OLD, NEW].into_iter().for_each(leaks::forbid);
    let configured = Configured::new("[server.tls]\nticket_keys = 'file:FOLDER/tickets'\n");
    configured.write("tickets", &keys.join("\n"));
    configured
}

fn with(keys: &Configured) -> ForwarderConfig {
    ForwarderConfig {
        args: keys.args(),
        ..ForwarderConfig::default()
    }
}

async fn start(keys: &Configured) -> Forwarder {
    Forwarder::start(with(keys)).await
}

const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
const OLD: &str = "1f0e6b7c2d3a495867768594a3b2c1d0e1f2031425364758697a8b9cadbecfd0";
const NEW: &str = "c4d3e2f10a1b2c3d4e5f60718293a4b5c6d7e8f9fa0b1c2d3e4f506172839405";
