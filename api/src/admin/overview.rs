//! Reads what the overview shows: counts, the queue, breakers, buckets and both stores.

use std::sync::Arc;
use std::time::Duration;

use common::admin::ask_redis;
use common::admin::breakers::Breaker;
use common::admin::buckets::{Bucket, Level};
use common::admin::overview::{self, Older, Range, Summary, Unusual};
use common::admin::queue_stats::{BreakerState, QueueStats};
use common::config::ProviderName;
use common::domain::phone::Country;
use common::queue;
use common::runtime::readiness::Checks;
use strum::VariantArray;
use tokio::sync::{Mutex, Semaphore};

use super::state::AdminState;

/// Buckets are unusual from this part of their capacity on.
const BUCKET_FILLS_FROM: f64 = 0.8;
/// A job that has waited for so long is unusual.
const WAITS_TOO_LONG: Duration = Duration::from_secs(30);
/// Countries whose buckets are looked at: those that most SMS were asked for.
const MOST_COUNTRIES: usize = 20;
/// Live overviews at once, in this process.
const MOST_WATCHERS: usize = 20;

/// What readers of the overview share.
#[derive(Clone, Debug)]
pub struct Shared {
    older: Arc<Mutex<Older>>,
    pub(super) watchers: Arc<Semaphore>,
}

impl Default for Shared {
    fn default() -> Self {
        let watchers = Arc::new(Semaphore::new(MOST_WATCHERS));
        Self { older: Arc::default(), watchers }
    }
}

/// What there is to see at one moment.
#[derive(Debug)]
pub(super) struct Overview {
    pub(super) at: i64,
    pub(super) stores: Checks,
    /// None while Redis is away.
    pub(super) ledger: Option<Ledger>,
}

#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) summary: Summary,
    pub(super) queue: QueueStats,
    pub(super) workers: u64,
    /// Of providers that were called, or whose breaker is not closed.
    pub(super) breakers: Vec<Breaker>,
    pub(super) unusual: Vec<Unusual>,
    /// Those that fill.
    pub(super) buckets: Vec<Level>,
}

impl Ledger {
    pub(super) fn waits_too_long(&self) -> bool {
        self.queue.oldest_waiting >= WAITS_TOO_LONG
    }
}

pub(super) async fn read(state: &AdminState, range: Range) -> Overview {
    let at = state.app.clock.unix_ms();
    let (stores, ledger) = tokio::join!(state.app.readiness.check(), read_ledger(state, range, at));
    let ledger = ledger.inspect_err(|error| {
        tracing::warn!(event = "overview_without_redis", %error);
    });
    Overview { at, stores, ledger: ledger.ok() }
}

async fn read_ledger(
    state: &AdminState,
    range: Range,
    now: i64,
) -> Result<Ledger, common::admin::OperatorError> {
    let mut redis = state.redis.clone();
    let counts = {
        let mut older = state.overview.older.lock().await;
        ask_redis(overview::read(&mut redis, &mut older, now)).await?
    };
    let summary = Summary::of(counts.iter(), range, now);
    let queue = ask_redis(QueueStats::read(&mut redis, &[], now)).await?;
    let workers = ask_redis(queue::living_workers(&mut redis, now)).await?;
    let mut breakers = Vec::new();
    for provider in ProviderName::VARIANTS.iter().map(|name| name.into_str()) {
        let breaker = Breaker::read(&mut redis, provider, now).await?;
        let was_called = summary.providers.iter().any(|(called, _)| called == provider);
        if was_called || breaker.state != BreakerState::Closed {
            breakers.push(breaker);
        }
    }
    let countries = summary.countries.iter().filter_map(|(country, _)| country.as_deref());
    let countries = countries.filter_map(|code| code.parse::<Country>().ok()).take(MOST_COUNTRIES);
    let mut buckets = Vec::new();
    for bucket in countries.map(|country| Bucket::Country(Some(country))).chain([Bucket::Service]) {
        let level = bucket.look(&mut redis, &state.ledger, &state.app.clock, false).await?;
        if level.capacity > 0 && level.level >= f64::from(level.capacity) * BUCKET_FILLS_FROM {
            buckets.push(level);
        }
    }
    let unusual = overview::unusual(&counts.iter().collect::<Vec<_>>(), now);
    Ok(Ledger { summary, queue, workers, breakers, unusual, buckets })
}
