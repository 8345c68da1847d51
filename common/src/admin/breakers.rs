//! The breakers, as operators see and reset them.

use serde::Serialize;
use strum::VariantArray;

use crate::admin::queue_stats::BreakerState;
use crate::admin::{OperatorError, ask_redis};
use crate::config::ProviderName;
use crate::ledger::connection::RedisConnection;
use crate::ledger::keys;
use crate::runtime::clock::Timestamp;

/// The breaker of a provider.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Breaker {
    pub provider: &'static str,
    pub state: BreakerState,
    /// Failures since it last worked.
    pub failures: u32,
    /// Whether one of them was of our own settings or account.
    pub misconfigured: bool,
    /// When it may be tried again, where it is open.
    pub open_until: Option<Timestamp>,
}

impl Breaker {
    /// Those of all providers, as they are at `now` (Unix ms).
    ///
    /// # Errors
    /// [`OperatorError`].
    pub async fn all(
        redis: &mut RedisConnection,
        now: i64,
    ) -> Result<Vec<(ProviderName, Self)>, OperatorError> {
        let mut calls = redis::pipe();
        for provider in ProviderName::VARIANTS {
            calls.cmd("HMGET").arg(keys::breaker(provider.into_str())).arg(&FIELDS);
        }
        let found: Vec<Fields> = ask_redis(calls.query_async(redis)).await?;
        let found = ProviderName::VARIANTS.iter().zip(found);
        Ok(found.map(|(name, fields)| (*name, Self::of(name.into_str(), fields, now))).collect())
    }

    /// Forgets a provider's failures, so that it is called again at once. Answers how its breaker
    /// was at `now` (Unix ms).
    ///
    /// # Errors
    /// [`OperatorError`].
    pub async fn reset(
        redis: &mut RedisConnection,
        provider: &'static str,
        now: i64,
    ) -> Result<Self, OperatorError> {
        let mut calls = redis::pipe();
        calls.atomic().cmd("HMGET").arg(keys::breaker(provider)).arg(&FIELDS);
        calls.del(keys::breaker(provider)).ignore();
        let (found,): (Fields,) = ask_redis(calls.query_async(redis)).await?;
        Ok(Self::of(provider, found, now))
    }

    fn of(provider: &'static str, (failures, misconfigured, open_until): Fields, now: i64) -> Self {
        // Where `Retry-After` is longer than whole milliseconds, the scripts keep a fraction.
        let open_until = open_until.map(|until| until as i64);
        let state = BreakerState::of(open_until, now);
        let open_until =
            open_until.filter(|_| state == BreakerState::Open).map(Timestamp::of_unix_ms);
        Self {
            provider,
            state,
            failures: failures.unwrap_or(0),
            misconfigured: misconfigured.is_some(),
            open_until,
        }
    }
}

const FIELDS: [&str; 3] = ["failures", "misconfigured", "open_until"];
type Fields = (Option<u32>, Option<u32>, Option<f64>);
