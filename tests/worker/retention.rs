//! What is past its time leaves the database.

use crate::api::sessions::{NUMBER, SignedIn, plan};
use crate::support::app::SOON;
use crate::support::eventually;

#[async_test]
async fn workers_remove_old_events_and_expired_tokens() {
    let mut app = plan(1).set("EVENT_RETENTION_DAYS", "7").start().await;
    let user = SignedIn::with(app.client(), NUMBER, "").await;
    let user = user.holding(user.renew().await.expect(200).token());
    SignedIn::with(app.client(), NUMBER, "expired").await;
    let (week, less) = if app.database.is_postgres() {
        ("now() - interval '7 days 1 minute'", "now() - interval '6 days 23 hours'")
    } else {
        let ago = |by: &str| format!("strftime('%Y-%m-%dT%H:%M:%SZ', 'now', {by})");
        (&*ago("'-7 days', '-1 minute'").leak(), &*ago("'-6 days', '-23 hours'").leak())
    };
    app.database
        .execute(&format!("UPDATE events SET created_at = {less} WHERE kind = 'renewed'"))
        .await;
    // More than a step of them.
    let rows = "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500) SELECT i FROM n) AS n";
    let old = format!(
        "INSERT INTO events (created_at, user_id, kind) SELECT {week}, users.id, 'signed_in' FROM users, {rows}"
    );
    app.database.execute(&old).await;
    let expired = if app.database.is_postgres() {
        "now() - interval '1 minute'"
    } else {
        "'2001-01-01T00:00:00Z'"
    };
    app.database
        .execute(&format!("UPDATE tokens SET expiry = {expired} WHERE device = 'expired'"))
        .await;
    app.start_worker().await;

    let removed = eventually(SOON, "an end of what is past", async || {
        let events = app.worker_events("removed_what_is_past");
        let of = |what: &str| -> u64 {
            events
                .iter()
                .filter(|event| event["what"] == what)
                .filter_map(|event| event["removed"].as_u64())
                .sum()
        };
        Some((of("tokens"), of("events")))
            .filter(|(tokens, events)| *tokens > 0 && *events >= 2_500)
    });
    assert_eq!(removed.await, (1, 2_500));
    let kinds: Vec<_> =
        user.list("/me/events").await.into_iter().map(|event| event["kind"].clone()).collect();
    assert_eq!(kinds, ["signed_in", "renewed", "signed_up"]);
    assert_eq!(app.database.column::<String>("SELECT scope FROM tokens").await.len(), 1);
}
