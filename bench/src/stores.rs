//! What Redis and PostgreSQL spend, beside the program that asks them.

use std::fs;
use std::time::Duration;

use anyhow::Context;
use redis::aio::MultiplexedConnection;
use sea_orm::{ConnectionTrait, Database, DbBackend, Statement};

use crate::process::ticks;

/// Both servers.
#[derive(Clone, Debug)]
pub(crate) struct Stores {
    redis: MultiplexedConnection,
    /// The process that all of PostgreSQL's others come from.
    postmaster: u32,
}

/// Processor time that they have used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StoreTimes {
    /// With that of rewriting its log.
    pub(crate) redis: Duration,
    pub(crate) postgres: Duration,
}

impl Stores {
    /// Finds them.
    pub(crate) async fn find(redis: MultiplexedConnection, database_url: &str) -> anyhow::Result<Self> {
        let database = Database::connect(database_url).await?;
        let own = Statement::from_string(DbBackend::Postgres, "SELECT pg_backend_pid()");
        let row = database.query_one_raw(own).await?.context("no backend")?;
        let stat = fields(&row.try_get_by_index::<i32>(0)?.to_string()).context("no process")?;
        let postmaster = stat.get(PARENT).context("no parent")?.parse()?;
        Ok(Self { redis, postmaster })
    }

    pub(crate) async fn times(&self) -> anyhow::Result<StoreTimes> {
        let info: redis::InfoDict = redis::cmd("INFO").arg("cpu").query_async(&mut self.redis.clone()).await?;
        let spent = ["used_cpu_user", "used_cpu_sys", "used_cpu_user_children", "used_cpu_sys_children"];
        let redis: f64 = spent.iter().filter_map(|name| info.get::<f64>(name)).sum();
        Ok(StoreTimes { redis: Duration::from_secs_f64(redis), postgres: self.postgres()? })
    }

    /// Of all that live, and of those that have ended.
    fn postgres(&self) -> anyhow::Result<Duration> {
        let postmaster = self.postmaster.to_string();
        let mut used = 0.0;
        for entry in fs::read_dir("/proc")? {
            let name = entry?.file_name();
            let Some(stat) = name.to_str().and_then(fields) else { continue };
            let sum = |range: std::ops::Range<usize>| -> f64 {
                stat.get(range).unwrap_or_default().iter().filter_map(|field| field.parse::<f64>().ok()).sum()
            };
            if name.to_str() == Some(&postmaster) {
                used += sum(OWN_TIME.start..ENDED_CHILDREN.end);
            } else if stat.get(PARENT) == Some(&postmaster) {
                used += sum(OWN_TIME);
            }
        }
        Ok(ticks(used))
    }
}

/// Places in [`fields`].
const PARENT: usize = 1;
const OWN_TIME: std::ops::Range<usize> = 11..13;
const ENDED_CHILDREN: std::ops::Range<usize> = 13..15;

/// What `/proc/<pid>/stat` says after the name, which may hold anything.
fn fields(pid: &str) -> Option<Vec<String>> {
    pid.parse::<u32>().ok()?;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}
