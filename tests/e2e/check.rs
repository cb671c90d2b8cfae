//! `check`: what will not work is said before the first webhook comes.

use std::fs;
use std::net::TcpListener;
use std::time::{Duration, SystemTime};

use serde_json::Value;
use tempfile::TempDir;
use uuid::Uuid;

use crate::support::certs::Certificates;
use crate::support::configured::Configured;
use crate::support::forwarder::{AES, Forwarder, ForwarderConfig, SECRET};
use crate::support::proxy::ChaosProxy;
use crate::support::run::Run;
use crate::support::temporal::Temporal;
use crate::support::wait::{PATIENCE, eventually, run};
use crate::support::worker::PythonWorker;

#[test]
fn a_good_configuration_is_a_table_of_ok() {
    run(async {
        let address = Temporal::shared().await.address();
        let env = [KEY, ("AES_KEY", AES.0), ("AES_KEY_ID", AES.1)];
        let args = ["--endpoint", &address, "--no-global-queue"];
        let table = check(&args, &env).fine();
        for (what, says) in [
            ("configuration", "/temporal/shopify"),
            ("clock", "20"),
            ("certificate", "matches its key"),
            ("encryption", AES.1),
            ("temporal", &address),
            ("namespace", "default, keeps closed workflows for "),
            ("verified", "by env:SHOPIFY_WEBHOOKS_KEY"),
            ("repeats", "shopify repeats a delivery for 4 hours"),
            ("workers", "depends on the event"),
        ] {
            let rows = rows(&table, what);
            assert_eq!(rows.len(), 1, "{what}:\n{table}");
            assert!(
                rows[0].0 == "ok" && rows[0].1.contains(says),
                "{what}:\n{table}"
            );
        }
        assert!(!table.contains(AES.0) && !table.contains(SECRET), "{table}");
    });
}

#[test]
fn a_task_queue_that_nobody_polls_is_a_warning_until_a_worker_comes() {
    run(async {
        let temporal = Temporal::shared().await;
        let queue = format!("checked-{}", Uuid::new_v4());
        let folder = TempDir::new().expect("a temporary folder can be made");
        let file = folder.path().join("forwarder.toml");
        let source =
            "path = '/hooks'\nprovider = 'shopify'\nsecrets = ['env:SHOPIFY_WEBHOOKS_KEY']";
        let text = format!("[[source]]\n{source}\ntask_queue = '{queue}'\n");
        fs::write(&file, text).expect("the folder is writable");
        let address = temporal.address();
        let file = file.to_str().expect("text");
        let args = ["--endpoint", &address, "--config", file];

        let table = check(&args, &[KEY]).fine();
        let (mark, text) = rows(&table, "workers").remove(0);
        assert_eq!(mark, "warning", "{table}");
        assert!(text.contains(&queue) && text.contains("/hooks"), "{table}");

        let mut worker = PythonWorker::start(&address, &queue, None);
        let table = eventually("the worker polls", PATIENCE, || {
            worker.assert_running();
            let table = check(&args, &[KEY]).fine();
            let polls = rows(&table, "workers")[0].0 == "ok";
            async move { polls.then_some(table) }
        })
        .await;
        assert!(rows(&table, "workers")[0].1.contains(&queue), "{table}");
    });
}

#[test]
fn a_search_attribute_that_is_not_registered_is_wrong_until_it_is() {
    run(async {
        let temporal = Temporal::shared().await;
        let folder = TempDir::new().expect("a temporary folder can be made");
        let file = folder.path().join("forwarder.toml");
        let text = "[[source]]\npath = '/hooks'\nprovider = 'shopify'\nsecrets = ['env:SHOPIFY_WEBHOOKS_KEY']\n\
            [[source.route]]\nwhen = 'true'\nsearch_attributes = { TwfChecked = '{topic}' }\n";
        fs::write(&file, text).expect("the folder is writable");
        let address = temporal.address();
        let args = [
            "--endpoint",
            &address,
            "--config",
            file.to_str().expect("text"),
        ];
        assert_wrong(&args, "attributes", "TwfChecked not registered");
        let advice = format!(
            "temporal operator search-attribute create --address {address} --namespace default --name TwfChecked --type Keyword"
        );
        assert!(check(&args, &[KEY]).stdout.contains(&advice));
        temporal.register_attribute("TwfChecked", "Keyword").await;
        let table = check(&args, &[KEY]).fine();
        let row = ("ok".to_owned(), "TwfChecked registered".to_owned());
        assert_eq!(rows(&table, "attributes"), [row]);
    });
}

#[test]
fn a_temporal_that_does_not_answer_is_wrong_within_moments() {
    run(async {
        let mut proxy = ChaosProxy::refusing(Temporal::shared().await.address());
        let refused = proxy.address();
        assert_wrong(&["--endpoint", &refused], "temporal", &refused);

        proxy.black_hole().await;
        let mute = proxy.address();
        assert_wrong(&["--endpoint", &mute], "temporal", "no answer");
    });
}

#[test]
fn a_namespace_that_is_not_there_is_wrong() {
    run(async {
        let address = Temporal::shared().await.address();
        let args = ["--endpoint", &address, "--namespace", "nowhere"];
        assert_wrong(&args, "namespace", "nowhere");
    });
}

#[test]
fn a_namespace_that_forgets_before_the_sender_gives_up_is_wrong() {
    run(async {
        let temporal = Temporal::shared().await;
        let address = temporal.address();
        for (hours, enough) in [(3, false), (4, true)] {
            let name = format!("remembers-{hours}-hours");
            let retention = Duration::from_secs(hours * 3600);
            temporal.register_namespace(&name, retention).await;
            let args = ["--endpoint", &address, "--namespace", &name];
            if enough {
                let table = check(&args, &[KEY]).fine();
                assert_eq!(rows(&table, "repeats")[0].0, "ok", "{table}");
            } else {
                let says = format!(
                    "shopify repeats a delivery for 4 hours, but namespace {name} keeps closed workflows for 3 hours only"
                );
                assert_wrong(&args, "repeats", &says);
            }
        }
    });
}

#[test]
fn a_certificate_that_has_expired_is_wrong_and_one_that_soon_will_is_a_warning() {
    let day = Duration::from_secs(86_400);
    let now = SystemTime::now();
    for (end, mark, says) in [
        (now - 3 * day, "WRONG", "expired"),
        (now + 5 * day - day / 2, "warning", "expires in 4 days"),
        (now + 90 * day + day / 2, "ok", "expires in 90 days"),
    ] {
        let certificates = Certificates::valid_until(end);
        let [cert, key] = [&certificates.cert, &certificates.key];
        let [cert, key] = [cert, key].map(|path| path.to_str().expect("text"));
        let args = ["check", "--offline", "--cert", cert, "--key", key];
        let run = Run::new(&args, &[KEY]);
        let (marked, said) = rows(&run.stdout, "certificate").remove(0);
        assert_eq!(marked, mark, "{run:?}");
        assert!(said.contains(says), "{run:?}");
        let code = if mark == "WRONG" { 78 } else { 0 };
        assert_eq!(run.code, Some(code), "{run:?}");
    }
}

#[test]
fn serve_warns_at_start_of_what_check_warns_of() {
    run(async {
        let end = SystemTime::now() + Duration::from_secs(365 * 86_400);
        let nameless = Certificates::named(&[], end);
        let pem = |path| fs::read_to_string(path).expect("it was made");
        let configured = Configured::new(
            "[server.tls]\ncert = 'FOLDER/cert.pem'\nkey = 'FOLDER/key.pem'\n\
             [[source]]\npath = '/hooks'\nprovider = 'shopify'\nsecrets = ['file:FOLDER/secret']\n",
        );
        configured.write("cert.pem", &pem(&nameless.cert));
        configured.write("key.pem", &pem(&nameless.key));
        configured.write("secret", "too-short\n");
        let forwarder = Forwarder::start(ForwarderConfig {
            certificate_in_file: true,
            args: configured.args(),
            ..ForwarderConfig::default()
        })
        .await;
        for (place, says) in [
            ("[server.tls] cert", "the certificate has no subjectAltName"),
            ("source[1].secrets[1]", "under 16 bytes"),
        ] {
            let is_it = |line: &Value| {
                let said = line["message"].as_str().unwrap_or_default();
                let setting = line["setting"].as_str().unwrap_or_default();
                line["level"] == "WARN" && setting.contains(place) && said.contains(says)
            };
            let line = forwarder.line("a warning", is_it);
            assert!(!line.to_string().contains("too-short"), "{line}");
        }
    });
}

#[test]
fn offline_it_asks_nobody() {
    let temporal = TcpListener::bind("127.0.0.1:0").expect("a port");
    temporal.set_nonblocking(true).expect("a socket can");
    let address = temporal.local_addr().expect("it is bound").to_string();
    let table = check(&["--offline", "--endpoint", &address], &[KEY]).fine();
    assert!(temporal.accept().is_err(), "somebody came");
    assert!(rows(&table, "temporal").is_empty(), "{table}");

    let run = check(&["--endpoint", &address], &[KEY]);
    assert!(temporal.accept().is_ok(), "nobody came: {run:?}");
}

#[test]
fn every_mistake_is_listed_in_one_run_as_serve_would() {
    let args = [
        "--cert",
        "no-cert.pem",
        "--key",
        "no-key.pem",
        "--admin",
        "nonsense",
    ];
    let env = [("AES_KEY", "this is no hex")];
    let named = ["no-cert.pem", "no-key.pem", "--admin", "AES_KEY", KEY.0];
    let folder = TempDir::new().expect("a temporary folder can be made");
    let folder = folder.path();
    let checked = Run::inside(folder, &[&["check"], &args[..]].concat(), &env);
    checked.misconfigured(&named);
    assert_eq!(checked.stdout, "", "no table: {checked:?}");
    let served = Run::inside(folder, &args, &env);
    assert_eq!(served.stderr, checked.stderr, "the same words");
}

#[test]
fn an_open_source_is_a_warning() {
    let table = check(&["--offline", "--generic-unverified"], &[KEY]).fine();
    let rows = rows(&table, "verified");
    let warning = rows.iter().find(|(mark, _)| mark == "warning");
    let (_, text) = warning.unwrap_or_else(|| panic!("no warning:\n{table}"));
    assert!(text.contains("/temporal/generic"), "{table}");
    assert!(table.ends_with("\n0 wrong, 1 warning\n"), "{table}");
}

#[test]
fn each_source_has_a_group_of_rows_and_the_last_line_counts() {
    run(async {
        let temporal = Temporal::shared().await;
        let address = temporal.address();
        let day = Duration::from_secs(86_400);
        temporal.register_namespace("remembers-a-day", day).await;
        let sources = [
            ("shopify", "repeats a delivery for 4 hours", "ok"),
            (
                "github",
                "never repeats a delivery by itself: redeliver by hand after an outage",
                "ok",
            ),
            (
                "woocommerce",
                "never repeats a delivery by itself: redeliver by hand after an outage",
                "ok",
            ),
            ("stripe", "keeps closed workflows for 1 day only", "WRONG"),
            (
                "paddle",
                "namespace update --namespace remembers-a-day --retention 72h raises it",
                "WRONG",
            ),
            (
                "twilio",
                "what was answered is lost, redeliver by hand after an outage",
                "ok",
            ),
            ("shippo", "is not known", "ok"),
            // Each delivery is an event of its own: there is nothing to remember.
            ("dropbox", "is not known", "ok"),
        ];
        let text = sources.map(|(name, ..)| {
            format!("[[source]]\npath = '/{name}'\nprovider = '{name}'\npublic_url = 'https://hooks.example.com/{name}'\nsecrets = ['env:{}']\n", KEY.0)
        });
        let folder = TempDir::new().expect("a temporary folder can be made");
        let file = folder.path().join("forwarder.toml");
        fs::write(&file, text.concat()).expect("the folder is writable");
        let file = file.to_str().expect("text");
        let args = [
            "--endpoint",
            &address,
            "--namespace",
            "remembers-a-day",
            "--config",
            file,
        ];
        let run = check(&args, &[KEY]);
        assert_eq!(run.code, Some(78), "{run:?}");
        let mut groups = run.stdout.split("\n\n");
        let general = groups.next().expect("there are rows");
        let groups: Vec<_> = groups.collect();
        assert_eq!(groups.len(), sources.len() + 1, "{}", run.stdout);
        assert_eq!(
            rows(general, "namespace")[0].1,
            "remembers-a-day, keeps closed workflows for 1 day"
        );
        for (group, (name, says, mark)) in groups.iter().zip(sources) {
            assert!(group.starts_with(&format!("/{name} ({name})\n")), "{group}");
            let (marked, said) = rows(group, "repeats").remove(0);
            assert!(
                marked == mark && said.contains(name) && said.contains(says),
                "{name}: {group}"
            );
            assert_eq!(rows(group, "workers").len(), 1, "{group}");
        }
        let warnings = run
            .stdout
            .lines()
            .filter(|line| line.contains(" warning "))
            .count();
        assert!(warnings >= sources.len(), "nobody polls: {}", run.stdout);
        assert_eq!(
            groups[sources.len()],
            format!("2 wrong, {warnings} warnings\n")
        );
    });
}

fn check(args: &[&str], env: &[(&str, &str)]) -> Run {
    let certificates = Certificates::shared();
    let [cert, key] = [&certificates.cert, &certificates.key];
    let [cert, key] = [cert, key].map(|path| path.to_str().expect("text"));
    let all = [&["check", "--cert", cert, "--key", key], args].concat();
    Run::new(&all, env)
}

/// This row says what is wrong, and so does the exit code.
fn assert_wrong(args: &[&str], what: &str, says: &str) {
    let run = check(args, &[KEY]);
    assert_eq!(run.code, Some(78), "{run:?}");
    let wrong = rows(&run.stdout, what);
    let named = |(mark, text): &(String, String)| mark == "WRONG" && text.contains(says);
    assert!(wrong.iter().any(named), "{what}:\n{}", run.stdout);
}

/// Mark and text of the rows about this.
fn rows(table: &str, what: &str) -> Vec<(String, String)> {
    let lines = table.lines().filter_map(|line| line.strip_prefix(what));
    lines
        .filter_map(|rest| rest.trim_start().split_once(' '))
        .map(|(mark, text)| (mark.to_owned(), text.trim_start().to_owned()))
        .collect()
}

const KEY: (&str, &str) = ("SHOPIFY_WEBHOOKS_KEY", SECRET);
