//! What the scripts of send and verify take in Redis by themselves: what an API said to Redis is
//! noted, and said again to a Redis that has nothing else to do and writes no file.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, ensure};
use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::open_loop;
use crate::process::Settings;
use crate::rounds::Rounds;
use crate::sign_ins;
use crate::stage::{Build, Stage};

const ROUNDS: usize = 9;
const SIGN_INS: u64 = 5_000;
const A_SECOND: f64 = 1_500.0;
/// Of numbers that the other measurements do not use.
const FIRST_NUMBER: u64 = 90_000_000;
const END: &str = "the end of what was noted";

/// Of one build, in µs a call, by Redis' own count (`INFO commandstats`).
#[derive(Debug, Serialize)]
pub(crate) struct ScriptTimes {
    pub(crate) build: &'static str,
    pub(crate) send_us: Rounds,
    pub(crate) verify_us: Rounds,
}

/// The builds in turn.
pub(crate) async fn measure(stage: &Stage) -> anyhow::Result<Vec<ScriptTimes>> {
    let mut noted = Vec::new();
    for build in stage.builds() {
        stage.say(&format!("what the API says to Redis {}", build.name));
        noted.push((build, note(stage, build).await?, Vec::new(), Vec::new()));
    }
    stage.say("scripts alone");
    stage.configure_redis("appendonly", "no").await?;
    for _ in 0..ROUNDS {
        for (_, [sends, verifications], send_us, verify_us) in &mut noted {
            stage.empty_redis().await?;
            send_us.push(say_again(stage, sends).await?);
            verify_us.push(say_again(stage, verifications).await?);
        }
    }
    stage.configure_redis("appendonly", "yes").await?;
    let times = |(build, _, send_us, verify_us): (&Build, _, _, _)| ScriptTimes {
        build: build.name,
        send_us: Rounds::of(send_us),
        verify_us: Rounds::of(verify_us),
    };
    Ok(noted.into_iter().map(times).collect())
}

/// What is said of sends, and then of verifications.
async fn note(stage: &Stage, build: &Build) -> anyhow::Result<[Vec<u8>; 2]> {
    stage.empty_redis().await?;
    let (url, noted) = noting_proxy(&stage.redis_url).await?;
    let api = stage.api_of(build, Settings::from([("REDIS_URL", url)])).await?;
    let worker = stage.worker_of(build, 200).await?;
    let take = || std::mem::take(&mut *noted.lock().unwrap_or_else(PoisonError::into_inner));
    take();
    let numbers = sign_ins::numbers(FIRST_NUMBER, SIGN_INS);
    let codes = sign_ins::ask(stage, &api, &numbers).await?;
    let sends = take();
    open_loop::post(api.port, "/signup", &codes, A_SECOND).await?;
    let verifications = take();
    worker.process.stop()?;
    Ok([sends, verifications])
}

/// Answers the µs that each script took.
async fn say_again(stage: &Stage, noted: &[u8]) -> anyhow::Result<f64> {
    let mut redis = stage.redis.clone();
    redis::cmd("CONFIG").arg("RESETSTAT").exec_async(&mut redis).await?;
    let mut server = TcpStream::connect(address_of(&stage.redis_url)?).await?;
    let (mut from, mut to) = server.split();
    let say = async {
        to.write_all(noted).await?;
        to.write_all(format!("ECHO \"{END}\"\r\n").as_bytes()).await
    };
    let hear = async {
        let (mut buffer, mut told) = (vec![0; 64 * 1024], Vec::new());
        while !told.ends_with(format!("{END}\r\n").as_bytes()) {
            told.drain(..told.len().saturating_sub(2 * END.len()));
            let length = from.read(&mut buffer).await?;
            ensure!(length > 0, "Redis ended the connection");
            told.extend(buffer.iter().take(length));
        }
        Ok(())
    };
    let (said, heard) = tokio::join!(say, hear);
    said?;
    heard?;
    let info: redis::InfoDict =
        redis::cmd("INFO").arg("commandstats").query_async(&mut redis).await?;
    let told: String = info.get("cmdstat_evalsha").context("no script ran")?;
    let field = |name: &str| {
        let told = told.split(',').find_map(|field| field.strip_prefix(name));
        told.context("cmdstat_evalsha")?.parse::<f64>().context("cmdstat_evalsha")
    };
    ensure!(field("calls=")? >= SIGN_INS as f64, "{told}");
    ensure!(field("failed_calls=")? == 0.0 && field("rejected_calls=")? == 0.0, "{told}");
    field("usec_per_call=")
}

fn address_of(url: &str) -> anyhow::Result<String> {
    let port = reqwest::Url::parse(url)?.port().context("a URL without a port")?;
    Ok(format!("127.0.0.1:{port}"))
}

/// A proxy before Redis: its own URL, and what clients have said to it.
async fn noting_proxy(url: &str) -> anyhow::Result<(String, Arc<Mutex<Vec<u8>>>)> {
    let server = address_of(url)?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let through = format!("redis://{}", listener.local_addr()?);
    let noted = Arc::new(Mutex::new(Vec::new()));
    let shared = Arc::clone(&noted);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let Ok(server) = TcpStream::connect(&server).await else { return };
            let _ = (client.set_nodelay(true), server.set_nodelay(true));
            let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
                (client.into_split(), server.into_split());
            let shared = Arc::clone(&shared);
            tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
            tokio::spawn(async move {
                let mut buffer = vec![0; 64 * 1024];
                while let Ok(length @ 1..) = from_client.read(&mut buffer).await {
                    let Some(bytes) = buffer.get(..length) else { return };
                    shared.lock().unwrap_or_else(PoisonError::into_inner).extend(bytes);
                    if to_server.write_all(bytes).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    Ok((through, noted))
}
