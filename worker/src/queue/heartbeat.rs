//! Keeps a worker alive in the eyes of the others, however busy it is.
//!
//! apalis-redis sends a worker's heartbeat only when it polls, and it does not poll while every slot is
//! taken. Without this, the others would take its running jobs away, and it would end itself.

use std::time::Duration;

use common::ledger::connection::RedisConnection;
use common::queue::NAMES;
use common::runtime::clock::Clock;
use redis::{RedisResult, pipe};
use tokio::time::{MissedTickBehavior, interval};

use crate::queue::queue_error::{Outage, within};

/// apalis-redis writes a hash about each worker and never deletes it; names are never used again.
const METADATA_TTL_SECONDS: u32 = 3_600;

/// Beats for `worker` every `period`, without end.
pub(crate) async fn keep_alive(redis: RedisConnection, worker: String, period: Duration) {
    let mut outage = Outage::new("keep the worker alive");
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        outage.note(within(Duration::from_secs(5), beat(redis.clone(), &worker)).await);
    }
}

async fn beat(mut redis: RedisConnection, worker: &str) -> RedisResult<()> {
    // The system's clock, whatever the rest goes by: apalis-redis compares with it.
    let seconds = Clock::default().unix_ms() / 1_000;
    pipe()
        .cmd("ZADD")
        // Never adds: only registering does, and being taken off must show.
        .arg((&NAMES.workers, "XX", seconds, worker))
        .ignore()
        .expire(NAMES.metadata_of(worker), METADATA_TTL_SECONDS.into())
        .ignore()
        .exec_async(&mut redis)
        .await
}
