//! Jobs that wait because nobody works, and what they weigh.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use serde::Serialize;

use crate::load::Load;
use crate::stage::{CONNECTIONS, Server, Stage};

const WAITING: u64 = 200_000;

/// What waiting jobs weigh in Redis, in bytes each.
#[derive(Debug, Serialize)]
pub(crate) struct Weight {
    pub(crate) jobs: u64,
    /// The job alone: its payload, what the queue notes about it, its place in the list.
    pub(crate) bytes_a_job: f64,
    /// With all that a send leaves: challenge, delivery, cooldown, limits.
    pub(crate) bytes_a_send: f64,
}

pub(crate) async fn weigh(stage: &Stage, api: &Server) -> anyhow::Result<Weight> {
    stage.say(&format!("{WAITING} waiting jobs"));
    let mut redis = stage.redis.clone();
    stage.empty_redis().await?;
    let empty = used_memory(&mut redis).await?;
    queue(stage, api, WAITING).await?;
    let (jobs, full) = (waiting(&mut redis).await?, used_memory(&mut redis).await?);
    forget_jobs(&mut redis).await?;
    let without_jobs = used_memory(&mut redis).await?;
    Ok(Weight {
        jobs,
        bytes_a_job: (full - without_jobs) / jobs as f64,
        bytes_a_send: (full - empty) / jobs as f64,
    })
}

/// Asks for codes until `jobs` wait, or a few more, starting with an empty Redis.
pub(crate) async fn queue(stage: &Stage, api: &Server, jobs: u64) -> anyhow::Result<()> {
    stage.empty_redis().await?;
    fill(stage, api, jobs).await
}

/// Asks for codes until `jobs` wait, or a few more.
pub(crate) async fn fill(stage: &Stage, api: &Server, jobs: u64) -> anyhow::Result<()> {
    let mut redis = stage.redis.clone();
    let mut there = waiting(&mut redis).await?;
    let mut time = Duration::from_secs(1);
    while there < jobs {
        // Its threads do not keep step: none has come further than to twice as many.
        let first = (2 * there).to_string();
        let load = Load {
            port: api.port,
            script: "send.lua",
            arguments: ["/signup", &first],
            connections: CONNECTIONS,
            time,
        };
        let outcome = load.put_on(&api.process, &stage.stores).await?;
        there = waiting(&mut redis).await?;
        let left = jobs.saturating_sub(there) as f64 / outcome.requests_a_second;
        time = Duration::from_secs((left.ceil() as u64).clamp(1, 30));
    }
    Ok(())
}

pub(crate) async fn waiting(redis: &mut MultiplexedConnection) -> anyhow::Result<u64> {
    Ok(redis::cmd("LLEN").arg(&common::queue::NAMES.active).query_async(redis).await?)
}

/// Whatever the queue keeps of its jobs.
async fn forget_jobs(redis: &mut MultiplexedConnection) -> anyhow::Result<()> {
    let names = &*common::queue::NAMES;
    let ids: Vec<String> = redis::cmd("HKEYS").arg(&names.data).query_async(redis).await?;
    for ids in ids.chunks(5_000) {
        let mut pipe = redis::pipe();
        for id in ids {
            pipe.cmd("DEL").arg(format!("{}:{id}", names.meta)).ignore();
        }
        pipe.exec_async(redis).await?;
    }
    redis::cmd("DEL").arg(&names.data).arg(&names.active).exec_async(redis).await?;
    Ok(())
}

pub(crate) async fn used_memory(redis: &mut MultiplexedConnection) -> anyhow::Result<f64> {
    let info: redis::InfoDict = redis::cmd("INFO").arg("memory").query_async(redis).await?;
    Ok(info.get("used_memory").unwrap_or(f64::NAN))
}
