//! What the console lists is found by indexes, however much there is: the plans that PostgreSQL made
//! of what was asked, read from its log. How long that takes is measured by `bin/bench admin`.

use std::path::Path;

use sea_orm::ConnectionTrait;

use crate::support::app::{Plan, SOON};
use crate::support::client::Client;
use crate::support::database::connect;
use crate::support::postgres_server::PostgresServer;
use crate::support::process::Process;

const YEARS: &str = include_str!("../../bench/load/years.sql");
const USERS: u32 = 40_000;
const EVENTS: u32 = 200_000;
/// Tables that grow with the years.
const LARGE: [&str; 7] =
    ["users", "events", "tokens", "admin_actions", "outbox", "logouts", "files"];

/// All that the server logged.
fn log(folder: &Path) -> String {
    let mut text = String::new();
    for file in std::fs::read_dir(folder).unwrap() {
        text.push_str(&String::from_utf8_lossy(&std::fs::read(file.unwrap().path()).unwrap()));
    }
    text
}

/// Where a plan reads a large table from its beginning to its end, by whatever way, or sorts more
/// than a page.
fn faults(plan: &str) -> Vec<&str> {
    let is_bad = |line: &&str| {
        let whole = LARGE.iter().any(|table| line.contains(&format!("Seq Scan on {table} ")));
        let rows = line.split("actual time=").nth(1).and_then(|rest| rest.split("rows=").nth(1));
        let rows = rows.and_then(|rest| rest.split(' ').next()?.parse::<f64>().ok());
        let removed = line.trim().strip_prefix("Rows Removed by Filter: ");
        let removed = removed.and_then(|count| count.parse::<f64>().ok());
        whole || rows.unwrap_or(0.0).max(removed.unwrap_or(0.0)) > MOST_ROWS
    };
    plan.lines().filter(is_bad).collect()
}

/// Rows that one step may read: as many events as a page of last sign-ins.
const MOST_ROWS: f64 = 21_000.0;

#[async_test]
async fn every_list_is_found_by_an_index() {
    let mut server = PostgresServer::start(100);
    let logs = tempfile::tempdir().unwrap();
    std::fs::set_permissions(logs.path(), std::os::unix::fs::PermissionsExt::from_mode(0o777))
        .unwrap();
    let settings = connect(&server.url()).await;
    if settings.execute_unprepared("LOAD 'auto_explain'").await.is_err() {
        // Some systems have it in a package of its own.
        println!("this PostgreSQL has no auto_explain: nobody looks at plans");
        return;
    }
    for setting in [
        "logging_collector = on",
        &format!("log_directory = '{}'", logs.path().display()),
        "log_file_mode = '0644'",
    ] {
        settings.execute_unprepared(&format!("ALTER SYSTEM SET {setting}")).await.unwrap();
    }
    settings.close().await.unwrap();
    server.stop();
    server.start_again();

    let plan = Plan::new().apis(0).workers(0).in_postgres(&server.url());
    let mut app = plan.start().await;
    let fill = YEARS.replace("USERS", &USERS.to_string()).replace("EVENTS", &EVENTS.to_string());
    app.database.execute(&fill).await;
    let name = app.database.column::<String>("SELECT current_database()::text").await.remove(0);
    for setting in [
        "session_preload_libraries = 'auto_explain'",
        "auto_explain.log_min_duration = 0",
        "auto_explain.log_analyze = on",
    ] {
        app.database.execute(&format!("ALTER DATABASE {name} SET {setting}")).await;
    }
    app.start_api().await;
    let listening = app.apis[0].wait_for_event("admin_listening", SOON).await;
    let client = Client::new(listening["address"].as_str().unwrap());
    let arguments = ["admin-key", "add", "--name", "owner", "--role", "owner", "--json"];
    let mut add = Process::spawn("admin-key", "api", &arguments, &app.settings, app.folder());
    assert!(add.ended(SOON).await.success(), "{}", add.stderr());
    let added: serde_json::Value = serde_json::from_str(&add.stdout()).unwrap();
    let key = format!("Bearer {}", added["key"].as_str().unwrap());

    let middle = USERS / 2;
    let cursor = |row: u32| {
        data_encoding::BASE32_NOPAD.encode(&i64::from(row).to_be_bytes()).to_ascii_lowercase()
    };
    let paths = [
        "/users?limit=100".to_owned(),
        format!("/users?limit=100&cursor={}", cursor(middle)),
        "/users?order=last_sign_in&limit=100".to_owned(),
        format!("/users?order=last_sign_in&limit=100&cursor={}", cursor(EVENTS / 2)),
        format!("/users?order=last_sign_in&limit=100&cursor={}", cursor(EVENTS / 10)),
        "/users?name=asha&limit=100".to_owned(),
        "/users?name=quincunx".to_owned(),
        "/users?name=nobody+has+it".to_owned(),
        "/users?name=asha&order=last_sign_in".to_owned(),
        format!("/users?phone_number=%2B91{}", 7_000_000_000_u64 + u64::from(middle)),
        format!("/users?order=last_sign_in&id={middle}"),
        format!("/users/{middle}"),
        format!("/users/{middle}/sessions?limit=100"),
        format!("/users/{middle}/events?limit=100"),
        format!("/users/{middle}/events?limit=100&cursor={}", cursor(EVENTS / 2)),
        format!("/numbers/user:{middle}"),
        "/numbers/%2B919876543210".to_owned(),
        "/actions?limit=100".to_owned(),
        format!("/actions?limit=100&cursor={}", cursor(middle)),
        "/actions?key_id=500".to_owned(),
        "/actions?key_id=499".to_owned(),
        "/actions?kind=events_resumed".to_owned(),
        "/actions?kind=key_removed".to_owned(),
        format!("/actions?user_id={middle}"),
        "/keys?limit=100".to_owned(),
        "/outgoing-events?limit=100".to_owned(),
    ];
    // Statements are planned anew six times, and then maybe for good.
    for _ in 0..6 {
        for path in &paths {
            client.get(&format!("/admin{path}"), Some(&key)).await.expect(200);
        }
    }
    let (mut before, mut plans) = (log(logs.path()).len(), 0);
    for path in &paths {
        client.get(&format!("/admin{path}"), Some(&key)).await.expect(200);
        let text = log(logs.path());
        let plan = &text[before..];
        before = text.len();
        plans += plan.matches("Query Text:").count();
        assert!(faults(plan).is_empty(), "{path}: {:?}\n{plan}", faults(plan));
    }
    assert!(plans > paths.len(), "{plans} plans");
}

#[test]
fn a_plan_s_faults_are_seen() {
    let plan = "Limit  (cost=0.4..1 rows=21 width=8) (actual time=0.1..0.2 rows=21 loops=1)
          ->  Seq Scan on users users  (cost=0..1 rows=9 width=8) (actual time=0.1..9 rows=3 loops=1)
                Rows Removed by Filter: 39997
          ->  Index Scan using a on events  (cost=0..1 rows=9 width=8) (actual time=0.1..9 rows=21 loops=1)
                Rows Removed by Filter: 12";
    assert_eq!(faults(plan).len(), 2);
}
