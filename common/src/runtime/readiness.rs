//! Readiness: whether a process can do anything useful, and what it misses.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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
    needs: Needs,
    /// Each store has answered once. Until then a setting may be wrong, and a process that replaces
    /// another one is not to be believed in.
    started: Arc<AtomicBool>,
    stopping: CancellationToken,
}

/// Without what a process can do nothing useful.
#[derive(Clone, Copy, Debug)]
pub enum Needs {
    Redis,
    /// Without Redis tokens work, without the database OTPs are sent.
    EitherStore,
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
    /// It can do something useful, has reached each store once, and is not stopping.
    pub ready: bool,
}

impl Checks {
    /// Whether a store is missing.
    #[must_use]
    pub fn degraded(&self) -> bool {
        !(self.redis.ok && self.database.ok)
    }
}

impl Readiness {
    /// `stopping` is cancelled when the process is asked to stop.
    #[must_use]
    pub fn new(
        redis: RedisConnection,
        accounts: Accounts,
        needs: Needs,
        stopping: CancellationToken,
    ) -> Self {
        Self { redis, accounts, needs, started: Arc::default(), stopping }
    }

    /// Each store has been reached once.
    pub fn started(&self) {
        self.started.store(true, Ordering::Relaxed);
    }

    /// Asks both stores at once. Logs nothing.
    pub async fn check(&self) -> Checks {
        let mut redis = self.redis.clone();
        let (redis, database) =
            tokio::join!(timed(takes_writes(&mut redis)), timed(self.accounts.ping()));
        if redis.ok && database.ok {
            self.started();
        }
        let stopping = self.stopping.is_cancelled();
        let useful = match self.needs {
            Needs::Redis => redis.ok,
            Needs::EitherStore => redis.ok || database.ok,
        };
        let ready = useful && !stopping && self.started.load(Ordering::Relaxed);
        Checks { redis, database, stopping, ready }
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
