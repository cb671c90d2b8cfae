//! docs/routes.md keeps its word: its examples, its templates, its table of keys.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;
use webhook_core::action::Action;
use webhook_core::keys::{ACTIONS, KEYS, Key};

use super::page::{PAGE, SECRET, asked, each, json, request, rows, spans};
use super::run::Run;

#[test]
fn every_example_does_with_each_event_what_the_table_after_it_says() {
    let mut cases = Vec::new();
    let examples = PAGE.split("\n```toml\n").skip(1);
    for (number, text) in examples.enumerate() {
        let (example, after) = text.split_once("\n```\n").expect("it ends");
        let after = after.split("\n#").next().unwrap_or_default();
        let mut events = rows(after, "| event | action | workflow id |");
        events.extend(rows(after, "| event | action | workflow id | task queue |"));
        assert!(!events.is_empty(), "no table after {example}");
        let config = if example.contains("[[source]]") {
            example.to_owned()
        } else {
            format!("{SOURCE}{example}\n")
        };
        cases.extend(events.into_iter().map(|row| (number, config.clone(), row)));
    }
    let examples: BTreeSet<_> = cases.iter().map(|(number, ..)| number).collect();
    assert_eq!(
        examples.len(),
        6,
        "one in the introduction, one for each action"
    );
    each(&cases, |(_, config, row)| {
        let asked = asked(config, &request("/temporal/shopify", &row[0]))?;
        for (name, cell) in ["action", "workflow_id", "task_queue"]
            .iter()
            .zip(&row[1..])
        {
            let expected = spans(cell).pop().map_or(Value::Null, Value::from);
            if asked[name] != expected {
                return Err(format!("{row:?}: {name}: {asked:#}"));
            }
        }
        Ok(())
    });
}

#[test]
fn every_template_gives_what_the_table_says() {
    let body = r#"{"id": 7, "total": 12.5, "note": null, "tags": ["a", "b"]}"#;
    let head = format!("| template | for `{body}` | |");
    let rows = rows(PAGE, &head);
    assert!(rows.len() >= 10, "{rows:?}");
    let request = request(
        "/temporal/shopify",
        &format!("`{body}` `X-Shopify-Topic: orders/create`"),
    );
    each(&rows, |row| {
        let template = &spans(&row[0])[0];
        let config = format!("{SOURCE}memo = {{ value = '''{template}''' }}\n");
        let asked = asked(&config, &request)?;
        let expected = spans(&row[1]).pop();
        let expected = expected.map(|json| serde_json::from_str::<Value>(&json).expect("JSON"));
        if asked["memo"].get("value") != expected.as_ref() {
            return Err(format!("{row:?}: {:#}", asked["memo"]));
        }
        Ok(())
    });
}

/// Its table has every key, and its examples are refused by exactly the actions that make no use of them.
#[test]
fn the_table_of_keys_is_what_the_program_takes() {
    let rows = rows(PAGE, "| key | example | default | actions | |");
    let keys: BTreeMap<_, _> = rows
        .iter()
        .map(|row| (spans(&row[0])[0].clone(), row))
        .collect();
    let unknown = mistakes(&format!(
        "{SOURCE}\n[[source.route]]\nwhen = 'true'\nnobody = 1\n"
    ));
    let (_, known) = unknown[0].split_once("expected one of: ").expect("a list");
    assert_eq!(
        keys.keys().map(String::as_str).collect::<BTreeSet<_>>(),
        known.split(", ").collect::<BTreeSet<_>>()
    );

    let mut config = SOURCE.to_owned();
    let mut expected = BTreeSet::new();
    let mut number = 0;
    for Key { name: key, actions } in KEYS.iter().filter(|key| key.name != "action") {
        let example = &spans(&keys[*key][1])[0];
        for action in ACTIONS {
            number += 1;
            let word = action.name();
            config += &format!(
                "\n[[source.route]]\nwhen = 'true'\naction = \"{word}\"\n{key} = {example}\n"
            );
            if *key != "workflow_id" && !matches!(action, Action::Start | Action::Drop) {
                config += "workflow_id = \"order:{body.id}\"\n";
            }
            if *key != "respond" && action == Action::UpdateWithStart {
                config += "respond = \"result\"\n";
            }
            if !actions.contains(&action) {
                let place = format!("source[1].route[{number}].{key}");
                expected.insert(format!(
                    "{place}: action = {word:?} makes no use of it: leave it out"
                ));
            }
        }
    }
    let said = mistakes(&config);
    let said = said.iter().filter_map(|line| line.split_once(' '));
    let said: BTreeSet<_> = said.map(|(_, mistake)| mistake.to_owned()).collect();
    assert_eq!(said, expected);
}

#[test]
fn the_page_shows_how_check_says_it() {
    let folder = TempDir::new().expect("a temporary folder can be made");
    let (config, _) = PAGE
        .split_once("\n```toml\n")
        .and_then(|(_, rest)| rest.split_once("\n```\n"))
        .expect("an example");
    fs::write(folder.path().join("forwarder.toml"), config).expect("the folder is writable");
    let blocks = PAGE.split("\n```sh\n").skip(1);
    let mut lines = blocks.filter_map(|text| text.split("\n```").next());
    let line = lines.find(|line| line.contains("--print http"));
    let line = line.expect("a line to type");
    let line = line.replace("temporal-webhook-forwarder", super::run::BINARY);
    let run = Run::shell(&format!("cd {:?} && {line}", folder.path()), &[SECRET]);
    assert_eq!(run.code, Some(0), "{run:?}");
    for said in [
        "route 1        ok       no, no such key: x-shopify-test: headers[\"x-shopify-test\"] == \"true\"\n",
        "route 2        ok       no: topic == \"orders/create\" && double(body.total_price) > 1000.0\n",
        "\n{\n  \"action\": \"start\",\n",
    ] {
        assert!(run.stdout.contains(said), "{said}: {}", run.stdout);
        assert!(PAGE.contains(said), "{said}");
    }
    let asked = json(&run.stdout).expect("JSON");
    assert_eq!(asked["action"], json!("start"));
}

#[test]
fn the_routes_of_other_pages_are_fine() {
    let pages = [
        include_str!("../../README.md"),
        include_str!("../../docs/configuration.md"),
    ];
    for page in pages {
        let blocks = page.split("\n```toml\n[[source.route]]").skip(1);
        let routes: Vec<_> = blocks
            .filter_map(|text| text.split("\n```").next())
            .collect();
        assert!(!routes.is_empty());
        for route in routes {
            let config = format!("{SOURCE}[[source.route]]{route}\n");
            let event = request("/temporal/shopify", "`{}`");
            assert_eq!(
                asked(&config, &event).map(|asked| asked["action"].clone()),
                Ok(json!("start"))
            );
        }
    }
}

fn mistakes(config: &str) -> Vec<String> {
    let folder = TempDir::new().expect("a temporary folder can be made");
    fs::write(folder.path().join("f.toml"), config).expect("the folder is writable");
    let args = ["check", "--offline", "--no-tls", "--config", "f.toml"];
    let run = Run::inside(folder.path(), &args, &[SECRET]);
    assert_eq!(run.code, Some(78), "{run:?}");
    let lines = run
        .stderr
        .lines()
        .map(|line| line.trim_start_matches("error: "));
    lines.map(str::to_owned).collect()
}

const SOURCE: &str = r#"[[source]]
path = "/temporal/shopify"
provider = "shopify"
secrets = ["env:SHOPIFY_WEBHOOKS_KEY"]
"#;
