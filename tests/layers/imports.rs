//! Who imports what from whom: `use`, and paths in the code itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::source::{self, File};

/// One name that one file takes from another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Import {
    /// The module that takes it: `crate::forward`, `webhook_core::event`.
    pub(super) from: String,
    /// The module that has it.
    pub(super) to: String,
    /// What it takes.
    pub(super) name: String,
    files: [String; 2],
}

impl Import {
    /// What a module's child takes from it, or a child's child.
    pub(super) fn is_to_parent(&self) -> bool {
        self.from.starts_with(&format!("{}::", self.to))
    }
}

impl fmt::Display for Import {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [from, to] = &self.files;
        write!(f, "{from} -> {to}: {}", self.name)
    }
}

/// All of them, each once.
pub(super) fn all() -> BTreeSet<Import> {
    let files = source::all();
    assert!(files.len() > 100, "the sources have moved: {}", files.len());
    let imports = files.values().flat_map(|file| of(file, &files));
    let imports: BTreeSet<_> = imports.collect();
    assert!(imports.len() > 500, "not read: {}", imports.len());
    imports
}

fn of(file: &File, files: &BTreeMap<String, File>) -> BTreeSet<Import> {
    let mut paths: BTreeSet<Vec<String>> = BTreeSet::new();
    let mut aliases = BTreeMap::new();
    let (uses, rest) = file.split();
    for statement in uses {
        for (path, alias) in expand(&statement) {
            let path = absolute(&path, &file.module);
            aliases.insert(alias, path.clone());
            paths.insert(path);
        }
    }
    for path in written_out(&rest) {
        let path: Vec<_> = match aliases.get(&path[0]) {
            Some(known) => known.iter().chain(&path[1..]).cloned().collect(),
            None => absolute(&path, &file.module),
        };
        paths.insert(path);
    }
    let found = paths.iter().filter_map(|path| {
        let (to, name) = resolve(path, files)?;
        let other = &files[&to];
        (to != file.module).then(|| Import {
            from: file.module.clone(),
            to: to.clone(),
            name,
            files: [file.path.clone(), other.path.clone()],
        })
    });
    found.collect()
}

/// The longest part of the path that is a file's module, and what is taken from there.
fn resolve(path: &[String], files: &BTreeMap<String, File>) -> Option<(String, String)> {
    (1..=path.len()).rev().find_map(|length| {
        let module = path[..length].join("::");
        let name = path.get(length).map_or("itself", String::as_str);
        files
            .contains_key(&module)
            .then(|| (module, name.to_owned()))
    })
}

/// `super::a` in `crate::b::c` is `crate::b::a`.
fn absolute(path: &[String], module: &str) -> Vec<String> {
    let mut base: Vec<String> = module.split("::").map(str::to_owned).collect();
    let mut rest = path;
    match path[0].as_str() {
        "crate" => base.truncate(1),
        "self" => {}
        "super" => {
            base.pop();
        }
        _ => return path.to_vec(),
    }
    rest = &rest[1..];
    while rest.first().is_some_and(|part| part == "super") {
        base.pop();
        rest = &rest[1..];
    }
    base.extend_from_slice(rest);
    base
}

/// `a::{self, b as c}` -> `a` as `a`, `a::b` as `c`.
fn expand(tree: &str) -> Vec<(Vec<String>, String)> {
    let tree = tree.trim();
    if let Some((before, inner)) = tree.split_once('{') {
        let inner = &inner[..inner.rfind('}').unwrap_or(inner.len())];
        let prefix: Vec<_> = parts(before);
        let expanded = split_top(inner).into_iter().flat_map(|part| expand(&part));
        return expanded
            .map(|(path, alias)| match path.as_slice() {
                [it] if it == "self" => {
                    let name = prefix.last().cloned().unwrap_or_default();
                    let alias = if alias == "self" { name } else { alias };
                    (prefix.clone(), alias)
                }
                _ => (prefix.iter().cloned().chain(path).collect(), alias),
            })
            .collect();
    }
    let (path, alias) = tree.split_once(" as ").unwrap_or((tree, ""));
    let path = parts(path);
    let Some(last) = path.last().cloned() else {
        return Vec::new();
    };
    let alias = alias.trim();
    let alias = if alias.is_empty() {
        last
    } else {
        alias.to_owned()
    };
    vec![(path, alias)]
}

fn parts(path: &str) -> Vec<String> {
    let parts = path.split("::").map(str::trim);
    let parts = parts.filter(|part| !part.is_empty());
    parts.map(str::to_owned).collect()
}

/// At the commas that are in no braces.
fn split_top(text: &str) -> Vec<String> {
    let (mut depth, mut found) = (0_usize, vec![String::new()]);
    for c in text.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                found.push(String::new());
                continue;
            }
            _ => {}
        }
        found.last_mut().expect("one").push(c);
    }
    found.retain(|part| !part.trim().is_empty());
    found
}

/// `a::b::c` wherever it stands.
fn written_out(code: &str) -> Vec<Vec<String>> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let words = code.split(|c: char| !is_word(c));
    let words = words.filter(|word| word.contains("::"));
    let paths = words.map(parts);
    paths.filter(|path| path.len() > 1).collect()
}
