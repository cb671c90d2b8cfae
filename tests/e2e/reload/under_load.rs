//! Reloads fail no request: good files, bad ones, and one that is being written.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use super::{count, good, is_refusal, last_reload, queue, text};
use crate::support::configured::Configured;
use crate::support::delivery::{Delivery, SHOPIFY};
use crate::support::forwarder::{Forwarder, SECRET};
use crate::support::sender::Sender;
use crate::support::wait::{PATIENCE, run, until};

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
            until("the good file takes effect", PATIENCE, || async {
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
fn a_file_that_is_still_being_written_is_not_read_by_halves() {
    run(async {
        let whole = good(1).replace(SHOPIFY, "/temporal/other") + &good(1);
        loop {
            let configured = Configured::new(&good(0));
            let forwarder = Forwarder::start(configured.plain()).await;
            let load = Load::start(&forwarder);
            // Many beginnings of the file are valid: its first half is.
            let paused = write_slowly(&configured.path("forwarder.toml"), &whole).await;
            configured.rewrite(&whole);
            until("the whole file takes effect", PATIENCE, || async {
                queue(&forwarder).await == "queue-1"
            })
            .await;
            load.stop().await;
            // On a busy machine it may have looked whole for a while: then it was to be taken.
            if paused < SETTLED {
                assert_eq!(count(&forwarder, "configuration reloaded"), 1);
                assert_eq!(count(&forwarder, "the new configuration is not used"), 0);
                return;
            }
        }
    });
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

/// Writes the text bit by bit. Gives the longest time for which the file stayed as it was.
async fn write_slowly(file: &Path, text: &str) -> Duration {
    let mut longest = Duration::ZERO;
    let mut last = Instant::now();
    for end in (0..=text.len()).step_by(4) {
        fs::write(file, &text[..end]).expect("the folder is writable");
        longest = longest.max(last.elapsed());
        last = Instant::now();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    longest.max(last.elapsed())
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

/// What did not change for so long is whole; less, as the forwarder's clock may be a little behind.
const SETTLED: Duration = Duration::from_millis(200);
