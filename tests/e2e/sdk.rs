//! The official SDKs as the other side: what they sign is taken and started, what the program signs
//! they take, and whatever is wrong with a request, nothing is started.

mod cases;

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use temporal_webhook_forwarder::commands::sign;
use temporal_webhook_forwarder::config::provider::catalogue;
use tokio::task::JoinSet;
use uuid::Uuid;
use webhook_core::delivery::{Delivery as Signed, DeliveryOptions};
use webhook_core::provider::locator::{Locator, Lookup};
use webhook_core::provider::scheme::Scheme;
use webhook_core::secret::Secret;

use self::cases::CASES;
use crate::support::delivery::Delivery;
use crate::support::forwarder::{Forwarder, ForwarderConfig};
use crate::support::sdk::{self, Sdk};
use crate::support::sender::Sender;
use crate::support::sources::{self, Keys, Source, received, request};
use crate::support::temporal::Temporal;
use crate::support::wait::run;

#[test]
fn the_official_sdks_and_the_forwarder_take_and_refuse_the_same() {
    sdk::prepare();
    run(async {
        let sources: Vec<_> = CASES.iter().map(Case::source).collect();
        let (_folder, file) = sources::write(&sources);
        let config = ForwarderConfig {
            config: Some(file),
            secret: None,
            ..Default::default()
        };
        let forwarder = Forwarder::start(config).await;
        let mut cases = JoinSet::new();
        for (case, source) in CASES.iter().zip(sources) {
            let sender = Sender::new(&forwarder);
            cases.spawn(async move { case.run(&source, &sender).await });
        }
        let failed: Vec<_> = cases.join_all().await.into_iter().flatten().collect();
        assert!(failed.is_empty(), "{}", failed.join("\n"));
    });
}

/// A kind of request, and the SDK that knows it.
struct Case {
    name: &'static str,
    provider: &'static str,
    sdk: Sdk,
    does: Does,
    /// The content type and the body, in which `{id}` stands for another one each time; `None`: the
    /// catalogue's sample.
    body: Option<(&'static str, &'static str)>,
    /// What the signature covers; `None`: any letter of the body.
    covered: Option<&'static str>,
    /// The beginning of header names, and what it becomes when all is signed.
    renamed: Option<(&'static str, &'static str)>,
}

/// How a case is signed at a time.
type Signer = fn(&Case, &Source, &Keys, SystemTime) -> Delivery;

/// What an SDK is able to do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Does {
    Verify,
    SignAndVerify,
    /// It verifies what itself signs; `send` signs in another way.
    SignAlone,
}

const fn case(name: &'static str, provider: &'static str, sdk: Sdk, does: Does) -> Case {
    Case {
        name,
        provider,
        sdk,
        does,
        body: None,
        covered: None,
        renamed: None,
    }
}

impl Case {
    const fn with_body(mut self, content_type: &'static str, body: &'static str) -> Self {
        self.body = Some((content_type, body));
        self
    }

    const fn covering(mut self, part: &'static str) -> Self {
        self.covered = Some(part);
        self
    }

    const fn renaming(mut self, from: &'static str, to: &'static str) -> Self {
        self.renamed = Some((from, to));
        self
    }

    fn source(&self) -> Source {
        let provider = catalogue::find(self.provider);
        let provider = provider.unwrap_or_else(|| panic!("{} is not there", self.provider));
        Source {
            name: format!("sdk/{}", self.name),
            provider,
            keys: Some(Keys::generate(provider, &provider.schemes[0])),
        }
    }

    /// What is not as it should be.
    async fn run(&self, source: &Source, sender: &Sender) -> Vec<String> {
        let keys = source.keys.as_ref().expect("every case has keys");
        let mut failed = Vec::new();
        let signers: &[(_, Signer)] = match self.does {
            Does::Verify => &[("signed by us", Self::signed_by_us)],
            Does::SignAlone => &[("signed by the SDK", Self::signed_by_sdk)],
            Does::SignAndVerify => &[
                ("signed by the SDK", Self::signed_by_sdk),
                ("signed by us", Self::signed_by_us),
            ],
        };
        for (what, sign) in signers {
            let verdict = loop {
                let now = SystemTime::now();
                let verdict = self.verdict(source, keys, &sign(self, source, keys, now));
                if verdict.is_ok() || is_fresh(now) {
                    break verdict;
                }
            };
            if let Err(why) = verdict {
                failed.push(format!("the SDK refuses what is {what}: {why}"));
            }
            let flipped = self.flipped(sign(self, source, keys, SystemTime::now()));
            if self.verdict(source, keys, &flipped).is_ok() {
                failed.push(format!("the SDK takes a flipped bit, {what}"));
            }
        }
        for what in WRONG {
            let Some(delivery) = self.wrong(what, source, keys) else {
                continue;
            };
            let answer = sender.send(&delivery).await;
            if answer.status != 401 {
                failed.push(format!("{what}: {answer:?}"));
                continue;
            }
            let places = &source.provider.id;
            if let Lookup::One(id) = Locator::find_first(places, &received(&delivery)) {
                let id = format!("{}:{id}", source.name);
                Temporal::shared().await.assert_absent(&id).await;
            }
        }
        for (what, sign) in signers {
            let answer = loop {
                let now = SystemTime::now();
                let answer = sender.send(&sign(self, source, keys, now)).await;
                if answer.status != 401 || is_fresh(now) {
                    break answer;
                }
            };
            if answer.status != source.provider.success_status.as_u16() {
                failed.push(format!("{what}: {answer:?}"));
            }
        }
        if failed.is_empty() {
            let begin = format!("{}:", source.name);
            let runs = Temporal::shared().await.runs(&begin, signers.len()).await;
            if runs.len() != signers.len() {
                failed.push(format!("started: {runs:?}"));
            }
        }
        let name = self.name;
        failed
            .iter()
            .map(|what| format!("{name}: {what}"))
            .collect()
    }

    /// A request that may start nothing; `None`: the sender's have no timestamp.
    fn wrong(&self, what: &str, source: &Source, keys: &Keys) -> Option<Delivery> {
        let now = SystemTime::now();
        let signed = |keys: &Keys, at| match self.does {
            Does::Verify => self.signed_by_us(source, keys, at),
            Does::SignAndVerify | Does::SignAlone => self.signed_by_sdk(source, keys, at),
        };
        let delivery = signed(keys, now);
        let (scheme, place) = scheme_of(source, &delivery);
        let timestamp = scheme.timestamp.as_ref();
        let apart = timestamp.map(|timestamp| timestamp.tolerance + Duration::from_secs(60));
        match what {
            "one flipped bit" => Some(self.flipped(delivery)),
            "another key" => {
                let another = Keys::generate(source.provider, &source.provider.schemes[0]);
                Some(signed(&another, now))
            }
            "no signature" => Some(without(delivery, &place)),
            "the signature twice" => Some(twice(delivery, &place)),
            "an old timestamp" => Some(signed(keys, now - apart?)),
            "a timestamp of the future" => Some(signed(keys, now + apart?)),
            _ => unreachable!("{what} is none of them"),
        }
    }

    fn signed_by_sdk(&self, source: &Source, keys: &Keys, at: SystemTime) -> Delivery {
        let id = Uuid::new_v4().to_string();
        let url = source.public_url();
        let options = self.options(&id, at, &url, &[]);
        let delivery = self.finished(source, Signed::unsigned(source.provider, &options));
        let since = at.duration_since(SystemTime::UNIX_EPOCH);
        let signed = self.sdk.ask(
            "sign",
            json!({
                "secret": keys.signs,
                "body": text(&delivery.body),
                "timestamp": since.expect("after 1970").as_secs(),
                "url": url,
                "id": id,
            }),
        );
        let mut delivery = delivery;
        let headers = signed["headers"].as_object().expect("the SDK signs");
        for (name, value) in headers {
            delivery = delivery.with(name, value.as_str().expect("a header"));
        }
        if let Some(query) = signed["query"].as_str() {
            delivery.path = format!("{}?{query}", delivery.path);
        }
        delivery
    }

    /// As `send` does.
    fn signed_by_us(&self, source: &Source, keys: &Keys, at: SystemTime) -> Delivery {
        let id = Uuid::new_v4().to_string();
        let url = source.public_url();
        let params = source.params();
        let options = self.options(&id, at, &url, &params);
        let secret = Secret::new(keys.signs.clone().into_bytes()).expect("it is not empty");
        let sign = |scheme: &Scheme, signed: &[u8]| sign::sign(scheme, &secret, signed);
        let signed = Signed::signed(source.provider, &options, &sign);
        self.finished(source, signed.expect("the keys are the provider's"))
    }

    fn options<'a>(
        &self,
        id: &'a str,
        now: SystemTime,
        url: &'a str,
        params: &'a [(String, String)],
    ) -> DeliveryOptions<'a> {
        DeliveryOptions {
            id,
            topic: None,
            tenant: None,
            body: self
                .body
                .map(|(_, body)| body.replace("{id}", id).into_bytes()),
            now,
            url,
            params,
        }
    }

    fn finished(&self, source: &Source, signed: Signed) -> Delivery {
        let mut delivery = request(&format!("/{}", source.name), signed);
        if let Some((content_type, _)) = self.body {
            delivery = delivery
                .without("content-type")
                .with("content-type", content_type);
        }
        if let Some((from, to)) = self.renamed {
            for (name, _) in &mut delivery.headers {
                if let Some(rest) = name.strip_prefix(from) {
                    *name = format!("{to}{rest}");
                }
            }
        }
        delivery
    }

    /// What the SDK thinks of the very same request.
    fn verdict(&self, source: &Source, keys: &Keys, delivery: &Delivery) -> Result<(), String> {
        let headers = delivery.headers.iter();
        let headers: serde_json::Map<_, _> = headers
            .map(|(name, value)| (name.to_ascii_lowercase(), json!(text(value))))
            .collect();
        let query = delivery.path.split_once('?').map(|(_, query)| query);
        let url = source.public_url();
        let url = query.map_or_else(|| url.clone(), |query| format!("{url}?{query}"));
        let verdict = self.sdk.ask(
            "verify",
            json!({
                "secret": keys.verifies,
                "body": text(&delivery.body),
                "url": url,
                "headers": headers,
            }),
        );
        match verdict["valid"] {
            Value::Bool(true) => Ok(()),
            _ => Err(verdict.to_string()),
        }
    }

    /// One bit of what is signed; letters and digits stay what they are, so that JSON stays JSON.
    fn flipped(&self, mut delivery: Delivery) -> Delivery {
        let body = text(&delivery.body);
        let at = match self.covered {
            Some(part) => body.find(part),
            None => body.rfind(|c: char| c.is_ascii_alphanumeric()),
        };
        delivery.body[at.expect("it is there")] ^= 1;
        delivery
    }
}

/// Whether what was signed then is good everywhere: Paddle's is for five seconds, and a busy machine
/// takes longer. What is older is signed again.
fn is_fresh(signed: SystemTime) -> bool {
    signed
        .elapsed()
        .is_ok_and(|age| age < Duration::from_secs(3))
}

/// The scheme whose signature the request carries, and where.
fn scheme_of<'a>(source: &'a Source, delivery: &Delivery) -> (&'a Scheme, Locator) {
    let received = received(delivery);
    let there = |place: &&Locator| place.find(&received) != Lookup::Missing;
    let mut schemes = source.provider.schemes.iter();
    schemes
        .find_map(|scheme| Some((scheme, scheme.locations.iter().find(there)?.clone())))
        .expect("it is signed")
}

fn without(mut delivery: Delivery, place: &Locator) -> Delivery {
    match place {
        Locator::Header(name) => delivery.without(name.as_str()),
        _ => {
            let (member, key) = member(&delivery, place);
            let other = member.replacen(&key, "other", 1);
            delivery.body = text(&delivery.body).replace(&member, &other).into_bytes();
            delivery
        }
    }
}

fn twice(mut delivery: Delivery, place: &Locator) -> Delivery {
    match place {
        Locator::Header(name) => {
            let name = name.as_str().to_owned();
            let value = delivery.header(&name).into_bytes();
            delivery.headers.push((name, value));
        }
        _ => {
            let (member, _) = member(&delivery, place);
            let both = format!("{member},{member}");
            delivery.body = text(&delivery.body).replace(&member, &both).into_bytes();
        }
    }
    delivery
}

/// `"key":"value"` of the signature in a JSON body, and the key.
fn member(delivery: &Delivery, place: &Locator) -> (String, String) {
    let Locator::Json(path) = place else {
        panic!("no test knows how to change {place}");
    };
    let key = path.last().expect("a path has a key").clone();
    let value = place.find(&received(delivery)).one().expect("it is there");
    (format!("\"{key}\":\"{value}\""), key)
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

/// What may be wrong with a request.
const WRONG: [&str; 6] = [
    "one flipped bit",
    "another key",
    "no signature",
    "the signature twice",
    "an old timestamp",
    "a timestamp of the future",
];
