//! Reads settings again every two seconds and at SIGHUP, and hands on those that are others.

use std::time::Duration;

use tokio::signal::unix::Signal;
use tokio::time::sleep;

use super::Digest;
use crate::config::Mistake;

/// Settings or what is wrong with them, and the digest of everything that they were read from.
pub type Reading<G> = (Digest, Result<G, Vec<Mistake>>);

/// Watches for ever. `take` gets what `read` gives if it is not what was `seen` last, or if the
/// operator asks.
pub async fn watch<G, R>(
    mut seen: Digest,
    mut hangup: Signal,
    read: R,
    mut take: impl FnMut(Result<G, Vec<Mistake>>),
) where
    G: Send + 'static,
    R: Fn() -> Reading<G> + Clone + Send + 'static,
{
    loop {
        let asked = tokio::select! {
            () = sleep(EVERY) => false,
            _ = hangup.recv() => {
                tracing::info!("SIGHUP: reading the configuration again");
                true
            }
        };
        let Some((digest, result)) = settled(seen, asked, &read).await else {
            continue;
        };
        if asked || digest != seen {
            seen = digest;
            take(result);
        }
    }
}

/// What the files say now. One that is being written is waited for, unless the operator says
/// that it is done: half a file may well be valid, and mean something else.
async fn settled<G, R>(seen: Digest, asked: bool, read: &R) -> Option<Reading<G>>
where
    G: Send + 'static,
    R: Fn() -> Reading<G> + Clone + Send + 'static,
{
    let mut reading = aside(read).await?;
    for _ in 0..MAX_READINGS {
        if asked || reading.0 == seen {
            break;
        }
        sleep(SETTLED).await;
        let next = aside(read).await?;
        let is_same = next.0 == reading.0;
        reading = next;
        if is_same {
            break;
        }
    }
    Some(reading)
}

/// Reading a slow file system must not hold up requests.
async fn aside<G, R>(read: &R) -> Option<Reading<G>>
where
    G: Send + 'static,
    R: Fn() -> Reading<G> + Clone + Send + 'static,
{
    tokio::task::spawn_blocking(read.clone()).await.ok()
}

const EVERY: Duration = Duration::from_secs(2);
/// A file that did not change for so long is whole.
const SETTLED: Duration = Duration::from_millis(250);
const MAX_READINGS: u32 = 20;
