//! The one runtime of all tests, and waiting until something holds instead of sleeping.

use std::future::Future;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

pub(crate) use super::process::PATIENCE;

/// Runs a test on the runtime that all tests share (gRPC channels live on the runtime they were
/// made on).
pub(crate) fn run<F: Future>(test: F) -> F::Output {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME
        .get_or_init(|| Runtime::new().expect("a runtime can be made"))
        .block_on(test)
}

/// Asks again and again until there is an answer; panics after `bound`.
pub(crate) async fn eventually<T, F>(what: &str, bound: Duration, mut ask: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let started = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(started.elapsed() < bound, "not within {bound:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// As [`eventually`], for a condition.
pub(crate) async fn until<F>(what: &str, bound: Duration, mut holds: impl FnMut() -> F)
where
    F: Future<Output = bool>,
{
    eventually(what, bound, || {
        let holds = holds();
        async move { holds.await.then_some(()) }
    })
    .await;
}
