//! How soon a program that was started is ready, on a migrated database.

use std::time::Duration;

use serde::Serialize;

use crate::rounds::Rounds;
use crate::stage::Stage;

const STARTS: usize = 5;

/// Milliseconds until `/readyz` says yes.
#[derive(Debug, Serialize)]
pub(crate) struct StartUp {
    pub(crate) api_ms: Rounds,
    pub(crate) worker_ms: Rounds,
}

pub(crate) async fn measure(stage: &Stage) -> anyhow::Result<StartUp> {
    stage.say("starts");
    let (mut api, mut worker) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        api.push(stage.time_to_ready("api", "PORT").await?);
        worker.push(stage.time_to_ready("worker", "METRICS_ADDR").await?);
    }
    let milliseconds =
        |times: Vec<Duration>| Rounds::of(times.into_iter().map(|time| time.as_secs_f64() * 1e3));
    Ok(StartUp { api_ms: milliseconds(api), worker_ms: milliseconds(worker) })
}
