//! Which of the jobs that a worker took have been started, and which of these have ended.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use common::queue::InFlightSnapshot;
use tokio::sync::watch;

/// The jobs of one worker. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct InFlightJobs(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    jobs: Mutex<Jobs>,
    running: watch::Sender<usize>,
    remember: usize,
}

#[derive(Debug, Default)]
struct Jobs {
    running: HashSet<String>,
    /// The latest ones: apalis-redis acknowledges a job only some time after it has ended.
    ended: VecDeque<String>,
}

impl InFlightJobs {
    /// `remember` is the number of ended jobs that can wait for their acknowledgement at most.
    pub(crate) fn new(remember: usize) -> Self {
        Self(Arc::new(Inner { jobs: Mutex::default(), running: watch::Sender::new(0), remember }))
    }

    /// A job has been started; it runs until what this returns is dropped.
    pub(crate) fn start(&self, job_id: String) -> Running {
        let mut jobs = self.jobs();
        jobs.running.insert(job_id.clone());
        self.0.running.send_replace(jobs.running.len());
        Running { in_flight: self.clone(), job_id }
    }

    pub(crate) fn snapshot(&self) -> InFlightSnapshot {
        let jobs = self.jobs();
        InFlightSnapshot {
            ended: jobs.ended.iter().cloned().collect(),
            running: jobs.running.iter().cloned().collect(),
        }
    }

    /// The number of jobs that run, to be read or waited for.
    pub(crate) fn running(&self) -> watch::Receiver<usize> {
        self.0.running.subscribe()
    }

    fn jobs(&self) -> MutexGuard<'_, Jobs> {
        self.0.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
pub(crate) struct Running {
    in_flight: InFlightJobs,
    job_id: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut jobs = self.in_flight.jobs();
        jobs.running.remove(&self.job_id);
        if jobs.ended.len() == self.in_flight.0.remember {
            jobs.ended.pop_front();
        }
        jobs.ended.push_back(std::mem::take(&mut self.job_id));
        self.in_flight.0.running.send_replace(jobs.running.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_runs_until_its_guard_is_dropped_and_only_the_latest_ended_are_remembered() {
        let in_flight = InFlightJobs::new(2);
        let running: Vec<_> =
            ["a", "b", "c", "d"].map(|id| in_flight.start(id.to_owned())).into_iter().collect();
        assert_eq!(*in_flight.running().borrow(), 4);
        drop(running.into_iter().take(3).collect::<Vec<_>>());
        assert_eq!(*in_flight.running().borrow(), 0);
        assert_eq!(in_flight.snapshot().ended.len(), 2);
        assert!(in_flight.snapshot().running.is_empty());
    }
}
