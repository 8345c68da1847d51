//! `worker breaker` and `worker queue`

use serde_json::json;

use super::{NUMBER, json, text};
use crate::support::app::{Plan, SOON};
use crate::support::eventually;
use crate::support::fake_twilio::Reply;

#[async_test]
async fn a_reset_breaker_lets_calls_through() {
    let app = Plan::new().start().await;
    let closed = json(&app, "worker breaker show").await;
    assert_eq!(closed.as_array().unwrap().len(), 3, "{closed}");
    assert_eq!(
        closed[0],
        json!({"provider": "twilio", "state": "closed", "failures": 0, "misconfigured": false, "open_until": null})
    );

    // It asks to be left alone for longer than this test lasts.
    app.twilio.otherwise(Reply::Error(429, 20429, Some(600)));
    for n in 0..5 {
        app.ask(&format!("+91987654320{n}")).await;
    }
    eventually(SOON, "an open breaker", async || {
        (!app.worker_events("breaker_opened").is_empty()).then_some(())
    })
    .await;
    let open = json(&app, "worker breaker show").await;
    assert_eq!((&open[0]["state"], &open[0]["failures"]), (&"open".into(), &5.into()), "{open}");
    assert!(open[0]["open_until"].as_str().unwrap().ends_with('Z'), "{open}");
    assert!(text(&app, "worker breaker show").await.starts_with("twilio   open until 20"));

    app.twilio.otherwise(Reply::Accept);
    let reset = json(&app, "worker breaker reset twilio").await;
    assert_eq!(reset["before"]["state"], "open");
    app.sign_in("Asha", NUMBER).await;
    assert_eq!(json(&app, "worker breaker show").await, closed);
    let told = text(&app, "worker breaker reset twilio").await;
    assert_eq!(told, "The breaker of twilio is closed. Before: closed, failures: 0.\n");
}

#[async_test]
async fn the_queue_is_told_in_numbers() {
    let mut app = Plan::new().workers(0).start().await;
    app.twilio.script(NUMBER, [Reply::error(400, 21211)]);
    for n in 0..3 {
        app.ask(&format!("+91987654321{n}")).await;
    }
    let waits = json(&app, "worker queue").await;
    assert!(waits["oldest_waiting_seconds"].as_f64().unwrap() > 0.0, "{waits}");
    for (name, count) in [("workers", 0), ("waiting", 3), ("retrying", 0), ("in_flight", 0)] {
        assert_eq!(waits[name], count, "{name}: {waits}");
    }
    assert_eq!(waits["dead_letters"], json!({"kept": 0, "reasons": {}}));
    assert!(text(&app, "worker queue").await.contains("waiting       3 (the oldest for "));

    app.start_worker().await;
    app.no_job_is_left(SOON).await;
    let done = json(&app, "worker queue").await;
    assert_eq!((&done["workers"], &done["waiting"]), (&1.into(), &0.into()), "{done}");
    assert_eq!(done["dead_letters"], json!({"kept": 1, "reasons": {"invalid_number": 1}}));
    let told = text(&app, "worker queue").await;
    assert!(told.contains("dead letters  1\n  invalid_number         1\n"), "{told}");
}
