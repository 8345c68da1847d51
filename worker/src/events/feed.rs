//! Gives events of the outbox that are due a job each.

use std::time::Duration;

use common::outbox::{OutboxError, take_undelivered};
use common::queue::job::PostEvent;
use common::queue::{NewJob, Queue, enqueue};
use common::runtime::clock::millis;
use tokio::time::{Instant, sleep};

use super::EventPoster;
use crate::metrics;
use crate::warn_once::WarnOnce;

/// Jobs that wait at most. So few that each begins within its lease, whatever the webhook does.
const MOST_WAITING: usize = 32;
/// An event whose job is lost, with Redis or before it was queued, gets another one after this.
const LEASE: Duration = Duration::from_secs(60);
const PAUSE_WHEN_EMPTY: Duration = Duration::from_millis(500);
const PAUSE_WHEN_FULL: Duration = Duration::from_millis(20);
/// Between counts of the events in the outbox, which reads all of them.
const COUNT_EVERY: Duration = Duration::from_secs(15);

impl EventPoster {
    /// Never ends.
    pub(super) async fn feed(self) {
        let mut failing = WarnOnce::default();
        let mut counted_at: Option<Instant> = None;
        loop {
            if counted_at.is_none_or(|at| at.elapsed() > COUNT_EVERY) {
                counted_at = Some(Instant::now());
                match self.accounts.count_events().await {
                    Ok(counts) => metrics::events_in_outbox(counts.waiting, counts.dead),
                    Err(error) => tracing::warn!(event = "events_not_counted", %error),
                }
            }
            let step = self.step().await;
            failing.note(&step, |error| tracing::warn!(event = "events_not_queued", %error));
            sleep(if step.unwrap_or(false) { PAUSE_WHEN_FULL } else { PAUSE_WHEN_EMPTY }).await;
        }
    }

    /// Says whether there may be more to do.
    async fn step(&self) -> Result<bool, OutboxError> {
        take_undelivered(&self.accounts, &self.queue, self.clock.now()).await?;
        let is_off = self.queue.off_since().await?.is_some();
        metrics::events_off(is_off);
        if is_off {
            return Ok(false);
        }
        let room = MOST_WAITING.saturating_sub(self.queue.waiting().await?);
        if room == 0 {
            return Ok(true);
        }
        let now = self.clock.unix_ms();
        let lease = now + millis(LEASE);
        let limit = i64::try_from(room).unwrap_or(i64::MAX);
        let taken = self.accounts.take_due_events(now, lease, limit).await?;
        let jobs = taken.iter().map(|&id| NewJob::now(&PostEvent { id, lease }));
        let jobs: Vec<_> = jobs.collect();
        if !jobs.is_empty() {
            enqueue(&mut self.redis.clone(), Queue::Events, &jobs).await?;
        }
        Ok(taken.len() == room)
    }
}
