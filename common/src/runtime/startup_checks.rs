//! Logs at the start of a program why a store cannot be reached, and that Redis may lose data, and
//! ends one whose Redis cannot be used.
//!
//! The shared connection to Redis reconnects by itself and tells its users only that there was no
//! answer. So a connection of its own is made here, whose error gives the reason.

use std::fmt::Display;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, InfoDict, RedisResult};

use crate::accounts::Accounts;
use crate::config::SettingError;
use crate::ledger::connection::Redis;
use crate::runtime::readiness::Readiness;
use crate::runtime::retry::{Backoff, retry_until_ok};

const BACKOFF: Backoff = Backoff::constant(Duration::from_secs(1));
const REDIS_TIMEOUT: Duration = Duration::from_secs(2);

/// Repeats both checks until each store has answered once: then the process has started. Runs beside
/// the rest of the program.
///
/// # Errors
/// What was found at `REDIS_URL` can never be used.
pub async fn run(
    redis: Redis,
    accounts: Accounts,
    readiness: Readiness,
) -> Result<(), SettingError> {
    let database = async {
        check_database(&accounts).await;
        Ok(())
    };
    tokio::try_join!(check_redis(&redis), database)?;
    readiness.started();
    Ok(())
}

async fn check_redis(redis: &Redis) -> Result<(), SettingError> {
    let mut log = LogOnce::new("redis", "REDIS_URL");
    let mut connection =
        retry_until_ok(BACKOFF, || connect(redis), |error| log.unreachable(&error)).await;
    log.reached();
    match shards(&mut connection).await {
        // All our keys are in one slot, and apalis-redis has one in another.
        Ok(shards) if shards > 1 => Err(SettingError::new(
            "REDIS_URL",
            format!("a Redis Cluster of {shards} shards: only one of a single shard can be used"),
        )),
        Ok(_) => Ok(()),
        Err(error) => {
            tracing::warn!(event = "redis_not_inspected", setting = "REDIS_URL", %error);
            Ok(())
        }
    }
}

async fn connect(redis: &Redis) -> RedisResult<MultiplexedConnection> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(REDIS_TIMEOUT))
        .set_response_timeout(Some(REDIS_TIMEOUT));
    redis.connect(&config).await
}

/// Warns of a Redis that may lose data; tells how many shards it has.
async fn shards(connection: &mut MultiplexedConnection) -> RedisResult<usize> {
    // INFO, because a Redis of a cloud provider often refuses CONFIG.
    let info: InfoDict = redis::cmd("INFO").query_async(connection).await?;
    warn_of_data_loss(&info);
    if info.get::<u8>("cluster_enabled") != Some(1) {
        return Ok(1);
    }
    let nodes: String = redis::cmd("CLUSTER").arg("NODES").query_async(connection).await?;
    // Behind eight fields of every node stand the slots of those that are primaries.
    Ok(nodes.lines().filter(|node| node.split(' ').count() > 8).count())
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
