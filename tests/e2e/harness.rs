//! The harness itself: the proxy breaks what it says, the worker opens what Temporal's codec seals.

use std::time::{Duration, Instant};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use prost::Message;
use serde_json::Value;
use temporalio_client::tonic::IntoRequest;
use temporalio_common::protos::temporal::api::common::v1::{Payload, Payloads, WorkflowType};
use temporalio_common::protos::temporal::api::taskqueue::v1::TaskQueue;
use temporalio_common::protos::temporal::api::workflowservice::v1::StartWorkflowExecutionRequest;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use uuid::Uuid;

use crate::support::forwarder::AES;
use crate::support::history::{metadata, open};
use crate::support::proxy::ChaosProxy;
use crate::support::temporal::Temporal;
use crate::support::wait::{PATIENCE, run};
use crate::support::worker::PythonWorker;

#[test]
fn the_python_worker_opens_what_the_test_seals_and_the_test_opens_its_result() {
    run(async {
        let temporal = Temporal::shared().await;
        let mut worker = PythonWorker::start(&temporal.address(), "harness", Some(AES));
        let event = r#"{"headers":{"x-shopify-topic":"a"},"data":{"id":820982911946154508}}"#;
        let id = Uuid::new_v4().to_string();
        start(temporal, &id, seal(event)).await;

        let started = temporal.started(&id).await;
        assert_eq!(started.workflow_type, "ShopifyWebhook");
        assert_eq!(open(&started.input[0], AES.1, AES.0).data, event.as_bytes());

        let result = open(&temporal.result(&id, &mut worker).await, AES.1, AES.0);
        assert_eq!(metadata(&result)["encoding"], "json/plain");
        let json = |bytes: &[u8]| -> Value { serde_json::from_slice(bytes).expect("JSON") };
        assert_eq!(json(&result.data), json(event.as_bytes()));
        assert_eq!(temporal.runs(&id, 1).await.len(), 1);
    });
}

#[test]
fn the_proxy_breaks_the_network_and_mends_it() {
    run(async {
        let mut proxy = ChaosProxy::refusing(echo().await);
        assert!(TcpStream::connect(proxy.address()).await.is_err());

        proxy.pass().await;
        let mut stream = TcpStream::connect(proxy.address())
            .await
            .expect("it passes");
        assert!(echoes(&mut stream).await);

        proxy.hold().await;
        assert!(is_mute(&mut stream).await);
        proxy.pass().await;
        let mut late = [0; 4];
        stream.read_exact(&mut late).await.expect("held bytes come");

        proxy.delay(Duration::from_secs(60)).await;
        assert!(is_mute(&mut stream).await);
        proxy.pass().await;
        stream.read_exact(&mut late).await.expect("late bytes come");
        proxy.delay(Duration::from_millis(50)).await;
        let began = Instant::now();
        assert!(echoes(&mut stream).await);
        assert!(
            began.elapsed() >= Duration::from_millis(100),
            "there and back"
        );

        proxy.throttle(1000).await;
        let began = Instant::now();
        stream.write_all(&[0; 500]).await.expect("it is open");
        stream.read_exact(&mut [0; 500]).await.expect("an answer");
        assert!(
            began.elapsed() >= Duration::from_millis(400),
            "half a second"
        );
        proxy.pass().await;

        proxy.black_hole().await;
        assert!(is_mute(&mut stream).await);
        proxy.pass().await;
        assert!(is_mute(&mut stream).await, "lost bytes stay lost");
        proxy.cut();
        assert_eq!(stream.read(&mut late).await.ok().unwrap_or(0), 0, "cut");

        let mut stream = TcpStream::connect(proxy.address())
            .await
            .expect("it passes");
        assert!(echoes(&mut stream).await);
        proxy.refuse().await;
        assert_eq!(stream.read(&mut late).await.ok().unwrap_or(0), 0, "cut");
        assert!(TcpStream::connect(proxy.address()).await.is_err());
    });
}

async fn echo() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("it is bound").to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut read, mut write) = stream.split();
                tokio::io::copy(&mut read, &mut write).await.ok();
            });
        }
    });
    address
}

async fn echoes(stream: &mut TcpStream) -> bool {
    echo_within(stream, PATIENCE).await
}

async fn is_mute(stream: &mut TcpStream) -> bool {
    !echo_within(stream, Duration::from_millis(200)).await
}

async fn echo_within(stream: &mut TcpStream, bound: Duration) -> bool {
    stream.write_all(b"ping").await.expect("it is open");
    let mut answer = [0; 4];
    let read = tokio::time::timeout(bound, stream.read_exact(&mut answer)).await;
    matches!(read, Ok(Ok(_))) && answer == *b"ping"
}

fn seal(json: &str) -> Payload {
    let encoding = |text: &str| [("encoding".to_owned(), text.as_bytes().to_vec())];
    let inside = Payload {
        metadata: encoding("json/plain").into(),
        data: json.into(),
        ..Default::default()
    };
    let key = hex::decode(AES.0).expect("hex");
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).expect("32 bytes"));
    let nonce = b"only-a-nonce";
    let mut data = inside.encode_to_vec();
    key.seal_in_place_append_tag(
        Nonce::assume_unique_for_key(*nonce),
        Aad::empty(),
        &mut data,
    )
    .expect("it seals");
    let mut sealed = Payload {
        metadata: encoding("binary/encrypted").into(),
        data: [nonce.as_slice(), &data].concat(),
        ..Default::default()
    };
    let key_id = AES.1.as_bytes().to_vec();
    sealed
        .metadata
        .insert("encryption-key-id".to_owned(), key_id);
    sealed
}

async fn start(temporal: &Temporal, id: &str, input: Payload) {
    let request = StartWorkflowExecutionRequest {
        namespace: "default".to_owned(),
        workflow_id: id.to_owned(),
        workflow_type: Some(WorkflowType {
            name: "ShopifyWebhook".to_owned(),
        }),
        task_queue: Some(TaskQueue {
            name: "harness".to_owned(),
            ..Default::default()
        }),
        input: Some(Payloads {
            payloads: vec![input],
        }),
        request_id: id.to_owned(),
        ..Default::default()
    };
    let mut service = temporal.connection().workflow_service();
    let started = service.start_workflow_execution(request.into_request());
    assert!(
        started
            .await
            .expect("Temporal starts it")
            .into_inner()
            .started
    );
}
