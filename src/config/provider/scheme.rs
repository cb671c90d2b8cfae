//! `[[signature]]`: how a sender signs, in the words of its file.

use std::time::Duration;

use webhook_core::provider::scheme::{Scheme, Timestamp};
use webhook_core::provider::values::Tolerance;

use super::key_url;
use crate::config::reader::{Reader, Section};

/// Reads a `[[signature]]` table; `None` if it has a mistake that leaves no scheme.
pub fn read<'t>(r: &mut Reader<'t>, mut s: Section<'t>) -> Option<Scheme> {
    let (start, before) = (s.start(), r.count());
    let place = s.place().to_owned();
    let key_url = s.table(r, "key_url").map(|table| key_url::read(r, table));
    let timestamp = s
        .table(r, "timestamp")
        .map(|table| read_timestamp(r, table));
    let scheme = Scheme {
        locations: s
            .require_list(
                r,
                "in",
                "the places of the signature, such as [\"header X-Signature\"]",
            )
            .unwrap_or_default(),
        format: s.take(r, "format").unwrap_or_default(),
        prefix: s.take(r, "prefix").unwrap_or_default(),
        algorithm: s.take(r, "algorithm").unwrap_or_default(),
        encoding: s.take(r, "encoding").unwrap_or_default(),
        signed: s.take(r, "signed").unwrap_or_default(),
        body_sha256: s.take(r, "body_sha256"),
        timestamp: timestamp.flatten(),
        secret: s.take(r, "secret").unwrap_or_default(),
        key_id: s.take(r, "key_id"),
        key_url: key_url.flatten(),
    };
    s.finish(r);
    // Half a table would only give mistakes that are none.
    let is_whole = r.count() == before;
    for (key, problem) in scheme.problems().into_iter().filter(|_| is_whole) {
        r.mistake(start, &format!("{place}.{key}"), problem);
    }
    Some(scheme)
}

fn read_timestamp<'t>(r: &mut Reader<'t>, mut s: Section<'t>) -> Option<Timestamp> {
    let location = s.require(
        r,
        "in",
        "the timestamp's place: \"header NAME\", \"json PATH\", \"kv KEY\" of the signature",
    );
    let unit = s.take(r, "unit").unwrap_or_default();
    let tolerance = s
        .take(r, "tolerance")
        .map_or(TOLERANCE, |Tolerance(span)| span);
    s.finish(r);
    Some(Timestamp {
        location: location?,
        unit,
        tolerance,
    })
}

/// What most senders' documents say.
const TOLERANCE: Duration = Duration::from_secs(300);
