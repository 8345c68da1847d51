//! How fast other programs learn who holds a token, beside an authenticated GET that asks the
//! database.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use anyhow::Context;
use common::accounts::{Accounts, NewSession};
use common::domain::client::{Client, Device};
use common::domain::ids::SessionId;
use common::domain::person_name::PersonName;
use common::domain::token::{Scope, Token};
use common::runtime::clock::Clock;
use data_encoding::{BASE64, HEXLOWER};
use serde::Serialize;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::ROUNDS;
use crate::challenges;
use crate::load::{Load, Outcome};
use crate::process::Settings;
use crate::rounds::Rounds;
use crate::stage::{CONNECTIONS, LOAD_TIME, Server, Stage};

/// Sessions whose tokens are shown, in turn.
const SESSIONS: usize = 1_000;
const CLIENT: &str = "bench";
const CLIENT_SECRET: &str = "bench-secret-of-sixteen-bytes-and-more";

/// One question, asked of the API with and without live sessions in memory.
#[derive(Debug, Serialize)]
pub(crate) struct Door {
    pub(crate) name: &'static str,
    pub(crate) remembers: bool,
    pub(crate) requests_a_second: Rounds,
    pub(crate) p99_ms: Rounds,
    pub(crate) server_cpu_us_a_request: Rounds,
}

const DOORS: [&str; 3] = ["authenticated GET", "/auth/verify", "introspection"];

pub(crate) async fn measure(stage: &Stage) -> anyhow::Result<Vec<Door>> {
    let token_file = stage.folder.join("tokens.lua");
    let tokens = sign_in(stage).await?;
    challenges::write_lua(&token_file, tokens.iter().map(Token::expose))?;
    let token_file = token_file.to_string_lossy();
    let clients = stage.folder.join("clients.json");
    fs::write(&clients, clients_file().to_string())?;
    let clients = [("CLIENTS_FILE", clients.to_string_lossy().into_owned())];

    let asking = stage.api(with(&clients, "0")).await?;
    let remembering = stage.api(with(&clients, "2")).await?;
    let mut outcomes: [[Vec<Outcome>; 2]; DOORS.len()] = Default::default();
    for round in 0..ROUNDS {
        stage.say(&format!("Who holds a token, round {} of {ROUNDS}", round + 1));
        for (door, outcomes) in DOORS.iter().zip(&mut outcomes) {
            for (server, outcomes) in [&asking, &remembering].into_iter().zip(outcomes) {
                outcomes.push(put_load_on(server, door, &token_file, stage).await?);
            }
        }
    }
    let doors = DOORS.iter().zip(&outcomes).flat_map(|(name, outcomes)| {
        [false, true].into_iter().zip(outcomes).map(|(remembers, outcomes)| {
            let rounds = |field: fn(&Outcome) -> f64| Rounds::of(outcomes.iter().map(field));
            Door {
                name,
                remembers,
                requests_a_second: rounds(|outcome| outcome.requests_a_second),
                p99_ms: rounds(|outcome| outcome.p99_ms),
                server_cpu_us_a_request: rounds(|outcome| outcome.server_cpu_us_a_request),
            }
        })
    });
    Ok(doors.collect())
}

fn with(clients: &[(&'static str, String)], seconds: &str) -> Settings {
    let mut settings: Settings = clients.iter().cloned().collect();
    settings.insert("SESSION_CACHE_SECONDS", seconds.to_owned());
    settings
}

async fn put_load_on(
    server: &Server,
    door: &str,
    token_file: &str,
    stage: &Stage,
) -> anyhow::Result<Outcome> {
    let credentials = BASE64.encode(format!("{CLIENT}:{CLIENT_SECRET}").as_bytes());
    let (script, argument) = match door {
        "introspection" => ("introspect.lua", credentials.as_str()),
        "/auth/verify" => ("protected.lua", door),
        _ => ("protected.lua", "/protected"),
    };
    let load = Load {
        port: server.port,
        script,
        arguments: [argument, token_file],
        connections: CONNECTIONS,
        time: LOAD_TIME,
    };
    load.put_on(&server.process, &stage.stores).await
}

fn clients_file() -> serde_json::Value {
    let hash = HEXLOWER.encode(&Sha256::digest(CLIENT_SECRET));
    json!([{
        "id": CLIENT,
        "name": "Benchmark",
        "secret_hashes": [format!("sha256:{hash}")],
        "introspect": true,
        "phone_number": true,
    }])
}

/// A user for each session, straight into the database.
async fn sign_in(stage: &Stage) -> anyhow::Result<Vec<Token>> {
    let accounts = Accounts::connect(&stage.build.database.clone().into(), 4).await?;
    let name = PersonName::parse("Asha").ok().flatten().context("a name")?;
    let (now, mut tokens) = (Clock::default().now(), Vec::with_capacity(SESSIONS));
    for n in 0..SESSIONS {
        let token = Token::random();
        let session = NewSession {
            id: SessionId::random(),
            hash: token.hash(),
            expiry: now + Duration::from_secs(60 * 60),
            scope: Scope::Authentication,
            client: Client {
                address: IpAddr::from(Ipv4Addr::LOCALHOST).into(),
                device: Device::from_user_agent(b"bench"),
            },
        };
        accounts.sign_in(&format!("+9197{n:08}").parse()?, &name, session, 0, now).await?;
        tokens.push(token);
    }
    Ok(tokens)
}

/// The table, each line beside the authenticated GET that asks the database.
pub(crate) fn text(doors: &[Door]) -> String {
    let mut text = format!(
        "{:<18} {:<10} {:>10} {:>7} {:>9} {:>7} {:>6}\n",
        "", "sessions", "requests/s", "spread", "p99 ms", "CPU us", "ratio"
    );
    let Some(today) = doors.first() else { return text };
    for door in doors {
        let ratio = door.requests_a_second.ratio_to(&today.requests_a_second);
        text += &format!(
            "{:<18} {:<10} {:>10.0} {:>6.0}% {:>9.2} {:>7.1} {:>6}\n",
            door.name,
            if door.remembers { "in memory" } else { "asked for" },
            door.requests_a_second.median(),
            door.requests_a_second.spread() * 100.0,
            door.p99_ms.median(),
            door.server_cpu_us_a_request.median(),
            ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.2}")),
        );
    }
    text
}
