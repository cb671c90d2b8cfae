//! The files of both crates as code alone: without comments, texts and tests.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// One file's code.
#[derive(Debug)]
pub(super) struct File {
    /// As seen from the repository.
    pub(super) path: String,
    /// `crate::config::reader`, `webhook_core::event`.
    pub(super) module: String,
    code: String,
}

impl File {
    /// Its `use` statements, each without the word and the semicolon; and the rest.
    pub(super) fn split(&self) -> (Vec<String>, String) {
        let (mut uses, mut rest) = (Vec::new(), String::new());
        let mut code = self.code.as_str();
        while let Some(at) = find_use(code) {
            rest.push_str(&code[..at]);
            let end = code[at..].find(';').map_or(code.len(), |end| at + end);
            uses.push(code[at + "use ".len()..end].replace('\n', " "));
            code = &code[end..];
        }
        rest.push_str(code);
        (uses, rest)
    }
}

fn find_use(code: &str) -> Option<usize> {
    let starts = code.match_indices("use ").map(|(at, _)| at);
    let is_start = |at: &usize| {
        let before = code[..*at].trim_end_matches(' ');
        before.is_empty() || before.ends_with(['\n', ')', '{', ';']) || before.ends_with("pub")
    };
    starts.into_iter().find(is_start)
}

/// Every file of both crates but the tests, by its module.
pub(super) fn all() -> BTreeMap<String, File> {
    let mut files = BTreeMap::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (folder, name) in [("src", "crate"), ("crates/core/src", "webhook_core")] {
        collect(root, &root.join(folder), name, &mut files);
    }
    files
}

fn collect(root: &Path, folder: &Path, module: &str, files: &mut BTreeMap<String, File>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        if stem == "tests" {
            continue;
        }
        let module = match &*stem {
            "lib" => module.to_owned(),
            "main" => "main".to_owned(),
            stem => format!("{module}::{stem}"),
        };
        if path.is_dir() {
            collect(root, &path, &module, files);
            continue;
        }
        let text = fs::read_to_string(&path).expect("a source file");
        let shown = path
            .strip_prefix(root)
            .expect("below it")
            .display()
            .to_string();
        let file = File {
            path: shown,
            module: module.clone(),
            code: without_tests(&code(&text)).replace("temporal_webhook_forwarder::", "crate::"),
        };
        files.insert(module, file);
    }
}

/// Without comments, and with texts and characters empty.
fn code(text: &str) -> String {
    let (mut code, mut rest) = (String::new(), text);
    while let Some(c) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if let Some(hashes) = raw(rest) {
            let end = format!("\"{}", "#".repeat(hashes));
            let start = 2 + hashes;
            rest[start..]
                .find(&end)
                .map_or(rest.len(), |at| start + at + end.len())
        } else if c == '"' {
            quoted(rest)
        } else if c == '\'' && is_character(rest) {
            1 + quoted_by(&rest[1..], '\'')
        } else {
            code.push(c);
            c.len_utf8()
        };
        rest = &rest[length..];
    }
    code
}

/// `r#"`: how many `#`.
fn raw(rest: &str) -> Option<usize> {
    let after = rest.strip_prefix('r')?;
    let hashes = after.bytes().take_while(|&b| b == b'#').count();
    after[hashes..].starts_with('"').then_some(hashes)
}

fn quoted(rest: &str) -> usize {
    1 + quoted_by(&rest[1..], '"')
}

/// Up to and with the quote that no backslash precedes.
fn quoted_by(rest: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, c) in rest.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            c if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    rest.len()
}

/// Not a lifetime.
fn is_character(rest: &str) -> bool {
    let mut characters = rest.chars().skip(1);
    matches!(
        (characters.next(), characters.next()),
        (Some('\\'), _) | (_, Some('\''))
    )
}

/// Without what is `#[cfg(test)]`, up to the brace or semicolon that ends it.
fn without_tests(code: &str) -> String {
    let mut kept = String::new();
    let mut rest = code;
    while let Some(at) = rest.find("#[cfg(test)]") {
        kept.push_str(&rest[..at]);
        rest = &rest[at..];
        rest = &rest[item(rest)..];
    }
    kept.push_str(rest);
    kept
}

fn item(rest: &str) -> usize {
    let mut depth = 0_usize;
    for (at, c) in rest.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => return at + 1,
            '}' => depth = depth.saturating_sub(1),
            ';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    rest.len()
}
