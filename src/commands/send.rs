//! `send`: signs a sample as a provider would and posts it.

mod repeat;
pub(super) mod target;

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use anyhow::anyhow;
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::{Client, Method, RequestBuilder, Response};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use uuid::Uuid;
use webhook_core::delivery::{Delivery, DeliveryOptions};
use webhook_core::provider::scheme::Scheme;

use self::repeat::send_with_retries;
use self::target::Target;
use super::{Failure, block_on, say, sign};
use crate::cli::send::{PrintForm, SendArgs};
use crate::load::read;

/// Sends, or prints what it would send.
///
/// # Errors
/// An unknown provider, no secret, an answer that is not 2xx.
pub fn run(args: &SendArgs) -> Result<(), Failure> {
    let deliveries = Deliveries {
        target: Target::new(args)?,
        body: body(args)?,
        args: args.clone(),
    };
    deliveries.check_labels()?;
    let url = reqwest::Url::parse(&deliveries.target.url).ok();
    if !url.is_some_and(|url| ["http", "https"].contains(&url.scheme())) {
        let url = &deliveries.target.url;
        let problem = format!("--url {url:?}: expected a URL such as https://HOST:PORT/PATH");
        return Err(Failure::Usage(problem));
    }
    if args.print == Some(PrintForm::Http) {
        let request = http_request(&deliveries.target.url, &deliveries.next(&deliveries.id())?);
        return match std::io::stdout().write_all(&request) {
            // Whoever reads it has had enough.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            result => Ok(result?),
        };
    }
    if args.print == Some(PrintForm::Curl) {
        let delivery = deliveries.next(&deliveries.id())?;
        let text = str::from_utf8(&delivery.body).is_ok_and(|text| !text.contains('\0'));
        if !text {
            let why = "--print curl: a command line cannot hold this body, send it without";
            return Err(Failure::Usage(why.to_owned()));
        }
        return Ok(say(curl_command(
            &deliveries.target.url,
            args.insecure,
            &delivery,
        ))?);
    }
    block_on(async {
        let client = client(args.insecure)?;
        if args.count == 1 {
            send_one(&client, &deliveries).await
        } else {
            send_many(client, deliveries).await
        }
    })
}

/// The command line with which curl sends this delivery.
pub fn curl_command(url: &str, insecure: bool, delivery: &Delivery) -> String {
    let mut line = format!(
        "curl -sS {}{}",
        if insecure { "-k " } else { "" },
        quote(&full_url(url, delivery))
    );
    for (name, value) in &delivery.headers {
        line.push_str(&format!(" \\\n  -H {}", quote(&format!("{name}: {value}"))));
    }
    // With a body curl posts.
    if !delivery.body.is_empty() {
        let body = String::from_utf8_lossy(&delivery.body);
        line.push_str(&format!(" \\\n  --data-raw {}", quote(&body)));
    }
    if ![Method::GET, Method::POST].contains(&delivery.method) {
        line.push_str(&format!(" -X {}", delivery.method));
    }
    line
}

/// The request as HTTP/1.1 writes it.
fn http_request(url: &str, delivery: &Delivery) -> Vec<u8> {
    let url = full_url(url, delivery);
    let after_scheme = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
    let (host, path) = after_scheme.split_once('/').unwrap_or((after_scheme, ""));
    let mut request = format!("{} /{path} HTTP/1.1\r\nhost: {host}\r\n", delivery.method);
    for (name, value) in &delivery.headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str(&format!("content-length: {}\r\n\r\n", delivery.body.len()));
    [request.as_bytes(), &delivery.body].concat()
}

struct Deliveries {
    target: Target,
    body: Option<Vec<u8>>,
    args: SendArgs,
}

impl Deliveries {
    /// What the sender has no place for would be left out without a word.
    fn check_labels(&self) -> Result<(), Failure> {
        let (args, provider) = (&self.args, &self.target.provider);
        for (flag, label, places) in [
            ("--topic", &args.topic, &provider.topic),
            ("--tenant", &args.tenant, &provider.tenant),
        ] {
            if label.is_some() && places.is_empty() {
                let problem = format!(
                    "{flag}: events of {} have none, leave it out",
                    provider.title
                );
                return Err(Failure::Usage(problem));
            }
        }
        Ok(())
    }

    /// The event's: the same each time if it was given, else another one.
    fn id(&self) -> String {
        let id = self.args.id.clone();
        id.unwrap_or_else(|| Uuid::new_v4().to_string())
    }

    /// The event of this id, signed now.
    fn next(&self, id: &str) -> Result<Delivery, Failure> {
        let Target {
            provider,
            secret,
            tenant,
            url,
            public_url,
            params,
        } = &self.target;
        let options = DeliveryOptions {
            id,
            topic: self.args.topic.as_deref(),
            tenant: tenant.as_deref(),
            body: self.body.clone(),
            now: SystemTime::now(),
            url: public_url.as_deref().unwrap_or(url),
            params,
        };
        let mut delivery = match secret {
            None => Delivery::unsigned(provider, &options),
            Some(secret) => {
                let sign = |scheme: &Scheme, signed: &[u8]| sign::sign(scheme, secret, signed);
                Delivery::signed(provider, &options, &sign)
                    .map_err(|problem| anyhow!("--secret: {problem}"))?
            }
        };
        for (name, value) in &self.args.headers {
            delivery.headers.retain(|(existing, _)| existing != name);
            delivery.headers.push((name.clone(), value.clone()));
        }
        Ok(delivery)
    }

    /// The answer to the event of this id.
    async fn send(
        &self,
        client: &Client,
        id: &str,
        bar: &ProgressBar,
    ) -> Result<Response, anyhow::Error> {
        let next = || self.next(id);
        send_with_retries(client, &self.target.url, next, self.args.repeat, bar).await
    }
}

async fn send_one(client: &Client, deliveries: &Deliveries) -> Result<(), Failure> {
    let id = deliveries.id();
    // A secret that cannot sign is said before anything is waited for.
    deliveries.next(&id)?;
    let bar = ProgressBar::new_spinner();
    let answer = deliveries.send(client, &id, &bar).await;
    bar.finish_and_clear();
    let response = answer?;
    let status = response.status();
    say(format_args!("{:?} {status}", response.version()))?;
    say(response.text().await?)?;
    if status.is_success() {
        Ok(())
    } else {
        Err(Failure::Reported(1))
    }
}

async fn send_many(client: Client, deliveries: Deliveries) -> Result<(), Failure> {
    let count = deliveries.args.count;
    // Draws on a terminal only.
    let bar = ProgressBar::new(count.into());
    bar.set_style(ProgressStyle::with_template(
        "{bar:30} {pos}/{len}  {per_sec}  {eta} left  {msg}",
    )?);
    let places = Arc::new(Semaphore::new(deliveries.args.concurrency as usize));
    let deliveries = Arc::new(deliveries);
    deliveries.next(&deliveries.id())?;
    let mut tasks = JoinSet::new();
    let begun = Instant::now();
    for _ in 0..count {
        let place = Arc::clone(&places).acquire_owned().await?;
        let (client, bar) = (client.clone(), bar.clone());
        let deliveries = Arc::clone(&deliveries);
        tasks.spawn(async move {
            let begun = Instant::now();
            let answered = deliveries.send(&client, &deliveries.id(), &bar).await;
            let outcome = match answered {
                Ok(response) => outcome(response).await,
                Err(error) => format!("failed: {error:#}"),
            };
            bar.inc(1);
            drop(place);
            (outcome, begun.elapsed())
        });
    }
    let answers = tasks.join_all().await;
    bar.finish_and_clear();
    summary(answers, begun.elapsed())
}

/// The status of the answer, and what our own answers say in it.
pub(super) async fn outcome(response: Response) -> String {
    let status = response.status().as_u16();
    let body = response.bytes().await.unwrap_or_default();
    let answer: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    let word = answer["status"]
        .as_str()
        .or_else(|| answer["title"].as_str());
    format!("{status} {}", word.unwrap_or_default())
}

fn summary(answers: Vec<(String, Duration)>, took: Duration) -> Result<(), Failure> {
    let mut counts = BTreeMap::<_, usize>::new();
    let mut times: Vec<_> = answers.iter().map(|(_, time)| *time).collect();
    times.sort();
    for (outcome, _) in &answers {
        *counts.entry(outcome.as_str()).or_default() += 1;
    }
    for (outcome, count) in &counts {
        say(format_args!("{count:>8}  {outcome}"))?;
    }
    let per_second = answers.len() as f64 / took.as_secs_f64();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    say(format_args!(
        "{} requests in {took:.1?}, {per_second:.0} a second; half within {:.1?}, 99 % within {:.1?}",
        answers.len(),
        at(0.5),
        at(0.99)
    ))?;
    if counts.keys().all(|outcome| outcome.starts_with('2')) {
        Ok(())
    } else {
        Err(Failure::Reported(1))
    }
}

async fn post(client: &Client, url: &str, delivery: Delivery) -> Result<Response, anyhow::Error> {
    let Delivery { method, .. } = &delivery;
    let mut request = client.request(method.clone(), full_url(url, &delivery));
    request = request.body(delivery.body);
    for (name, value) in delivery.headers {
        request = request.header(name, value);
    }
    answer(request).await
}

/// Sends a request.
pub(super) async fn answer(request: RequestBuilder) -> Result<Response, anyhow::Error> {
    request.send().await.map_err(explain_error)
}

/// What may be wrong, and what to do.
fn explain_error(error: reqwest::Error) -> anyhow::Error {
    let url = error.url().cloned();
    let (is_tls, unreachable) = (
        url.as_ref().is_some_and(|url| url.scheme() == "https"),
        error.is_connect(),
    );
    let error = anyhow::Error::from(error);
    let has_cause = |words: &[&str]| {
        let mut causes = error.chain().map(ToString::to_string);
        causes.any(|cause| words.iter().any(|word| cause.contains(word)))
    };
    match url {
        Some(mut url) if is_tls && has_cause(&NO_TLS) => {
            // A URL of one of the two can always be one of the other.
            let _ = url.set_scheme("http");
            anyhow!("plain HTTP answers there, no TLS: use {url}")
        }
        Some(mut url) if !is_tls && has_cause(&NO_HTTP) => {
            let _ = url.set_scheme("https");
            error.context(format!("no HTTP answers there; if it is TLS: use {url}"))
        }
        _ if unreachable => {
            error.context("is the forwarder running? a self-signed certificate needs --insecure")
        }
        _ => error,
    }
}

fn full_url(url: &str, delivery: &Delivery) -> String {
    delivery
        .query
        .as_ref()
        .map_or_else(|| url.to_owned(), |query| format!("{url}?{query}"))
}

pub(super) fn client(insecure: bool) -> Result<Client, anyhow::Error> {
    Ok(Client::builder()
        .tls_danger_accept_invalid_certs(insecure)
        .redirect(reqwest::redirect::Policy::none())
        .timeout(TIMEOUT)
        .build()?)
}

fn body(args: &SendArgs) -> Result<Option<Vec<u8>>, Failure> {
    let Some(path) = &args.data else {
        return Ok(None);
    };
    if path.as_os_str() == "-" {
        let mut body = Vec::new();
        std::io::stdin().read_to_end(&mut body)?;
        return Ok(Some(body));
    }
    Ok(Some(read(path).map_err(|error| {
        anyhow!("--data {}: {error}", path.display())
    })?))
}

/// A word for a POSIX shell.
pub fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// What rustls says when HTTP answers its greeting.
const NO_TLS: [&str; 1] = ["InvalidContentType"];
/// What hyper says when TLS answers its request, or closes.
const NO_HTTP: [&str; 3] = [
    "invalid HTTP version",
    "connection closed before message completed",
    "reset by peer",
];
/// Longer than any sender waits.
const TIMEOUT: Duration = Duration::from_secs(15);
