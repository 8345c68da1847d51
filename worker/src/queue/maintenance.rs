//! What each worker does for the queue beside running jobs.

use std::time::Duration;

use common::ledger::connection::RedisConnection;
use common::queue::{MAX_STEP, Queue, promote_due, prune_ended};
use common::runtime::clock::Clock;
use common::runtime::timeout::with_timeout;
use redis::RedisResult;
use tokio::time::sleep;

use crate::metrics;
use crate::queue::queue_error::{LogOnChange, QueueError};

const PROMOTE_EVERY: Duration = Duration::from_millis(200);
const PRUNE_EVERY: Duration = Duration::from_secs(1);
const STEP_TIMEOUT: Duration = Duration::from_secs(5);

/// Brings due retries back to the queue, where it has any, and removes ended jobs. Never ends.
pub(crate) async fn maintain(redis: RedisConnection, queue: Queue, clock: Clock) {
    let prune = repeat("forget ended jobs", PRUNE_EVERY, || {
        let mut redis = redis.clone();
        async move {
            let removed = prune_ended(&mut redis, queue, MAX_STEP).await?;
            metrics::removed("jobs", removed as u64);
            Ok(removed)
        }
    });
    if queue != Queue::Sms {
        // Retries of the others wait in the database.
        return prune.await;
    }
    let promote = repeat("bring due retries back", PROMOTE_EVERY, || {
        let mut redis = redis.clone();
        let now = clock.unix_ms();
        async move { promote_due(&mut redis, now, MAX_STEP).await }
    });
    tokio::join!(promote, prune);
}

/// Removes the jobs that have ended until now, until Redis fails.
pub(crate) async fn remove_ended_jobs(mut redis: RedisConnection, queue: Queue) {
    while prune_ended(&mut redis, queue, MAX_STEP).await.is_ok_and(|pruned| pruned == MAX_STEP) {}
}

/// Takes a step every `period`, and the next one at once while there is more to do.
async fn repeat<F>(work: &'static str, period: Duration, step: impl Fn() -> F)
where
    F: Future<Output = RedisResult<usize>>,
{
    let mut log = LogOnChange::new(work);
    loop {
        let done = log.observe(with_timeout(STEP_TIMEOUT, QueueError::NoAnswer, step()).await);
        if done != Some(MAX_STEP) {
            sleep(period).await;
        }
    }
}
