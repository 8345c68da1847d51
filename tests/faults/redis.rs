//! Redis is stopped, paused, out of memory, read-only. Users are told so within three seconds, both
//! programs say that Redis is missing, and when it is over everything goes on.

use std::time::Duration;

use redis::{Connection, cmd};

use crate::fault::{Before, Fault, Seen};
use crate::support::app::{App, Plan};
use crate::support::free_port;

/// Longer than a few rounds, shorter than it takes to count a silent worker as dead.
const A_WHILE: Duration = Duration::from_secs(6);

/// What all of these look like to users, and to operators but for the reason.
const REDIS_MISSING: Fault = Fault {
    ask: Seen::OtpStoreMissing,
    verify: Seen::OtpStoreMissing,
    protected: Seen::Works,
    delivery: Seen::OtpStoreMissing,
    missing: Some("redis"),
    sends_late: false,
    api_event: "otp_store_unavailable",
    reason: "",
    worker_events: &["queue_trouble"],
};

/// What a worker says of a Redis that takes no writes.
const WRITES_REFUSED: [&str; 2] = ["queue_trouble", "worker_ended"];

async fn start() -> (App, Before) {
    let app = Plan::new().append_only().start().await;
    let before = Before::of(&app).await;
    (app, before)
}

fn configure(redis: &mut Connection, name: &str, value: &str) {
    let () = cmd("CONFIG").arg("SET").arg(name).arg(value).query(redis).unwrap();
}

#[async_test]
async fn redis_is_stopped() {
    let (mut app, before) = start().await;
    app.redis.stop();
    let fault = REDIS_MISSING;
    fault.lasts(A_WHILE, &mut app, &before).await;
    app.redis.start_again();
    fault.is_over(&mut app, &before).await;
}

#[async_test]
async fn redis_hangs_for_ten_seconds() {
    let (mut app, before) = start().await;
    app.redis.pause();
    let fault = Fault { sends_late: true, ..REDIS_MISSING };
    fault.lasts(Duration::from_secs(10), &mut app, &before).await;
    app.redis.resume();
    fault.is_over(&mut app, &before).await;
}

#[async_test]
async fn redis_is_out_of_memory() {
    let (mut app, before) = start().await;
    let mut redis = app.redis.connection();
    configure(&mut redis, "maxmemory-policy", "noeviction");
    configure(&mut redis, "maxmemory", "1");
    // What only reads still works.
    let fault = Fault {
        delivery: Seen::Works,
        reason: "OOM",
        worker_events: &WRITES_REFUSED,
        ..REDIS_MISSING
    };
    fault.lasts(A_WHILE, &mut app, &before).await;
    configure(&mut redis, "maxmemory", "0");
    fault.is_over(&mut app, &before).await;
}

#[async_test]
async fn redis_is_a_read_only_replica() {
    let (mut app, before) = start().await;
    let mut redis = app.redis.connection();
    let () = cmd("REPLICAOF").arg("127.0.0.1").arg(free_port()).query(&mut redis).unwrap();
    let fault = Fault {
        delivery: Seen::Works,
        reason: "read only replica",
        worker_events: &WRITES_REFUSED,
        ..REDIS_MISSING
    };
    fault.lasts(A_WHILE, &mut app, &before).await;
    app.redis.promote();
    fault.is_over(&mut app, &before).await;
}
