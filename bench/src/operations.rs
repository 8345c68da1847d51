//! Send, verify and authenticated GET, floor and product in turn.

use anyhow::ensure;
use serde::Serialize;
use serde_json::json;

use crate::challenges::{self, Guess};
use crate::http;
use crate::load::{Load, Outcome};
use crate::process::Settings;
use crate::rounds::Rounds;
use crate::stage::{CONNECTIONS, LOAD_TIME, Server, Stage};
use crate::{ROUNDS, report};

/// Sessions whose tokens are shown, in turn.
const SESSIONS: usize = 32;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Program {
    Floor,
    Product,
}

impl Program {
    fn send_path(self) -> &'static str {
        match self {
            Self::Floor => "/send",
            Self::Product => "/signup",
        }
    }

    fn verify_path(self) -> &'static str {
        match self {
            Self::Floor => "/verify",
            Self::Product => "/signup",
        }
    }
}

/// One operation, measured on both.
#[derive(Debug, Serialize)]
pub(crate) struct Operation {
    pub(crate) name: &'static str,
    pub(crate) floor: Measured,
    pub(crate) product: Measured,
}

impl Operation {
    /// How much of the floor's throughput the product has, where the rounds agree.
    pub(crate) fn ratio(&self) -> Option<f64> {
        self.product.requests_a_second.ratio_to(&self.floor.requests_a_second)
    }
}

/// What the rounds of one program came to.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Measured {
    pub(crate) requests_a_second: Rounds,
    pub(crate) p50_ms: Rounds,
    pub(crate) p99_ms: Rounds,
    pub(crate) server_cpu_us_a_request: Rounds,
    pub(crate) redis_cpu_us_a_request: Rounds,
    pub(crate) postgres_cpu_us_a_request: Rounds,
}

impl Measured {
    fn of(outcomes: &[Outcome]) -> Self {
        let rounds = |field: fn(&Outcome) -> f64| Rounds::of(outcomes.iter().map(field));
        Self {
            requests_a_second: rounds(|outcome| outcome.requests_a_second),
            p50_ms: rounds(|outcome| outcome.p50_ms),
            p99_ms: rounds(|outcome| outcome.p99_ms),
            server_cpu_us_a_request: rounds(|outcome| outcome.server_cpu_us_a_request),
            redis_cpu_us_a_request: rounds(|outcome| outcome.redis_cpu_us_a_request),
            postgres_cpu_us_a_request: rounds(|outcome| outcome.postgres_cpu_us_a_request),
        }
    }
}

/// All three operations, and the memory of the API that answered them.
#[derive(Debug, Serialize)]
pub(crate) struct Operations {
    pub(crate) operations: Vec<Operation>,
    pub(crate) requests: u64,
    pub(crate) api_memory_at_rest: u64,
    pub(crate) api_memory_after: u64,
    pub(crate) api_memory_at_peak: u64,
}

pub(crate) async fn measure(stage: &Stage) -> anyhow::Result<Operations> {
    let (floor, product) = (stage.floor().await?, stage.api(Settings::new()).await?);
    let api_memory_at_rest = product.process.memory()?;
    let mut outcomes: [[Vec<Outcome>; 3]; 2] = Default::default();
    let [of_floor, of_product] = &mut outcomes;
    for round in 0..ROUNDS {
        stage.say(&format!("send, verify and authenticated GET, round {} of {ROUNDS}", round + 1));
        one_round(stage, Program::Floor, &floor, round, of_floor).await?;
        one_round(stage, Program::Product, &product, round, of_product).await?;
    }
    let names = [report::SEND, report::VERIFY, report::PROTECTED];
    let measured = names.into_iter().zip(of_floor.iter().zip(of_product.iter()));
    Ok(Operations {
        operations: measured
            .map(|(name, (floor, product))| Operation {
                name,
                floor: Measured::of(floor),
                product: Measured::of(product),
            })
            .collect(),
        requests: outcomes.iter().skip(1).flatten().flatten().map(|outcome| outcome.requests).sum(),
        api_memory_at_rest,
        api_memory_after: product.process.memory()?,
        api_memory_at_peak: product.process.peak_memory()?,
    })
}

async fn one_round(
    stage: &Stage,
    program: Program,
    server: &Server,
    round: usize,
    [sends, verifications, shows]: &mut [Vec<Outcome>; 3],
) -> anyhow::Result<()> {
    stage.empty_redis().await?;
    let load = |script, arguments| Load {
        port: server.port,
        script,
        arguments,
        connections: CONNECTIONS,
        time: LOAD_TIME,
    };
    let first_number = (round * 10_000_000).to_string();
    sends.push(
        load("send.lua", [program.send_path(), &first_number])
            .put_on(&server.process, &stage.stores)
            .await?,
    );

    let mut redis = stage.redis.clone();
    let mut guesses = match program {
        Program::Floor => challenges::of_floor(&mut redis).await?,
        Program::Product => challenges::of_product(&mut redis).await?,
    };
    ensure!(guesses.len() > SESSIONS, "{} codes are too few", guesses.len());
    let tokens = sign_in(program, server.port, guesses.split_off(guesses.len() - SESSIONS)).await?;

    let (guess_file, token_file) =
        (stage.folder.join("guesses.lua"), stage.folder.join("tokens.lua"));
    let texts = guesses.iter().flat_map(|(number, code)| [number.as_str(), code.as_str()]);
    challenges::write_lua(&guess_file, texts)?;
    challenges::write_lua(&token_file, tokens.iter().map(String::as_str))?;
    let (guess_file, token_file) = (guess_file.to_string_lossy(), token_file.to_string_lossy());
    verifications.push(
        load("verify.lua", [program.verify_path(), &guess_file])
            .put_on(&server.process, &stage.stores)
            .await?,
    );
    shows.push(
        load("protected.lua", ["/protected", &token_file])
            .put_on(&server.process, &stage.stores)
            .await?,
    );
    Ok(())
}

async fn sign_in(program: Program, port: u16, guesses: Vec<Guess>) -> anyhow::Result<Vec<String>> {
    let client = reqwest::Client::new();
    let url = format!("http://127.0.0.1:{port}{}", program.verify_path());
    let mut tokens = Vec::new();
    for (number, code) in guesses {
        let answer =
            http::post(&client, &url, &json!({ "phone_number": number, "otp": code })).await?;
        tokens.push(http::token(&answer)?);
    }
    Ok(tokens)
}
