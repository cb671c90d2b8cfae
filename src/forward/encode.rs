//! From a plan to a call of Temporal: the event in its format, everything compressed and sealed.

use uuid::Uuid;
use webhook_core::codec::{Codec, Compression};
use webhook_core::event::Event;
use webhook_core::payload;
use webhook_core::proto::Payload;
use webhook_core::route::{Call, Verb};

use crate::telemetry::SEALS;
use crate::temporal;

/// The call with the event as its argument.
pub fn with_event(codec: &Codec, call: Call, event: &Event, key: String) -> Box<temporal::Call> {
    let argument = payload::encode(call.format, event);
    with_argument(codec, call, argument, key)
}

/// The call with this argument. Temporal takes no signal or update twice whose event key it has seen.
pub fn with_argument(
    codec: &Codec,
    call: Call,
    argument: Payload,
    event_key: String,
) -> Box<temporal::Call> {
    let sealed = |payload| encode(codec, payload, Compression::None);
    // A signal starts nothing that could have them, and each takes a nonce.
    let starts = !matches!(call.verb, Verb::Signal { .. });
    let memo = call.memo.into_iter().filter(|_| starts);
    let memo = memo.map(|(name, value)| (name, sealed(payload::value(&value))));
    let attributes = call.search_attributes.into_iter();
    let attributes = attributes.map(|(name, value)| (name, payload::value(&value)));
    let text = |text: String| starts.then(|| sealed(payload::text(&text)));
    Box::new(temporal::Call {
        input: encode(codec, argument, call.compression),
        memo: memo.collect(),
        search_attributes: attributes.collect(),
        verb: call.verb,
        workflow_id: call.workflow_id,
        workflow_type: call.workflow_type,
        task_queue: call.task_queue,
        options: call.options.encode(text),
        request_id: Uuid::new_v4().to_string(),
        event_key,
    })
}

fn encode(codec: &Codec, payload: Payload, compression: Compression) -> Payload {
    let drawn = || {
        let key = codec.keys().first().map(|key| key.id().to_owned());
        metrics::counter!(SEALS, "key" => key.unwrap_or_default()).increment(1);
        nonce()
    };
    codec.encode(payload, compression, drawn)
}

/// A nonce that was never used before.
pub fn nonce() -> [u8; 12] {
    let mut nonce = [0; 12];
    aws_lc_rs::rand::fill(&mut nonce).expect("the system gives random numbers");
    nonce
}
