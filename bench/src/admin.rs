//! How long the admin API takes over what the console asks, in a database of a million users and ten
//! million events, and how PostgreSQL finds it. What takes longer than it may is an error.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use common::runtime::clock::Clock;
use data_encoding::BASE32_NOPAD;
use sea_orm::{ConnectionTrait, Database};
use serde_json::Value;

use crate::http::free_port;
use crate::process::Settings;
use crate::stage::{Server, Stage};

const YEARS: &str = include_str!("../load/years.sql");
const USERS: i64 = 1_000_000;
const EVENTS: i64 = 10_000_000;
const MAY_TAKE: Duration = Duration::from_millis(300);
/// How often each is asked after the first time.
const TIMES: usize = 5;

/// What was asked, and how long it took.
pub(crate) struct Asked {
    path: String,
    rows: usize,
    median: Duration,
    longest: Duration,
}

/// An admin API with an owner's key.
struct Admin {
    _server: Server,
    http: reqwest::Client,
    base: String,
    key: String,
}

/// Returns the times, and the plans of what was asked.
pub(crate) async fn measure(stage: &Stage) -> anyhow::Result<(Vec<Asked>, String)> {
    stage.say("Fill the database");
    let database = Database::connect(&stage.build.database).await?;
    let start = Instant::now();
    let fill = YEARS.replace("USERS", &USERS.to_string()).replace("EVENTS", &EVENTS.to_string());
    database.execute_unprepared(&fill).await?;
    stage.say(&format!("Filled within {:.0?}", start.elapsed()));
    fill_redis(stage).await?;
    let key = stage.run("api", &["admin-key", "add", "--name", "a", "--role", "owner", "--json"]);
    let key: Value = serde_json::from_str(&key.await?)?;
    let key = key.get("key").and_then(Value::as_str).context("no key")?.to_owned();

    let admin = Admin::start(stage, &key).await?;
    let mut all = Vec::new();
    for path in paths() {
        admin.ask(&path).await?;
        let mut times = Vec::new();
        let mut rows = 0;
        for _ in 0..TIMES {
            let start = Instant::now();
            rows = admin.ask(&path).await?;
            times.push(start.elapsed());
        }
        times.sort();
        let median = times.get(TIMES / 2).copied().unwrap_or_default();
        let longest = times.last().copied().unwrap_or_default();
        all.push(Asked { path, rows, median, longest });
    }
    drop(admin);
    Ok((all, plans(stage, &database, &key).await?))
}

/// # Errors
/// Something took longer than it may.
pub(crate) fn check(all: &[Asked]) -> anyhow::Result<()> {
    let late: Vec<_> = all.iter().filter(|asked| asked.longest > MAY_TAKE).collect();
    let late: Vec<_> = late.iter().map(|asked| asked.path.as_str()).collect();
    ensure!(late.is_empty(), "longer than {MAY_TAKE:?}: {late:?}");
    Ok(())
}

pub(crate) fn text(all: &[Asked]) -> String {
    let mut text =
        format!("{:<66} {:>5} {:>9} {:>9}\n", "GET /admin", "rows", "median ms", "most ms");
    for Asked { path, rows, median, longest } in all {
        let ms = |time: &Duration| time.as_secs_f64() * 1000.0;
        text += &format!("{path:<66} {rows:>5} {:>9.1} {:>9.1}\n", ms(median), ms(longest));
    }
    text
}

/// A day of counts, and full lists of deliveries.
async fn fill_redis(stage: &Stage) -> anyhow::Result<()> {
    const RECORD: &str = "
        local now, ids = tonumber(ARGV[1]), {}
        for minute = 0, 1500 do
            local key = '{cheershare}:counts:' .. math.floor(now / 60000) - minute
            for _, country in ipairs({ 'IN', 'US', 'DE', 'FR', 'GB', 'BR' }) do
                for _, what in ipairs({ ' asked', 'twilio sent', 'twilio delivered', 'twilio verified', ' refused:cooldown' }) do
                    redis.call('HSET', key, country .. ' ' .. what, 10)
                end
            end
        end
        for n = 1, 10000 do
            local id = string.sub(redis.sha1hex(n), 1, 26)
            local status = n % 100 == 0 and 'failed' or 'sent'
            local record = { 1, status, 'sign_in', '+919876543210', 'c', now - n, {}, false, false, false, false, false,
                'twilio', 1, false, false, status == 'failed' and 'no_answer', false, false, 'IN' }
            redis.call('SET', '{cheershare}:delivery:' .. id, cmsgpack.pack(record))
            for _, list in ipairs({ 'asked', 'sent' }) do
                redis.call('LPUSH', '{cheershare}:deliveries:' .. list, cmsgpack.pack({ now - n, id }))
            end
        end";
    let now = Clock::default().unix_ms();
    let mut redis = stage.redis.clone();
    let script = redis::Script::new(RECORD);
    Ok(script.arg(now).invoke_async(&mut redis).await?)
}

impl Admin {
    async fn start(stage: &Stage, key: &str) -> anyhow::Result<Self> {
        let address = format!("127.0.0.1:{}", free_port()?);
        let settings = Settings::from([("ADMIN_ADDR", address.clone())]);
        let server = stage.api(settings).await?;
        let http = reqwest::Client::new();
        let base = format!("http://{address}/admin");
        Ok(Self { _server: server, http, base, key: key.to_owned() })
    }

    /// How many rows the answer has.
    async fn ask(&self, path: &str) -> anyhow::Result<usize> {
        let url = format!("{}{path}", self.base);
        let answer = self.http.get(&url).bearer_auth(&self.key).send().await?;
        let status = answer.status();
        let body: Value = answer.json().await?;
        ensure!(status.is_success(), "{path}: {status} {body}");
        Ok(body.get("data").and_then(Value::as_array).map_or(1, Vec::len))
    }
}

fn cursor(row: i64) -> String {
    BASE32_NOPAD.encode(&row.to_be_bytes()).to_ascii_lowercase()
}

/// What the console asks, and deeper.
fn paths() -> Vec<String> {
    let middle = USERS / 2;
    let number = 7_000_000_000 + middle;
    let separator = |list: &str| if list.contains('?') { '&' } else { '?' };
    let from = |list: &str, row| format!("{list}{}cursor={}", separator(list), cursor(row));
    let last = "/users?order=last_sign_in";
    let events = format!("/users/{middle}/events");
    let sessions = format!("/users/{middle}/sessions");
    let mut lists = vec![
        "/users".to_owned(),
        from("/users", middle),
        from("/users", 100),
        last.to_owned(),
        from(last, EVENTS / 2),
        from(last, EVENTS / 10),
        from(last, 20_000),
        format!("/users?phone_number=%2B91{number}"),
        "/users?phone_number=%2B919876543299".to_owned(),
        format!("/users?id={middle}"),
        format!("{last}&id={middle}"),
        from(&events, EVENTS / 2),
        from(&events, EVENTS / 100),
        events,
        from(&sessions, 700),
        sessions,
        "/users/7/events".to_owned(),
        "/users/7/sessions".to_owned(),
        format!("/users/{middle}/deliveries"),
        from("/actions", middle),
        from("/actions", 100),
        format!("/actions?user_id={middle}"),
    ];
    // Many have the first, one the second and nobody the third; no index knows the other four.
    for name in ["asha", "quincunx", "nobody+has+it", "a", "zz", "%25", "李"] {
        let named = format!("/users?name={name}");
        lists.extend([from(&named, middle), named, format!("{last}&name={name}")]);
    }
    let others = [
        "/actions",
        "/actions?key_id=7",
        "/actions?key_id=500",
        "/actions?key_id=499",
        "/actions?kind=user_renamed",
        "/actions?kind=events_resumed",
        "/actions?kind=key_removed",
        "/deliveries",
        "/deliveries?status=sent",
        "/deliveries?status=sending",
        "/deliveries?status=delivered",
        "/deliveries?reason=no_answer",
        "/deliveries?reason=opted_out",
        "/dead-letters",
        "/keys",
        "/outgoing-events",
    ];
    lists.extend(others.map(str::to_owned));
    let lists = lists.into_iter().map(|list| format!("{list}{}limit=50", separator(&list)));
    let others = [
        "/overview?range=hour",
        "/overview?range=day",
        "/clients",
        "/queue",
        "/breakers",
        "/buckets/service",
        "/key",
    ];
    let others = others.map(str::to_owned).into_iter().chain([
        format!("/users/{middle}"),
        format!("/numbers/user:{middle}"),
        format!("/numbers/%2B91{number}"),
    ]);
    lists.chain(others).collect()
}

/// How PostgreSQL found it, as it says itself.
async fn plans(
    stage: &Stage,
    database: &sea_orm::DatabaseConnection,
    key: &str,
) -> anyhow::Result<String> {
    let name = stage.build.name;
    for setting in [
        "session_preload_libraries = 'auto_explain'",
        "auto_explain.log_min_duration = 0",
        "auto_explain.log_analyze = on",
    ] {
        let sql = format!("ALTER DATABASE {name} SET {setting}");
        database.execute_unprepared(&sql).await?;
    }
    let admin = Admin::start(stage, key).await?;
    let log = stage.folder.join("postgres.log");
    let mut text = String::new();
    for path in paths() {
        // Statements are planned anew five times, and then maybe for good.
        for _ in 0..6 {
            admin.ask(&path).await?;
        }
        let before = fs::read(&log)?.len();
        admin.ask(&path).await?;
        // The server writes it before it answers, or just after.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let logged = fs::read(&log)?;
        let logged = String::from_utf8_lossy(logged.get(before..).unwrap_or_default()).into_owned();
        text += &format!("\n=== GET /admin{path}\n{logged}");
    }
    Ok(text)
}
