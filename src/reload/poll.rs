//! Reads settings again every two seconds and at SIGHUP, and hands on those that are others.

use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::signal::unix::Signal;
use tokio::time::sleep;

use super::Digest;
use crate::config::Mistake;
use crate::systemd::Reloading;

/// Settings or what is wrong with them, and the digest of everything that they were read from.
pub type Reading<G> = (Digest, Result<G, Vec<Mistake>>);

/// Watches for ever. `take` gets what `read` gives if it is not what was `seen` last, or if the
/// operator asks by SIGHUP.
pub async fn watch<G, R>(
    seen: Digest,
    mut hangup: Signal,
    read: R,
    take: impl FnMut(Result<G, Vec<Mistake>>),
) where
    G: Send + 'static,
    R: Fn() -> Reading<G> + Clone + Send + 'static,
{
    let asked = move |cx: &mut Context<'_>| hangup.poll_recv(cx).map(drop);
    watch_asked(seen, asked, read, take).await;
}

/// The same, whatever it is by which the operator asks.
async fn watch_asked<G, R>(
    mut seen: Digest,
    mut asked: impl FnMut(&mut Context<'_>) -> Poll<()>,
    read: R,
    mut take: impl FnMut(Result<G, Vec<Mistake>>),
) where
    G: Send + 'static,
    R: Fn() -> Reading<G> + Clone + Send + 'static,
{
    loop {
        let asked = tokio::select! {
            () = sleep(EVERY) => false,
            () = poll_fn(&mut asked) => {
                tracing::info!("SIGHUP: reading the configuration again");
                true
            }
        };
        // Until the end of this round.
        let _reloading = asked.then(Reloading::begin);
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

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tokio::sync::mpsc;
    use tokio::time::Instant;

    use super::*;

    /// What is in the file, when it was taken, and who asks for it: on a clock that only waits move.
    struct Stage {
        file: Arc<Mutex<u8>>,
        taken: Arc<Mutex<Vec<(u128, u8)>>>,
        hangup: mpsc::UnboundedSender<()>,
    }

    impl Stage {
        fn start() -> Self {
            let (hangup, mut asked) = mpsc::unbounded_channel();
            let (file, taken) = (Arc::new(Mutex::new(0)), Arc::default());
            let stage = Self {
                file: Arc::clone(&file),
                taken: Arc::clone(&taken),
                hangup,
            };
            let begun = Instant::now();
            let read = move || {
                let content = *file.lock().expect("no holder panics");
                ([content; 32], Ok::<_, Vec<Mistake>>(content))
            };
            let take = move |result: Result<u8, _>| {
                let mut taken = taken.lock().expect("no holder panics");
                taken.push((begun.elapsed().as_millis(), result.expect("it is fine")));
            };
            tokio::spawn(async move {
                let asked = move |cx: &mut Context<'_>| asked.poll_recv(cx).map(drop);
                watch_asked([0; 32], asked, read, take).await;
            });
            stage
        }

        fn write(&self, content: u8) {
            *self.file.lock().expect("no holder panics") = content;
        }

        fn taken(&self) -> Vec<(u128, u8)> {
            std::mem::take(&mut *self.taken.lock().expect("no holder panics"))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_file_is_taken_once_at_the_next_look_when_it_has_settled() {
        let stage = Stage::start();
        sleep(Duration::from_millis(2500)).await;
        stage.write(1);
        sleep(Duration::from_secs(20)).await;
        let [(at, 1)] = stage.taken()[..] else {
            panic!("it is taken once");
        };
        assert!((4250..4260).contains(&at), "{at}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_that_is_being_written_is_waited_for() {
        let stage = Stage::start();
        // Each of these would be another file.
        for content in 1..=30 {
            stage.write(content);
            sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(stage.taken(), []);
        sleep(Duration::from_secs(5)).await;
        let taken = stage.taken();
        assert_eq!(
            taken
                .iter()
                .map(|(_, content)| *content)
                .collect::<Vec<_>>(),
            [30]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_asks_gets_what_is_there_at_once_even_if_it_is_the_same() {
        let stage = Stage::start();
        sleep(Duration::from_millis(100)).await;
        for content in [0, 1, 1] {
            stage.write(content);
            stage.hangup.send(()).expect("it watches");
            sleep(Duration::from_millis(50)).await;
        }
        let taken = stage.taken();
        assert_eq!(
            taken
                .iter()
                .map(|(_, content)| *content)
                .collect::<Vec<_>>(),
            [0, 1, 1]
        );
        assert!(taken.iter().all(|(at, _)| *at < 250), "{taken:?}");
    }
}
