//! Single requests, beside the loads.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

/// How long a program may take to answer for the first time.
const PATIENCE: Duration = Duration::from_secs(30);

/// A port of this machine that nobody listens on.
pub(crate) fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Waits until `url` answers with success.
pub(crate) async fn until_it_answers(url: &str) -> anyhow::Result<()> {
    let (client, start) = (reqwest::Client::new(), Instant::now());
    while start.elapsed() < PATIENCE {
        if client.get(url).send().await.is_ok_and(|answer| answer.status().is_success()) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    bail!("{url} does not answer")
}

/// The token of a sign-in.
pub(crate) fn token(answer: &Value) -> anyhow::Result<String> {
    Ok(answer.get("token").and_then(Value::as_str).context("no token")?.to_owned())
}

/// Posts JSON; an answer that is no success is an error.
pub(crate) async fn post(
    client: &reqwest::Client,
    url: &str,
    body: &Value,
) -> anyhow::Result<Value> {
    let answer = client.post(url).json(body).send().await?;
    let (status, body) = (answer.status(), answer.json().await?);
    ensure!(status.is_success(), "{url}: {status} {body}");
    Ok(body)
}
