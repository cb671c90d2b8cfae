//! A request rebuilt from what is kept of it, so that its body is read exactly as a new one's.

use std::collections::HashSet;
use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::value::RawValue;

use super::{Loss, Replayed};
use crate::event::{
    Content, Data, Event, Kind, Object, TEST_HEADER, event_id, is_id, kind_of, own_headers, short,
};
use crate::payload::protobuf::WebhookEvent;
use crate::provider::locator::{Locator, Lookup};
use crate::provider::{CREDENTIALS, Provider};
use crate::request::{Parsed, Received, json};
use crate::route::MEMO_LABEL;

/// What a payload keeps that is not the whole request.
#[derive(Debug)]
pub struct PartialEvent {
    /// The format that it is in, or a near one.
    pub(super) format: &'static str,
    pub(super) source: String,
    pub(super) method: Method,
    pub(super) is_verified: bool,
    /// Without ours.
    pub(super) headers: Vec<(String, String)>,
    pub(super) no_headers: bool,
    /// `None`: to be looked for in the headers and the body.
    pub(super) facts: Option<Facts>,
    /// The raw query, where that is the event and the body is none.
    pub(super) query: Option<String>,
    pub(super) received_at: SystemTime,
    pub(super) body: Body,
}

/// What the sender says of the event.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) id: String,
    pub(super) topic: Option<String>,
    pub(super) tenant: Option<String>,
    pub(super) provider: String,
}

/// A body as a payload keeps it.
#[derive(Debug)]
pub(super) enum Body {
    /// As sent; of a GET, the query.
    Bytes(Bytes),
    /// As `data` of an object.
    Json(Box<RawValue>),
}

/// The event of a whole request.
pub(super) fn whole(mut message: WebhookEvent, provider: &Provider) -> Result<Event, String> {
    let some = |text: String| Some(text).filter(|text| !text.is_empty());
    let method = message.method.parse();
    let at = message.received_at.and_then(|at| at.try_into().ok());
    let body = message.take_body();
    let rebuilt = Rebuilt {
        request: Received {
            method: method.map_err(|_| "its method is none".to_owned())?,
            path: message.source,
            query: some(message.query),
            headers: header_map(message.headers.iter())?,
            body,
            at: at.ok_or("the time of its arrival is none")?,
        },
        sent: message.headers.into_iter().collect(),
        fields: None,
    };
    let facts = Facts {
        id: message.id,
        topic: some(message.topic),
        tenant: some(message.tenant),
        provider: message.provider,
    };
    rebuilt.event(facts, message.verified_by, provider)
}

impl PartialEvent {
    /// The event, and what of it is not as it was. The query of a POST is never known.
    pub(super) fn event(self, provider: &Provider) -> Result<Replayed, String> {
        let mut request = Received {
            method: self.method,
            path: self.source,
            query: self.query,
            headers: header_map(self.headers.iter().map(|(name, value)| (name, value)))?,
            body: Bytes::new(),
            at: self.received_at,
        };
        let written = match &request.query {
            Some(_) => WrittenBody::default(),
            None => write(self.body, &mut request, provider),
        };
        let facts = match self.facts {
            Some(facts) => Facts {
                topic: untruncated_label(facts.topic, &provider.topic, &request),
                tenant: untruncated_label(facts.tenant, &provider.tenant, &request),
                ..facts
            },
            None => find_facts(&request, &written, provider)?,
        };
        let verified_by = if self.is_verified { UNKNOWN } else { "" };
        let rebuilt = Rebuilt {
            request,
            sent: self.headers,
            fields: written.fields,
        };
        Ok(Replayed {
            event: rebuilt.event(facts, verified_by.to_owned(), provider)?,
            loss: Loss {
                body: written.is_form,
                headers: self.no_headers,
            },
        })
    }
}

/// A request as it may have been.
struct Rebuilt {
    request: Received,
    sent: Vec<(String, String)>,
    /// The data of a body that cannot be rebuilt.
    fields: Option<Bytes>,
}

impl Rebuilt {
    fn event(
        self,
        facts: Facts,
        verified_by: String,
        provider: &Provider,
    ) -> Result<Event, String> {
        if !is_id(&facts.id) {
            return Err("its id is not 1-200 printable ASCII characters".to_owned());
        }
        if self.sent.iter().any(|(name, _)| name == TEST_HEADER) {
            return Err(format!(
                "it was sent as a test ({TEST_HEADER}): no test does in earnest what it says"
            ));
        }
        let content = match self.fields {
            Some(fields) => Content {
                data: Data::Fields(fields),
                broken: None,
                hint: None,
                ..Content::read(&Parsed::of(&self.request), provider)
            },
            None => Content::read(&Parsed::of(&self.request), provider),
        };
        let request = self.request;
        let mut headers = self.sent;
        headers.retain(|(name, _)| !CREDENTIALS.contains(&&*name.to_ascii_lowercase()));
        headers.extend(own_headers(
            &request.path,
            &request.method,
            !verified_by.is_empty(),
        ));
        Ok(Event {
            id: facts.id,
            topic: facts.topic,
            tenant: facts.tenant,
            headers,
            data: content.data,
            broken: content.broken,
            hint: content.hint,
            received_at: request.at,
            provider: facts.provider,
            source: request.path,
            verified_by,
            method: request.method,
            query: content.query,
            content_type: content.content_type,
            body: content.body,
        })
    }
}

/// What became of a body that was written into a request.
#[derive(Default)]
struct WrittenBody {
    is_form: bool,
    /// It is a multipart form, of which no request was made.
    fields: Option<Bytes>,
}

/// Writes the body such that it is read as what it was.
fn write(body: Body, request: &mut Received, provider: &Provider) -> WrittenBody {
    let is_get = request.method == Method::GET;
    let mut written = WrittenBody::default();
    let bytes = match body {
        Body::Bytes(bytes) => bytes,
        Body::Json(json) => match kind_of(request, provider.content_type.as_deref()) {
            Some(Kind::Multipart) if !is_get => {
                written.is_form = true;
                written.fields = Some(multipart_fields(&json, &provider.json_fields));
                Bytes::new()
            }
            kind if is_get || matches!(kind, Some(Kind::Form)) => {
                written.is_form = true;
                urlencoded(&json, &provider.json_fields)
            }
            Some(Kind::Text) => match serde_json::from_str::<String>(json.get()) {
                Ok(text) => text.into(),
                Err(_) => json.get().to_owned().into(),
            },
            _ => json.get().to_owned().into(),
        },
    };
    if is_get {
        request.query = String::from_utf8(bytes.to_vec()).ok();
    } else {
        request.body = bytes;
    }
    written
}

/// Written such that it is read as the same object: a field of the `json_fields` once, whatever it is.
fn urlencoded(json: &RawValue, json_fields: &[String]) -> Bytes {
    let mut form = form_urlencoded::Serializer::new(String::new());
    for (name, value) in members(json) {
        let is_json = json_fields.contains(&name);
        let texts = serde_json::from_str::<Vec<String>>(value);
        match (texts, text_of(value)) {
            (Ok(texts), _) if !is_json => {
                for text in texts {
                    form.append_pair(&name, &text);
                }
            }
            (_, Some(text)) => drop(form.append_pair(&name, &text)),
            _ => drop(form.append_pair(&name, value)),
        }
    }
    form.finish().into()
}

/// A multipart form's fields, of which those of the `json_fields` that stand there as text are JSON now.
fn multipart_fields(json: &RawValue, json_fields: &[String]) -> Bytes {
    let mut object = Object::default();
    for (name, value) in members(json) {
        match text_of(value) {
            Some(text) => object.add_text(&name, &text, json_fields),
            None => object.add(&name, value.as_bytes().to_vec()),
        }
    }
    object.text()
}

fn members(json: &RawValue) -> Vec<(String, &str)> {
    json::members(json.get()).unwrap_or_default()
}

fn text_of(value: &str) -> Option<String> {
    serde_json::from_str(value).ok()
}

/// The memo's label; one that was cut there is looked for where it came from.
fn untruncated_label(
    kept: Option<String>,
    places: &[Locator],
    request: &Received,
) -> Option<String> {
    let kept = kept.filter(|kept| !kept.is_empty())?;
    let is_cut = kept.ends_with('…') && kept.chars().count() > MEMO_LABEL;
    let whole = is_cut
        .then(|| Locator::first_label(places, &Parsed::of(request)).one())
        .flatten();
    Some(
        whole
            .filter(|whole| short(whole, MEMO_LABEL) == kept)
            .unwrap_or(kept),
    )
}

/// What the provider's places say. An event's id that may have been another is worse than none.
fn find_facts(
    request: &Received,
    written: &WrittenBody,
    provider: &Provider,
) -> Result<Facts, String> {
    let survives = |place: &Locator| survives(place, request, written, provider);
    let find = |places: &[Locator], what: &str| {
        for place in places {
            if !survives(place) {
                return Err(format!(
                    "its {what} cannot be known: a signal or an update has no memo, and the request that had it is not kept whole"
                ));
            }
            let found = match what {
                "id" => place.id(request),
                _ => place.label(request),
            };
            match found {
                Lookup::Missing => {}
                Lookup::One(text) => return Ok(Some(text)),
                Lookup::Ambiguous if what == "id" => {
                    return Err("its id is not one text".to_owned());
                }
                Lookup::Ambiguous => return Ok(None),
            }
        }
        Ok(None)
    };
    // Of several places that which is signed goes first, and which that was is not known.
    let ids: HashSet<_> = provider
        .id
        .iter()
        .filter(|place| survives(place))
        .filter_map(|place| place.id(request).one())
        .collect();
    if ids.len() > 1 {
        return Err("its id is in several places, and not the same in each".to_owned());
    }
    Ok(Facts {
        id: event_id(find(&provider.id, "id")?.ok_or("it has no event id")?),
        topic: find(&provider.topic, "topic")?,
        tenant: find(&provider.tenant, "tenant")?,
        provider: provider.name.clone(),
    })
}

/// Whether what stood in this place still stands there.
fn survives(
    place: &Locator,
    request: &Received,
    written: &WrittenBody,
    provider: &Provider,
) -> bool {
    match place {
        Locator::Header(name) => provider.keeps(name.as_str()),
        Locator::Query(_) => request.method == Method::GET,
        Locator::Json(_) | Locator::Form(_) => written.fields.is_none(),
        Locator::BodySha256 | Locator::RequestSha256 | Locator::ReceivedAt => false,
        Locator::Joined(parts) => parts
            .iter()
            .all(|part| survives(part, request, written, provider)),
    }
}

fn header_map<'a>(
    headers: impl Iterator<Item = (&'a String, &'a String)>,
) -> Result<HeaderMap, String> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let header = HeaderName::try_from(name)
            .ok()
            .zip(HeaderValue::from_bytes(value.as_bytes()).ok());
        let (name, value) = header.ok_or_else(|| format!("{name:?} is no header"))?;
        map.append(name, value);
    }
    Ok(map)
}

/// What proved the sender, where only that something did is kept.
pub(super) const UNKNOWN: &str = "unknown";
