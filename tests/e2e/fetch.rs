//! Public keys that a request names by URL: fetched from the provider's hosts only, once, and
//! never by default.

use std::fs;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::join_all;
use reqwest::Method;
use tempfile::TempDir;
use temporal_webhook_forwarder::config::Identity;
use temporal_webhook_forwarder::tls::acceptor;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::sleep;
use webhook_core::secret::Secret;

use crate::support::certs::Certificates;
use crate::support::configured::Configured;
use crate::support::delivery::Delivery;
use crate::support::forwarder::{Forwarder, ForwarderConfig};
use crate::support::sender::Sender;
use crate::support::wait::{PATIENCE, run, until};

#[test]
fn a_key_is_fetched_once_and_from_the_providers_hosts_only() {
    run(async {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key can be made");
        let server = KeyServer::start(&pair).await;
        let (forwarder, _folder) = forwarder(server.port, true).await;
        let sender = Sender::new(&forwarder);
        let send = async |url: &str, body: &str, signed: &str| {
            let signature = sign(&pair, signed);
            let delivery = Delivery::bare(Method::POST, "/hook")
                .with("Content-Type", "application/json")
                .with("X-Signature", &signature)
                .with("X-Key-Url", url)
                .with_body(body);
            sender.send(&delivery).await.outcome()
        };
        let key = format!("https://localhost:{}/key.pem", server.port);
        assert_eq!(
            send(&key, r#"{"id":"1"}"#, r#"{"id":"1"}"#).await,
            "200 started"
        );
        assert_eq!(
            send(&key, r#"{"id":"2"}"#, r#"{"id":"2"}"#).await,
            "200 started"
        );
        assert_eq!(
            server.asked(),
            1,
            "the second request found it in the cache"
        );
        assert_eq!(send(&key, r#"{"id":"3"}"#, r#"{"id":"4"}"#).await, "401");
        let port = server.port;
        for elsewhere in [
            format!("https://127.0.0.1:{port}/key.pem"),
            format!("http://localhost:{port}/key.pem"),
            format!("https://localhost:{port}/key.txt"),
            format!("https://localhost:{port}@evil.example/key.pem"),
            format!("https://evil.example/localhost:{port}/key.pem"),
            format!("https://localhost:{port}/key.pem?x=.pem"),
            String::new(),
        ] {
            let outcome = send(&elsewhere, r#"{"id":"5"}"#, r#"{"id":"5"}"#).await;
            assert_eq!(outcome, "401", "{elsewhere}");
        }
        assert_eq!(server.asked(), 1, "nothing else was fetched");
        let missing = format!("https://localhost:{port}/missing.pem");
        for _ in 0..3 {
            let outcome = send(&missing, r#"{"id":"6"}"#, r#"{"id":"6"}"#).await;
            assert_eq!(outcome, "503");
        }
        assert_eq!(server.asked(), 2, "a failure is remembered for a while");
    });
}

#[test]
fn who_gives_up_too_early_does_not_fail_the_fetch() {
    run(async {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key can be made");
        let server = KeyServer::start(&pair).await;
        let (forwarder, _folder) = forwarder(server.port, true).await;
        let sender = Sender::new(&forwarder);
        // The key comes after the sender's deadline, and within a fetch's.
        let slow = format!("https://localhost:{}/slow/key.pem", server.port);
        let first = sender.send(&signed(&pair, &slow, "1")).await;
        assert_eq!(first.outcome(), "503");
        let again = async || sender.send(&signed(&pair, &slow, "1")).await.outcome();
        until("the key is there", PATIENCE, async || {
            again().await == "200 started"
        })
        .await;
        assert_eq!(server.asked(), 1, "the fetch went on");
    });
}

#[test]
fn made_up_urls_take_no_key_away_and_hold_up_nobody() {
    run(async {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key can be made");
        let server = KeyServer::start(&pair).await;
        let (forwarder, _folder) = forwarder(server.port, true).await;
        let sender = Sender::new(&forwarder);
        let at = |path: &str| format!("https://localhost:{}{path}", server.port);
        let real = at("/key.pem");
        let send = async |url: &str, id: &str| {
            let delivery = signed(&pair, url, id);
            sender.send(&delivery).await.outcome()
        };
        assert_eq!(send(&real, "1").await, "200 started");
        for number in 0..70 {
            let outcome = send(&at(&format!("/made-up/{number}.pem")), "2").await;
            assert_eq!(outcome, "503");
        }
        assert_eq!(server.asked(), 71);
        assert_eq!(send(&real, "3").await, "200 started");
        assert_eq!(server.asked(), 71, "it was still there");

        let silent: Vec<_> = (0..3)
            .map(|number| signed(&pair, &at(&format!("/silent/{number}.pem")), "4"))
            .collect();
        let silent = join_all(silent.iter().map(|delivery| sender.send(delivery)));
        let others = async {
            until("they are asked for", PATIENCE, async || {
                server.asked() >= 72
            })
            .await;
            // Whoever waited for the silent ones would be late.
            assert_eq!(send(&real, "5").await, "200 started");
            assert_eq!(send(&at("/other/key.pem"), "6").await, "200 started");
        };
        let (silent, ()) = tokio::join!(silent, others);
        assert!(silent.iter().all(|answer| answer.outcome() == "503"));
    });
}

/// Nothing of this leaves the machine: what may not be fetched is refused before anybody is asked.
#[test]
fn keys_of_senders_are_not_looked_for_where_anybody_can_put_one() {
    run(async {
        let configured = Configured::new(
            "[[source]]\npath = '/sns'\nprovider = 'sns'\nfetch_keys = true\nparams = { topic_arn = 'arn:t' }\n\
             [[source]]\npath = '/paypal'\nprovider = 'paypal'\nfetch_keys = true\nparams = { webhook_id = 'w' }\n",
        );
        let forwarder = Forwarder::start(configured.plain()).await;
        let sender = Sender::new(&forwarder);
        let pem = "SimpleNotificationService-0123.pem";
        let mut deliveries = Vec::new();
        for (host, path) in [
            ("sns.s3.amazonaws.com", pem),
            ("sns.s3-us-west-2.amazonaws.com", pem),
            ("sns.s3-website-eu-west-1.amazonaws.com", pem),
            ("sns.s3-accelerate.amazonaws.com", pem),
            ("sns.s3.amazonaws.com.cn", pem),
            ("sns.us-west-2.amazonaws.com", "key.pem"),
            (
                "sns.us-west-2.amazonaws.com",
                "x/SimpleNotificationService-0123.pem",
            ),
        ] {
            let url = format!("https://{host}/{path}");
            let body = format!(
                r#"{{"Type":"Notification","MessageId":"1","TopicArn":"arn:t","Message":"m","Timestamp":"t","SignatureVersion":"2","Signature":"AAAA","SigningCertURL":"{url}"}}"#
            );
            let delivery = Delivery::bare(Method::POST, "/sns")
                .with("Content-Type", "text/plain; charset=UTF-8")
                .with_body(body);
            deliveries.push((url, delivery));
        }
        for url in [
            "https://www.paypal.com/v1/notifications/certs/CERT-1",
            "https://api.paypal.com/v1/files/CERT-1",
        ] {
            let delivery = Delivery::bare(Method::POST, "/paypal")
                .with("Content-Type", "application/json")
                .with("PAYPAL-TRANSMISSION-ID", "1")
                .with("PAYPAL-TRANSMISSION-TIME", "2026-11-23T12:00:00Z")
                .with("PAYPAL-TRANSMISSION-SIG", "AAAA")
                .with("PAYPAL-CERT-URL", url)
                .with_body(r#"{"id":"1"}"#);
            deliveries.push((url.to_owned(), delivery));
        }
        for (url, delivery) in deliveries {
            let answer = sender.send(&delivery).await;
            assert_eq!(answer.outcome(), "401", "{url}");
            let line = forwarder.request_line(answer.request_id());
            let reason = line["reason"].to_string();
            assert!(reason.contains("not one of the provider's"), "{url} {line}");
        }
    });
}

#[test]
fn without_leave_nothing_is_fetched() {
    run(async {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key can be made");
        let server = KeyServer::start(&pair).await;
        let (forwarder, _folder) = forwarder(server.port, false).await;
        let body = r#"{"id":"1"}"#;
        let delivery = Delivery::bare(Method::POST, "/hook")
            .with("Content-Type", "application/json")
            .with("X-Signature", sign(&pair, body))
            .with(
                "X-Key-Url",
                format!("https://localhost:{}/key.pem", server.port),
            )
            .with_body(body);
        let outcome = Sender::new(&forwarder).send(&delivery).await.outcome();
        assert_eq!(outcome, "401");
        assert_eq!(server.asked(), 0);
    });
}

/// A forwarder whose sender names its key by URL. Without `fetch_keys` it has another key.
async fn forwarder(port: u16, fetch: bool) -> (Forwarder, TempDir) {
    let folder = TempDir::new().expect("a temporary folder can be made");
    let file = folder.path().join("f.toml");
    let other = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key can be made");
    let secrets = if fetch {
        "fetch_keys = true".to_owned()
    } else {
        format!("secrets = [\"{}\"]", public(&other))
    };
    let text = format!(
        r#"
        [[source]]
        path = "/hook"
        {secrets}
        [source.provider]
        deadline = "1s"
        id = ["json id"]
        workflow_id = "fetch-{port}:{{event_id}}"
        [[source.provider.signature]]
        in = ["header X-Signature"]
        algorithm = "rsa-sha256"
        encoding = "base64"
        secret = "pem"
        key_url = {{ in = "header X-Key-Url", hosts = ["localhost:{port}"], suffix = ".pem" }}
        "#
    );
    fs::write(&file, text).expect("the folder is writable");
    let trusted = Certificates::shared().cert.to_str().expect("text");
    let file: &'static str = file.to_str().expect("text").to_owned().leak();
    let forwarder = Forwarder::start(ForwarderConfig {
        secret: None,
        args: Box::leak(Box::new(["--config", file])),
        env: Box::leak(Box::new([("SSL_CERT_FILE", trusted)])),
        ..ForwarderConfig::default()
    })
    .await;
    (forwarder, folder)
}

/// An event whose key is at `url`.
fn signed(pair: &RsaKeyPair, url: &str, id: &str) -> Delivery {
    let body = format!(r#"{{"id":"{id}"}}"#);
    Delivery::bare(Method::POST, "/hook")
        .with("Content-Type", "application/json")
        .with("X-Signature", sign(pair, &body))
        .with("X-Key-Url", url)
        .with_body(body)
}

/// Serves `…/key.pem` over TLS and counts: under `/slow/` after a while, under `/silent/` never.
struct KeyServer {
    port: u16,
    asked: Arc<AtomicUsize>,
}

impl KeyServer {
    async fn start(pair: &RsaKeyPair) -> Self {
        let certificates = Certificates::shared();
        let read = |path| fs::read(path).expect("the certificate is there");
        let identity = Identity {
            cert: read(&certificates.cert),
            key: Secret::new(read(&certificates.key)).expect("not empty"),
        };
        let tls = acceptor(&identity).expect("they fit");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("it has one").port();
        let asked = Arc::new(AtomicUsize::new(0));
        let (counter, key) = (Arc::clone(&asked), public(pair));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok((mut stream, _)) = tls.accept(stream).await else {
                    continue;
                };
                // Keys are fetched over HTTP/1.1, which this server speaks.
                assert_ne!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
                counter.fetch_add(1, Ordering::SeqCst);
                let key = key.clone();
                tokio::spawn(async move {
                    let mut head = [0; 2048];
                    let count = stream.read(&mut head).await.unwrap_or_default();
                    let head = String::from_utf8_lossy(&head[..count]);
                    let path = head.split(' ').nth(1).unwrap_or_default();
                    match path.split('/').nth(1) {
                        Some("slow") => sleep(Duration::from_millis(1200)).await,
                        Some("silent") => pending().await,
                        _ => {}
                    }
                    let found = path.ends_with("/key.pem");
                    let status = if found { "200 OK" } else { "404 Not Found" };
                    let answer = format!(
                        "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{key}",
                        key.len()
                    );
                    let _ = stream.write_all(answer.as_bytes()).await;
                    let _ = stream.shutdown().await;
                });
            }
        });
        Self { port, asked }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn public(pair: &RsaKeyPair) -> String {
    let der = pair.public_key().as_der().expect("a key has a form");
    STANDARD.encode(der.as_ref())
}

fn sign(pair: &RsaKeyPair, text: &str) -> String {
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        text.as_bytes(),
        &mut signature,
    )
    .expect("a key signs");
    STANDARD.encode(signature)
}
