//! What Redis knows of the events for the operator's webhook, beside their queue.

use std::time::Duration;

use redis::RedisResult;

use crate::ledger::connection::RedisConnection;
use crate::ledger::keys;
use crate::queue::Queue;
use crate::runtime::clock::millis;

/// Entries that are read at once.
const MOST_AT_ONCE: isize = 100;
/// For how long a worker alone takes them, unless it has done so before.
const TAKING: Duration = Duration::from_secs(5);

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

    /// Says whether this worker alone takes them now.
    pub(crate) async fn begin_taking(&self) -> RedisResult<bool> {
        let mut redis = self.redis.clone();
        let mut set = redis::cmd("SET");
        set.arg(keys::TAKING_UNDELIVERED).arg(1).arg("NX").arg("PX").arg(millis(TAKING));
        set.query_async(&mut redis).await
    }

    /// Lets another worker take them.
    pub(crate) async fn end_taking(&self) -> RedisResult<()> {
        let mut redis = self.redis.clone();
        redis::cmd("DEL").arg(keys::TAKING_UNDELIVERED).exec_async(&mut redis).await
    }

    /// Takes one off that list. By its text and not by its place: a worker that was held up may do so
    /// beside another.
    pub(crate) async fn forget_undelivered(&self, entry: &str) -> RedisResult<()> {
        let mut redis = self.redis.clone();
        redis::cmd("LREM").arg(keys::UNDELIVERED).arg(1).arg(entry).exec_async(&mut redis).await
    }
}
