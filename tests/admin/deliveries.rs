//! The last SMS of all numbers, by number, status, reason and time.

use serde_json::Value;

use super::Operator;
use crate::support::app::{App, Plan, SOON};
use crate::support::fake_twilio::Reply;
use crate::support::numbers::NUMBER;

fn ids(rows: &[Value]) -> Vec<&str> {
    rows.iter().map(|sms| sms["delivery_id"].as_str().unwrap()).collect()
}

#[async_test]
async fn the_last_sms_are_listed_by_number_status_reason_and_time() {
    let mut app = App::start().await;
    let viewer = Operator::of(&mut app, "viewer").await;
    let mut sent = Vec::new();
    for last in 0..3 {
        let id = app.ask(&format!("+91987654321{last}")).await;
        app.delivery_is(&id, "sent", SOON).await;
        sent.insert(0, id);
    }
    app.twilio.script("+919876543220", [Reply::error(400, 21211)]);
    let failed = app.ask("+919876543220").await;
    app.delivery_is(&failed, "failed", SOON).await;
    let all = [vec![failed.clone()], sent.clone()].concat();

    for limit in [1, 2, 20] {
        assert_eq!(ids(&viewer.all("/admin/deliveries", limit).await), all);
        assert_eq!(ids(&viewer.all("/admin/deliveries?status=sent", limit).await), sent);
    }
    let one = viewer.all("/admin/deliveries?reason=invalid_number", 20).await;
    assert_eq!(ids(&one), [&failed]);
    assert_eq!(one[0]["phone_number"], "+91********20", "masked");
    let (first, second) = (&sent[0], &sent[1]);
    for (query, expected) in [
        ("status=failed&reason=invalid_number", vec![&failed]),
        ("status=failed&reason=expired", vec![]),
        ("status=delivered", vec![]),
        ("status=queued", vec![]),
        ("status=sending", vec![]),
        ("status=undelivered", vec![]),
        ("status=dropped", vec![]),
        ("since=2099-01-01T00:00:00Z", vec![]),
        ("until=2026-01-01T00:00:00Z", vec![]),
        ("status=failed&since=2026-01-01T00:00:00Z&until=2099-01-01T00:00:00Z", vec![&failed]),
        ("phone_number=098765+43212", vec![first]),
        ("phone_number=%2B919876543211&status=sent", vec![second]),
        ("phone_number=%2B919876543211&status=failed", vec![]),
        ("phone_number=%2B919876543219", vec![]),
    ] {
        let found = viewer.all(&format!("/admin/deliveries?{query}"), 1).await;
        assert_eq!(ids(&found), expected, "{query}");
    }
    for (query, code, status) in [
        ("status=lost", "invalid_parameter", 400),
        ("since=yesterday", "invalid_parameter", 400),
        ("cursor=x", "invalid_parameter", 400),
        ("phone_number=12", "invalid_phone_number", 400),
        ("phone_number=user:999", "user_not_found", 404),
    ] {
        viewer.get(&format!("/admin/deliveries?{query}")).await.expect_code(status, code);
    }
    assert!(!app.logs().contains("987654322"), "a whole number is in the logs");
}

#[async_test]
async fn an_sms_is_listed_by_what_it_is_now() {
    let mut app = Plan::new().workers(0).start().await;
    let owner = Operator::of(&mut app, "owner").await;
    let id = app.ask(NUMBER).await;
    let listed = async |status: &str| {
        let found = owner.all(&format!("/admin/deliveries?status={status}"), 20).await;
        ids(&found).len()
    };
    assert_eq!((listed("queued").await, listed("sent").await), (1, 0));
    app.start_worker().await;
    app.delivery_is(&id, "sent", SOON).await;
    assert_eq!((listed("queued").await, listed("sent").await), (0, 1));
    owner.post("/admin/numbers/%2B919876543210/erase", &serde_json::json!({})).await.expect(200);
    assert!(owner.all("/admin/deliveries", 20).await.is_empty());
    app.redis.stop();
    owner.get("/admin/deliveries").await.expect_error(503, "Redis is unavailable", "unavailable");
}
