//! Challenges that have been solved: each is good once.

use std::time::Duration;

use crate::ledger::connection::RedisConnection;
use crate::ledger::error::{LedgerError, within_deadline};
use crate::ledger::keys;
use crate::runtime::clock::millis;

/// Those in Redis.
#[derive(Clone, Debug)]
pub struct SolvedChallenges {
    redis: RedisConnection,
}

impl SolvedChallenges {
    #[must_use]
    pub fn new(redis: RedisConnection) -> Self {
        Self { redis }
    }

    /// Notes that a challenge was solved which expires in `left`; answers whether that is new.
    ///
    /// # Errors
    /// [`LedgerError`]; it may be noted all the same.
    pub async fn note(&self, id: &str, left: Duration) -> Result<bool, LedgerError> {
        let mut call = redis::cmd("SET");
        call.arg(keys::solved_challenge(id)).arg(1).arg("NX").arg("PX").arg(millis(left).max(1));
        let mut redis = self.redis.clone();
        let noted: Option<String> = within_deadline(call.query_async(&mut redis)).await?;
        Ok(noted.is_some())
    }
}
