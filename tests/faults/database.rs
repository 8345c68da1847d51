//! The database is stopped, restarted, out of connections, locked, or its disk is full. Whoever has
//! a right code keeps it.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use sea_orm::{ConnectionTrait, DatabaseConnection};

use crate::fault::{ASHA, Before, Fault, Seen};
use crate::support::app::{App, Plan};
use crate::support::database::connect;
use crate::support::eventually;
use crate::support::postgres_server::PostgresServer;

const A_WHILE: Duration = Duration::from_secs(6);
/// Few, so that they can be used up.
const CONNECTIONS: u16 = 20;

/// What users see of all of these: SMS are sent, but nobody signs in.
const DATABASE_MISSING: Fault = Fault {
    ask: Seen::Works,
    verify: Seen::UserStoreMissing,
    protected: Seen::UserStoreMissing,
    delivery: Seen::Works,
    missing: Some("database"),
    sends_late: false,
    api_event: "user_store_unavailable",
    reason: "database: ",
    worker_events: &[],
};

async fn start_in(server: &PostgresServer) -> (App, Before) {
    let app = Plan::new().in_postgres(&server.url()).set("DATABASE_CONNECTIONS", "5").start().await;
    let before = Before::of(&app).await;
    (app, before)
}

#[async_test]
async fn postgres_is_stopped() {
    let mut server = PostgresServer::start(CONNECTIONS);
    let (mut app, before) = start_in(&server).await;
    server.stop();
    DATABASE_MISSING.lasts(A_WHILE, &mut app, &before).await;
    server.start_again();
    DATABASE_MISSING.is_over(&mut app, &before).await;
}

#[async_test]
async fn postgres_is_restarted_and_no_request_fails_after_it() {
    let mut server = PostgresServer::start(CONNECTIONS);
    let (app, _) = start_in(&server).await;
    let token = app.sign_in("Ravi", ASHA).await.token().to_owned();
    let many = || join_all((0..20).map(|_| app.client().protected(&token)));
    for answer in many().await {
        answer.expect(200);
    }
    let stopped = Instant::now();
    server.stop();
    server.start_again();
    // Connections that were used within the last second are trusted, and only these.
    tokio::time::sleep(Duration::from_millis(1_100).saturating_sub(stopped.elapsed())).await;
    for answer in many().await {
        answer.expect(200);
    }
}

/// Takes every connection that the server has left.
async fn take_the_rest(server: &PostgresServer, taken: &mut Vec<DatabaseConnection>) {
    loop {
        let mut options = sea_orm::ConnectOptions::new(server.url());
        options.max_connections(1).sqlx_logging(false).idle_timeout(None).max_lifetime(None);
        options
            .connect_timeout(Duration::from_millis(500))
            .acquire_timeout(Duration::from_millis(500));
        match sea_orm::Database::connect(options).await {
            Ok(connection) => taken.push(connection),
            Err(_) => return,
        }
    }
}

#[async_test]
async fn postgres_is_out_of_connections() {
    let server = PostgresServer::start(CONNECTIONS);
    let (mut app, before) = start_in(&server).await;
    let mut taken = Vec::new();
    take_the_rest(&server, &mut taken).await;
    assert!(!taken.is_empty() && taken.len() < usize::from(CONNECTIONS), "the programs have some");
    let others =
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname <> 'postgres'";
    // A connection that is ended leaves its place a moment later, and a program may be the first
    // to take it again.
    eventually(Duration::from_secs(10), "programs that have no connection", async || {
        taken[0].execute_unprepared(others).await.unwrap();
        take_the_rest(&server, &mut taken).await;
        (taken.len() == usize::from(CONNECTIONS)).then_some(())
    })
    .await;

    DATABASE_MISSING.lasts(A_WHILE, &mut app, &before).await;
    for connection in taken {
        connection.close().await.unwrap();
    }
    DATABASE_MISSING.is_over(&mut app, &before).await;
}

#[async_test]
async fn a_lock_is_held_on_users() {
    let server = PostgresServer::start(CONNECTIONS);
    let (mut app, before) = start_in(&server).await;
    let holder = connect(&app.database.url()).await;
    holder.execute_unprepared("BEGIN").await.unwrap();
    holder.execute_unprepared("LOCK TABLE users IN ACCESS EXCLUSIVE MODE").await.unwrap();
    // The database itself answers, so both programs are ready.
    let fault = Fault { missing: None, reason: "statement timeout", ..DATABASE_MISSING };
    fault.lasts(A_WHILE, &mut app, &before).await;

    // More than there are connections; and those are free again before the lock is.
    let start = Instant::now();
    for answer in join_all((0..15).map(|_| before.protected(&app))).await {
        answer.expect_code(503, "unavailable");
    }
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    eventually(Duration::from_secs(3), "a process that is ready", async || {
        (app.client().get("/readyz", None).await.body["degraded"] == false).then_some(())
    })
    .await;

    holder.execute_unprepared("ROLLBACK").await.unwrap();
    holder.close().await.unwrap();
    assert_eq!(
        app.database.users_with(ASHA).await,
        0,
        "what was answered with 503 is not written later"
    );
    fault.is_over(&mut app, &before).await;
}

/// With a limit on what files may grow to, a write fails as it does on a full disk, but for the
/// number of the error: no root and no file system of its own are needed, and the file that has no
/// room left is the one that SQLite writes to (its log).
#[async_test]
async fn the_disk_of_sqlite_is_full() {
    const BLOCKS: u32 = 2_048;
    let mut app = Plan::new().apis(0).start().await;
    app.file_limit = Some(BLOCKS);
    app.start_api().await;
    let before = Before::of(&app).await;
    let (mut asked, mut sign_ins, mut failures) = (0, 0, 0);
    // Not all need the same room: one that fails does not yet mean that the next one does.
    while failures < 5 {
        let number = format!("+9192{asked:08}");
        asked += 1;
        let code = app.code_for("Asha", &number).await;
        let answer = app.client().verify(&number, &code).await;
        if answer.status == 200 {
            (sign_ins, failures) = (sign_ins + 1, 0);
            assert!(sign_ins < 1_000, "the disk is never full");
        } else {
            answer.expect_error(503, "The user store is unavailable", "unavailable");
            failures += 1;
        }
    }
    println!("full after {sign_ins} sign-ins");
    // What only reads works, readiness too.
    let fault = Fault {
        protected: Seen::Works,
        missing: None,
        reason: "disk I/O error",
        ..DATABASE_MISSING
    };
    fault.lasts(A_WHILE, &mut app, &before).await;
    assert_eq!(app.database.users_with(ASHA).await, 0);
    // Everybody who was told so has signed in: Ravi and those that filled the disk.
    assert_eq!(app.database.column::<i32>("SELECT count(*) FROM users").await, [1 + sign_ins]);

    eventually(Duration::from_secs(5), "room on the disk", async || {
        let busy: Vec<i32> = app.database.column("PRAGMA wal_checkpoint(TRUNCATE)").await;
        (busy == [0]).then_some(())
    })
    .await;
    fault.is_over(&mut app, &before).await;
}
