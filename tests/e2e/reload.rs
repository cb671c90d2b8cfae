//! New settings without a restart: under load, good and bad, by polling and by SIGHUP.

use std::cell::Cell;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::client::TlsStream;

use crate::support::certs::Certificates;
use crate::support::configured::Configured;
use crate::support::delivery::{Delivery, SHOPIFY};
use crate::support::forwarder::{AES, Forwarder, ForwarderConfig, SECRET};
use crate::support::leaks;
use crate::support::raw;
use crate::support::sender::Sender;
use crate::support::temporal::Temporal;
use crate::support::wait::{run, until};

#[test]
fn twenty_reloads_under_load_good_and_bad_fail_no_request_and_no_bad_one_takes_effect() {
    run(async {
        let configured = Configured::new(&good(0));
        let mut forwarder = Forwarder::start(configured.plain()).await;
        let load = Load::start(&forwarder);
        for round in 1..=10 {
            configured.rewrite(&bad(round));
            forwarder.signal("HUP");
            let name = "forwarder.toml";
            let line = forwarder.line("the bad file is refused", |line| {
                is_refusal(line) && text(line, "mistake").contains(&format!("bad-{round}"))
            });
            assert!(text(&line, "mistake").contains(name), "{line}");
            assert_eq!(last_reload(&forwarder).await, "0");
            assert_eq!(queue(&forwarder).await, format!("queue-{}", round - 1));

            configured.rewrite(&good(round));
            forwarder.signal("HUP");
            let wanted = format!("queue-{round}");
            until("the good file takes effect", BOUND, || async {
                queue(&forwarder).await == wanted
            })
            .await;
            assert_eq!(last_reload(&forwarder).await, "1");
        }
        let answered = load.stop().await;
        assert!(answered > ENOUGH, "only {answered} requests");
        let reloaded = count(&forwarder, "configuration reloaded");
        assert!(reloaded >= 10, "{reloaded}");
    });
}

#[test]
fn a_rotated_secret_works_within_seconds_and_the_old_one_only_until_it_is_removed() {
    run(async {
        let configured = Configured::new(&with_secrets(r#"["file:FOLDER/old"]"#));
        configured.write("old", "the-old-secret-0a1b2c\n");
        leaks::forbid("the-old-secret-0a1b2c");
        leaks::forbid("the-new-secret-3d4e5f");
        let forwarder = Forwarder::start(configured.plain()).await;
        let sender = Sender::new(&forwarder);
        let status = async |secret: &str| {
            let delivery = Delivery::order().signed(secret);
            sender.send(&delivery).await.status
        };
        let (old, new) = ("the-old-secret-0a1b2c", "the-new-secret-3d4e5f");
        assert_eq!((status(old).await, status(new).await), (200, 401));

        configured.write("new", "the-new-secret-3d4e5f\n");
        configured.rewrite(&with_secrets(r#"["file:FOLDER/new", "file:FOLDER/old"]"#));
        until("both secrets work", BOUND, || async {
            status(new).await == 200
        })
        .await;
        assert_eq!(status(old).await, 200);

        configured.rewrite(&with_secrets(r#"["file:FOLDER/new"]"#));
        until("the old one is refused", BOUND, || async {
            status(old).await == 401
        })
        .await;
        assert_eq!(status(new).await, 200);

        configured.write("new", "\n");
        forwarder.line("an empty secret is refused", |line| {
            is_refusal(line) && text(line, "mistake").contains("new: the file is empty")
        });
        assert_eq!(last_reload(&forwarder).await, "0");
        assert_eq!(status(new).await, 200);

        configured.write("new", old);
        until("its content counts", BOUND, || async {
            status(old).await == 200
        })
        .await;
        assert_eq!(
            (status(new).await, last_reload(&forwarder).await.as_str()),
            (401, "1")
        );
    });
}

#[test]
fn a_file_that_is_still_being_written_is_not_read_by_halves() {
    run(async {
        let configured = Configured::new(&good(0));
        let forwarder = Forwarder::start(configured.plain()).await;
        let load = Load::start(&forwarder);
        let whole = good(1).replace(SHOPIFY, "/temporal/other") + &good(1);
        // Many beginnings of the file are valid: its first half is.
        for end in (0..=whole.len()).step_by(4) {
            let written = fs::write(configured.path("forwarder.toml"), &whole[..end]);
            written.expect("the folder is writable");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        configured.rewrite(&whole);
        until("the whole file takes effect", BOUND, || async {
            queue(&forwarder).await == "queue-1"
        })
        .await;
        load.stop().await;
        assert_eq!(count(&forwarder, "configuration reloaded"), 1);
        assert_eq!(count(&forwarder, "the new configuration is not used"), 0);
    });
}

#[test]
fn a_file_cut_short_takes_no_source_and_no_encryption_away() {
    run(async {
        let before = "[encryption]\nkeys = [{ id = 'e2e-2026', key = 'file:FOLDER/key' }]\n";
        let whole = format!("{before}{}", good(0));
        let configured = Configured::new(&whole);
        configured.write("key", AES.0);
        let forwarder = Forwarder::start(configured.plain()).await;
        let empty = "forwarder.toml: is empty";
        let no_source = "forwarder.toml: has no [[source]] any more";
        let no_key = "forwarder.toml: has no key of [encryption] any more";
        for (round, (cut, said)) in [
            (String::new(), &[empty][..]),
            ("\n# to be filled\n".to_owned(), &[empty]),
            (before.to_owned(), &[no_source]),
            ("[server]\n".to_owned(), &[no_source, no_key]),
            (good(1), &[no_key]),
        ]
        .into_iter()
        .enumerate()
        {
            configured.rewrite(&cut);
            for said in said {
                let wanted =
                    |line: &Value| is_refusal(line) && text(line, "mistake").contains(said);
                forwarder.line(said, wanted);
            }
            let refused = || async { count(&forwarder, "the new configuration is not used") };
            until("each is refused", BOUND, || async {
                refused().await > round
            })
            .await;
            assert_eq!(last_reload(&forwarder).await, "0", "{cut}");
            let delivery = Delivery::order();
            let answer = Sender::new(&forwarder).send(&delivery).await;
            assert_eq!(answer.outcome(), "200 started", "{cut}");
            let started = Temporal::shared().await.started(&delivery.id).await;
            assert_eq!(started.task_queue, "queue-0", "{cut}");
            let encoding = started.argument().0["encoding"].clone();
            assert_eq!(encoding, "binary/encrypted", "{cut}");
        }
        configured.rewrite(&format!("{before}{}", good(2)));
        until("the whole file is taken", BOUND, || async {
            queue(&forwarder).await == "queue-2"
        })
        .await;
        assert_eq!(last_reload(&forwarder).await, "1");
        assert_eq!(count(&forwarder, "configuration reloaded"), 1);
    });
}

#[test]
fn new_connections_see_the_new_certificate_and_open_ones_go_on() {
    run(async {
        let (one, other) = (Certificates::generate(), Certificates::generate());
        let configured = Configured::new(&format!(
            "[server.tls]\ncert = 'FOLDER/tls.crt'\nkey = 'FOLDER/tls.key'\n{}",
            good(0)
        ));
        let pair = |cert: &Certificates, key: &Certificates| {
            let read = |path| fs::read(path).expect("it was made");
            [("tls.crt", read(&cert.cert)), ("tls.key", read(&key.key))]
        };
        configured.mount("2026_1", &pair(&one, &one));
        let forwarder = Forwarder::start(ForwarderConfig {
            certificate_in_file: true,
            args: configured.args(),
            ..ForwarderConfig::default()
        })
        .await;
        let mut open = connect(&forwarder, &one)
            .await
            .expect("the first certificate");
        assert_eq!(leaf(&open), one.leaf());
        get(&mut open).await;

        configured.mount("2026_2", &pair(&other, &one));
        let line = forwarder.line("a pair that does not fit is refused", is_refusal);
        let expected = "the private key is not the certificate's";
        assert!(text(&line, "mistake").contains(expected), "{line}");
        assert!(text(&line, "mistake").contains("tls.crt"), "{line}");
        assert_eq!(last_reload(&forwarder).await, "0");
        let again = connect(&forwarder, &one).await.expect("the last good one");
        assert_eq!(leaf(&again), one.leaf());

        configured.mount("2026_3", &pair(&other, &other));
        until("new connections see the new certificate", BOUND, || async {
            connect(&forwarder, &other).await.is_ok()
        })
        .await;
        let new = connect(&forwarder, &other)
            .await
            .expect("the new certificate");
        assert_eq!(leaf(&new), other.leaf());
        assert!(
            connect(&forwarder, &one).await.is_err(),
            "the old one is gone"
        );
        assert_eq!(last_reload(&forwarder).await, "1");
        get(&mut open).await;
    });
}

#[test]
fn sighup_reloads_at_once_and_sources_appear_and_disappear() {
    run(async {
        let configured = Configured::new(&good(0));
        let mut forwarder = Forwarder::start(configured.plain()).await;
        let sender = Sender::new(&forwarder);
        let more = good(0) + &good(1).replace(SHOPIFY, OTHER);
        let mut delivery = Delivery::order();
        delivery.path = OTHER.to_owned();
        for round in 0..3 {
            assert_eq!(sender.send(&delivery).await.status, 404);
            for (text, status) in [(&more, 200), (&good(0), 404)] {
                configured.rewrite(text);
                let asked = Instant::now();
                forwarder.signal("HUP");
                until("the file takes effect", BOUND, || async {
                    sender.send(&delivery).await.status == status
                })
                .await;
                let took = asked.elapsed();
                assert!(
                    took < Duration::from_millis(900),
                    "{took:?} in round {round}"
                );
            }
        }
        let asked = count(&forwarder, "SIGHUP: reading the configuration again");
        assert_eq!(asked, 6);
        assert!(forwarder.is_running());
    });
}

#[test]
fn a_reload_warns_of_what_the_start_would_warn_of() {
    run(async {
        let configured = Configured::new(&good(0));
        let mut forwarder = Forwarder::start(configured.plain()).await;
        let open = "\n[[source]]\npath = '/temporal/open'\nprovider = 'generic'\ndanger_accept_unverified = true\n";
        let elsewhere = "[server]\nlisten = '127.0.0.1:1'\ndrain_timeout = '1s'\n";
        configured.rewrite(&(elsewhere.to_owned() + &good(0) + open));
        forwarder.signal("HUP");
        forwarder.line("the open source is warned of", |line| {
            line["level"] == "WARN" && line["path"] == "/temporal/open"
        });
        forwarder.line("what needs a restart is said", |line| {
            text(line, "message").contains("take effect at the next start")
        });
    });
}

#[test]
fn a_reload_says_in_one_line_what_changed_and_no_secret() {
    run(async {
        let source = |path: &str, provider: &str, more: &str| {
            format!("[[source]]\npath = '{path}'\nprovider = '{provider}'\n{more}\n")
        };
        let shop = |more: &str| source(SHOPIFY, "shopify", more);
        let hub = |more: &str| {
            source(
                "/hub",
                "github",
                &format!("secrets = ['file:FOLDER/b']\n{more}"),
            )
        };
        let one = "secrets = ['file:FOLDER/a']\n";
        let route = |queue: &str| {
            format!("{one}[[source.route]]\nwhen = 'topic == \"a\"'\ntask_queue = '{queue}'\n")
        };
        let keys = |ids: &[&str]| {
            let keys = ids
                .iter()
                .map(|id| format!("{{ id = '{id}', key = 'file:FOLDER/key' }}"));
            format!(
                "[encryption]\nkeys = [{}]\n",
                keys.collect::<Vec<_>>().join(", ")
            )
        };
        let digits = |digit: char| digit.to_string().repeat(64);
        let steps: Vec<(String, &str)> = vec![
            (shop(one) + &hub(""), "sources +1 (/hub)"),
            (shop(one) + "# a word\n" + &hub(""), "nothing"),
            (
                shop(&route("x")) + &hub(""),
                "routes of /temporal/shopify changed",
            ),
            (
                shop(&route("y")) + &hub(""),
                "routes of /temporal/shopify changed",
            ),
            (
                shop(&format!(
                    "deadline = '3s'\nallow = ['127.0.0.1']\n{}",
                    route("y")
                )) + &hub("event_id = ['body-sha256']"),
                "event_id of /hub changed, allow, deadline of /temporal/shopify changed",
            ),
            (
                shop(one) + &hub(""),
                "event_id of /hub changed, routes, allow, deadline of /temporal/shopify changed",
            ),
            (
                shop("secrets = ['file:FOLDER/a', 'file:FOLDER/b']") + &hub(""),
                "secret \"file:FOLDER/b\" of /temporal/shopify added",
            ),
            (
                shop(one) + &hub(""),
                "secret \"file:FOLDER/b\" of /temporal/shopify removed",
            ),
            (
                shop(one) + &hub("json_fields = ['a']\nkeep_headers = ['x-team']"),
                "keep_headers, json_fields of /hub changed",
            ),
            (
                shop(one) + &hub("json_fields = ['b']\nkeep_headers = ['x-team']"),
                "json_fields of /hub changed",
            ),
            (
                // Takes effect at the next start: it is not in use.
                "[temporal]\nnamespace = 'elsewhere'\n[temporal.grpc_meta]\nx-team = 'a'\n"
                    .to_owned()
                    + &shop(one),
                "sources -1 (/hub)",
            ),
            (keys(&["k1"]) + &shop(one), "encryption key \"k1\" added"),
            (
                keys(&["k2", "k1"]) + &shop(one),
                "encryption key \"k2\" added, encryption key \"k2\" encrypts now",
            ),
            (
                "[temporal.grpc_meta]\nx-team = 'a'\n".to_owned()
                    + &keys(&["k2", "k1"])
                    + &shop(one),
                "connection to Temporal changed",
            ),
            (
                // One key stays: to encrypt no more takes a restart.
                keys(&["k2"]) + &shop("secrets = { 'a.myshopify.com' = 'file:FOLDER/a' }"),
                "secret \"file:FOLDER/a\" of tenant a.myshopify.com of /temporal/shopify added, secret \"file:FOLDER/a\" of /temporal/shopify removed, encryption key \"k1\" removed, connection to Temporal changed",
            ),
            (
                keys(&["k2"]) + &shop(one),
                "secret \"file:FOLDER/a\" of /temporal/shopify added, secret \"file:FOLDER/a\" of tenant a.myshopify.com of /temporal/shopify removed",
            ),
        ];
        let configured = Configured::new(&shop(one));
        for (name, text) in [("a", "hush-secret-of-a-1"), ("b", "hush-secret-of-b-1")] {
            leaks::forbid(text);
            configured.write(name, text);
        }
        configured.write("key", &digits('1'));
        let mut forwarder = Forwarder::start(configured.plain()).await;
        let folder = configured.path("");
        let folder = folder
            .to_str()
            .expect("text")
            .trim_end_matches('/')
            .to_owned();
        let mut seen = 0;
        let mut changed = |forwarder: &mut Forwarder| {
            forwarder.signal("HUP");
            seen += 1;
            nth_reload(forwarder, seen)
        };
        for (file, expected) in &steps {
            configured.rewrite(file);
            if *expected == "nothing" {
                forwarder.signal("HUP");
                forwarder.line("nothing changes", |line| line["changed"] == "nothing");
                continue;
            }
            let line = changed(&mut forwarder);
            assert_eq!(
                text(&line, "changed"),
                expected.replace("FOLDER", &folder),
                "{file}"
            );
        }
        leaks::forbid("hush-secret-of-a-2");
        configured.write("a", "hush-secret-of-a-2");
        let line = changed(&mut forwarder);
        let expected = format!("secret \"file:{folder}/a\" replaced");
        assert_eq!(text(&line, "changed"), expected);
    });
}

#[test]
fn a_reload_warns_of_attributes_that_are_not_registered_and_does_not_wait_for_that() {
    run(async {
        let temporal = Temporal::shared().await;
        let configured = Configured::new(&good(0));
        let mut forwarder = Forwarder::start(configured.plain()).await;
        let attributes = |names: &str| {
            let attributes = format!("search_attributes = {{ {names} }}\n");
            good(0) + &attributes
        };
        let names = ["ReloadShop", "ReloadTotal", "ReloadPaid"];
        configured.rewrite(&attributes(
            "ReloadShop = '{tenant}', ReloadTotal = '{double(body.total)}', ReloadPaid = '{topic == \"a\"}'",
        ));
        forwarder.signal("HUP");
        let line = forwarder.line("the attributes are warned of", |line| {
            line["level"] == "WARN" && !line["attributes"].is_null()
        });
        assert_eq!(
            text(&line, "attributes"),
            "ReloadPaid, ReloadShop, ReloadTotal"
        );
        let commands = text(&line, "register");
        assert_eq!(
            commands
                .matches("temporal operator search-attribute create")
                .count(),
            3
        );
        for (name, kind) in names.iter().zip(["Keyword", "Double", "Bool"]) {
            let end = format!(
                "--address {} --namespace default --name {name} --type {kind}",
                temporal.address()
            );
            assert!(commands.contains(&end), "{end} is not in {commands}");
        }
        let lines = forwarder.log_lines();
        let index = |part: &str| lines.iter().position(|line| line.contains(part));
        assert!(
            index("configuration reloaded") < index("not registered"),
            "{lines:#?}"
        );

        // What every Temporal has is registered.
        configured.rewrite(&attributes("TemporalNamespaceDivision = '{tenant}'"));
        forwarder.signal("HUP");
        nth_reload(&forwarder, 2);
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(count(&forwarder, "not registered"), 1);
    });
}

#[test]
fn a_certificate_that_soon_expires_or_has_is_warned_of_at_start_and_when_it_is_replaced() {
    run(async {
        const DAY: u64 = 86_400;
        let now = SystemTime::now();
        let days =
            |days: u64| Certificates::valid_until(now + Duration::from_secs(days * DAY + 3600));
        let configured = Configured::new(&format!(
            "[server.tls]\ncert = 'FOLDER/tls.crt'\nkey = 'FOLDER/tls.key'\n{}",
            good(0)
        ));
        let show = |version: &str, certificates: &Certificates| {
            let read = |path| fs::read(path).expect("it was made");
            let files = [
                ("tls.crt", read(&certificates.cert)),
                ("tls.key", read(&certificates.key)),
            ];
            configured.mount(version, &files);
        };
        show("1", &days(13));
        let mut forwarder = Forwarder::start(ForwarderConfig {
            certificate_in_file: true,
            args: configured.args(),
            ..ForwarderConfig::default()
        })
        .await;
        let expect =
            |forwarder: &mut Forwarder, version: &str, certificates: &Certificates, said: &str| {
                show(version, certificates);
                forwarder.signal("HUP");
                forwarder.line(said, |line| {
                    line["level"] == "WARN" && line["message"] == said
                });
            };
        forwarder.line("it expires soon", |line| {
            line["level"] == "WARN" && line["message"] == "the certificate expires in 13 days"
        });
        let gone = Certificates::valid_until(now - Duration::from_secs(3 * DAY + 60));
        expect(
            &mut forwarder,
            "2",
            &gone,
            "the certificate expired 3 days ago",
        );
        show("3", &days(90));
        forwarder.signal("HUP");
        let line = nth_reload(&forwarder, 2);
        assert_eq!(text(&line, "changed"), "certificate replaced");
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(count(&forwarder, "the certificate expire"), 2);
    });
}

/// The reload that is so manieth to have changed something.
fn nth_reload(forwarder: &Forwarder, number: usize) -> Value {
    let seen = Cell::new(0);
    forwarder.line(&format!("reload {number}"), |line| {
        let counts = line["message"] == "configuration reloaded" && line["changed"] != "nothing";
        seen.set(seen.get() + usize::from(counts));
        counts && seen.get() == number
    })
}

/// A source with a queue that says which file it came from.
fn good(number: usize) -> String {
    format!(
        "{}task_queue = 'queue-{number}'\n",
        with_secrets("['env:SHOPIFY_WEBHOOKS_KEY']")
    )
}

/// Ten ways to be wrong, each with `bad-N` in its message, and a queue that must never be used.
fn bad(number: usize) -> String {
    let wrong = match number {
        1 => "bad-1 = 1".to_owned(),
        2 => "format = 'kv'\nbad-2 = 1".to_owned(),
        3 => "verify_token = 'file:FOLDER/bad-3'".to_owned(),
        4 => "workflow_id = '{bad-4}'".to_owned(),
        5 => "allow = ['bad-5']".to_owned(),
        6 => "event_id = ['bad-6']".to_owned(),
        7 => "[server]\nlisten = 'bad-7'".to_owned(),
        8 => "[[source]]\npath = '/bad-8'\nprovider = 'bad-8'".to_owned(),
        9 => "bad-9 = 1\nbad-9 = 1".to_owned(),
        _ => format!("[[source]]\npath = '{SHOPIFY}'\nprovider = 'bad-10'"),
    };
    format!("{}{wrong}\n", good(number).replace("queue-", "bad-queue-"))
}

fn with_secrets(secrets: &str) -> String {
    format!("[[source]]\npath = '{SHOPIFY}'\nprovider = 'shopify'\nsecrets = {secrets}\n")
}

/// The task queue that an event gets now.
async fn queue(forwarder: &Forwarder) -> String {
    let delivery = Delivery::order();
    let answer = Sender::new(forwarder).send(&delivery).await;
    assert_eq!(answer.outcome(), "200 started");
    Temporal::shared()
        .await
        .started(&delivery.id)
        .await
        .task_queue
}

async fn last_reload(forwarder: &Forwarder) -> String {
    let page = Sender::plain(&forwarder.admin.to_string())
        .get("/metrics")
        .await;
    let name = "webhook_forwarder_config_last_reload_success ";
    let mut lines = page.text.lines();
    let value = lines.find_map(|line| line.strip_prefix(name));
    value.expect("the metric is there").to_owned()
}

fn is_refusal(line: &Value) -> bool {
    line["level"] == "ERROR" && line["message"] == "the new configuration is not used"
}

fn text<'a>(line: &'a Value, key: &str) -> &'a str {
    line[key].as_str().unwrap_or_default()
}

fn count(forwarder: &Forwarder, message: &str) -> usize {
    let lines = forwarder.log_lines();
    lines.iter().filter(|line| line.contains(message)).count()
}

async fn connect(
    forwarder: &Forwarder,
    certificates: &Certificates,
) -> std::io::Result<TlsStream<TcpStream>> {
    raw::connect_trusting(forwarder, certificates, "http/1.1").await
}

fn leaf(stream: &TlsStream<TcpStream>) -> tokio_rustls::rustls::pki_types::CertificateDer<'_> {
    let shown = stream.get_ref().1.peer_certificates();
    shown.expect("a server shows its certificate")[0].clone()
}

/// One request over a connection that stays open.
async fn get(stream: &mut TlsStream<TcpStream>) {
    let request = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n";
    stream.write_all(request).await.expect("it is open");
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.expect("it is open");
    assert_eq!(&answer, b"HTTP/1.1 200");
    let mut rest = vec![0; 4096];
    let count = stream.read(&mut rest).await;
    assert!(count.expect("the rest comes at once") > 0);
}

/// Deliveries one after the other, by two senders, each of which has to succeed.
struct Load {
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<usize>>,
}

impl Load {
    fn start(forwarder: &Forwarder) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let task = |_| {
            let (sender, stop) = (Sender::new(forwarder), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut answered = 0;
                while !stop.load(Ordering::Relaxed) || answered <= ENOUGH / 2 {
                    let answer = sender.send(&Delivery::order().signed(SECRET)).await;
                    assert_eq!(answer.outcome(), "200 started", "{answer:?}");
                    answered += 1;
                }
                answered
            })
        };
        let tasks = (0..2).map(task).collect();
        Self { stop, tasks }
    }

    async fn stop(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        let mut answered = 0;
        for task in self.tasks {
            answered += task.await.expect("no request fails");
        }
        answered
    }
}

/// Requests, however slow the machine is.
const ENOUGH: usize = 100;
/// What the documentation promises is five seconds.
const BOUND: Duration = Duration::from_secs(5);
const OTHER: &str = "/temporal/other";
