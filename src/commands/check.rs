//! `check`: every mistake of the configuration, then what Temporal says about it.

mod attributes;
mod event;

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use temporalio_client::Connection;
use temporalio_common::protos::temporal::api::enums::v1::TaskQueueType;
use temporalio_common::protos::temporal::api::taskqueue::v1::TaskQueue;
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    DescribeNamespaceRequest, DescribeTaskQueueRequest, GetSystemInfoRequest,
};
use tonic::IntoRequest;

use super::load::{self, Loaded, World};
use super::{Failure, block_on, say};
use crate::cli::CheckArgs;
use crate::core::action::Action;
use crate::core::config::Config;
use crate::core::config::large::Large;
use crate::core::config::source::{Source, Verification};
use crate::core::payload;
use crate::dispatch::nonce;
use crate::large::Store;
use crate::server::tls;
use crate::temporal::connect::Settings;
use crate::temporal::{link, status};

/// Prints the table.
///
/// # Errors
/// [`Failure::Configuration`], or [`Failure::Reported`] with 78 if a row says `wrong`.
pub fn run(args: &CheckArgs) -> Result<(), Failure> {
    let Loaded {
        config,
        public,
        admin,
        temporal,
    } = Loaded::new(&args.serve, &World)?;
    let (config, _, _, temporal) = load::all(config, public, admin, temporal)?;
    let mut table = Table::default();
    table.row("configuration", Ok(paths(&config.sources)));
    for warning in &config.warnings {
        table.row("configuration", Err(Trouble::Warning(warning.to_string())));
    }
    for source in &config.sources {
        if matches!(source.verification, Verification::DangerUnverified) {
            let text = format!(
                "DANGER: {} accepts webhooks that anybody may have sent",
                source.path
            );
            table.row("configuration", Err(Trouble::Warning(text)));
        }
    }
    table.row("clock", clock());
    table.row("certificate", certificate(&config));
    table.row("encryption", encryption(&config));
    table.row("connection", connection(&temporal));
    if let Some(file) = &args.event {
        event::run(file, &config, &mut table)?;
    }
    if !args.offline {
        block_on(async {
            if let Some(large) = &config.large {
                table.row("large payloads", bucket(large).await);
            }
            ask_temporal(&config, &temporal, &mut table).await;
            Ok(())
        })?;
    }
    if table.wrong {
        return Err(Failure::Reported(78));
    }
    Ok(())
}

/// What a row says: fine; it works, but; or wrong.
type Finding = Result<String, Trouble>;

enum Trouble {
    Warning(String),
    Wrong(String),
}

/// Printed row by row: asking Temporal can take a moment.
#[derive(Default)]
struct Table {
    wrong: bool,
}

impl Table {
    fn row(&mut self, what: &str, finding: Finding) {
        let (mark, text) = match finding {
            Ok(text) => ("ok", text),
            Err(Trouble::Warning(text)) => ("warning", text),
            Err(Trouble::Wrong(text)) => {
                self.wrong = true;
                ("WRONG", text)
            }
        };
        // If it cannot be said, the exit code still tells.
        let _ = say(format_args!("{what:<14} {mark:<8} {text}"));
    }
}

pub(super) fn paths(sources: &[Source]) -> String {
    let paths: Vec<_> = sources.iter().map(|source| source.path.as_str()).collect();
    paths.join(", ")
}

async fn ask_temporal(config: &Config, settings: &Settings, table: &mut Table) {
    let connection = match link::connect(settings).await {
        Ok(connection) => connection,
        Err(error) => {
            let text = format!("{}: {error}", settings.address);
            return table.row("temporal", Err(Trouble::Wrong(text)));
        }
    };
    table.row("temporal", server(&connection, settings).await);
    let retention = namespace(&connection, settings).await;
    table.row(
        "namespace",
        retention.as_ref().map_or_else(
            |text| Err(Trouble::Wrong(text.clone())),
            |_| Ok(settings.namespace.clone()),
        ),
    );
    let Ok(retention) = retention else { return };
    for source in &config.sources {
        table.row("retention", enough(source, retention, settings));
        for queue in queues(source) {
            table.row(
                "workers",
                pollers(&connection, settings, source, queue).await,
            );
        }
    }
    let wanted = attributes::wanted(&config.sources);
    if !wanted.is_empty() {
        let registered = attributes::registered(&connection, settings, wanted).await;
        table.row("attributes", registered);
    }
}

async fn server(connection: &Connection, settings: &Settings) -> Finding {
    let request = GetSystemInfoRequest::default().into_request();
    match connection.workflow_service().get_system_info(request).await {
        Ok(info) => {
            let version = info.into_inner().server_version;
            Ok(format!("{}, server {version}", settings.address))
        }
        Err(error) => Err(Trouble::Wrong(format!(
            "{}: {}",
            settings.address,
            status::text(&error)
        ))),
    }
}

/// How long the namespace remembers a closed workflow.
async fn namespace(connection: &Connection, settings: &Settings) -> Result<Duration, String> {
    let request = DescribeNamespaceRequest {
        namespace: settings.namespace.clone(),
        ..DescribeNamespaceRequest::default()
    };
    let answer = connection
        .workflow_service()
        .describe_namespace(request.into_request())
        .await
        .map_err(|error| format!("{}: {}", settings.namespace, status::text(&error)))?;
    let retention = answer
        .into_inner()
        .config
        .and_then(|c| c.workflow_execution_retention_ttl);
    Ok(retention
        .and_then(|ttl| ttl.try_into().ok())
        .unwrap_or_default())
}

/// A redelivery that comes after Temporal forgot the workflow would start it again.
fn enough(source: &Source, retention: Duration, settings: &Settings) -> Finding {
    let (name, window) = (&source.provider.name, source.provider.retry_window);
    let [kept, repeated] = [retention, window].map(humantime::format_duration);
    if retention < window {
        let hours = window.as_secs().div_ceil(3600);
        return Err(Trouble::Wrong(format!(
            "{kept}, but {name} repeats a delivery for {repeated}: a late one would start its workflow twice; \
             temporal operator namespace update --namespace {} --retention {hours}h raises it",
            settings.namespace
        )));
    }
    Ok(format!("{kept}; {name} repeats a delivery for {repeated}"))
}

/// Every task queue of the source's routes; `None`: one that depends on the event.
fn queues(source: &Source) -> BTreeSet<Option<&str>> {
    let starts = source
        .routes
        .iter()
        .filter(|route| !matches!(route.settings.action, Action::Drop | Action::Signal));
    starts
        .map(|route| route.settings.task_queue.fixed())
        .collect()
}

async fn pollers(
    connection: &Connection,
    settings: &Settings,
    source: &Source,
    queue: Option<&str>,
) -> Finding {
    let Some(name) = queue else {
        return Ok(format!(
            "{}: a task queue that depends on the event, not asked",
            source.path
        ));
    };
    let request = DescribeTaskQueueRequest {
        namespace: settings.namespace.clone(),
        task_queue: Some(TaskQueue {
            name: name.to_owned(),
            ..TaskQueue::default()
        }),
        task_queue_type: TaskQueueType::Workflow.into(),
        ..DescribeTaskQueueRequest::default()
    };
    match connection
        .workflow_service()
        .describe_task_queue(request.into_request())
        .await
    {
        Ok(answer) if answer.get_ref().pollers.is_empty() => Err(Trouble::Warning(format!(
            "nobody polls task queue {name}: workflows of {} wait until a worker comes",
            source.path
        ))),
        Ok(answer) => Ok(format!(
            "{} on task queue {name}",
            answer.get_ref().pollers.len()
        )),
        Err(error) => Err(Trouble::Warning(status::text(&error))),
    }
}

/// Nothing is stored to find out: an object that is not there is asked for.
async fn bucket(large: &Large) -> Finding {
    let name = &large.bucket;
    let wrong = |problem: String| Trouble::Wrong(format!("bucket {name}: {problem}"));
    let store = Store::new(large).map_err(|mistake| wrong(mistake.problem))?;
    match store.probe().await.map_err(wrong)? {
        true => Ok(format!(
            "bucket {name} answers; from {} bytes on",
            large.threshold
        )),
        false => Err(Trouble::Warning(format!(
            "bucket {name} answers, but these credentials may not read there (s3:GetObject, s3:ListBucket): whether they may store shows with the first large event"
        ))),
    }
}

fn certificate(config: &Config) -> Finding {
    let Some(identity) = &config.tls else {
        return Ok("none: plain HTTP".to_owned());
    };
    let expiry = tls::expiry(identity)
        .ok_or_else(|| Trouble::Wrong("its expiry cannot be read".to_owned()))?;
    let days = (expiry - now()).div_euclid(86_400);
    match days {
        ..0 => Err(Trouble::Wrong(format!("expired {} days ago", -days))),
        0..SOON => Err(Trouble::Warning(format!(
            "matches its key, expires in {days} days"
        ))),
        _ => Ok(format!("matches its key, expires in {days} days")),
    }
}

/// How Temporal is reached, and for how long the client certificate will do.
fn connection(settings: &Settings) -> Finding {
    let text = settings.security();
    let Some(validity) = &settings.certificate else {
        return Ok(text);
    };
    let left = validity.end - now();
    let days = left.div_euclid(86_400);
    if left < 0 {
        let text = format!("{text}: the client certificate expired {} days ago", -days);
        return Err(Trouble::Wrong(text));
    }
    let text = match days {
        0 | 1 => format!(
            "{text}: the client certificate expires in {} hours",
            left / 3600
        ),
        _ => format!("{text}: the client certificate expires in {days} days"),
    };
    // Some live for hours only, and are renewed in time.
    if days < SOON && left < (validity.end - validity.start) / 3 {
        return Err(Trouble::Warning(text));
    }
    Ok(text)
}

/// Unix seconds.
fn now() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    i64::try_from(now.unwrap_or_default().as_secs()).unwrap_or(i64::MAX)
}

/// What each key seals, the codec opens.
fn encryption(config: &Config) -> Finding {
    let keys = config.codec.keys();
    let Some(first) = keys.first() else {
        return Ok("off: Temporal stores events as they are".to_owned());
    };
    let payload = payload::text("check");
    for key in keys {
        let opened = config.codec.decode(key.seal(&payload, nonce()));
        if opened.as_ref() != Ok(&payload) {
            let text = format!("key {:?} does not open what it sealed", key.id());
            return Err(Trouble::Wrong(text));
        }
    }
    let others: Vec<_> = keys
        .iter()
        .skip(1)
        .map(|key| format!("{:?}", key.id()))
        .collect();
    let first = format!("key {:?}, round trip fine", first.id());
    Ok(if others.is_empty() {
        first
    } else {
        format!("{first}; only decrypting: {}", others.join(", "))
    })
}

/// A clock that was never set makes certificates and signed timestamps fail.
fn clock() -> Finding {
    let now = SystemTime::now();
    let text = humantime::format_rfc3339_seconds(now).to_string();
    if now < SystemTime::UNIX_EPOCH + RELEASED {
        return Err(Trouble::Wrong(format!(
            "{text}, which is before this program was written"
        )));
    }
    Ok(text)
}

/// Days in which a certificate should be renewed.
const SOON: i64 = 14;
/// 2026-11-01, since the Unix epoch.
const RELEASED: Duration = Duration::from_secs(1_793_491_200);
