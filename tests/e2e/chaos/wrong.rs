//! The ledger is red where it must be: forwarders that lie, and Temporals that are asked for the wrong thing.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Response};
use prost::Message;
use temporalio_common::protos::temporal::api::enums::v1::WorkflowIdReusePolicy;
use temporalio_common::protos::temporal::api::workflowservice::v1::StartWorkflowExecutionRequest;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::sleep;
use uuid::Uuid;

use super::Scale;
use super::ledger::Ledger;
use super::load::Load;
use super::replicas::{Doors, Replicas};
use crate::support::delivery::Delivery;
use crate::support::forwarder::{Forwarder, ForwarderConfig};
use crate::support::grpc::{Meddler, between, framed, unframed};
use crate::support::proxy::ChaosProxy;
use crate::support::sender::Sender;
use crate::support::temporal::Temporal;
use crate::support::wait::run;

#[test]
fn the_ledger_finds_events_that_were_acked_before_temporal_had_them() {
    run(async {
        let mut proxy = ChaosProxy::start(Temporal::shared().await.address()).await;
        let mut forwarder = Forwarder::start(ForwarderConfig {
            endpoint: Some(proxy.address()),
            tls: false,
            ..ForwarderConfig::default()
        })
        .await;
        let liar = acks_first(&forwarder).await;
        let doors = Doors::to(vec![Sender::plain(&liar)]);
        proxy.refuse().await;
        let load = Load::of(doors).await;
        let ledger = Arc::clone(&load.ledger);
        let running = load.start("acked first", BRIEF);
        sleep(BRIEF.length).await;
        running.finish().await;
        forwarder.kill();
        found("lost: ", "was acked and Temporal has no such", &ledger).await;
    });
}

#[test]
fn the_ledger_finds_request_ids_that_are_made_of_the_event() {
    run(async {
        let changed = meddled(|start| start.request_id.clone_from(&start.workflow_id)).await;
        found("twice: ", "was said to have been started twice", &changed).await;
    });
}

#[test]
fn the_ledger_finds_a_second_run_of_what_has_ended() {
    run(async {
        let changed = meddled(|start| {
            start.set_workflow_id_reuse_policy(WorkflowIdReusePolicy::AllowDuplicate);
        })
        .await;
        found("twice: ", "has the runs", &changed).await;
    });
}

#[test]
fn the_ledger_finds_what_is_late_cut_or_stays_away() {
    run(async {
        let strict = Scale {
            answer: Duration::from_millis(400),
            ..BRIEF
        };
        let forwarder = Forwarder::start(ForwarderConfig {
            tls: false,
            ..ForwarderConfig::default()
        })
        .await;
        let mut slow = ChaosProxy::start(forwarder.public.to_string()).await;
        slow.delay(Duration::from_millis(300)).await;
        let load = Load::of(Doors::to(vec![Sender::plain(&slow.address())])).await;
        let load = Load {
            ledger: Arc::new(Ledger::new(strict)),
            ..load
        };
        let order = Delivery::order();
        load.ledger.sent(&order.id);
        assert!(load.attempt(0, 0, &order).await);
        load.ledger.returned();
        let cut = Load {
            doors: Arc::new(Doors::to(vec![Sender::plain(&cuts_its_answers().await)])),
            ..load.clone()
        };
        assert!(!cut.attempt(0, 0, &order).await);
        for (kind, what) in [
            ("late: ", "was answered 200 after"),
            ("late: ", "was never back"),
            ("cut: ", "the answer to"),
        ] {
            found(kind, what, &load.ledger).await;
        }
    });
}

/// The ledger of real forwarders, whose starts are changed on their way.
async fn meddled(change: fn(&mut StartWorkflowExecutionRequest)) -> Arc<Ledger> {
    let temporal = Temporal::shared().await;
    let endpoint = between(temporal.address(), Changes(change)).await;
    let doors = Doors::default();
    let _replicas = Replicas::start(endpoint, &doors).await;
    let load = Load::of(doors).await;
    let ledger = Arc::clone(&load.ledger);
    let running = load.start("meddled", BRIEF);
    sleep(BRIEF.length).await;
    running.finish().await;
    ledger
}

async fn found(kind: &str, what: &str, ledger: &Ledger) {
    let faults = ledger.faults(Temporal::shared().await).await;
    let mut like_it = faults.iter().filter(|fault| fault.starts_with(kind));
    assert!(like_it.any(|fault| fault.contains(what)), "{faults:#?}");
}

impl Load {
    async fn of(doors: Doors) -> Self {
        Self {
            ledger: Arc::new(Ledger::new(BRIEF)),
            doors: Arc::new(doors),
            temporal: Temporal::shared().await.connection().clone(),
            kills: false,
        }
    }
}

struct Changes(fn(&mut StartWorkflowExecutionRequest));

impl Meddler for Changes {
    fn asked(&self, call: &str, message: Bytes) -> Bytes {
        if call != "StartWorkflowExecution" {
            return message;
        }
        let start = StartWorkflowExecutionRequest::decode(unframed(&message));
        let mut start = start.expect("the message of this call");
        self.0(&mut start);
        framed(&start.encode_to_vec())
    }
}

/// Says 200 at once, and then hands the webhook on, once.
async fn acks_first(forwarder: &Forwarder) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("it is bound").to_string();
    let onward = format!("http://{}", forwarder.public);
    let router = Router::new().fallback(ack).with_state(onward);
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

async fn ack(State(onward): State<String>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let id = headers["x-shopify-webhook-id"].to_str().expect("text");
    let run = Uuid::new_v4();
    let said = format!(r#"{{"status":"started","workflow_id":"{id}","run_id":"{run}"}}"#);
    let request = reqwest::Client::new().post(format!("{onward}{uri}"));
    let request = request.headers(headers).body(body);
    tokio::spawn(async move { request.send().await });
    ([("x-request-id", "a-lie")], said).into_response()
}

/// Half of each answer.
async fn cuts_its_answers() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("it is bound").to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let asked = stream.read(&mut [0; 4096]).await;
            assert!(asked.is_ok_and(|count| count > 0), "a request");
            let half = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"status\":";
            stream.write_all(half).await.ok();
            sleep(Duration::from_millis(100)).await;
        }
    });
    address
}

/// Long enough for what is wrong to be seen.
const BRIEF: Scale = Scale {
    length: Duration::from_millis(1500),
    rate: 30,
    calm: Duration::ZERO,
    fault: Duration::ZERO,
    answer: Duration::from_secs(60),
    recovery: Duration::from_secs(60),
};
