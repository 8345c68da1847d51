//! What Redis and PostgreSQL spend, beside the program that asks them.

use std::fs;
use std::time::Duration;

use anyhow::Context;
use redis::aio::MultiplexedConnection;
use sea_orm::{ConnectionTrait, Database, DbBackend, Statement};

use crate::process::Stat;

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
    pub(crate) async fn find(
        redis: MultiplexedConnection,
        database_url: &str,
    ) -> anyhow::Result<Self> {
        let database = Database::connect(database_url).await?;
        let own = Statement::from_string(DbBackend::Postgres, "SELECT pg_backend_pid()");
        let row = database.query_one_raw(own).await?.context("no backend")?;
        let backend = row.try_get_by_index::<i32>(0)?.try_into()?;
        Ok(Self { redis, postmaster: Stat::of(backend).context("no process")?.parent })
    }

    pub(crate) async fn times(&self) -> anyhow::Result<StoreTimes> {
        let info: redis::InfoDict =
            redis::cmd("INFO").arg("cpu").query_async(&mut self.redis.clone()).await?;
        let spent =
            ["used_cpu_user", "used_cpu_sys", "used_cpu_user_children", "used_cpu_sys_children"];
        let redis: f64 = spent.iter().filter_map(|name| info.get::<f64>(name)).sum();
        Ok(StoreTimes { redis: Duration::from_secs_f64(redis), postgres: self.postgres()? })
    }

    /// Of all that live, and of those that have ended.
    fn postgres(&self) -> anyhow::Result<Duration> {
        let mut used = Duration::ZERO;
        for entry in fs::read_dir("/proc")? {
            let Some(process) = entry?.file_name().to_str().and_then(|name| name.parse().ok())
            else {
                continue;
            };
            let Some(stat) = Stat::of(process) else { continue };
            if process == self.postmaster {
                used += stat.own_time + stat.childrens_time;
            } else if stat.parent == self.postmaster {
                used += stat.own_time;
            }
        }
        Ok(used)
    }
}
