//! How often a path that is no source's is compared with those that are: whoever asks is a stranger,
//! and does not choose how much is computed.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// So many hints a second, whoever asks.
#[derive(Debug, Default)]
pub struct Hints(Mutex<Option<Second>>);

#[derive(Debug)]
struct Second {
    began: Instant,
    given: u32,
}

impl Hints {
    /// Whether one more may be given now; then it counts.
    pub fn is_due(&self) -> bool {
        let now = Instant::now();
        let mut second = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let over = |second: &Second| now.duration_since(second.began) >= Duration::from_secs(1);
        match &mut *second {
            Some(second) if !over(second) => {
                let is_due = second.given < PER_SECOND;
                second.given += u32::from(is_due);
                is_due
            }
            second => {
                *second = Some(Second {
                    began: now,
                    given: 1,
                });
                true
            }
        }
    }
}

/// Enough for an operator who tries things out.
const PER_SECOND: u32 = 10;

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn so_many_a_second_and_then_again() {
        let hints = Hints::default();
        for _ in 0..3 {
            let due = (0..1000).filter(|_| hints.is_due()).count();
            assert_eq!(due, PER_SECOND as usize);
            advance(Duration::from_millis(999)).await;
            assert!(!hints.is_due());
            advance(Duration::from_millis(1)).await;
        }
    }
}
