//! `replay`: workflows -> the events that they were given -> the way that each has now.

mod post;
mod report;
mod taken;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use serde_json::{Map, Value};
use tokio::sync::Semaphore;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};
use tonic::Code;
use uuid::Uuid;
use webhook_core::dead_letter::WORKFLOW_TYPE;
use webhook_core::outcome::{Execution, Outcome};
use webhook_core::replay::{self, FindError, Replayed, StoredEvent};
use webhook_core::route::{Plan, Verb};
use webhook_core::source::Source;

use self::post::Target;
use self::report::{Line, Report};
use super::connected::{Configured, Connected, opened};
use super::{Failure, block_on, check, say};
use crate::cli::replay::ReplayArgs;
use crate::forward::Settings;
use crate::forward::dispatch::Dispatcher;
use crate::forward::limits::{Limits, Sizes};
use crate::forward::prepare::planned;
use crate::temporal::client::Client;
use crate::temporal::history::Argument;
use crate::temporal::payload::Fields;
use crate::temporal::status;

/// Replays every event of the workflows that are asked for.
///
/// # Errors
/// A query that is none, no Temporal; [`Failure::Reported`] with 1 if an event failed.
pub fn run(args: &ReplayArgs) -> Result<(), Failure> {
    if args.run_id.is_some() && args.workflow_ids.len() > 1 {
        let why = "--run-id: one run belongs to one workflow, give one --workflow-id";
        return Err(Failure::Usage(why.to_owned()));
    }
    let target = Target::of(args)?;
    let configured = Configured::load(&args.serve)?;
    block_on(async {
        let Connected {
            temporal, settings, ..
        } = configured.connect().await?;
        let executions = executions(args, &temporal).await?;
        if executions.is_empty() {
            return Ok(say("no workflow matches the query")?);
        }
        let mut ticks = interval(Duration::from_secs(1) / args.rate);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut replay = Replay {
            args,
            settings,
            temporal: &temporal,
            target,
            ticks,
            limits: Limits::new(&Sizes {
                memory: Semaphore::MAX_PERMITS,
                ..Sizes::default()
            }),
            done: HashSet::new(),
            report: Report::new(executions.len())?,
        };
        replay.all(&executions).await
    })
}

/// The configured source at its path.
fn source_of<'s>(settings: &'s Settings, found: &StoredEvent) -> Option<&'s Source> {
    let mut sources = settings.sources.iter();
    sources.find(|source| source.path == found.source())
}

async fn executions(args: &ReplayArgs, temporal: &Client) -> Result<Vec<Execution>, Failure> {
    if let Some(query) = &args.query {
        return temporal.find(query).await.map_err(|error| {
            let text = format!("--query: {}", status::text(&error));
            match error.code() {
                Code::InvalidArgument => Failure::Usage(text),
                _ => Failure::Other(anyhow!(text)),
            }
        });
    }
    let ids = args.workflow_ids.iter();
    Ok(ids
        .map(|id| Execution {
            workflow_id: id.clone(),
            run_id: args.run_id.clone().unwrap_or_default(),
        })
        .collect())
}

/// One replay, and what came of it so far.
struct Replay<'a> {
    args: &'a ReplayArgs,
    settings: Arc<Settings>,
    temporal: &'a Client,
    target: Option<Target>,
    ticks: Interval,
    /// One event at a time is within them, however large.
    limits: Limits,
    /// The events that are in Temporal again: a retry of a workflow was given the same.
    done: HashSet<String>,
    report: Report,
}

impl Replay<'_> {
    async fn all(&mut self, executions: &[Execution]) -> Result<(), Failure> {
        let mut looked_at = 0;
        for execution in executions {
            if self.is_at_limit() {
                break;
            }
            self.workflow(execution).await?;
            looked_at += 1;
            self.report.workflow_done();
        }
        self.report.summary(executions.len() - looked_at)
    }

    /// Every event of one workflow.
    async fn workflow(&mut self, execution: &Execution) -> Result<(), Failure> {
        let id = &execution.workflow_id;
        let input = match self.temporal.run_input(execution, WORKFLOW_TYPE).await {
            Ok(input) => input,
            Err(error) => return self.report.failed(id, &status::text(&error)),
        };
        let is_dead_letter = input.workflow_type == WORKFLOW_TYPE;
        let memo = self.memo(input.memo);
        let first_run_id = input.first_run_id;
        let mut has_events = false;
        for argument in input.arguments {
            if self.is_at_limit() {
                self.report.cut();
                return Ok(());
            }
            let found = match self.stored_event(argument, &memo, is_dead_letter).await {
                Ok(found) => Ok(found),
                Err(FindError::Foreign) => continue,
                Err(FindError::Malformed(why)) => Err(format!("its payload cannot be read: {why}")),
            };
            has_events = true;
            let line = match found {
                Ok(found) if self.target.is_some() => self.post(found).await,
                Ok(found) => self.event(found, is_dead_letter).await,
                Err(why) => Err(why),
            };
            match line {
                Ok(line) => self.report.line(&line)?,
                Err(why) => {
                    self.report.failed(id, &why)?;
                    continue;
                }
            }
            let changes = self.target.is_none() && !self.args.dry_run;
            if is_dead_letter && changes && !self.args.keep {
                let terminated = self.temporal.terminate(id, &first_run_id, REASON).await;
                if let Err(error) = terminated {
                    let why = format!("it cannot be terminated: {}", status::text(&error));
                    self.report.failed(id, &why)?;
                }
            }
        }
        if !has_events {
            let why = "no argument of its start, its signals or its updates is an event of this program's";
            self.report.failed(id, why)?;
        }
        Ok(())
    }

    async fn stored_event(
        &self,
        argument: Argument,
        memo: &Result<Map<String, Value>, String>,
        is_dead_letter: bool,
    ) -> Result<StoredEvent, FindError> {
        let none = Map::new();
        let memo = match memo {
            Ok(memo) if argument.is_of_start => memo,
            Err(error) if argument.is_of_start && !is_dead_letter => {
                return Err(FindError::Malformed(error.clone()));
            }
            _ => &none,
        };
        let payload = opened(&self.settings, argument.payload).await;
        replay::find(replay::Argument {
            payload: payload.map_err(FindError::Malformed)?,
            memo,
            at: argument.at,
            is_dead_letter,
        })
    }

    /// The entries that are JSON, as ours are.
    fn memo(&self, memo: Fields) -> Result<Map<String, Value>, String> {
        let mut values = Map::new();
        for (name, payload) in memo {
            let payload = (self.settings.codec.decode(payload))
                .map_err(|error| format!("its memo: {error}"))?;
            let value = serde_json::from_slice(&payload.data).ok();
            values.extend(value.map(|value| (name, value)));
        }
        Ok(values)
    }

    /// On the way that the configuration has for it.
    async fn event(&mut self, found: StoredEvent, is_dead_letter: bool) -> Result<Line, String> {
        let source = source_of(&self.settings, &found).ok_or_else(|| {
            let (path, paths) = (found.source(), check::paths(&self.settings.sources));
            format!("its source {path} is not configured any more: expected one of {paths}")
        })?;
        let taken_by = found.taken_by().cloned();
        let Replayed { event, loss } = found.event(&source.provider)?;
        let key = event.key();
        if let Some(run) = taken_by
            && self.has_taken(&run, &key).await?
        {
            return Ok(taken::line(&run, event.id, self.args.dry_run));
        }
        if !is_dead_letter && self.done.contains(&key) {
            return Ok(Line::new("duplicate", event.id, "its event is done above"));
        }
        let (route, plan) = planned(source, &event);
        let mut plan = plan?;
        if let Plan::Call(call) = &mut plan {
            loss.allows(call.format)
                .map_err(|why| format!("{}: {why}", route.name))?;
            if !is_dead_letter {
                replay::allow_rerun(call);
            }
        }
        let mut line = if self.args.dry_run {
            let (word, id) = preview(&plan).unwrap_or(("would drop", &event.id));
            Line::new(word, id, &route.name)
        } else {
            self.ticks.tick().await;
            // Temporal would not take the signal or update of an event twice.
            let event_key = if is_dead_letter {
                key.clone()
            } else {
                format!("{key}:replay:{}", Uuid::new_v4())
            };
            let dispatcher = Dispatcher {
                temporal: self.temporal,
                settings: &self.settings,
                limits: &self.limits,
                deadline: Instant::now() + TIMEOUT,
                trace: None,
            };
            let id = event.id.clone();
            match dispatcher.execute(plan, event, event_key).await {
                Ok(outcome) => result_line(&outcome, &id)?,
                Err(reject) => return Err(reject.reason().to_owned()),
            }
        };
        if loss.headers {
            line.note("without its headers, which its signal or update has not");
        }
        self.done.insert(key);
        Ok(line)
    }

    /// The original request, to a forwarder.
    async fn post(&mut self, found: StoredEvent) -> Result<Line, String> {
        let target = self.target.as_ref().expect("somebody asked for it");
        let message = found.whole()?;
        if self.args.dry_run {
            let url = post::shown(target.url(&message));
            return Ok(Line::new("would post", message.id, &url));
        }
        self.ticks.tick().await;
        target.post(message).await
    }

    fn is_at_limit(&self) -> bool {
        let limit = self.args.limit;
        limit.is_some_and(|limit| self.report.events() >= limit)
    }
}

/// `None`: nothing is called.
fn preview(plan: &Plan) -> Option<(&'static str, &str)> {
    let Plan::Call(call) = plan else {
        return None;
    };
    let word = match call.verb {
        Verb::Start => "would start",
        Verb::SignalWithStart { .. } | Verb::Signal { .. } => "would signal",
        Verb::UpdateWithStart { .. } => "would update",
    };
    Some((word, &call.workflow_id))
}

/// # Errors
/// The workflow's answer is one after which a sender sends again.
fn result_line(outcome: &Outcome, event_id: &str) -> Result<Line, String> {
    let (word, rule) = (outcome.label(), "by a rule of its source");
    Ok(match (outcome, outcome.execution()) {
        (Outcome::Replied(_, reply), _) if !reply.status.is_success() => {
            return Err(format!("the workflow answers {}", reply.status));
        }
        (_, Some(execution)) => Line::new(word, &execution.workflow_id, &execution.run_id),
        (_, None) => Line::new(word, event_id, rule),
    })
}

/// Why a dead letter was terminated.
const REASON: &str = "replayed";
/// For what Temporal is asked to do with one event, and for what is read or stored in S3.
const TIMEOUT: Duration = Duration::from_secs(15);
