//! Runs jobs off the queue, whatever Redis does in the meantime.

use std::sync::Arc;
use std::time::Duration;

use common::ledger::connection::Redis;
use common::queue::job::Job;
use common::queue::{self, DEFAULT_CONCURRENCY, Queue};
use common::runtime::clock::Clock;
use futures_util::FutureExt;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use tracing::{info, warn};
use ulid::Ulid;

use crate::queue::apalis_worker::WorkerContext;
use crate::queue::drain::Drain;
use crate::queue::heartbeat::send_heartbeats;
use crate::queue::in_flight::InFlightJobs;
use crate::queue::maintenance::{maintain, remove_ended_jobs};

/// A Redis that hangs for less than this does not end the worker.
pub const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);
const MIN_BACKOFF: Duration = Duration::from_millis(100);
const MAX_BACKOFF: Duration = Duration::from_secs(1);
/// For each of the last calls of Redis, after running jobs have ended or were given up.
const LAST_CALL_TIMEOUT: Duration = Duration::from_secs(1);

/// How to work the queue.
#[derive(Clone, Debug)]
pub struct RunnerSettings {
    pub queue: Queue,
    /// Jobs at once, 1 to [`queue::MAX_CONCURRENCY`].
    pub concurrency: u16,
    /// How long jobs may go on after the stop signal.
    pub shutdown_deadline: Duration,
    /// A worker sends two heartbeats in this time. Whole seconds.
    pub heartbeat: Duration,
    /// After so many missed heartbeats a worker's jobs go to the others. The clocks of the workers'
    /// machines have to agree better than that.
    pub missed_heartbeats: usize,
    /// How often to look for jobs whose wake-up was lost.
    pub poll_interval: Duration,
}

impl RunnerSettings {
    /// How long after its last heartbeat a worker loses its jobs.
    #[must_use]
    pub fn given_up_after(&self) -> Duration {
        let missed = u32::try_from(self.missed_heartbeats).unwrap_or(u32::MAX);
        self.heartbeat.saturating_mul(missed)
    }
}

impl Default for RunnerSettings {
    fn default() -> Self {
        Self {
            queue: Queue::Sms,
            concurrency: DEFAULT_CONCURRENCY,
            shutdown_deadline: Duration::from_secs(15),
            heartbeat: queue::HEARTBEAT,
            missed_heartbeats: queue::MISSED_HEARTBEATS as usize,
            poll_interval: Duration::from_millis(500),
        }
    }
}

/// Runs `handler` for each job, until `shutdown`. Then nothing more is fetched, jobs that were
/// fetched but not started go back to the queue at once, and those that run may go on until the
/// deadline.
///
/// Each job runs in a task of its own, which ends even when Redis fails the worker meanwhile. A
/// panic ends its job and nothing else. Redis may be away when this starts and at any time after.
pub async fn run<J, H, F>(
    redis: &Redis,
    settings: RunnerSettings,
    clock: Clock,
    handler: H,
    shutdown: CancellationToken,
) where
    J: Job,
    H: Fn(J) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let queue = settings.queue;
    let connection = redis.connection(RESPONSE_TIMEOUT);
    let maintenance = maintain(connection.clone(), queue, clock);
    let _maintenance = AbortOnDropHandle::new(tokio::spawn(maintenance));
    let context = WorkerContext {
        redis: redis.clone(),
        connection,
        queue,
        config: queue::config(
            queue,
            settings.concurrency,
            settings.heartbeat,
            settings.missed_heartbeats,
        ),
        poll_interval: settings.poll_interval,
        slots: Arc::new(Semaphore::new(settings.concurrency.into())),
        handler: Arc::new(move |job| handler(job).boxed()),
    };
    let deadline = CancellationToken::new();
    let drains = TaskTracker::new();
    supervise(&context, &settings, &shutdown, &deadline, &drains).await;

    drains.close();
    if timeout(settings.shutdown_deadline, drains.wait()).await.is_err() {
        deadline.cancel();
        let _late = timeout(LAST_CALL_TIMEOUT, drains.wait()).await;
    }
    let _late = timeout(LAST_CALL_TIMEOUT, remove_ended_jobs(context.connection, queue)).await;
}

/// Runs one apalis worker after the other, each under a name of its own, with growing pauses
/// between those that end soon.
async fn supervise<J: Job>(
    context: &WorkerContext<J>,
    settings: &RunnerSettings,
    shutdown: &CancellationToken,
    deadline: &CancellationToken,
    drains: &TaskTracker,
) {
    let mut backoff = MIN_BACKOFF;
    while !shutdown.is_cancelled() {
        let name = unique_name();
        info!(event = "worker_starting", worker = name);
        let started = Instant::now();
        let in_flight = InFlightJobs::new(
            2 * (usize::from(settings.concurrency) + queue::batch_size(settings.concurrency)),
        );
        let heartbeat = AbortOnDropHandle::new(tokio::spawn(send_heartbeats(
            context.connection.clone(),
            context.queue,
            name.clone(),
            settings.heartbeat / 2,
        )));
        let end = shutdown.run_until_cancelled(context.work(&name, in_flight.clone())).await;
        let drain = Drain {
            redis: context.connection.clone(),
            queue: context.queue,
            worker: name.clone(),
            in_flight,
            shutdown: shutdown.clone(),
            deadline: deadline.clone(),
        };
        drains.spawn(async move {
            drain.run().await;
            drop(heartbeat);
        });
        if let Some(reason) = end {
            // It worked for a while, so what ended it is news, such as a primary that moved.
            if started.elapsed() > backoff {
                backoff = MIN_BACKOFF;
            }
            warn!(event = "worker_ended", worker = name, reason, restart_in = ?backoff);
            let _ = shutdown.run_until_cancelled(sleep(backoff)).await;
            backoff = MAX_BACKOFF.min(backoff * 2);
        }
    }
}

/// A name that no worker had before: apalis-redis refuses one that it still takes for alive.
fn unique_name() -> String {
    let host = hostname::get().unwrap_or_default();
    format!("{}-{}-{}", host.to_string_lossy(), std::process::id(), Ulid::generate())
}
