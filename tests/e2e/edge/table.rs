//! The table itself: every row names its tests, and they are there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

#[test]
fn every_row_of_the_edge_names_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut tests = BTreeSet::new();
    for folder in ["tests", "src", "crates/core/src"] {
        collect(&root.join(folder), &mut tests);
    }
    assert!(tests.len() > 500, "they are found: {}", tests.len());
    let page = include_str!("../../edge.md");
    let mut rows = 0;
    for line in page.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<_> = line.split(" | ").collect();
        let Ok(number) = cells[0].trim_start_matches("| ").parse::<u32>() else {
            continue;
        };
        rows += 1;
        assert_eq!(number, rows, "in order, each once: {line}");
        assert_eq!(cells.len(), 4, "number, scenario, outcome, tests: {line}");
        let named: Vec<_> = cells[3].split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "no test: {line}");
        for name in named {
            let is_there = tests.contains(name) || name.starts_with("make ");
            assert!(is_there, "row {number}: no test {name}");
        }
    }
    assert_eq!(rows, 38);
}

/// The names of all functions under `#[test]` or its like.
fn collect(folder: &Path, tests: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            if !path.ends_with("node_modules") {
                collect(&path, tests);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("text");
            let mut is_test = false;
            for line in text.lines().map(str::trim_start) {
                is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
                let name = line.strip_prefix("async ").unwrap_or(line);
                if let Some(name) = name.strip_prefix("fn ").filter(|_| is_test) {
                    let end = name.find(['(', '<']).unwrap_or(name.len());
                    tests.insert(name[..end].to_owned());
                    is_test = false;
                }
            }
        }
    }
}
