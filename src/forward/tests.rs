//! The story of a webhook on paused time, from its first byte to its answer, with a Temporal that does what it
//! is told and limits that are small.

mod calls;
mod costs;
mod deadlines;
mod journal;
mod memory;
mod outcomes;
mod steps;

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{Method, Request};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use serde_json::Value;
use tokio::task::{JoinHandle, yield_now};
use tokio::time::{Instant, sleep_until};

use super::context::Arrival;
use super::intake::RawBody;
use super::limits::Sizes;
use super::limits::steps::Effort;
use super::{Forwarder, Settings};
use crate::cli::ServeArgs;
use crate::config::file::{File, Metrics};
use crate::config::{Config, Environment, Identity};
use crate::storage::Store;
use crate::temporal::fake::Fake;

/// A forwarder before a Temporal that is told what to do.
struct Bench {
    forwarder: Arc<Forwarder<Fake>>,
    temporal: Arc<Fake>,
}

/// What a sender hears, and when.
#[derive(Debug, Clone, PartialEq)]
struct Heard {
    status: u16,
    /// The label of an outcome, or a refusal's title.
    says: String,
    after: Duration,
    closes: bool,
}

impl Heard {
    fn is(&self, status: u16, says: &str) -> &Self {
        assert_eq!((self.status, self.says.as_str()), (status, says));
        self
    }

    fn after(&self, milliseconds: u64) -> &Self {
        // Timers count whole milliseconds.
        let after = self.after.as_millis();
        assert_eq!(after, u128::from(milliseconds), "{self:?}");
        self
    }
}

impl Bench {
    fn new(sizes: &Sizes) -> Self {
        Self::with(SOURCES, sizes)
    }

    fn with(text: &str, sizes: &Sizes) -> Self {
        let temporal = Arc::new(Fake::default());
        let forwarder = Forwarder::new(settings(text), Arc::clone(&temporal), sizes);
        Self {
            forwarder: Arc::new(forwarder),
            temporal,
        }
    }

    /// An event of this id.
    async fn post(&self, path: &str, id: &str, body: impl Into<Bytes>) -> Heard {
        self.sending(path, id, Full::new(body.into()))
            .await
            .expect("no panic")
    }

    /// The same, while the test goes on.
    fn posting(&self, path: &str, id: &str, body: impl Into<Bytes>) -> JoinHandle<Heard> {
        self.sending(path, id, Full::new(body.into()))
    }

    fn sending<B>(&self, path: &str, id: &str, body: B) -> JoinHandle<Heard>
    where
        B: RawBody + 'static,
    {
        let request = Request::builder().method(Method::POST).uri(path);
        let request = request.header("host", "hooks").header("webhook-id", id);
        let request = request.body(body).expect("a request");
        self.asking(request, PEER, Instant::now())
    }

    fn asking<B>(&self, request: Request<B>, peer: IpAddr, begun: Instant) -> JoinHandle<Heard>
    where
        B: RawBody + 'static,
    {
        let forwarder = Arc::clone(&self.forwarder);
        let arrival = Arrival {
            peer: (peer, 0).into(),
            first_byte: begun,
            certificate: None,
        };
        tokio::spawn(async move {
            let answer = forwarder.answer(request, "test", arrival).await;
            let (status, after) = (answer.status().as_u16(), begun.elapsed());
            let closes = answer.headers().contains_key("connection");
            let body = answer
                .into_body()
                .collect()
                .await
                .expect("whole")
                .to_bytes();
            let body: Value = serde_json::from_slice(&body).unwrap_or_default();
            let says = body["status"].as_str().or_else(|| body["title"].as_str());
            Heard {
                status,
                says: says.unwrap_or_default().to_owned(),
                after,
                closes,
            }
        })
    }

    fn count_calls(&self) -> usize {
        self.temporal.calls().len()
    }

    /// Takes all places for long bodies until it is dropped.
    fn block_steps(&self) -> Blocker {
        let (release, released) = mpsc::channel::<()>();
        let forwarder = Arc::clone(&self.forwarder);
        let far = Instant::now() + Duration::from_secs(3600);
        let work = move || wait_for(&released);
        let held = tokio::spawn(async move {
            let all = Effort::of(usize::MAX);
            let _ = forwarder.limits.steps.apart(all, far, work).await;
        });
        Blocker { release, held }
    }
}

/// On a thread of its own; in the end a test that has failed goes on, too.
fn wait_for(released: &mpsc::Receiver<()>) {
    let _ = released.recv_timeout(Duration::from_secs(20));
}

struct Blocker {
    release: mpsc::Sender<()>,
    held: JoinHandle<()>,
}

impl Blocker {
    async fn release(self) {
        drop(self.release);
        self.held.await.expect("no panic");
    }
}

/// Lets everybody go on who can, and no time pass.
async fn settle() {
    for _ in 0..100 {
        yield_now().await;
    }
}

/// A body that comes in parts, each so many milliseconds from now.
fn slowly(parts: Vec<(u64, io::Result<&'static str>)>) -> impl RawBody + 'static {
    let now = Instant::now();
    let parts = stream::unfold(parts.into_iter(), move |mut parts| async move {
        let (after, part) = parts.next()?;
        sleep_until(now + Duration::from_millis(after)).await;
        let frame = part.map(|part| Frame::data(Bytes::from_static(part.as_bytes())));
        Some((frame, parts))
    });
    StreamBody::new(Box::pin(parts.fuse()))
}

/// JSON of so many bytes.
fn json(bytes: usize) -> String {
    format!("{{\"text\":\"{}\"}}", "x".repeat(bytes - 11))
}

fn sizes() -> Sizes {
    Sizes::default()
}

fn settings(text: &str) -> Settings {
    let (file, mistakes) = File::read("test.toml", text);
    assert!(mistakes.is_empty(), "{mistakes:?}");
    let args = ServeArgs {
        no_tls: true,
        ..ServeArgs::default()
    };
    let config = Config::new(&args, &file, &Nothing);
    let config = config.map_err(|mistakes| format!("{mistakes:?}"));
    let config = config.expect("no mistake");
    let store = config
        .large
        .as_ref()
        .map(|large| Store::new(large).expect("fine"));
    Settings::new(config.sources, config.codec, store, &Metrics::default())
}

/// No files, and of variables those of S3.
struct Nothing;

impl Environment for Nothing {
    fn var(&self, name: &str) -> Option<Vec<u8>> {
        name.starts_with("AWS_").then(|| b"none".to_vec())
    }

    fn read(&self, _: &Path) -> Result<Vec<u8>, String> {
        Err("no such file".to_owned())
    }

    fn check_identity(&self, _: &Identity) -> Result<(), String> {
        Ok(())
    }
}

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// A source's deadline less what is left for writing the answer.
const DEADLINE: u64 = 4000 - 150;
/// And less what a call gets at least.
const LAST_CALL: u64 = DEADLINE - 300;
const LONG: usize = 200_000;

const SOURCES: &str = r#"
[[source]]
path = "/a"
provider = "generic"
danger_accept_unverified = true

[[source]]
path = "/b"
provider = "generic"
danger_accept_unverified = true

[[source]]
path = "/signed"
provider = "shopify"
secrets = ["hush-hush-hush-hush"]

[[source]]
path = "/update"
provider = "generic"
danger_accept_unverified = true
action = "update-with-start"
update = "webhook"
workflow_id = "update:{event_id}"

[[source]]
path = "/signal"
provider = "generic"
danger_accept_unverified = true
action = "signal"
signal = "webhook"
workflow_id = "signal:{event_id}"

[[source]]
path = "/letters"
provider = "generic"
danger_accept_unverified = true
dead_letter = "letters"

[[source]]
path = "/greets"
provider = "generic"
verify = "address-handshake"
verify_token = "token-token-token"

[[source]]
path = "/costly"
provider = "generic"
danger_accept_unverified = true
dead_letter = "letters"
search_attributes = { Sum = "{body.items.map(a, body.items.filter(b, b == a).size()).size()}" }
[[source.route]]
when = "body.items.all(a, body.items.exists(b, b == a))"
task_queue = "all"
"#;
