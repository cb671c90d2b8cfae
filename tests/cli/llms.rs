//! llms.txt: an index for language models, as <https://llmstxt.org> describes it; whole, and without a dead
//! link. README.md has a link to every page, too.

use std::collections::BTreeSet;
use std::path::Path;

use super::pages;

#[test]
fn it_has_a_title_a_summary_and_lists_of_links() {
    let mut lines = INDEX.lines().filter(|line| !line.is_empty());
    let title = lines.next().expect("a title");
    assert_eq!(title, "# temporal-webhook-forwarder");
    assert!(
        lines.next().is_some_and(|line| line.starts_with("> ")),
        "a summary"
    );
    let sections = INDEX.split("\n## ").skip(1);
    let mut count = 0;
    for section in sections {
        count += 1;
        let (_, list) = section.split_once('\n').expect("a list");
        for line in list.lines().filter(|line| !line.is_empty()) {
            let described = line.starts_with("- [") && line.contains("): ");
            assert!(described, "`- [name](link): what is there`: {line}");
        }
    }
    assert!(count >= 3, "{count} sections");
    assert_eq!(INDEX.matches("\n# ").count(), 0, "one title");
}

#[test]
fn every_link_is_there_and_every_page_is_linked_from_it_and_from_the_readme() {
    let links: BTreeSet<_> = pages::links(INDEX).into_iter().collect();
    for link in &links {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(link);
        assert!(file.is_file(), "{link} is not there");
    }
    let readme = include_str!("../../README.md");
    let from_readme: BTreeSet<_> = pages::links(readme)
        .into_iter()
        .filter_map(|link| link.split('#').next())
        .collect();
    for (page, _) in pages::all() {
        assert!(links.contains(&*page), "{page} is not in llms.txt");
        let is_linked = page == "README.md" || from_readme.contains(&*page);
        assert!(is_linked, "README.md does not lead to {page}");
    }
}

const INDEX: &str = include_str!("../../llms.txt");
