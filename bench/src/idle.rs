//! A quiet service: how soon one SMS leaves, and what waiting costs.

use std::time::{Duration, Instant};

use anyhow::bail;
use serde::Serialize;
use serde_json::json;

use crate::http;
use crate::stage::{Server, Stage};

const SENDS: u32 = 300;
const PAUSE: Duration = Duration::from_millis(20);
const WATCH: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, Serialize)]
pub(crate) struct Idle {
    pub(crate) sends: u32,
    /// From the API's answer to the provider's receipt; less than nothing where the worker was
    /// faster.
    pub(crate) p50_ms: f64,
    pub(crate) p95_ms: f64,
    pub(crate) p99_ms: f64,
    /// Of one core, API and worker together, while nothing happens.
    pub(crate) processor_share: f64,
}

pub(crate) async fn measure(stage: &Stage, api: &Server) -> anyhow::Result<Idle> {
    stage.say("an idle queue");
    stage.empty_redis().await?;
    stage.provider.answer_after(Duration::ZERO);
    stage.provider.note_messages(true);
    let worker = stage.worker(200).await?;
    let mut times = Vec::new();
    let (client, url) = (reqwest::Client::new(), format!("http://127.0.0.1:{}/signup", api.port));
    for number in 0..SENDS {
        let number = format!("+9197{number:08}");
        http::post(&client, &url, &json!({ "name": "Asha", "phone_number": number })).await?;
        times.push(time_to_provider(stage, &number, Instant::now()).await?);
        tokio::time::sleep(PAUSE).await;
    }
    stage.provider.note_messages(false);
    times.sort_by(f64::total_cmp);
    let at =
        |part: f64| times.get((times.len() as f64 * part) as usize).copied().unwrap_or(f64::NAN);

    let used = || anyhow::Ok(api.process.processor_time()? + worker.process.processor_time()?);
    let before = used()?;
    tokio::time::sleep(WATCH).await;
    let processor_share = used()?.saturating_sub(before).as_secs_f64() / WATCH.as_secs_f64();
    worker.process.stop()?;
    Ok(Idle { sends: SENDS, p50_ms: at(0.5), p95_ms: at(0.95), p99_ms: at(0.99), processor_share })
}

async fn time_to_provider(stage: &Stage, number: &str, answered: Instant) -> anyhow::Result<f64> {
    while answered.elapsed() < PATIENCE {
        if let Some(received) = stage.provider.received(number) {
            let late = received.at.saturating_duration_since(answered).as_secs_f64();
            let early = answered.saturating_duration_since(received.at).as_secs_f64();
            return Ok((late - early) * 1e3);
        }
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
    bail!("the provider has not got the SMS for {number}")
}
