//! docs/routes.md: its tables and examples, and the requests that its cells stand for.

use std::fs;
use std::thread;

use serde_json::Value;
use tempfile::TempDir;

use super::run::Run;

/// The page.
pub(crate) const PAGE: &str = include_str!("../../docs/routes.md");

/// The cells of the tables of `text` that have this head; `\|` in a cell is `|`.
pub(crate) fn rows(text: &str, head: &str) -> Vec<Vec<String>> {
    let head = format!("\n{head}\n");
    let tables = text.split(&head).skip(1);
    let rows = tables.flat_map(|text| text.lines().skip(1).take_while(|row| row.starts_with('|')));
    rows.map(|row| {
        let row = row.replace("\\|", "\0");
        let row = row.trim().strip_prefix('|').expect("it begins so");
        let cells = row.strip_suffix('|').expect("it ends so").split('|');
        cells.map(|cell| cell.trim().replace('\0', "|")).collect()
    })
    .collect()
}

/// What stands in backticks.
pub(crate) fn spans(cell: &str) -> Vec<String> {
    let spans = cell.split('`').skip(1).step_by(2);
    spans.map(str::to_owned).collect()
}

/// A request of Shopify's: each span is its JSON body, a query or a header.
pub(crate) fn request(path: &str, cell: &str) -> Vec<u8> {
    let (mut query, mut headers, mut body) = (String::new(), String::new(), "{}".to_owned());
    let spans = spans(cell);
    assert!(!spans.is_empty(), "{cell:?} is no request");
    for span in spans {
        if span.starts_with(['{', '[']) {
            body = span;
        } else if span.starts_with('?') {
            query = span;
        } else {
            let header = span.split_once(": ");
            assert!(header.is_some(), "{span:?} is no header");
            headers += &format!("{span}\r\n");
        }
    }
    if !headers.to_lowercase().contains("x-shopify-webhook-id") {
        headers += "X-Shopify-Webhook-Id: event-1\r\n";
    }
    let head = format!("POST {path}{query} HTTP/1.1\r\nContent-Type: application/json\r\n");
    format!("{head}{headers}\r\n{body}").into_bytes()
}

/// What Temporal would be asked.
///
/// # Errors
/// All that `check` says, if it is not fine.
pub(crate) fn asked(config: &str, request: &[u8]) -> Result<Value, String> {
    let folder = TempDir::new().expect("a temporary folder can be made");
    fs::write(folder.path().join("f.toml"), config).expect("the folder is writable");
    fs::write(folder.path().join("event.http"), request).expect("the folder is writable");
    let run = Run::inside(folder.path(), &ARGS, &[SECRET]);
    match json(&run.stdout) {
        Some(json) if run.code == Some(0) && run.stderr.is_empty() => Ok(json),
        _ => Err(format!("{run:?}")),
    }
}

/// What Temporal would be asked, where it stands in what `check` printed.
pub(crate) fn json(printed: &str) -> Option<Value> {
    let at = printed.find("\n{")?;
    let mut values = serde_json::Deserializer::from_str(&printed[at..]).into_iter();
    Some(values.next().expect("a value").expect("JSON"))
}

/// Each item on its own, a few at a time; all failures together.
pub(crate) fn each<T: Sync>(items: &[T], test: impl Fn(&T) -> Result<(), String> + Sync) {
    let threads = thread::available_parallelism().map_or(2, usize::from);
    let failures = thread::scope(|scope| {
        let parts = items.chunks(items.len().div_ceil(threads));
        let parts: Vec<_> = parts
            .map(|part| {
                let test = &test;
                scope.spawn(move || part.iter().filter_map(|item| test(item).err()).collect())
            })
            .collect();
        let failures = parts.into_iter().map(|part| part.join().expect("no panic"));
        failures
            .flat_map(|part: Vec<String>| part)
            .collect::<Vec<_>>()
    });
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// What the sources of the page are signed with.
pub(crate) const SECRET: (&str, &str) = ("SHOPIFY_WEBHOOKS_KEY", "shpss_page");
/// Of a `check` in a folder with both files.
pub(crate) const ARGS: [&str; 7] = [
    "check",
    "--offline",
    "--no-tls",
    "--config",
    "f.toml",
    "--event",
    "event.http",
];
