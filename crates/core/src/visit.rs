//! What a request to a source is by its head alone: a webhook, a look of a balancer or a person, or
//! neither.

use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::outcome::Reject;
use super::provider::locator::Locator;
use super::provider::scheme::{Algorithm, TimestampLocation};
use super::source::Source;

/// What a request may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visit {
    /// An event or a handshake.
    Webhook,
    /// Nothing but a look: 200, and nothing is started.
    Look,
    /// The source does not take the method: a redirect on the way makes a `GET` of a `POST`, and
    /// its event is not in it any more.
    Neither,
}

impl Visit {
    /// A `GET` is a look if it has nothing of an event, a `HEAD` if it is not made to be one.
    pub fn of(source: &Source, method: &Method, query: Option<&str>, headers: &HeaderMap) -> Self {
        let marked = || {
            headers
                .iter()
                .any(|(name, value)| marks(source, name, value))
        };
        let query = query.unwrap_or_default();
        match *method {
            Method::HEAD if !marked() && !asks(source, query) => Self::Look,
            _ if source.takes(method, Some(query)) => Self::Webhook,
            Method::GET if !marked() && is_token(source, query) => Self::Look,
            _ => Self::Neither,
        }
    }
}

/// The methods that the source takes, for a request that has another; a `GET` that is refused is
/// not sent to itself.
fn allow(source: &Source, refused: &Method) -> String {
    let methods = source.provider.methods.iter();
    let mut allow: Vec<_> = methods
        .filter(|method| *method != refused)
        .map(Method::as_str)
        .collect();
    for look in [Method::GET, Method::HEAD] {
        if !is_read(refused) && !allow.contains(&look.as_str()) {
            allow.push(if look == Method::GET { "GET" } else { "HEAD" });
        }
    }
    allow.join(", ")
}

/// The refusal of a request that has a method which the source does not take, and is no look.
pub fn refusal(source: &Source, method: &Method) -> Reject {
    let reason = if is_read(method) {
        REDIRECTED
    } else {
        "the source does not take this method"
    };
    Reject::MethodNotAllowed(allow(source, method), reason)
}

/// Whether requests of this method are there to read.
pub fn is_read(method: &Method) -> bool {
    *method == Method::GET || *method == Method::HEAD
}

/// Whether a header belongs to events of the source: a body's, or one in which the sender says
/// something of the event.
fn marks(source: &Source, name: &HeaderName, value: &HeaderValue) -> bool {
    match *name {
        CONTENT_TYPE | CONTENT_ENCODING | TRANSFER_ENCODING => true,
        CONTENT_LENGTH => value != "0",
        _ => {
            let named = |place: &&Locator| matches!(place, Locator::Header(own) if own == name);
            places(source).any(|place| named(&place))
                || source.provider.keeps(name.as_str()) && !is_ordinary(name.as_str())
        }
    }
}

/// Whether the query names anything of an event, a token aside.
fn asks(source: &Source, query: &str) -> bool {
    let tokens: Vec<_> = tokens(source).collect();
    let names: Vec<_> = places(source)
        .filter_map(|place| match place {
            Locator::Query(name) => Some(name.as_str()),
            _ => None,
        })
        .filter(|name| !tokens.contains(name))
        .collect();
    form_urlencoded::parse(query.as_bytes()).any(|(name, _)| names.contains(&&*name))
}

/// Whether there is nothing in the query, or the token that every URL of the source has.
fn is_token(source: &Source, query: &str) -> bool {
    form_urlencoded::parse(query.as_bytes())
        .all(|(name, _)| tokens(source).any(|token| token == name))
}

/// The parameters in which the source's sender shows its token.
fn tokens(source: &Source) -> impl Iterator<Item = &str> {
    let schemes = source.provider.schemes.iter();
    let schemes = schemes.filter(|scheme| scheme.algorithm == Algorithm::Token);
    let places = schemes.flat_map(|scheme| &scheme.locations);
    places.filter_map(|place| match place {
        Locator::Query(name) => Some(name.as_str()),
        _ => None,
    })
}

/// Where events of the source have what they say: signature, time, key, id, topic, tenant.
fn places(source: &Source) -> impl Iterator<Item = &Locator> {
    let provider = &source.provider;
    let labels = [&provider.id, &provider.topic, &provider.tenant];
    let schemes = provider.schemes.iter().flat_map(|scheme| {
        let time = scheme.timestamp.as_ref();
        let time = time.and_then(|time| match &time.location {
            TimestampLocation::At(place) => Some(place),
            TimestampLocation::Kv(_) => None,
        });
        scheme
            .locations
            .iter()
            .chain(time)
            .chain(&scheme.key_id)
            .chain(&scheme.body_sha256)
            .chain(scheme.signed.places())
    });
    schemes
        .chain(labels.into_iter().flatten())
        .flat_map(Locator::parts)
}

/// What browsers, balancers and proxies send by themselves, whatever a source keeps of it.
fn is_ordinary(name: &str) -> bool {
    ORDINARY.contains(&name)
        || ORDINARY_BEGINNINGS
            .iter()
            .any(|beginning| name.starts_with(beginning))
}

const ORDINARY: [&str; 20] = [
    "cache-control",
    "connection",
    "cookie",
    "dnt",
    "expect",
    "forwarded",
    "from",
    "host",
    "origin",
    "pragma",
    "priority",
    "range",
    "referer",
    "te",
    "traceparent",
    "tracestate",
    "upgrade-insecure-requests",
    "user-agent",
    "via",
    "x-real-ip",
];
const ORDINARY_BEGINNINGS: [&str; 10] = [
    "accept",
    "cdn-",
    "cf-",
    "if-",
    "sec-",
    "x-amzn-trace",
    "x-b3-",
    "x-cloud-trace",
    "x-forwarded-",
    "x-request-",
];

const REDIRECTED: &str = "a POST is expected, and this has the headers or the query of an event: a redirect on the way has probably made a GET of it";

#[cfg(test)]
mod tests;
