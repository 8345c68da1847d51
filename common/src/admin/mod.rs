//! What operators' commands ask of Redis and the database, and how long they wait for it.

pub mod breakers;
pub mod buckets;
pub mod counts;
pub mod deliveries;
pub mod numbers;
pub mod outgoing_events;
pub mod overview;
pub mod queue_stats;
pub mod queue_summary;

use std::future::Future;
use std::time::Duration;

use crate::ledger::connection::RedisConnection;
use redis::{RedisError, RedisResult};

use crate::accounts::AccountsError;
use crate::config::{RedisConfig, SettingError};
use crate::runtime::timeout::with_timeout;

/// How long an operator waits for one answer of a store that may be away.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Why a store could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// Redis refused or was lost.
    #[error("REDIS_URL: {0}")]
    Redis(#[from] RedisError),
    #[error("REDIS_URL: no answer within {TIMEOUT:?}")]
    RedisAway,
    /// The database refused, was lost or did not answer in time. A change may have happened.
    #[error("DATABASE_URL: {0}")]
    Accounts(#[from] AccountsError),
}

/// A connection for one command.
///
/// # Errors
/// A URL that is not one of Redis.
pub fn connect(config: &RedisConfig) -> Result<RedisConnection, OperatorError> {
    Ok(config.server()?.connection(TIMEOUT))
}

/// Waits for Redis, but not for ever.
///
/// # Errors
/// Redis refuses, or does not answer.
pub async fn ask_redis<T>(call: impl Future<Output = RedisResult<T>>) -> Result<T, OperatorError> {
    with_timeout(TIMEOUT, OperatorError::RedisAway, call).await
}
