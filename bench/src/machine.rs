//! What it was measured on.

use std::fs;

use common::runtime::clock::Clock;
use serde::Serialize;
use time::format_description::well_known::Rfc3339;
use tokio::process::Command;

use crate::stage::Stage;

/// The machine and its servers.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    pub(crate) at: String,
    pub(crate) processor: String,
    pub(crate) processors: usize,
    pub(crate) memory_bytes: u64,
    pub(crate) kernel: String,
    pub(crate) redis: String,
    pub(crate) postgres: String,
    pub(crate) commit: String,
}

pub(crate) async fn describe(stage: &Stage) -> anyhow::Result<Machine> {
    let redis: redis::InfoDict =
        redis::cmd("INFO").arg("server").query_async(&mut stage.redis.clone()).await?;
    let field = |path: &str, name: &str| {
        let text = fs::read_to_string(path).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_once(':').map_or("unknown", |(_, value)| value.trim()).to_owned()
    };
    let kilobytes = field("/proc/meminfo", "MemTotal").trim_end_matches(" kB").parse::<u64>();
    Ok(Machine {
        at: Clock::default().now().replace_nanosecond(0)?.format(&Rfc3339)?,
        processor: field("/proc/cpuinfo", "model name"),
        processors: std::thread::available_parallelism()?.get(),
        memory_bytes: kilobytes.unwrap_or(0) * 1024,
        kernel: fs::read_to_string("/proc/sys/kernel/osrelease")?.trim().to_owned(),
        redis: redis.get("redis_version").unwrap_or_default(),
        postgres: stage.postgres_version().await?,
        commit: commit().await,
    })
}

async fn commit() -> String {
    let output = Command::new("git").args(["describe", "--always", "--dirty"]).output().await;
    output
        .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        .unwrap_or_default()
}
