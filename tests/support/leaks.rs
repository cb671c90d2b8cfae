//! What must never be in a log: secrets, keys, signatures and bodies.

use std::collections::BTreeSet;
use std::sync::Mutex;

/// A word that every body in the tests contains.
pub(crate) const CANARY: &str = "canary-5f1e9c3a";

static FORBIDDEN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// From now on no log may contain this.
pub(crate) fn forbid(text: &str) {
    let mut forbidden = FORBIDDEN.lock().expect("no holder panics");
    forbidden.insert(text.to_owned());
}

/// The lines of a log that hold something forbidden, each with what it holds.
pub(crate) fn find(log: &[String]) -> Vec<String> {
    let mut forbidden = FORBIDDEN.lock().expect("no holder panics").clone();
    forbidden.insert(CANARY.to_owned());
    let whole = log.join("\n");
    let found = forbidden.iter().filter(|text| whole.contains(*text));
    found
        .flat_map(|text| {
            let lines = log.iter().filter(move |line| line.contains(text));
            lines.map(move |line| format!("{text:?} in {line}"))
        })
        .collect()
}
