//! The outcomes of this worker's last attempts. A Redis that fails over or restarts may have lost that
//! an SMS was claimed and sent, and gives its job out again as if nothing had happened. Then the
//! outcome is recorded again, and the SMS is not sent again.

use std::convert::Infallible;
use std::sync::Arc;

use common::ledger::outcome::Outcome;
use quick_cache::sync::Cache;

/// About 300 bytes each. At 1,000 SMS a second they go back ten seconds.
const MOST_ATTEMPTS: usize = 10_000;

/// Clones share what they keep.
#[derive(Clone, Debug)]
pub struct RecentAttempts {
    /// By the delivery's id and the attempt's number.
    outcomes: Arc<Cache<(String, u32), Outcome>>,
}

impl Default for RecentAttempts {
    fn default() -> Self {
        Self { outcomes: Arc::new(Cache::new(MOST_ATTEMPTS)) }
    }
}

impl RecentAttempts {
    /// Runs an attempt, or waits for the outcome where it runs already or has run.
    pub async fn run(
        &self,
        delivery_id: &str,
        number: u32,
        attempt: impl Future<Output = Outcome>,
    ) -> Outcome {
        let mut is_new = false;
        let attempt = async {
            is_new = true;
            Ok::<_, Infallible>(attempt.await)
        };
        let Ok(outcome) =
            self.outcomes.get_or_insert_async(&(delivery_id.to_owned(), number), attempt).await;
        if !is_new {
            tracing::warn!(
                event = "sms_not_repeated",
                delivery_id,
                reason = "Redis had lost an attempt of this worker"
            );
        }
        outcome
    }
}
