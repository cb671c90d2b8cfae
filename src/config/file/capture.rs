//! `capture_rejections` of a source: what is kept of requests that it refuses.

use http::HeaderName;
use serde::Deserialize;
use webhook_core::provider::CREDENTIALS;

use crate::config::reader::{Reader, Section};

/// A number, or a table with `last` and `headers`.
#[derive(Debug, Clone)]
pub struct Capture {
    /// So many at a time.
    pub last: usize,
    /// Of their headers these; `None`: the usual ones, and those with the event's labels.
    pub headers: Option<Vec<HeaderName>>,
}

impl Capture {
    pub(super) fn read<'t>(r: &mut Reader<'t>, s: &mut Section<'t>) -> Option<Self> {
        if !s.has_table(KEY) {
            let last = s.take(r, KEY).map(|Last(number)| number)?;
            return Some(Self {
                last,
                headers: None,
            });
        }
        let mut table = s.table(r, KEY)?;
        let last = table.require(r, "last", "how many are kept, 1 to 100");
        let headers = table.take_list(r, "headers");
        table.finish(r);
        Some(Self {
            last: last.map(|Last(number)| number)?,
            headers: headers.map(|names: Vec<Harmless>| names.into_iter().map(|it| it.0).collect()),
        })
    }
}

#[derive(Debug, Deserialize)]
#[serde(try_from = "i64")]
struct Last(usize);

impl TryFrom<i64> for Last {
    type Error = String;

    fn try_from(number: i64) -> Result<Self, String> {
        match usize::try_from(number) {
            Ok(last @ 1..=100) => Ok(Self(last)),
            _ => Err(format!(
                "{number}: expected 1 to 100, or a table with last and headers"
            )),
        }
    }
}

/// A header whose name does not say that it holds a secret.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct Harmless(HeaderName);

impl TryFrom<String> for Harmless {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let name: HeaderName = text
            .parse()
            .map_err(|_| format!("{text:?}: expected a header's name"))?;
        match is_secretive(&name) {
            true => Err(secretive(&name)),
            false => Ok(Self(name)),
        }
    }
}

/// Whether the name says that a signature, a token or a password is in it.
pub fn is_secretive(name: &HeaderName) -> bool {
    let name = name.as_str();
    CREDENTIALS.contains(&name) || WORDS.iter().any(|word| name.contains(word))
}

/// Why such a one is not kept.
pub fn secretive(name: &HeaderName) -> String {
    format!(
        "{name} is never kept: a signature or a token that is wrong here is often right elsewhere"
    )
}

const KEY: &str = "capture_rejections";
const WORDS: [&str; 9] = [
    "api-key",
    "apikey",
    "auth",
    "cookie",
    "hmac",
    "passw",
    "secret",
    "signature",
    "token",
];
