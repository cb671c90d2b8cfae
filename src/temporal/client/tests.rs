//! What becomes of a call, by what Temporal answers: what the real one seldom says, too.

use std::sync::atomic::{AtomicUsize, Ordering};

use prost::Name;
use temporalio_common::protos::google::rpc;
use temporalio_common::protos::temporal::api::common::v1::{Header, Payloads, WorkflowExecution};
use temporalio_common::protos::temporal::api::enums::v1::UpdateWorkflowExecutionLifecycleStage as Stage;
use temporalio_common::protos::temporal::api::errordetails::v1::{
    NamespaceNotFoundFailure, WorkflowExecutionAlreadyStartedFailure,
};
use temporalio_common::protos::temporal::api::failure::v1::Failure;
use temporalio_common::protos::temporal::api::history::v1::{
    History, HistoryEvent, WorkflowExecutionSignaledEventAttributes, history_event::Attributes,
};
use temporalio_common::protos::temporal::api::update::v1::{self as update, UpdateRef, outcome};
use temporalio_common::protos::temporal::api::workflowservice::v1::execute_multi_operation_response::{
    self, response,
};
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    DescribeNamespaceResponse, ExecuteMultiOperationResponse,
    GetWorkflowExecutionHistoryResponse, PollWorkflowExecutionUpdateResponse,
    StartWorkflowExecutionResponse,
    UpdateWorkflowExecutionResponse,
};
use tonic::Code;
use webhook_core::action::{OnLate, Respond};
use webhook_core::options::Options;
use webhook_core::payload;

use super::*;
use crate::temporal::payload::to_temporal;
use crate::temporal::request::EVENT_KEY;
use crate::temporal::stub::{Answer, Stub};

#[tokio::test]
async fn an_update_is_taken_when_its_workflow_has_accepted_it_and_not_before() {
    for (stage, expected) in [
        (Stage::Unspecified, None),
        (Stage::Admitted, None),
        (Stage::Accepted, Some("updated")),
        (Stage::Completed, Some("updated")),
    ] {
        let stub = Stub::with_script(move |_, _| Answer::message(&at_stage(stage, None))).await;
        let done = stub
            .client
            .call(update_with_start(Respond::Accepted, OnLate::Retry), soon());
        match (done.await, expected) {
            (Ok(Done::Outcome(outcome)), Some(expected)) => assert_eq!(outcome.label(), expected),
            (Err(Reject::Unavailable(reason)), None) => {
                assert!(
                    reason.starts_with("no worker accepted update `u` on q"),
                    "{reason}"
                );
            }
            (other, _) => panic!("{stage:?}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_result_is_waited_for_and_what_comes_too_late_is_as_the_route_says() {
    let result = |n| update::Outcome {
        value: Some(outcome::Value::Success(Payloads {
            payloads: vec![to_temporal(payload::text(n))],
        })),
    };
    // There is none yet, twice: the server waits for less than the deadline.
    let stub = Stub::with_script(move |method, before| match (method, before) {
        ("ExecuteMultiOperation", _) => Answer::message(&at_stage(Stage::Accepted, None)),
        (_, 0 | 1) => Answer::message(&PollWorkflowExecutionUpdateResponse::default()),
        _ => Answer::message(&PollWorkflowExecutionUpdateResponse {
            outcome: Some(result("late")),
            ..Default::default()
        }),
    })
    .await;
    let done = stub
        .client
        .call(update_with_start(Respond::Result, OnLate::Retry), in_time());
    let expected = Done::Result(execution("run"), Some(payload::text("late")));
    assert_eq!(done.await, Ok(expected));
    assert_eq!(stub.calls("PollWorkflowExecutionUpdate"), 3);

    // It was there with the acceptance.
    let at_once = Some(result("at once"));
    let stub = Stub::with_script(move |_, _| {
        Answer::message(&at_stage(Stage::Completed, at_once.clone()))
    })
    .await;
    let done = stub
        .client
        .call(update_with_start(Respond::Result, OnLate::Retry), in_time());
    let expected = Done::Result(execution("run"), Some(payload::text("at once")));
    assert_eq!(done.await, Ok(expected));
    assert_eq!(stub.calls("PollWorkflowExecutionUpdate"), 0);

    for on_late in [OnLate::Accept, OnLate::Retry] {
        let stub = Stub::with_script(|method, _| match method {
            "ExecuteMultiOperation" => Answer::message(&at_stage(Stage::Accepted, None)),
            _ => Answer::Nothing,
        })
        .await;
        let done = stub
            .client
            .call(update_with_start(Respond::Result, on_late), soon())
            .await;
        match on_late {
            OnLate::Accept => {
                assert_eq!(done, Ok(Done::Outcome(Outcome::Accepted(execution("run")))));
            }
            OnLate::Retry => assert_eq!(label(done), "unavailable"),
        }
    }
}

#[tokio::test]
async fn an_update_that_its_workflow_fails_is_refused() {
    let failed = update::Outcome {
        value: Some(outcome::Value::Failure(Failure::default())),
    };
    for respond in [Respond::Result, Respond::Accepted] {
        let failed = Some(failed.clone());
        let stub = Stub::with_script(move |_, _| {
            Answer::message(&at_stage(Stage::Completed, failed.clone()))
        })
        .await;
        let done = stub
            .client
            .call(update_with_start(respond, OnLate::Accept), in_time());
        assert_eq!(label(done.await), "refused", "{respond:?}");
    }
}

#[tokio::test]
async fn a_missing_workflow_is_as_the_route_says_and_a_missing_namespace_is_not() {
    for (on_missing, expected) in [
        (OnMissing::Retry, "unavailable"),
        (OnMissing::DeadLetter, "malformed"),
        (OnMissing::Drop, "dropped"),
    ] {
        let stub = failing(|| Status::not_found("workflow not found")).await;
        assert_eq!(
            label(stub.client.call(signal(on_missing), in_time()).await),
            expected
        );
        let stub = failing(no_namespace).await;
        assert_eq!(
            label(stub.client.call(signal(on_missing), in_time()).await),
            "refused"
        );
    }
}

#[tokio::test]
async fn whoever_looks_for_a_workflow_hears_of_a_missing_namespace() {
    let stub = failing(|| Status::not_found("workflow not found")).await;
    assert_eq!(stub.client.started("w", in_time()).await, Ok(None));
    assert_eq!(
        stub.client.type_of(&execution("r"), in_time()).await,
        Ok(None)
    );
    let stub = failing(no_namespace).await;
    for found in [
        stub.client.started("w", in_time()).await.map(drop),
        stub.client
            .type_of(&execution("r"), in_time())
            .await
            .map(drop),
    ] {
        assert_eq!(found.expect_err("nobody can know").row().label, "refused");
    }
}

#[tokio::test]
async fn it_is_ready_as_long_as_temporal_says_so_whatever_was_before() {
    let now = Arc::new(AtomicUsize::new(0));
    let state = Arc::clone(&now);
    let stub = Stub::with_script(move |_, _| match state.load(Ordering::Relaxed) {
        0 => Answer::message(&DescribeNamespaceResponse::default()),
        1 => Answer::Status(Status::unavailable("shutting down")),
        2 => Answer::Status(no_namespace()),
        _ => Answer::Nothing,
    })
    .await;
    let mut seen = Vec::new();
    for state in [0, 1, 2, 0, 1, 3] {
        now.store(state, Ordering::Relaxed);
        seen.push(stub.client.ready().await.is_ok());
    }
    assert_eq!(seen, [true, false, false, true, false, false]);
}

#[tokio::test]
async fn a_start_is_started_or_a_duplicate_of_what_is_there() {
    let answer = |started| StartWorkflowExecutionResponse {
        run_id: "run".to_owned(),
        started,
        ..Default::default()
    };
    for (started, expected) in [
        (true, Outcome::Started(execution("run"))),
        (false, Outcome::Duplicate(execution("run"))),
    ] {
        let stub = Stub::with_script(move |_, _| Answer::message(&answer(started))).await;
        let done = stub.client.call(call(Verb::Start), in_time()).await;
        assert_eq!(done, Ok(Done::Outcome(expected)));
    }
    let stub = failing(already_started).await;
    let done = stub.client.call(call(Verb::Start), in_time()).await;
    assert_eq!(
        done,
        Ok(Done::Outcome(Outcome::Duplicate(execution("closed"))))
    );
}

#[tokio::test]
async fn what_is_over_in_a_moment_is_tried_again_and_overload_is_not() {
    let stub = Stub::with_script(|_, before| match before {
        0 | 1 => Answer::Status(Status::unavailable("failing over")),
        _ => Answer::message(&StartWorkflowExecutionResponse {
            started: true,
            ..Default::default()
        }),
    })
    .await;
    assert_eq!(
        label(stub.client.call(call(Verb::Start), in_time()).await),
        "started"
    );
    assert!(stub.calls(START) >= 3);

    for (status, expected) in [
        (
            Status::resource_exhausted("namespace rate limit exceeded"),
            "unavailable",
        ),
        (Status::invalid_argument("no such thing"), "malformed"),
        (Status::permission_denied("no"), "refused"),
    ] {
        let stub = failing(move || status.clone()).await;
        assert_eq!(
            label(stub.client.call(call(Verb::Start), in_time()).await),
            expected
        );
        // A call that is late is made once more on another connection.
        assert!(stub.calls(START) <= 2, "{expected}");
    }
}

#[tokio::test]
async fn who_says_nothing_or_fails_for_ever_is_unavailable_at_the_deadline() {
    let stub = Stub::with_script(|_, _| Answer::Nothing).await;
    for verb in [
        Verb::Start,
        Verb::SignalWithStart { signal: "s".into() },
        signal(OnMissing::Drop).verb,
        update_with_start(Respond::Result, OnLate::Accept).verb,
    ] {
        let done = stub.client.call(call(verb.clone()), soon()).await;
        assert_eq!(label(done), "unavailable", "{verb:?}");
    }
    assert!(stub.client.started("w", soon()).await.is_err());
    let stub = failing(|| Status::unavailable("for ever")).await;
    assert_eq!(
        label(stub.client.call(call(Verb::Start), soon()).await),
        "unavailable"
    );
    assert!(stub.calls(START) > 1);
}

#[tokio::test]
async fn a_closed_workflow_has_taken_the_event_or_not_or_nobody_knows() {
    let event = |key: &str| HistoryEvent {
        attributes: Some(Attributes::WorkflowExecutionSignaledEventAttributes(
            WorkflowExecutionSignaledEventAttributes {
                header: Some(Header {
                    fields: [(EVENT_KEY.to_owned(), to_temporal(payload::text(key)))].into(),
                }),
                ..Default::default()
            },
        )),
        ..Default::default()
    };
    let page = move |key: &str, more: bool| GetWorkflowExecutionHistoryResponse {
        history: Some(History {
            events: vec![event(key)],
        }),
        next_page_token: if more { b"more".to_vec() } else { Vec::new() },
        ..Default::default()
    };
    // On the first page, on the second, on none.
    for (keys, expected) in [
        (["key", "other"], "duplicate"),
        (["other", "key"], "duplicate"),
        (["other", "another"], "malformed"),
    ] {
        let stub = Stub::with_script(move |method, before| match method {
            "GetWorkflowExecutionHistory" => {
                Answer::message(&page(keys[before.min(1)], before == 0))
            }
            _ => Answer::Status(already_started()),
        })
        .await;
        let done = stub.client.call(signal(OnMissing::Drop), in_time()).await;
        if let Err(reject) = &done {
            assert!(
                matches!(reject, Reject::Unstartable(_)),
                "{keys:?}: {reject:?}"
            );
        }
        assert_eq!(label(done), expected, "{keys:?}");
    }
    let stub = Stub::with_script(|method, _| match method {
        "GetWorkflowExecutionHistory" => Answer::Nothing,
        _ => Answer::Status(already_started()),
    })
    .await;
    let done = stub.client.call(signal(OnMissing::Drop), soon()).await;
    let Err(Reject::MaybeTaken(run, _)) = done else {
        panic!("nobody knows: {done:?}");
    };
    assert_eq!(run, execution("closed"));
}

#[tokio::test]
async fn a_full_workflow_may_have_taken_the_event_and_other_refusals_have_not() {
    let full = || Status::invalid_argument("exceeded workflow execution limit for signal events");
    let stub = failing(full).await;
    let done = stub.client.call(signal(OnMissing::Drop), in_time()).await;
    assert!(matches!(done, Err(Reject::MaybeTaken(..))), "{done:?}");
    let stub = failing(|| Status::invalid_argument("no such thing")).await;
    let done = stub.client.call(signal(OnMissing::Drop), in_time()).await;
    assert!(matches!(done, Err(Reject::Unstartable(_))), "{done:?}");
}

/// Knows its namespace, and fails at all else.
async fn failing(status: impl Fn() -> Status + Send + Sync + 'static) -> Stub {
    Stub::with_script(move |method, _| match method {
        "DescribeNamespace" => Answer::message(&DescribeNamespaceResponse::default()),
        _ => Answer::Status(status()),
    })
    .await
}

fn at_stage(stage: Stage, outcome: Option<update::Outcome>) -> ExecuteMultiOperationResponse {
    let update = UpdateWorkflowExecutionResponse {
        update_ref: Some(UpdateRef {
            workflow_execution: Some(WorkflowExecution {
                workflow_id: "w".to_owned(),
                run_id: "run".to_owned(),
            }),
            update_id: "key".to_owned(),
        }),
        outcome,
        stage: stage.into(),
        ..Default::default()
    };
    let response = |response| execute_multi_operation_response::Response {
        response: Some(response),
    };
    ExecuteMultiOperationResponse {
        responses: vec![
            response(response::Response::StartWorkflow(Default::default())),
            response(response::Response::UpdateWorkflow(update)),
        ],
    }
}

fn no_namespace() -> Status {
    let namespace = "nowhere".to_owned();
    detailed(Code::NotFound, &NamespaceNotFoundFailure { namespace })
}

fn already_started() -> Status {
    let closed = WorkflowExecutionAlreadyStartedFailure {
        run_id: "closed".to_owned(),
        ..Default::default()
    };
    detailed(Code::AlreadyExists, &closed)
}

fn detailed<T: Message + Name>(code: Code, detail: &T) -> Status {
    let mut details = rpc::Status {
        code: code.into(),
        details: vec![Default::default()],
        ..Default::default()
    };
    details.details[0].type_url = format!("type.googleapis.com/{}", T::full_name());
    details.details[0].value = detail.encode_to_vec();
    Status::with_details(code, "it says why", details.encode_to_vec().into())
}

fn signal(on_missing: OnMissing) -> Box<Call> {
    call(Verb::Signal {
        signal: "s".to_owned(),
        on_missing,
    })
}

fn update_with_start(respond: Respond, on_late: OnLate) -> Box<Call> {
    call(Verb::UpdateWithStart {
        update: "u".to_owned(),
        respond,
        on_late,
    })
}

fn call(verb: Verb) -> Box<Call> {
    Box::new(Call {
        verb,
        workflow_id: "w".to_owned(),
        workflow_type: "T".to_owned(),
        task_queue: "q".to_owned(),
        options: Options::default(),
        input: payload::text("event"),
        memo: Default::default(),
        search_attributes: Default::default(),
        index: Default::default(),
        request_id: "request".to_owned(),
        event_key: "key".to_owned(),
        trace: None,
    })
}

fn execution(run_id: &str) -> Execution {
    Execution {
        workflow_id: "w".to_owned(),
        run_id: run_id.to_owned(),
    }
}

fn label(done: Result<Done, Reject>) -> &'static str {
    match done {
        Ok(Done::Outcome(outcome)) => outcome.label(),
        Ok(Done::Result(..)) => "result",
        Err(reject) => reject.row().label,
    }
}

/// A deadline that nobody is to wait for.
fn in_time() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

/// One that is waited for.
fn soon() -> Instant {
    Instant::now() + Duration::from_secs(1)
}

const START: &str = "StartWorkflowExecution";
