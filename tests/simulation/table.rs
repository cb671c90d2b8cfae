//! The model answers what the real server answers: the same calls on both.

mod call;
mod worker;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use temporalio_client::callback_based::{CallbackBasedGrpcService, GrpcSuccessResponse};
use temporalio_client::{Connection, ConnectionOptions, Url};
use temporalio_common::protos::temporal::api::enums::v1::{
    WorkflowIdConflictPolicy as Conflict, WorkflowIdReusePolicy as Reuse,
};
use tokio::time::sleep_until;
use uuid::Uuid;

use self::call::Side;
use super::model::{Model, Rules, Said};
use super::random::Random;
use crate::support::temporal::Temporal;

/// What is asked, of the workflow of this id.
#[derive(Debug, Clone, Copy)]
enum Ask {
    /// With this request id and these policies.
    Start(&'static str, &'static str, Reuse, Conflict),
    Signal(&'static str, &'static str),
    SignalWithStart(&'static str, &'static str, Reuse),
    /// With this update id.
    Update(&'static str, &'static str),
    Terminate(&'static str),
    Describe(&'static str),
    /// How many events of signals and updates.
    History(&'static str),
    StartElsewhere,
    StartLongId,
    StartLarge,
    StartWithAttribute,
}

const ROWS: [&[Ask]; 9] = {
    use Ask::{
        Describe, History, Signal, SignalWithStart, Start, StartElsewhere, StartLarge, StartLongId,
        StartWithAttribute, Terminate, Update,
    };
    use Conflict::{Fail, TerminateExisting, UseExisting};
    use Reuse::{AllowDuplicate, RejectDuplicate};
    [
        // Running: another request, the same; closed: another, the same, and one that may.
        &[
            Start("a", "1", RejectDuplicate, UseExisting),
            Start("a", "2", RejectDuplicate, UseExisting),
            Start("a", "1", RejectDuplicate, UseExisting),
            Start("a", "3", RejectDuplicate, Fail),
            Describe("a"),
            Terminate("a"),
            Start("a", "4", RejectDuplicate, UseExisting),
            Start("a", "1", RejectDuplicate, UseExisting),
            Start("a", "5", AllowDuplicate, UseExisting),
            Start("a", "6", RejectDuplicate, UseExisting),
            Describe("a"),
        ],
        &[
            Start("b", "1", AllowDuplicate, UseExisting),
            Start("b", "2", AllowDuplicate, TerminateExisting),
            Describe("b"),
        ],
        &[
            SignalWithStart("c", "1", AllowDuplicate),
            SignalWithStart("c", "1", AllowDuplicate),
            SignalWithStart("c", "2", AllowDuplicate),
            History("c"),
            Signal("c", "2"),
            Signal("c", "3"),
            History("c"),
            Terminate("c"),
            Signal("c", "4"),
            SignalWithStart("c", "5", AllowDuplicate),
            History("c"),
        ],
        &[
            SignalWithStart("d", "1", RejectDuplicate),
            Terminate("d"),
            SignalWithStart("d", "2", RejectDuplicate),
            History("d"),
        ],
        &[
            Signal("e", "1"),
            Describe("e"),
            History("e"),
            Terminate("e"),
            Start("e", "1", RejectDuplicate, UseExisting),
            Signal("e", "1"),
            Signal("e", "1"),
            History("e"),
        ],
        &[
            Update("f", "1"),
            Update("f", "1"),
            Update("f", "2"),
            History("f"),
            Terminate("f"),
            Update("f", "1"),
            History("f"),
            Update("f", "3"),
            Update("f", "1"),
            History("f"),
        ],
        &[StartElsewhere],
        &[StartLongId, StartLarge],
        &[StartWithAttribute],
    ]
};

#[tokio::test(flavor = "multi_thread")]
async fn the_model_answers_as_the_real_server_does() {
    let temporal = Temporal::shared().await;
    let real = temporal.connection().clone();
    // Ids and task queue of this run alone.
    let name = Uuid::new_v4().simple().to_string();
    let working = tokio::spawn(worker::work(real.clone(), name.clone()));
    let model = model().await;
    let (mut real, mut model) = (Side::new(real, &name), Side::new(model, &name));
    let mut asked = 0;
    for row in ROWS {
        let mut before = Vec::new();
        for ask in row {
            let (expected, said) = (real.ask(*ask).await, model.ask(*ask).await);
            assert_eq!(said, expected, "{ask:?}, after {before:#?}");
            before.push((ask, said));
            asked += 1;
        }
    }
    assert!(asked > 40, "{asked}");
    working.abort();
}

/// A connection to it.
async fn model() -> Connection {
    let rules = Rules {
        retention: Duration::from_secs(3600),
        max_signals: 10_000,
        lives: None,
        accepts: Some(Duration::from_millis(20)),
        works: Duration::ZERO,
        workers_from: None,
    };
    let model = Arc::new(Mutex::new(Model::new(rules, Random::new(1))));
    let lock = |model: &Arc<Mutex<Model>>, ask: &dyn Fn(&mut Model) -> Said| {
        ask(&mut model.lock().expect("no holder panics"))
    };
    let callback = move |request: temporalio_client::callback_based::GrpcRequest| {
        let model = Arc::clone(&model);
        let answering = async move {
            let mut said = lock(&model, &|model| model.ask(&request.rpc, &request.proto));
            let proto = loop {
                match said {
                    Said::Now(answer) => break answer?,
                    Said::NotBefore(at, waiting) => {
                        sleep_until(at.expect("there is a worker")).await;
                        said = lock(&model, &|model| model.resume(waiting.clone()));
                    }
                }
            };
            Ok(GrpcSuccessResponse {
                headers: Default::default(),
                proto,
            })
        };
        Box::pin(answering) as _
    };
    let target = Url::parse("http://model:7233").expect("a URL");
    let mut options = ConnectionOptions::new(target)
        .service_override(CallbackBasedGrpcService {
            callback: Arc::new(callback),
        })
        .build();
    options.dns_load_balancing = None;
    Connection::connect(options).await.expect("it answers")
}
