//! `worker queue`: the queue and the dead letters in numbers.

use std::fmt;

use common::admin::queue_summary::QueueSummary;
use common::ledger::connection::RedisConnection;
use common::runtime::clock::Clock;
use common::runtime::command::{self, CommandError};
use serde::Serialize;

pub(super) async fn run(redis: &mut RedisConnection, json: bool) -> Result<(), CommandError> {
    let summary = QueueSummary::read(redis, Clock::default().unix_ms()).await?;
    command::answer(&Summary(summary), json)
}

#[derive(Serialize)]
#[serde(transparent)]
struct Summary(QueueSummary);

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let QueueSummary {
            workers,
            waiting,
            retrying,
            in_flight,
            oldest_waiting_seconds,
            dead_letters,
        } = &self.0;
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
