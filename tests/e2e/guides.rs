//! The guides of docs/ do what they say: a shell runs their commands, one after the other, in a folder of
//! their own, but for those that say *Not run by our tests*.
//!
//! What stands before a block says what it is: `<!-- file: NAME -->` is written, `<!-- serves -->` runs on,
//! `<!-- fails -->` has to, `<!-- soon -->` may take a moment, `<!-- prints -->` is what the last one printed.

mod page;
mod reader;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use page::Page;
use reader::Reader;

use crate::support::wait::run;

#[test]
fn shopify_in_ten_minutes() {
    follow("docs/shopify.md", 12);
}

#[test]
fn behind_a_proxy() {
    follow("docs/behind-a-proxy.md", 4);
}

#[test]
fn temporal_cloud() {
    follow("docs/temporal-cloud.md", 3);
}

#[test]
fn production() {
    follow("docs/production.md", 8);
}

#[test]
fn from_the_python_forwarder() {
    follow("docs/from-the-python-forwarder.md", 4);
}

#[test]
fn troubleshooting() {
    follow("docs/troubleshooting.md", 3);
}

#[test]
fn the_readme_leads_to_a_webhook_and_a_forgery_and_answers_the_questions_of_every_day() {
    follow("README.md", 4);
}

/// A reference; its commands are run by somebody who has a forwarder and a secret already.
#[test]
fn what_was_received() {
    let text = include_str!("../../docs/events.md");
    let page = Page::parse("docs/events.md", text);
    run(async {
        let mut reader = Reader::new().await;
        let prelude = "```sh\nexport SHOPIFY_WEBHOOKS_KEY=0f9a1b2c3d4e5f60718293a4b5c6d7e8 TWF_NO_TLS=true\n```\n\
            <!-- serves -->\n```sh\ntemporal-webhook-forwarder --host 127.0.0.1\n```\n";
        reader.read(&Page::parse("the prelude", prelude));
        assert_eq!(reader.read(&page), 5);
    });
}

#[test]
fn no_guide_is_left_out() {
    let references = [
        "codec-server",
        "command-line",
        "configuration",
        "deployment",
        "events",
        "operation",
        "payloads",
        "performance",
        "replay",
        "routes",
        "senders",
    ];
    let followed = [
        "behind-a-proxy",
        "from-the-python-forwarder",
        "production",
        "shopify",
        "temporal-cloud",
        "troubleshooting",
    ];
    let known: BTreeSet<_> = references.into_iter().chain(followed).collect();
    let entries = fs::read_dir(root().join("docs")).expect("the pages are there");
    let names = entries.map(|entry| entry.expect("it can be listed").file_name());
    let names = names.filter_map(|name| {
        let name = name.to_string_lossy().into_owned();
        name.strip_suffix(".md").map(str::to_owned)
    });
    for name in names {
        assert!(
            known.contains(&*name),
            "docs/{name}.md: a guide is followed here"
        );
    }
}

/// Reads the page as a person does who types what it says; so many commands at least.
fn follow(path: &str, at_least: usize) {
    let mut text = fs::read_to_string(root().join(path)).expect("the page is there");
    if path == "README.md" {
        let sections = text.split("\n## ");
        let sections =
            sections.filter(|it| it.starts_with("Five minutes\n") || it.starts_with("Every day\n"));
        text = sections.collect();
    }
    let page = Page::parse(path, &text);
    run(async {
        let mut reader = Reader::new().await;
        let ran = reader.read(&page);
        assert!(ran >= at_least, "{path}: only {ran} blocks were run");
    });
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
