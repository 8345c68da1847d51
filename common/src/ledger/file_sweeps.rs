//! Whose turn it is to tidy up files: one sweep at a time in the whole system.

use std::time::Duration;

use redis::RedisResult;

use crate::ledger::connection::RedisConnection;
use crate::ledger::keys;
use crate::runtime::clock::millis;

#[derive(Clone, Debug)]
pub struct FileSweeps {
    redis: RedisConnection,
}

impl FileSweeps {
    #[must_use]
    pub fn new(redis: RedisConnection) -> Self {
        Self { redis }
    }

    /// Gives the turn to a sweep for that long. Says whether nobody had it.
    ///
    /// # Errors
    /// Redis cannot be reached or refuses.
    pub async fn begin(&self, sweep: &str, time: Duration) -> RedisResult<bool> {
        let mut redis = self.redis.clone();
        let mut set = redis::cmd("SET");
        set.arg(keys::SWEEP).arg(sweep).arg("NX").arg("PX").arg(millis(time));
        set.query_async(&mut redis).await
    }

    /// Leaves the turn with a sweep for that long from now, after which another begins. Says whether
    /// it still has it.
    ///
    /// # Errors
    /// Redis cannot be reached or refuses.
    pub async fn prolong(&self, sweep: &str, time: Duration) -> RedisResult<bool> {
        let mut redis = self.redis.clone();
        let holder: Option<String> =
            redis::cmd("GET").arg(keys::SWEEP).query_async(&mut redis).await?;
        if holder.as_deref() != Some(sweep) {
            return Ok(false);
        }
        redis::cmd("PEXPIRE").arg(keys::SWEEP).arg(millis(time)).query_async(&mut redis).await
    }

    /// Says whether it is time to look at all bytes, which then nobody does for that long.
    ///
    /// # Errors
    /// Redis cannot be reached or refuses.
    pub async fn begin_listing(&self, pause: Duration) -> RedisResult<bool> {
        let mut redis = self.redis.clone();
        let mut set = redis::cmd("SET");
        set.arg(keys::FILES_LISTED).arg(1).arg("NX").arg("PX").arg(millis(pause));
        set.query_async(&mut redis).await
    }

    /// Lets all bytes be looked at again: nobody came to the end of them.
    ///
    /// # Errors
    /// Redis cannot be reached or refuses.
    pub async fn listing_failed(&self) -> RedisResult<()> {
        let mut redis = self.redis.clone();
        redis::cmd("DEL").arg(keys::FILES_LISTED).exec_async(&mut redis).await
    }
}
