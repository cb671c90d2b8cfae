//! What a source keeps of requests that it refuses.

use http::HeaderName;
use webhook_core::provider::Provider;
use webhook_core::provider::locator::Locator;
use webhook_core::source::Capture;

use crate::config::Mistake;
use crate::config::file;
use crate::config::file::capture::{is_secretive, secretive};

/// As the entry says; no header with a signature or a token is ever kept.
pub(super) fn capture(
    entry: &file::Source,
    provider: &Provider,
    mistakes: &mut Vec<Mistake>,
    warnings: &mut Vec<Mistake>,
) -> Option<Capture> {
    let bodies = entry.danger_capture_bodies;
    let Some(written) = &entry.capture else {
        if bodies {
            let problem = "nothing is kept of refused requests without capture_rejections: expected it, or neither";
            mistakes.push(Mistake::new(
                entry.places.of("danger_capture_bodies"),
                problem,
            ));
        }
        return None;
    };
    if bodies {
        warnings.push(Mistake::new(
            entry.places.of("danger_capture_bodies"),
            BODIES,
        ));
    }
    let signed: Vec<_> = signatures(provider).collect();
    let is_odd = |name: &HeaderName| signed.contains(&name) || is_secretive(name);
    let headers = match &written.headers {
        Some(named) => {
            let odd = named.iter().filter(|name| is_odd(name));
            let place = entry.places.of("capture_rejections");
            mistakes.extend(odd.map(|name| Mistake::new(&place, secretive(name))));
            named.clone()
        }
        None => {
            let usual = USUAL.map(HeaderName::from_static);
            let mut headers: Vec<_> = usual.into_iter().chain(labels(provider)).collect();
            headers.retain(|name| !is_odd(name));
            headers.dedup();
            headers
        }
    };
    Some(Capture {
        last: written.last,
        headers,
        bodies,
    })
}

/// The headers in which its sender signs, or shows a token.
fn signatures(provider: &Provider) -> impl Iterator<Item = &HeaderName> {
    let schemes = provider.schemes.iter();
    schemes
        .flat_map(|scheme| &scheme.locations)
        .flat_map(|place| place.parts())
        .filter_map(header)
}

/// The headers with id, topic and tenant.
fn labels(provider: &Provider) -> impl Iterator<Item = HeaderName> {
    let places = [&provider.id, &provider.topic, &provider.tenant];
    let parts = places.into_iter().flatten().flat_map(|place| place.parts());
    parts.filter_map(header).cloned()
}

const fn header(place: &Locator) -> Option<&HeaderName> {
    match place {
        Locator::Header(name) => Some(name),
        _ => None,
    }
}

const USUAL: [&str; 7] = [
    "content-encoding",
    "content-length",
    "content-type",
    "user-agent",
    "via",
    "x-forwarded-for",
    "x-forwarded-proto",
];
const BODIES: &str = "DANGER: bodies of refused requests are kept in memory and shown to whoever may ask the admin listener: they may hold what no signature has proven, tokens and personal data";
