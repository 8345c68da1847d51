//! The queue, the breakers and the dead letters in numbers, for metrics and for operators.

use std::time::Duration;

use crate::ledger::connection::RedisConnection;
use redis::RedisResult;
use serde::Serialize;
use ulid::Ulid;

use crate::ledger::keys;
use crate::queue::{Depth, NAMES, depth};

/// Whether a provider is called.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    Closed,
    Open,
    /// A probe decides.
    HalfOpen,
}

impl BreakerState {
    /// Of a breaker whose pause ends at `open_until` (Unix ms), if it has one.
    pub(crate) fn of(open_until: Option<i64>, now: i64) -> Self {
        match open_until {
            None => Self::Closed,
            Some(until) if until > now => Self::Open,
            Some(_) => Self::HalfOpen,
        }
    }
}

/// What waits, and what ended badly.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct QueueStats {
    pub depth: Depth,
    /// Age of the job that is next, or how long ago a retry should have been brought back;
    /// whichever is more.
    pub oldest_waiting: Duration,
    /// Deliveries on the list of those that ended without being sent.
    pub dead_letters: u64,
    /// The breaker of each provider that was asked about.
    pub breakers: Vec<(&'static str, BreakerState)>,
}

impl QueueStats {
    /// As they are at `now` (Unix ms).
    ///
    /// # Errors
    /// Redis cannot be reached or refuses.
    pub async fn read(
        redis: &mut RedisConnection,
        providers: &[&'static str],
        now: i64,
    ) -> RedisResult<Self> {
        let depth = depth(redis).await?;
        let mut call = redis::pipe();
        call.cmd("LINDEX").arg(&NAMES.active).arg(0);
        call.cmd("ZRANGE").arg(&NAMES.retry).arg(0).arg(0).arg("WITHSCORES");
        call.cmd("LLEN").arg(keys::DEAD_LETTERS);
        let (next, retry, dead_letters): (Option<String>, Vec<(String, f64)>, u64) =
            call.query_async(redis).await?;
        let mut breakers = Vec::new();
        for provider in providers {
            breakers.push((*provider, breaker(redis, provider, now).await?));
        }
        let retry_due = retry.first().map(|(_, due)| *due as i64);
        let since = |at: Option<i64>| u64::try_from(now - at.unwrap_or(now)).unwrap_or(0);
        let oldest = since(next.as_deref().and_then(written_at)).max(since(retry_due));
        Ok(Self { depth, oldest_waiting: Duration::from_millis(oldest), dead_letters, breakers })
    }
}

async fn breaker(
    redis: &mut RedisConnection,
    provider: &str,
    now: i64,
) -> RedisResult<BreakerState> {
    let open_until: Option<f64> = redis::cmd("HGET")
        .arg(keys::breaker(provider))
        .arg("open_until")
        .query_async(redis)
        .await?;
    Ok(BreakerState::of(open_until.map(|until| until as i64), now))
}

/// When a job was written (Unix ms): its id is a ULID.
fn written_at(job_id: &str) -> Option<i64> {
    Ulid::from_string(job_id).ok().and_then(|id| i64::try_from(id.timestamp_ms()).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_tells_when_it_was_written() {
        let id = Ulid::from_parts(1_700_000_000_123, 7).to_string();
        assert_eq!(written_at(&id), Some(1_700_000_000_123));
        assert_eq!(written_at("no id"), None);
    }
}
