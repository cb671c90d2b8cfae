//! `check` shows the ids of each source, and `--against` what differs between two files, or between
//! this version of the program and the one before sources had names.

use std::fs;

use tempfile::TempDir;

use temporal_webhook_forwarder::config::provider::catalogue;

use super::run::Run;

#[test]
fn check_shows_the_ids_of_each_source() {
    let text = format!(
        "{}{}{}",
        source("/temporal/shopify", "shopify", ""),
        source(
            "/hooks/hub",
            "github",
            "name = 'hub'\n[[source.route]]\nwhen = 'topic == \"push\"'\nworkflow_id = 'push-{event_id}'\n\
             [[source.route]]\nwhen = 'topic == \"cart\"'\naction = 'signal-with-start'\nworkflow_id = '{provider}/{body.id}'\n\
             [[source.route]]\nwhen = 'topic == \"ping\"'\naction = 'drop'\n"
        ),
        source(
            "/temporal/stripe/eu",
            "stripe",
            "[[source.route]]\nwhen = 'true'\naction = 'drop'\n"
        ),
    );
    let folder = folder(&[("new.toml", &text)]);
    let table = check(&folder, &["--config", "new.toml"]).fine();
    let ids: Vec<_> = rows(&table, "ids").collect();
    let expected = [
        "ok       {event_id}",
        "ok       push-{event_id} (route 1), github/{body.id} (route 2, signal-with-start), hub:{event_id}",
        "ok       stripe-eu:{event_id}",
    ];
    assert_eq!(ids, expected, "{table}");
}

#[test]
fn no_entry_gives_two_sources_the_same_ids() {
    let mut text = String::new();
    for provider in catalogue::all() {
        for path in ["one", "two"] {
            text += &format!(
                "[[source]]\npath = '/{path}/{}'\nprovider = '{0}'\ndanger_accept_unverified = true\n",
                provider.name
            );
        }
    }
    let folder = folder(&[("new.toml", &text)]);
    let table = check(&folder, &["--config", "new.toml"]).fine();
    assert!(!table.contains("may give an event"), "{table}");
    let mut ids: Vec<_> = rows(&table, "ids").collect();
    assert_eq!(ids.len(), 2 * catalogue::all().len());
    ids.sort_unstable();
    let same = ids.windows(2).filter(|two| two[0] == two[1]);
    // Shopify's are one subscription's alone.
    assert_eq!(
        same.collect::<Vec<_>>(),
        [["ok       {event_id}"; 2]],
        "{table}"
    );
}

#[test]
fn what_differs_between_two_files_is_listed_and_no_mistake() {
    let route = |when: &str, keys: &str| format!("[[source.route]]\nwhen = '{when}'\n{keys}\n");
    let push = route("topic == \"push\"", "task_queue = 'pushes'");
    let ping = route("topic == \"ping\"", "action = 'drop'");
    let github =
        |name: &str, rest: &str| source("/hub", "github", &format!("name = '{name}'\n{rest}"));
    for (old, new, expected) in [
        (github("hub", &push), github("hub", &push), vec![]),
        // Other secrets, limits and deadlines are nobody's business here.
        (
            github("hub", "body_limit = '1MiB'"),
            github("hub", "deadline = '9s'"),
            vec![],
        ),
        (
            github("hub", ""),
            github("other", ""),
            vec![r#"workflow_id    warning  /hub: "hub:{event_id}" -> "other:{event_id}""#],
        ),
        (
            github("hub", "workflow_type = 'A'\ntask_queue = 'a'"),
            github("hub", "workflow_type = 'B'\ntask_queue = 'b:{topic}'"),
            vec![
                r#"task_queue     warning  /hub: "a" -> "b:{topic}""#,
                r#"workflow_type  warning  /hub: "A" -> "B""#,
            ],
        ),
        (
            github("hub", "format = 'raw'"),
            github("hub", "compress = 'zlib'\nkeep_headers = ['x-a', 'x-b-*']"),
            vec![
                r#"keep_headers   warning  /hub: "content-type, x-github-*, x-hub-signature-256" -> "x-a, x-b-*""#,
                r#"format         warning  /hub: "raw" -> "json""#,
                r#"compress       warning  /hub: "none" -> "zlib""#,
            ],
        ),
        (
            github("hub", ""),
            github("hub", "json_fields = []"),
            vec![r#"json_fields    warning  /hub: "payload" -> "none""#],
        ),
        (
            github("hub", "event_id = ['body-sha256']"),
            github("hub", ""),
            vec![r#"event_id       warning  /hub: "body-sha256" -> "header x-github-delivery""#],
        ),
        (
            github("hub", &format!("{push}{ping}")),
            github(
                "hub",
                &format!("{ping}{}", push.replace("pushes", "pushed")),
            ),
            vec![
                r#"task_queue     warning  /hub, when = 'topic == "push"': "pushes" -> "pushed""#,
                "routes         warning  /hub: in another order, and the first that holds decides",
            ],
        ),
        (
            github("hub", &push),
            github("hub", &ping),
            vec![
                r#"route          warning  /hub, when = 'topic == "push"': only in old.toml"#,
                r#"route          warning  /hub, when = 'topic == "ping"': not in old.toml"#,
            ],
        ),
        (
            github(
                "hub",
                "action = 'signal-with-start'\nworkflow_id = 'hub:{body.id}'",
            ),
            github(
                "hub",
                "action = 'signal'\nsignal = 'push'\nworkflow_id = 'hub:{body.id}'",
            ),
            vec![
                r#"action         warning  /hub: "signal-with-start" -> "signal""#,
                r#"task_queue     warning  /hub: "github_webhooks" -> none"#,
                r#"workflow_type  warning  /hub: "GithubWebhook" -> none"#,
                r#"signal         warning  /hub: "webhook" -> "push""#,
            ],
        ),
        (
            github("hub", "") + &source("/gone", "stripe", ""),
            source("/come", "stripe", "") + &github("hub", ""),
            vec![
                "source         warning  /gone: only in old.toml",
                "source         warning  /come: not in old.toml",
            ],
        ),
        (
            github("hub", ""),
            github("hub", "") + "[encryption]\nkeys = [{ id = '2026', key = 'env:PAYLOAD_KEY' }]\n",
            vec![r#"encryption     warning  all sources: "off" -> "key 2026""#],
        ),
    ] {
        let folder = folder(&[("old.toml", &old), ("new.toml", &new)]);
        let run = check(&folder, &["--config", "new.toml", "--against", "old.toml"]);
        let table = run.fine();
        let said = compared(&table);
        let same = [
            "the same       ok       no source's ids, queues, types or payloads differ from old.toml",
        ];
        let expected = if expected.is_empty() {
            same.to_vec()
        } else {
            expected
        };
        assert_eq!(said, expected, "{old}\n{new}");
    }
}

#[test]
fn a_file_of_the_version_before_names_shows_which_ids_change() {
    let own = "[[source]]\npath = '/acme'\nsecrets = ['env:KEY']\n[source.provider]\nname = 'acme'\nid = ['json id']\n\
               [[source.provider.signature]]\nin = ['header X-Signature']\n";
    let text = source("/hooks/hub", "github", "")
        + &source("/temporal/stripe", "stripe", "")
        + &source("/hooks/shop", "shopify", "")
        + &source("/hooks/lab", "gitlab", "workflow_id = 'lab-{event_id}'")
        + own;
    let folder = folder(&[("now.toml", &text)]);
    let table = check(&folder, &["--config", "now.toml", "--against", "now.toml"]).fine();
    let expected = [
        r#"workflow_id    warning  /hooks/hub: "github:{event_id}" before sources had names; workflow_id = "{provider}:{event_id}" keeps it"#,
        r#"workflow_id    warning  /acme: "/acme:{event_id}" before sources had names; workflow_id = "{source}:{event_id}" keeps it"#,
        r#"task_queue     warning  /acme: "webhooks" before sources had names; task_queue = "webhooks" keeps it"#,
        r#"workflow_type  warning  /acme: "Webhook" before sources had names; workflow_type = "Webhook" keeps it"#,
    ];
    assert_eq!(compared(&table), expected);
}

#[test]
fn the_other_file_may_have_mistakes_and_secrets_that_are_not_here() {
    let old = source("/hub", "github", "name = 'hub'\ntask_qeue = 'a'").replace("KEY", "NOT_SET");
    let new = source("/hub", "github", "name = 'hub'\ntask_queue = 'b'");
    let folder = folder(&[
        ("old.toml", &old),
        ("new.toml", &new),
        ("broken.toml", "a ="),
    ]);
    let table = check(&folder, &["--config", "new.toml", "--against", "old.toml"]).fine();
    let said = compared(&table);
    let named = "not compared   warning  old.toml:6 source[1].task_qeue: unknown key";
    assert!(said[0].starts_with(named), "{said:?}");
    assert_eq!(
        said[1],
        r#"task_queue     warning  /hub: "github_webhooks" -> "b""#
    );

    // Without a file: the source of the flags.
    let table = check(&folder, &["--against", "new.toml"]).fine();
    let said = compared(&table);
    assert_eq!(
        said[1],
        "source         warning  /temporal/shopify: not in new.toml"
    );

    for (file, named) in [
        ("none.toml", "--against none.toml: No such file"),
        ("broken.toml", "broken.toml:1"),
    ] {
        let run = check(&folder, &["--config", "new.toml", "--against", file]);
        run.misconfigured(&[named]);
    }
}

fn source(path: &str, provider: &str, rest: &str) -> String {
    format!("[[source]]\npath = '{path}'\nprovider = '{provider}'\nsecrets = ['env:KEY']\n{rest}\n")
}

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().expect("a temporary folder can be made");
    for (name, text) in files {
        fs::write(folder.path().join(name), text).expect("the folder is writable");
    }
    folder
}

fn check(folder: &TempDir, args: &[&str]) -> Run {
    let env = [
        ("KEY", "against-key-01234567"),
        ("SHOPIFY_WEBHOOKS_KEY", "against-key-01234567"),
        ("PAYLOAD_KEY", "000102030405060708090a0b0c0d0e0f"),
    ];
    let args = [&["check", "--offline", "--no-tls"], args].concat();
    Run::inside(folder.path(), &args, &env)
}

/// The rows below `--against`.
fn compared(table: &str) -> Vec<&str> {
    let (_, rows) = table.split_once("\n--against ").expect("it is a group");
    let rows = rows.lines().skip(1);
    rows.take_while(|row| !row.is_empty()).collect()
}

fn rows<'t>(table: &'t str, what: &'t str) -> impl Iterator<Item = &'t str> {
    let lines = table.lines();
    lines.filter_map(move |line| line.strip_prefix(what).map(str::trim_start))
}
