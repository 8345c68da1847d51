//! Everything that the worker counts, by name and with what it says.

use std::future::Future;
use std::time::{Duration, Instant};

use common::admin::queue_stats::{BreakerState, QueueStats};
use common::ledger::connection::RedisConnection;
use common::ledger::outcome::Outcome;
use common::runtime::clock::Clock;
use common::runtime::metrics::{BuildError, Exporter, Kind, Metric, STORE_METRICS, observe_stores};
use common::runtime::readiness::{LIMIT, Readiness};
use metrics::{counter, gauge, histogram};

use crate::provider::{FailureClass, SendError};

const JOBS: &str = "cheershare_jobs_total";
const PROVIDER_CALLS: &str = "cheershare_provider_calls_total";
const PROVIDER_CALL_SECONDS: &str = "cheershare_provider_call_duration_seconds";
const ACCEPTED_SECONDS: &str = "cheershare_sms_request_to_accepted_seconds";
const TRIES: &str = "cheershare_sms_tries";
const MAY_REPEAT: &str = "cheershare_sms_may_repeat_total";
const BREAKER: &str = "cheershare_breaker_state";
const QUEUE: &str = "cheershare_queue_jobs";
const OLDEST: &str = "cheershare_queue_oldest_waiting_seconds";
const DEAD_LETTERS: &str = "cheershare_dead_letters";
const REMOVED: &str = "cheershare_housekeeping_removed_total";

/// The worker's own metrics.
pub const WORKER_METRICS: &[Metric] = &[
    Metric {
        name: JOBS,
        kind: Kind::Counter,
        help: "Runs of jobs, by outcome: sent, retried, failed, dropped (nobody wanted the SMS any more), put_off (no \
            provider took calls, or another run was at it), ended_before, unreadable, panicked.",
    },
    Metric {
        name: PROVIDER_CALLS,
        kind: Kind::Counter,
        help: "Calls of a provider, by the class of its answer: accepted, permanent, misconfigured, throttled, transient, \
            ambiguous.",
    },
    Metric {
        name: PROVIDER_CALL_SECONDS,
        kind: Kind::Histogram(&[0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0]),
        help: "How long a provider took to answer.",
    },
    Metric {
        name: ACCEPTED_SECONDS,
        kind: Kind::Histogram(&[0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0]),
        help: "From the request for an OTP to the provider's word that it accepted the SMS: what users wait for.",
    },
    Metric {
        name: TRIES,
        kind: Kind::Histogram(&[1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 21.0]),
        help: "Tries of an SMS until it was accepted or given up.",
    },
    Metric {
        name: MAY_REPEAT,
        kind: Kind::Counter,
        help: "Tries after one whose outcome was never recorded: each may have sent an SMS twice.",
    },
    Metric {
        name: BREAKER,
        kind: Kind::Gauge,
        help: "1 for the state that a provider's breaker is in, for all workers: closed, open or half_open; else 0.",
    },
    Metric {
        name: QUEUE,
        kind: Kind::Gauge,
        help: "Jobs in the queue that all workers share, by state: waiting, retrying (due later), in_flight.",
    },
    Metric {
        name: OLDEST,
        kind: Kind::Gauge,
        help: "Age of the job that is next, or how long a retry is overdue, whichever is more. 0 where nothing waits.",
    },
    Metric {
        name: DEAD_LETTERS,
        kind: Kind::Gauge,
        help: "Deliveries on the list of those that ended without being sent; it holds the last 1000.",
    },
    Metric {
        name: REMOVED,
        kind: Kind::Counter,
        help: "What this worker cleaned away: ended jobs, expired tokens, old events.",
    },
];

/// Every outcome of a job's run.
const OUTCOMES: [&str; 8] =
    ["sent", "retried", "failed", "dropped", "put_off", "ended_before", "unreadable", "panicked"];

/// A job was run.
pub(crate) fn job_ran(outcome: &'static str) {
    counter!(JOBS, "outcome" => outcome).increment(1);
}

/// Try number `tries` of an SMS came to this. Answers the job's outcome.
pub(crate) fn tried(outcome: &Outcome, tries: u32) -> &'static str {
    let status = outcome.status();
    if status == "queued" {
        return "retried";
    }
    histogram!(TRIES).record(tries);
    status
}

/// An SMS may be sent twice.
pub(crate) fn may_repeat() {
    counter!(MAY_REPEAT).increment(1);
}

/// A provider accepted an SMS `waited_ms` after it was asked for.
pub(crate) fn accepted(waited_ms: i64) {
    let waited = Duration::from_millis(u64::try_from(waited_ms).unwrap_or(0));
    histogram!(ACCEPTED_SECONDS).record(waited);
}

/// Ended jobs, expired tokens or old events are gone.
pub(crate) fn removed(what: &'static str, count: u64) {
    counter!(REMOVED, "what" => what).increment(count);
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
    counter!(PROVIDER_CALLS, "provider" => provider, "class" => word_of(class)).increment(1);
    answer
}

fn word_of(class: Option<FailureClass>) -> &'static str {
    match class {
        None => "accepted",
        Some(FailureClass::Permanent) => "permanent",
        Some(FailureClass::Misconfigured) => "misconfigured",
        Some(FailureClass::Throttled) => "throttled",
        Some(FailureClass::Transient) => "transient",
        Some(FailureClass::Ambiguous) => "ambiguous",
    }
}

/// What is asked when somebody wants to see the metrics.
#[derive(Clone)]
pub(crate) struct Scrape {
    exporter: Exporter,
    readiness: Readiness,
    redis: RedisConnection,
    providers: Vec<&'static str>,
    clock: Clock,
}

impl Scrape {
    /// Counts from now on.
    ///
    /// # Errors
    /// The process counts already.
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
            counter!(PROVIDER_CALLS, "provider" => *provider, "class" => word_of(None)).absolute(0);
        }
        for what in ["jobs", "tokens", "events"] {
            removed(what, 0);
        }
        counter!(MAY_REPEAT).absolute(0);
        Ok(Self { exporter, readiness, redis, providers, clock })
    }

    /// Looks up what is not counted as it happens, within about a second, and tells everything.
    pub(crate) async fn text(&self) -> String {
        let mut redis = self.redis.clone();
        let figures = QueueStats::read(&mut redis, &self.providers, self.clock.unix_ms());
        let (figures, ()) = tokio::join!(tokio::time::timeout(LIMIT, figures), observe_stores(&self.readiness));
        match figures {
            Ok(Ok(figures)) => show(&figures),
            Ok(Err(_)) | Err(_) => self.show_nothing(),
        }
        self.exporter.text()
    }

    /// What Redis does not tell is not a number, rather than the one of before.
    fn show_nothing(&self) {
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

const BREAKER_STATES: [(BreakerState, &str); 3] =
    [(BreakerState::Closed, "closed"), (BreakerState::Open, "open"), (BreakerState::HalfOpen, "half_open")];

fn show(figures: &QueueStats) {
    let QueueStats { depth, oldest_waiting, dead_letters, breakers } = figures;
    for (state, jobs) in [("waiting", depth.waiting), ("retrying", depth.retrying), ("in_flight", depth.in_flight)] {
        gauge!(QUEUE, "state" => state).set(jobs as f64);
    }
    gauge!(OLDEST).set(oldest_waiting.as_secs_f64());
    gauge!(DEAD_LETTERS).set(*dead_letters as f64);
    for (provider, now) in breakers {
        for (state, word) in BREAKER_STATES {
            gauge!(BREAKER, "provider" => *provider, "state" => word).set(f64::from(u8::from(state == *now)));
        }
    }
}
