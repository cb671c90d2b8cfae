//! The pages for people: each link in them leads somewhere.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

#[test]
fn every_link_leads_to_a_file_and_to_a_heading_in_it() {
    let pages: BTreeMap<_, _> = all().into_iter().collect();
    let mut seen = 0;
    let mut dead = Vec::new();
    for (page, text) in &pages {
        for target in links(text) {
            seen += 1;
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let path = match path {
                "" => page.clone(),
                path => join(page, path),
            };
            let there = root().join(&path).exists();
            let is_there = |text: &String| anchor.is_empty() || anchors(text).contains(anchor);
            if !there || !pages.get(&path).is_none_or(is_there) {
                dead.push(format!("{page}: {target}"));
            }
        }
    }
    assert!(dead.is_empty(), "{}", dead.join("\n"));
    assert!(seen > 150, "{seen} links");
}

#[test]
fn a_link_to_nothing_is_seen() {
    let text = "# A `[b]` page, and more\n[x](docs/c.md#d) [y](https://e.example)\n```sh\n# f\n```\n<a id=\"g\"></a>\n";
    assert_eq!(links(text), ["docs/c.md#d"]);
    let anchors = anchors(text);
    assert!(anchors.contains("a-b-page-and-more") && anchors.contains("g"));
    assert!(!anchors.contains("f"), "a comment in an example");
    assert_eq!(join("docs/a.md", "../README.md"), "README.md");
}

/// Every page: its path in the repository, and its text.
pub(crate) fn all() -> Vec<(String, String)> {
    let pages = ["", "docs", "certs"].into_iter().flat_map(|folder| {
        let entries = fs::read_dir(root().join(folder)).expect("the folder is there");
        let names = entries.map(|entry| entry.expect("it can be listed").file_name());
        names.map(move |name| Path::new(folder).join(name))
    });
    let pages = pages.filter(|path| path.extension().is_some_and(|it| it == "md"));
    let pages = pages.map(|path| {
        let text = fs::read_to_string(root().join(&path)).expect("a text");
        (path.to_string_lossy().into_owned(), text)
    });
    let pages: Vec<_> = pages.collect();
    assert!(pages.len() > 10, "{}", pages.len());
    pages
}

/// Targets of links, but for those to other hosts.
pub(crate) fn links(text: &str) -> Vec<&str> {
    let targets = text.split("](").skip(1);
    let targets = targets.filter_map(|rest| rest.split([')', ' ', '\n']).next());
    targets.filter(|it| !it.contains("://")).collect()
}

/// What a link may name behind `#`: headings as GitHub writes them, and `<a id="…">`.
fn anchors(text: &str) -> std::collections::BTreeSet<String> {
    let mut in_code = false;
    let headings = text.lines().filter(|line| {
        in_code ^= line.starts_with("```");
        !in_code && line.starts_with('#')
    });
    let headings = headings.map(|line| {
        let words = line.trim_start_matches('#').trim().to_lowercase();
        let kept = words
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    });
    let headings: Vec<_> = headings.collect();
    let ids = text.split("<a id=\"").skip(1);
    let ids = ids.filter_map(|rest| rest.split('"').next().map(str::to_owned));
    headings.into_iter().chain(ids).collect()
}

/// `target` as seen from `page`.
fn join(page: &str, target: &str) -> String {
    let mut path = PathBuf::from(page);
    path.pop();
    for part in Path::new(target).components() {
        match part {
            Component::ParentDir => drop(path.pop()),
            other => path.push(other),
        }
    }
    path.to_string_lossy().into_owned()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
