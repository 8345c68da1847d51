//! Logs at the start of a program why a store cannot be reached, and that Redis may lose data.
//!
//! The shared connection to Redis reconnects by itself and tells its users only that there was no
//! answer. So a connection of its own is made here, whose error gives the reason.

use std::fmt::Display;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, InfoDict, RedisResult};

use crate::accounts::Accounts;
use crate::ledger::connection::Redis;
use crate::runtime::readiness::Readiness;
use crate::runtime::retry::{Backoff, retry_until_ok};

const BACKOFF: Backoff = Backoff::constant(Duration::from_secs(1));
const REDIS_TIMEOUT: Duration = Duration::from_secs(2);

/// Repeats both checks until each store has answered once: then the process has started. Runs beside
/// the rest of the program.
pub async fn run(redis: Redis, accounts: Accounts, readiness: Readiness) {
    tokio::join!(check_redis(&redis), check_database(&accounts));
    readiness.started();
}

async fn check_redis(redis: &Redis) {
    let mut log = LogOnce::new("redis", "REDIS_URL");
    let mut connection =
        retry_until_ok(BACKOFF, || connect(redis), |error| log.unreachable(&error)).await;
    log.reached();
    // INFO, because a Redis of a cloud provider often refuses CONFIG.
    match redis::cmd("INFO").query_async::<InfoDict>(&mut connection).await {
        Ok(info) => {
            warn_of_data_loss(&info);
            if info.get::<u8>("cluster_enabled") == Some(1) {
                check_shards(&mut connection).await;
            }
        }
        Err(error) => tracing::warn!(event = "redis_not_inspected", setting = "REDIS_URL", %error),
    }
}

async fn connect(redis: &Redis) -> RedisResult<MultiplexedConnection> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(REDIS_TIMEOUT))
        .set_response_timeout(Some(REDIS_TIMEOUT));
    redis.connect(&config).await
}

/// All keys are in one slot, so a cluster's other shards would be of no use; and apalis-redis has a
/// key in another.
async fn check_shards(connection: &mut MultiplexedConnection) {
    let info = redis::cmd("CLUSTER").arg("INFO").query_async::<InfoDict>(connection).await;
    let shards = info.ok().and_then(|info| info.get::<u32>("cluster_size"));
    if shards.is_some_and(|shards| shards > 1) {
        tracing::error!(
            event = "redis_has_shards",
            setting = "REDIS_URL",
            shards,
            "A Redis Cluster of more than one shard cannot be used: scripts fail on it"
        );
    }
}

/// Jobs, OTPs and limits are in Redis and nowhere else.
fn warn_of_data_loss(info: &InfoDict) {
    if info.get::<u8>("aof_enabled") == Some(0) {
        tracing::warn!(
            event = "redis_may_lose_jobs",
            setting = "appendonly",
            "Redis writes no append-only file: when it restarts, OTPs, jobs and limits are lost"
        );
    }
    let policy = info.get::<String>("maxmemory_policy").unwrap_or_default();
    let bounded = info.get::<u64>("maxmemory") != Some(0);
    if bounded && !matches!(policy.as_str(), "" | "noeviction") {
        tracing::warn!(
            event = "redis_may_drop_jobs",
            setting = "maxmemory-policy",
            policy,
            "Redis drops keys when its memory is full: only noeviction keeps OTPs, jobs and limits"
        );
    }
}

async fn check_database(accounts: &Accounts) {
    let mut log = LogOnce::new("database", "DATABASE_URL");
    retry_until_ok(BACKOFF, || accounts.ping(), |error| log.unreachable(&error)).await;
    log.reached();
    let keeps = || accounts.keeps_prepared_statements();
    if !retry_until_ok(BACKOFF, keeps, |_| {}).await {
        tracing::error!(
            event = "database_forgets_statements",
            setting = "DATABASE_URL",
            "PgBouncer in transaction mode keeps no prepared statements: use its session mode, or \
             version 1.21 or later with max_prepared_statements"
        );
    }
}

/// Logs each reason why a store is not reached once, and that it is reached after that.
struct LogOnce {
    store: &'static str,
    setting: &'static str,
    logged: Option<String>,
}

impl LogOnce {
    fn new(store: &'static str, setting: &'static str) -> Self {
        Self { store, setting, logged: None }
    }

    fn unreachable(&mut self, error: &impl Display) {
        let error = error.to_string();
        if self.logged.as_ref() != Some(&error) {
            tracing::warn!(
                event = "store_unreachable",
                store = self.store,
                setting = self.setting,
                error
            );
            self.logged = Some(error);
        }
    }

    fn reached(self) {
        if self.logged.is_some() {
            tracing::info!(event = "store_reached", store = self.store);
        }
    }
}
