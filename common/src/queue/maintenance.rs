//! What keeps the queue going and small, in steps that never hold Redis up for long.

use std::sync::LazyLock;

use redis::RedisResult;
use redis::aio::ConnectionLike;
use serde::{Deserialize, Serialize};
use ulid::Ulid;

use super::job::Job;
use super::{GIVEN_UP_AFTER, NAMES, Queue};
use crate::ledger::script::{Call, Script, Source, keys, named};
use crate::ledger::scripts;
use crate::runtime::clock::millis;

/// The most jobs that one step of [`promote_due`] or [`prune_ended`] takes.
pub const MAX_STEP: usize = 1_000;

static ENQUEUE: LazyLock<Script<EnqueueCall<'static>>> = LazyLock::new(|| Script::new(&()));
static PROMOTE_DUE: LazyLock<Script<PromoteCall>> = LazyLock::new(|| Script::new(&()));
static PRUNE_ENDED: LazyLock<Script<PruneCall>> = LazyLock::new(|| Script::new(&()));
static DEREGISTER: LazyLock<Script<DeregisterCall<'static>>> = LazyLock::new(|| Script::new(&()));
static DEPTH: LazyLock<Script<DepthCall>> = LazyLock::new(|| Script::new(&()));

/// A job to add.
#[derive(Clone, Debug, Serialize)]
pub struct NewJob {
    /// A fresh ULID.
    pub id: String,
    /// The job's JSON.
    pub payload: String,
    /// Unix ms; none of a job that is due now.
    pub due_at: Option<i64>,
}

impl NewJob {
    /// One that is due now.
    #[must_use]
    pub fn now(job: &(impl Job + Serialize)) -> Self {
        let payload = serde_json::json!(job).to_string();
        Self { id: Ulid::generate().to_string(), payload, due_at: None }
    }
}

named! {
    #[derive(Serialize)]
    pub(crate) struct EnqueueCall<'a> {
        jobs: &'a [NewJob],
    }
}

impl Call for EnqueueCall<'_> {
    type Settings = ();
    type Keys = ();
    type Reply = bool;
    const SOURCE: Source = scripts::ENQUEUE;
}

named! {
    #[derive(Serialize)]
    pub(crate) struct PromoteCall {
        now: i64,
        limit: usize,
    }
}

impl Call for PromoteCall {
    type Settings = ();
    type Keys = ();
    type Reply = usize;
    const SOURCE: Source = scripts::PROMOTE_DUE;
}

named! {
    #[derive(Serialize)]
    pub(crate) struct PruneCall {
        limit: usize,
    }
}

impl Call for PruneCall {
    type Settings = ();
    type Keys = ();
    type Reply = usize;
    const SOURCE: Source = scripts::PRUNE_ENDED;
}

keys!(WorkerKeys { in_flight_of_worker, metadata });

named! {
    #[derive(Serialize)]
    pub(crate) struct DeregisterCall<'a> {
        worker: &'a str,
        ended: &'a [String],
        running: &'a [String],
    }
}

impl Call for DeregisterCall<'_> {
    type Settings = ();
    type Keys = WorkerKeys;
    type Reply = usize;
    const SOURCE: Source = scripts::DEREGISTER;
}

named! {
    #[derive(Serialize)]
    pub(crate) struct DepthCall {}
}

impl Call for DepthCall {
    type Settings = ();
    type Keys = ();
    type Reply = Depth;
    const SOURCE: Source = scripts::DEPTH;
}

/// Adds jobs to a queue one by one, as the ledger's scripts do with the rest of their change.
///
/// # Errors
/// Redis cannot be reached or refuses.
pub async fn enqueue(
    redis: &mut impl ConnectionLike,
    queue: Queue,
    jobs: &[NewJob],
) -> RedisResult<()> {
    ENQUEUE.run_in(queue, redis, (), &EnqueueCall { jobs }).await.map(|_| ())
}

/// Moves SMS jobs whose retry is due at `now` (Unix ms) to the active list, the longest due first, and
/// wakes the workers. Takes at most `limit` jobs, and never more than [`MAX_STEP`]; returns how
/// many it moved.
///
/// # Errors
/// Redis cannot be reached or refuses.
pub async fn promote_due(
    redis: &mut impl ConnectionLike,
    now: i64,
    limit: usize,
) -> RedisResult<usize> {
    PROMOTE_DUE.run(redis, (), &PromoteCall { now, limit: limit.min(MAX_STEP) }).await
}

/// Forgets jobs that have ended: their ids, payloads and all that was noted about them. Takes at
/// most `limit` jobs, and never more than [`MAX_STEP`]; returns how many it forgot.
///
/// # Errors
/// Redis cannot be reached or refuses.
pub async fn prune_ended(
    redis: &mut impl ConnectionLike,
    queue: Queue,
    limit: usize,
) -> RedisResult<usize> {
    PRUNE_ENDED.run_in(queue, redis, (), &PruneCall { limit: limit.min(MAX_STEP) }).await
}

/// What a worker that fetches no more knows of the jobs that it took, by id.
#[derive(Clone, Debug, Default)]
pub struct InFlightSnapshot {
    /// Have ended; Redis may not know yet.
    pub ended: Vec<String>,
    /// Are still being run, and stay with the worker.
    pub running: Vec<String>,
}

/// Settles the jobs of a worker that fetches no more: those that have ended are forgotten, those
/// that it never started go back to the head of the queue, oldest first, and the others wake up for
/// them. Broken ones, without payload or status, are dropped. Once it holds no job the worker is no
/// longer listed. Returns how many jobs went back.
///
/// # Errors
/// Redis cannot be reached or refuses.
pub async fn deregister(
    redis: &mut impl ConnectionLike,
    queue: Queue,
    worker: &str,
    stock: &InFlightSnapshot,
) -> RedisResult<usize> {
    let keys = WorkerKeys {
        in_flight_of_worker: queue.names().in_flight_of(worker),
        metadata: queue.names().metadata_of(worker),
    };
    let call = DeregisterCall { worker, ended: &stock.ended, running: &stock.running };
    DEREGISTER.run_in(queue, redis, keys, &call).await
}

/// How many jobs the queue holds.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
pub struct Depth {
    /// Due, and waiting for a worker.
    pub waiting: u64,
    /// To be tried again later.
    pub retrying: u64,
    pub in_flight: u64,
}

/// How many workers of the SMS queue live at `now` (Unix ms): those whose jobs no other one takes.
///
/// # Errors
/// Redis cannot be reached or refuses.
pub async fn living_workers(redis: &mut impl ConnectionLike, now: i64) -> RedisResult<u64> {
    let since = (now - millis(GIVEN_UP_AFTER)).div_euclid(1000);
    redis::cmd("ZCOUNT").arg(&NAMES.workers).arg(since).arg("+inf").query_async(redis).await
}

/// Counts the jobs of the SMS queue.
///
/// # Errors
/// Redis cannot be reached or refuses.
pub async fn depth(redis: &mut impl ConnectionLike) -> RedisResult<Depth> {
    DEPTH.run(redis, (), &DepthCall {}).await
}
