//! From a plan to a call of Temporal: the event in its format, everything compressed and sealed.

use std::cell::RefCell;

use uuid::Uuid;
use webhook_core::codec::Compression;
use webhook_core::codec::key::NONCE;
use webhook_core::event::Event;
use webhook_core::proto::Payload;
use webhook_core::route::{Call, Verb};
use webhook_core::{index, payload};

use crate::forward::settings::Settings;
use crate::temporal;
use crate::temporal::payload::Fields;

/// The call with the event as its argument.
pub fn with_event(
    settings: &Settings,
    call: Call,
    event: &Event,
    key: String,
) -> Box<temporal::Call> {
    let argument = payload::encode(call.format, event);
    with_argument(settings, call, argument, event, key)
}

/// The call with this argument. Temporal takes no signal or update twice whose event key it has seen.
pub fn with_argument(
    settings: &Settings,
    call: Call,
    argument: Payload,
    event: &Event,
    event_key: String,
) -> Box<temporal::Call> {
    let sealer = Sealer::new(settings);
    let sealed = |payload| sealer.encode(payload, Compression::None);
    // A signal starts nothing that could have them, and each takes a nonce.
    let starts = !matches!(call.verb, Verb::Signal { .. });
    let memo = call.memo.into_iter().filter(|_| starts);
    let search_attributes = call.search_attributes.into_iter();
    let index = (settings.index && starts).then(|| index(event));
    let text = |text: String| starts.then(|| sealed(payload::text(&text)));
    Box::new(temporal::Call {
        input: sealer.encode(argument, call.compression),
        memo: memo
            .map(|(name, value)| (name, sealed(payload::value(&value))))
            .collect(),
        search_attributes: search_attributes
            .map(|(name, value)| (name, payload::value(&value)))
            .collect(),
        index: index.unwrap_or_default(),
        verb: call.verb,
        workflow_id: call.workflow_id,
        workflow_type: call.workflow_type,
        task_queue: call.task_queue,
        options: call.options.encode(text),
        request_id: Uuid::new_v4().to_string(),
        event_key,
        trace: None,
    })
}

/// The search attributes of our own that the event has.
fn index(event: &Event) -> Fields {
    let fields = index::NAMES.into_iter().zip(index::values(event));
    fields
        .filter_map(|(name, value)| Some((name.to_owned(), payload::text(&value?))))
        .collect()
}

/// Encodes the payloads of one call.
struct Sealer<'a> {
    settings: &'a Settings,
    nonces: RefCell<Nonces>,
}

impl<'a> Sealer<'a> {
    const fn new(settings: &'a Settings) -> Self {
        let nonces = RefCell::new(Nonces::new());
        Self { settings, nonces }
    }

    fn encode(&self, payload: Payload, compression: Compression) -> Payload {
        let nonce = || {
            self.settings.seals.increment(1);
            self.nonces.borrow_mut().next()
        };
        self.settings.codec.encode(payload, compression, nonce)
    }
}

/// Drawn together: a draw costs as much as to seal a short payload.
struct Nonces {
    bytes: [u8; DRAWN],
    /// Bytes that were given to nobody yet.
    left: usize,
}

impl Nonces {
    /// None drawn yet.
    const fn new() -> Self {
        Self {
            bytes: [0; DRAWN],
            left: 0,
        }
    }

    fn next(&mut self) -> [u8; NONCE] {
        if self.left < NONCE {
            fill(&mut self.bytes);
            self.left = DRAWN;
        }
        let mut nonce = [0; NONCE];
        nonce.copy_from_slice(&self.bytes[self.left - NONCE..self.left]);
        self.left -= NONCE;
        nonce
    }
}

/// A nonce that was never used before.
pub fn nonce() -> [u8; NONCE] {
    let mut nonce = [0; NONCE];
    fill(&mut nonce);
    nonce
}

fn fill(bytes: &mut [u8]) {
    aws_lc_rs::rand::fill(bytes).expect("the system gives random numbers");
}

/// As much as an event with its memo needs, in bytes.
const DRAWN: usize = 8 * NONCE;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_nonce_is_given_twice() {
        let mut nonces = Nonces::new();
        let drawn: HashSet<_> = (0..100).map(|_| nonces.next()).collect();
        assert_eq!(drawn.len(), 100);
    }
}
