//! Requests as an attacker would make them: noise, and noise in the right places and shapes.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value};
use temporal_webhook_forwarder::config::provider::catalogue;
use webhook_core::provider::Provider;
use webhook_core::provider::locator::Locator;
use webhook_core::provider::scheme::{Encoding, Format, Scheme};
use webhook_core::request::Received;

use super::targets::{KEY_ID, PARAM};

/// Requests for this provider: what its file names, with all sorts of values.
pub(super) fn requests(provider: &Provider) -> impl Strategy<Value = Received> + use<> {
    let names = Names::of(&provider.name);
    let values = Values::of(&provider.schemes);
    let mut methods = provider.methods.clone();
    methods.extend([Method::GET, Method::POST, Method::POST, Method::POST]);
    let query = vec((name(&names.fields), values.any.clone()), 0..4);
    let some = vec((name(&names.headers), values.any.clone()), 0..12);
    let headers = prop_oneof![3 => values.each(&names.headers), 1 => some];
    let body = body(&names.fields, &values);
    (select(methods), query, headers, body).prop_map(
        |(method, query, headers, (content_type, body))| Received {
            path: String::new(),
            method,
            query: (!query.is_empty()).then(|| encoded(&query)),
            headers: header_map(&headers, content_type),
            body: Bytes::from(body),
            at: now(),
        },
    )
}

/// The time of all these requests.
pub(super) fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(NOW)
}

/// What the provider's file names: headers, and fields of JSON, forms and queries.
struct Names {
    headers: Vec<String>,
    fields: Vec<String>,
}

impl Names {
    fn of(provider: &str) -> Self {
        let text = catalogue::text(provider).expect("in the catalogue");
        let named = |kinds: &[&str]| {
            let places = kinds.iter().flat_map(|kind| text.split(kind).skip(1));
            let names = places.map(|rest| {
                let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c)));
                rest[..end.unwrap_or(rest.len())].to_owned()
            });
            names.filter(|name| !name.is_empty()).collect::<Vec<_>>()
        };
        let mut headers = named(&["header ", "header:"]);
        headers.push("x-anything".to_owned());
        let mut fields = named(&["json ", "json:", "form ", "form:", "query ", "query:"]);
        fields.extend(FIELDS.map(str::to_owned));
        Self { headers, fields }
    }
}

fn name(known: &[String]) -> BoxedStrategy<String> {
    prop_oneof![9 => select(known.to_vec()), 1 => "[a-zA-Z.]{1,8}"].boxed()
}

/// What to put into the places.
struct Values {
    /// The last words of the places that are for signatures.
    signed: Vec<String>,
    signature: BoxedStrategy<String>,
    any: BoxedStrategy<String>,
}

impl Values {
    fn of(schemes: &[Scheme]) -> Self {
        let places = schemes.iter().flat_map(|scheme| &scheme.locations);
        let last = |place: &Locator| place.to_string().rsplit(' ').next().map(str::to_lowercase);
        let noise = NOISE.map(|(shape, encoding)| (shape.to_owned(), encoding));
        let own = schemes
            .iter()
            .map(shape)
            .cycle()
            .take(12.max(4 * schemes.len()));
        let signature = written(own.chain(noise).collect()).boxed();
        let any = prop_oneof![
            4 => signature.clone(),
            3 => time(),
            2 => select(WORDS.to_vec()).prop_map(str::to_owned),
            1 => any::<String>(),
        ];
        Self {
            signed: places.filter_map(last).collect(),
            signature,
            any: any.boxed(),
        }
    }

    /// Each of the names once, with a signature where one belongs.
    fn each(&self, names: &[String]) -> impl Strategy<Value = Vec<(String, String)>> + use<> {
        let names: BTreeSet<_> = names.iter().cloned().collect();
        let pairs = names.into_iter().map(|name| {
            let signed = self.signed.contains(&name.to_lowercase());
            let values = if signed { &self.signature } else { &self.any };
            (Just(name), values.clone())
        });
        pairs.collect::<Vec<_>>()
    }
}

/// How the sender writes signatures.
fn shape(scheme: &Scheme) -> (String, Encoding) {
    let shape = match &scheme.format {
        Format::Plain => format!("{}SIG", scheme.prefix),
        Format::Kv { separator, key } => {
            format!("t=TIME{separator}ts=TIME{separator}{key}=SIG{separator}{key}=SIG")
        }
        Format::List { tag } => format!("{tag},SIG {tag},SIG v1a,SIG"),
    };
    (shape, scheme.encoding)
}

fn written(shapes: Vec<(String, Encoding)>) -> impl Strategy<Value = String> {
    let lengths = select(vec![0, 1, 20, 32, 64, 72, 256]);
    let bytes = lengths.prop_flat_map(|length| vec(any::<u8>(), length));
    (select(shapes), bytes, time()).prop_map(|((shape, encoding), bytes, time)| {
        let signature = match encoding {
            Encoding::Hex => hex::encode(bytes),
            Encoding::Base64 | Encoding::Text => STANDARD.encode(bytes),
        };
        shape.replace("SIG", &signature).replace("TIME", &time)
    })
}

fn time() -> impl Strategy<Value = String> {
    let near = (NOW - 400)..(NOW + 400);
    (near, 0..6_u8, any::<u64>()).prop_map(|(seconds, form, any)| match form {
        0 | 1 => seconds.to_string(),
        2 => (seconds * 1000).to_string(),
        3 => {
            let at = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            humantime::format_rfc3339_seconds(at).to_string()
        }
        4 => any.to_string(),
        _ => format!("{any}-99-99T99:99:99.999999999999Z"),
    })
}

/// With a content type: mostly that of the body.
fn body(names: &[String], values: &Values) -> BoxedStrategy<(Option<Vec<u8>>, Vec<u8>)> {
    let some = || vec((name(names), values.any.clone()), 0..12);
    let json_body = prop_oneof![
        8 => values.each(names).prop_map(|fields| nested(&fields).to_string()),
        5 => sns(values),
        2 => some().prop_map(|fields| json(&fields)),
    ];
    let form_body = prop_oneof![values.each(names), some()].prop_map(|fields| encoded(&fields));
    let noise = prop_oneof![
        (0..20_000_usize).prop_map(|depth| "[".repeat(depth).into_bytes()),
        vec(any::<u8>(), 0..300),
    ];
    prop_oneof![
        6 => (typed(JSON), json_body.prop_map(String::into_bytes)),
        3 => (typed(FORM), form_body.prop_map(String::into_bytes)),
        1 => (typed(MULTIPART), some().prop_map(|fields| multipart(&fields).into_bytes())),
        1 => (typed(TEXT), noise),
    ]
    .boxed()
}

/// A notification of the topic that the source knows.
fn sns(values: &Values) -> impl Strategy<Value = String> + use<> {
    (values.signature.clone(), time()).prop_map(|(signature, time)| {
        let signature = serde_json::to_string(&signature).expect("text");
        format!(r#"{{"Type":"Notification","Message":"m","MessageId":"1","TopicArn":"{PARAM}","Timestamp":"{time}","Signature":{signature}}}"#)
    })
}

fn typed(own: &'static str) -> impl Strategy<Value = Option<Vec<u8>>> {
    prop_oneof![
        6 => Just(Some(own.as_bytes().to_vec())),
        2 => select(vec![JSON, FORM, MULTIPART, TEXT, "multipart/form-data", "application/xml"])
            .prop_map(|text| Some(text.as_bytes().to_vec())),
        1 => vec(any::<u8>(), 0..20).prop_map(Some),
        1 => Just(None),
    ]
}

/// An object with each field where its name says.
fn nested(fields: &[(String, String)]) -> Value {
    let mut root = Value::Null;
    for (path, value) in fields {
        let mut place = &mut root;
        for key in path.split('.') {
            if !place.is_object() {
                *place = Value::Object(Map::new());
            }
            place = &mut place[key];
        }
        *place = value.as_str().into();
    }
    root
}

/// The same as text, with a name twice where the draw has it twice.
fn json(fields: &[(String, String)]) -> String {
    let members = fields.iter().map(|(path, value)| {
        let quoted = serde_json::to_string(value).expect("text");
        let number = value.parse::<u64>().is_ok() && value.len() % 2 == 0;
        let value = if number { value.clone() } else { quoted };
        let mut keys = path.split('.').rev();
        let last = format!("{:?}:{value}", keys.next().unwrap_or_default());
        keys.fold(last, |inner, key| format!("{key:?}:{{{inner}}}"))
    });
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

fn encoded(fields: &[(String, String)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(fields);
    query.finish()
}

fn multipart(fields: &[(String, String)]) -> String {
    let parts = fields.iter().map(|(name, value)| {
        format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    });
    format!("{}--x--\r\n", parts.collect::<String>())
}

fn header_map(headers: &[(String, String)], content_type: Option<Vec<u8>>) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let name = name.parse::<HeaderName>();
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value.as_bytes())) {
            map.append(name, value);
        }
    }
    let content_type = content_type.and_then(|bytes| HeaderValue::from_bytes(&bytes).ok());
    map.extend(content_type.map(|value| (http::header::CONTENT_TYPE, value)));
    map
}

const NOW: u64 = 1_795_435_200;
/// How some other senders write them.
const NOISE: [(&str, Encoding); 3] = [
    ("t=TIME,v1=SIG", Encoding::Hex),
    ("v1,SIG", Encoding::Base64),
    ("", Encoding::Text),
];
/// Of the handshakes and of single senders.
const FIELDS: [&str; 17] = [
    "type",
    "topic",
    "event",
    "challenge",
    "payload",
    "payload.plainToken",
    "hub.mode",
    "hub.challenge",
    "hub.verify_token",
    "crc_token",
    "webhook_id",
    "bodySHA256",
    "Type",
    "Signature",
    "TopicArn",
    "0",
    "token",
];
const WORDS: [&str; 16] = [
    "",
    "0",
    "1",
    "18446744073709551616",
    "-1",
    "url_verification",
    "endpoint.url_validation",
    "ping",
    "subscribe",
    "Notification",
    "SHA256withRSA",
    "null",
    KEY_ID,
    PARAM,
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "\u{feff}\u{0}\u{17f}",
];
const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data; boundary=x";
const TEXT: &str = "text/plain; charset=UTF-8";
