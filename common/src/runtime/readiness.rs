//! Readiness: whether Redis takes writes, the database answers and the process was not asked to
//! stop.

use std::future::Future;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::accounts::Accounts;
use crate::accounts::pool::PoolStats;
use crate::ledger::connection::{RedisConnection, takes_writes};

pub const TIMEOUT: Duration = Duration::from_secs(1);

#[derive(Clone, Debug)]
pub struct Readiness {
    redis: RedisConnection,
    accounts: Accounts,
    stopping: CancellationToken,
}

/// One store's part of the readiness.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Check {
    /// Whether it answered within a second.
    pub ok: bool,
    /// How long the answer took, a second at most.
    pub time: Duration,
}

/// The readiness of the process.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Checks {
    /// Redis: whether it takes writes.
    pub redis: Check,
    /// The database, waiting for a connection included.
    pub database: Check,
    /// The process was asked to stop, and finishes what it has.
    pub stopping: bool,
}

impl Checks {
    /// Whether requests and jobs can be served.
    #[must_use]
    pub fn ok(&self) -> bool {
        self.redis.ok && self.database.ok && !self.stopping
    }
}

impl Readiness {
    /// `stopping` is cancelled when the process is asked to stop.
    #[must_use]
    pub fn new(redis: RedisConnection, accounts: Accounts, stopping: CancellationToken) -> Self {
        Self { redis, accounts, stopping }
    }

    /// Asks both stores at once. Logs nothing.
    pub async fn check(&self) -> Checks {
        let mut redis = self.redis.clone();
        let (redis, database) =
            tokio::join!(timed(takes_writes(&mut redis)), timed(self.accounts.ping()));
        Checks { redis, database, stopping: self.stopping.is_cancelled() }
    }

    pub async fn pool(&self) -> PoolStats {
        PoolStats::measure(self.accounts.database()).await
    }
}

async fn timed<E>(answer: impl Future<Output = Result<(), E>>) -> Check {
    let start = Instant::now();
    let answer = tokio::time::timeout(TIMEOUT, answer).await;
    Check { ok: matches!(answer, Ok(Ok(()))), time: start.elapsed().min(TIMEOUT) }
}
