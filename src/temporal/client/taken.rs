//! Signals and updates that Temporal refuses for their workflow's sake, though it may have taken them
//! before: Temporal looks whether it knows a request only where it would take it.

use temporalio_client::grpc::WorkflowService;
use temporalio_common::protos::temporal::api::history::v1::HistoryEvent;
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;
use temporalio_common::protos::temporal::api::update::v1::Request;
use temporalio_common::protos::temporal::api::workflowservice::v1::GetWorkflowExecutionHistoryRequest;
use tokio::time::Instant;
use tonic::{Code, Status};
use webhook_core::outcome::{Execution, Outcome, Reject};

use super::Client;
use crate::temporal::lean;
use crate::temporal::limits::Sizes;
use crate::temporal::request::{self, EVENT_KEY};
use crate::temporal::{Call, Done, Temporal, status};

/// Whose call it was, for what becomes of it.
pub(in crate::temporal) struct Subject {
    pub(in crate::temporal) workflow_id: String,
    pub(in crate::temporal) event_key: String,
    pub(in crate::temporal) sizes: Sizes,
}

impl Subject {
    pub(in crate::temporal) fn of(call: &Call) -> Self {
        Self {
            workflow_id: call.workflow_id.clone(),
            event_key: call.event_key.clone(),
            sizes: Sizes::of(call),
        }
    }
}

impl Client {
    /// What the refusal of a signal or an update means.
    pub(in crate::temporal) async fn refused(
        &self,
        error: &Status,
        subject: Subject,
        deadline: Instant,
    ) -> Result<Done, Reject> {
        let id = subject.workflow_id;
        if status::is_full(error) {
            let reason = format!(
                "workflow {id:?} takes no more, and may have taken this event before: it has to continue as new in time ({})",
                status::text(error)
            );
            // Which run it is, Temporal does not say.
            let run = self
                .started(&id, halfway(deadline))
                .await
                .ok()
                .flatten()
                .unwrap_or(Execution {
                    workflow_id: id,
                    run_id: String::new(),
                });
            return Err(Reject::MaybeTaken(run, reason));
        }
        if error.code() != Code::AlreadyExists {
            return Err(status::reject(error, self.call_context(subject.sizes)));
        }
        let run = status::closed(error, id.clone());
        let is_closed = format!("workflow {id:?} is closed, and no other of its id may be started");
        let taken = self.has_taken(&run, &subject.event_key, halfway(deadline));
        match taken.await {
            Ok(true) => Ok(Done::Outcome(Outcome::Duplicate(run))),
            Ok(false) => Err(Reject::Unstartable(is_closed)),
            Err(error) => Err(Reject::MaybeTaken(
                run,
                format!(
                    "{is_closed}; whether it has taken this event before was not to be learnt: {}",
                    status::text(&error)
                ),
            )),
        }
    }

    /// Whether the run (without a run's id: the newest) has taken the signal or the update of an event,
    /// by the key that goes along with it. It has looked by `deadline`.
    ///
    /// # Errors
    /// What Temporal says; that there was no time to read the whole history.
    pub async fn has_taken(
        &self,
        run: &Execution,
        event_key: &str,
        deadline: Instant,
    ) -> Result<bool, Status> {
        let mut request = GetWorkflowExecutionHistoryRequest {
            namespace: self.caller().namespace.to_owned(),
            execution: Some(request::run(run)),
            maximum_page_size: PAGE,
            ..GetWorkflowExecutionHistoryRequest::default()
        };
        loop {
            let (operation, frame) = ("GetWorkflowExecutionHistory", lean::frame(&request));
            let answer = self.hedged(operation, frame, deadline, |service, request| {
                service.get_workflow_execution_history(request)
            });
            let answer = answer.await?;
            let events = answer.history.unwrap_or_default().events;
            if events
                .iter()
                .any(|event| self::event_key(event).as_deref() == Some(event_key))
            {
                return Ok(true);
            }
            request.next_page_token = answer.next_page_token;
            if request.next_page_token.is_empty() {
                return Ok(false);
            }
        }
    }
}

/// The key of the event in a signal or an update of ours. Newer servers keep a signal's request id in
/// the history; all keep its header.
pub(in crate::temporal) fn event_key(event: &HistoryEvent) -> Option<String> {
    let id = |request: Option<&Request>| {
        let meta = request.and_then(|request| request.meta.as_ref());
        meta.map(|meta| meta.update_id.clone())
    };
    match event.attributes.as_ref()? {
        Attributes::WorkflowExecutionSignaledEventAttributes(signal) => {
            let header = signal
                .header
                .as_ref()
                .and_then(|header| header.fields.get(EVENT_KEY));
            let key = header.and_then(|header| serde_json::from_slice(&header.data).ok());
            let request_id = Some(&signal.request_id).filter(|id| !id.is_empty());
            key.or_else(|| request_id.cloned())
        }
        Attributes::WorkflowExecutionUpdateAcceptedEventAttributes(update) => {
            id(update.accepted_request.as_ref())
        }
        // An update that a reset brought to another run.
        Attributes::WorkflowExecutionUpdateAdmittedEventAttributes(update) => {
            id(update.request.as_ref())
        }
        _ => None,
    }
}

/// The other half is for parking the event.
fn halfway(deadline: Instant) -> Instant {
    let now = Instant::now();
    now + deadline.saturating_duration_since(now) / 2
}

/// Events a page: of up to the namespace's limit each.
const PAGE: i32 = 200;

#[cfg(test)]
mod tests {
    use temporalio_common::protos::temporal::api::common::v1::Header;
    use temporalio_common::protos::temporal::api::history::v1::{
        WorkflowExecutionSignaledEventAttributes, WorkflowExecutionUpdateAcceptedEventAttributes,
    };
    use temporalio_common::protos::temporal::api::update::v1::Meta;
    use webhook_core::payload;

    use super::*;
    use crate::temporal::payload::to_temporal;

    #[tokio::test(start_paused = true)]
    async fn half_of_the_time_is_left_for_parking_the_event() {
        use std::time::Duration;
        let now = Instant::now();
        assert_eq!(
            halfway(now + Duration::from_secs(4)),
            now + Duration::from_secs(2)
        );
        assert_eq!(halfway(now), now, "and none of what is over");
    }

    #[test]
    fn a_key_is_found_wherever_a_server_keeps_it() {
        let signal = |request_id: &str, header: Option<&str>| {
            let fields = header.map(|key| (EVENT_KEY.to_owned(), to_temporal(payload::text(key))));
            let signal = WorkflowExecutionSignaledEventAttributes {
                request_id: request_id.to_owned(),
                header: Some(Header {
                    fields: fields.into_iter().collect(),
                }),
                ..Default::default()
            };
            Attributes::WorkflowExecutionSignaledEventAttributes(signal)
        };
        let update = |id: &str| {
            let meta = Some(Meta {
                update_id: id.to_owned(),
                ..Meta::default()
            });
            let update = WorkflowExecutionUpdateAcceptedEventAttributes {
                accepted_request: Some(Request {
                    meta,
                    ..Request::default()
                }),
                ..Default::default()
            };
            Attributes::WorkflowExecutionUpdateAcceptedEventAttributes(update)
        };
        let key = "/temporal/shopify:1";
        for (attributes, expected) in [
            (signal(key, None), true),
            (signal("", Some(key)), true),
            (
                signal("/temporal/shopify:11", Some("/temporal/shopify:12")),
                false,
            ),
            (signal("", None), false),
            (update(key), true),
            (update("/temporal/shopify:2"), false),
        ] {
            let event = HistoryEvent {
                attributes: Some(attributes),
                ..HistoryEvent::default()
            };
            let found = event_key(&event).is_some_and(|found| found == key);
            assert_eq!(found, expected, "{event:?}");
        }
    }
}
