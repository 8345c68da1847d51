//! The worker's metrics: one row a metric, and a function for each thing that is counted.

use std::future::Future;
use std::time::{Duration, Instant};

use common::admin::queue_stats::{BreakerState, QueueStats};
use common::ledger::connection::RedisConnection;
use common::runtime::clock::Clock;
use common::runtime::metrics::{BuildError, Exporter, STORE_METRICS, observe_stores};
use common::runtime::readiness::{Readiness, TIMEOUT};
use metrics::{counter, gauge, histogram};

use crate::provider::{FailureClass, SendError};

common::metrics! { WORKER_METRICS:
    JOBS: Counter = "cheershare_jobs_total",
        "Runs of jobs, by outcome: sent, retried, failed, dropped (nobody wanted the SMS any more), \
        put_off (no provider took calls, or another run was at it), ended_before, unreadable, panicked.";
    PROVIDER_CALLS: Counter = "cheershare_provider_calls_total",
        "Calls of a provider, by the class of its answer: accepted, permanent, misconfigured, \
        throttled, transient, ambiguous.";
    PROVIDER_CALL_SECONDS: Histogram(&[0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0])
        = "cheershare_provider_call_duration_seconds",
        "How long a provider took to answer.";
    ACCEPTED_SECONDS: Histogram(&[0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0])
        = "cheershare_sms_request_to_accepted_seconds",
        "From the request for an OTP to the provider's word that it accepted the SMS: what users wait for.";
    ATTEMPTS: Histogram(&[1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 21.0])
        = "cheershare_sms_tries",
        "Tries of an SMS until it was accepted or given up.";
    MAY_REPEAT: Counter = "cheershare_sms_may_repeat_total",
        "Tries after one whose outcome was never recorded: each may have sent an SMS twice.";
    BREAKER: Gauge = "cheershare_breaker_state",
        "1 for the state that a provider's breaker is in, for all workers: closed, open or half_open; else 0.";
    QUEUE: Gauge = "cheershare_queue_jobs",
        "Jobs in the queue that all workers share, by state: waiting, retrying (due later), in_flight.";
    OLDEST: Gauge = "cheershare_queue_oldest_waiting_seconds",
        "Age of the job that is next, or how long a retry is overdue, whichever is more. 0 where nothing waits.";
    DEAD_LETTERS: Gauge = "cheershare_dead_letters",
        "Deliveries on the list of those that ended without being sent; it holds the last 1000.";
    REMOVED: Counter = "cheershare_housekeeping_removed_total",
        "What this worker cleaned away: ended jobs, expired tokens, old events, events of the webhook \
        that were given up a month ago, files, bytes that nobody knew.";
    EVENT_JOBS: Counter = "cheershare_event_posts_total",
        "Attempts to post an event to the webhook, by outcome: accepted, failed (tried again later), \
        dead (given up), gone (410), ended_before, unrecorded.";
    EVENTS: Gauge = "cheershare_events",
        "Events for the webhook in the outbox, by state: waiting, dead (given up). 15 s old at most.";
    EVENTS_OFF: Gauge = "cheershare_events_off",
        "1 where the webhook answered 410 and nothing is posted, else 0.";
}

/// The values of the label `outcome`.
const OUTCOMES: [&str; 8] =
    ["sent", "retried", "failed", "dropped", "put_off", "ended_before", "unreadable", "panicked"];

pub(crate) fn job_ran(outcome: &'static str) {
    counter!(JOBS, "outcome" => outcome).increment(1);
}

/// A delivery ended after so many attempts.
pub(crate) fn delivery_ended(attempts: u32) {
    histogram!(ATTEMPTS).record(attempts);
}

/// An SMS may be sent twice.
pub(crate) fn may_repeat() {
    counter!(MAY_REPEAT).increment(1);
}

/// A provider accepted the SMS of an OTP `waited_ms` after the OTP was asked for.
pub(crate) fn accepted(waited_ms: i64) {
    let waited = Duration::from_millis(u64::try_from(waited_ms).unwrap_or(0));
    histogram!(ACCEPTED_SECONDS).record(waited);
}

pub(crate) fn removed(what: &'static str, count: u64) {
    counter!(REMOVED, "what" => what).increment(count);
}

pub(crate) fn event_job_ran(outcome: &'static str) {
    counter!(EVENT_JOBS, "outcome" => outcome).increment(1);
}

pub(crate) fn events_in_outbox(waiting: i64, dead: i64) {
    for (state, events) in [("waiting", waiting), ("dead", dead)] {
        gauge!(EVENTS, "state" => state).set(events as f64);
    }
}

pub(crate) fn events_off(are_off: bool) {
    gauge!(EVENTS_OFF).set(f64::from(u8::from(are_off)));
}

/// Counts and times a call of a provider.
pub(crate) async fn provider_call(
    provider: &'static str,
    call: impl Future<Output = Result<String, SendError>>,
) -> Result<String, SendError> {
    let start = Instant::now();
    let answer = call.await;
    histogram!(PROVIDER_CALL_SECONDS, "provider" => provider).record(start.elapsed());
    let class = answer.as_ref().err().map(|error| error.class);
    counter!(PROVIDER_CALLS, "provider" => provider, "class" => class_label(class)).increment(1);
    answer
}

fn class_label(class: Option<FailureClass>) -> &'static str {
    match class {
        None => "accepted",
        Some(FailureClass::Permanent) => "permanent",
        Some(FailureClass::Misconfigured) => "misconfigured",
        Some(FailureClass::Throttled) => "throttled",
        Some(FailureClass::Transient) => "transient",
        Some(FailureClass::Ambiguous) => "ambiguous",
    }
}

/// What `GET /metrics` reads.
#[derive(Clone)]
pub(crate) struct Scrape {
    exporter: Exporter,
    readiness: Readiness,
    redis: RedisConnection,
    providers: Vec<&'static str>,
    clock: Clock,
}

impl Scrape {
    /// Starts the exporter, and the counters whose labels are known at 0.
    ///
    /// # Errors
    /// There is an exporter already.
    pub(crate) fn start(
        readiness: Readiness,
        redis: RedisConnection,
        providers: Vec<&'static str>,
        clock: Clock,
    ) -> Result<Self, BuildError> {
        let exporter = Exporter::start(STORE_METRICS.iter().chain(WORKER_METRICS))?;
        for outcome in OUTCOMES {
            counter!(JOBS, "outcome" => outcome).absolute(0);
        }
        for provider in &providers {
            counter!(PROVIDER_CALLS, "provider" => *provider, "class" => class_label(None))
                .absolute(0);
        }
        for what in ["jobs", "tokens", "grants", "logouts", "events", "dead_events"] {
            removed(what, 0);
        }
        counter!(MAY_REPEAT).absolute(0);
        for outcome in EVENT_OUTCOMES {
            counter!(EVENT_JOBS, "outcome" => outcome).absolute(0);
        }
        events_in_outbox(0, 0);
        events_off(false);
        Ok(Self { exporter, readiness, redis, providers, clock })
    }

    /// All metrics. Those of the stores and of the queue are read now, for about a second at most.
    pub(crate) async fn text(&self) -> String {
        let mut redis = self.redis.clone();
        let stats = QueueStats::read(&mut redis, &self.providers, self.clock.unix_ms());
        let (stats, ()) =
            tokio::join!(tokio::time::timeout(TIMEOUT, stats), observe_stores(&self.readiness));
        match stats {
            Ok(Ok(stats)) => set_queue_gauges(&stats),
            Ok(Err(_)) | Err(_) => self.unset_queue_gauges(),
        }
        self.exporter.text()
    }

    /// Where Redis does not answer, NaN takes the place of the last value.
    fn unset_queue_gauges(&self) {
        for state in ["waiting", "retrying", "in_flight"] {
            gauge!(QUEUE, "state" => state).set(f64::NAN);
        }
        gauge!(OLDEST).set(f64::NAN);
        gauge!(DEAD_LETTERS).set(f64::NAN);
        for provider in &self.providers {
            for (_, state) in BREAKER_STATES {
                gauge!(BREAKER, "provider" => *provider, "state" => state).set(f64::NAN);
            }
        }
    }
}

const EVENT_OUTCOMES: [&str; 6] =
    ["accepted", "failed", "dead", "gone", "ended_before", "unrecorded"];

const BREAKER_STATES: [(BreakerState, &str); 3] = [
    (BreakerState::Closed, "closed"),
    (BreakerState::Open, "open"),
    (BreakerState::HalfOpen, "half_open"),
];

fn set_queue_gauges(stats: &QueueStats) {
    let QueueStats { depth, oldest_waiting, dead_letters, breakers } = stats;
    for (state, jobs) in
        [("waiting", depth.waiting), ("retrying", depth.retrying), ("in_flight", depth.in_flight)]
    {
        gauge!(QUEUE, "state" => state).set(jobs as f64);
    }
    gauge!(OLDEST).set(oldest_waiting.as_secs_f64());
    gauge!(DEAD_LETTERS).set(*dead_letters as f64);
    for (provider, now) in breakers {
        for (state, word) in BREAKER_STATES {
            gauge!(BREAKER, "provider" => *provider, "state" => word)
                .set(f64::from(u8::from(state == *now)));
        }
    }
}
