//! Where the bucket is, what goes there, and what is taken from there.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use object_store::signer::Signer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use webhook_core::payload;
use webhook_core::secret::Secret;

use super::*;

fn store(endpoint: Option<&str>, path_style: bool) -> Store {
    let large = Large {
        bucket: "events".to_owned(),
        region: "eu-1".to_owned(),
        endpoint: endpoint.map(|url| url.parse().expect("a URL")),
        path_style,
        threshold: 1024,
        driver_name: "aws.s3driver".to_owned(),
        credentials: Credentials::Keys {
            id: "k".to_owned(),
            secret: Secret::new(b"hush".to_vec()).expect("not empty"),
            token: None,
        },
    };
    Store::new(&large).expect("fine")
}

#[tokio::test]
async fn the_bucket_is_in_the_host_or_in_the_path() {
    for (endpoint, path_style, expected) in [
        (
            None,
            false,
            "https://events.s3.eu-1.amazonaws.com/v0/a%2520b",
        ),
        (
            None,
            true,
            "https://s3.eu-1.amazonaws.com/events/v0/a%2520b",
        ),
        (
            Some("http://h:9000"),
            true,
            "http://h:9000/events/v0/a%2520b",
        ),
        (Some("https://h/"), false, "https://events.h/v0/a%2520b"),
    ] {
        let store = store(endpoint, path_style);
        let path = Path::parse("v0/a%20b").expect("a key");
        let url = store
            .s3
            .signed_url(http::Method::GET, &path, PROBE_TIMEOUT)
            .await
            .expect("signed");
        assert_eq!(url.as_str().split('?').next(), Some(expected));
    }
}

#[test]
fn variables_of_roles_are_known_to_the_client() {
    for name in crate::config::large::credentials::ROLE {
        let key: Result<AmazonS3ConfigKey, _> = name.to_ascii_lowercase().parse();
        assert!(key.is_ok(), "{name}");
    }
}

#[test]
fn what_has_the_threshold_is_stored_and_what_has_a_byte_less_is_not() {
    let store = store(None, false);
    let of = |size: usize| {
        let around = payload::text("").encoded_len() + 1;
        payload::text(&"x".repeat(size - around))
    };
    for (size, stored) in [(1023, false), (1024, true), (1025, true)] {
        assert_eq!(of(size).encoded_len(), size);
        assert_eq!(store.is_large(&of(size)), stored, "{size}");
    }
}

#[tokio::test]
async fn a_reference_is_followed_to_our_bucket_and_to_what_was_stored() {
    let owner = Owner {
        namespace: "n",
        workflow_type: "t",
        workflow_id: "w",
    };
    let event = payload::text("event");
    let object = Object::new(event.clone(), &owner);
    let content = object.content.concat();
    let mut other = content.clone();
    other.reverse();
    let longer = [&content[..], b"more"].concat();
    let claim = |driver: &str, bucket: &str| {
        let claim = Claim::of(&object.reference(driver, bucket));
        claim.expect("ours").expect("a reference")
    };
    for (driver, bucket, lies_there, asked, refused) in [
        ("aws.s3driver", "events", &content, 1, None),
        ("other", "events", &content, 0, Some("driver \"other\"")),
        ("aws.s3driver", "others", &content, 0, Some("driver")),
        ("aws.s3driver", "events", &longer, 1, Some("larger than")),
        (
            "aws.s3driver",
            "events",
            &other,
            1,
            Some("not what was stored"),
        ),
    ] {
        let (endpoint, seen) = serving(lies_there.clone()).await;
        let store = store(Some(&endpoint), true);
        let deadline = Instant::now() + Duration::from_secs(60);
        let got = store.get(&claim(driver, bucket), deadline).await;
        match refused {
            None => assert_eq!(got, Ok(event.clone())),
            Some(why) => {
                let reject = got.expect_err("it is none of ours");
                assert!(reject.reason().contains(why), "{why}: {reject:?}");
                assert_eq!(reject.row().label, "refused");
            }
        }
        assert_eq!(seen.load(Ordering::Relaxed), asked, "{driver} {bucket}");
    }
}

/// A server that has this, whatever is asked for; and how often it was asked.
async fn serving(content: Vec<u8>) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("a port is free");
    let endpoint = format!("http://{}", listener.local_addr().expect("it is bound"));
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::Relaxed);
            let mut head = [0; 8192];
            let asked = stream.read(&mut head).await;
            assert!(asked.expect("a request") > 0);
            let head = format!(
                "HTTP/1.1 200 OK\r\nETag: \"e\"\r\nLast-Modified: Thu, 26 Nov 2026 12:00:00 GMT\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
                content.len()
            );
            let answer = [head.as_bytes(), &content].concat();
            // Whoever sees by the head that it is too large does not read it.
            stream.write_all(&answer).await.ok();
        }
    });
    (endpoint, asked)
}
