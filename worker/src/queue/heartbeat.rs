//! Sends a worker's heartbeat however busy the worker is.
//!
//! apalis-redis sends it only when it polls, and it does not poll while every slot is taken.
//! Without this, the other workers would take its running jobs, and it would end itself.

use std::time::Duration;

use common::ledger::connection::RedisConnection;
use common::queue::Queue;
use common::runtime::clock::Clock;
use common::runtime::timeout::with_timeout;
use redis::{RedisResult, pipe};
use tokio::time::{MissedTickBehavior, interval};

use crate::queue::queue_error::{LogOnChange, QueueError};

const TIMEOUT: Duration = Duration::from_secs(5);
/// apalis-redis writes a hash about each worker and never deletes it; names are never used again.
const METADATA_TTL_SECONDS: u32 = 3_600;

/// Sends the heartbeat of `worker` every `period`. Never ends.
pub(crate) async fn send_heartbeats(
    redis: RedisConnection,
    queue: Queue,
    worker: String,
    period: Duration,
) {
    let mut log = LogOnChange::new("keep the worker alive");
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        log.observe(
            with_timeout(TIMEOUT, QueueError::NoAnswer, send(redis.clone(), queue, &worker)).await,
        );
    }
}

async fn send(mut redis: RedisConnection, queue: Queue, worker: &str) -> RedisResult<()> {
    let names = queue.names();
    // Always the system's clock: apalis-redis compares with it.
    let seconds = Clock::default().unix_ms() / 1_000;
    pipe()
        .cmd("ZADD")
        // XX: only registering adds a worker; one that was taken off has to notice it.
        .arg((&names.workers, "XX", seconds, worker))
        .ignore()
        .expire(names.metadata_of(worker), METADATA_TTL_SECONDS.into())
        .ignore()
        .exec_async(&mut redis)
        .await
}
