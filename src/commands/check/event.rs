//! `check --event`: which route a request would take, and exactly what Temporal would be asked.

use std::collections::BTreeMap;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context, anyhow};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use serde_json::{Value, json};
use webhook_core::event::{Event, short};
use webhook_core::expression::Failure as Unevaluated;
use webhook_core::expression::scope::Scope;
use webhook_core::payload;
use webhook_core::proto::Payload;
use webhook_core::request::Received;
use webhook_core::route::{self, Plan, Route, Verb};
use webhook_core::source::Source;
use webhook_core::verified::Verified;
use webhook_core::{index, variables};

use super::{Finding, Problem, Table};
use crate::commands::{Failure, say};
use crate::config::Config;
use crate::forward::admit::{Admitted, Authorised, admit};
use crate::forward::metrics::{Labels, SourceMetrics};
use crate::forward::prepare::planned;
use crate::load::read as read_file;

/// Prints what would become of the request in the file.
///
/// # Errors
/// A file that is no request, a request that is no event of any source.
pub(super) fn run(file: &Path, config: &Config, table: &mut Table) -> Result<(), Failure> {
    let request = Request::read(file)?;
    let path = request.uri.path();
    let mut sources = config.sources.iter();
    let source = sources.find(|source| source.path == path).ok_or_else(|| {
        let paths = super::paths(&config.sources);
        anyhow!("--event: no source has the path {path}, expected one of {paths}")
    })?;
    if let Some(length) = request.other_length() {
        let text = format!(
            "Content-Length says {length}, and {} bytes follow the head: was the file cut or changed? What is there counts",
            request.body.len()
        );
        table.row("request", Err(Problem::Warning(text)));
    }
    let Some(event) = read(source, &request, table)? else {
        return Ok(());
    };
    let label = |text: &Option<String>| text.as_deref().map_or_else(|| "none".to_owned(), line);
    let text = format!(
        "{} (topic {}, tenant {})",
        event.id,
        label(&event.topic),
        label(&event.tenant)
    );
    table.row("event", Ok(text));
    if let Some(hint) = event.hint {
        table.row("event", Err(Problem::Warning(hint.to_owned())));
    }
    let mut scope = variables::scope(&event, &source.name);
    let routes = source.routes.iter().filter(|_| event.broken.is_none());
    for route in routes {
        let Some(verdict) = verdict(route, &mut scope) else {
            break;
        };
        table.row(&route.name, verdict);
    }
    let (route, plan) = planned(source, &event);
    let is_chosen =
        || route::choose(&source.routes, &mut variables::scope(&event, &source.name)).is_ok();
    if event.broken.is_none() && is_chosen() {
        table.row("route", Ok(route.name.clone()));
    }
    match plan {
        Ok(plan) => Ok(say(pretty(&plan_json(plan, &event, config)))?),
        Err(problem) => {
            let text = format!("it would be a dead letter: {problem}");
            table.row("route", Err(Problem::Wrong(text)));
            Ok(())
        }
    }
}

/// A label on one line, cut if it is long.
fn line(label: &str) -> String {
    let mut line = String::new();
    for character in short(label, LONGEST).chars() {
        match character.is_control() {
            true => line.extend(character.escape_default()),
            false => line.push(character),
        }
    }
    line
}

/// What the route says of the event; `None` if it is the last.
fn verdict(route: &Route, scope: &mut Scope<'_>) -> Option<Finding> {
    let when = route.when.as_ref()?;
    let text = when.text();
    Some(match when.holds(scope) {
        Ok(true) => Ok(format!("yes: {text}")),
        Ok(false) => Ok(match when.evaluate(scope) {
            Err(Unevaluated::Missing(what)) => format!("no, {what}: {text}"),
            _ => format!("no: {text}"),
        }),
        Err(problem) => Err(Problem::Wrong(format!("fails, {problem}: {text}"))),
    })
}

/// The event; `None` if it is a handshake. A signature that does not hold is said, and no more: an
/// old request is as good an example as a new one.
fn read(source: &Source, request: &Request, table: &mut Table) -> Result<Option<Event>, Failure> {
    let nobody = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let admitted = admit(
        source,
        &SourceMetrics::new(source, &Labels::default()),
        request.received(),
        nobody,
        None,
        &Authorised::default(),
        &[],
    );
    let verified = match admitted {
        Ok(Admitted::Handshake(reply)) => {
            table.row(
                "handshake",
                Ok(format!("answered {}, starts nothing", reply.status)),
            );
            return Ok(None);
        }
        Ok(Admitted::Webhook(verified)) => {
            let proof = match source.verified_by(verified.proof()) {
                "" => "not looked at: the source accepts anybody",
                proof => proof,
            };
            table.row("signature", Ok(proof.to_owned()));
            *verified
        }
        Err(reject) => {
            let text = format!("{}; looked at all the same", reject.reason());
            table.row("signature", Err(Problem::Warning(text)));
            Verified::danger_unverified(request.received())
        }
    };
    let proof = source.verified_by(verified.proof());
    Event::new(&verified, &source.provider, &source.path, proof)
        .map(Some)
        .map_err(|reject| anyhow!("--event: {}", reject.reason()).into())
}

fn plan_json(plan: Plan, event: &Event, config: &Config) -> Value {
    let call = match plan {
        Plan::Drop => return json!({ "action": "drop" }),
        Plan::Call(call) => call,
    };
    let payload = payload::encode(call.format, event);
    let mut plan_json = serde_json::to_value(&call).unwrap_or_default();
    let starts = !matches!(call.verb, Verb::Signal { .. });
    let own = index::NAMES.into_iter().zip(index::values(event));
    for (name, value) in own.filter(|_| config.index && starts) {
        let attributes = &mut plan_json["search_attributes"];
        if let Some(value) = value.filter(|_| attributes.get(name).is_none()) {
            attributes[name] = json!(value);
        }
    }
    plan_json["payload"] = shown(&payload);
    let key = config.codec.keys().first();
    plan_json["encrypted_with"] = json!(key.map(|key| key.id()));
    plan_json
}

/// JSON as JSON, text as text, the rest in base64.
fn shown(payload: &Payload) -> Value {
    let text = String::from_utf8_lossy;
    let metadata: BTreeMap<_, _> = (payload.metadata.iter())
        .map(|entry| (text(&entry.name), text(&entry.value)))
        .collect();
    let json = serde_json::from_slice::<Value>(&payload.data);
    match (json, str::from_utf8(&payload.data)) {
        (Ok(json), _) => json!({ "metadata": metadata, "json": json }),
        (_, Ok(text)) => json!({ "metadata": metadata, "text": text }),
        _ => json!({ "metadata": metadata, "base64": STANDARD.encode(&payload.data) }),
    }
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// A request as HTTP/1.1 writes it: request line, headers, an empty line, the body.
struct Request {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

impl Request {
    fn read(file: &Path) -> Result<Self, Failure> {
        let text = if file.as_os_str() == "-" {
            let mut text = Vec::new();
            std::io::stdin().read_to_end(&mut text)?;
            text
        } else {
            read_file(file).map_err(|problem| anyhow!("--event {}: {problem}", file.display()))?
        };
        Self::parse(&text)
            .with_context(|| format!("--event {}", file.display()))
            .map_err(Failure::from)
    }

    fn parse(text: &[u8]) -> Result<Self, anyhow::Error> {
        let mut headers = [httparse::EMPTY_HEADER; 200];
        let mut request = httparse::Request::new(&mut headers);
        let httparse::Status::Complete(length) = request.parse(text).context(EXPECTED)? else {
            return Err(anyhow!(EXPECTED));
        };
        let mut headers = HeaderMap::new();
        for header in request.headers.iter() {
            headers.append(
                HeaderName::try_from(header.name)?,
                HeaderValue::from_bytes(header.value)?,
            );
        }
        Ok(Self {
            method: request.method.unwrap_or_default().parse()?,
            uri: request.path.unwrap_or_default().parse()?,
            headers,
            body: Bytes::copy_from_slice(&text[length..]),
        })
    }

    /// What Content-Length says, if that is not the body's.
    fn other_length(&self) -> Option<usize> {
        let text = self.headers.get(CONTENT_LENGTH)?.to_str().ok()?;
        let length = text.trim().parse().ok()?;
        (length != self.body.len()).then_some(length)
    }

    fn received(&self) -> Received {
        Received {
            method: self.method.clone(),
            path: self.uri.path().to_owned(),
            query: self.uri.query().map(str::to_owned),
            headers: self.headers.clone(),
            body: self.body.clone(),
            at: SystemTime::now(),
        }
    }
}

const EXPECTED: &str =
    "expected a request as HTTP/1.1 writes it, such as `send --print http` prints";

/// Characters of a label.
const LONGEST: usize = 200;
