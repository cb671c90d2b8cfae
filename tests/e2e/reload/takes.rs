//! What a reload takes: secrets, sources; and what it does not take away.

use serde_json::Value;

use super::{count, good, is_refusal, last_reload, queue, text, with_secrets};
use crate::support::configured::Configured;
use crate::support::delivery::{Delivery, SHOPIFY};
use crate::support::forwarder::{AES, Forwarder};
use crate::support::leaks;
use crate::support::sender::Sender;
use crate::support::temporal::Temporal;
use crate::support::wait::{PATIENCE, run, until};

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
        until("both secrets work", PATIENCE, || async {
            status(new).await == 200
        })
        .await;
        assert_eq!(status(old).await, 200);

        configured.rewrite(&with_secrets(r#"["file:FOLDER/new"]"#));
        until("the old one is refused", PATIENCE, || async {
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
        until("its content counts", PATIENCE, || async {
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
            until("each is refused", PATIENCE, || async {
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
        until("the whole file is taken", PATIENCE, || async {
            queue(&forwarder).await == "queue-2"
        })
        .await;
        assert_eq!(last_reload(&forwarder).await, "1");
        assert_eq!(count(&forwarder, "configuration reloaded"), 1);
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
        for _ in 0..3 {
            assert_eq!(sender.send(&delivery).await.status, 404);
            for (text, status) in [(&more, 200), (&good(0), 404)] {
                configured.rewrite(text);
                forwarder.signal("HUP");
                until("the file takes effect", PATIENCE, || async {
                    sender.send(&delivery).await.status == status
                })
                .await;
            }
        }
        let asked = count(&forwarder, "SIGHUP: reading the configuration again");
        assert_eq!(asked, 6);
        // Not at the next look at the files, which would find nothing new: that says nothing.
        forwarder.signal("HUP");
        forwarder.line("it reads at once", |line| line["changed"] == "nothing");
        assert!(forwarder.is_running());
    });
}

const OTHER: &str = "/temporal/other";
