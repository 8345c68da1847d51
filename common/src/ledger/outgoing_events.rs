//! What Redis knows of the events for the operator's webhook, beside their queue.

use redis::RedisResult;

use crate::ledger::connection::RedisConnection;
use crate::ledger::keys;
use crate::queue::Queue;

/// Entries that are read at once.
const MOST_AT_ONCE: isize = 100;

/// Events on their way to the operator's webhook.
#[derive(Clone, Debug)]
pub struct EventQueue {
    redis: RedisConnection,
}

impl EventQueue {
    #[must_use]
    pub fn new(redis: RedisConnection) -> Self {
        Self { redis }
    }

    /// Jobs that wait for a worker.
    ///
    /// # Errors
    /// Redis cannot be reached or refuses.
    pub async fn waiting(&self) -> RedisResult<usize> {
        let mut redis = self.redis.clone();
        redis::cmd("LLEN").arg(&Queue::Events.names().active).query_async(&mut redis).await
    }

    /// Since when the webhook wants no more events (Unix ms); none where it does.
    ///
    /// # Errors
    /// Redis cannot be reached or refuses.
    pub async fn off_since(&self) -> RedisResult<Option<i64>> {
        let mut redis = self.redis.clone();
        redis::cmd("GET").arg(keys::EVENTS_OFF).query_async(&mut redis).await
    }

    /// Posts no more events from `now` (Unix ms) on. Says whether they were on.
    ///
    /// # Errors
    /// Redis cannot be reached or refuses.
    pub async fn turn_off(&self, now: i64) -> RedisResult<bool> {
        let mut redis = self.redis.clone();
        redis::cmd("SETNX").arg(keys::EVENTS_OFF).arg(now).query_async(&mut redis).await
    }

    /// Posts events again. Says whether they were off.
    ///
    /// # Errors
    /// Redis cannot be reached or refuses.
    pub async fn turn_on(&self) -> RedisResult<bool> {
        let mut redis = self.redis.clone();
        redis::cmd("DEL").arg(keys::EVENTS_OFF).query_async(&mut redis).await
    }

    /// SMS that will not arrive, the oldest first, each as the scripts wrote it.
    pub(crate) async fn undelivered(&self) -> RedisResult<Vec<String>> {
        let mut redis = self.redis.clone();
        let mut list = redis::cmd("LRANGE");
        list.arg(keys::UNDELIVERED).arg(0).arg(MOST_AT_ONCE - 1).query_async(&mut redis).await
    }

    /// Takes one off that list. By its text and not by its place: several workers do so at once.
    pub(crate) async fn forget_undelivered(&self, entry: &str) -> RedisResult<()> {
        let mut redis = self.redis.clone();
        redis::cmd("LREM").arg(keys::UNDELIVERED).arg(1).arg(entry).exec_async(&mut redis).await
    }
}
