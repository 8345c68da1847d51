//! What a change in the database wants done, and the API did not come to do.

use common::runtime::clock::Clock;
use serde_json::json;

use crate::support::app::{App, SOON};
use crate::support::eventually;
use crate::support::numbers::{NUMBER, OTHER_NUMBER};

async fn add(app: &App, kind: &str, payload: &str) {
    app.database
        .execute(&format!(
            "INSERT INTO outbox (created_at, kind, payload) VALUES ('2026-11-28T00:00:00Z', '{kind}', '{payload}')"
        ))
        .await;
}

/// The API ended between its commit and the queue, or after the queue and before it removed the
/// row.
#[async_test]
async fn a_notice_whose_api_has_ended_is_sent_once() {
    let app = App::start().await;
    let now = Clock::default().unix_ms();
    let notice = |number: &str, last: char| {
        json!({
            "kind": "number_changed", "number": number, "happened_at": now,
            "delivery_id": format!("aaaaaaaaaaaaaaaaaaaaaaaaa{last}"),
            "job_id": format!("01M8J74KV12GAM07Z8PT8HGPD{}", last.to_uppercase()),
            "request_id": "a request",
        })
        .to_string()
    };
    add(&app, "a kind of a later version", "{}").await;
    add(&app, "notice", "what nobody can read").await;
    add(&app, "notice", &notice(NUMBER, 'a')).await;
    add(&app, "notice", &notice(NUMBER, 'a')).await;
    add(&app, "notice", &notice(OTHER_NUMBER, 'b')).await;
    let kinds = eventually(SOON, "an outbox without notices", async || {
        let kinds: Vec<String> = app.database.column("SELECT kind FROM outbox").await;
        (kinds.len() == 1).then_some(kinds)
    });
    assert_eq!(kinds.await, ["a kind of a later version"]);
    app.no_job_is_left(SOON).await;
    for number in [NUMBER, OTHER_NUMBER] {
        let sent = app.twilio.accepted(number);
        assert!(sent.len() == 1 && sent[0].body().contains("was changed"), "{sent:?}");
    }
}
