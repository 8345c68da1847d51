//! What a program says of its stores when it first meets them: why one cannot be reached, and that Redis may lose what it is given.
//!
//! Connections to Redis heal by themselves, and those who wait for one learn only that there was no answer. So here one is made for
//! the sake of its error.

use std::fmt::Display;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, InfoDict, RedisResult};

use crate::accounts::Accounts;
use crate::ledger::connection::Redis;

/// Between two tries to reach a store that is away.
const PAUSE: Duration = Duration::from_secs(1);
/// For one try.
const LIMIT: Duration = Duration::from_secs(2);

/// Tries to reach both stores until each has answered once. To be run beside whatever else the program does.
pub async fn run(redis: Redis, accounts: Accounts) {
    tokio::join!(check_redis(&redis), check_database(&accounts));
}

async fn check_redis(redis: &Redis) {
    let mut absence = LogOnce::of("redis", "REDIS_URL");
    let mut connection = loop {
        match connect(redis).await {
            Ok(connection) => break connection,
            Err(error) => absence.note(&error),
        }
        tokio::time::sleep(PAUSE).await;
    };
    absence.over();
    // CONFIG is often refused where Redis is somebody else's.
    match redis::cmd("INFO").query_async::<InfoDict>(&mut connection).await {
        Ok(info) => warn_of(&info),
        Err(error) => tracing::warn!(event = "redis_not_inspected", setting = "REDIS_URL", %error),
    }
}

async fn connect(redis: &Redis) -> RedisResult<MultiplexedConnection> {
    let config = AsyncConnectionConfig::new().set_connection_timeout(Some(LIMIT)).set_response_timeout(Some(LIMIT));
    redis.client().get_multiplexed_async_connection_with_config(&config).await
}

/// Jobs, codes and limits are in Redis and nowhere else.
fn warn_of(info: &InfoDict) {
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
    let mut absence = LogOnce::of("database", "DATABASE_URL");
    while let Err(error) = accounts.ping().await {
        absence.note(&error);
        tokio::time::sleep(PAUSE).await;
    }
    absence.over();
}

/// A store that was not reached yet. Each reason is told once.
struct LogOnce {
    store: &'static str,
    setting: &'static str,
    told: Option<String>,
}

impl LogOnce {
    fn of(store: &'static str, setting: &'static str) -> Self {
        Self { store, setting, told: None }
    }

    fn note(&mut self, error: &impl Display) {
        let error = error.to_string();
        if self.told.as_ref() != Some(&error) {
            let (store, setting) = (self.store, self.setting);
            tracing::warn!(event = "store_unreachable", store, setting, error);
            self.told = Some(error);
        }
    }

    fn over(self) {
        if self.told.is_some() {
            tracing::info!(event = "store_reached", store = self.store);
        }
    }
}
