//! `worker queue`: the queue and the dead letters in numbers.

use std::collections::BTreeMap;
use std::fmt;

use common::admin::ask_redis;
use common::admin::queue_stats::QueueStats;
use common::ledger::connection::RedisConnection;
use common::ledger::deliveries::dead_letters;
use common::queue;
use common::runtime::clock::Clock;
use common::runtime::command::{self, CommandError};
use serde::Serialize;

use crate::queue::runner::RunnerSettings;

pub(super) async fn run(redis: &mut RedisConnection, json: bool) -> Result<(), CommandError> {
    let now = Clock::default().unix_ms();
    let stats = ask_redis(QueueStats::read(redis, &[], now)).await?;
    let workers =
        ask_redis(queue::living_workers(redis, now, RunnerSettings::default().given_up_after()))
            .await?;
    let mut reasons = BTreeMap::new();
    for letter in ask_redis(dead_letters(redis)).await? {
        *reasons.entry(letter.reason).or_insert(0) += 1;
    }
    let summary = Summary {
        workers,
        waiting: stats.depth.waiting,
        retrying: stats.depth.retrying,
        in_flight: stats.depth.in_flight,
        oldest_waiting_seconds: stats.oldest_waiting.as_secs_f64(),
        dead_letters: DeadLetters { kept: stats.dead_letters, reasons },
    };
    command::answer(&summary, json)
}

#[derive(Serialize)]
struct Summary {
    workers: u64,
    waiting: u64,
    retrying: u64,
    in_flight: u64,
    oldest_waiting_seconds: f64,
    dead_letters: DeadLetters,
}

#[derive(Serialize)]
struct DeadLetters {
    kept: u64,
    reasons: BTreeMap<String, u64>,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { workers, waiting, retrying, in_flight, oldest_waiting_seconds, dead_letters } =
            self;
        writeln!(f, "workers       {workers}")?;
        writeln!(f, "waiting       {waiting} (the oldest for {oldest_waiting_seconds:.1} s)")?;
        writeln!(f, "retrying      {retrying}")?;
        writeln!(f, "in flight     {in_flight}")?;
        writeln!(f, "dead letters  {}", dead_letters.kept)?;
        for (reason, count) in &dead_letters.reasons {
            writeln!(f, "  {reason:22} {count}")?;
        }
        Ok(())
    }
}
