//! Prints a workflow's input as a worker gets it: decrypted with `AES_KEY` and `AES_KEY_ID`.
//!
//! `cargo run --example show_event -- --address localhost:7233 --workflow-id ID`

use anyhow::Context;
use clap::Parser;
use prost::Message;
use temporal_webhook_forwarder::cli::ServeArgs;
use temporal_webhook_forwarder::config::AES_KEY_ID;
use temporal_webhook_forwarder::config::file::Temporal;
use temporal_webhook_forwarder::load::SystemEnvironment;
use temporal_webhook_forwarder::temporal::payload::from_temporal;
use temporal_webhook_forwarder::temporal::{connect, link};
use temporalio_common::protos::temporal::api::common::v1::WorkflowExecution;
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;
use temporalio_common::protos::temporal::api::workflowservice::v1::GetWorkflowExecutionHistoryRequest;
use tonic::IntoRequest;
use webhook_core::codec::Codec;
use webhook_core::codec::key::Key;
use webhook_core::payload::protobuf::{self, WebhookEvent};
use webhook_core::proto::Payload;

/// Prints a workflow's input, decrypted.
#[derive(Parser)]
struct Args {
    /// Temporal's address
    #[arg(long)]
    address: Option<String>,
    /// The namespace
    #[arg(long)]
    namespace: Option<String>,
    /// Which workflow
    #[arg(long)]
    workflow_id: String,
    /// The payload key, hex
    #[arg(long, env = "AES_KEY", hide_env_values = true)]
    key: Option<String>,
    /// Its id
    #[arg(long, env = "AES_KEY_ID", default_value = AES_KEY_ID)]
    key_id: String,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let flags = ServeArgs {
        endpoint: args.address.clone(),
        namespace: args.namespace.clone(),
        ..ServeArgs::default()
    };
    let settings = connect::settings(&flags, &Temporal::default(), &SystemEnvironment)
        .map_err(|mistakes| anyhow::anyhow!("{mistakes:?}"))?;
    let request = GetWorkflowExecutionHistoryRequest {
        namespace: settings.namespace.clone(),
        execution: Some(WorkflowExecution {
            workflow_id: args.workflow_id.clone(),
            run_id: String::new(),
        }),
        maximum_page_size: 1,
        ..GetWorkflowExecutionHistoryRequest::default()
    };
    let connection = link::connect(&settings).await.map_err(anyhow::Error::msg)?;
    let mut service = connection.workflow_service();
    let history = service
        .get_workflow_execution_history(request.into_request())
        .await?;
    let first = history
        .into_inner()
        .history
        .and_then(|h| h.events.into_iter().next());
    let Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) =
        first.and_then(|event| event.attributes)
    else {
        anyhow::bail!("the history does not begin with a start");
    };
    let inputs = started
        .input
        .map(|input| input.payloads)
        .unwrap_or_default();
    for payload in inputs {
        println!("{}", shown(&open(from_temporal(payload), &args)?)?);
    }
    Ok(())
}

/// As text: of the formats `protobuf` and `json-protobuf` the same.
fn shown(payload: &Payload) -> anyhow::Result<String> {
    let is_event = payload.message_type() == protobuf::NAME.as_bytes();
    if is_event && payload.encoding() == b"binary/protobuf" {
        let event = WebhookEvent::decode(payload.data.clone())?;
        return Ok(String::from_utf8(protobuf::to_json(&event))?);
    }
    Ok(String::from_utf8_lossy(&payload.data).into_owned())
}

fn open(payload: Payload, args: &Args) -> anyhow::Result<Payload> {
    let key = args.key.as_deref();
    let key = key.map(|digits| Key::from_hex(&args.key_id, digits));
    let codec = Codec::new(key.transpose()?.into_iter().collect());
    codec.decode(payload).context("AES_KEY, AES_KEY_ID")
}
