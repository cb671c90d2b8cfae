//! The core's payloads as Temporal's own, and back: the only place where one becomes the other. Functions, for both
//! types are of other crates.

use std::collections::BTreeMap;

use prost::Message;
use prost::encoding::{btree_map, message, string};
use temporalio_common::protos::temporal::api::common::v1 as temporal;
use temporalio_common::protos::temporal::api::common::v1::payload::ExternalPayloadDetails;
use webhook_core::proto::{self, Metadata, Payload};

/// By name: a memo's, or search attributes.
pub type Fields = BTreeMap<String, Payload>;

/// For Temporal. Data that nobody else holds are not copied.
pub fn to_temporal(payload: Payload) -> temporal::Payload {
    let metadata = payload.metadata.into_iter();
    let external = payload.external_payloads.into_iter();
    temporal::Payload {
        metadata: metadata
            .map(|it| {
                (
                    String::from_utf8_lossy(&it.name).into_owned(),
                    it.value.into(),
                )
            })
            .collect(),
        data: payload.data.into(),
        external_payloads: external
            .map(|external| ExternalPayloadDetails {
                size_bytes: external.size_bytes,
            })
            .collect(),
    }
}

/// From Temporal; nothing is copied.
pub fn from_temporal(payload: temporal::Payload) -> Payload {
    let external = payload.external_payloads.into_iter();
    let mut metadata: Vec<_> = (payload.metadata.into_iter())
        .map(|(name, value)| Metadata {
            name: name.into(),
            value: value.into(),
        })
        .collect();
    metadata.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    Payload {
        metadata,
        data: payload.data.into(),
        external_payloads: external
            .map(|external| proto::ExternalPayloadDetails {
                size_bytes: external.size_bytes,
            })
            .collect(),
    }
}

/// The fields of a `StartWorkflowExecutionRequest` that are payloads, as a message of their own: a message's
/// fields may come in any order, and written without Temporal's types in between they cost half.
#[derive(Clone, PartialEq, Message)]
pub struct StartPayloads {
    #[prost(message, tag = "5")]
    input: Option<Payloads>,
    #[prost(message, tag = "14")]
    memo: Option<Memo>,
}

#[derive(Clone, PartialEq, Message)]
struct Payloads {
    #[prost(message, repeated, tag = "1")]
    payloads: Vec<Payload>,
}

#[derive(Clone, PartialEq, Message)]
struct Memo {
    #[prost(btree_map = "string, message", tag = "1")]
    fields: Fields,
}

impl StartPayloads {
    /// The one argument, and the memo.
    pub(super) fn new(argument: Payload, memo: Fields) -> Self {
        Self {
            input: Some(Payloads {
                payloads: vec![argument],
            }),
            memo: Some(Memo { fields: memo }),
        }
    }
}

/// The one argument of a call.
pub(super) fn arguments(payload: Payload) -> temporal::Payloads {
    temporal::Payloads {
        payloads: vec![to_temporal(payload)],
    }
}

/// A memo.
pub(super) fn memo(fields: Fields) -> temporal::Memo {
    temporal::Memo {
        fields: map(fields),
    }
}

/// Search attributes; none if there are none.
pub(super) fn search_attributes(fields: Fields) -> Option<temporal::SearchAttributes> {
    (!fields.is_empty()).then(|| temporal::SearchAttributes {
        indexed_fields: map(fields),
    })
}

/// What a workflow has in its memo.
pub(super) fn from_memo(memo: temporal::Memo) -> Fields {
    let fields = memo.fields.into_iter();
    fields
        .map(|(name, payload)| (name, from_temporal(payload)))
        .collect()
}

/// How many bytes the one argument of a call is for Temporal.
pub fn arguments_len(payload: &Payload) -> usize {
    message::encoded_len(1, payload)
}

/// How many bytes a memo is for Temporal.
pub fn memo_len(fields: &Fields) -> usize {
    btree_map::encoded_len(string::encoded_len, message::encoded_len, 1, fields)
}

fn map<M: FromIterator<(String, temporal::Payload)>>(fields: Fields) -> M {
    let fields = fields.into_iter();
    fields
        .map(|(name, payload)| (name, to_temporal(payload)))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use webhook_core::payload;

    use super::*;

    /// One of each kind; what two maps have in two orders would be other bytes.
    fn samples() -> [Payload; 4] {
        let external = proto::ExternalPayloadDetails { size_bytes: -7 };
        [
            Payload::default(),
            payload::text("zoë"),
            Payload::default().with("", "").with("ключ", "\0"),
            Payload {
                external_payloads: vec![external, proto::ExternalPayloadDetails::default()],
                ..Payload::new(b"binary/plain", &b"\x00\xff"[..]).with("a", vec![b'x'; 300])
            },
        ]
    }

    #[test]
    fn each_is_read_as_the_other_with_all_that_it_has() {
        for ours in samples() {
            let theirs = to_temporal(ours.clone());
            let read = temporal::Payload::decode(&*ours.encode_to_vec());
            assert_eq!(read.as_ref(), Ok(&theirs));
            let read = Payload::decode(&*theirs.encode_to_vec()).expect("ours");
            // Temporal's metadata are written in any order.
            assert_eq!(read.encoded_len(), ours.encoded_len());
            assert_eq!(to_temporal(read), theirs);
            assert_eq!(theirs.encoded_len(), ours.encoded_len());
            assert_eq!(from_temporal(theirs.clone()), ours);
            // As proto3 JSON, too.
            let json = serde_json::to_value(&theirs).expect("JSON");
            assert_eq!(serde_json::to_value(&ours).expect("JSON"), json);
            assert_eq!(serde_json::from_value(json.clone()).ok(), Some(ours));
            assert_eq!(serde_json::from_value(json).ok(), Some(theirs));
        }
    }

    #[test]
    fn a_start_written_in_two_parts_is_one_message() {
        use temporalio_common::protos::temporal::api::workflowservice::v1::StartWorkflowExecutionRequest;
        let [_, input, memoed, _] = samples();
        let fields = Fields::from([("a".to_owned(), memoed)]);
        let rest = StartWorkflowExecutionRequest {
            workflow_id: "w".to_owned(),
            identity: "after the input".to_owned(),
            ..StartWorkflowExecutionRequest::default()
        };
        let mut bytes = rest.encode_to_vec();
        let payloads = StartPayloads::new(input.clone(), fields.clone());
        payloads.encode(&mut bytes).expect("it grows");
        let whole = StartWorkflowExecutionRequest {
            input: Some(arguments(input)),
            memo: Some(memo(fields)),
            ..rest
        };
        let read = StartWorkflowExecutionRequest::decode(&*bytes);
        assert_eq!(read.as_ref(), Ok(&whole));
    }

    #[test]
    fn the_sizes_are_those_of_the_messages() {
        let fields: Fields = samples()
            .into_iter()
            .zip(["", "a", "b", "c"])
            .map(|(payload, name)| (name.to_owned(), payload))
            .collect();
        assert_eq!(memo_len(&fields), memo(fields.clone()).encoded_len());
        assert_eq!(from_memo(memo(fields.clone())), fields);
        for payload in samples() {
            let length = arguments(payload.clone()).encoded_len();
            assert_eq!(arguments_len(&payload), length);
        }
        assert_eq!(search_attributes(Fields::new()), None);
        let attributes = search_attributes(fields).expect("some");
        assert_eq!(attributes.indexed_fields.len(), 4);
    }

    #[test]
    fn the_data_of_a_new_payload_are_handed_over() {
        let data = serde_json::to_vec(&json!("a".repeat(100))).expect("JSON");
        let address = data.as_ptr();
        let theirs = to_temporal(Payload::new(b"json/plain", data));
        assert_eq!(theirs.data.as_ptr(), address);
        assert_eq!(from_temporal(theirs).data.as_ptr(), address);
    }
}
