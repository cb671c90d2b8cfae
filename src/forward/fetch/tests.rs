//! Fetches on paused time: one at a time for each URL, and no failure takes a key away.

use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use tokio::time::{advance, sleep};
use webhook_core::provider::scheme::SecretForm;

use super::table::{FAILED, FRESH, MAX_ENTRIES};
use super::*;

/// What the network does with a URL, and how often it was asked.
struct Network {
    keys: Keys,
    asked: Arc<AtomicUsize>,
    is_down: Arc<Mutex<Down>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Down {
    No,
    Refused,
    Silent,
}

impl Network {
    /// `…/made-up…` is never there, `…/silent…` never answers, the rest has a key after `latency`.
    fn new(latency: Duration, key: &'static [u8]) -> Self {
        let asked = Arc::new(AtomicUsize::new(0));
        let is_down = Arc::new(Mutex::new(Down::No));
        let (count, down) = (Arc::clone(&asked), Arc::clone(&is_down));
        let download = move |url: Url| -> Downloading {
            count.fetch_add(1, Ordering::SeqCst);
            let down = *lock(&down);
            Box::pin(async move {
                if down == Down::Silent || url.path().starts_with("/silent") {
                    return pending().await;
                }
                sleep(latency).await;
                if down == Down::Refused || url.path().starts_with("/made-up") {
                    return Err("status 404".to_owned());
                }
                Ok(key.to_vec())
            })
        };
        Self {
            keys: Keys::by(Arc::new(download)),
            asked,
            is_down,
        }
    }

    fn set(&self, down: Down) {
        *lock(&self.is_down) = down;
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    async fn get(&self, wanted: Wanted, patience: u64) -> Result<Arc<Key>, String> {
        let deadline = Instant::now() + Duration::from_millis(patience);
        self.keys.one(&wanted, deadline).await
    }
}

fn wanted(path: &str) -> Wanted {
    let url = format!("https://keys.example{path}");
    Wanted {
        source: "/hook".to_owned(),
        id: (url.parse().expect("a URL"), SecretForm::Text),
        key_id: None,
        is_fixed: false,
    }
}

fn named(key_id: &str) -> Wanted {
    let mut wanted = wanted("/jwks");
    wanted.id.1 = SecretForm::Jwks;
    wanted.key_id = Some(key_id.to_owned());
    wanted.is_fixed = true;
    wanted
}

const SET: &[u8] = br#"{"keys":[{"kty":"RSA","kid":"a","n":"AQAB","e":"AQAB"}]}"#;

#[tokio::test(start_paused = true)]
async fn fifty_at_once_are_one_fetch() {
    let network = Network::new(Duration::from_millis(100), b"key");
    let all = (0..50).map(|_| network.get(wanted("/key"), 1000));
    assert!(join_all(all).await.iter().all(Result::is_ok));
    assert_eq!(network.asked(), 1);
    advance(FRESH - Duration::from_secs(1)).await;
    network.get(wanted("/key"), 0).await.expect("it is known");
    assert_eq!(network.asked(), 1);
    // The same text read in another form is another key.
    let mut other = wanted("/key");
    other.id.1 = SecretForm::Pem;
    network.get(other, 1000).await.expect_err("it is no PEM");
    network.get(wanted("/key"), 0).await.expect("it is known");
}

#[tokio::test(start_paused = true)]
async fn whoever_gives_up_does_not_fail_the_fetch() {
    let network = Network::new(Duration::from_secs(1), b"key");
    let late = network.get(wanted("/key"), 100).await;
    assert_eq!(late.expect_err("not yet"), "no answer in time");
    network.get(wanted("/key"), 1000).await.expect("it came");
    assert_eq!(network.asked(), 1);
    // Nor does one that is gone altogether.
    let gone = timeout(
        Duration::from_millis(10),
        network.get(wanted("/other"), 1000),
    );
    assert!(gone.await.is_err());
    sleep(Duration::from_secs(1)).await;
    network.get(wanted("/other"), 0).await.expect("it came");
    assert_eq!(network.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_fetch_has_its_own_time() {
    let network = Network::new(Duration::ZERO, b"key");
    let begun = Instant::now();
    let refused = network.get(wanted("/silent"), 60_000).await;
    assert_eq!(refused.expect_err("nobody is there"), "no answer in time");
    assert!(begun.elapsed() < TIMEOUT * 2);
}

#[tokio::test(start_paused = true)]
async fn an_old_key_stays_while_fetches_fail() {
    for down in [Down::Refused, Down::Silent] {
        let network = Network::new(Duration::from_millis(10), b"key");
        network
            .get(wanted("/key"), 1000)
            .await
            .expect("it is there");
        network.set(down);
        advance(FRESH).await;
        for round in 2..10 {
            for _ in 0..20 {
                let begun = Instant::now();
                network.get(wanted("/key"), 2000).await.expect("it stays");
                assert!(begun.elapsed() <= PATIENCE + Duration::from_millis(10));
            }
            assert_eq!(network.asked(), round, "failures are remembered");
            advance(FAILED + TIMEOUT).await;
        }
        network.set(Down::No);
        network
            .get(wanted("/key"), 1000)
            .await
            .expect("it is there");
        let asked = network.asked();
        advance(FRESH - Duration::from_secs(1)).await;
        network.get(wanted("/key"), 0).await.expect("it is fresh");
        assert_eq!(network.asked(), asked);
    }
}

#[tokio::test(start_paused = true)]
async fn made_up_urls_take_no_key_away() {
    let network = Network::new(Duration::from_millis(1), b"key");
    network
        .get(wanted("/key"), 1000)
        .await
        .expect("it is there");
    for number in 0..10 * MAX_ENTRIES {
        let made_up = wanted(&format!("/made-up/{number}"));
        network.get(made_up, 1000).await.expect_err("not there");
    }
    let asked = network.asked();
    network.get(wanted("/key"), 0).await.expect("it is known");
    assert_eq!(network.asked(), asked);
    assert!(lock(&network.keys.table).len() <= MAX_ENTRIES + 1);
}

#[tokio::test(start_paused = true)]
async fn the_keys_that_are_used_stay() {
    let network = Network::new(Duration::from_millis(1), b"key");
    for number in 0..10 * MAX_ENTRIES {
        network
            .get(wanted("/key"), 1000)
            .await
            .expect("it is there");
        let other = wanted(&format!("/other/{number}"));
        network.get(other, 1000).await.expect("it is there, too");
    }
    assert_eq!(network.asked(), 1 + 10 * MAX_ENTRIES);
    assert_eq!(lock(&network.keys.table).len(), MAX_ENTRIES);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_remembered_for_a_while() {
    let network = Network::new(Duration::from_millis(1), b"key");
    for round in 1..4 {
        for _ in 0..20 {
            let missing = network.get(wanted("/made-up"), 1000).await;
            assert_eq!(missing.expect_err("not there"), "status 404");
        }
        assert_eq!(network.asked(), round);
        advance(FAILED).await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_nothing_holds_up_nobody() {
    let network = Network::new(Duration::from_millis(1), b"key");
    network
        .get(wanted("/key"), 1000)
        .await
        .expect("it is there");
    let made_up: Vec<_> = (0..100).map(|n| wanted(&format!("/silent/{n}"))).collect();
    let silent = join_all(made_up.into_iter().map(|it| network.get(it, 1000)));
    let others = async {
        sleep(Duration::from_millis(100)).await;
        network.get(wanted("/key"), 0).await.expect("it is known");
        let mut other_source = wanted("/cold");
        "/other".clone_into(&mut other_source.source);
        network.get(other_source, 10).await.expect("it is fetched");
        let mut fixed = wanted("/fixed");
        fixed.is_fixed = true;
        network.get(fixed, 10).await.expect("it is fetched");
        advance(FRESH).await;
        network
            .get(wanted("/key"), 10)
            .await
            .expect("it is fetched");
    };
    let (silent, ()) = tokio::join!(silent, others);
    assert!(silent.iter().all(Result::is_err));
    // Four places, each for at most a timeout.
    assert!(network.asked() <= 4 + 4 + FETCHES, "{}", network.asked());
}

#[tokio::test(start_paused = true)]
async fn a_set_is_asked_again_for_a_key_that_it_has_not() {
    let network = Network::new(Duration::from_millis(1), SET);
    network.get(named("a"), 1000).await.expect("it is there");
    let not_yet = async || {
        let why = network.get(named("b"), 1000).await;
        why.expect_err("send again")
    };
    for _ in 0..20 {
        assert_eq!(not_yet().await, "the set has no key of this id yet");
    }
    assert_eq!(network.asked(), 1);
    // A request that names no key is refused by whatever set there is.
    let mut nameless = named("b");
    nameless.key_id = None;
    let set = network.get(nameless, 0).await.expect("the set");
    assert!(!set.has(None), "nothing verifies under it");
    advance(FAILED).await;
    assert_eq!(not_yet().await, "the set has no key of this id yet");
    assert_eq!(network.asked(), 2);
    network.set(Down::Refused);
    advance(FAILED).await;
    network.get(named("b"), 1000).await.expect_err("send again");
    network.get(named("a"), 0).await.expect("it is known");
    assert_eq!(network.asked(), 3);
}

#[tokio::test]
async fn all_fetches_are_one_client_s() {
    let https = Https::default();
    let (one, other) = tokio::join!(https.client(), https.client());
    let (one, other) = (one.expect("a client"), other.expect("a client"));
    assert!(std::ptr::eq(one, other));
}

#[test]
fn a_key_has_so_many_bytes_and_none_more() {
    let mut bytes = Vec::new();
    for _ in 0..MAX_BYTES / 1024 {
        append(&mut bytes, &[b'k'; 1024]).expect("it may be so large");
    }
    append(&mut bytes, b"k").expect_err("it is too large");
    assert_eq!(bytes.len(), MAX_BYTES);
}
