//! How fast users who are signed in get into an app by OpenID Connect, and how often that asks the
//! database.

use std::fs;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, ensure};
use common::accounts::{Accounts, NewGrant, Redemption};
use common::crypto::cookie_keys::{CookieAudience, CookieKeys};
use common::domain::openid::{AccessToken, AuthorizationCode};
use common::domain::token::{Scope, Token};
use common::runtime::clock::Clock;
use reqwest::redirect;
use serde_json::json;

use crate::ROUNDS;
use crate::challenges;
use crate::doors::{self, CLIENT, credentials};
use crate::load::{Load, Outcome};
use crate::process::Settings;
use crate::round_trips::counting_proxy;
use crate::rounds::Rounds;
use crate::stage::{CONNECTIONS, LOAD_TIME, OTP_SECRET, Server, Stage};

const REDIRECT_URI: &str = "https://app.example.com/callback";
/// Of RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// One after the other, to count what each asks of the database.
const COUNTED: u64 = 100;

/// What is measured.
pub(crate) struct OpenIdLoad {
    name: &'static str,
    /// Sign-ins to an app are two of them.
    requests_a_second: Rounds,
    server_cpu_us_a_request: Rounds,
    p99_ms: Rounds,
    /// Round trips to the database of one request.
    sql: f64,
}

pub(crate) async fn measure(stage: &Stage) -> anyhow::Result<Vec<OpenIdLoad>> {
    let tokens = doors::sign_in(stage).await?;
    let access_tokens = access_tokens(stage, &tokens).await?;
    let keys = CookieKeys::derive(OTP_SECRET)?;
    let cookies: Vec<String> =
        tokens.iter().map(|token| keys.seal(token, CookieAudience::OwnHost)).collect();
    let file = |name: &str| stage.folder.join(name);
    challenges::write_lua(&file("cookies.lua"), cookies.iter().map(String::as_str))?;
    let shown = access_tokens.iter().map(AccessToken::expose);
    challenges::write_lua(&file("access_tokens.lua"), shown)?;
    let (cookie_file, token_file) = (file("cookies.lua"), file("access_tokens.lua"));

    let authorize = authorize_path();
    let form = format!(
        "grant_type=authorization_code&code_verifier={VERIFIER}&redirect_uri={}",
        encoded(REDIRECT_URI)
    );
    let both = format!("{authorize} {} {form}", credentials());
    let loads = [
        ("authorize", "authorize.lua", authorize.as_str(), &cookie_file),
        ("authorize, token", "app_sign_in.lua", both.as_str(), &cookie_file),
        ("userinfo", "protected.lua", "/oauth/userinfo", &token_file),
    ];
    let server = api(stage, Settings::default()).await?;
    let mut outcomes: [Vec<Outcome>; 3] = Default::default();
    for round in 0..ROUNDS {
        stage.say(&format!("Into an app, round {} of {ROUNDS}", round + 1));
        for ((_, script, argument, file), outcomes) in loads.iter().zip(&mut outcomes) {
            let file = file.to_string_lossy();
            let load = Load {
                port: server.port,
                script,
                arguments: [argument, &file],
                connections: CONNECTIONS,
                time: LOAD_TIME,
            };
            outcomes.push(load.put_on(&server.process, &stage.stores).await?);
        }
    }
    let sql = round_trips(stage, &cookies, &access_tokens).await?;
    let loads = loads.iter().zip(&outcomes).zip(sql);
    Ok(loads
        .map(|(((name, ..), outcomes), sql)| {
            let rounds = |field: fn(&Outcome) -> f64| Rounds::of(outcomes.iter().map(field));
            OpenIdLoad {
                name,
                requests_a_second: rounds(|outcome| outcome.requests_a_second),
                server_cpu_us_a_request: rounds(|outcome| outcome.server_cpu_us_a_request),
                p99_ms: rounds(|outcome| outcome.p99_ms),
                sql,
            }
        })
        .collect())
}

async fn api(stage: &Stage, more: Settings) -> anyhow::Result<Server> {
    let clients = stage.folder.join("openid_clients.json");
    let mut list = doors::clients_file();
    let client = list.get_mut(0).and_then(|client| client.as_object_mut()).context("a client")?;
    client.insert("redirect_uris".to_owned(), json!([REDIRECT_URI]));
    fs::write(&clients, list.to_string())?;
    let mut settings = Settings::from([
        ("CLIENTS_FILE", clients.to_string_lossy().into_owned()),
        ("SIGNING_KEY_FILES", format!("{}/rsa.pem", doors::KEYS)),
        ("PUBLIC_URL", "https://signin.example.com".to_owned()),
        ("SIGN_IN_PAGE", "on".to_owned()),
    ]);
    settings.extend(more);
    stage.api(settings).await
}

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn authorize_path() -> String {
    format!(
        "/oauth/authorize?response_type=code&client_id={CLIENT}&redirect_uri={}&scope=openid+phone\
         &state=a-state&nonce=a-nonce&code_challenge={CHALLENGE}&code_challenge_method=S256",
        encoded(REDIRECT_URI)
    )
}

/// One for each session.
async fn access_tokens(stage: &Stage, tokens: &[Token]) -> anyhow::Result<Vec<AccessToken>> {
    let accounts = Accounts::connect(&stage.build.database.clone().into(), 4).await?;
    let now = Clock::default().now();
    let mut access_tokens = Vec::with_capacity(tokens.len());
    for token in tokens {
        let found = accounts.session_of(token.hash(), Scope::Authentication, now).await?;
        let (user, session) = found.context("a session")?;
        let (code, access_token) = (AuthorizationCode::random(), AccessToken::random());
        let new = NewGrant {
            session_id: &session.id,
            user_id: user.id,
            client_id: CLIENT,
            redirect_uri: REDIRECT_URI,
            scope: "openid phone",
            nonce: None,
            code_challenge: None,
            auth_time: session.created_at,
        };
        ensure!(accounts.grant(&code, new, now).await?, "no grant");
        let redemption = Redemption {
            code: &code,
            client_id: CLIENT,
            redirect_uri: REDIRECT_URI,
            code_challenge: None,
        };
        accounts.redeem(&redemption, &access_token, now).await?.context("no tokens")?;
        access_tokens.push(access_token);
    }
    Ok(access_tokens)
}

/// Of authorize, token and userinfo, for sessions that are in memory.
async fn round_trips(
    stage: &Stage,
    cookies: &[String],
    access_tokens: &[AccessToken],
) -> anyhow::Result<[f64; 3]> {
    let (database, counter) = counting_proxy(&stage.build.database).await?;
    let settings = Settings::from([("DATABASE_URL", database)]);
    let server = api(stage, settings).await?;
    let url = |path: &str| format!("http://127.0.0.1:{}{path}", server.port);
    let http = reqwest::Client::builder().redirect(redirect::Policy::none()).build()?;
    let cookie = format!("__Host-cheershare={}", cookies.first().context("a cookie")?);
    let token = access_tokens.first().context("an access token")?;
    let mut counts: [Vec<u64>; 3] = Default::default();
    for sent in 0..=COUNTED {
        let trips = || counter.load(Ordering::SeqCst);
        // Within what a session stays in memory for; what is read anew is not counted.
        let verify = http.get(url("/auth/verify")).header("cookie", &cookie);
        verify.send().await?.error_for_status()?;
        let begin = trips();
        let answer = http.get(url(&authorize_path())).header("cookie", &cookie).send().await?;
        let location = answer.headers().get("location").context("no location")?.to_str()?;
        let code = location.split(['?', '&']).find_map(|part| part.strip_prefix("code="));
        let authorized = trips();
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code.context("no code")?),
            ("redirect_uri", REDIRECT_URI),
            ("code_verifier", VERIFIER),
        ];
        let authorization = format!("Basic {}", credentials());
        let redeem = http.post(url("/oauth/token")).header("authorization", authorization);
        redeem.form(&form).send().await?.error_for_status()?;
        let redeemed = trips();
        let ask = http.get(url("/oauth/userinfo")).bearer_auth(token.expose());
        ask.send().await?.error_for_status()?;
        // The first of each also connects.
        if sent > 0 {
            let each = [authorized - begin, redeemed - authorized, trips() - redeemed];
            counts.iter_mut().zip(each).for_each(|(all, count)| all.push(count));
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // The median: each connection of the pool prepares its statements once, which is a trip more.
    let [authorize, token, user_info] = counts.map(|mut all| {
        all.sort_unstable();
        all.get(all.len() / 2).copied().unwrap_or_default() as f64
    });
    Ok([authorize, (authorize + token) / 2.0, user_info])
}

pub(crate) fn text(loads: &[OpenIdLoad]) -> String {
    let mut text = format!(
        "{:<18} {:>10} {:>7} {:>7} {:>8} {:>14}\n",
        "", "requests/s", "spread", "CPU us", "p99 ms", "SQL a request"
    );
    for load in loads {
        text += &format!(
            "{:<18} {:>10.0} {:>6.0}% {:>7.1} {:>8.2} {:>14.2}\n",
            load.name,
            load.requests_a_second.median(),
            load.requests_a_second.spread() * 100.0,
            load.server_cpu_us_a_request.median(),
            load.p99_ms.median(),
            load.sql,
        );
    }
    text
}
