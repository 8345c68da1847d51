//! One apalis worker: from its registration in Redis until it is stopped or Redis fails it.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use apalis::prelude::{BackendExt, Strategy, WorkerBuilder};
use apalis_redis::{Config, RedisStorage};
use common::ledger::connection::{Redis, RedisConnection};
use common::queue::Queue;
use common::queue::job::Job;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::Semaphore;

use crate::queue::in_flight::InFlightJobs;
use crate::queue::job_service::{Handler, JobService, Payload, Undecoded};
use crate::queue::wake::wakes;

/// What one apalis worker after the other works with.
pub(crate) struct WorkerContext<J> {
    pub(crate) redis: Redis,
    pub(crate) connection: RedisConnection,
    pub(crate) queue: Queue,
    pub(crate) config: Config,
    pub(crate) poll_interval: Duration,
    pub(crate) slots: Arc<Semaphore>,
    pub(crate) handler: Handler<J>,
}

impl<J: Job> WorkerContext<J> {
    /// Takes jobs off the queue under `name`, which no worker had before, until something ends it.
    /// Returns the reason. When this is dropped nothing more is taken, and the jobs that run go on.
    pub(crate) async fn work(&self, name: &str, in_flight: InFlightJobs) -> String {
        AssertUnwindSafe(self.poll(name, in_flight))
            .catch_unwind()
            .await
            .unwrap_or_else(|_| "it panicked".to_owned())
    }

    async fn poll(&self, name: &str, in_flight: InFlightJobs) -> String {
        let strategy =
            Strategy::new().stream(wakes(&self.redis, self.queue)).interval(self.poll_interval);
        let backend = RedisStorage::<Payload, RedisConnection>::new(self.connection.clone())
            .with_config(self.config.clone())
            .with_codec(Undecoded)
            .poll_with_strategy(strategy);
        let service = JobService::new(Arc::clone(&self.handler), self.slots.clone(), in_flight);
        let worker = WorkerBuilder::new(name).backend(backend).build(service);
        let mut events = pin!(worker.stream());
        loop {
            match events.next().await {
                Some(Ok(_)) => {}
                Some(Err(error)) => return error.to_string(),
                None => return "it stopped by itself".to_owned(),
            }
        }
    }
}
