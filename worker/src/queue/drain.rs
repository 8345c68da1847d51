//! The one way out for a worker, whether it was stopped or Redis failed it.
//!
//! apalis' own way out gives buffered jobs back only after the last running one has ended, and leaves everything
//! to the orphan window when Redis fails. Here jobs that were not started go back at once, and those that
//! run are ended properly when they end.

use std::time::Duration;

use common::ledger::connection::RedisConnection;
use common::queue::{InFlightSnapshot, deregister};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::queue::in_flight::InFlightJobs;
use crate::queue::queue_error::{Outage, within};

const TRY_LIMIT: Duration = Duration::from_secs(1);
const TRY_AGAIN: Duration = Duration::from_millis(100);

/// A worker that fetches no more.
pub(crate) struct Drain {
    pub(crate) redis: RedisConnection,
    pub(crate) worker: String,
    pub(crate) in_flight: InFlightJobs,
    /// The process is to end.
    pub(crate) shutdown: CancellationToken,
    /// The process ends now.
    pub(crate) deadline: CancellationToken,
}

impl Drain {
    /// Gives back what was not started, waits for what runs, and takes the worker off the list.
    pub(crate) async fn run(self) {
        if self.settle().await == 0 {
            return;
        }
        let mut running = self.in_flight.running();
        tokio::select! {
            _ = running.wait_for(|&jobs| jobs == 0) => {}
            () = self.deadline.cancelled() => {
                let jobs = self.in_flight.stock().running.len();
                warn!(event = "jobs_given_up", worker = self.worker, jobs, "other workers run them later");
            }
        }
        let _given_up = self.settle().await;
    }

    /// Tries until Redis knows; answers how many jobs ran at that moment, and are not settled yet. At shutdown Redis
    /// is not waited for: the jobs come back as orphans.
    async fn settle(&self) -> usize {
        let mut outage = Outage::new("deregister a worker");
        loop {
            let last = self.deadline.is_cancelled() || self.shutdown.is_cancelled();
            let stock = self.in_flight.stock();
            let running = stock.running.len();
            if let Some(given_back) = outage.note(self.deregister(&stock).await) {
                info!(event = "worker_retired", worker = self.worker, given_back, running);
                return running;
            }
            if last {
                return running;
            }
            sleep(TRY_AGAIN).await;
        }
    }

    async fn deregister(&self, stock: &InFlightSnapshot) -> Result<usize, crate::queue::queue_error::QueueError> {
        let mut redis = self.redis.clone();
        within(TRY_LIMIT, deregister(&mut redis, &self.worker, stock)).await
    }
}
