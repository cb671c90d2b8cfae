//! `check`: what Temporal says, and the store of large payloads.

use std::time::Duration;

use temporalio_client::Connection;
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    DescribeNamespaceRequest, GetSystemInfoRequest,
};
use tonic::IntoRequest;
use webhook_core::provider::values::format_duration;
use webhook_core::source::Source;

use super::{Finding, Problem, Table, attributes};
use crate::config::Config;
use crate::config::large::Large;
use crate::storage::Store;
use crate::temporal::connect::Settings;
use crate::temporal::{link, queues, status};

/// A namespace that answered.
pub(super) struct Namespace<'a> {
    connection: Connection,
    settings: &'a Settings,
    /// How long it remembers a closed workflow.
    pub(super) retention: Duration,
}

/// The rows that are about no source; the namespace, if it answers.
pub(super) async fn namespace<'a>(
    config: &Config,
    settings: &'a Settings,
    register: bool,
    table: &mut Table,
) -> Option<Namespace<'a>> {
    if let Some(large) = &config.large {
        table.row("large payloads", bucket(large).await);
    }
    let connection = match link::connect(settings).await {
        Ok(connection) => connection,
        Err(error) => {
            let text = format!("{}: {error}", settings.address);
            table.row("temporal", Err(Problem::Wrong(text)));
            return None;
        }
    };
    table.row("temporal", server(&connection, settings).await);
    let retention = retention(&connection, settings).await;
    let finding = match &retention {
        Ok(kept) => Ok(format!(
            "{}, keeps closed workflows for {}",
            settings.namespace,
            format_duration(*kept)
        )),
        Err(text) => Err(Problem::Wrong(text.clone())),
    };
    table.row("namespace", finding);
    let retention = retention.ok()?;
    attributes::rows(config, &connection, settings, register, table).await;
    Some(Namespace {
        connection,
        settings,
        retention,
    })
}

impl Namespace<'_> {
    /// Its name.
    pub(super) fn name(&self) -> &str {
        &self.settings.namespace
    }

    /// Who works for the source.
    pub(super) async fn workers(&self, source: &Source, table: &mut Table) {
        for queue in queues::of(source) {
            let finding = pollers(&self.connection, self.settings, source, queue).await;
            table.row("workers", finding);
        }
    }
}

async fn server(connection: &Connection, settings: &Settings) -> Finding {
    let request = GetSystemInfoRequest::default().into_request();
    match connection.workflow_service().get_system_info(request).await {
        Ok(info) => {
            let version = info.into_inner().server_version;
            Ok(format!("{}, server {version}", settings.address))
        }
        Err(error) => Err(Problem::Wrong(format!(
            "{}: {}",
            settings.address,
            status::text(&error)
        ))),
    }
}

/// How long the namespace remembers a closed workflow.
async fn retention(connection: &Connection, settings: &Settings) -> Result<Duration, String> {
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

async fn pollers(
    connection: &Connection,
    settings: &Settings,
    source: &Source,
    queue: Option<&str>,
) -> Finding {
    let Some(name) = queue else {
        return Ok("a task queue that depends on the event, not asked".to_owned());
    };
    let request = queues::question(&settings.namespace, name, false);
    match connection
        .workflow_service()
        .describe_task_queue(request.into_request())
        .await
    {
        Ok(answer) if answer.get_ref().pollers.is_empty() => Err(Problem::Warning(format!(
            "nobody polls task queue {name}: workflows of {} wait until a worker comes",
            source.path
        ))),
        Ok(answer) => Ok(format!(
            "{} on task queue {name}",
            answer.get_ref().pollers.len()
        )),
        Err(error) => Err(Problem::Warning(status::text(&error))),
    }
}

/// Nothing is stored to find out: an object that is not there is asked for.
async fn bucket(large: &Large) -> Finding {
    let name = &large.bucket;
    let wrong = |problem: String| Problem::Wrong(format!("bucket {name}: {problem}"));
    let store = Store::new(large).map_err(|mistake| wrong(mistake.problem))?;
    match store.probe().await.map_err(wrong)? {
        true => Ok(format!(
            "bucket {name} answers; from {} bytes on",
            large.threshold
        )),
        false => Err(Problem::Warning(format!(
            "bucket {name} answers, but these credentials may not read there (s3:GetObject, s3:ListBucket): whether they may store shows with the first large event"
        ))),
    }
}
