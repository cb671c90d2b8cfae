//! Why a request was refused, in full words, and what to do about it: what a table of statuses cannot say.

use std::borrow::Cow;

use http::header::CONTENT_TYPE;
use webhook_core::dead_letter::{Cause, Kind};
use webhook_core::hint::{Look, look};
use webhook_core::outcome::Reject;
use webhook_core::provider::locator::Locator;
use webhook_core::request::{FORM, MULTIPART, media_type};
use webhook_core::shown::{readable, shown};
use webhook_core::source::{Source, Verification};
use webhook_core::verify::VerifyError;

use crate::forward::context::RequestContext;

/// For the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// Why.
    pub reason: Cow<'static, str>,
    /// What to do; `None`: nobody knows.
    pub advice: Option<Cow<'static, str>>,
}

impl Explained {
    /// Of an event that was taken, and is perhaps not what its sender meant.
    pub(super) const fn hint(hint: &'static str) -> Self {
        Self {
            reason: Cow::Borrowed(hint),
            advice: None,
        }
    }
}

/// Of an event that was parked.
pub(super) fn parked(cause: &Cause) -> Explained {
    let advice = match cause.kind {
        Kind::Unstartable => PARKED,
        Kind::TooLarge => PARKED_TOO_LARGE,
        Kind::MayHaveBeenTaken(_) => PARKED_PERHAPS_TAKEN,
    };
    Explained {
        reason: readable(&cause.reason).into_owned().into(),
        advice: Some(advice.into()),
    }
}

/// Of a request that is not acknowledged.
pub(super) fn explain(context: &RequestContext<'_>, reject: &Reject) -> Explained {
    let source = context.source.map(|(source, _)| source);
    let words = || Cow::Owned(readable(reject.reason()).into_owned());
    let (reason, advice) = match (reject, source) {
        (Reject::InvalidSignature(unproven), Some(source)) => {
            return unproven_request(context, source, unproven);
        }
        (Reject::InvalidSignature(_), None) => (words(), None),
        (Reject::NotFound(_), _) => {
            let path = shown(context.parts.uri.path());
            let reason = format!("{}: {path}", reject.reason());
            (reason.into(), Some(NOT_FOUND.into()))
        }
        (Reject::MethodNotAllowed(allowed, _), _) => {
            let method = shown(context.parts.method.as_str());
            let reason = format!("{method} where {allowed} are taken: {}", reject.reason());
            (reason.into(), Some(NOT_ALLOWED.into()))
        }
        (Reject::Forbidden(_), _) => {
            let peer = context.peer.to_canonical();
            let advice = format!(
                "if {peer} is the sender, add it to allow of the source; if it is a proxy of yours, name it in [server] trusted_proxies"
            );
            (words(), Some(advice.into()))
        }
        (Reject::Malformed(_), _) => (words(), Some(MALFORMED.into())),
        (Reject::Unstartable(_), _) => (words(), Some(UNSTARTABLE.into())),
        (Reject::MaybeTaken(..), _) => (words(), Some(MAYBE_TAKEN.into())),
        (Reject::RateLimited(..), _) => (words(), Some(RATE_LIMITED.into())),
        (Reject::TooLarge(_), _) => (words(), Some(TOO_LARGE.into())),
        (Reject::Oversized(_), _) => (words(), Some(OVERSIZED.into())),
        (Reject::UnsupportedType(_), _) => (words(), Some(UNSUPPORTED.into())),
        (Reject::TooSlow(_), _) => (words(), Some(TOO_SLOW.into())),
        (Reject::HeadTooSlow, _) => (words(), None),
        (Reject::Unavailable(_), _) => (words(), Some(UNAVAILABLE.into())),
        (Reject::Refused(_), _) => (words(), Some(REFUSED.into())),
        (Reject::Internal(_), _) => (words(), Some(INTERNAL.into())),
    };
    Explained { reason, advice }
}

fn unproven_request(
    context: &RequestContext<'_>,
    source: &Source,
    unproven: &VerifyError,
) -> Explained {
    let title = &source.provider.title;
    let names = secrets(source);
    let certificate = context.certificate.as_deref();
    let required = source.client_certificate.as_ref();
    if required.is_some_and(|required| required.holder(certificate).is_err()) {
        return Explained {
            reason: unproven.reason.clone(),
            advice: Some(CERTIFICATE.into()),
        };
    }
    if let Some(skew) = unproven.clock_skew {
        let (seconds, when) = (
            skew.unsigned_abs(),
            if skew < 0 { "ahead of" } else { "behind" },
        );
        return Explained {
            reason: format!(
                "{}: the signature is right, and its time is {seconds} s {when} this machine's clock",
                unproven.reason
            )
            .into(),
            advice: Some(CLOCK.into()),
        };
    }
    let Some(tried) = unproven.secrets_tried else {
        let places = places(source);
        let advice = if places.is_empty() {
            format!("compare the source's provider, {title}, with who really sends there")
        } else {
            format!(
                "{title} signs in {places}: if it is not there, somebody else is calling, or something on the way removes it"
            )
        };
        return Explained {
            reason: unproven.reason.clone(),
            advice: Some(advice.into()),
        };
    };
    if tried == 0 {
        return Explained {
            reason: unproven.reason.clone(),
            advice: Some(NO_TENANT.into()),
        };
    }
    let type_of_body = media_type(&context.parts.headers);
    let body = context.unproven_body.as_deref().unwrap_or_default();
    let look = look(&source.provider, type_of_body.as_deref(), body);
    let declared = context.parts.headers.get(CONTENT_TYPE).map(shown);
    let (is, question) = what_it_is(look, type_of_body.as_deref(), declared, title);
    let all = names.len().max(tried);
    let reason = format!(
        "{}: {tried} of {all} secrets tried; the body is {} bytes of {is}{question}",
        unproven.reason,
        body.len()
    );
    let advice = match look {
        Some(_) => REWRITTEN.to_owned(),
        None => format!(
            "compare the secret at {title} with {}; if they are the same, something on the way changes the body",
            names.join(", ")
        ),
    };
    Explained {
        reason: reason.into(),
        advice: Some(advice.into()),
    }
}

/// What a body whose signature does not hold looks like, and what to ask oneself.
fn what_it_is(
    look: Option<Look>,
    media_type: Option<&str>,
    declared: Option<String>,
    title: &str,
) -> (Cow<'static, str>, String) {
    let form = || format!(" where {title} sends JSON: did a proxy re-encode it?");
    match look {
        Some(Look::Form) => ("form data".into(), form()),
        Some(Look::TypeOfForm) => ("what is called form data".into(), form()),
        Some(Look::EncodedTwice) => (
            "JSON in a JSON text".into(),
            format!(" where {title} sends JSON: was it encoded twice on the way?"),
        ),
        Some(Look::PrettyPrinted) => (
            "pretty-printed JSON".into(),
            format!(", and {title} sends it compact: did a proxy write it anew?"),
        ),
        Some(Look::Empty) => (
            "nothing".into(),
            ": did a redirect or a proxy lose the body?".to_owned(),
        ),
        None => {
            let is = match (media_type, declared) {
                (Some("application/json"), _) => "JSON".into(),
                (Some(FORM), _) => "form data".into(),
                (Some(MULTIPART), _) => "a form in parts".into(),
                (_, Some(declared)) => declared.into(),
                (_, None) => "no type".into(),
            };
            (is, String::new())
        }
    }
}

/// The settings of its secrets, each once.
fn secrets(source: &Source) -> Vec<String> {
    let Verification::Signature { secrets, .. } = &source.verification else {
        return Vec::new();
    };
    let mut names: Vec<_> = secrets.iter().map(|named| named.name.clone()).collect();
    if names.is_empty() {
        names.push("the fetched keys".to_owned());
    }
    names
}

/// Where its sender's signatures are.
fn places(source: &Source) -> String {
    let schemes = source.provider.schemes.iter();
    let mut places: Vec<_> = schemes
        .flat_map(|scheme| &scheme.locations)
        .filter_map(|place| match place {
            Locator::Header(name) => Some(format!("the header {name}")),
            Locator::Query(name) => Some(format!("the query's {name}")),
            Locator::Json(_) | Locator::Form(_) => Some("the body".to_owned()),
            _ => None,
        })
        .collect();
    places.dedup();
    places.join(" or ")
}

const REWRITTEN: &str = "let whatever stands before the forwarder (a proxy, a gateway, a function) pass the body on byte for byte: the signature is over the bytes that the sender sent";
const CLOCK: &str = "if both clocks are right, the delivery was held up or is being played again: the sender's next one will be fine. Else set this machine's clock (NTP)";
const CERTIFICATE: &str = "if it is the sender: compare subjects of the source and client_ca, client_crl of [server.tls] with the certificate that it shows (openssl x509 -noout -subject -issuer -ext subjectAltName); a proxy that terminates TLS shows none";
const NO_TENANT: &str =
    "the source's secrets are by tenant: add one for this tenant, or refuse it for good";
const NOT_FOUND: &str = "if a sender means one of the sources, mend the URL there; if it is a new one, add a [[source]] with this path. Scanners ask for such paths, too";
const NOT_ALLOWED: &str = "a GET in a POST's place is mostly a redirect on the way (http to https, a slash at the end): give the sender the final URL";
const MALFORMED: &str = "the sender will not send it again: compare what it sends with the provider of the source (temporal-webhook-forwarder providers show NAME); capture_rejections keeps its headers";
const UNSTARTABLE: &str = "mend the source's route; dead_letter would have kept the event";
const MAYBE_TAKEN: &str =
    "the workflow that the route names takes no more: dead_letter would have kept the event";
const RATE_LIMITED: &str = "the sender was asked to send it again, later. If the pace is wanted, raise rate_limit of the source; if the address is blocked, look at its refused signatures: /rejections?outcome=invalid_signature";
const TOO_LARGE: &str = "if the sender has such events, raise body_limit of the source; beyond 2 MiB with [large_payloads]";
const OVERSIZED: &str = "compress = \"zlib\" makes most JSON fit, [large_payloads] stores the rest in S3, and the namespace's limit can be raised";
const UNSUPPORTED: &str = "the signature is over the bytes as they were sent: let the sender, or the proxy before the forwarder, send them uncompressed";
const TOO_SLOW: &str = "the sender was asked to send it again. If it happens often, look at the network between, or at a proxy that holds bodies back";
const UNAVAILABLE: &str = "the sender was asked to send it again, and nothing is lost if it does. /health/ready says how Temporal is";
const REFUSED: &str = "the sender was asked to send it again. Mend what the reason says of Temporal: namespace, permission, credentials; `temporal-webhook-forwarder check` asks it";
const INTERNAL: &str = "the sender was asked to send it again. This is a bug of the forwarder's: please report it with its log line";
const PARKED: &str = "it is kept whole: mend the route or the worker's side, then start it again: temporal-webhook-forwarder replay --workflow-id ID";
const PARKED_TOO_LARGE: &str = "it is kept whole, compressed: raise the namespace's limit, or set compress or [large_payloads], then start it again: temporal-webhook-forwarder replay --workflow-id ID";
const PARKED_PERHAPS_TAKEN: &str = "the workflow that was meant for it takes no more, and may have had it: look there first, then temporal-webhook-forwarder replay --workflow-id ID";
