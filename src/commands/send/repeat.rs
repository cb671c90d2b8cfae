//! Posts again as long as the answer asks for it: what a sender does, while a forwarder or Temporal
//! is away.

use std::time::{Duration, Instant};

use anyhow::anyhow;
use indicatif::ProgressBar;
use reqwest::header::RETRY_AFTER;
use reqwest::{Client, Response, StatusCode};
use tokio::time::sleep;
use webhook_core::delivery::Delivery;

use super::post;
use crate::cli::send::Repeat;
use crate::commands::Failure;

/// The last answer, or why there was none. `next` makes the same event again, signed now; what is
/// waited for shows on `bar`.
pub(super) async fn send_with_retries(
    client: &Client,
    url: &str,
    next: impl Fn() -> Result<Delivery, Failure>,
    repeat: Option<Repeat>,
    bar: &ProgressBar,
) -> Result<Response, anyhow::Error> {
    let begun = Instant::now();
    let mut pause = FIRST_PAUSE;
    let mut tries = 1;
    loop {
        let delivery = next().map_err(|failure| match failure {
            Failure::Other(error) => error,
            other => anyhow!("{other:?}"),
        })?;
        let result = post(client, url, delivery).await;
        let Some((why, wait)) = retry_after(&result, pause) else {
            return result;
        };
        if !should_retry(repeat, tries, begun.elapsed(), wait) {
            return result;
        }
        tries += 1;
        bar.set_message(format!("{why}: try {tries} in {} s", wait.as_secs_f32()));
        sleep(wait).await;
        bar.set_message("");
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Whether there is to be another try, after so many, so long, and one more wait.
fn should_retry(repeat: Option<Repeat>, tries: u32, elapsed: Duration, wait: Duration) -> bool {
    match repeat {
        None => false,
        Some(Repeat::Times(times)) => tries <= times,
        // A forwarder, or whatever stands in for it, may ask for any wait.
        Some(Repeat::For(span)) => wait < span.saturating_sub(elapsed),
    }
}

/// Why it is to be sent again, and when.
fn retry_after(
    result: &Result<Response, anyhow::Error>,
    pause: Duration,
) -> Option<(String, Duration)> {
    match result {
        Ok(response) if RETRIED.contains(&response.status()) => {
            let after = (response.headers().get(RETRY_AFTER))
                .and_then(|value| value.to_str().ok()?.trim().parse().ok());
            let status = response.status().to_string();
            Some((status, after.map_or(pause, Duration::from_secs)))
        }
        Err(error) if is_refused(error) => Some(("no connection".to_owned(), pause)),
        _ => None,
    }
}

fn is_refused(error: &anyhow::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    let mut causes = error.chain();
    causes.any(|cause| {
        let io = cause.downcast_ref::<std::io::Error>();
        io.is_some_and(|error| {
            [ConnectionRefused, ConnectionReset, ConnectionAborted].contains(&error.kind())
        })
    })
}

const RETRIED: [StatusCode; 2] = [
    StatusCode::SERVICE_UNAVAILABLE,
    StatusCode::TOO_MANY_REQUESTS,
];
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_wait_can_be_asked_for() {
        let span = Some(Repeat::For(Duration::from_secs(120)));
        let secs = Duration::from_secs;
        for (elapsed, wait, expected) in [
            (secs(0), secs(119), true),
            (secs(60), secs(59), true),
            (secs(60), secs(60), false),
            (secs(200), secs(0), false),
            (secs(1), secs(u64::MAX), false),
            (Duration::MAX, Duration::MAX, false),
        ] {
            assert_eq!(
                should_retry(span, 1, elapsed, wait),
                expected,
                "{elapsed:?} {wait:?}"
            );
        }
    }

    #[test]
    fn whoever_is_not_there_is_asked_again_and_who_is_unknown_is_not() {
        use std::io::{Error, ErrorKind};
        let pause = Duration::from_secs(7);
        for (kind, again) in [
            (ErrorKind::ConnectionRefused, true),
            (ErrorKind::ConnectionReset, true),
            (ErrorKind::InvalidData, false),
        ] {
            let failed = Err(anyhow!(Error::from(kind)).context("no answer"));
            let wait = retry_after(&failed, pause).map(|(_, wait)| wait);
            assert_eq!(wait, again.then_some(pause), "{kind}");
        }
    }
}
