//! A Temporal that says its namespace's limits, as newer servers do: everything goes to the real
//! one, and into what that says of a namespace two numbers are put.

use bytes::Bytes;
use prost::Message;
use temporalio_common::protos::temporal::api::namespace::v1::{NamespaceInfo, namespace_info};
use temporalio_common::protos::temporal::api::workflowservice::v1::DescribeNamespaceResponse;
use tokio::sync::watch;

use super::grpc::{Meddler, between, framed, unframed};

/// What the namespace says from now on: the limits of a payload and of a memo, in bytes.
pub(crate) type Said = watch::Sender<(i64, i64)>;

/// Its address, and where to change what it says.
pub(crate) async fn saying(target: String, payload: i64, memo: i64) -> (String, Said) {
    let said = Said::new((payload, memo));
    let address = between(target, Says(said.subscribe())).await;
    (address, said)
}

/// The address of one that says no limits, as the one of 1.29 does.
pub(crate) async fn silent(target: String) -> String {
    between(target, SaysNothing).await
}

struct SaysNothing;

impl Meddler for SaysNothing {
    fn said(&self, call: &str, message: Bytes) -> Bytes {
        if call != "DescribeNamespace" {
            return message;
        }
        let described = DescribeNamespaceResponse::decode(unframed(&message));
        let mut described = described.expect("the message of this call");
        if let Some(info) = &mut described.namespace_info {
            info.limits = None;
        }
        framed(&described.encode_to_vec())
    }
}

struct Says(watch::Receiver<(i64, i64)>);

impl Meddler for Says {
    fn said(&self, call: &str, message: Bytes) -> Bytes {
        match call {
            "DescribeNamespace" => with_limits(&message, *self.0.borrow()),
            _ => message,
        }
    }
}

/// The same message with more at its end, which protobuf reads into what is before.
fn with_limits(body: &Bytes, (payload, memo): (i64, i64)) -> Bytes {
    let limits = namespace_info::Limits {
        blob_size_limit_error: payload,
        memo_size_limit_error: memo,
        ..Default::default()
    };
    let more = DescribeNamespaceResponse {
        namespace_info: Some(NamespaceInfo {
            limits: Some(limits),
            ..Default::default()
        }),
        ..Default::default()
    };
    framed(&[&unframed(body)[..], &more.encode_to_vec()].concat())
}
