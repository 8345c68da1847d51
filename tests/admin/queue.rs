//! The queue, dead letters, breakers, buckets and registered clients.

use serde_json::{Value, json};

use super::Operator;
use crate::support::app::{Plan, SOON};
use crate::support::eventually;
use crate::support::fake_twilio::Reply;
use crate::support::numbers::NUMBER;

#[async_test]
async fn the_queue_and_its_dead_letters_are_seen_page_by_page() {
    let mut app = Plan::new().workers(0).start().await;
    let viewer = Operator::of(&mut app, "viewer").await;
    let numbers: Vec<_> = (0..3).map(|n| format!("+91987654321{n}")).collect();
    for number in &numbers {
        app.twilio.script(number, [Reply::error(400, 21211)]);
        app.ask(number).await;
    }
    let waits = viewer.get("/admin/queue").await.expect(200).body;
    assert_eq!((&waits["waiting"], &waits["workers"]), (&3.into(), &0.into()), "{waits}");
    app.start_worker().await;
    app.no_job_is_left(SOON).await;
    let done = viewer.get("/admin/queue").await.expect(200).body;
    assert_eq!(done["dead_letters_by_reason"], json!([{"reason": "invalid_number", "count": 3}]));
    let ids = |rows: &[Value]| {
        rows.iter().map(|row| row["delivery_id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let expected = ids(&app.dead_letters().await);
    for limit in [1, 2, 100] {
        assert_eq!(ids(&viewer.all("/admin/dead-letters", limit).await), expected);
    }
    let first = viewer.all("/admin/dead-letters", 20).await.remove(0);
    assert_eq!((&first["provider_code"], &first["status"]), (&21211.into(), &"failed".into()));
    assert!(first["phone_number"].as_str().unwrap().contains("****"), "{first}");
    for (query, count) in [
        ("status=failed&reason=invalid_number&provider=twilio", 3),
        ("status=dropped", 0),
        ("reason=expired", 0),
        ("provider=webhook", 0),
        ("since=2026-01-01T00:00:00Z&until=2099-01-01T00:00:00Z", 3),
        ("since=2099-01-01T00:00:00Z", 0),
        ("until=2026-01-01T00:00:00Z", 0),
    ] {
        let found = viewer.all(&format!("/admin/dead-letters?{query}"), 2).await;
        assert_eq!(found.len(), count, "{query}");
    }
    let wrong = viewer.get("/admin/dead-letters?since=yesterday").await;
    wrong.expect_code(400, "invalid_parameter");
}

#[async_test]
async fn a_reset_breaker_lets_calls_through() {
    let mut app = Plan::new().start().await;
    let operator = Operator::of(&mut app, "operator").await;
    let closed = operator.get("/admin/breakers").await.expect(200).body;
    assert_eq!(closed["breakers"].as_array().unwrap().len(), 3, "{closed}");
    app.twilio.otherwise(Reply::Error(429, 20429, Some(600)));
    for n in 0..5 {
        app.ask(&format!("+91987654320{n}")).await;
    }
    let open = eventually(SOON, "an open breaker", async || {
        let seen = operator.get("/admin/breakers").await.expect(200).body["breakers"][0].clone();
        (seen["state"] == "open").then_some(seen)
    })
    .await;
    assert!(open["retry_at"].is_string() && open["provider"] == "twilio", "{open}");
    app.twilio.otherwise(Reply::Accept);
    let before = operator.post("/admin/breakers/twilio/reset", &json!({})).await.expect(200).body;
    assert_eq!(before["state"], "open");
    app.sign_in("Asha", NUMBER).await;
    let action = operator.all("/admin/actions", 20).await.remove(0);
    assert_eq!((&action["kind"], &action["subject"]), (&"breaker_reset".into(), &"twilio".into()));
    let unknown = operator.post("/admin/breakers/pigeon/reset", &json!({})).await;
    unknown.expect_code(400, "invalid_parameter");
}

#[async_test]
async fn an_emptied_bucket_takes_sends_again() {
    let mut app = Plan::new().workers(0).set("SENDS_PER_COUNTRY_HOUR", "2").start().await;
    let operator = Operator::of(&mut app, "operator").await;
    for _ in 0..2 {
        app.client().ask("Asha", NUMBER).await.expect(200);
    }
    app.client().ask("Asha", NUMBER).await.expect_code(429, "country_limit");
    let path = "/admin/buckets/country";
    let full = operator.get(&format!("{path}?of=in")).await.expect(200).body;
    assert_eq!((&full["bucket"], &full["capacity"]), (&"country IN".into(), &2.into()));
    assert!(full["level"].as_f64().unwrap() > 1.9, "{full}");
    let emptied = operator.post(&format!("{path}/empty?of=IN"), &json!({})).await.expect(200).body;
    assert!(emptied["level"].as_f64().unwrap() > 1.9, "{emptied}");
    app.client().ask("Asha", NUMBER).await.expect(200);
    let action = operator.all("/admin/actions", 20).await.remove(0);
    assert_eq!(
        (&action["kind"], &action["subject"]),
        (&"bucket_emptied".into(), &"country IN".into())
    );
    for (bucket, name) in [
        ("address?of=203.0.113.7", "address 203.0.113.7"),
        ("network?of=203.0.113.7", "network 203.0.113.0/24"),
        ("range?of=%2B919876543210", "range of +91********10"),
        ("country?of=none", "country none"),
        ("service", "service"),
    ] {
        let seen = operator.get(&format!("/admin/buckets/{bucket}")).await.expect(200).body;
        assert_eq!(seen["bucket"], name);
    }
    for (bucket, code) in [
        ("address?of=nowhere", "invalid_bucket"),
        ("country", "invalid_bucket"),
        ("country?of=XX", "invalid_bucket"),
        ("service?of=IN", "invalid_bucket"),
        ("range?of=x", "invalid_phone_number"),
        ("planet", "invalid_parameter"),
    ] {
        operator.get(&format!("/admin/buckets/{bucket}")).await.expect_code(400, code);
    }
}

#[async_test]
async fn a_redis_that_is_away_is_named() {
    let mut app = Plan::new().workers(0).start().await;
    let owner = Operator::of(&mut app, "owner").await;
    owner.get("/admin/queue").await.expect(200);
    app.redis.stop();
    for path in [
        "/admin/queue",
        "/admin/breakers",
        "/admin/dead-letters",
        "/admin/buckets/service",
        "/admin/numbers/+919876543210",
    ] {
        let refused = owner.get(path).await;
        refused.expect_error(503, "Redis is unavailable", "unavailable");
    }
    for path in [
        "/admin/breakers/twilio/reset",
        "/admin/buckets/service/empty",
        "/admin/numbers/+919876543210/unlock",
        "/admin/numbers/+919876543210/block",
        "/admin/numbers/+919876543210/unblock",
        "/admin/numbers/+919876543210/erase",
    ] {
        let refused = owner.post(path, &json!({})).await;
        refused.expect_error(503, "Redis is unavailable", "unavailable");
    }
    owner.get("/admin/users").await.expect(200);
}

#[async_test]
async fn registered_clients_are_seen_without_their_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("clients.json");
    let hash = format!("sha256:{}", "ab".repeat(32));
    let entry =
        json!([{"id": "billing", "name": "Billing", "secret_hashes": [hash], "introspect": true}]);
    std::fs::write(&file, entry.to_string()).unwrap();
    let mut app = Plan::new().workers(0).set("CLIENTS_FILE", file.to_str().unwrap()).start().await;
    let viewer = Operator::of(&mut app, "viewer").await;
    let clients = viewer.get("/admin/clients").await.expect(200).body;
    assert_eq!(
        clients,
        json!({"clients": [{
            "id": "billing", "name": "Billing", "secrets": 1, "introspect": true, "phone_number": false,
            "redirect_uris": []
        }]})
    );
}
