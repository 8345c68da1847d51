//! How fast other programs learn who holds a token, and how late the answers are at half of that,
//! beside an authenticated GET that asks the database; and how fast JWTs are signed.

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
use crate::open_loop;
use crate::process::Settings;
use crate::rounds::Rounds;
use crate::stage::{CONNECTIONS, LOAD_TIME, Server, Stage};

/// Sessions whose tokens are shown, in turn.
const SESSIONS: usize = 1_000;
pub(crate) const CLIENT: &str = "bench";
const CLIENT_SECRET: &str = "bench-secret-of-sixteen-bytes-and-more";

/// One question, asked of one API.
#[derive(Debug, Serialize)]
pub(crate) struct Door {
    pub(crate) name: &'static str,
    /// Whether it keeps live sessions in memory.
    pub(crate) remembers: bool,
    pub(crate) requests_a_second: Rounds,
    pub(crate) server_cpu_us_a_request: Rounds,
    /// With as many at once as there are connections.
    pub(crate) p99_ms: Rounds,
    /// With requests that come when they come, half as many a second.
    pub(crate) p99_ms_at_half: Rounds,
}

#[derive(Clone, Copy, Debug)]
enum Question {
    Protected,
    Verify,
    Introspection,
    Jwt,
}

/// What is measured: the question, how it is named, whom it is asked, which is one of [`SERVERS`],
/// and whether that one keeps live sessions in memory.
const DOORS: [(Question, &str, usize, bool); 8] = [
    (Question::Protected, "authenticated GET", 0, false),
    (Question::Protected, "authenticated GET", 1, true),
    (Question::Verify, "/auth/verify", 0, false),
    (Question::Verify, "/auth/verify", 1, true),
    (Question::Introspection, "introspection", 0, false),
    (Question::Introspection, "introspection", 1, true),
    (Question::Jwt, "JWT by RS256", 1, true),
    (Question::Jwt, "JWT by ES256", 2, true),
];

/// `SESSION_CACHE_SECONDS`, and the key that JWTs are signed by.
const SERVERS: [(&str, &str); 3] = [("0", "rsa.pem"), ("2", "rsa.pem"), ("2", "p256.pem")];

/// Of the tests.
pub(crate) const KEYS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/support/keys");

impl Question {
    fn path(self) -> &'static str {
        match self {
            Self::Protected => "/protected",
            Self::Verify => "/auth/verify",
            Self::Introspection => "/oauth/introspect",
            Self::Jwt => "/tokens/current/jwt",
        }
    }

    /// As many at once as there are connections, for as long as a load takes.
    async fn put_load_on(
        self,
        server: &Server,
        token_file: &str,
        stage: &Stage,
    ) -> anyhow::Result<Outcome> {
        let credentials = credentials();
        let (script, argument) = match self {
            Self::Protected | Self::Verify => ("protected.lua", self.path()),
            Self::Introspection => ("introspect.lua", credentials.as_str()),
            Self::Jwt => ("jwt.lua", self.path()),
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

    /// So many a second for as long as a load takes; returns the 99th percentile in ms.
    async fn p99_at(self, server: &Server, tokens: &[Token], rate: f64) -> anyhow::Result<f64> {
        let count = (rate * LOAD_TIME.as_secs_f64()) as usize;
        let requests = tokens.iter().cycle().take(count).map(|token| self.request(token));
        Ok(open_loop::send(server.port, requests.collect(), rate).await?.at(0.99))
    }

    fn request(self, token: &Token) -> String {
        let token = token.expose();
        let bearer = format!("Bearer {token}");
        let (method, authorization, kind, body) = match self {
            Self::Protected | Self::Verify => ("GET", bearer, "text/plain", String::new()),
            Self::Introspection => (
                "POST",
                format!("Basic {}", credentials()),
                "application/x-www-form-urlencoded",
                format!("token={token}"),
            ),
            Self::Jwt => ("POST", bearer, "application/json", json!({}).to_string()),
        };
        let (path, length) = (self.path(), body.len());
        format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {authorization}\r\n\
             Content-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}"
        )
    }
}

pub(crate) async fn measure(stage: &Stage) -> anyhow::Result<Vec<Door>> {
    let token_file = stage.folder.join("tokens.lua");
    let tokens = sign_in(stage).await?;
    challenges::write_lua(&token_file, tokens.iter().map(Token::expose))?;
    let token_file = token_file.to_string_lossy();
    let clients = stage.folder.join("clients.json");
    fs::write(&clients, clients_file().to_string())?;
    let clients = clients.to_string_lossy();

    let mut servers = Vec::new();
    for (seconds, key) in SERVERS {
        let settings = Settings::from([
            ("CLIENTS_FILE", clients.to_string()),
            ("SESSION_CACHE_SECONDS", seconds.to_owned()),
            ("SIGNING_KEY_FILES", format!("{KEYS}/{key}")),
        ]);
        servers.push(stage.api(settings).await?);
    }
    let mut measured: [Vec<(Outcome, f64)>; DOORS.len()] = Default::default();
    for round in 0..ROUNDS {
        stage.say(&format!("Who holds a token, round {} of {ROUNDS}", round + 1));
        for ((question, _, server, _), measured) in DOORS.into_iter().zip(&mut measured) {
            let server = servers.get(server).context("a server")?;
            let outcome = question.put_load_on(server, &token_file, stage).await?;
            let half = outcome.requests_a_second / 2.0;
            measured.push((outcome, question.p99_at(server, &tokens, half).await?));
        }
    }
    let doors = DOORS.into_iter().zip(&measured).map(|((_, name, _, remembers), measured)| {
        let rounds = |field: fn(&(Outcome, f64)) -> f64| Rounds::of(measured.iter().map(field));
        Door {
            name,
            remembers,
            requests_a_second: rounds(|(outcome, _)| outcome.requests_a_second),
            server_cpu_us_a_request: rounds(|(outcome, _)| outcome.server_cpu_us_a_request),
            p99_ms: rounds(|(outcome, _)| outcome.p99_ms),
            p99_ms_at_half: rounds(|(_, p99_ms)| *p99_ms),
        }
    });
    Ok(doors.collect())
}

pub(crate) fn credentials() -> String {
    BASE64.encode(format!("{CLIENT}:{CLIENT_SECRET}").as_bytes())
}

pub(crate) fn clients_file() -> serde_json::Value {
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
pub(crate) async fn sign_in(stage: &Stage) -> anyhow::Result<Vec<Token>> {
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
        "{:<18} {:<10} {:>10} {:>7} {:>7} {:>9} {:>12} {:>6}\n",
        "", "sessions", "requests/s", "spread", "CPU us", "p99 ms", "half load ms", "ratio"
    );
    let Some(today) = doors.first() else { return text };
    for door in doors {
        let ratio = door.requests_a_second.ratio_to(&today.requests_a_second);
        text += &format!(
            "{:<18} {:<10} {:>10.0} {:>6.0}% {:>7.1} {:>9.2} {:>12.2} {:>6}\n",
            door.name,
            if door.remembers { "in memory" } else { "asked for" },
            door.requests_a_second.median(),
            door.requests_a_second.spread() * 100.0,
            door.server_cpu_us_a_request.median(),
            door.p99_ms.median(),
            door.p99_ms_at_half.median(),
            ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.2}")),
        );
    }
    text
}
