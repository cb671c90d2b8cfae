//! The log itself: its form, its filter, floods of refusals, and a reader that does not read, or is gone.

use std::io::{BufRead, BufReader};
use std::process::{ChildStderr, Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use serde_json::Value;

use crate::support::configured::Configured;
use crate::support::delivery::{Delivery, SHOPIFY, SIGNATURE};
use crate::support::forwarder::{Forwarder, ForwarderConfig, SECRET};
use crate::support::process::Process;
use crate::support::run::{BINARY, Run};
use crate::support::sender::Sender;
use crate::support::temporal::Temporal;
use crate::support::wait::{PATIENCE, run, until};

#[test]
fn the_first_line_says_what_runs() {
    run(async {
        let configured = Configured::new(&(dropping("/one") + &dropping("/two")));
        let forwarder = Forwarder::start(configured.plain()).await;
        let first: Value = serde_json::from_str(&forwarder.log_lines()[0]).expect("JSON");
        assert_eq!(first["message"], "starting");
        assert_eq!(first["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(first["sources"], "/one, /two");
        let file = configured.path("forwarder.toml");
        assert_eq!(first["config"], file.to_str().expect("text"));
    });
}

#[test]
fn of_a_flood_of_refusals_a_hundred_get_a_line_and_the_rest_are_counted() {
    run(async {
        let mut forwarder = Forwarder::start(ForwarderConfig::default()).await;
        let sender = Sender::new(&forwarder);
        let forged = Delivery::order().without(SIGNATURE);
        stream::iter(0..450)
            .for_each_concurrent(8, |n| {
                let stray = Delivery::bare(reqwest::Method::POST, &format!("/stray-{n}"));
                let request = if n % 3 == 0 { stray } else { forged.clone() };
                let sender = &sender;
                async move { _ = sender.send(&request).await }
            })
            .await;
        // Events are no refusals.
        let order = sender.send(&Delivery::order()).await;
        assert_eq!(order.outcome(), "200 started");
        forwarder.request_line(order.request_id());
        forwarder.signal("TERM");
        assert_eq!(forwarder.wait(PATIENCE).code(), Some(0));
        forwarder.line("the end", |line| line["message"] == "stopped");
        let lines = forwarder.log_lines();
        let lines: Vec<Value> = lines
            .iter()
            .flat_map(|line| serde_json::from_str(line))
            .collect();
        for (source, outcome, sent) in [
            (SHOPIFY, "invalid_signature", 300),
            ("none", "not_found", 150),
        ] {
            let of_kind = || {
                lines
                    .iter()
                    .filter(|it| it["source"] == source && it["outcome"] == outcome)
            };
            let single = of_kind().filter(|it| it["message"] == "request").count();
            let left_out = of_kind().filter(|it| it["message"] != "request");
            let left_out: u64 = left_out
                .map(|it| it["count"].as_u64().expect("a number"))
                .sum();
            // A busy machine takes more than one interval for them.
            assert!((100..sent).contains(&single), "{source}: {single}");
            assert_eq!(single as u64 + left_out, sent as u64, "{source}");
        }
    });
}

#[test]
fn a_filter_is_for_our_own_parts_alone() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig {
            args: &["--log-filter", "info,forward=off,temporal=debug"],
            ..ForwarderConfig::default()
        });
        let mut forwarder = forwarder.await;
        let answer = Sender::new(&forwarder).send(&Delivery::order()).await;
        assert_eq!(answer.outcome(), "200 started");
        forwarder.signal("TERM");
        assert_eq!(forwarder.wait(PATIENCE).code(), Some(0));
        forwarder.line("the end", |line| line["message"] == "stopped");
        let lines = forwarder.log_lines();
        assert!(
            !lines.iter().any(|line| line.contains("request_id")),
            "{lines:?}"
        );
    });
    let run = Run::new(&["--log-filter", "hyper=debug"], &[]);
    assert_eq!(run.code, Some(64), "{run:?}");
    assert!(run.stderr.contains("expected one of: admin, "), "{run:?}");
}

/// Elsewhere it is JSON: [`start`] reads it so.
#[test]
fn it_is_text_on_a_terminal() {
    let mut command = Command::new("python3");
    command
        .args(["-c", ON_A_TERMINAL, BINARY, "--no-tls"])
        .args(["--host", "127.0.0.1", "--port", "0"])
        .env_clear()
        .envs([("SHOPIFY_WEBHOOKS_KEY", SECRET), ("TERM", "xterm")])
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .stdin(Stdio::null());
    let said = Run::of(&mut command).fine();
    let first = said.lines().next().expect("a line");
    assert!(
        first.contains("starting") && !first.starts_with('{'),
        "{first:?}"
    );
    assert!(first.contains("\u{1b}["), "in colours: {first:?}");
}

/// Starts a program on a terminal of its own, and ends it after its first line.
const ON_A_TERMINAL: &str = "
import os, pty, signal, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
said = b''
while b'\\n' not in said:
    said += os.read(terminal, 4096)
os.kill(pid, signal.SIGKILL)
os.waitpid(pid, 0)
sys.stdout.buffer.write(said)
";

#[test]
fn a_reader_that_is_gone_costs_lines_and_no_event() {
    run(async {
        let (mut process, public, admin, stderr) = start().await;
        drop(stderr);
        let sender = Sender::plain(&public);
        for _ in 0..20 {
            assert_eq!(sender.send(&event()).await.outcome(), "200 dropped");
        }
        until("they are counted", PATIENCE, async || {
            lost(&admin).await >= 20
        })
        .await;
        process.signal("TERM");
        assert_eq!(process.wait(PATIENCE).code(), Some(0));
    });
}

#[test]
fn a_reader_that_does_not_read_holds_up_nobody_and_is_told_what_it_missed() {
    run(async {
        let (mut process, public, admin, stderr) = start().await;
        let sender = Sender::plain(&public);
        let mut sent = 0;
        while lost(&admin).await == 0 {
            assert!(sent < 60_000, "nothing is lost");
            sent += 2000;
            stream::iter(0..2000)
                .for_each_concurrent(16, |_| async {
                    let answer = sender.send(&event()).await;
                    assert_eq!(answer.outcome(), "200 dropped");
                })
                .await;
        }
        let missed = lost(&admin).await;
        let (send, lines) = channel();
        // In a thread: a line that does not come has to end the test.
        thread::spawn(move || {
            let lines = stderr.lines().map_while(Result::ok);
            lines.for_each(|line| _ = send.send(line));
        });
        let mut told = 0;
        while told < missed {
            let line = lines.recv_timeout(PATIENCE).expect("it is told");
            let line: Value = serde_json::from_str(&line).expect("whole lines");
            let message = line["message"].as_str().unwrap_or_default();
            if message.starts_with("log lines were lost") {
                told += line["lines"].as_u64().expect("a number");
            }
        }
        assert_eq!(told, missed);
        process.signal("TERM");
        assert_eq!(process.wait(Duration::from_secs(20)).code(), Some(0));
    });
}

/// A forwarder whose log this test reads, up to where it has found Temporal; and its two addresses.
pub(super) async fn start() -> (Process, String, String, BufReader<ChildStderr>) {
    let configured = Configured::new(&dropping(SHOPIFY));
    let endpoint = Temporal::shared().await.address();
    let mut command = Command::new(BINARY);
    command
        .args(["--no-tls", "--host", "127.0.0.1", "--port", "0"])
        .args(["--admin", "127.0.0.1:0", "--endpoint", &endpoint])
        .args(configured.args())
        .env_clear()
        .env("SHOPIFY_WEBHOOKS_KEY", SECRET)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut process = Process::spawn("the forwarder", &mut command);
    let mut stderr = BufReader::new(process.child().stderr.take().expect("it is piped"));
    let (mut public, mut admin) = (String::new(), String::new());
    loop {
        let mut line = String::new();
        stderr.read_line(&mut line).expect("text");
        let line: Value = serde_json::from_str(&line).expect("JSON where there is no terminal");
        let address = || line["address"].as_str().expect("text").to_owned();
        match line["listener"].as_str() {
            Some("public") => public = address(),
            Some(_) => admin = address(),
            None if line["message"] == "connected to Temporal" => break,
            None => {}
        }
    }
    (process, public, admin, stderr)
}

async fn lost(admin: &str) -> u64 {
    let page = Sender::plain(admin).get("/metrics").await.text;
    let mut lines = page.lines();
    let value = lines.find_map(|line| line.strip_prefix("webhook_forwarder_log_lines_lost_total "));
    value.expect("it is counted").parse().expect("a number")
}

pub(super) fn event() -> Delivery {
    Delivery::shopify("{}")
}

fn dropping(path: &str) -> String {
    format!(
        "[[source]]\npath = '{path}'\nprovider = 'shopify'\nsecrets = ['env:SHOPIFY_WEBHOOKS_KEY']\nshared_ids = true\n[[source.route]]\nwhen = 'verified'\naction = 'drop'\n"
    )
}
