//! The overview: its counts are what happened, it is live, and it tells what is away.

use std::time::Instant;

use common::admin::counts::Count;
use common::admin::overview::{MINUTE, Older, Range, Summary};
use common::ledger::connection::{Redis, RedisConnection};
use common::runtime::clock::Clock;
use futures_util::future::join_all;
use redis::Commands;
use serde_json::{Value, json};

use super::Operator;
use crate::support::app::{App, Plan, SOON};
use crate::support::durations::SECOND;
use crate::support::eventually;
use crate::support::numbers::{abroad, spread};
use crate::support::raw::Connection;
use crate::support::redis_server::Redis as Server;

async fn overview(viewer: &Operator, range: &str) -> Value {
    viewer.get(&format!("/admin/overview?range={range}")).await.expect(200).body["data"].take()
}

fn sum(overview: &Value, what: &str) -> i64 {
    let points = overview["points"].as_array().unwrap();
    points.iter().map(|point| point["counts"][what].as_i64().unwrap()).sum()
}

#[async_test]
async fn its_counts_are_what_happened_at_once_a_hundredfold() {
    const INDIAN: usize = 80;
    const FRENCH: usize = 20;
    let mut app = Plan::new()
        .apis(2)
        .workers(2)
        .set("SEND_COOLDOWN_SECONDS", "30")
        .set("ALLOWED_COUNTRIES", "IN,FR")
        .start()
        .await;
    let viewer = Operator::of(&mut app, "viewer").await;
    let empty = overview(&viewer, "hour").await;
    assert_eq!(
        (&empty["all"]["asked"], empty["points"].as_array().unwrap().len()),
        (&json!(0), 60)
    );
    let app = app;
    let numbers: Vec<_> = (0..INDIAN).map(spread).chain((0..FRENCH).map(abroad)).collect();
    let signs_in = |at: usize| !at.is_multiple_of(4);
    let life = async |app: &App, at: usize| {
        let (number, client) = (&numbers[at], app.client_of(at % 2));
        client.ask("Asha", number).await.expect(200);
        client.ask("Asha", number).await.expect_code(429, "resend_cooldown");
        let sms = app.twilio.wait_for_sms(number, 1, SOON * 3).await;
        if signs_in(at) {
            client.verify(number, &sms[0].code()).await.expect(200);
        }
    };
    join_all((0..numbers.len()).map(|at| life(&app, at))).await;
    let verified = (0..numbers.len()).filter(|at| signs_in(*at)).count();
    let all = i64::try_from(numbers.len()).unwrap();
    eventually(SOON, "all counts", async || {
        (overview(&viewer, "hour").await["all"]["sent"] == all).then_some(())
    })
    .await;
    for (range, points) in [("hour", 60), ("day", 24)] {
        let found = overview(&viewer, range).await;
        assert_eq!(found["points"].as_array().unwrap().len(), points);
        let told = [("asked", all), ("sent", all), ("refused", all), ("failed_calls", 0)];
        for (what, times) in told.into_iter().chain([("verified", verified as i64)]) {
            assert_eq!((&found["all"][what], sum(&found, what)), (&json!(times), times), "{what}");
        }
        assert_eq!(found["all"]["conversion"], json!(verified as f64 / all as f64));
        let countries = found["countries"].as_array().unwrap();
        let of = |at: usize| (&countries[at]["country"], &countries[at]["counts"]["asked"]);
        assert_eq!(
            (of(0), of(1)),
            ((&json!("IN"), &json!(INDIAN)), (&json!("FR"), &json!(FRENCH)))
        );
        assert_eq!(found["providers"][0]["provider"], "twilio");
        assert_eq!(found["providers"][0]["counts"]["sent"], all);
        assert_eq!(found["refusals"], json!([{"limit": "cooldown", "times": all}]));
        assert_eq!(found["queue"]["workers"], 2);
        assert_eq!(found["stores"], json!({"redis": true, "database": true}));
    }
    viewer.get("/admin/overview?range=week").await.expect_code(400, "invalid_parameter");
}

#[async_test]
async fn what_is_unusual_is_told() {
    let mut app = Plan::new().workers(0).set("SENDS_PER_HOUR", "5").start().await;
    let viewer = Operator::of(&mut app, "viewer").await;
    let kinds = async || {
        let found = overview(&viewer, "hour").await["unusual"].take();
        let kinds = found.as_array().unwrap().iter();
        kinds.map(|one| one["kind"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(kinds().await, ["no_worker"]);
    for n in 0..5 {
        app.client().ask("Asha", &spread(n)).await.expect(200);
    }
    assert_eq!(kinds().await, ["no_worker", "bucket_fills"]);
    app.redis.stop();
    let found = overview(&viewer, "hour").await;
    assert_eq!(found["stores"], json!({"redis": false, "database": true}));
    assert_eq!(found["unusual"], json!([{"kind": "store_away", "subject": "redis"}]));
    assert!(found.get("all").is_none(), "nobody knows that nothing happened: {found}");
}

#[async_test]
async fn a_redis_that_hangs_keeps_nobody_waiting_behind_others() {
    const READERS: u32 = 20;
    let mut app = Plan::new().workers(0).start().await;
    let viewer = Operator::of(&mut app, "viewer").await;
    app.client().ask("Asha", &spread(0)).await.expect(200);
    assert_eq!(overview(&viewer, "day").await["all"]["asked"], 1);
    app.redis.pause();
    let began = Instant::now();
    let found = join_all((0..READERS).map(|_| overview(&viewer, "hour"))).await;
    // Each waits for a second for Redis; one after the other they would take that often.
    assert!(began.elapsed() < SECOND * READERS / 2, "{:?}", began.elapsed());
    for found in found {
        assert_eq!(found["stores"]["redis"], false);
        assert!(found.get("all").is_none() && found.get("queue").is_none(), "{found}");
    }
    app.redis.resume();
    eventually(SOON, "the counts", async || {
        (overview(&viewer, "hour").await["all"]["asked"] == 1).then_some(())
    })
    .await;
}

#[async_test]
async fn counts_that_could_not_be_read_are_told_from_none() {
    let mut app = Plan::new().workers(0).start().await;
    let viewer = Operator::of(&mut app, "viewer").await;
    // Redis answers, but this it cannot tell.
    let minute = Clock::default().unix_ms() / MINUTE - 5;
    let _: () = app.redis.connection().set(counts_of(minute), "no hash").unwrap();
    let found = overview(&viewer, "hour").await;
    assert_eq!(found["stores"], json!({"redis": true, "database": true}));
    assert_eq!(found["unusual"], json!([{"kind": "counts_unread"}, {"kind": "no_worker"}]));
    assert!(found.get("all").is_none() && found["queue"]["waiting"] == 0, "{found}");
}

fn counts_of(minute: i64) -> String {
    format!("{{cheershare}}:counts:{minute}")
}

/// However often and however far apart the overview is read, it shows what a first look shows.
#[async_test]
async fn what_is_over_is_read_once() {
    const BEGIN: i64 = 30_000_000;
    let server = Server::start();
    let mut connection = server.connection();
    for minute in 0..30 * 60 {
        let fields = [("IN  asked", minute % 7 + 1), ("IN twilio sent", minute % 5 + 1)];
        let _: () = connection.hset_multiple(counts_of(BEGIN + minute), &fields).unwrap();
    }
    let mut redis = Redis::new(&server.url()).unwrap().connection(SOON);
    let mut reads = || -> i64 {
        let info: String = redis::cmd("INFO").arg("commandstats").query(&mut connection).unwrap();
        let of_hashes = info.split("cmdstat_hgetall:calls=").nth(1);
        let since = of_hashes.map_or(0, |line| line.split(',').next().unwrap().parse().unwrap());
        let _: () = redis::cmd("CONFIG").arg("RESETSTAT").query(&mut connection).unwrap();
        since
    };
    let mut older = Older::default();
    let mut minute = BEGIN + 27 * 60;
    for step in [0, 1, 1, 58, 2, 7, 63] {
        minute += step;
        let now = minute * MINUTE + 30_000;
        reads();
        let counts = overview_of(&mut redis, &mut older, now).await;
        let read = reads();
        if step == 0 {
            assert!(read > 23 * 60, "{read}");
        } else {
            assert_eq!(read, 60 + step, "the last hour, and what went by since");
        }
        let first_look = overview_of(&mut redis, &mut Older::default(), now).await;
        for range in [Range::Hour, Range::Day] {
            let shown = Summary::of(counts.iter(), range, now);
            assert_eq!(shown, Summary::of(first_look.iter(), range, now), "{step}");
            assert!(shown.all.asked > 0);
        }
    }

    // One that fails on its way goes on there.
    let hole = counts_of(minute - 10 * 60);
    let _: () = redis::cmd("DEL").arg(&hole).query(&mut server.connection()).unwrap();
    let _: () = server.connection().set(&hole, "no hash").unwrap();
    let (mut older, now) = (Older::default(), minute * MINUTE);
    common::admin::overview::read(&mut redis, &mut older, now).await.unwrap_err();
    let _: () = redis::cmd("DEL").arg(&hole).query(&mut server.connection()).unwrap();
    reads();
    overview_of(&mut redis, &mut older, now).await;
    let read = reads();
    assert!(read < 12 * 60, "{read}");
}

async fn overview_of(redis: &mut RedisConnection, older: &mut Older, now: i64) -> Vec<Count> {
    common::admin::overview::read(redis, older, now).await.unwrap()
}

fn watch(viewer: &Operator) -> Connection {
    let mut connection = Connection::open(viewer.client.address());
    let head = format!(
        "GET /admin/overview/events?range=day HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\r\n",
        viewer.key
    );
    connection.write(head.as_bytes());
    connection
}

#[async_test]
async fn it_is_live_until_the_key_ends() {
    let mut app = Plan::new().workers(0).start().await;
    let viewer = Operator::of(&mut app, "viewer").await;
    let mut live = watch(&viewer);
    let first = live.read_until(SOON, "\"asked\":0");
    assert!(first.contains("text/event-stream") && first.contains("retry: 2000"), "{first}");
    app.client().ask("Asha", &spread(0)).await.expect(200);
    live.read_until(SOON, "\"asked\":1");
    crate::operators::text(&app, "api admin-key remove --name viewer").await;
    live.read_until(SOON, "\r\n0\r\n\r\n");
    viewer.get("/admin/overview/events").await.expect_code(401, "invalid_authorization_header");
}

#[async_test]
async fn watchers_are_bounded_and_end_with_the_process() {
    let mut app = Plan::new().workers(0).start().await;
    let owner = Operator::of(&mut app, "owner").await;
    let mut viewers = Vec::new();
    for n in 0..7 {
        let new = json!({"name": format!("Viewer {n}"), "role": "viewer"});
        let added = owner.post("/admin/keys", &new).await.expect(200).body;
        viewers.push(owner.with(added["key"].as_str().unwrap()));
    }
    // Three of each key, and of the last one two.
    let mut watchers: Vec<_> = (0..20).map(|n| watch(&viewers[n / 3])).collect();
    for watcher in &mut watchers {
        watcher.read_until(SOON, "data: ");
    }
    let fourth = viewers[0].get("/admin/overview/events").await;
    assert_eq!(fourth.retry_after(), 1);
    fourth.expect_code(429, "too_many_streams");
    viewers[6].get("/admin/overview/events").await.expect_code(503, "overloaded");
    drop(watchers.remove(0));
    // The server notices with the next event that nobody reads.
    eventually(SOON, "a free place", async || {
        let mut one = watch(&viewers[0]);
        one.read_until(SOON, "\r\n\r\n").starts_with("HTTP/1.1 200").then_some(())
    })
    .await;
    app.apis[0].signal("TERM");
    assert!(app.apis[0].ended(SOON).await.success());
    assert!(watchers.iter_mut().all(|watcher| watcher.closed_within(SOON)));
}
