//! What more connections, and more challenges alive, do to sending.

use std::time::Duration;

use serde::Serialize;

use crate::backlog;
use crate::load::Load;
use crate::stage::{CONNECTIONS, Server, Stage};

const CONNECTION_STEPS: [u32; 4] = [1, 4, 32, 256];
const CHALLENGE_STEPS: [u64; 3] = [10, 100_000, 1_000_000];
const TIME: Duration = Duration::from_secs(4);
/// The numbers of the measured sends, away from those that wait.
const FIRST_NUMBER: u64 = 50_000_000;

#[derive(Debug, Serialize)]
pub(crate) struct Step {
    pub(crate) connections: u32,
    pub(crate) challenges: u64,
    pub(crate) requests_a_second: f64,
    pub(crate) p99_ms: f64,
}

#[derive(Debug, Serialize)]
pub(crate) struct Growth {
    pub(crate) by_connections: Vec<Step>,
    pub(crate) by_challenges: Vec<Step>,
}

pub(crate) async fn measure(stage: &Stage, api: &Server) -> anyhow::Result<Growth> {
    stage.empty_redis().await?;
    let mut by_connections = Vec::new();
    for connections in CONNECTION_STEPS {
        stage.say(&format!("send with {connections} connections"));
        stage.empty_redis().await?;
        by_connections.push(step(stage, api, connections, 0, FIRST_NUMBER).await?);
    }
    stage.empty_redis().await?;
    let mut by_challenges = Vec::new();
    for (challenges, first) in CHALLENGE_STEPS.into_iter().zip((FIRST_NUMBER..).step_by(5_000_000))
    {
        stage.say(&format!("send with {challenges} challenges alive"));
        backlog::fill(stage, api, challenges).await?;
        by_challenges.push(step(stage, api, CONNECTIONS, challenges, first).await?);
    }
    Ok(Growth { by_connections, by_challenges })
}

async fn step(
    stage: &Stage,
    api: &Server,
    connections: u32,
    challenges: u64,
    first: u64,
) -> anyhow::Result<Step> {
    let first = first.to_string();
    let load = Load {
        port: api.port,
        script: "send.lua",
        arguments: ["/signup", &first],
        connections,
        time: TIME,
    };
    let outcome = load.put_on(&api.process, &stage.stores).await?;
    Ok(Step {
        connections,
        challenges,
        requests_a_second: outcome.requests_a_second,
        p99_ms: outcome.p99_ms,
    })
}
