//! A load by wrk, and what it cost the program that bore it.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};
use tokio::process::Command;

use crate::process::Process;
use crate::stores::{StoreTimes, Stores};

/// What a load is made of.
#[derive(Clone, Debug)]
pub(crate) struct Load<'a> {
    pub(crate) port: u16,
    /// Which script of `bench/load`.
    pub(crate) script: &'static str,
    pub(crate) arguments: [&'a str; 2],
    pub(crate) connections: u32,
    pub(crate) time: Duration,
}

/// What came of a load.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Outcome {
    pub(crate) requests: u64,
    pub(crate) requests_a_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) server_cpu_us_a_request: f64,
    pub(crate) redis_cpu_us_a_request: f64,
    pub(crate) postgres_cpu_us_a_request: f64,
}

#[derive(Deserialize)]
struct Printed {
    requests: u64,
    microseconds: u64,
    p50: u64,
    p99: u64,
    errors: u64,
}

impl Load<'_> {
    /// Puts it on `server`, which asks `stores`. Not one request may fail.
    pub(crate) async fn put_on(
        &self,
        server: &Process,
        stores: &Stores,
    ) -> anyhow::Result<Outcome> {
        let (before, stores_before) = (server.processor_time()?, stores.times().await?);
        let output = Command::new("wrk")
            .args(["--threads", if self.connections > 1 { "2" } else { "1" }])
            .args(["--connections", &self.connections.to_string()])
            .args(["--duration", &format!("{}s", self.time.as_secs())])
            .args(["--script", self.script])
            .arg(format!("http://127.0.0.1:{}", self.port))
            .arg("--")
            .args(self.arguments)
            .current_dir(Path::new("bench/load"))
            .stdin(Stdio::null())
            .output()
            .await
            .context("wrk cannot be started")?;
        let text = String::from_utf8_lossy(&output.stdout);
        let printed = text.lines().find_map(|line| line.strip_prefix("RESULT "));
        let printed = printed
            .with_context(|| format!("wrk: {text}{}", String::from_utf8_lossy(&output.stderr)))?;
        let Printed { requests, microseconds, p50, p99, errors } = serde_json::from_str(printed)?;
        ensure!(
            errors == 0 && requests > 0,
            "{}: {errors} of {requests} requests failed",
            self.script
        );
        let used = server.processor_time()?.saturating_sub(before);
        let StoreTimes { redis, postgres } = stores.times().await?;
        let each = |time: Duration| time.as_secs_f64() * 1e6 / requests as f64;
        Ok(Outcome {
            requests,
            requests_a_second: requests as f64 / (microseconds as f64 / 1e6),
            p50_ms: p50 as f64 / 1e3,
            p99_ms: p99 as f64 / 1e3,
            server_cpu_us_a_request: each(used),
            redis_cpu_us_a_request: each(redis.saturating_sub(stores_before.redis)),
            postgres_cpu_us_a_request: each(postgres.saturating_sub(stores_before.postgres)),
        })
    }
}
