//! A payload as protobuf or JSON, decoded and looked at as `replay` and the codec server do.

use std::time::SystemTime;

use prost::Message;
use serde_json::Map;
use webhook_core::codec::key::Key;
use webhook_core::codec::{Codec, Compression};
use webhook_core::proto::Payload;
use webhook_core::replay::{Argument, StoredEvent, find};

/// Whether there was anything to hold.
pub(crate) fn holds(data: &[u8]) -> bool {
    let mut is_one = false;
    for payload in [
        Payload::decode(data).ok(),
        serde_json::from_slice(data).ok(),
    ] {
        let Some(payload) = payload else { continue };
        is_one = true;
        let bytes = payload.encode_to_vec();
        assert_eq!(bytes.len(), payload.encoded_len());
        assert_eq!(Payload::decode(&*bytes).as_ref(), Ok(&payload));
        let json = serde_json::to_vec(&payload).expect("plain data");
        if let Ok(read) = serde_json::from_slice::<Payload>(&json) {
            assert_eq!(read.data, payload.data);
        }
        decode(payload);
    }
    is_one
}

fn decode(payload: Payload) {
    let key = Key::from_hex("k", "00112233445566778899aabbccddeeff").expect("a key");
    let codec = Codec::new(vec![key]);
    let Ok(plain) = codec.decode(payload) else {
        return;
    };
    for compression in [Compression::None, Compression::Zlib] {
        let sealed = codec.encode(plain.clone(), compression, || [7; 12]);
        assert_eq!(codec.decode(sealed).as_ref(), Ok(&plain));
    }
    for is_dead_letter in [false, true] {
        let found = find(Argument {
            payload: plain.clone(),
            memo: &Map::new(),
            at: SystemTime::UNIX_EPOCH,
            is_dead_letter,
        });
        let Ok(found) = found else { continue };
        found.source();
        if let StoredEvent::Whole(_) | StoredEvent::MaybeTaken(..) = found {
            found.whole().expect("it is the whole request");
        }
    }
}
