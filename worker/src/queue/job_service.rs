//! Runs jobs for apalis, each in a task of its own: it ends even if its apalis worker ended before.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use apalis::prelude::{AbortError, Codec, Service, Task};
use common::queue::job::Job;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::PollSemaphore;
use tracing::error;

use crate::metrics;
use crate::queue::in_flight::InFlightJobs;

/// A job as Redis has it. It is decoded where it runs, because apalis ends the whole worker when it
/// cannot decode a payload.
#[derive(Debug)]
pub(crate) struct Payload(Vec<u8>);

#[derive(Clone, Copy, Debug)]
pub(crate) struct Undecoded;

impl Codec<Payload> for Undecoded {
    type Error = Infallible;
    type Compact = Vec<u8>;

    fn encode(&self, payload: &Payload) -> Result<Vec<u8>, Infallible> {
        Ok(payload.0.clone())
    }

    fn decode(&self, bytes: &Vec<u8>) -> Result<Payload, Infallible> {
        Ok(Payload(bytes.clone()))
    }
}

/// What is done with each job.
pub(crate) type Handler<J> = Arc<dyn Fn(J) -> BoxFuture<'static, ()> + Send + Sync>;

/// The service that apalis calls with each job.
pub(crate) struct JobService<J> {
    handler: Handler<J>,
    /// Bounds the jobs that run, also those that outlived their apalis worker.
    slots: PollSemaphore,
    slot: Option<OwnedSemaphorePermit>,
    in_flight: InFlightJobs,
}

impl<J> JobService<J> {
    pub(crate) fn new(handler: Handler<J>, slots: Arc<Semaphore>, in_flight: InFlightJobs) -> Self {
        Self { handler, slots: PollSemaphore::new(slots), slot: None, in_flight }
    }
}

impl<J: Job> Service<Task<Payload>> for JobService<J> {
    type Response = ();
    type Error = AbortError;
    type Future = Pin<Box<dyn Future<Output = Result<(), AbortError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), AbortError>> {
        if self.slot.is_none() {
            self.slot = ready!(self.slots.poll_acquire(cx));
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, task: Task<Payload>) -> Self::Future {
        let slot = self.slot.take();
        let handler = Arc::clone(&self.handler);
        let job_id = task.task_id().map(ToString::to_string).unwrap_or_default();
        let running = self.in_flight.start(job_id.clone());
        let job = tokio::spawn(async move {
            let _until_it_ends = (slot, running);
            run(&handler, &job_id, &task.args).await
        });
        Box::pin(async move { job.await.unwrap_or_else(|gone| Err(AbortError::new(gone))) })
    }
}

async fn run<J: Job>(
    handler: &Handler<J>,
    job_id: &str,
    payload: &Payload,
) -> Result<(), AbortError> {
    let job: J = serde_json::from_slice(&payload.0).map_err(|error| {
        metrics::job_ran("unreadable");
        error!(event = "job_unreadable", job_id, %error);
        AbortError::new("unreadable payload")
    })?;
    let subject = job.subject();
    AssertUnwindSafe(async { handler(job).await }).catch_unwind().await.map_err(|_| {
        metrics::job_ran("panicked");
        error!(event = "job_panicked", job_id, subject);
        AbortError::new("panicked")
    })
}
