//! A few senders for tests: of each what a test here asks, as the catalogue has it. The catalogue itself
//! is read by a layer above.

use super::scheme::{Algorithm, Encoding, Format, Scheme, SecretForm};
use super::*;

/// The sender of this name.
pub(crate) fn find(name: &str) -> &'static Provider {
    let sender = SENDERS.iter().find(|sender| sender.name == name);
    Box::leak(Box::new(sender.expect("a sender of tests").provider()))
}

#[derive(Clone, Copy)]
struct Sender {
    name: &'static str,
    id: &'static [&'static str],
    topic: &'static [&'static str],
    tenant: &'static [&'static str],
    keep_headers: &'static [&'static str],
    methods: &'static [Method],
    /// Where it shows a token, if it does.
    token: Option<&'static str>,
    content_type: Option<&'static str>,
    json_fields: &'static [&'static str],
}

impl Sender {
    fn provider(self) -> Provider {
        let template = |text: &str| Template::try_from(text.to_owned()).expect("a template");
        let texts = |texts: &[&str]| {
            texts
                .iter()
                .map(|&text| text.to_owned())
                .collect::<Vec<_>>()
        };
        let (task_queue, workflow_type) = default_names(self.name);
        Provider {
            name: self.name.to_owned(),
            title: self.name.to_owned(),
            docs: None,
            note: None,
            id: places(self.id),
            topic: places(self.topic),
            tenant: places(self.tenant),
            keep_headers: texts(self.keep_headers)
                .into_iter()
                .map(Into::into)
                .collect(),
            task_queue: template(&task_queue),
            workflow_type: template(&workflow_type),
            workflow_id: template("{name}:{event_id}"),
            id_scope: IdScope::default(),
            deadline: Duration::from_secs(4),
            repeats: Repeats::default(),
            methods: self.methods.to_vec(),
            schemes: self.token.map(token).into_iter().collect(),
            handshake: None,
            success_status: StatusCode::OK,
            success_body: None,
            content_type: self.content_type.map(str::to_owned),
            json_fields: texts(self.json_fields),
            sample: Sample::default(),
            samples: BTreeMap::new(),
        }
    }
}

fn places(texts: &[&str]) -> Vec<Locator> {
    let places = texts.iter().map(|&text| text.to_owned().try_into());
    places.collect::<Result<_, _>>().expect("places")
}

fn token(place: &str) -> Scheme {
    Scheme {
        locations: places(&[place]),
        format: Format::default(),
        prefix: String::new(),
        algorithm: Algorithm::Token,
        encoding: Encoding::Text,
        signed: String::from("{body}").try_into().expect("a template"),
        body_sha256: None,
        timestamp: None,
        secret: SecretForm::default(),
        key_id: None,
        key_url: None,
    }
}

const NONE: Sender = Sender {
    name: "",
    id: &["body-sha256"],
    topic: &[],
    tenant: &[],
    keep_headers: &["content-type"],
    methods: &[Method::POST],
    token: None,
    content_type: None,
    json_fields: &[],
};

const SENDERS: [Sender; 12] = [
    Sender {
        name: "dropbox",
        id: &["body-sha256 + received-at"],
        keep_headers: &["content-type", "x-dropbox-*"],
        ..NONE
    },
    Sender {
        name: "generic",
        id: &[
            "header Webhook-Id",
            "header X-Webhook-Id",
            "header Idempotency-Key",
            "request-sha256",
        ],
        topic: &["header X-Webhook-Topic"],
        keep_headers: &[
            "content-type",
            "webhook-*",
            "x-webhook-*",
            "idempotency-key",
        ],
        methods: &[Method::GET, Method::POST],
        ..NONE
    },
    Sender {
        name: "gitlab",
        id: &["header webhook-id", "header Idempotency-Key", "body-sha256"],
        topic: &["header X-Gitlab-Event"],
        keep_headers: &["content-type", "x-gitlab-*", "idempotency-key", "webhook-*"],
        token: Some("header X-Gitlab-Token"),
        ..NONE
    },
    Sender {
        name: "linear",
        id: &["header Linear-Delivery"],
        topic: &["json type + json action"],
        tenant: &["json organizationId"],
        keep_headers: &["content-type", "linear-*"],
        ..NONE
    },
    Sender {
        name: "mailgun",
        id: &[
            "json event-data.id + json event-data.timestamp",
            "form token",
        ],
        topic: &["json event-data.event"],
        ..NONE
    },
    Sender {
        name: "shippo",
        topic: &["json event"],
        token: Some("query token"),
        ..NONE
    },
    Sender {
        name: "shopify",
        id: &["header X-Shopify-Webhook-Id", "header Shopify-Webhook-Id"],
        topic: &["header X-Shopify-Topic", "header Shopify-Topic"],
        tenant: &["header X-Shopify-Shop-Domain", "header Shopify-Shop-Domain"],
        keep_headers: &["content-type", "x-shopify-*", "shopify-*"],
        ..NONE
    },
    Sender {
        name: "slack",
        id: &[
            "json event_id",
            "json trigger_id",
            "form trigger_id",
            "body-sha256",
        ],
        topic: &["json event.type", "json type", "form command"],
        tenant: &["json team_id", "json team.id", "form team_id"],
        keep_headers: &["content-type", "x-slack-*"],
        json_fields: &["payload"],
        ..NONE
    },
    Sender {
        name: "sns",
        id: &["json MessageId"],
        topic: &["json Type"],
        tenant: &["json TopicArn"],
        keep_headers: &["content-type", "x-amz-sns-*"],
        content_type: Some("application/json"),
        ..NONE
    },
    Sender {
        name: "stripe",
        id: &["json id"],
        topic: &["json type"],
        ..NONE
    },
    Sender {
        name: "woocommerce",
        id: &["header X-WC-Webhook-Delivery-ID + body-sha256"],
        ..NONE
    },
    Sender {
        name: "zoom",
        topic: &["json event"],
        ..NONE
    },
];
