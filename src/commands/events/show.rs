//! One event, whole: where it is, and what was received, opened with the configured keys.

use anyhow::anyhow;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use prost::Message;
use serde::Serialize;
use serde_json::{Value, json};
use webhook_core::outcome::Execution;
use webhook_core::payload::protobuf::{self, WebhookEvent};
use webhook_core::proto::Payload;

use super::letter::letter;
use super::list::{is_json, plain};
use crate::cli::events::ShowArgs;
use crate::commands::connected::{Connected, opened};
use crate::commands::{Failure, say};
use crate::events::item::Item;
use crate::events::show::{Shown, shown};
use crate::temporal::history::Argument;
use crate::temporal::status;

/// All that is known of it.
#[derive(Serialize)]
struct Whole {
    #[serde(flatten)]
    shown: Shown,
    /// Who polls the task queue, as long as it runs; `None`: nobody said.
    pollers: Option<usize>,
    /// What its start, its signals and its updates brought, in their order.
    received: Vec<Received>,
    /// How many were left out before them.
    left_out: usize,
}

/// What one of them brought.
#[derive(Serialize)]
struct Received {
    at: String,
    by: &'static str,
    event_key: Option<String>,
    /// As a worker gets it.
    payload: Value,
}

/// Prints it.
///
/// # Errors
/// There is no such event; what Temporal says.
pub(in crate::commands) async fn run(
    connected: &Connected,
    args: &ShowArgs,
    is_letter: bool,
) -> Result<(), Failure> {
    let mut id = args.id.clone();
    if is_letter {
        id = letter(connected, &id).await?.workflow_id;
    }
    let run_id = args.run_id.as_deref().unwrap_or_default();
    let found = shown(&connected.events(), &id, run_id).await;
    let found = found.map_err(|error| anyhow!("{}: {error}", plain(&id)))?;
    let shown = found.ok_or_else(|| {
        anyhow!("{}: no workflow of the forwarder's, and no event, has this id; or Temporal has forgotten it. `events -q` looks for what begins so", plain(&id))
    })?;
    let whole = whole(connected, shown).await?;
    match is_json(&args.form) {
        true => say(serde_json::to_string_pretty(&whole)?)?,
        false => print(&whole)?,
    }
    Ok(())
}

async fn whole(connected: &Connected, shown: Shown) -> Result<Whole, Failure> {
    let item = &shown.item;
    let run = Execution {
        workflow_id: item.workflow_id.clone(),
        run_id: item.run_id.clone(),
    };
    let input = connected.temporal.run_input(&run, "").await;
    let input = input.map_err(|error| {
        anyhow!(
            "the history of {}: {}",
            run.workflow_id,
            status::text(&error)
        )
    })?;
    let pollers = match item.close_time {
        None => connected.temporal.polled(&item.task_queue).await.ok(),
        Some(_) => None,
    };
    let left_out = input.arguments.len().saturating_sub(MOST);
    let mut received = Vec::new();
    for argument in input.arguments.into_iter().skip(left_out) {
        received.push(Received::of(connected, argument).await);
    }
    Ok(Whole {
        pollers: pollers.map(|polled| polled.pollers),
        received,
        left_out,
        shown,
    })
}

impl Received {
    async fn of(connected: &Connected, argument: Argument) -> Self {
        let payload = match opened(&connected.settings, argument.payload).await {
            Ok(payload) => readable(&payload),
            Err(why) => json!({ "unreadable": why }),
        };
        Self {
            at: humantime::format_rfc3339_millis(argument.at).to_string(),
            by: match argument.is_of_start {
                true => "start",
                false => "signal or update",
            },
            event_key: argument.event_key,
            payload,
        }
    }
}

/// JSON as JSON, our message as proto3 JSON, text as text, the rest in base64.
fn readable(payload: &Payload) -> Value {
    let data = &payload.data;
    if payload.encoding() == b"binary/protobuf"
        && payload.message_type() == protobuf::NAME.as_bytes()
        && let Ok(message) = WebhookEvent::decode(data.clone())
    {
        return serde_json::from_slice(&protobuf::to_json(&message)).unwrap_or_default();
    }
    match (serde_json::from_slice(data), str::from_utf8(data)) {
        // `json-string`: once more encoded.
        (Ok(Value::String(text)), _) => serde_json::from_str(&text).unwrap_or(Value::String(text)),
        (Ok(json), _) => json,
        (_, Ok(text)) => json!(text),
        _ => json!({ "base64": STANDARD.encode(data) }),
    }
}

fn print(whole: &Whole) -> Result<(), Failure> {
    let Shown {
        item,
        search_attributes,
        others,
    } = &whole.shown;
    let row = |name: &str, value: &str| say(format_args!("{name:<14}{}", plain(value)));
    let optional = |name: &str, value: &Option<String>| match value {
        Some(value) => row(name, value),
        None => Ok(()),
    };
    optional("event", &item.event_id)?;
    optional("source", &item.source)?;
    optional("provider", &item.provider)?;
    optional("topic", &item.topic)?;
    optional("tenant", &item.tenant)?;
    optional("received", &item.received_at)?;
    optional("reason", &item.reason)?;
    optional("route", &item.route)?;
    optional("unreadable", &item.unreadable)?;
    row("workflow", &item.workflow_id)?;
    row("run", &item.run_id)?;
    row("type", &item.workflow_type)?;
    row("status", &state(item, whole.pollers))?;
    row("task queue", &item.task_queue)?;
    for (name, value) in search_attributes {
        row("attribute", &format!("{name} = {value}"))?;
    }
    optional("link", &item.link)?;
    for other in others {
        row("also", &format!("{} {}", other.workflow_id, other.run_id))?;
    }
    if whole.left_out > 0 {
        say(format_args!(
            "\n{} before these are left out",
            whole.left_out
        ))?;
    }
    for received in &whole.received {
        let Received { at, by, .. } = received;
        let key = received.event_key.as_deref().unwrap_or_default();
        let head = format!("{by} at {at} {key}");
        say(format_args!("\n{}", plain(head.trim_end())))?;
        say(serde_json::to_string_pretty(&received.payload)?)?;
    }
    Ok(())
}

/// Where it stands, in words.
fn state(item: &Item, pollers: Option<usize>) -> String {
    let started = humantime::format_rfc3339_seconds(item.start_time);
    let closed = item.close_time.map(humantime::format_rfc3339_seconds);
    match (closed, pollers) {
        (Some(closed), _) => format!("{} {closed}, started {started}", item.status),
        (None, Some(0)) => format!(
            "{} since {started}; nobody polls its task queue: it waits for a worker",
            item.status
        ),
        (None, _) => format!("{} since {started}", item.status),
    }
}

/// A workflow that lives long has thousands.
const MOST: usize = 20;
