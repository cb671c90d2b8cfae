//! Floods of HTTP/2 frames: each is ended, or costs nothing; others are served.

use std::time::Duration;

use super::bytes::is_served;
use super::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, End, Frames, HEADERS, PING, PRIORITY, RST_STREAM,
    SETTINGS, WINDOW_UPDATE, frame, stream, string, webhook,
};
use crate::support::forwarder::{Forwarder, ForwarderConfig};
use crate::support::held::{Held, processor_time};
use crate::support::wait::{PATIENCE, run, until};

#[test]
fn streams_that_are_opened_and_reset_end_the_connection() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        is_ended(&forwarder, "rapid reset", |number| {
            [
                frame(HEADERS, END_HEADERS, stream(number), &webhook()),
                frame(RST_STREAM, 0, stream(number), &8_u32.to_be_bytes()),
            ]
            .concat()
        })
        .await;
    });
}

/// Who makes the server reset a stream has opened one and closed it, as above.
#[test]
fn streams_that_the_server_is_made_to_reset_end_the_connection() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        let too_wide = is_ended(&forwarder, "a window that is too wide", |number| {
            let most = 0x7fff_ffff_u32.to_be_bytes();
            [
                frame(HEADERS, END_HEADERS, stream(number), &webhook()),
                frame(WINDOW_UPDATE, 0, stream(number), &most),
            ]
            .concat()
        });
        let too_long = is_ended(&forwarder, "more data than its length says", |number| {
            let mut head = webhook();
            // content-length
            head.extend_from_slice(&[0x0f, 0x0d]);
            string(&mut head, "1");
            [
                frame(HEADERS, END_HEADERS, stream(number), &head),
                frame(DATA, 0, stream(number), b"more"),
            ]
            .concat()
        });
        for end in [too_wide.await, too_long.await] {
            // The limit of them is reached, and this one is over it.
            let last = stream(RESETS);
            let code = ENHANCE_YOUR_CALM;
            assert_eq!(end, End::GoAway { code, last });
        }
    });
}

/// They end it at once.
#[test]
fn frames_that_no_stream_may_have_end_the_connection() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        is_ended(&forwarder, "a window of no more", |number| {
            [
                frame(HEADERS, END_HEADERS, stream(number), &webhook()),
                frame(WINDOW_UPDATE, 0, stream(number), &[0; 4]),
            ]
            .concat()
        })
        .await;
        is_ended(&forwarder, "data after the end", |number| {
            [
                frame(
                    HEADERS,
                    END_HEADERS | END_STREAM,
                    stream(number),
                    &webhook(),
                ),
                frame(DATA, 0, stream(number), b"more"),
            ]
            .concat()
        })
        .await;
    });
}

#[test]
fn a_head_that_goes_on_and_on_ends_the_connection() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        is_ended(&forwarder, "continuations", |number| match number {
            0 => frame(HEADERS, 0, 1, &webhook()),
            _ => frame(CONTINUATION, 0, 1, &[]),
        })
        .await;
        is_ended(&forwarder, "continuations that say something", |number| {
            let mut more = vec![0];
            string(&mut more, "x-more");
            string(&mut more, &"m".repeat(100));
            match number {
                0 => frame(HEADERS, 0, 1, &webhook()),
                _ => frame(CONTINUATION, 0, 1, &more.repeat(8)),
            }
        })
        .await;
    });
}

/// Nothing of it is kept, no time is spent on it, and each request of it ends in time.
#[test]
fn floods_of_small_frames_cost_little_and_hold_up_nobody() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        let begins = |stream: u32| frame(HEADERS, END_HEADERS, stream, &webhook());
        let empty = |number: u32| match number {
            0 => begins(1),
            _ => frame(DATA, 0, 1, &[]),
        };
        is_bounded(&forwarder, "empty data", &[], empty).await;
        is_bounded(&forwarder, "pings", &[], |_| frame(PING, 0, 0, &[7; 8])).await;
        is_bounded(&forwarder, "settings", &[], |_| frame(SETTINGS, 0, 0, &[])).await;
        let priority = |number: u32| frame(PRIORITY, 0, stream(number % 1000), &[0, 0, 0, 0, 9]);
        is_bounded(&forwarder, "priorities", &[], priority).await;
        // A hundred at a time, then no more.
        is_bounded(&forwarder, "streams", &[], |number| begins(stream(number))).await;
        // A client that takes nothing of its answers.
        let closed_window = [0, 4, 0, 0, 0, 0];
        is_bounded(&forwarder, "no window", &closed_window, |number| {
            frame(
                HEADERS,
                END_HEADERS | END_STREAM,
                stream(number),
                &webhook(),
            )
        })
        .await;
        // One entry of 4 kB in the table, named thousands of times: 60 bytes that say 8 MB.
        let mut entry = vec![0x40];
        string(&mut entry, "x-bomb");
        entry.extend_from_slice(&[
            0x7f,
            0x80 + (3900 - 127) as u8 % 128,
            ((3900 - 127) >> 7) as u8,
        ]);
        entry.extend_from_slice(&[b'b'; 3900]);
        is_bounded(&forwarder, "a bomb", &[], move |number| {
            let mut block = webhook();
            match number {
                0 => block.extend_from_slice(&entry),
                _ => block.extend_from_slice(&[0xbe; 2000]),
            }
            frame(HEADERS, END_HEADERS | END_STREAM, stream(number), &block)
        })
        .await;
    });
}

/// In a few hundred frames, not at the end of the flood.
async fn is_ended(forwarder: &Forwarder, what: &str, make: impl Fn(u32) -> Vec<u8>) -> End {
    let mut frames = Frames::open(forwarder, &[]).await;
    let (end, count) = frames.flood(20_000, make).await;
    let end = end.unwrap_or_else(|| panic!("{what}: nothing ended it"));
    assert!(count < 3000, "{what}: {end:?} after {count}");
    if let End::GoAway { code, .. } = end {
        assert_ne!(code, 0, "{what}: it is told that this was an error");
    }
    is_served(forwarder).await;
    end
}

async fn is_bounded(
    forwarder: &Forwarder,
    what: &str,
    settings: &[u8],
    make: impl Fn(u32) -> Vec<u8>,
) {
    let (before, time) = (Held::by(forwarder.id()), processor_time(forwarder.id()));
    let mut frames = Frames::open(forwarder, settings).await;
    frames.flood(10_000, make).await;
    is_served(forwarder).await;
    let spent = processor_time(forwarder.id()) - time;
    assert!(spent < Duration::from_secs(5), "{what}: {spent:?}");
    let grown = Held::by(forwarder.id()).kilobytes - before.kilobytes;
    assert!(grown < 24.0 * 1024.0, "{what}: {grown} kB more");
    drop(frames);
    until("nothing is left of it", PATIENCE, async || {
        forwarder
            .metrics()
            .await
            .contains("webhook_forwarder_in_flight 0\n")
    })
    .await;
}

/// Streams that a client may make us reset; the next one ends its connection.
const RESETS: u32 = 200;
/// RFC 9113, section 7.
const ENHANCE_YOUR_CALM: u32 = 11;
