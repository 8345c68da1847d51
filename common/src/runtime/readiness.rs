//! Whether the process takes work: it was not asked to stop, Redis takes writes, the database answers; and how fast.

use std::future::Future;
use std::time::{Duration, Instant};

use crate::ledger::connection::RedisConnection;
use tokio_util::sync::CancellationToken;

use crate::accounts::Accounts;
use crate::accounts::pool::PoolStats;
use crate::ledger::connection::takes_writes;

/// Longest that one answer may take.
pub const LIMIT: Duration = Duration::from_secs(1);

/// Asks both stores, and knows whether the process is stopping.
#[derive(Clone, Debug)]
pub struct Readiness {
    redis: RedisConnection,
    accounts: Accounts,
    stopping: CancellationToken,
}

/// What came of asking one store.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Check {
    /// Whether it answered within [`LIMIT`].
    pub ok: bool,
    /// How long that took, [`LIMIT`] at most.
    pub time: Duration,
}

/// What came of asking both at once.
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
    /// Of these two stores, until `stopping` is cancelled.
    #[must_use]
    pub fn new(redis: RedisConnection, accounts: Accounts, stopping: CancellationToken) -> Self {
        Self { redis, accounts, stopping }
    }

    /// Asks both stores at once. Logs nothing.
    pub async fn check(&self) -> Checks {
        let mut redis = self.redis.clone();
        let (redis, database) = tokio::join!(timed(takes_writes(&mut redis)), timed(self.accounts.ping()),);
        Checks { redis, database, stopping: self.stopping.is_cancelled() }
    }

    /// Looks at the pool of connections to the database.
    pub async fn pool(&self) -> PoolStats {
        PoolStats::of(self.accounts.database()).await
    }
}

async fn timed<E>(answer: impl Future<Output = Result<(), E>>) -> Check {
    let start = Instant::now();
    let answer = tokio::time::timeout(LIMIT, answer).await;
    Check { ok: matches!(answer, Ok(Ok(()))), time: start.elapsed().min(LIMIT) }
}
