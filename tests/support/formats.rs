//! A source for each payload format, and a body of each kind.

use super::configured::Configured;
use super::delivery::Delivery;
use super::forwarder::Forwarder;
use super::history::Started;
use super::sender::Sender;
use super::temporal::Temporal;

/// A forwarder with a source for each format, at `/FORMAT`.
pub(crate) struct Sources {
    pub(crate) forwarder: Forwarder,
    _configured: Configured,
}

impl Sources {
    pub(crate) async fn start() -> Self {
        let source = |format| {
            format!(
                "[[source]]
                path = '/{format}'
                provider = 'shopify'
                secrets = ['env:SHOPIFY_WEBHOOKS_KEY']
                workflow_id = '{format}:{{event_id}}'
                format = '{format}'
                "
            )
        };
        let configured = Configured::new(&FORMATS.map(source).concat());
        Self {
            forwarder: Forwarder::start(configured.plain()).await,
            _configured: configured,
        }
    }

    pub(crate) fn delivery(&self, format: &str, content_type: &str, body: &[u8]) -> Delivery {
        let mut delivery = Delivery::shopify(body).without("Content-Type");
        delivery.path = format!("/{format}");
        if content_type.is_empty() {
            return delivery;
        }
        delivery.with("Content-Type", content_type)
    }

    /// Sends it, sees it started, and gives what the history has.
    pub(crate) async fn deliver(&self, format: &str, body: &Body) -> (Delivery, Started) {
        let delivery = self.delivery(format, body.content_type, body.bytes);
        let answer = Sender::new(&self.forwarder).send(&delivery).await;
        assert_eq!(answer.outcome(), "200 started", "{format}: {}", body.what);
        let workflow = format!("{format}:{}", delivery.id);
        let started = Temporal::shared().await.started(&workflow).await;
        (delivery, started)
    }
}

/// A body, and what it is as a JSON value exactly as it stands in the payload; `None`: base64.
pub(crate) struct Body {
    pub(crate) what: &'static str,
    pub(crate) content_type: &'static str,
    pub(crate) bytes: &'static [u8],
    pub(crate) json: Option<&'static str>,
}

pub(crate) const BODIES: &[Body] = &[
    Body {
        what: "JSON",
        content_type: "application/json; charset=utf-8",
        bytes: br#"{ "z":12345678901234567890.10,"a" :[1e2,"\u00e9"]}"#,
        json: Some(r#"{ "z":12345678901234567890.10,"a" :[1e2,"\u00e9"]}"#),
    },
    Body {
        what: "a byte-order mark and white space",
        content_type: "application/json",
        bytes: b"\xef\xbb\xbf {\"a\":1}\r\n",
        json: Some(r#"{"a":1}"#),
    },
    Body {
        what: "a form",
        content_type: "application/x-www-form-urlencoded",
        bytes: b"a=1&b=x+y%21&a=2",
        json: Some(r#"{"a":["1","2"],"b":"x y!"}"#),
    },
    Body {
        what: "text",
        content_type: "text/plain; charset=utf-8",
        bytes: "say \"hi\" \u{1f600}\n".as_bytes(),
        json: Some("\"say \\\"hi\\\" \u{1f600}\\n\""),
    },
    Body {
        what: "text that is not UTF-8",
        content_type: "text/plain",
        bytes: b"caf\xe9",
        json: None,
    },
    Body {
        what: "bytes",
        content_type: "application/octet-stream",
        bytes: b"\x00\x01\xff\xfe",
        json: None,
    },
    Body {
        what: "bytes of no type",
        content_type: "",
        bytes: b"\xff{}",
        json: None,
    },
];

/// Every word of `format`.
pub(crate) const FORMATS: [&str; 6] = [
    "json",
    "json-string",
    "cloudevents",
    "raw",
    "protobuf",
    "json-protobuf",
];
