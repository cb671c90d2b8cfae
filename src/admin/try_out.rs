//! `POST /test/{source}`: signs a sample with the source's own secret and sends it through everything that a
//! delivery goes through, but for the network. Only for whoever has the token.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::SystemTime;

use axum::Router;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use axum::routing::post;
use bytes::Bytes;
use http::header::HOST;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tokio::time::Instant;
use uuid::Uuid;
use webhook_core::client_certificate::{ClientCertificate, Names};
use webhook_core::delivery::{Delivery, DeliveryOptions};
use webhook_core::event::TEST_HEADER;
use webhook_core::provider::Provider;
use webhook_core::provider::scheme::Scheme;
use webhook_core::secret::Secret;
use webhook_core::similar::did_you_mean;
use webhook_core::source::{NamedSecret, Source, Verification};
use webhook_core::verify::key::Key;

use super::Admin;
use super::answer::{self, problem};
use crate::forward::context::Arrival;
use crate::forward::trial::{TASK_QUEUE, Trial};
use crate::temporal::Temporal;

pub(super) fn router<T: Temporal>() -> Router<Arc<Admin<T>>> {
    Router::new().route(PATH, post(try_out::<T>))
}

async fn try_out<T: Temporal>(
    State(admin): State<Arc<Admin<T>>>,
    name: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let Ok(Path(name)) = name else {
        let detail = "the source's name: expected UTF-8, percent-encoded";
        return problem(StatusCode::BAD_REQUEST, "bad name", detail);
    };
    let body = match body {
        Ok(body) => body,
        Err(why) => return problem(why.status(), "bad body", why.body_text()),
    };
    if !admin.access.has_token() {
        return problem(StatusCode::FORBIDDEN, "tests need a token", NO_TOKEN);
    }
    let settings = admin.forwarder.settings();
    let Some(source) = settings.sources.iter().find(|source| source.name == name) else {
        let names = || settings.sources.iter().map(|source| source.name.as_str());
        let detail = format!(
            "no source is named {name:?}{}: expected one of {}",
            did_you_mean(&name, names()),
            names().collect::<Vec<_>>().join(", ")
        );
        return problem(StatusCode::NOT_FOUND, "no such source", detail);
    };
    let options = match Options::read(query.as_deref().unwrap_or_default()) {
        Ok(options) => options,
        Err(detail) => return problem(StatusCode::BAD_REQUEST, "bad query", detail),
    };
    let delivery = match delivery(source, &options, body) {
        Ok(delivery) => delivery,
        Err((status, detail)) => return problem(status, "no test", detail),
    };
    let request_id = Uuid::new_v4().simple().to_string();
    let Ok(request) = request(&source.path, delivery) else {
        let detail = "the sample is no request";
        return problem(StatusCode::UNPROCESSABLE_ENTITY, "no test", detail);
    };
    let trial = Trial {
        task_queue: options.task_queue.clone(),
    };
    // Whoever may not send may try.
    let certificate = source.client_certificate.as_ref().map(|required| {
        let names = Names {
            common_name: required.subjects.first().cloned(),
            ..Names::default()
        };
        Arc::new(ClientCertificate::Good(names))
    });
    let peer = (source.allow.first()).map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |net| net.addr());
    let arrival = Arrival {
        peer: SocketAddr::new(peer, 0),
        first_byte: Instant::now(),
        certificate,
    };
    let heard = admin
        .forwarder
        .try_out(request, &request_id, arrival, trial)
        .await;
    let (status, body) = (heard.status(), heard.into_body().collect().await);
    let body = body.map(|body| body.to_bytes()).unwrap_or_default();
    let said = serde_json::from_slice::<Value>(&body);
    let said = said.unwrap_or_else(|_| json!(String::from_utf8_lossy(&body)));
    let entry = admin.journal.find(&request_id);
    let result = json!({
        "passed": status.is_success(),
        "task_queue": options.task_queue,
        "marked": { TEST_HEADER: "true" },
        "sender_hears": { "status": status.as_u16(), "body": said },
        "entry": entry.map(|entry| entry.json()),
    });
    answer::json(StatusCode::OK, &result)
}

/// What the caller may choose.
struct Options {
    task_queue: String,
    topic: Option<String>,
    tenant: Option<String>,
    sample: Option<String>,
}

impl Options {
    fn read(query: &str) -> Result<Self, String> {
        let mut options = Self {
            task_queue: TASK_QUEUE.to_owned(),
            topic: None,
            tenant: None,
            sample: None,
        };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let value = value.into_owned();
            if value.is_empty() || value.len() > MAX_TEXT || value.contains(char::is_control) {
                return Err(format!(
                    "{name}: expected 1 to {MAX_TEXT} characters, none of control"
                ));
            }
            match &*name {
                "task_queue" => options.task_queue = value,
                "topic" => options.topic = Some(value),
                "tenant" => options.tenant = Some(value),
                "sample" => options.sample = Some(value),
                _ => return Err("expected task_queue, topic, tenant and sample".to_owned()),
            }
        }
        Ok(options)
    }
}

/// The source's own sample, or this body, signed as its sender would.
fn delivery(
    source: &Source,
    options: &Options,
    body: Bytes,
) -> Result<Delivery, (StatusCode, String)> {
    let unable = |why: String| (StatusCode::UNPROCESSABLE_ENTITY, why);
    let title = &source.provider.title;
    let mut provider = source.provider.clone();
    if let Some(name) = &options.sample {
        let known: Vec<_> = provider.samples.keys().map(String::as_str).collect();
        let sample = provider.samples.get(name).cloned().ok_or_else(|| {
            let detail = format!(
                "sample: {title} has none of this name{}: expected {}",
                did_you_mean(name, known.iter().copied()),
                if known.is_empty() {
                    "no sample".to_owned()
                } else {
                    known.join(", ")
                }
            );
            (StatusCode::BAD_REQUEST, detail)
        })?;
        provider.sample = sample;
    }
    let signer = match &source.verification {
        Verification::DangerUnverified | Verification::ClientCertificate => None,
        Verification::AddressHandshake { .. } => {
            return Err(unable(format!(
                "{} knows its sender by its address, after a handshake: there is nothing that could be signed. Send one from there",
                source.path
            )));
        }
        Verification::Signature { secrets, .. } => {
            Some(signer(&provider, secrets, options.tenant.as_deref()).map_err(unable)?)
        }
    };
    let id = format!("test-{}", Uuid::new_v4());
    let tenant = signer.and_then(|named| named.tenant.as_deref());
    let delivered = DeliveryOptions {
        id: &id,
        topic: options.topic.as_deref(),
        tenant: options.tenant.as_deref().or(tenant),
        body: (!body.is_empty()).then(|| body.to_vec()),
        now: SystemTime::now(),
        url: source
            .verify_context
            .public_url
            .as_deref()
            .unwrap_or_default(),
        params: &source.verify_context.params,
    };
    match signer {
        None => Ok(Delivery::unsigned(&provider, &delivered)),
        Some(named) => {
            let sign = |scheme: &Scheme, bytes: &[u8]| sign(scheme, &named.secret, bytes);
            Delivery::signed(&provider, &delivered, &sign)
                .map_err(|why| unable(format!("{title}: {why}")))
        }
    }
}

/// The first secret that signs for this tenant.
fn signer<'s>(
    provider: &Provider,
    secrets: &'s [NamedSecret],
    tenant: Option<&str>,
) -> Result<&'s NamedSecret, String> {
    let title = &provider.title;
    let is_theirs = |named: &&NamedSecret| match (&named.tenant, tenant) {
        (Some(theirs), Some(wanted)) => theirs == wanted,
        _ => true,
    };
    let mut theirs = secrets.iter().filter(is_theirs).peekable();
    if theirs.peek().is_none() && !secrets.is_empty() {
        return Err("the source has no secret for this tenant".to_owned());
    }
    let able = |named: &&NamedSecret| {
        let mut schemes = provider.schemes.iter();
        schemes.any(|scheme| sign(scheme, &named.secret, b"").is_some())
    };
    theirs.find(able).ok_or_else(|| {
        format!(
            "{title} signs with a private key that only {title} has; what the source has is the public one, which verifies and signs nothing. Let {title} send a test, or sign one with a key pair of your own: temporal-webhook-forwarder send {} --secret file:KEY.pem",
            provider.name
        )
    })
}

/// `None`: the secret is not one to sign with under this scheme.
fn sign(scheme: &Scheme, secret: &Secret, bytes: &[u8]) -> Option<Vec<u8>> {
    if scheme.secret.is_public() {
        return None;
    }
    let key = Key::new(scheme.secret, secret).ok()?;
    key.sign(scheme.algorithm, bytes)
}

fn request(path: &str, delivery: Delivery) -> http::Result<Request<Full<Bytes>>> {
    let uri = match &delivery.query {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    let mut request = Request::builder()
        .method(delivery.method)
        .uri(uri)
        .header(HOST, "localhost");
    for (name, value) in &delivery.headers {
        request = request.header(name, value);
    }
    request.body(Full::new(Bytes::from(delivery.body)))
}

/// Of the page.
pub(super) const PATH: &str = "/test/{source}";
const MAX_TEXT: usize = 200;
const NO_TOKEN: &str = "a test is signed with the source's own secret: only whoever shows the listener's token may send one. Set [admin] token = \"file:PATH\" or --admin-token env:NAME. Without it: temporal-webhook-forwarder send PROVIDER";
