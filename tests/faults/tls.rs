//! Redis and Postgres by TLS, with an authority of the test's own; and certificates that nobody may
//! believe.

use crate::support::app::{App, Plan, SOON};
use crate::support::client::Client;
use crate::support::numbers::NUMBER;
use crate::support::postgres_server::PostgresServer;
use crate::support::process::Process;
use crate::support::redis_server::Redis;
use crate::support::tls::{Authority, Certificate, ask_postgres, postgres_shows, redis_shows};

const HOST: &str = "127.0.0.1";
const CONNECTIONS: u16 = 60;

/// Certificates that are refused, each with a word of the reason.
fn wrong_certificates(
    authority: &Authority,
    other: &Authority,
) -> [(Certificate, &'static str); 3] {
    [
        (other.certificate_for(HOST), "UnknownIssuer"),
        (authority.certificate_for("elsewhere.example"), "not valid for name"),
        (authority.expired_certificate_for(HOST), "expired"),
    ]
}

/// The program has said which setting leads to a server that it does not believe, and why.
async fn tells(program: &mut Process, store: &str, setting: &str, reason: &str) {
    let told = program.wait_for_event("store_unreachable", SOON).await;
    assert_eq!((&told["store"], &told["setting"]), (&store.into(), &setting.into()), "{told}");
    assert!(told["error"].as_str().unwrap().contains(reason), "not for {reason:?}: {told}");
}

/// Says whom it misses, and that it is nobody else.
async fn is_not_ready(client: &Client, missing: &str) {
    let answer = client.get("/readyz", None).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    for store in ["redis", "database"] {
        assert_eq!(answer.body[store]["ok"], store != missing, "{answer:?}");
    }
}

/// Where a worker tells of its health.
async fn operations_of(worker: &mut Process) -> Client {
    let listening = worker.wait_for_event("metrics_listening", SOON).await;
    Client::new(listening["address"].as_str().unwrap())
}

fn rediss(port: u16) -> String {
    format!("rediss://{HOST}:{port}")
}

/// A new API and a new worker miss Redis for that reason, say so, and send nobody anything.
async fn redis_is_refused(app: &mut App, reason: &str) {
    app.start_api().await;
    app.start_worker().await;
    let (api, worker) = (app.apis.len() - 1, app.workers.len() - 1);
    tells(&mut app.apis[api], "redis", "REDIS_URL", reason).await;
    tells(&mut app.workers[worker], "redis", "REDIS_URL", reason).await;
    let client = app.keep_alive(api);
    is_not_ready(&client, "redis").await;
    is_not_ready(&operations_of(&mut app.workers[worker]).await, "redis").await;
    client.ask("Asha", NUMBER).await.expect_error(
        503,
        "The OTP store is unavailable",
        "unavailable",
    );
}

#[async_test]
async fn redis_by_tls_and_only_with_a_certificate_to_believe() {
    let (authority, other) = (Authority::new("Ours"), Authority::new("Theirs"));
    let redis = Redis::start_append_only();
    let port = redis_shows(&redis, &authority.certificate_for(HOST));
    let plan = Plan::new()
        .set("REDIS_URL", &rediss(port))
        .set("REDIS_CA_FILE", authority.file().to_str().unwrap());
    let mut app = plan.start().await;
    let session = app.sign_in("Asha", NUMBER).await;
    app.client().protected(session.token()).await.expect(200);
    assert!(redis.lasting_keys().iter().any(|key| key.contains(":workers")), "this Redis was used");

    for (certificate, reason) in wrong_certificates(&authority, &other) {
        let port = redis_shows(&redis, &certificate);
        app.settings.insert("REDIS_URL".to_owned(), rediss(port));
        redis_is_refused(&mut app, reason).await;
    }
    // No machine's authorities know the test's.
    let port = redis_shows(&redis, &authority.certificate_for(HOST));
    app.settings.insert("REDIS_URL".to_owned(), rediss(port));
    app.settings.remove("REDIS_CA_FILE");
    redis_is_refused(&mut app, "UnknownIssuer").await;
    assert_eq!(app.twilio.accepted(NUMBER).len(), 1);

    // An authority for a connection without TLS is a mistake.
    app.settings.insert("REDIS_CA_FILE".to_owned(), authority.file().display().to_string());
    app.settings.insert("REDIS_URL".to_owned(), redis.url());
    let mut process = Process::spawn("refused", "api", &[], &app.settings, app.folder());
    assert!(!process.ended(SOON).await.success());
    assert!(
        process.stderr().contains("REDIS_CA_FILE: is for a REDIS_URL that begins with rediss://")
    );
}

/// What needs the database to start ends with one line; what does not says what it misses, and
/// leaves codes good.
async fn postgres_is_refused(app: &mut App, reason: &str, number: &str) {
    for program in ["migration", "api"] {
        let arguments: &[&str] = if program == "migration" { &["up"] } else { &[] };
        let mut process =
            Process::spawn("refused", program, arguments, &app.settings, app.folder());
        let status = process.ended(SOON).await;
        let said = process.stderr();
        assert!(!status.success() && said.lines().count() == 1, "{program}: {status}, {said}");
        assert!(said.contains("DATABASE_URL") && said.contains(reason), "{program}: {said}");
        assert!(!said.contains("a-password"), "{program}: {said}");
    }
    let code = app.code_for("Asha", number).await;
    for (name, value) in [("APP_ENV", "production"), ("TRUSTED_PROXIES", "none")] {
        app.settings.insert(name.to_owned(), value.to_owned());
    }
    app.start_api().await;
    app.start_worker().await;
    app.settings.remove("APP_ENV");
    let (api, worker) = (app.apis.len() - 1, app.workers.len() - 1);
    tells(&mut app.apis[api], "database", "DATABASE_URL", reason).await;
    tells(&mut app.workers[worker], "database", "DATABASE_URL", reason).await;
    let client = app.keep_alive(api);
    is_not_ready(&client, "database").await;
    is_not_ready(&operations_of(&mut app.workers[worker]).await, "database").await;
    client.verify(number, &code).await.expect_error(
        503,
        "The user store is unavailable",
        "unavailable",
    );
    let logged = app.apis[api].wait_for_event("user_store_unavailable", SOON).await;
    assert!(logged["error"].as_str().unwrap().contains(reason), "{logged}");
    // The first API is connected since before.
    app.client().verify(number, &code).await.expect(200);
}

#[async_test]
async fn postgres_by_tls_and_only_with_a_certificate_to_believe() {
    let (authority, other) = (Authority::new("Ours"), Authority::new("Theirs"));
    let server = PostgresServer::start(CONNECTIONS);
    postgres_shows(&server.url(), &authority.certificate_for(HOST)).await;
    let url = server.url().replace("postgres@", "postgres:a-password@");
    let url = format!("{url}?sslmode=verify-full&sslrootcert={}", authority.file().display());
    let plan = Plan::new().set("DATABASE_URL", &url).set("DATABASE_CONNECTIONS", "2");
    let mut app = plan.start().await;
    let session = app.sign_in("Asha", NUMBER).await;
    app.client().protected(session.token()).await.expect(200);
    let encrypted: i64 =
        ask_postgres(&server.url(), "SELECT count(*) FROM pg_stat_ssl WHERE ssl").await;
    let users: i64 = ask_postgres(&server.url(), "SELECT count(*) FROM users").await;
    assert!(encrypted > 0 && users == 1, "{encrypted} encrypted connections, {users} users");

    for (index, (certificate, reason)) in
        wrong_certificates(&authority, &other).into_iter().enumerate()
    {
        postgres_shows(&server.url(), &certificate).await;
        postgres_is_refused(&mut app, reason, &format!("+9198765432{}", 20 + index)).await;
    }
}
