//! Calls with search attributes of our own, and the question which of them Temporal has.

use std::mem::take;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use webhook_core::outcome::Reject;

use super::Client;
use crate::temporal::attributes::{self, KEYWORD};
use crate::temporal::index::{self, Index};
use crate::temporal::{Call, Done};

impl Client {
    /// What is known of the search attributes of our own.
    pub const fn index(&self) -> &Index {
        &self.index
    }

    /// Makes the call: as long as it is refused with such attributes, with fewer of them.
    pub(super) async fn call_with_index(
        &self,
        mut call: Box<Call>,
        deadline: Instant,
    ) -> Result<Done, Reject> {
        loop {
            self.index.leave_out(&mut call.index);
            let mut attempt = call.clone();
            // A route's own attribute of that name goes before.
            for (name, value) in take(&mut attempt.index) {
                attempt.search_attributes.entry(name).or_insert(value);
            }
            let answer = self.call_once(attempt, deadline).await;
            let refusal = answer.as_ref().err().and_then(index::refusal);
            match refusal.and_then(|text| self.index.less(take(&mut call.index), text)) {
                Some(less) => call.index = less,
                None => return answer,
            }
        }
    }

    /// Asks Temporal which of them it has.
    ///
    /// # Errors
    /// Not every account may ask.
    pub async fn ask_for_index(&self) -> Result<(), String> {
        let asking = async {
            let connection = self.connection()?;
            attributes::registered(&connection, &self.settings.namespace).await
        };
        let asked = timeout(PATIENCE, asking).await;
        let known = asked.unwrap_or_else(|_| Err("no answer".to_owned()))?;
        self.index.learn(|name| known.get(name) == Some(&KEYWORD));
        Ok(())
    }

    /// Asks again and again, once they are used.
    pub(super) async fn watch_index(&self) {
        loop {
            if self.index.is_used()
                && let Err(error) = self.ask_for_index().await
            {
                tracing::debug!(error, "search attributes were not asked for");
            }
            let is_good = self.index.known().into_iter().all(|is_known| is_known);
            sleep(if is_good { INTERVAL } else { SOON }).await;
        }
    }
}

/// Between two questions.
const INTERVAL: Duration = Duration::from_secs(30);
/// As long as one is missing.
const SOON: Duration = Duration::from_secs(3);
const PATIENCE: Duration = Duration::from_secs(5);
