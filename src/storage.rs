//! Stores large payloads in S3 before their workflow is started, under the request's deadline.

use std::error::Error as _;
use std::future::Future;
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::path::Path;
use object_store::{ClientOptions, Error, ObjectStoreExt, PutPayload, RetryConfig};
use prost::Message;
use tokio::time::{Instant, sleep_until, timeout_at};
use webhook_core::large::{Claim, Object, Owner};
use webhook_core::outcome::{Execution, Reject};
use webhook_core::proto::Payload;
use webhook_core::route::Verb;

use crate::config::Mistake;
use crate::config::large::Large;
use crate::config::large::credentials::Credentials;
use crate::telemetry::LARGE_DURATION;
use crate::temporal::{Call, Temporal};

/// The bucket, and what goes there.
pub struct Store {
    s3: AmazonS3,
    bucket: String,
    driver_name: String,
    threshold: usize,
}

/// A call whose payload need not, or need no longer, be stored.
pub enum Stored {
    /// Its payload is small, or is a reference to the stored one.
    Call(Box<Call>),
    /// An earlier delivery of the event started the workflow: nothing was stored.
    Duplicate(Execution),
}

impl Store {
    /// Asks nobody yet.
    ///
    /// # Errors
    /// What the client does not take.
    pub fn new(large: &Large) -> Result<Self, Mistake> {
        let s3 = client(large).map_err(|error| {
            let problem = anyhow::Error::from(error).root_cause().to_string();
            Mistake::new("[large_payloads]", problem)
        })?;
        Ok(Self {
            s3,
            bucket: large.bucket.clone(),
            driver_name: large.driver_name.clone(),
            threshold: large.threshold,
        })
    }

    /// Stores the call's argument if it is large. A redelivery of what starts a workflow is found
    /// out before: encrypted anew, it would be stored once more under another name.
    ///
    /// # Errors
    /// As [`Store::put`] and [`Temporal::started`].
    pub async fn prepare(
        &self,
        mut call: Box<Call>,
        temporal: &impl Temporal,
        deadline: Instant,
    ) -> Result<Stored, Reject> {
        if !self.takes(&call) {
            return Ok(Stored::Call(call));
        }
        if call.verb == Verb::Start
            && call.options.starts_once()
            && let Some(execution) = temporal.started(&call.workflow_id, deadline).await?
        {
            return Ok(Stored::Duplicate(execution));
        }
        let owner = Owner {
            namespace: temporal.namespace(),
            workflow_type: match call.verb {
                Verb::Start | Verb::SignalWithStart { .. } => &call.workflow_type,
                // As the SDK does it: the workflow may be of any type.
                Verb::Signal { .. } | Verb::UpdateWithStart { .. } => "",
            },
            workflow_id: &call.workflow_id,
        };
        let input = std::mem::take(&mut call.input);
        call.input = self.put(input, &owner, deadline).await?;
        Ok(Stored::Call(call))
    }

    /// What the workflow gets: the payload itself, or a reference to where it now is.
    ///
    /// # Errors
    /// [`Reject::Unavailable`] if it cannot be stored by `deadline`, [`Reject::Refused`] if it may
    /// not be.
    pub async fn put(
        &self,
        payload: Payload,
        owner: &Owner<'_>,
        deadline: Instant,
    ) -> Result<Payload, Reject> {
        if !self.is_large(&payload) {
            return Ok(payload);
        }
        let object = Object::new(payload, owner);
        let path = Path::parse(&object.key).map_err(|_| Reject::Internal("an object's key"))?;
        match insist("HeadObject", deadline, || self.s3.head(&path)).await {
            Ok(_) => return Ok(object.reference(&self.driver_name, &self.bucket)),
            Err(Failure::Unavailable(reason)) => return Err(self.unavailable(&reason)),
            // Not there; or we may write and not read, which will do.
            Err(Failure::NotFound(_) | Failure::Refused(_)) => {}
        }
        let content: PutPayload = object.content.iter().cloned().collect();
        let put = || self.s3.put(&path, content.clone());
        match insist("PutObject", deadline, put).await {
            Ok(_) => Ok(object.reference(&self.driver_name, &self.bucket)),
            Err(Failure::Unavailable(reason)) => Err(self.unavailable(&reason)),
            Err(Failure::NotFound(reason) | Failure::Refused(reason)) => {
                let bucket = &self.bucket;
                Err(Reject::Refused(format!("S3 bucket {bucket}: {reason}")))
            }
        }
    }

    /// The stored payload that a reference stands for.
    ///
    /// # Errors
    /// [`Reject::Unavailable`] if it cannot be had by `deadline`, [`Reject::Refused`] if it lies
    /// elsewhere, may not be read, or is not what was stored.
    pub async fn get(&self, claim: &Claim, deadline: Instant) -> Result<Payload, Reject> {
        let Claim {
            driver_name,
            bucket,
            ..
        } = claim;
        let refused = |reason: String| Reject::Refused(format!("S3 bucket {bucket}: {reason}"));
        if (driver_name, bucket) != (&self.driver_name, &self.bucket) {
            let text = format!("driver {driver_name:?} is not that of [large_payloads]");
            return Err(refused(text));
        }
        let path = Path::parse(&claim.key).map_err(|_| refused("a key that is none".to_owned()))?;
        let get = || async {
            let found = self.s3.get(&path).await?;
            if found.meta.size > claim.size as u64 {
                return Ok(None);
            }
            found.bytes().await.map(Some)
        };
        match insist("GetObject", deadline, get).await {
            Ok(Some(content)) => claim.open(content).map_err(refused),
            Ok(None) => Err(refused(
                "an object larger than its reference says".to_owned(),
            )),
            Err(Failure::Unavailable(reason)) => Err(self.unavailable(&reason)),
            Err(Failure::NotFound(reason) | Failure::Refused(reason)) => Err(refused(reason)),
        }
    }

    /// Asks for an object that nobody stored: changes nothing. `Ok(false)`: the bucket answers,
    /// but does not say whether it would take one.
    ///
    /// # Errors
    /// Why nothing can be stored.
    pub async fn probe(&self) -> Result<bool, String> {
        let path = Path::from(PROBE);
        let deadline = Instant::now() + PROBE_TIMEOUT;
        match timed("GetObject", deadline, self.s3.get(&path)).await {
            Ok(_) => Ok(true),
            Err(Failure::NotFound(reason)) if reason.contains("NoSuchKey") => Ok(true),
            Err(Failure::Refused(reason)) if reason.contains("AccessDenied") => Ok(false),
            Err(Failure::NotFound(text) | Failure::Refused(text) | Failure::Unavailable(text)) => {
                Err(text)
            }
        }
    }

    /// Whether the call's argument is to be stored.
    pub fn takes(&self, call: &Call) -> bool {
        self.is_large(&call.input)
    }

    fn is_large(&self, payload: &Payload) -> bool {
        payload.encoded_len() >= self.threshold
    }

    fn unavailable(&self, reason: &str) -> Reject {
        Reject::Unavailable(format!("S3 bucket {}: {reason}", self.bucket))
    }
}

fn client(large: &Large) -> Result<AmazonS3, Error> {
    let options = ClientOptions::new()
        .with_connect_timeout(CONNECT_TIMEOUT)
        // The deadline ends a request.
        .with_timeout_disabled();
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&large.bucket)
        .with_region(&large.region)
        .with_virtual_hosted_style_request(!large.path_style)
        .with_client_options(options)
        // Ours know the deadline and say why they were needed.
        .with_retry(RetryConfig {
            max_retries: 0,
            ..RetryConfig::default()
        });
    if let Some(url) = endpoint(large) {
        let allow_http = url.starts_with("http:");
        builder = builder.with_endpoint(url).with_allow_http(allow_http);
    }
    match &large.credentials {
        Credentials::Keys { id, secret, token } => {
            let text = |secret: &[u8]| String::from_utf8_lossy(secret).into_owned();
            builder = builder
                .with_access_key_id(id)
                .with_secret_access_key(text(secret.reveal()));
            if let Some(token) = token {
                builder = builder.with_token(text(token.reveal()));
            }
        }
        Credentials::Role(variables) => {
            for (name, value) in variables {
                let key: AmazonS3ConfigKey = name.to_ascii_lowercase().parse()?;
                builder = builder.with_config(key, value);
            }
        }
    }
    builder.build()
}

/// Of a server that is not AWS; the client wants the bucket in the host, if it is to be there.
fn endpoint(large: &Large) -> Option<String> {
    let url = large.endpoint.as_ref()?;
    let (scheme, host) = (url.scheme_str()?, url.authority()?);
    Some(if large.path_style {
        format!("{scheme}://{host}")
    } else {
        format!("{scheme}://{}.{host}", large.bucket)
    })
}

/// Why S3 did not do it, in a few words for the log: a code, no signature, no content.
enum Failure {
    NotFound(String),
    Refused(String),
    Unavailable(String),
}

impl Failure {
    fn new(error: Error) -> Self {
        let is_not_found = matches!(error, Error::NotFound { .. });
        let Some((status, code)) = answer(&error) else {
            return match error {
                Error::Generic { .. } => Self::Unavailable(root_cause(&error)),
                _ => Self::Refused(root_cause(&error)),
            };
        };
        let text = format!("status {status} {code}").trim_end().to_owned();
        match status {
            _ if is_not_found => Self::NotFound(text),
            408 | 409 | 429 | 500.. => Self::Unavailable(text),
            _ if code == "RequestTimeout" => Self::Unavailable(text),
            _ => Self::Refused(text),
        }
    }

    const fn label(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "NOT_FOUND",
            Self::Refused(_) => "REFUSED",
            Self::Unavailable(_) => "UNAVAILABLE",
        }
    }
}

/// Status and code of S3's answer. The library has them in its text alone.
fn answer(error: &Error) -> Option<(u16, String)> {
    let text = error.source()?.to_string();
    if text.contains("redirect without LOCATION") {
        return Some((301, "another region".to_owned()));
    }
    let (_, rest) = text.split_once("status code: ")?;
    let status = rest.get(..3)?.parse().ok()?;
    let code = rest.split_once("<Code>").and_then(|(_, rest)| {
        let (code, _) = rest.split_once("</Code>")?;
        (code.len() <= 64 && code.bytes().all(|b| b.is_ascii_alphanumeric())).then_some(code)
    });
    Some((status, code.unwrap_or_default().to_owned()))
}

fn root_cause(error: &Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

/// Calls again while S3 cannot do it now and there is time. The reason is that of the last answer.
async fn insist<R, F: Future<Output = Result<R, Error>>>(
    operation: &'static str,
    deadline: Instant,
    call: impl Fn() -> F,
) -> Result<R, Failure> {
    let mut pause = FIRST_PAUSE;
    loop {
        let result = timed(operation, deadline, call()).await;
        let again = Instant::now() + pause;
        if !matches!(result, Err(Failure::Unavailable(_))) || again >= deadline {
            return result;
        }
        sleep_until(again).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Ends the call at the deadline and measures it.
async fn timed<R>(
    operation: &'static str,
    deadline: Instant,
    call: impl Future<Output = Result<R, Error>>,
) -> Result<R, Failure> {
    let begun = Instant::now();
    let (result, code) = match timeout_at(deadline, call).await {
        Ok(Ok(answer)) => (Ok(answer), "OK"),
        Ok(Err(error)) => {
            let failure = Failure::new(error);
            let code = failure.label();
            (Err(failure), code)
        }
        Err(_) => {
            let text = "no answer in time".to_owned();
            (Err(Failure::Unavailable(text)), "DEADLINE_EXCEEDED")
        }
    };
    metrics::histogram!(LARGE_DURATION, "operation" => operation, "code" => code)
        .record(begun.elapsed().as_secs_f64());
    result
}

/// No digest ends in so many zeros.
const PROBE: &str = "v0/d/sha256/0000000000000000000000000000000000000000000000000000000000000000";
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests;
