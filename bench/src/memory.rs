//! What a number weighs in Redis: one that was asked for and has its SMS, and one that has signed
//! in. Buckets, which numbers share, are left out, and so are jobs, which are gone by then.

use serde::Serialize;

use crate::backlog::used_memory;
use crate::open_loop;
use crate::process::Settings;
use crate::sign_ins;
use crate::stage::{Build, Stage};

/// So many are there at once for the second figure: each a copy of the one, under its own name.
const NUMBERS: u64 = 1_000_000;
/// Numbers that one call copies.
const STEP: usize = 2_000;
const NUMBER: &str = "+919700000000";

/// Of one build, in bytes.
#[derive(Debug, Serialize)]
pub(crate) struct Memory {
    pub(crate) build: &'static str,
    pub(crate) numbers: u64,
    pub(crate) asked: Weight,
    pub(crate) signed_in: Weight,
}

#[derive(Debug, Serialize)]
pub(crate) struct Weight {
    pub(crate) keys: usize,
    /// By `MEMORY USAGE`.
    pub(crate) one: f64,
    /// By `used_memory`, of all divided by how many they are.
    pub(crate) each: f64,
}

pub(crate) async fn measure(stage: &Stage) -> anyhow::Result<Vec<Memory>> {
    // The million is not of use in a file.
    stage.configure_redis("appendonly", "no").await?;
    let mut found = Vec::new();
    for build in stage.builds() {
        found.push(of_build(stage, build).await?);
    }
    stage.empty_redis().await?;
    stage.configure_redis("appendonly", "yes").await?;
    Ok(found)
}

async fn of_build(stage: &Stage, build: &Build) -> anyhow::Result<Memory> {
    stage.say(&format!("memory of {NUMBERS} numbers {}", build.name));
    stage.empty_redis().await?;
    let api = stage.api_of(build, Settings::new()).await?;
    let worker = stage.worker_of(build, 200).await?;
    let numbers = [NUMBER.to_owned()];
    let codes = sign_ins::ask(stage, &api, &numbers).await?;
    let asked = keys_of_number(stage).await?;
    open_loop::post(api.port, "/signup", &codes, 1.0).await?;
    let signed_in = keys_of_number(stage).await?;
    worker.process.stop()?;
    drop(api);
    Ok(Memory {
        build: build.name,
        numbers: NUMBERS,
        asked: weigh(stage, &asked).await?,
        signed_in: weigh(stage, &signed_in).await?,
    })
}

/// A key of the one number, and how it is made again.
#[derive(Debug)]
struct Key {
    name: String,
    bytes: f64,
    life: i64,
    value: Vec<u8>,
}

impl Key {
    /// Its name for another number. What ends it is a number or a delivery's id.
    fn name_of(&self, number: u64) -> String {
        let kept = self.name.len().saturating_sub(8);
        format!("{}{number:08}", self.name.get(..kept).unwrap_or_default())
    }
}

async fn keys_of_number(stage: &Stage) -> anyhow::Result<Vec<Key>> {
    let mut redis = stage.redis.clone();
    let names: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut redis).await?;
    let mut keys = Vec::new();
    for name in names {
        if name.contains(NUMBER) || name.contains(":delivery:") {
            let bytes =
                redis::cmd("MEMORY").arg("USAGE").arg(&name).query_async(&mut redis).await?;
            let life = redis::cmd("PTTL").arg(&name).query_async(&mut redis).await?;
            let value = redis::cmd("DUMP").arg(&name).query_async(&mut redis).await?;
            keys.push(Key { name, bytes, life, value });
        }
    }
    Ok(keys)
}

async fn weigh(stage: &Stage, keys: &[Key]) -> anyhow::Result<Weight> {
    let mut redis = stage.redis.clone();
    stage.empty_redis().await?;
    let before = used_memory(&mut redis).await?;
    for first in (0..NUMBERS).step_by(STEP) {
        let mut pipe = redis::pipe();
        for number in first..first + STEP as u64 {
            for key in keys {
                pipe.cmd("RESTORE").arg(key.name_of(number)).arg(key.life).arg(&key.value).ignore();
            }
        }
        pipe.exec_async(&mut redis).await?;
    }
    let each = (used_memory(&mut redis).await? - before) / NUMBERS as f64;
    Ok(Weight { keys: keys.len(), one: keys.iter().map(|key| key.bytes).sum(), each })
}
