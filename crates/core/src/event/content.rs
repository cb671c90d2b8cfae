//! What the body of a request says: JSON as sent, a form as an object, text, or bytes.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use serde::Serialize;
use serde_json::json;

use crate::form::{self, Field};
use crate::provider::Provider;
use crate::request::json::well_formed;
use crate::request::multipart::{self, Part};
use crate::request::{FORM, MULTIPART, Parsed, Received, without_bom};

use super::token;

/// A body, in the form that the worker gets it.
#[derive(Debug, PartialEq, Eq)]
pub enum Data {
    /// Well-formed JSON, exactly as sent.
    Json(Bytes),
    /// Text.
    Text(String),
    /// A form's or a query's fields as the text of a JSON object: a string each, or an array if
    /// repeated; those of the provider's `json_fields` as they were sent.
    Fields(Bytes),
    /// Anything else.
    Binary(Bytes),
}

/// What the body of a request to this provider's source says.
pub(crate) struct Content {
    /// See [`Event::data`](super::Event::data).
    pub(crate) data: Data,
    /// See [`Event::broken`](super::Event::broken).
    pub(crate) broken: Option<&'static str>,
    /// See [`Event::hint`](super::Event::hint).
    pub(crate) hint: Option<&'static str>,
    /// See [`Event::content_type`](super::Event::content_type).
    pub(crate) content_type: Option<String>,
    /// See [`Event::query`](super::Event::query).
    pub(crate) query: String,
    /// See [`Event::body`](super::Event::body).
    pub(crate) body: Bytes,
}

impl Content {
    pub(crate) fn read(parsed: &Parsed<'_>, provider: &Provider) -> Self {
        let received = parsed.received();
        let known_type = provider.content_type.as_deref();
        let json_fields = &provider.json_fields;
        let declared_type = content_type(received, known_type);
        let (query, body) = (
            token::query(received, provider),
            token::body(received, provider),
        );
        if received.is_query() {
            let fields = fields(form::fields(query.as_bytes()), json_fields);
            let is_text = fields.is_some();
            return Self {
                data: fields.map_or_else(|| Data::Binary(query.clone().into()), Data::Fields),
                broken: None,
                hint: None,
                content_type: declared_type.or_else(|| (!is_text).then(|| FORM.to_owned())),
                query,
                body,
            };
        }
        let kind = kind_of(received, known_type);
        let is_json = matches!(kind, Some(Kind::Form)) && is_json(parsed, &body);
        let data = data(
            parsed,
            &body,
            kind,
            || parts(received, provider),
            json_fields,
        );
        Self {
            broken: data.as_ref().err().copied(),
            data: data.unwrap_or_else(|_| Data::Binary(body.clone())),
            hint: is_json.then_some(JSON_AS_FORM),
            content_type: declared_type,
            query,
            body,
        }
    }
}

/// # Errors
/// What is wrong with a body that is not what it is said to be.
fn data(
    parsed: &Parsed<'_>,
    body: &Bytes,
    kind: Option<Kind>,
    parts: impl FnOnce() -> Option<Option<Bytes>>,
    json_fields: &[String],
) -> Result<Data, &'static str> {
    let binary = || Data::Binary(body.clone());
    Ok(match kind {
        Some(Kind::Json) => Data::Json(json_value(parsed, body).ok_or(BROKEN_JSON)?),
        Some(Kind::Form) => {
            fields(form::fields(body), json_fields).map_or_else(binary, Data::Fields)
        }
        Some(Kind::Multipart) => parts()
            .ok_or("broken multipart form")?
            .map_or_else(binary, Data::Fields),
        Some(Kind::Text) => match std::str::from_utf8(body) {
            Ok(text) => Data::Text(text.to_owned()),
            Err(_) => binary(),
        },
        Some(Kind::Other) => binary(),
        // A sender that names no type: JSON if it is JSON.
        None => json_value(parsed, body).map_or_else(binary, Data::Json),
    })
}

/// With its parameters; `None` if there is none that could be one.
fn content_type(received: &Received, known_type: Option<&str>) -> Option<String> {
    let declared_type = || received.single_header(&CONTENT_TYPE);
    let text = known_type.or_else(declared_type)?.trim();
    text.contains('/').then(|| text.to_owned())
}

/// The bytes of the JSON value if the request's body, or what a token leaves of it, is well-formed.
fn json_value(parsed: &Parsed<'_>, body: &Bytes) -> Option<Bytes> {
    let is_whole = body.len() == parsed.received().body.len();
    let value = if is_whole {
        parsed.json_value()?
    } else {
        json_in(str::from_utf8(body).ok()?)?
    };
    Some(body.slice_ref(value.as_bytes()))
}

/// Whether the body is JSON and nothing else: a bare number or word may be a field's name.
fn is_json(parsed: &Parsed<'_>, body: &Bytes) -> bool {
    let value = json_value(parsed, body);
    value.is_some_and(|value| {
        value.starts_with(b"{") || value.starts_with(b"[") || value.starts_with(b"\"")
    })
}

/// The JSON value that the text is, without a byte-order mark and without the white space around it.
fn json_in(text: &str) -> Option<&str> {
    well_formed(without_bom(text))
}

/// `None` if any of them is no text: what would be left of it is not what was sent.
fn fields<'a>(form: impl IntoIterator<Item = Field<'a>>, json_fields: &[String]) -> Option<Bytes> {
    let mut object = Object::default();
    for (name, value) in form {
        let name = std::str::from_utf8(&name).ok()?;
        object.add_text(name, std::str::from_utf8(&value).ok()?, json_fields);
    }
    Some(object.text())
}

/// Text fields as other forms have them, files as `{"filename", "content_type", "data_base64"}`. `None`:
/// it is no form; `Some(None)`: it has a name that is no text.
fn parts(received: &Received, provider: &Provider) -> Option<Option<Bytes>> {
    let json_fields = &provider.json_fields;
    let mut object = Object::default();
    let is_token = |part: &Part| token::is_field(received, provider, part.name.as_bytes());
    let parts = multipart::parts(received)?;
    // Whole, it would have the token, too: then the names are read as Latin-1.
    if parts.iter().any(|part| !part.is_utf8) && !parts.iter().any(is_token) {
        return Some(None);
    }
    for part in parts {
        if is_token(&part) {
            continue;
        }
        let text = std::str::from_utf8(&part.bytes).ok();
        match text.filter(|_| part.filename.is_none()) {
            Some(text) => object.add_text(&part.name, text, json_fields),
            None => object.add(
                &part.name,
                json_text(&json!({
                    "filename": part.filename,
                    "content_type": part.content_type,
                    "data_base64": STANDARD.encode(&part.bytes),
                })),
            ),
        }
    }
    Some(Some(object.text()))
}

/// A JSON object, written member by member: no number in it is read.
#[derive(Default)]
pub(crate) struct Object {
    /// In the order of their first value; the values as JSON.
    members: Vec<(String, Vec<Vec<u8>>)>,
    places: HashMap<String, usize>,
}

impl Object {
    /// The text as a string; in one of the `json_fields` as the JSON that it is, if it is any.
    pub(crate) fn add_text(&mut self, name: &str, text: &str, json_fields: &[String]) {
        let is_json = json_fields.iter().any(|field| field == name);
        let json = is_json.then(|| json_in(text)).flatten();
        self.add(
            name,
            json.map_or_else(|| json_text(text), |json| json.as_bytes().to_vec()),
        );
    }

    /// A name that comes again makes an array.
    pub(crate) fn add(&mut self, name: &str, json: Vec<u8>) {
        if let Some(&place) = self.places.get(name) {
            return self.members[place].1.push(json);
        }
        self.places.insert(name.to_owned(), self.members.len());
        self.members.push((name.to_owned(), vec![json]));
    }

    /// The object.
    pub(crate) fn text(&self) -> Bytes {
        let mut out = vec![b'{'];
        for (index, (name, values)) in self.members.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            out.extend(json_text(name));
            out.push(b':');
            match values.as_slice() {
                [value] => out.extend_from_slice(value),
                values => {
                    out.push(b'[');
                    out.extend(values.join(&b','));
                    out.push(b']');
                }
            }
        }
        out.push(b'}');
        out.into()
    }
}

fn json_text(value: &(impl Serialize + ?Sized)) -> Vec<u8> {
    serde_json::to_vec(value).expect("strings and objects of them always serialize")
}

/// What a media type says of a body.
pub(crate) enum Kind {
    Json,
    Form,
    Multipart,
    Text,
    Other,
}

/// `None` if neither the provider's entry nor the request says what the body is.
pub(crate) fn kind_of(received: &Received, known_type: Option<&str>) -> Option<Kind> {
    let declared_type = received.media_type();
    known_type.or(declared_type.as_deref()).map(kind)
}

fn kind(essence: &str) -> Kind {
    match essence {
        "application/json" | "text/json" => Kind::Json,
        FORM => Kind::Form,
        MULTIPART => Kind::Multipart,
        "application/xml" => Kind::Text,
        text if text.ends_with("+json") => Kind::Json,
        text if text.ends_with("+xml") || text.starts_with("text/") => Kind::Text,
        _ => Kind::Other,
    }
}

const BROKEN_JSON: &str = "the body is no well-formed JSON in UTF-8";
const JSON_AS_FORM: &str = "the body is JSON under the type of a form, which cuts it at each \"&\" and \"=\": send it as application/json (curl -d needs -H 'Content-Type: application/json')";
