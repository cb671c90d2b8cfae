//! Tests of [`Codec`]: forms, layers, keys and limits.

use super::*;
use crate::payload;

fn key(id: &str, byte: &str) -> Key {
    Key::from_hex(id, &byte.repeat(32)).expect("a key")
}

fn codec(keys: &[(&str, &str)]) -> Codec {
    Codec::new(keys.iter().map(|(id, byte)| key(id, byte)).collect())
}

fn long() -> Payload {
    payload::text(&"ab".repeat(40))
}

fn zlib_payload(data: Vec<u8>) -> Payload {
    Payload::new(ZLIB, data)
}

const NONCE: fn() -> [u8; 12] = || [7; 12];

#[test]
fn plain_then_zlib_then_encrypted_and_back() {
    let (none, one) = (Codec::default(), codec(&[("a", "0a")]));
    let drawn = || panic!("nothing is encrypted, so no nonce is drawn");
    assert_eq!(none.encode(long(), Compression::None, drawn), long());

    let compressed = none.encode(long(), Compression::Zlib, drawn);
    assert_eq!(
        *compressed.get("encoding").expect("it says so"),
        "binary/zlib"
    );
    assert_eq!(compressed.metadata.len(), 1);
    assert!(compressed.data.len() < 60, "{compressed:?}");
    assert_eq!(none.decode(compressed.clone()), Ok(long()));

    let both = one.encode(long(), Compression::Zlib, NONCE);
    assert_eq!(
        *both.get("encoding").expect("it says so"),
        "binary/encrypted"
    );
    let inside = one.keys()[0].open(&both.data).expect("it opens");
    assert_eq!(Payload::decode(inside.as_slice()), Ok(compressed));
    assert_eq!(one.decode(both), Ok(long()));
}

#[test]
fn what_zlib_would_make_larger_stays_as_it_is() {
    let short = payload::text("a");
    let encoded = Codec::default().encode(short.clone(), Compression::Zlib, NONCE);
    assert_eq!(encoded, short);
}

#[test]
fn what_independent_implementations_made_is_decoded() {
    // Python: zlib.compress and cryptography's AESGCM over temporalio.api.common.v1.Payload
    let bytes = |hex: &str| hex::decode(hex).expect("hex");
    let key = Key::from_hex("k", &hex::encode((0..32).collect::<Vec<u8>>())).expect("a key");
    let codec = Codec::new(vec![key]);
    let sealed = Payload::new(SEALED, bytes(PYTHON_SEALED_ZLIB)).with(KEY_ID, "k");
    assert_eq!(codec.decode(sealed), Ok(long()));
    for data in [PYTHON_ZLIB, PYTHON_ZLIB_OF_SEALED] {
        assert_eq!(codec.decode(zlib_payload(bytes(data))), Ok(long()));
    }
}

const PYTHON_ZLIB: &str =
    "789ce312e3e248cd4bce4fc9cc4b17e2ca2acecfd32fc849cccc130a524a4ca22e540200ea6426b3";
const PYTHON_SEALED_ZLIB: &str = "090909090909090909090909b90f0233e2f120cbb5605e9eb99dd9a65773ad57757c2cdc71e54a130fd499a46a3da3fd1db33522f8a369374acc33208abd56bb2a7dbc1c6d8e150992624fbcaf05577227512e712ef0a8942b027ae91cb6ef";
const PYTHON_ZLIB_OF_SEALED: &str = "789ce392e1e248cd4bce4fc9cc4b171248cacc4b2caad4070a14551694a4a670897109423999f979bad9a995ba9929428cd9421d8c9c4860271f93f1a38f0aa7b726c4cddb39e7e29eb09a0f7166e99ab719973a707d0c7ba9f64a84e7fac6b9f3fa2f5e7d39872979dea4e322b5622dfc57f45d175f755bc2a86bbed2a96db1d4b212850a9b9367b497ba307dbe3f2faa93676b77d18c2e6bbb8cee3e8e07061b0e0ab397896ab7767406fe7d32e37cacd681febdda0e47aadf03008c064e27";

#[test]
fn the_first_key_encrypts_and_every_key_decrypts() {
    let old = codec(&[("old", "0a")]);
    let both = codec(&[("new", "0b"), ("old", "0a")]);
    let sealed = both.encode(long(), Compression::None, NONCE);
    assert_eq!(*sealed.get(KEY_ID).expect("it says so"), "new");
    assert_eq!(both.decode(sealed.clone()), Ok(long()));
    let unknown = CodecError::UnknownKey("new".into());
    assert_eq!(old.decode(sealed), Err(unknown));
    let sealed = old.encode(long(), Compression::None, NONCE);
    assert_eq!(both.decode(sealed), Ok(long()));
}

#[test]
fn what_was_changed_or_sealed_with_other_bytes_is_an_error_and_no_garbage() {
    let codec_a = codec(&[("k", "0a")]);
    let mut sealed = codec_a.encode(long(), Compression::None, NONCE);
    let broken = Err(CodecError::Broken("k".into()));
    assert_eq!(codec(&[("k", "0b")]).decode(sealed.clone()), broken);
    let mut data = sealed.data.to_vec();
    data[13] ^= 1;
    sealed.data = data.into();
    assert_eq!(codec_a.decode(sealed.clone()), broken);
    sealed.data.truncate(5);
    assert_eq!(codec_a.decode(sealed.clone()), broken);
    sealed.metadata.retain(|entry| entry.name != KEY_ID);
    assert_eq!(codec_a.decode(sealed), Err(CodecError::NoKeyId));
    let no_payload = zlib_payload(zlib::deflate(b"\xff"));
    assert_eq!(codec_a.decode(no_payload), Err(CodecError::NoPayload));
}

#[test]
fn an_unknown_id_is_shown_in_part_and_escaped() {
    let mut sealed = codec(&[("k", "0a")]).encode(long(), Compression::None, NONCE);
    let id = format!("\n{}", "x".repeat(1000));
    sealed = sealed.with(KEY_ID, id);
    let error = codec(&[]).decode(sealed).expect_err("no key");
    let text = error.to_string();
    assert!(text.len() < 160 && text.contains(r"\nxxx"), "{text}");
}

#[test]
fn other_payloads_are_returned_as_they_are() {
    let codec = codec(&[("k", "0a")]);
    for encoding in ["json/plain", "binary/null", "json/encrypted", ""] {
        let payload = long().with("encoding", encoding);
        assert_eq!(codec.decode(payload.clone()), Ok(payload));
    }
    assert_eq!(codec.decode(Payload::default()), Ok(Payload::default()));
}

#[test]
fn layers_are_undone_up_to_a_bound() {
    let codec = codec(&[("k", "0a")]);
    let mut payload = long();
    for layer in 1..=MAX_LAYERS + 1 {
        payload = codec.encode(payload, Compression::None, NONCE);
        let decoded = codec.decode(payload.clone());
        let expected = if layer > MAX_LAYERS {
            Err(CodecError::TooDeep)
        } else {
            Ok(long())
        };
        assert_eq!(decoded, expected, "{layer}");
    }
}

#[test]
fn bombs_are_stopped_alone_and_together() {
    let inflating_to = |bytes: usize| {
        let payload = Payload {
            data: vec![0; bytes].into(),
            ..Payload::default()
        };
        Codec::default().encode(payload, Compression::Zlib, NONCE)
    };
    let codec = Codec::default();
    let bomb = inflating_to(INFLATED_LIMIT);
    assert!(bomb.data.len() < 100_000);
    assert_eq!(codec.decode(bomb), Err(CodecError::TooLarge));
    let third = inflating_to(INFLATED_LIMIT / 3 + 1);
    let fits = codec.decode_each(vec![third.clone(); 2]);
    assert!(fits.iter().all(|(_, problem)| problem.is_none()));
    let mut many = codec.decode_each(vec![third.clone(); 4]);
    let last = many.split_off(2);
    assert_eq!(many, fits);
    let as_it_came = (third, Some(CodecError::TooLarge));
    assert_eq!(last, [as_it_came.clone(), as_it_came], "none after it");
}

#[test]
fn what_does_not_decode_is_given_back_as_it_came_and_the_others_are_decoded() {
    let [ours, other] = ["k", "other"].map(|id| {
        let key = Key::from_hex(id, &"0a".repeat(16)).expect("a key");
        Codec::new(vec![key])
    });
    let plain = payload::text("a");
    let sealed = |codec: &Codec| codec.encode(plain.clone(), Compression::None, NONCE);
    let mut broken = sealed(&ours);
    broken.data.truncate(broken.data.len() - 1);
    // What is known is only the outer of two layers.
    let within = ours.encode(sealed(&other), Compression::None, NONCE);
    let unknown = || Some(CodecError::UnknownKey("other".into()));
    let asked = vec![
        sealed(&other),
        sealed(&ours),
        within.clone(),
        plain.clone(),
        broken.clone(),
    ];
    let expected = vec![
        (sealed(&other), unknown()),
        (plain.clone(), None),
        (within, unknown()),
        (plain.clone(), None),
        (broken, Some(CodecError::Broken("k".into()))),
    ];
    assert_eq!(ours.decode_each(asked), expected);
    let foreign =
        |id| CodecError::UnknownKey(id).is_unknown_key() && CodecError::NoKeyId.is_unknown_key();
    assert!(foreign("a".into()) && !CodecError::Broken("k".into()).is_unknown_key());
}
