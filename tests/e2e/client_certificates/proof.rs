//! A client's certificate as the proof of a source, alone or beside a signature, where other sources ask
//! for none.

use std::time::{Duration, SystemTime};

use tokio_rustls::rustls::SupportedProtocolVersion;
use tokio_rustls::rustls::version::{TLS12, TLS13};

use crate::support::authority::{Authority, ClientIdentity};
use crate::support::certs::Certificates;
use crate::support::configured::Configured;
use crate::support::delivery::{Delivery, SIGNATURE};
use crate::support::event::Envelope;
use crate::support::forwarder::{Forwarder, ForwarderConfig};
use crate::support::sender::{Answer, Sender};
use crate::support::temporal::Temporal;
use crate::support::wait::{PATIENCE, run, until};

#[test]
fn who_shows_the_right_one_is_believed_and_nobody_else_and_other_sources_do_not_care() {
    run(async {
        let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
        let now = SystemTime::now();
        let right = ours.sign("some name", &["hooks.sender.example"]);
        let by_common_name = ours.sign("Sender & Co.", &[]);
        let wrong = ours.sign("hooks.sender.example.org", &["sender.example"]);
        let revoked = ours.sign("some name", &["hooks.sender.example"]);
        let expired = now - Duration::from_secs(60);
        let expired = ours.sign_until("some name", &["hooks.sender.example"], expired);
        let stranger = theirs.sign("some name", &["hooks.sender.example"]);
        let configured = Configured::new(TEXT);
        configured.write("ca.pem", &ours.pem());
        let list = ours.revoking(&[&revoked], now + Duration::from_secs(86_400));
        configured.write("crl.pem", &list);
        let forwarder = start(&configured).await;

        let subject = "the client certificate is for none of the source's subjects";
        for (what, shown, refused) in [
            ("right", Some(&right), None),
            ("by its common name", Some(&by_common_name), None),
            ("of another", Some(&wrong), Some(subject)),
            (
                "revoked",
                Some(&revoked),
                Some("not accepted: invalid peer certificate: Revoked"),
            ),
            (
                "expired",
                Some(&expired),
                Some("not accepted: invalid peer certificate: certificate expired"),
            ),
            (
                "unknown",
                Some(&stranger),
                Some("not accepted: invalid peer certificate: UnknownIssuer"),
            ),
            ("none", None, Some("no client certificate")),
        ] {
            for (version, alpn) in PROTOCOLS {
                let what = format!("{what} {version:?} {alpn}");
                let sender = sender(&forwarder, shown, version, alpn);
                let order = || Delivery::order();
                for (path, order, is_let_in) in [
                    ("/alone", order().without(SIGNATURE), refused.is_none()),
                    ("/both", order(), refused.is_none()),
                    ("/both", order().without(SIGNATURE), false),
                    ("/open", order(), true),
                    ("/open", order().without(SIGNATURE), false),
                ] {
                    let has_signature = order.headers.iter().any(|(name, _)| name == SIGNATURE);
                    let answer = sender.send(&to(path, order)).await;
                    let what = format!("{what} {path} {has_signature}");
                    if is_let_in {
                        assert_eq!(answer.outcome(), "200 started", "{what}");
                        continue;
                    }
                    let is_refused_for_it = path != "/open" && refused.is_some();
                    let expected = refused.filter(|_| is_refused_for_it);
                    let expected = expected.unwrap_or("no signature");
                    assert_refused(&forwarder, &answer, expected, &what);
                }
            }
        }
    });
}

#[test]
fn what_is_revoked_or_signed_by_another_takes_effect_at_the_next_reload() {
    run(async {
        let (old, new) = (Authority::new("old"), Authority::new("new"));
        let [one, other] = [(); 2].map(|()| old.sign("x", &["hooks.sender.example"]));
        let until_then = SystemTime::now() + Duration::from_secs(86_400);
        let configured = Configured::new(TEXT);
        configured.write("ca.pem", &old.pem());
        configured.write("crl.pem", &old.revoking(&[], until_then));
        let forwarder = start(&configured).await;
        let asked = async |identity: &ClientIdentity| {
            let sender = sender(&forwarder, Some(identity), &TLS13, "h2");
            let order = Delivery::order().without(SIGNATURE);
            sender.send(&to("/alone", order)).await.status
        };
        assert_eq!((asked(&one).await, asked(&other).await), (200, 200));

        configured.write("crl.pem", &old.revoking(&[&one], until_then));
        until("one is revoked", PATIENCE, async || {
            asked(&one).await == 401
        })
        .await;
        assert_eq!(asked(&other).await, 200);

        // A list of nobody we know is not used, nor is its end one: what was revoked stays so.
        configured.write("crl.pem", &new.revoking(&[], until_then));
        let line = forwarder.line("a list of another", |line| {
            line["message"] == "the new configuration is not used"
        });
        let mistake = line["mistake"].as_str().unwrap_or_default();
        assert!(mistake.contains("server.tls.client_crl: "), "{line}");
        assert!(mistake.contains("no revocation list of CN=old"), "{line}");
        configured.rewrite(&TEXT.replace("client_crl = 'FOLDER/crl.pem'\n", ""));
        forwarder.line("no list any more", |line| {
            let mistake = line["mistake"].as_str().unwrap_or_default();
            mistake.contains("has no client_crl of [server.tls] any more")
        });
        assert_eq!((asked(&one).await, asked(&other).await), (401, 200));

        configured.write("ca.pem", &new.pem());
        configured.rewrite(TEXT);
        let third = new.sign("x", &["hooks.sender.example"]);
        until("the new authority counts", PATIENCE, async || {
            asked(&third).await == 200
        })
        .await;
        assert_eq!(asked(&other).await, 401);
    });
}

#[test]
fn the_worker_sees_whose_it_was_and_no_sender_can_say_so() {
    run(async {
        let temporal = Temporal::shared().await;
        let ours = Authority::new("ours");
        let right = ours.sign("some name", &["hooks.sender.example"]);
        let unknown = Authority::new("theirs").sign("evil", &["hooks.sender.example"]);
        let configured = Configured::new(&TEXT.replace("client_crl = 'FOLDER/crl.pem'\n", ""));
        configured.write("ca.pem", &ours.pem());
        let forwarder = start(&configured).await;
        for (shown, path, seen) in [
            // As the source's subjects have it; where it has none, as the certificate has it.
            (Some(&right), "/alone", Some("hooks.sender.example")),
            (Some(&right), "/both", Some("hooks.sender.example")),
            (Some(&right), "/open", Some("some name")),
            (Some(&unknown), "/open", None),
            (None, "/open", None),
        ] {
            let sender = sender(&forwarder, shown, &TLS13, "h2");
            let order = Delivery::order().with("X-Webhook-Client-Certificate", "evil");
            let answer = sender.send(&to(path, order.clone())).await;
            assert_eq!(answer.outcome(), "200 started", "{path}");
            let started = temporal.started(&order.id).await;
            let event = Envelope::read(started.argument().1);
            let header = event.headers.get("x-webhook-client-certificate");
            assert_eq!(header.map(String::as_str), seen, "{path}");
            assert_eq!(event.headers["x-webhook-verified"], "true", "{path}");
        }
    });
}

#[test]
fn a_certificate_without_its_key_opens_nothing() {
    run(async {
        let ours = Authority::new("ours");
        let right = ours.sign("x", &["hooks.sender.example"]);
        let thief = right.with_key_of(&ours.sign("thief", &[]));
        let configured = Configured::new(&TEXT.replace("client_crl = 'FOLDER/crl.pem'\n", ""));
        configured.write("ca.pem", &ours.pem());
        let forwarder = start(&configured).await;
        for (version, alpn) in PROTOCOLS {
            for path in ["/alone", "/both", "/open"] {
                let sender = sender(&forwarder, Some(&thief), version, alpn);
                let answer = sender.try_send(&to(path, Delivery::order())).await;
                assert!(answer.is_err(), "{version:?} {path}: {answer:?}");
            }
        }
    });
}

fn to(path: &str, order: Delivery) -> Delivery {
    Delivery {
        path: path.to_owned(),
        ..order
    }
}

fn assert_refused(forwarder: &Forwarder, answer: &Answer, expected: &str, what: &str) {
    assert_eq!(answer.status, 401, "{what}");
    let line = forwarder.request_line(answer.request_id());
    let reason = line["reason"].as_str().unwrap_or_default();
    assert!(reason.contains(expected), "{what}: {line}");
    assert!(!answer.text.contains("certificate"), "{answer:?}");
}

async fn start(configured: &Configured) -> Forwarder {
    Forwarder::start(ForwarderConfig {
        config: Some(configured.path("forwarder.toml")),
        ..ForwarderConfig::default()
    })
    .await
}

fn sender(
    forwarder: &Forwarder,
    shown: Option<&ClientIdentity>,
    version: &'static SupportedProtocolVersion,
    alpn: &str,
) -> Sender {
    let config = match shown {
        Some(identity) => identity.client(version, alpn),
        None => Certificates::shared().client(version, alpn),
    };
    Sender::configured(&forwarder.public.to_string(), config)
}

const PROTOCOLS: [(&SupportedProtocolVersion, &str); 3] =
    [(&TLS13, "h2"), (&TLS13, "http/1.1"), (&TLS12, "http/1.1")];
const TEXT: &str = "[server.tls]
client_ca = 'FOLDER/ca.pem'
client_crl = 'FOLDER/crl.pem'
client_certificate = 'optional'

[[source]]
path = '/alone'
provider = 'shopify'
keep_headers = ['x-*']
verify = 'client-certificate'
subjects = ['hooks.sender.example', 'Sender & Co.']

[[source]]
path = '/both'
provider = 'shopify'
keep_headers = ['x-*']
secrets = ['env:SHOPIFY_WEBHOOKS_KEY']
subjects = ['hooks.sender.example', 'Sender & Co.']

[[source]]
path = '/open'
provider = 'shopify'
keep_headers = ['x-*']
secrets = ['env:SHOPIFY_WEBHOOKS_KEY']
";
