//! What was measured: as a table for people, as JSON, and as a plot.

use std::fs;
use std::path::Path;

use serde::Serialize;

use crate::backlog::Weight;
use crate::drain::Drain;
use crate::growth::Growth;
use crate::idle::Idle;
use crate::machine::Machine;
use crate::memory::Memory;
use crate::operations::{Operation, Operations};
use crate::plot;
use crate::round_trips::RoundTrips;
use crate::rounds::Rounds;
use crate::scripts::ScriptTimes;
use crate::sign_ins::{Cost, HalfLoad};
use crate::start_up::StartUp;

pub(crate) const SEND: &str = "send";
/// Of a number that was never seen before.
pub(crate) const VERIFY: &str = "verify";
pub(crate) const PROTECTED: &str = "authenticated GET";

#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    pub(crate) operations: Operations,
    pub(crate) half_load: Vec<HalfLoad>,
    pub(crate) costs: Vec<Cost>,
    pub(crate) scripts: Vec<ScriptTimes>,
    pub(crate) memory: Vec<Memory>,
    pub(crate) round_trips: Vec<RoundTrips>,
    pub(crate) start_up: StartUp,
    pub(crate) idle: Idle,
    pub(crate) drain: Drain,
    pub(crate) weight: Weight,
    pub(crate) growth: Growth,
}

impl Report {
    /// `latest.txt`, `latest.json` and `latest.svg`.
    pub(crate) fn write(&self, folder: &Path) -> anyhow::Result<()> {
        fs::create_dir_all(folder)?;
        fs::write(folder.join("latest.txt"), self.text())?;
        fs::write(
            folder.join("latest.json"),
            format!("{}\n", serde_json::to_string_pretty(self)?),
        )?;
        plot::draw(self, &folder.join("latest.svg"))
    }

    pub(crate) fn text(&self) -> String {
        [
            self.machine(),
            requests(&self.operations),
            half_load(&self.half_load),
            costs(&self.costs),
            scripts(&self.scripts),
            memory(&self.memory),
            self.round_trips(),
            self.worker(),
            self.growth(),
        ]
        .join("\n")
    }

    fn machine(&self) -> String {
        let Machine { at, processor, processors, memory_bytes, kernel, redis, postgres, commit } =
            &self.machine;
        let gib = *memory_bytes as f64 / f64::from(1 << 30);
        format!(
            "{at}, commit {commit}\n{processors} x {processor}, {gib:.0} GiB, Linux {kernel}, Redis {redis}, \
             PostgreSQL {postgres}\n"
        )
    }

    fn round_trips(&self) -> String {
        let line = |trips: &RoundTrips| {
            format!(
                "{:<18} {:.2} of Redis, {:.2} of SQL a request\n",
                trips.operation, trips.redis, trips.sql
            )
        };
        format!("Round trips\n{}", self.round_trips.iter().map(line).collect::<String>())
    }

    fn worker(&self) -> String {
        let (drain, idle, weight, start_up) =
            (&self.drain, &self.idle, &self.weight, &self.start_up);
        let start = |times: &Rounds| {
            format!("{:.0} ms (spread {:.0} %)", times.median(), times.spread() * 100.0)
        };
        [
            format!(
                "Backlog: {} jobs at {:.0}/s, {:.0} us of CPU each; a bare loop {:.0}/s: ratio {:.2}",
                drain.jobs,
                drain.jobs_a_second,
                drain.worker_cpu_us_a_job,
                drain.bare_calls_a_second,
                drain.jobs_a_second / drain.bare_calls_a_second
            ),
            format!(
                "Worker memory: {} at rest, {} with a backlog, {} with 1,000 calls in flight",
                mebibytes(drain.worker_memory_at_rest),
                mebibytes(drain.worker_memory_at_peak),
                mebibytes(drain.worker_memory_with_1000_calls)
            ),
            format!(
                "HTTP answer to provider, idle queue, {} sends: p50 {:.2} ms, p95 {:.2} ms, p99 {:.2} ms",
                idle.sends, idle.p50_ms, idle.p95_ms, idle.p99_ms
            ),
            format!("Idle API and worker together: {:.2} % of a core", idle.processor_share * 100.0),
            format!(
                "{} waiting jobs: {:.0} bytes of Redis each, {:.0} with all that a send leaves",
                weight.jobs, weight.bytes_a_job, weight.bytes_a_send
            ),
            format!("Ready after: API {}, worker {}\n", start(&start_up.api_ms), start(&start_up.worker_ms)),
        ]
        .join("\n")
    }

    fn growth(&self) -> String {
        let mut text = "Sends, as work grows\n".to_owned();
        for step in &self.growth.by_connections {
            text += &format!(
                "{:>9} connections        {:>8.0}/s, p99 {:.2} ms\n",
                step.connections, step.requests_a_second, step.p99_ms
            );
        }
        for step in &self.growth.by_challenges {
            text += &format!(
                "{:>9} challenges alive   {:>8.0}/s, p99 {:.2} ms\n",
                step.challenges, step.requests_a_second, step.p99_ms
            );
        }
        text
    }
}

/// Says it to whoever waits.
#[expect(clippy::print_stdout, reason = "the result")]
pub(crate) fn print(text: &str) {
    println!("{text}");
}

/// Send, verify and authenticated GET, and the memory of the API that answered them.
pub(crate) fn requests(operations: &Operations) -> String {
    let mut text = format!(
        "{:<18} {:<8} {:>10} {:>7} {:>9} {:>9} {:>7} {:>6} {:>6}\n",
        "", "", "requests/s", "spread", "p50 ms", "p99 ms", "CPU us", "Redis", "SQL"
    );
    for operation in &operations.operations {
        for (name, measured) in [("floor", &operation.floor), ("product", &operation.product)] {
            text += &format!(
                "{:<18} {name:<8} {:>10.0} {:>6.0}% {:>9.2} {:>9.2} {:>7.1} {:>6.1} {:>6.1}\n",
                operation.name,
                measured.requests_a_second.median(),
                measured.requests_a_second.spread() * 100.0,
                measured.p50_ms.median(),
                measured.p99_ms.median(),
                measured.server_cpu_us_a_request.median(),
                measured.redis_cpu_us_a_request.median(),
                measured.postgres_cpu_us_a_request.median(),
            );
        }
        text += &format!("{:<18} {}\n", operation.name, ratio(operation));
    }
    let Operations { requests, api_memory_at_rest, api_memory_after, api_memory_at_peak, .. } =
        operations;
    text + &format!(
        "\nAPI memory: {} at rest, {} after {requests} requests, {} at most\n",
        mebibytes(*api_memory_at_rest),
        mebibytes(*api_memory_after),
        mebibytes(*api_memory_at_peak)
    )
}

/// Open loop, no worker running.
pub(crate) fn half_load(measured: &[HalfLoad]) -> String {
    let line = |half: &HalfLoad| {
        format!(
            "{:<18} {:>8.0}/s, p50 {:.2} ms, p99 {:.2} ms (spread {:.0} %)\n",
            half.operation,
            half.requests_a_second,
            half.p50_ms.median(),
            half.p99_ms.median(),
            half.p99_ms.spread() * 100.0
        )
    };
    let lines: String = measured.iter().map(line).collect();
    format!("At half of the capacity, late by the instant that was meant\n{lines}")
}

/// Send, job, call of the provider and verify.
pub(crate) fn costs(costs: &[Cost]) -> String {
    let mut text = format!(
        "{:<18} {:>7} {:>7} {:>7} {:>7} {:>7} {:>7}\n",
        "CPU us of a sign-in", "all", "spread", "API", "worker", "Redis", "SQL"
    );
    for cost in costs {
        text += &format!(
            "{:<18} {:>8.0} {:>6.0}% {:>7.0} {:>7.0} {:>7.0} {:>7.0}\n",
            cost.build,
            cost.all_us.median(),
            cost.all_us.spread() * 100.0,
            cost.api_us.median(),
            cost.worker_us.median(),
            cost.redis_us.median(),
            cost.postgres_us.median(),
        );
    }
    text + &after_by_before(costs.iter().map(|cost| cost.all_us.median()))
}

/// Redis alone, without a file: the lowest of the rounds.
pub(crate) fn scripts(times: &[ScriptTimes]) -> String {
    let mut text = "Script alone, us a call, the lowest of its rounds\n".to_owned();
    for (name, of) in [
        ("send", (|times| &times.send_us) as fn(&ScriptTimes) -> &Rounds),
        ("verify", |times| &times.verify_us),
    ] {
        for times in times {
            text += &format!("{name:<18} {:<8} {:>6.1}\n", times.build, of(times).least());
        }
        text += &after_by_before(times.iter().map(|times| of(times).least()));
    }
    text
}

pub(crate) fn memory(memory: &[Memory]) -> String {
    let mut text = "Bytes of Redis for a number, without buckets and jobs\n".to_owned();
    for Memory { build, numbers, asked, signed_in } in memory {
        for (state, weight) in [("asked", asked), ("signed in", signed_in)] {
            text += &format!(
                "{state:<18} {build:<8} {:>6.0} in {} keys; {:.0} each of {numbers}\n",
                weight.one, weight.keys, weight.each
            );
        }
    }
    text
}

/// Nothing where no older build was measured.
fn after_by_before(medians: impl Iterator<Item = f64>) -> String {
    match *medians.collect::<Vec<_>>() {
        [before, after] => format!("{:<18} {:.2}\n", "ratio", after / before),
        _ => String::new(),
    }
}

fn ratio(operation: &Operation) -> String {
    match operation.ratio() {
        Some(ratio) => format!("ratio    {ratio:.2}"),
        None => "no ratio: the rounds differ by more than 30 %".to_owned(),
    }
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}
