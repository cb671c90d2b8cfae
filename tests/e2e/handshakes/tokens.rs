//! Senders that want a token or a challenge back.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{KEY, TOKEN, get, is_counted, is_json, is_text, post, slack, start};
use crate::support::delivery::hmac as hmac_sha256;
use crate::support::sender::Sender;
use crate::support::wait::run;

#[test]
fn meta_gets_its_challenge_back_for_the_right_token_and_403_for_another() {
    run(async {
        let forwarder = start("provider = 'meta'\nverify_token = 'env:VERIFY_TOKEN'", "").await;
        let ask = async |query: &str| get(&forwarder, query).await;
        let query = format!("hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token={TOKEN}");
        is_text(&ask(&query).await, "1158201444");
        for (query, status) in [
            (
                "hub.mode=subscribe&hub.challenge=1&hub.verify_token=wrong",
                403,
            ),
            ("hub.mode=subscribe&hub.challenge=1", 403),
            (&*query.replace("subscribe", "unsubscribe"), 403),
            (&*query.replace("1158201444", "%3Cscript%3E"), 403),
            (&*format!("{query}&hub.verify_token={TOKEN}"), 403),
        ] {
            let answer = ask(query).await;
            assert_eq!(answer.status, status, "{query}: {answer:?}");
            assert!(!answer.text.contains("1158201444"), "{answer:?}");
        }
        assert_eq!(ask("").await.status, 200, "for people and load balancers");
        is_counted(&forwarder, 1).await;
    });
}

#[test]
fn slack_gets_its_challenge_back_if_it_signs() {
    run(async {
        let forwarder = start("provider = 'slack'", "").await;
        let body = r#"{"token":"x","challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P","type":"url_verification"}"#;
        let signed = slack(body, "X-Slack-Signature", "X-Slack-Request-Timestamp");
        let answer = Sender::new(&forwarder).send(&signed).await;
        is_text(
            &answer,
            "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P",
        );
        let wrong = signed.with("X-Slack-Signature", "v0=00");
        assert_eq!(Sender::new(&forwarder).send(&wrong).await.status, 401);
        let without = wrong.without("X-Slack-Signature");
        assert_eq!(Sender::new(&forwarder).send(&without).await.status, 401);
        is_counted(&forwarder, 1).await;
    });
}

#[test]
fn zoom_gets_its_token_encrypted_unless_it_could_be_a_signed_event() {
    run(async {
        let forwarder = start("", ZOOM).await;
        let send = async |token: &str| {
            let body = format!(
                r#"{{"event":"endpoint.url_validation","payload":{{"plainToken":"{token}"}}}}"#
            );
            let signed = slack(&body, "x-zm-signature", "x-zm-request-timestamp");
            Sender::new(&forwarder).send(&signed).await
        };
        let answer = send("qgg8vlvZRS6UYooatFL8Aw").await;
        let mac = hex::encode(hmac_sha256(KEY, b"qgg8vlvZRS6UYooatFL8Aw"));
        let expected =
            format!(r#"{{"plainToken":"qgg8vlvZRS6UYooatFL8Aw","encryptedToken":"{mac}"}}"#);
        is_json(&answer, &expected);
        for oracle in ["v0:1700000000:{}", "a b", "", &"a".repeat(257)] {
            let answer = send(oracle).await;
            assert_eq!(answer.status, 400, "{oracle:?}: {answer:?}");
            assert!(!answer.text.contains("encryptedToken"), "{answer:?}");
        }
        let body = r#"{"event":"endpoint.url_validation","payload":{"plainToken":"a"}}"#;
        let unsigned = post(body);
        assert_eq!(Sender::new(&forwarder).send(&unsigned).await.status, 401);
        is_counted(&forwarder, 1).await;
    });
}

#[test]
fn dropbox_gets_its_challenge_back_unless_it_is_no_token() {
    run(async {
        let forwarder = start("", DROPBOX).await;
        is_text(&get(&forwarder, "challenge=a-Z_9.~").await, "a-Z_9.~");
        for query in ["challenge=%3Cscript%3E", "challenge=", "challenge=%7B%7D"] {
            assert_eq!(get(&forwarder, query).await.status, 400, "{query}");
        }
        is_counted(&forwarder, 1).await;
    });
}

#[test]
fn x_gets_its_token_signed_unless_it_could_be_an_event() {
    run(async {
        // The first of several secrets answers.
        let forwarder = start("secrets = ['env:HANDSHAKE_KEY', 'another']", X).await;
        let mac = STANDARD.encode(hmac_sha256(KEY, b"MTY4.token_1-2"));
        let expected = format!(r#"{{"response_token":"sha256={mac}"}}"#);
        is_json(
            &get(&forwarder, "crc_token=MTY4.token_1-2").await,
            &expected,
        );
        for query in [
            "crc_token=%7B%22for_user_id%22%3A%221%22%7D",
            "crc_token=",
            "crc_token=a&crc_token=%7B%7D",
            "crc_token=a%0Ab",
        ] {
            let answer = get(&forwarder, query).await;
            assert!(
                !answer.text.contains("response_token"),
                "{query}: {answer:?}"
            );
        }
        is_counted(&forwarder, 1).await;
    });
}

const ZOOM: &str = "[source.provider]
id = ['body-sha256']
handshake = 'zoom'
[[source.provider.signature]]
in = ['header x-zm-signature']
prefix = 'v0='
signed = 'v0:{ts}:{body}'
timestamp = { in = 'header x-zm-request-timestamp' }";

const DROPBOX: &str = "[source.provider]
id = ['body-sha256']
handshake = 'dropbox'
[[source.provider.signature]]
in = ['header X-Dropbox-Signature']";

const X: &str = "[source.provider]
id = ['body-sha256']
handshake = 'x'
[[source.provider.signature]]
in = ['header x-twitter-webhooks-signature']
prefix = 'sha256='
encoding = 'base64'";
