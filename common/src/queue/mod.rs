//! The queues in Redis: their names, their apalis-redis configuration, and the scripts around them.
//!
//! apalis-redis fetches, acknowledges and reclaims jobs. Adding them, retrying them and forgetting
//! them when they have ended is done here, because its own ways (`push`, the scheduled set,
//! `vacuum`) stop working with many jobs. The tests in `tests/queue` hold every behaviour of it
//! that this leans on.

pub mod job;
pub(crate) mod maintenance;

use std::sync::LazyLock;
use std::time::Duration;

use apalis_redis::Config;

pub use maintenance::{
    Depth, InFlightSnapshot, MAX_STEP, NewJob, depth, deregister, enqueue, living_workers,
    promote_due, prune_ended,
};

/// A worker sends two heartbeats in this time. Whole seconds.
pub const HEARTBEAT: Duration = Duration::from_secs(2);
/// After so many missed heartbeats a worker's jobs go to the others. The clocks of the workers'
/// machines have to agree better than that.
pub const MISSED_HEARTBEATS: u32 = 5;
/// How long after its last heartbeat a worker loses its jobs.
pub const GIVEN_UP_AFTER: Duration = HEARTBEAT.saturating_mul(MISSED_HEARTBEATS);

/// One of the queues. The scripts are the same for all; they get the keys of the one at hand.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Queue {
    /// SMS to be sent.
    Sms,
    /// Events to be posted to the operator's webhook.
    Events,
    /// What is to be done with files of users.
    Files,
}

impl Queue {
    /// The prefix of all its keys.
    fn name(self) -> &'static str {
        match self {
            Self::Sms => "{cheershare}:sms",
            Self::Events => "{cheershare}:events",
            Self::Files => "{cheershare}:files",
        }
    }

    #[must_use]
    pub fn names(self) -> &'static Names {
        match self {
            Self::Sms => &NAMES,
            Self::Events => &EVENT_NAMES,
            Self::Files => &FILE_NAMES,
        }
    }
}

/// The most jobs that one worker runs at once. Above about 7,000 in flight, the script of
/// apalis-redis that takes back a dead worker's jobs fails ("too many results to unpack").
pub const MAX_CONCURRENCY: u16 = 6_000;

/// The jobs that one worker runs at once where nothing is set.
pub const DEFAULT_CONCURRENCY: u16 = 200;

/// The most jobs that one fetch takes.
const MAX_BATCH: u16 = 500;

/// Names of the keys and of the channel. Those that apalis-redis uses come from its [`Config`].
#[derive(Debug)]
pub struct Names {
    /// List of the ids of jobs that are due.
    pub active: String,
    /// Hash of payloads by job id.
    pub data: String,
    /// Prefix of the hash of a job: `<meta>:<job id>`.
    pub meta: String,
    /// Set of jobs that succeeded.
    pub done: String,
    /// Set of jobs that were given up.
    pub dead: String,
    /// Sorted set of workers, scored by when they were last alive (Unix seconds).
    pub workers: String,
    /// Prefix of the set of jobs that a worker holds: `<in_flight>:<worker>`.
    pub in_flight: String,
    /// Sorted set of jobs to try again, `<ULID> <payload>`, scored by when they are due (Unix ms).
    pub retry: String,
    /// Channel that says that there is a job.
    pub wake: String,
}

impl Names {
    /// All that has one name, by the names that scripts know it by.
    pub(crate) fn keys(&self) -> [(&'static str, &str); 9] {
        [
            ("active", &self.active),
            ("data", &self.data),
            ("meta", &self.meta),
            ("done", &self.done),
            ("dead", &self.dead),
            ("workers", &self.workers),
            ("in_flight", &self.in_flight),
            ("retry", &self.retry),
            ("wake", &self.wake),
        ]
    }

    /// The set of jobs that `worker` holds.
    #[must_use]
    pub fn in_flight_of(&self, worker: &str) -> String {
        format!("{}:{worker}", self.in_flight)
    }

    /// The hash that apalis-redis writes about `worker`.
    #[must_use]
    pub fn metadata_of(&self, worker: &str) -> String {
        format!("{}:metadata:{worker}", self.workers)
    }
}

/// The names of the queue of SMS.
pub static NAMES: LazyLock<Names> = LazyLock::new(|| names_of(Queue::Sms));
static EVENT_NAMES: LazyLock<Names> = LazyLock::new(|| names_of(Queue::Events));
static FILE_NAMES: LazyLock<Names> = LazyLock::new(|| names_of(Queue::Files));

fn names_of(queue: Queue) -> Names {
    let name = queue.name();
    let config = Config::default().queue(name);
    Names {
        active: config.active_jobs_list(),
        data: config.job_data_hash(),
        meta: config.job_meta_hash(),
        done: config.done_jobs_set(),
        dead: config.dead_jobs_set(),
        workers: config.workers_set(),
        in_flight: config.inflight_jobs_set(),
        retry: format!("{name}:retry"),
        wake: format!("{name}:wake"),
    }
}

/// How many jobs one fetch takes of a worker that runs `concurrency` at once. Small beside that,
/// because a fetched job that waits for its turn here cannot be run by another worker.
#[must_use]
pub fn batch_size(concurrency: u16) -> usize {
    usize::from((concurrency / 4).clamp(1, MAX_BATCH))
}

/// How apalis-redis is to work a queue. A worker that is silent for `heartbeat` times
/// `missed_heartbeats` loses its jobs to the others.
#[must_use]
pub fn config(
    queue: Queue,
    concurrency: u16,
    heartbeat: Duration,
    missed_heartbeats: usize,
) -> Config {
    Config::default()
        .queue(queue.name())
        .batch_size(batch_size(concurrency))
        .heartbeat_interval(heartbeat)
        .missed_heartbeats(missed_heartbeats)
        // It walks the active list for every job, and Redis stalls.
        .lock_tasks(false)
        .emit_events(false)
        // Not about the result: without it a job is never acknowledged.
        .persist_results(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_apalis_redis_uses() {
        let names = &*NAMES;
        assert_eq!(names.active, "{cheershare}:sms:active");
        assert_eq!(names.retry, "{cheershare}:sms:retry");
        let worker = "host-1-x".into();
        let config = Config::default().queue(Queue::Sms.name());
        assert_eq!(names.in_flight_of("host-1-x"), config.inflight_set_for(&worker));
        assert_eq!(names.metadata_of("host-1-x"), config.worker_metadata_key(&worker));
    }

    #[test]
    fn a_fetch_takes_few_jobs() {
        for (concurrency, batch) in [(1, 1), (200, 50), (MAX_CONCURRENCY, 500)] {
            assert_eq!(batch_size(concurrency), batch);
            assert!(usize::from(concurrency) + batch < 7_000);
        }
    }
}
