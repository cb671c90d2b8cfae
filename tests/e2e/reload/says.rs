//! What a reload says: warnings of the start, what changed, attributes that are missing.

use super::{count, good, nth_reload, text};
use crate::support::configured::Configured;
use crate::support::delivery::SHOPIFY;
use crate::support::forwarder::Forwarder;
use crate::support::leaks;
use crate::support::temporal::Temporal;
use crate::support::wait::run;

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
        let registered = "TemporalNamespaceDivision = '{tenant}'";
        configured.rewrite(&attributes(registered));
        forwarder.signal("HUP");
        nth_reload(&forwarder, 2);
        configured.rewrite(&attributes(&format!(
            "{registered}, ReloadLast = '{{tenant}}'"
        )));
        forwarder.signal("HUP");
        forwarder.line("the other one is warned of", |line| {
            line["attributes"] == "ReloadLast"
        });
        assert_eq!(count(&forwarder, "not registered"), 2);
    });
}
