//! The queue and the dead letters in numbers, for operators.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::admin::queue_stats::QueueStats;
use crate::admin::{OperatorError, ask_redis};
use crate::ledger::connection::RedisConnection;
use crate::ledger::deliveries::dead_letters;
use crate::queue;

#[derive(Clone, Debug, Serialize)]
pub struct QueueSummary {
    /// Those whose last heartbeat is not too old.
    pub workers: u64,
    pub waiting: u64,
    pub retrying: u64,
    pub in_flight: u64,
    pub oldest_waiting_seconds: f64,
    pub dead_letters: DeadLetterCounts,
}

#[derive(Clone, Debug, Serialize)]
pub struct DeadLetterCounts {
    pub kept: u64,
    /// How many of each reason.
    pub reasons: BTreeMap<String, u64>,
}

impl QueueSummary {
    /// As it is at `now` (Unix ms).
    ///
    /// # Errors
    /// [`OperatorError`].
    pub async fn read(redis: &mut RedisConnection, now: i64) -> Result<Self, OperatorError> {
        let stats = ask_redis(QueueStats::read(redis, &[], now)).await?;
        let workers = ask_redis(queue::living_workers(redis, now)).await?;
        let mut reasons = BTreeMap::new();
        for letter in ask_redis(dead_letters(redis)).await? {
            *reasons.entry(letter.reason).or_insert(0) += 1;
        }
        Ok(Self {
            workers,
            waiting: stats.depth.waiting,
            retrying: stats.depth.retrying,
            in_flight: stats.depth.in_flight,
            oldest_waiting_seconds: stats.oldest_waiting.as_secs_f64(),
            dead_letters: DeadLetterCounts { kept: stats.dead_letters, reasons },
        })
    }
}
