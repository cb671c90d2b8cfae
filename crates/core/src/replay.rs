//! The way back: what a workflow was given -> [`Event`]. Dead letters and the typed formats have
//! everything; of the others it is known what they leave out.

mod rebuild;

use std::time::SystemTime;

use http::Method;
use prost::Message;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use self::rebuild::{Body, Facts, PartialEvent};
use super::base64::decode_base64;
use super::dead_letter::DeadLetter;
use super::event::{Event, OWN_HEADERS};
use super::large;
use super::options::{ConflictPolicy, ReusePolicy};
use super::outcome::Execution;
use super::payload::Format;
use super::payload::protobuf::{self, WebhookEvent};
use super::proto::Payload;
use super::provider::Provider;
use super::route::{Call, REQUEST_QUERY, Verb};

/// One argument of a workflow, a signal or an update.
#[derive(Debug)]
pub struct Argument<'a> {
    /// Decoded: neither elsewhere nor encrypted nor compressed.
    pub payload: Payload,
    /// The memo of the workflow that was started with it; a signal or an update has none.
    pub memo: &'a Map<String, Value>,
    /// When Temporal took it, for those that do not say when they arrived.
    pub at: SystemTime,
    /// Whether the workflow is a dead letter.
    pub is_dead_letter: bool,
}

/// An event as a payload keeps it.
#[derive(Debug)]
pub enum StoredEvent {
    /// The whole request.
    Whole(Box<WebhookEvent>),
    /// The whole request, and the run that may have taken it already.
    MaybeTaken(Box<WebhookEvent>, Execution),
    /// What a worker needs, and no more.
    Partial(Box<PartialEvent>),
}

/// Why an argument is no event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FindError {
    /// It is something else: other programs start and signal workflows, too.
    #[error("it is none that this program sends")]
    Foreign,
    /// It should be one.
    #[error("{0}")]
    Malformed(String),
}

/// An event that can be sent on its way again.
#[derive(Debug, PartialEq, Eq)]
pub struct Replayed {
    /// The event.
    pub event: Event,
    /// What of it is not as it was.
    pub loss: Loss,
}

/// What a payload left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Loss {
    /// The body means the same, but its bytes are others: a form that was read.
    pub body: bool,
    /// There are no headers but ours.
    pub headers: bool,
}

/// The event in an argument.
///
/// # Errors
/// [`FindError`]; never what stands in it.
pub fn find(argument: Argument<'_>) -> Result<StoredEvent, FindError> {
    let payload = &argument.payload;
    if large::is_reference(payload) {
        let why = "it is in external storage, and there is no [large_payloads]";
        return Err(FindError::Malformed(why.to_owned()));
    }
    if argument.is_dead_letter {
        return dead_letter(&payload.data);
    }
    let is_event = payload.message_type() == protobuf::NAME.as_bytes();
    match payload.encoding() {
        b"binary/protobuf" if is_event => {
            let message = WebhookEvent::decode(payload.data.clone())
                .map_err(|_| malformed("a webhook.forwarder.v1.WebhookEvent"))?;
            Ok(whole(message, argument.at))
        }
        b"json/protobuf" if is_event => {
            let message = protobuf::from_json(&payload.data)
                .map_err(|error| FindError::Malformed(error.to_string()))?;
            Ok(whole(message, argument.at))
        }
        b"json/plain" => json(&argument),
        b"binary/plain" => raw(argument),
        _ => Err(FindError::Foreign),
    }
}

impl StoredEvent {
    /// The path of its source.
    pub fn source(&self) -> &str {
        match self {
            Self::Whole(message) | Self::MaybeTaken(message, _) => &message.source,
            Self::Partial(part) => &part.source,
        }
    }

    /// The run that may have taken it already.
    pub const fn taken_by(&self) -> Option<&Execution> {
        match self {
            Self::MaybeTaken(_, run) => Some(run),
            Self::Whole(_) | Self::Partial(_) => None,
        }
    }

    /// The original request.
    ///
    /// # Errors
    /// Which format it is in that leaves something out.
    pub fn whole(self) -> Result<WebhookEvent, String> {
        match self {
            Self::Whole(message) | Self::MaybeTaken(message, _) => Ok(*message),
            Self::Partial(part) => Err(format!(
                "the format {} leaves something of the request out: only dead letters, protobuf and json-protobuf have it whole",
                part.format
            )),
        }
    }

    /// The event, read as its source reads bodies now.
    ///
    /// # Errors
    /// What cannot be known of it.
    pub fn event(self, provider: &Provider) -> Result<Replayed, String> {
        match self {
            Self::Whole(message) | Self::MaybeTaken(message, _) => Ok(Replayed {
                event: rebuild::whole(*message, provider)?,
                loss: Loss::default(),
            }),
            Self::Partial(part) => part.event(provider),
        }
    }
}

impl Loss {
    /// Whether the event can be given to a worker in this format.
    ///
    /// # Errors
    /// What the format needs and is not there.
    pub fn allows(self, format: Format) -> Result<(), String> {
        let wants_bytes = matches!(
            format,
            Format::Raw | Format::Protobuf | Format::JsonProtobuf
        );
        if self.body && wants_bytes {
            let why = "the workflow was given a form as an object, and the route's format wants the body as sent";
            return Err(why.to_owned());
        }
        Ok(())
    }
}

/// For an event that a worker has had, and that a person wants done once more: a closed workflow is
/// started again; one that runs goes on.
pub fn allow_rerun(call: &mut Call) {
    if call.verb == Verb::Start {
        call.options.reuse_policy = Some(ReusePolicy::AllowDuplicate);
        call.options.conflict_policy = Some(ConflictPolicy::UseExisting);
    }
}

fn dead_letter(json: &[u8]) -> Result<StoredEvent, FindError> {
    let letter: DeadLetter =
        serde_json::from_slice(json).map_err(|_| malformed("a dead letter"))?;
    let message = protobuf::from_json(letter.event.get().as_bytes())
        .map_err(|error| FindError::Malformed(format!("its event: {error}")))?;
    let found = whole(message, SystemTime::UNIX_EPOCH);
    Ok(match (found, letter.may_have_been_taken) {
        (StoredEvent::Whole(message), Some(run)) => StoredEvent::MaybeTaken(message, run.into()),
        (found, _) => found,
    })
}

fn whole(mut message: WebhookEvent, at: SystemTime) -> StoredEvent {
    message.received_at.get_or_insert_with(|| at.into());
    StoredEvent::Whole(Box::new(message))
}

/// `json`, `json-string` or `cloudevents`.
fn json(argument: &Argument<'_>) -> Result<StoredEvent, FindError> {
    let data = &argument.payload.data;
    let inner;
    let data = match data.first() {
        Some(b'"') => {
            inner = serde_json::from_slice::<String>(data).map_err(|_| FindError::Foreign)?;
            inner.as_bytes()
        }
        _ => &**data,
    };
    if let Ok(envelope) = serde_json::from_slice::<Envelope>(data) {
        let headers = Headers::read(&envelope.headers).ok_or(FindError::Foreign)?;
        let body = body(envelope.data, envelope.data_base64.as_deref())?;
        let known = MemoFields::read(argument.memo);
        return Ok(headers.part("json", known, argument.at, body));
    }
    let event = serde_json::from_slice::<CloudEvent>(data).map_err(|_| FindError::Foreign)?;
    if event.specversion != "1.0" {
        return Err(FindError::Foreign);
    }
    let headers = match argument.memo.get("headers") {
        Some(headers) => Headers::read_value(headers).ok_or_else(|| malformed("a CloudEvent"))?,
        None => event.headers(),
    };
    let at = event.time.as_deref().and_then(time).unwrap_or(argument.at);
    let body = body(event.data, event.data_base64.as_deref())?;
    let known = MemoFields {
        facts: Some(Facts {
            id: event.id,
            topic: event.topic,
            tenant: event.tenant,
            provider: event.provider,
        }),
        at: None,
        query: MemoFields::read(argument.memo).query,
    };
    Ok(headers.part("cloudevents", known, at, body))
}

/// Bytes that say nothing of themselves: the memo does.
fn raw(argument: Argument<'_>) -> Result<StoredEvent, FindError> {
    let headers = argument.memo.get("headers").and_then(Headers::read_value);
    let known = MemoFields::read(argument.memo);
    let (Some(headers), Some(_)) = (headers, &known.facts) else {
        return Err(FindError::Foreign);
    };
    let body = Body::Bytes(argument.payload.data);
    Ok(headers.part("raw", known, argument.at, body))
}

/// The default format.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    headers: Map<String, Value>,
    #[serde(default, deserialize_with = "null_as_value")]
    data: Option<Box<RawValue>>,
    data_base64: Option<String>,
}

#[derive(Deserialize)]
struct CloudEvent {
    specversion: String,
    id: String,
    source: String,
    time: Option<String>,
    datacontenttype: Option<String>,
    provider: String,
    topic: Option<String>,
    tenant: Option<String>,
    verified: bool,
    #[serde(default, deserialize_with = "null_as_value")]
    data: Option<Box<RawValue>>,
    data_base64: Option<String>,
}

impl CloudEvent {
    /// What a signal, which has no memo, says of them.
    fn headers(&self) -> Headers {
        let content_type = self.datacontenttype.iter();
        Headers {
            source: self.source.clone(),
            method: Method::POST,
            is_verified: self.verified,
            sent: content_type
                .map(|content_type| ("content-type".to_owned(), content_type.clone()))
                .collect(),
            is_made_up: true,
        }
    }
}

/// The headers for a worker, ours taken out of them.
struct Headers {
    source: String,
    method: Method,
    is_verified: bool,
    sent: Vec<(String, String)>,
    /// The payload has none.
    is_made_up: bool,
}

impl Headers {
    /// `None`: no event of ours has such headers.
    fn read(headers: &Map<String, Value>) -> Option<Self> {
        let own = |name| headers.get(name).and_then(Value::as_str);
        let sent = headers
            .iter()
            .filter(|(name, _)| !OWN_HEADERS.contains(&name.as_str()))
            .map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
        Some(Self {
            source: own("x-webhook-route")?.to_owned(),
            method: own("x-webhook-method")?.parse().ok()?,
            is_verified: own("x-webhook-verified")?.parse().ok()?,
            sent: sent.collect::<Option<_>>()?,
            is_made_up: false,
        })
    }

    fn part(
        self,
        format: &'static str,
        known: MemoFields,
        at: SystemTime,
        body: Body,
    ) -> StoredEvent {
        StoredEvent::Partial(Box::new(PartialEvent {
            format,
            source: self.source,
            method: self.method,
            is_verified: self.is_verified,
            headers: self.sent,
            no_headers: self.is_made_up,
            facts: known.facts,
            query: known.query,
            received_at: known.at.unwrap_or(at),
            body,
        }))
    }

    fn read_value(headers: &Value) -> Option<Self> {
        headers.as_object().and_then(Self::read)
    }
}

/// What the memo says.
struct MemoFields {
    facts: Option<Facts>,
    at: Option<SystemTime>,
    query: Option<String>,
}

impl MemoFields {
    fn read(memo: &Map<String, Value>) -> Self {
        let text = |name: &str| memo.get(name).and_then(Value::as_str).map(str::to_owned);
        let facts = text("event_id").zip(text("provider"));
        Self {
            facts: facts.map(|(id, provider)| Facts {
                id,
                provider,
                topic: text("topic"),
                tenant: text("tenant"),
            }),
            at: text("received_at").as_deref().and_then(time),
            query: text(REQUEST_QUERY),
        }
    }
}

fn body(data: Option<Box<RawValue>>, base64: Option<&str>) -> Result<Body, FindError> {
    match (data, base64) {
        (Some(data), None) => Ok(Body::Json(data)),
        (None, Some(base64)) => decode_base64(base64.as_bytes())
            .map(|bytes| Body::Bytes(bytes.into()))
            .ok_or(FindError::Foreign),
        _ => Err(FindError::Foreign),
    }
}

fn time(text: &str) -> Option<SystemTime> {
    humantime::parse_rfc3339(text).ok()
}

fn malformed(expected: &str) -> FindError {
    FindError::Malformed(format!(
        "it says that it is {expected}, and cannot be read as one"
    ))
}

/// JSON's `null` is data, too.
fn null_as_value<'de, D: Deserializer<'de>>(data: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Deserialize::deserialize(data).map(Some)
}

#[cfg(test)]
mod tests;
