//! Tests of the handshakes: the answers of each provider's documentation, and what must get none.

use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::*;

fn received(method: Method, query: Option<&str>, body: &[u8]) -> Received {
    Received {
        path: String::new(),
        method,
        query: query.map(str::to_owned),
        headers: HeaderMap::new(),
        body: Bytes::copy_from_slice(body),
        at: SystemTime::UNIX_EPOCH,
    }
}

fn get(query: &str) -> Received {
    received(Method::GET, Some(query), b"")
}

fn post(body: &str) -> Received {
    received(Method::POST, None, body.as_bytes())
}

fn secret(text: &str) -> Secret {
    Secret::new(text.into()).expect("not empty")
}

fn answer(reply: Result<Option<Reply>, Refusal>) -> Option<(u16, String)> {
    let reply = reply.expect("no refusal")?;
    Some((reply.status.as_u16(), reply.body))
}

fn meta(query: &str, token: Option<&str>) -> Result<Option<Reply>, Refusal> {
    let token = token.map(secret);
    Handshake::Meta.unsigned(&get(query), None, token.as_ref())
}

fn x(query: &str) -> Result<Option<Reply>, Refusal> {
    Handshake::X.unsigned(&get(query), Some(&secret("consumer")), None)
}

fn zoom(body: &str) -> Result<Option<Reply>, Refusal> {
    Handshake::Zoom.signed(&post(body), Some(&secret("secretValueTest")))
}

#[test]
fn meta_gets_its_challenge_for_our_token_alone() {
    let query = "hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=meatyhamhock";
    let good = answer(meta(query, Some("meatyhamhock")));
    assert_eq!(good, Some((200, "1158201444".to_owned())));
    assert_eq!(meta(query, Some("other")), Err(Refusal::WrongToken));
    assert_eq!(meta(query, None), Err(Refusal::WrongToken));
    for query in [
        "hub.mode=subscribe&hub.challenge=1",
        "hub.mode=subscribe&hub.challenge=1&hub.verify_token=",
        "hub.mode=subscribe&hub.challenge=1&hub.verify_token=t&hub.verify_token=t",
        "hub.mode=unsubscribe&hub.challenge=1&hub.verify_token=t",
        "hub.challenge=1&hub.verify_token=t",
        "hub.mode=subscribe&hub.challenge=%3Cb%3E&hub.verify_token=t",
        "hub.mode=subscribe&hub.challenge=&hub.verify_token=t",
    ] {
        assert_eq!(meta(query, Some("t")), Err(Refusal::WrongToken), "{query}");
    }
    assert_eq!(
        meta("hub.mode=subscribe&hub.verify_token=t", Some("t")),
        Ok(None)
    );
}

#[test]
fn slack_gets_its_challenge() {
    let body = r#"{"token":"Jhj5dZrVaK7ZwHHjRyZWjbDl","challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P","type":"url_verification"}"#;
    let reply = Handshake::Slack.signed(&post(body), None);
    let challenge = "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P".to_owned();
    assert_eq!(answer(reply), Some((200, challenge)));
    let event = post(r#"{"type":"event_callback","challenge":"x"}"#);
    assert_eq!(Handshake::Slack.signed(&event, None), Ok(None));
}

#[test]
fn zoom_gets_the_hash_of_a_token_and_of_nothing_else() {
    let body = |token: &str| {
        json!({"event": "endpoint.url_validation", "payload": {"plainToken": token}}).to_string()
    };
    // By OpenSSL.
    let encrypted = "70c1f2e2e6ca2d39297490d1f9142c7d701415ea8e6151f6562a08fa657a40ff";
    let token = "qgg8vlvZRS6UYooatFL8Aw";
    let expected = format!(r#"{{"plainToken":"{token}","encryptedToken":"{encrypted}"}}"#);
    assert_eq!(answer(zoom(&body(token))), Some((200, expected)));
    let long = "a".repeat(257);
    for token in ["v0:1763899200:{}", "a:b", "", " ", "{}", "a\n", "é", &long] {
        assert_eq!(zoom(&body(token)), Err(Refusal::NoToken), "{token}");
    }
    assert_eq!(
        zoom(r#"{"event":"endpoint.url_validation"}"#),
        Err(Refusal::NoToken)
    );
    assert_eq!(
        Handshake::Zoom.signed(&post(&body(token)), None),
        Err(Refusal::NoToken)
    );
    assert_eq!(zoom(r#"{"event":"meeting.started"}"#), Ok(None));
    assert_eq!(
        Handshake::Zoom.unsigned(&post(&body(token)), Some(&secret("s")), None),
        Ok(None)
    );
}

#[test]
fn x_gets_the_hash_of_a_token_by_the_first_secret() {
    // By OpenSSL.
    let expected = r#"{"response_token":"sha256=suqmNrq0kufbxO4tAogbtFD/QzniWQM+auVS5c7GoL8="}"#;
    assert_eq!(answer(x("crc_token=abc")), Some((200, expected.to_owned())));
    for query in [
        "crc_token=",
        "crc_token=%7B%7D",
        "crc_token=%7B%22for_user_id%22:%221%22%7D",
        "crc_token=[]",
        "crc_token=a%26b",
        "crc_token=a b",
        "crc_token=%22",
        "crc_token=%00",
        "crc_token=%C3%A9",
    ] {
        assert_eq!(x(query), Err(Refusal::NoToken), "{query}");
    }
    assert_eq!(x("crc_token=a&crc_token=b"), Ok(None));
    assert_eq!(x("nonce=a"), Ok(None));
    let unsigned = Handshake::X.unsigned(&get("crc_token=abc"), None, None);
    assert_eq!(unsigned, Err(Refusal::NoToken));
    let by_post = received(Method::POST, Some("crc_token=abc"), b"");
    assert_eq!(
        Handshake::X.unsigned(&by_post, Some(&secret("s")), None),
        Ok(None)
    );
}

#[test]
fn nothing_that_x_may_have_had_signed_is_an_event() {
    for body in ["abc", "a=1", "123", "true", "null", "1.5"] {
        assert!(answer(x(&format!("crc_token={}", body.replace('=', "%3D")))).is_some());
        let event = Handshake::X.signed(&post(body), Some(&secret("consumer")));
        assert_eq!(event, Err(Refusal::NoToken), "{body}");
    }
    for body in [&br#"{"for_user_id":"1"}"#[..], b"\xff", b""] {
        let event = received(Method::POST, None, body);
        assert_eq!(Handshake::X.signed(&event, None), Ok(None));
    }
}

#[test]
fn dropbox_gets_its_challenge_if_it_is_harmless() {
    let dropbox = |query: &str| Handshake::Dropbox.unsigned(&get(query), None, None);
    assert_eq!(
        answer(dropbox("challenge=a-b_1")),
        Some((200, "a-b_1".to_owned()))
    );
    assert_eq!(dropbox("challenge=%3Cscript%3E"), Err(Refusal::NoToken));
    assert_eq!(dropbox("challenge="), Err(Refusal::NoToken));
    assert_eq!(dropbox("x=1"), Ok(None));
}

#[test]
fn discord_gets_its_pong() {
    let interactions = |body: &str| Handshake::DiscordInteractions.signed(&post(body), None);
    let events = |body: &str| Handshake::DiscordEvents.signed(&post(body), None);
    let pong = Some((200, r#"{"type":1}"#.to_owned()));
    assert_eq!(answer(interactions(r#"{"type":1}"#)), pong);
    assert_eq!(interactions(r#"{"type":2}"#), Ok(None));
    assert_eq!(interactions(r#"{"type":1,"event":{"type":"X"}}"#), Ok(None));
    assert_eq!(
        answer(events(r#"{"version":1,"type":0}"#)),
        Some((204, String::new()))
    );
    assert_eq!(events(r#"{"type":1,"event":{"type":"X"}}"#), Ok(None));
    assert_eq!(
        Handshake::DiscordEvents.unsigned(&post(r#"{"type":0}"#), None, None),
        Ok(None)
    );
}

#[test]
fn woocommerce_gets_its_ping_and_nothing_else_goes_unsigned() {
    let ping = |request: &Received| answer(Handshake::Woocommerce.unsigned(request, None, None));
    assert_eq!(ping(&post("webhook_id=42")), Some((200, String::new())));
    for body in [
        "",
        "webhook_id=",
        "webhook_id=4x",
        "webhook_id=42&webhook_id=43",
        "webhook_id=42&order=1",
        r#"{"webhook_id":42}"#,
        "id=42",
    ] {
        assert_eq!(ping(&post(body)), None, "{body}");
    }
    let mut signed = post("webhook_id=42");
    let name = HeaderName::from_static("x-wc-webhook-signature");
    signed.headers.insert(name, HeaderValue::from_static("x"));
    assert_eq!(ping(&signed), None);
}

#[test]
fn intercom_gets_its_ping() {
    let intercom = |body: &str| Handshake::Intercom.signed(&post(body), None);
    assert_eq!(
        answer(intercom(r#"{"topic":"ping"}"#)),
        Some((200, String::new()))
    );
    assert_eq!(intercom(r#"{"topic":"contact.created"}"#), Ok(None));
    assert_eq!(
        intercom(r#"{"topic":"contact.created","topic":"ping"}"#),
        Ok(None)
    );
}

#[test]
fn only_some_use_get() {
    for (handshake, query) in [
        (Handshake::Meta, "hub.challenge=1"),
        (Handshake::Dropbox, "challenge=1"),
        (Handshake::X, "crc_token=1"),
    ] {
        assert!(handshake.uses_get());
        let by_post = received(Method::POST, Some(query), b"");
        let reply = handshake.unsigned(&by_post, Some(&secret("s")), Some(&secret("s")));
        assert_eq!(reply, Ok(None));
    }
    assert!(!Handshake::Zoom.uses_get());
}
