//! Reads what the overview shows: counts, the queue, breakers, buckets and both stores.

use std::sync::Arc;
use std::time::Duration;

use common::admin::breakers::Breaker;
use common::admin::buckets::{Bucket, Level};
use common::admin::counts::Count;
use common::admin::overview::{self, Older, Range, Summary, Unusual};
use common::admin::queue_stats::{BreakerState, QueueStats};
use common::admin::{OperatorError, ask_redis};
use common::domain::phone::Country;
use common::queue;
use common::runtime::readiness::Checks;
use common::runtime::timeout::with_timeout;
use tokio::sync::Mutex;

use super::state::AdminState;

/// Buckets are unusual from this part of their capacity on.
const BUCKET_FILLS_FROM: f64 = 0.8;
/// A job that has waited for so long is unusual.
const WAITS_TOO_LONG: Duration = Duration::from_secs(30);
/// Countries whose buckets are looked at: those that most SMS were asked for.
const MOST_COUNTRIES: usize = 20;
/// A reader waits for so long until those before have read the counts. So where Redis hangs, all are
/// told so at once, and not one after the other.
const LONGEST_TURN: Duration = Duration::from_secs(2);
/// For all that is read beside the counts.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What readers of the overview share.
#[derive(Clone, Debug, Default)]
pub struct Shared {
    older: Arc<Mutex<Older>>,
}

/// What there is to see at one moment.
#[derive(Debug)]
pub(super) struct Overview {
    pub(super) at: i64,
    pub(super) stores: Checks,
    /// None where Redis did not tell them.
    pub(super) counted: Option<Counted>,
    /// None where Redis did not tell it.
    pub(super) now: Option<Now>,
}

/// What happened.
#[derive(Debug)]
pub(super) struct Counted {
    pub(super) summary: Summary,
    pub(super) unusual: Vec<Unusual>,
}

/// How it stands.
#[derive(Debug)]
pub(super) struct Now {
    pub(super) queue: QueueStats,
    pub(super) workers: u64,
    /// Of providers that were called, or whose breaker is not closed.
    pub(super) breakers: Vec<Breaker>,
    /// Those that fill.
    pub(super) buckets: Vec<Level>,
}

impl Now {
    pub(super) fn waits_too_long(&self) -> bool {
        self.queue.oldest_waiting >= WAITS_TOO_LONG
    }
}

pub(super) async fn read(state: &AdminState, range: Range) -> Overview {
    let at = state.app.clock.unix_ms();
    let (stores, counts) = tokio::join!(state.app.readiness.check(), read_counts(state, at));
    let counted = counts.map(|counts| Counted {
        summary: Summary::of(counts.iter(), range, at),
        unusual: overview::unusual(&counts.iter().collect::<Vec<_>>(), at),
    });
    let counted = counted.inspect_err(warn).ok();
    let now = if stores.redis.ok {
        let now = read_now(state, counted.as_ref().map(|counted| &counted.summary), at);
        with_timeout(TIMEOUT, OperatorError::RedisAway, now).await.inspect_err(warn).ok()
    } else {
        None
    };
    Overview { at, stores, counted, now }
}

fn warn(error: &OperatorError) {
    tracing::warn!(event = "overview_without_redis", %error);
}

async fn read_counts(state: &AdminState, now: i64) -> Result<Vec<Count>, OperatorError> {
    let older = tokio::time::timeout(LONGEST_TURN, state.overview.older.lock()).await;
    let mut older = older.map_err(|_| OperatorError::RedisAway)?;
    ask_redis(overview::read(&mut state.redis.clone(), &mut older, now)).await
}

async fn read_now(
    state: &AdminState,
    summary: Option<&Summary>,
    now: i64,
) -> Result<Now, OperatorError> {
    let mut redis = state.redis.clone();
    let queue = ask_redis(QueueStats::read(&mut redis, &[], now)).await?;
    let workers = ask_redis(queue::living_workers(&mut redis, now)).await?;
    let called = summary.map_or(&[][..], |summary| summary.providers.as_slice());
    let mut breakers = Vec::new();
    for (_, breaker) in Breaker::all(&mut redis, now).await? {
        let was_called = called.iter().any(|(called, _)| called == breaker.provider);
        if was_called || breaker.state != BreakerState::Closed {
            breakers.push(breaker);
        }
    }
    let countries = summary.map_or(&[][..], |summary| summary.countries.as_slice());
    let countries = countries.iter().filter_map(|(country, _)| country.as_deref());
    let countries = countries.filter_map(|code| code.parse::<Country>().ok()).take(MOST_COUNTRIES);
    let mut buckets = Vec::new();
    for bucket in countries.map(|country| Bucket::Country(Some(country))).chain([Bucket::Service]) {
        let level = bucket.look(&mut redis, &state.ledger, &state.app.clock, false).await?;
        if level.capacity > 0 && level.level >= f64::from(level.capacity) * BUCKET_FILLS_FROM {
            buckets.push(level);
        }
    }
    Ok(Now { queue, workers, breakers, buckets })
}
