//! Conditions that configurations give.

use super::*;
use crate::cli::ServeArgs;
use crate::config::file::File;
use crate::config::{Config, Nothing};

#[test]
fn a_source_is_asked_for_by_what_no_other_has() {
    let scope = scope(
        &[
            "path = '/a'\nname = 'a'\nworkflow_type = 'A'\nworkflow_id = '{event_id}'",
            "path = '/b'\nname = 'b'\nworkflow_type = 'T'\nworkflow_id = '{name}:{event_id}'",
            "path = '/c'\nname = 'c'\nworkflow_type = 'T'\nworkflow_id = '{name}:{event_id}'",
            "path = '/d'\nname = 'd'\nworkflow_type = 'D'\nworkflow_id = 'x{topic}:{event_id}'",
            "path = '/e'\nname = 'e'\nworkflow_type = 'D'\nworkflow_id = 'xy:{event_id}'",
        ],
        NONE,
    );
    let letters = |path: &str| {
        format!(
            "(WorkflowType = \"WebhookDeadLetter\" AND WorkflowId STARTS_WITH \"dead-letter:{path}:\")"
        )
    };
    let a = format!("({} OR WorkflowType = \"A\")", letters("/a"));
    assert_eq!(scope.of_source("/a"), Some(a));
    let b = "(WorkflowType = \"T\" AND WorkflowId STARTS_WITH \"b:\")";
    assert_eq!(
        scope.of_source("/b"),
        Some(format!("({} OR {b})", letters("/b")))
    );
    // `xy:` may be what a topic makes.
    assert_eq!((scope.of_source("/d"), scope.of_source("/e")), (None, None));
    assert_eq!(scope.of_source("/gone"), None);
    let ours = "(WorkflowType = \"WebhookDeadLetter\" OR WorkflowType = \"A\" OR WorkflowType = \"T\" OR WorkflowType = \"D\")";
    assert_eq!(scope.ours().as_deref(), Some(ours));
    assert_eq!(
        (scope.path("c"), scope.path("/gone")),
        (Ok("/c"), Ok("/gone"))
    );
    let wrong = scope.path("nobody").expect_err("there is none");
    assert!(
        wrong.problem.ends_with("one of the names a, b, c, d, e"),
        "{wrong}"
    );
}

#[test]
fn what_depends_on_the_event_is_left_to_memos_or_to_the_index() {
    let by_topic =
        ["path = '/a'\nname = 'a'\nworkflow_type = '{topic}'\nworkflow_id = '{event_id}'"];
    let with = scope(&by_topic, NONE);
    assert_eq!((with.ours(), with.of_source("/a")), (None, None));
    assert_eq!(with.with_topic("orders/create"), None);
    let indexed = Indexed::new([true; 4]);
    let with = scope(&by_topic, indexed);
    assert_eq!(
        with.of_source("/a").as_deref(),
        Some("WebhookSource = \"/a\"")
    );
    assert_eq!(
        with.with_topic("a").as_deref(),
        Some("WebhookTopic = \"a\"")
    );
    let begins = with.begins_with("1001").expect("a condition");
    for says in [
        "WebhookEventId STARTS_WITH \"1001\"",
        "WorkflowId STARTS_WITH \"dead-letter:/a:1001\"",
    ] {
        assert!(begins.contains(says), "{begins}");
    }
    // No query has a place for it.
    assert_eq!(
        (with.with_topic("a\"b"), with.begins_with("it's")),
        (None, None)
    );
}

fn scope(sources: &[&str], indexed: Indexed) -> Scope {
    let sources = sources.iter().map(|source| {
        format!("[[source]]\n{source}\nprovider = 'generic'\ndanger_accept_unverified = true\n")
    });
    let (file, mistakes) = File::read("test.toml", &sources.collect::<String>());
    assert!(mistakes.is_empty(), "{mistakes:?}");
    let args = ServeArgs {
        no_tls: true,
        ..ServeArgs::default()
    };
    let config = Config::new(&args, &file, &Nothing).expect("no mistake");
    Scope::new(&config.sources, indexed)
}

const NONE: Indexed = Indexed {
    source: false,
    topic: false,
    tenant: false,
    event_id: false,
};
