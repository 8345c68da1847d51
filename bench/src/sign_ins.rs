//! Whole sign-ins: an OTP is asked for, a worker gives it to the fake provider, and it is redeemed.
//! What they cost all four programs, and how late answers are when people come at half of what can
//! be borne.

use std::time::Duration;

use anyhow::Context;
use serde::Serialize;
use serde_json::{Value, json};

use crate::challenges;
use crate::drain::until;
use crate::open_loop::{self, Latencies};
use crate::operations::Operations;
use crate::process::Settings;
use crate::report;
use crate::rounds::Rounds;
use crate::stage::{Build, LOAD_TIME, Server, Stage};

const ROUNDS: usize = 3;
const SIGN_INS: u64 = 6_000;
/// Asked for and redeemed, each after the other.
const A_SECOND: f64 = 1_500.0;
/// Until a worker has forgotten a job that has ended, which it does every second.
const AFTERMATH: Duration = Duration::from_millis(1_500);

/// Processor time of one sign-in of a build, in µs.
#[derive(Debug, Serialize)]
pub(crate) struct Cost {
    pub(crate) build: &'static str,
    pub(crate) all_us: Rounds,
    pub(crate) api_us: Rounds,
    pub(crate) worker_us: Rounds,
    pub(crate) redis_us: Rounds,
    pub(crate) postgres_us: Rounds,
}

/// How late answers are at half of the capacity.
#[derive(Debug, Serialize)]
pub(crate) struct HalfLoad {
    pub(crate) operation: &'static str,
    pub(crate) requests_a_second: f64,
    pub(crate) p50_ms: Rounds,
    pub(crate) p99_ms: Rounds,
}

/// The builds in turn.
pub(crate) async fn costs(stage: &Stage) -> anyhow::Result<Vec<Cost>> {
    // Whether the append-only file is rewritten just then is a matter of luck.
    stage.configure_redis("auto-aof-rewrite-percentage", "0").await?;
    let mut costs: Vec<Vec<[f64; 4]>> = stage.builds().map(|_| Vec::new()).collect();
    for round in 0..ROUNDS {
        for (build, costs) in stage.builds().zip(&mut costs) {
            stage.say(&format!("sign-ins {}, round {} of {ROUNDS}", build.name, round + 1));
            costs.push(cost_of(stage, build, round as u64).await?);
        }
    }
    stage.configure_redis("auto-aof-rewrite-percentage", "100").await?;
    let cost = |(build, costs): (&Build, Vec<[f64; 4]>)| {
        let rounds = |part: fn(&[f64; 4]) -> f64| Rounds::of(costs.iter().map(part));
        Cost {
            build: build.name,
            all_us: rounds(|parts| parts.iter().sum()),
            api_us: rounds(|[api, ..]| *api),
            worker_us: rounds(|[_, worker, ..]| *worker),
            redis_us: rounds(|[_, _, redis, _]| *redis),
            postgres_us: rounds(|[.., postgres]| *postgres),
        }
    };
    Ok(stage.builds().zip(costs).map(cost).collect())
}

async fn cost_of(stage: &Stage, build: &Build, round: u64) -> anyhow::Result<[f64; 4]> {
    stage.empty_redis().await?;
    let (api, worker) =
        (stage.api_of(build, Settings::new()).await?, stage.worker_of(build, 200).await?);
    let used = async || {
        let stores = stage.stores.times().await?;
        let (api, worker) = (api.process.processor_time()?, worker.process.processor_time()?);
        anyhow::Ok([api, worker, stores.redis, stores.postgres])
    };
    let before = used().await?;
    let numbers = numbers(round * SIGN_INS, SIGN_INS);
    let codes = ask(stage, &api, &numbers).await?;
    open_loop::post(api.port, "/signup", &codes, A_SECOND).await?;
    let after = used().await?;
    worker.process.stop()?;
    let [api, worker, redis, postgres] = after;
    let [api_before, worker_before, redis_before, postgres_before] = before;
    let each =
        |time: Duration, before| time.saturating_sub(before).as_secs_f64() * 1e6 / SIGN_INS as f64;
    Ok([
        each(api, api_before),
        each(worker, worker_before),
        each(redis, redis_before),
        each(postgres, postgres_before),
    ])
}

/// Numbers that none other of these measurements uses.
pub(crate) fn numbers(first: u64, count: u64) -> Vec<String> {
    (first..first + count).map(|number| format!("+9197{number:08}")).collect()
}

/// Asks for the numbers' OTPs; returns what redeems them, once a worker has given all to the
/// provider and nothing is left to do.
pub(crate) async fn ask(
    stage: &Stage,
    api: &Server,
    numbers: &[String],
) -> anyhow::Result<Vec<Value>> {
    stage.provider.answer_after(Duration::ZERO);
    stage.provider.note_messages(true);
    let asked = |number: &String| json!({ "name": "Asha", "phone_number": number });
    let bodies: Vec<Value> = numbers.iter().map(asked).collect();
    let taken = stage.provider.taken();
    open_loop::post(api.port, "/signup", &bodies, A_SECOND).await?;
    let all = taken + numbers.len() as u64;
    until(|| stage.provider.taken() >= all, "all SMS").await?;
    tokio::time::sleep(AFTERMATH).await;
    let redeemed = |number: &String| {
        let received = stage.provider.received(number).context("no SMS")?;
        let mut digits = received.text.split(|char: char| !char.is_ascii_digit());
        let code = digits.find(|digits| digits.len() >= 6).context("no code")?;
        Ok(json!({ "phone_number": number, "otp": code }))
    };
    let bodies = numbers.iter().map(redeemed).collect();
    stage.provider.note_messages(false);
    bodies
}

/// Send and verify, no worker running.
pub(crate) async fn at_half_load(
    stage: &Stage,
    operations: &Operations,
) -> anyhow::Result<Vec<HalfLoad>> {
    let half = |operation| {
        let found = operations.operations.iter().find(|found| found.name == operation);
        found.map(|found| found.product.requests_a_second.median() / 2.0).context(operation)
    };
    let (sends_a_second, verifications_a_second) = (half(report::SEND)?, half(report::VERIFY)?);
    let api = stage.api(Settings::new()).await?;
    let (mut sends, mut verifications) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        stage.say(&format!("half of the capacity, round {} of {ROUNDS}", round + 1));
        stage.empty_redis().await?;
        let count = |a_second: f64| (a_second * LOAD_TIME.as_secs_f64()) as u64;
        let numbers = numbers(10_000_000 * (1 + round as u64), count(sends_a_second));
        let asked = |number: &String| json!({ "name": "Asha", "phone_number": number });
        let bodies: Vec<Value> = numbers.iter().map(asked).collect();
        sends.push(open_loop::post(api.port, "/signup", &bodies, sends_a_second).await?);
        let guesses = challenges::of_product(&mut stage.redis.clone()).await?;
        let redeemed = guesses
            .into_iter()
            .map(|(number, code)| json!({ "phone_number": number, "otp": code }));
        let bodies: Vec<Value> = redeemed.take(count(verifications_a_second) as usize).collect();
        verifications
            .push(open_loop::post(api.port, "/signup", &bodies, verifications_a_second).await?);
    }
    let measured = |operation, requests_a_second, rounds: &[Latencies]| HalfLoad {
        operation,
        requests_a_second,
        p50_ms: Rounds::of(rounds.iter().map(|latencies| latencies.at(0.5))),
        p99_ms: Rounds::of(rounds.iter().map(|latencies| latencies.at(0.99))),
    };
    Ok(vec![
        measured(report::SEND, sends_a_second, &sends),
        measured(report::VERIFY, verifications_a_second, &verifications),
    ])
}
