//! A large table is migrated while programs of before read and write it.

use std::time::{Duration, Instant};

use common::accounts::Accounts;
use migration::{Migrator, MigratorTrait};
use sea_orm::ConnectionTrait;
use tokio_util::sync::CancellationToken;

use crate::support::database::{Database, connect};
use crate::support::postgres_server::PostgresServer;
use crate::support::process::Process;
use crate::support::settings::Settings;

const ROWS: i64 = 1_000_000;
const WAITS_AT_MOST: Duration = Duration::from_secs(2);

/// Signs in and checks a token as a program of before does, until `stop`; returns the longest that
/// one of both took, and how often it was done.
async fn use_it(url: String, stop: CancellationToken) -> (Duration, u32) {
    let database = connect(&url).await;
    let (mut longest, mut times) = (Duration::ZERO, 0_u32);
    while !stop.is_cancelled() {
        let sign_in = format!(
            "INSERT INTO tokens VALUES (decode(md5('new {times}'), 'hex'), 1, '2099-01-01', 'authentication')"
        );
        let check = format!(
            "SELECT 1 FROM tokens JOIN users ON users.id = user_id WHERE hash = decode(md5('{times}'), 'hex')"
        );
        for statement in [sign_in, check] {
            let start = Instant::now();
            database.execute_unprepared(&statement).await.unwrap();
            longest = longest.max(start.elapsed());
        }
        times += 1;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    (longest, times)
}

#[async_test]
async fn a_million_tokens_become_sessions_and_nobody_waits() {
    let server = PostgresServer::start(20);
    let database = Database::create_in(&server.url()).await;
    let accounts = Accounts::connect(&database.url().into(), 1).await.unwrap();
    Migrator::up(accounts.database(), Some(1)).await.unwrap();
    database
        .execute(&format!(
            "INSERT INTO users (name, phone_number) VALUES ('Asha', '+919876543210');
            INSERT INTO tokens SELECT decode(md5(n::text), 'hex'), 1, '2099-01-01', 'authentication'
            FROM generate_series(1, {ROWS}) n"
        ))
        .await;

    let stop = CancellationToken::new();
    let users = tokio::spawn(use_it(database.url(), stop.clone()));
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings::from([("DATABASE_URL".to_owned(), database.url())]);
    let start = Instant::now();
    let mut migration = Process::spawn("migration", "migration", &["up"], &settings, folder.path());
    let status = migration.ended(Duration::from_secs(180)).await;
    assert!(status.success(), "{}", migration.stderr());
    let took = start.elapsed();
    stop.cancel();
    let (longest, times) = users.await.unwrap();
    println!(
        "{ROWS} tokens migrated in {took:.1?}; of {times} sign-ins and checks meanwhile the longest took {longest:.2?}"
    );
    assert!(times > 0 && longest < WAITS_AT_MOST, "{longest:?}");
    let whole = "SELECT count(DISTINCT (id, serial)) FROM tokens WHERE id ~ '^[a-z2-7]{26}$'";
    assert_eq!(database.column::<i64>(whole).await, [ROWS + i64::from(times)]);
    let valid = "SELECT count(*) FROM pg_index WHERE NOT indisvalid";
    assert_eq!(database.column::<i64>(valid).await, [0]);
}
