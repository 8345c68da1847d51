//! The overview: its counts are what happened, it is live, and it tells what is away.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::Operator;
use crate::support::app::{App, Plan, SOON};
use crate::support::eventually;
use crate::support::numbers::{abroad, spread};
use crate::support::raw::Connection;

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
    let viewer = Operator::of(&mut app, "viewer").await;
    let mut watchers: Vec<_> = (0..20).map(|_| watch(&viewer)).collect();
    for watcher in &mut watchers {
        watcher.read_until(SOON, "data: ");
    }
    viewer.get("/admin/overview/events").await.expect_code(503, "overloaded");
    drop(watchers.pop());
    // The server notices with the next event that nobody reads.
    eventually(SOON, "a free place", async || {
        let mut one = watch(&viewer);
        one.read_until(SOON, "\r\n\r\n").starts_with("HTTP/1.1 200").then_some(())
    })
    .await;
    app.apis[0].signal("TERM");
    assert!(app.apis[0].ended(SOON).await.success());
    assert!(watchers.iter_mut().all(|watcher| watcher.closed_within(SOON)));
}
