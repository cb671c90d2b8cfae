//! What a request to a source is by its head alone: a webhook, a probe by a balancer or a person, or
//! one that is not allowed.

use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::outcome::Reject;
use super::provider::locator::Locator;
use super::provider::scheme::{Algorithm, TimestampLocation};
use super::source::Source;

/// What a request may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestKind {
    /// An event or a handshake.
    Webhook,
    /// By a balancer or a person who looks: 200, and nothing is started.
    Probe,
    /// The source does not take the method: a redirect on the way makes a `GET` of a `POST`, and
    /// its event is not in it any more.
    NotAllowed,
}

impl RequestKind {
    /// A `GET` is a probe if it has nothing of an event, a `HEAD` if it is not made to be one.
    pub fn of(source: &Source, method: &Method, query: Option<&str>, headers: &HeaderMap) -> Self {
        let has_event_header = || {
            headers
                .iter()
                .any(|(name, value)| is_event_header(source, name, value))
        };
        let query = query.unwrap_or_default();
        match *method {
            Method::HEAD if !has_event_header() && !has_event_parameter(source, query) => {
                Self::Probe
            }
            _ if source.takes(method, Some(query)) => Self::Webhook,
            Method::GET if !has_event_header() && has_only_token(source, query) => Self::Probe,
            _ => Self::NotAllowed,
        }
    }
}

/// The methods that the source takes, for a request that has another; a `GET` that is refused is
/// not sent to itself.
fn allowed_methods(source: &Source, refused: &Method) -> String {
    let methods = source.provider.methods.iter();
    let mut allowed_methods: Vec<_> = methods
        .filter(|method| *method != refused)
        .map(Method::as_str)
        .collect();
    for look in [Method::GET, Method::HEAD] {
        if !is_get_or_head(refused) && !allowed_methods.contains(&look.as_str()) {
            allowed_methods.push(if look == Method::GET { "GET" } else { "HEAD" });
        }
    }
    allowed_methods.join(", ")
}

/// The refusal of a request that has a method which the source does not take, and is no probe.
pub fn refusal(source: &Source, method: &Method) -> Reject {
    let reason = if is_get_or_head(method) {
        REDIRECTED
    } else {
        "the source does not take this method"
    };
    Reject::MethodNotAllowed(allowed_methods(source, method), reason)
}

/// Whether requests of this method are there to read.
pub fn is_get_or_head(method: &Method) -> bool {
    *method == Method::GET || *method == Method::HEAD
}

/// Whether a header belongs to events of the source: a body's, or one in which the sender says
/// something of the event.
fn is_event_header(source: &Source, name: &HeaderName, value: &HeaderValue) -> bool {
    match *name {
        CONTENT_TYPE | CONTENT_ENCODING | TRANSFER_ENCODING => true,
        CONTENT_LENGTH => value != "0",
        _ => {
            let named = |place: &&Locator| matches!(place, Locator::Header(own) if own == name);
            places(source).any(|place| named(&place))
                || source.provider.keeps(name.as_str()) && !is_generic(name.as_str())
        }
    }
}

/// Whether the query names anything of an event, a token aside.
fn has_event_parameter(source: &Source, query: &str) -> bool {
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
fn has_only_token(source: &Source, query: &str) -> bool {
    form_urlencoded::parse(query.as_bytes())
        .all(|(name, _)| tokens(source).any(|token| token == name))
}

/// The parameters in which the source's sender shows its token.
fn tokens(source: &Source) -> impl Iterator<Item = &str> {
    let schemes = source
        .provider
        .schemes
        .iter()
        .filter(|scheme| scheme.algorithm == Algorithm::Token);
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
fn is_generic(name: &str) -> bool {
    GENERIC_HEADERS.contains(&name)
        || GENERIC_PREFIXES
            .iter()
            .any(|beginning| name.starts_with(beginning))
}

const GENERIC_HEADERS: [&str; 20] = [
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
const GENERIC_PREFIXES: [&str; 10] = [
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
