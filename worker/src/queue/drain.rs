//! The end of a worker, after a stop or after Redis failed it.
//!
//! apalis itself gives buffered jobs back only after the last running one has ended, and leaves
//! them all to the orphan window when Redis fails. Here jobs that were not started go back at once,
//! and those that run are acknowledged when they end.

use std::time::Duration;

use common::ledger::connection::RedisConnection;
use common::queue::{InFlightSnapshot, Queue, deregister};
use common::runtime::timeout::with_timeout;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::queue::in_flight::InFlightJobs;
use crate::queue::queue_error::{LogOnChange, QueueError};

const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(1);
const PAUSE_BETWEEN_ATTEMPTS: Duration = Duration::from_millis(100);

/// The drain of a worker that fetches no more jobs.
pub(crate) struct Drain {
    pub(crate) redis: RedisConnection,
    pub(crate) queue: Queue,
    pub(crate) worker: String,
    pub(crate) in_flight: InFlightJobs,
    /// Cancelled when the process is asked to stop.
    pub(crate) shutdown: CancellationToken,
    /// Cancelled when running jobs are not waited for any longer.
    pub(crate) deadline: CancellationToken,
}

impl Drain {
    /// Gives back the jobs that were not started, waits for those that run, and deregisters the
    /// worker.
    pub(crate) async fn run(self) {
        if self.deregister_until_done().await == 0 {
            return;
        }
        let mut running = self.in_flight.running();
        tokio::select! {
            _ = running.wait_for(|&jobs| jobs == 0) => {}
            () = self.deadline.cancelled() => {
                let jobs = self.in_flight.snapshot().running.len();
                warn!(event = "jobs_given_up", worker = self.worker, jobs, "other workers run them later");
            }
        }
        let _still_running = self.deregister_until_done().await;
    }

    /// Repeats until Redis has done it; returns how many jobs still ran at that moment. At shutdown
    /// there is one attempt: where Redis does not answer, the jobs come back as orphans.
    async fn deregister_until_done(&self) -> usize {
        let mut log = LogOnChange::new("deregister a worker");
        loop {
            let is_last_attempt = self.deadline.is_cancelled() || self.shutdown.is_cancelled();
            let in_flight = self.in_flight.snapshot();
            let running = in_flight.running.len();
            if let Some(given_back) = log.observe(self.deregister(&in_flight).await) {
                info!(event = "worker_retired", worker = self.worker, given_back, running);
                return running;
            }
            if is_last_attempt {
                return running;
            }
            sleep(PAUSE_BETWEEN_ATTEMPTS).await;
        }
    }

    async fn deregister(&self, in_flight: &InFlightSnapshot) -> Result<usize, QueueError> {
        let mut redis = self.redis.clone();
        with_timeout(
            ATTEMPT_TIMEOUT,
            QueueError::NoAnswer,
            deregister(&mut redis, self.queue, &self.worker, in_flight),
        )
        .await
    }
}
