//! What keeps the queue going and small, in steps that never hold Redis up for long.

use std::sync::LazyLock;
use std::time::Duration;

use redis::RedisResult;
use redis::aio::ConnectionLike;

use super::{NAMES, QueueScript};
use crate::runtime::clock::millis;

/// The most jobs that one step of [`promote_due`] or [`prune_ended`] takes.
pub const MAX_STEP: usize = 1_000;

static PROMOTE_DUE: LazyLock<QueueScript> =
    LazyLock::new(|| QueueScript::new(include_str!("lua/promote_due.lua")));
static PRUNE_ENDED: LazyLock<QueueScript> =
    LazyLock::new(|| QueueScript::new(include_str!("lua/prune_ended.lua")));
static RETIRE: LazyLock<QueueScript> =
    LazyLock::new(|| QueueScript::new(include_str!("lua/deregister.lua")));
static DEPTH: LazyLock<QueueScript> =
    LazyLock::new(|| QueueScript::new(include_str!("lua/depth.lua")));

/// Moves jobs whose retry is due at `now` (Unix ms) to the active list, the longest due first, and
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
    PROMOTE_DUE.prepare_invoke().arg(now).arg(limit.min(MAX_STEP)).invoke_async(redis).await
}

/// Forgets jobs that have ended: their ids, payloads and all that was noted about them. Takes at
/// most `limit` jobs, and never more than [`MAX_STEP`]; returns how many it forgot.
///
/// # Errors
/// Redis cannot be reached or refuses.
pub async fn prune_ended(redis: &mut impl ConnectionLike, limit: usize) -> RedisResult<usize> {
    PRUNE_ENDED
        .prepare_invoke()
        .key(&NAMES.done)
        .key(&NAMES.dead)
        .arg(limit.min(MAX_STEP))
        .invoke_async(redis)
        .await
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
    worker: &str,
    stock: &InFlightSnapshot,
) -> RedisResult<usize> {
    RETIRE
        .prepare_invoke()
        .key(&NAMES.workers)
        .key(NAMES.in_flight_of(worker))
        .key(NAMES.metadata_of(worker))
        .arg(worker)
        .arg(stock.ended.len())
        .arg(&stock.ended)
        .arg(&stock.running)
        .invoke_async(redis)
        .await
}

/// How many jobs the queue holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// Due, and waiting for a worker.
    pub waiting: u64,
    /// To be tried again later.
    pub retrying: u64,
    pub in_flight: u64,
}

/// How many workers gave a sign of life within that time before `now` (Unix ms).
///
/// # Errors
/// Redis cannot be reached or refuses.
pub async fn living_workers(
    redis: &mut impl ConnectionLike,
    now: i64,
    within: Duration,
) -> RedisResult<u64> {
    let since = (now - millis(within)).div_euclid(1000);
    redis::cmd("ZCOUNT").arg(&NAMES.workers).arg(since).arg("+inf").query_async(redis).await
}

/// Counts the queue's jobs.
///
/// # Errors
/// Redis cannot be reached or refuses.
pub async fn depth(redis: &mut impl ConnectionLike) -> RedisResult<Depth> {
    let (waiting, retrying, in_flight) = DEPTH
        .prepare_invoke()
        .key(&NAMES.workers)
        .key(&NAMES.in_flight)
        .invoke_async(redis)
        .await?;
    Ok(Depth { waiting, retrying, in_flight })
}
