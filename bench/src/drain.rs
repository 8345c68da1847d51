//! The worker with a backlog, beside a bare loop of the same calls, and with many calls in flight.

use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde::Serialize;
use tokio::process::Command;

use crate::backlog;
use crate::stage::{Server, Stage};

const BACKLOG: u64 = 100_000;
const ANSWER_TIME: Duration = Duration::from_millis(50);
/// What one worker does at once where nothing is said.
const AT_ONCE: u32 = 200;
const IN_FLIGHT: u32 = 1_000;
/// Answers so late that all calls are open at once.
const LATE: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Debug, Serialize)]
pub(crate) struct Drain {
    pub(crate) jobs: u64,
    pub(crate) jobs_a_second: f64,
    pub(crate) bare_calls_a_second: f64,
    pub(crate) worker_cpu_us_a_job: f64,
    pub(crate) worker_memory_at_rest: u64,
    pub(crate) worker_memory_at_peak: u64,
    pub(crate) worker_memory_with_1000_calls: u64,
}

pub(crate) async fn measure(stage: &Stage, api: &Server) -> anyhow::Result<Drain> {
    stage.say(&format!("a backlog of {BACKLOG} jobs, {AT_ONCE} calls of {ANSWER_TIME:?} at once"));
    backlog::queue(stage, api, BACKLOG).await?;
    stage.provider.answer_after(ANSWER_TIME);
    let worker = stage.worker(AT_ONCE).await?;
    // Some of it is gone when the worker says that it is there: what is left then is measured.
    let (taken, begin) = (stage.provider.taken(), Instant::now());
    let cpu = worker.process.processor_time()?;
    let worker_memory_at_rest = worker.process.memory()?;
    until(|| stage.provider.taken() >= BACKLOG, "the backlog to be sent").await?;
    let (jobs, time) = (stage.provider.taken() - taken, begin.elapsed());
    let worker_cpu = worker.process.processor_time()?.saturating_sub(cpu);
    let worker_memory_at_peak = worker.process.peak_memory()?;
    worker.process.stop()?;

    stage.say("the same calls in a bare loop");
    let bare_calls_a_second = bare_loop(stage).await?;
    Ok(Drain {
        jobs,
        jobs_a_second: jobs as f64 / time.as_secs_f64(),
        bare_calls_a_second,
        worker_cpu_us_a_job: worker_cpu.as_secs_f64() * 1e6 / jobs as f64,
        worker_memory_at_rest,
        worker_memory_at_peak,
        worker_memory_with_1000_calls: many_in_flight(stage, api).await?,
    })
}

async fn bare_loop(stage: &Stage) -> anyhow::Result<f64> {
    let program = std::env::current_exe()?.with_file_name("floor");
    let (calls, at_once) = (BACKLOG.to_string(), AT_ONCE.to_string());
    let output = Command::new(program)
        .args(["drain", &stage.provider.url(), &calls, &at_once])
        .output()
        .await?;
    ensure!(output.status.success(), "floor drain: {}", String::from_utf8_lossy(&output.stderr));
    let seconds: f64 = String::from_utf8(output.stdout)?.trim().parse().context("floor drain")?;
    Ok(BACKLOG as f64 / seconds)
}

/// Memory of a worker that waits for so many answers.
async fn many_in_flight(stage: &Stage, api: &Server) -> anyhow::Result<u64> {
    stage.say(&format!("{IN_FLIGHT} calls in flight"));
    backlog::queue(stage, api, 5 * u64::from(IN_FLIGHT)).await?;
    stage.provider.answer_after(LATE);
    let worker = stage.worker(IN_FLIGHT).await?;
    until(|| stage.provider.open() >= u64::from(IN_FLIGHT), "all calls to be open").await?;
    let memory = worker.process.memory()?;
    worker.process.stop()?;
    Ok(memory)
}

pub(crate) async fn until(reached: impl Fn() -> bool, what: &str) -> anyhow::Result<()> {
    let begin = Instant::now();
    while !reached() {
        if begin.elapsed() > PATIENCE {
            bail!("waited in vain for {what}");
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}
