//! A recorded delivery: a file, and what becomes of it at a source of its provider's.

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde::Deserialize;
use temporal_webhook_forwarder::cli::ServeArgs;
use temporal_webhook_forwarder::config::file::File;
use temporal_webhook_forwarder::config::{Config, Environment, Identity};
use temporal_webhook_forwarder::forward::admit::{Admitted, Authorised, admit, check_tenant};
use temporal_webhook_forwarder::forward::metrics::{Labels, SourceMetrics};
use webhook_core::event::Event;
use webhook_core::handshake::Reply;
use webhook_core::outcome::Reject;
use webhook_core::provider::scheme::Scheme;
use webhook_core::request::Received;
use webhook_core::source::{Source, Verification};
use webhook_core::verified::Verified;
use webhook_core::verify::verify;

/// The file, as it is written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Recorded {
    #[serde(skip)]
    pub(super) provider: String,
    #[serde(skip)]
    pub(super) file: PathBuf,
    /// As the operator would give it.
    pub(super) secret: String,
    /// Our clock.
    now: String,
    #[serde(default = "post")]
    pub(super) method: String,
    #[serde(default)]
    pub(super) query: String,
    public_url: Option<String>,
    #[serde(default)]
    params: BTreeMap<String, String>,
    verify_token: Option<String>,
    pub(super) expect: Expect,
    reply_status: Option<u16>,
    reply_body: Option<String>,
    id: Option<String>,
    topic: Option<String>,
    tenant: Option<String>,
    body: Option<String>,
    body_base64: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, Values>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Expect {
    Verified,
    InvalidSignature,
    Handshake,
    Refused,
}

/// One value, or the header several times.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Values {
    One(String),
    Several(Vec<String>),
}

/// A request that can be changed before it is sent.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) query: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    pub(super) now: SystemTime,
}

/// What became of a request.
#[derive(Debug)]
pub(super) enum Became {
    Event(Box<Event>),
    Handshake(Reply),
    Rejected(Reject),
}

impl Recorded {
    /// All of them, in the order of their names.
    pub(super) fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for folder in listed(Path::new(FOLDER)) {
            assert!(folder.is_dir(), "{}: not a folder", folder.display());
            for file in listed(&folder) {
                all.push(Self::read(&folder, file));
            }
        }
        all
    }

    fn read(folder: &Path, file: PathBuf) -> Self {
        let text = fs::read_to_string(&file).expect("a text file");
        let recorded = toml::from_str(&text);
        let mut recorded: Self = recorded.unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        recorded.provider = name(folder);
        recorded.file = file;
        recorded
    }

    pub(super) fn request(&self) -> Request {
        let mut headers = HeaderMap::new();
        for (name, values) in &self.headers {
            let name: HeaderName = name.parse().expect("a header's name");
            let values = match values {
                Values::One(value) => std::slice::from_ref(value),
                Values::Several(values) => values,
            };
            for value in values {
                let value = HeaderValue::from_bytes(value.as_bytes()).expect("a header's value");
                headers.append(&name, value);
            }
        }
        let body = match (&self.body, &self.body_base64) {
            (Some(text), None) => text.clone().into_bytes(),
            (None, Some(base64)) => STANDARD.decode(base64).expect("base64"),
            (None, None) => Vec::new(),
            (Some(_), Some(_)) => panic!("{self}: two bodies"),
        };
        Request {
            method: self.method.parse().expect("a method"),
            query: self.query.clone(),
            headers,
            body,
            now: humantime::parse_rfc3339(&self.now).expect("a time"),
        }
    }

    /// The source that an operator would configure for it, with this secret.
    pub(super) fn source(&self, secret: &str) -> Source {
        self.source_that_says("", secret)
    }

    /// The same with more keys.
    pub(super) fn source_that_says(&self, keys: &str, secret: &str) -> Source {
        let mut text = format!(
            "[[source]]\npath = \"/temporal/{0}\"\nprovider = \"{0}\"\nsecrets = [\"env:SECRET\"]\n",
            self.provider
        );
        text.push_str(keys);
        if let Some(url) = &self.public_url {
            text.push_str(&format!("public_url = '{url}'\n"));
        }
        if let Some(token) = &self.verify_token {
            text.push_str(&format!("verify_token = '{token}'\n"));
        }
        let params = self.params.iter().map(|(k, v)| format!("{k} = '{v}'"));
        let params = params.collect::<Vec<_>>().join(", ");
        text.push_str(&format!("params = {{ {params} }}\n"));
        let (file, mistakes) = File::read("recorded", &text);
        assert_eq!(mistakes, [], "{self}");
        let args = ServeArgs {
            no_tls: true,
            ..ServeArgs::default()
        };
        let config = Config::new(&args, &file, &Secrets(secret));
        let mut config = config.unwrap_or_else(|mistakes| panic!("{self}: {mistakes:?}"));
        config.sources.remove(0)
    }

    /// The schemes under which it verifies.
    pub(super) fn schemes(&self) -> Vec<Scheme> {
        let source = self.source(&self.secret);
        let Verification::Signature { verifiers, .. } = &source.verification else {
            panic!("{self}: the source has no verifier");
        };
        let holds = |scheme: &&_| {
            let alone = std::slice::from_ref(*scheme);
            let received = self.request().received();
            let now = received.at;
            verify(alone, &source.verify_context, |_| true, &[], received, now).is_ok()
        };
        let matching = verifiers.iter().filter(holds);
        matching.map(|verifier| verifier.scheme.clone()).collect()
    }

    /// The labels that it expects.
    pub(super) fn labels(&self) -> [Option<&str>; 3] {
        [&self.id, &self.topic, &self.tenant].map(Option::as_deref)
    }

    /// The answer that it expects.
    pub(super) fn reply(&self) -> (Option<u16>, Option<&str>) {
        (self.reply_status, self.reply_body.as_deref())
    }
}

impl Request {
    pub(super) fn received(self) -> Received {
        Received {
            path: String::new(),
            method: self.method,
            query: Some(self.query).filter(|query| !query.is_empty()),
            headers: self.headers,
            body: Bytes::from(self.body),
            at: self.now,
        }
    }

    /// As the server would handle it, up to the event.
    pub(super) fn at(self, source: &Source) -> Became {
        let received = self.received();
        if !source.takes(&received.method, received.query.as_deref()) {
            return Became::Rejected(Reject::MethodNotAllowed(String::new(), ""));
        }
        let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let event = |verified: Verified| {
            let proof = source.verified_by(verified.proof());
            let event = Event::new(&verified, &source.provider, &source.path, proof)?;
            check_tenant(source, verified.proof(), event.tenant.as_deref())?;
            Ok(Box::new(event))
        };
        match admit(
            source,
            &SourceMetrics::new(source, &Labels::default()),
            received,
            peer,
            None,
            &Authorised::default(),
            &[],
        ) {
            Ok(Admitted::Handshake(reply)) => Became::Handshake(reply),
            Ok(Admitted::Webhook(verified)) => {
                event(*verified).map_or_else(Became::Rejected, Became::Event)
            }
            Err(reject) => Became::Rejected(reject),
        }
    }

    /// The same, our clock this much later (or earlier).
    pub(super) fn later(mut self, seconds: i64) -> Self {
        let by = Duration::from_secs(seconds.unsigned_abs());
        self.now = if seconds < 0 {
            self.now - by
        } else {
            self.now + by
        };
        self
    }
}

impl Became {
    pub(super) const fn is_invalid_signature(&self) -> bool {
        matches!(self, Self::Rejected(Reject::InvalidSignature(_)))
    }
}

impl std::fmt::Display for Recorded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.file.display())
    }
}

/// A world of one secret.
struct Secrets<'a>(&'a str);

impl Environment for Secrets<'_> {
    fn var(&self, name: &str) -> Option<Vec<u8>> {
        (name == "SECRET").then(|| self.0.into())
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        panic!("reads {}", path.display())
    }

    fn check_identity(&self, _: &Identity) -> Result<(), String> {
        Ok(())
    }
}

fn listed(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut paths: Vec<_> = entries.map(|e| e.expect("an entry").path()).collect();
    assert!(!paths.is_empty(), "{}: empty", folder.display());
    paths.sort();
    paths
}

fn name(folder: &Path) -> String {
    let name = folder.file_name().and_then(|name| name.to_str());
    name.expect("a name").to_owned()
}

fn post() -> String {
    "POST".to_owned()
}

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/deliveries");
