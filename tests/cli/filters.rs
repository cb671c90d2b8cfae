//! Every line of the table of filters in docs/routes.md: it drops one request and not the other.

use std::collections::HashSet;

use super::page::{PAGE, asked, each, request, rows, spans};

#[test]
fn every_filter_holds_for_the_one_and_not_for_the_other() {
    let rows = rows(PAGE, "| filter | CEL | holds for | does not hold for |");
    assert!(rows.len() >= 25, "{} filters", rows.len());
    let names: HashSet<_> = rows.iter().map(|row| &row[0]).collect();
    assert_eq!(names.len(), rows.len(), "a filter is there twice");
    each(&rows, |row| {
        let [name, condition, holds, does_not_hold] = &row[..] else {
            return Err(format!("{row:?} has not four cells"));
        };
        let [condition] = &spans(condition)[..] else {
            return Err(format!("{name}: no one condition"));
        };
        let config = SOURCE.to_owned() + &format!("when = '''{condition}'''\n");
        for (cell, action) in [(holds, "drop"), (does_not_hold, "start")] {
            let asked = asked(&config, &request("/filters", cell))?;
            if asked["action"] != action {
                return Err(format!("{name}: {condition}: not {action}: {cell}"));
            }
        }
        Ok(())
    });
}

const SOURCE: &str = r#"
[[source]]
path = "/filters"
provider = "shopify"
danger_accept_unverified = true
keep_headers = ["content-type", "x-*"]

[[source.route]]
action = "drop"
"#;
