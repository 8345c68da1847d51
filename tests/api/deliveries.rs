//! `GET /deliveries/{delivery_id}`: what it tells, of what, and for how long.

use std::time::Duration;

use redis::Commands;
use serde_json::json;

use crate::support::app::{App, Plan, SOON};
use crate::support::fake_twilio::Reply;
use crate::support::numbers::{NUMBER, OTHER_NUMBER};

const HOUR: i64 = 3_600_000;

#[async_test]
async fn an_id_that_nobody_was_given_is_not_found() {
    let app = Plan::new().workers(0).start().await;
    let id = app.ask(NUMBER).await;
    assert_eq!(id.len(), 26);
    let other = format!("{}{}", &id[1..], &id[..1]);
    assert_ne!(other, id);
    let too_long = format!("{id}a");
    let malformed =
        ["x", &id[1..], &too_long, &id.to_uppercase(), "00000000000000000000000000", "%2e", "*"];
    for id in malformed.into_iter().chain([other.as_str()]) {
        println!("{id}");
        app.client().get(&format!("/deliveries/{id}"), None).await.expect_code(404, "not_found");
    }
    assert_eq!(app.delivery(&id).await, json!({"delivery_id": id, "status": "queued"}));
}

/// How long Redis keeps a delivery, in ms.
fn kept_for(app: &App, id: &str) -> i64 {
    app.redis.connection().pttl(format!("{{cheershare}}:delivery:{id}")).unwrap()
}

#[async_test]
async fn a_delivery_is_told_at_every_station_and_for_a_day() {
    let app = App::start().await;
    let [slow, wrong] = [NUMBER, OTHER_NUMBER];
    app.twilio.script(slow, [Reply::accept_after(Duration::from_secs(1))]);
    let id = app.ask(slow).await;
    let kept = kept_for(&app, &id);
    assert!((24 * HOUR..25 * HOUR).contains(&kept), "{kept}");
    app.twilio.wait_for_tries(slow, 1, SOON).await;
    assert_eq!(app.delivery(&id).await, json!({"delivery_id": id, "status": "sending"}));
    app.delivery_is(&id, "sent", SOON).await;

    app.twilio.script(wrong, [Reply::error(400, 21211)]);
    let id = app.ask(wrong).await;
    app.delivery_is(&id, "failed", SOON).await;
    let kept = kept_for(&app, &id);
    assert!((23 * HOUR..=24 * HOUR).contains(&kept), "{kept}");

    app.twilio.script(wrong, [Reply::error(503, 20503), Reply::Error(429, 20429, Some(60))]);
    let id = app.ask(wrong).await;
    app.twilio.wait_for_tries(wrong, 3, SOON).await;
    let told = app.delivery_is(&id, "queued", SOON).await;
    assert_eq!(
        told,
        json!({"delivery_id": id, "status": "queued"}),
        "why it waits is not told before its end"
    );
}

#[async_test]
async fn of_several_sms_with_one_code_the_newest_is_sent() {
    let mut app = Plan::new().workers(0).start().await;
    let (first, second, third) =
        (app.ask(NUMBER).await, app.ask(NUMBER).await, app.ask(NUMBER).await);
    assert!(first != second && second != third, "a resend is a delivery of its own");
    app.start_worker().await;
    app.delivery_is(&third, "sent", SOON).await;
    for replaced in [first, second] {
        let told = app.delivery_is(&replaced, "dropped", SOON).await;
        assert_eq!(told["reason"], "replaced");
        assert_eq!(told["asking_again_helps"], false);
    }
    app.no_job_is_left(SOON).await;
    assert_eq!(app.twilio.tries(NUMBER).len(), 1);
}

#[async_test]
async fn an_sms_is_dropped_once_its_code_was_used() {
    let app = App::start().await;
    app.twilio.script(NUMBER, vec![Reply::error(503, 20503); 20]);
    let id = app.ask(NUMBER).await;
    // The SMS arrived, and the provider said that it had failed.
    let code = app.twilio.wait_for_tries(NUMBER, 1, SOON).await[0].code();
    app.client().verify(NUMBER, &code).await.expect(200);
    let told = app.delivery_is(&id, "dropped", SOON).await;
    let expected = json!({"delivery_id": id, "status": "dropped", "reason": "verified", "asking_again_helps": false});
    assert_eq!(told, expected);
}
