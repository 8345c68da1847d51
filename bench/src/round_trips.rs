//! How often one request goes to Redis and to the database and back, counted on the wire.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anyhow::Context;
use serde::Serialize;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

use crate::process::Settings;
use crate::stage::Stage;
use crate::{challenges, http, report};

const REQUESTS: u64 = 100;

/// Round trips of one operation.
#[derive(Debug, Serialize)]
pub(crate) struct RoundTrips {
    pub(crate) operation: &'static str,
    pub(crate) redis: f64,
    pub(crate) sql: f64,
}

/// Counts them: one request after the other, through two proxies.
pub(crate) async fn count(stage: &Stage) -> anyhow::Result<Vec<RoundTrips>> {
    stage.say("round trips");
    stage.empty_redis().await?;
    let (redis_at, redis) = counting_proxy(&stage.redis_url).await?;
    let (database_at, sql) = counting_proxy(&stage.build.database).await?;
    let api =
        stage.api(Settings::from([("REDIS_URL", redis_at), ("DATABASE_URL", database_at)])).await?;
    let url = |path: &str| format!("http://127.0.0.1:{}{path}", api.port);
    let client = reqwest::Client::new();
    let numbers = || (0..=REQUESTS).map(|number| format!("+9196{number:08}"));
    let mut counts = Vec::new();
    let mut note = |operation, before: [u64; 2]| {
        let [redis_before, sql_before] = before;
        let each = |counter: &AtomicU64, before| {
            (counter.load(Ordering::SeqCst) - before) as f64 / REQUESTS as f64
        };
        counts.push(RoundTrips {
            operation,
            redis: each(&redis, redis_before),
            sql: each(&sql, sql_before),
        });
    };
    let now = || [redis.load(Ordering::SeqCst), sql.load(Ordering::SeqCst)];

    // The first of each kind also connects, loads scripts and prepares statements.
    let mut before = now();
    for (sent, number) in numbers().enumerate() {
        before = if sent == 1 { now() } else { before };
        http::post(&client, &url("/signup"), &json!({ "name": "Asha", "phone_number": number }))
            .await?;
    }
    note(report::SEND, before);
    let mut token = String::new();
    for (sent, (number, otp)) in
        challenges::of_product(&mut stage.redis.clone()).await?.into_iter().enumerate()
    {
        before = if sent == 1 { now() } else { before };
        let body = json!({ "phone_number": number, "otp": otp });
        token = http::token(&http::post(&client, &url("/signup"), &body).await?)?;
    }
    note(report::VERIFY, before);
    for sent in 0..=REQUESTS {
        before = if sent == 1 { now() } else { before };
        client.get(url("/protected")).bearer_auth(&token).send().await?.error_for_status()?;
    }
    note(report::PROTECTED, before);
    Ok(counts)
}

/// A proxy before the server of `url`: its own URL, and how often a client has spoken after the
/// server.
pub(crate) async fn counting_proxy(url: &str) -> anyhow::Result<(String, Arc<AtomicU64>)> {
    let parsed = reqwest::Url::parse(url)?;
    let server = format!("127.0.0.1:{}", parsed.port().context("a URL without a port")?);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let own = format!("127.0.0.1:{}", listener.local_addr()?.port());
    let trips = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&trips);
    let through = url.replace(&server, &own);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let Ok(server) = TcpStream::connect(&server).await else { return };
            let _ = (client.set_nodelay(true), server.set_nodelay(true));
            let ((from_client, to_client), (from_server, to_server)) =
                (client.into_split(), server.into_split());
            let (answered, counter) = (Arc::new(AtomicBool::new(true)), Arc::clone(&counter));
            let turn = Arc::clone(&answered);
            tokio::spawn(pass(from_client, to_server, move || {
                if turn.swap(false, Ordering::SeqCst) {
                    counter.fetch_add(1, Ordering::SeqCst);
                }
            }));
            tokio::spawn(pass(from_server, to_client, move || {
                answered.store(true, Ordering::SeqCst)
            }));
        }
    });
    Ok((through, trips))
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, seen: impl Fn()) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        seen();
        let Some(bytes) = buffer.get(..length) else { return };
        if to.write_all(bytes).await.is_err() {
            return;
        }
    }
}
