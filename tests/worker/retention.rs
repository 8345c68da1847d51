//! What is past its time leaves the database.

use std::time::Duration;

use common::accounts::Accounts;
use common::runtime::clock::{Clock, millis};

use crate::api::sessions::{NUMBER, SignedIn, plan};
use crate::support::app::SOON;
use crate::support::durations::DAY;
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

/// Nobody tells an OpenID client of them, because no worker can.
#[async_test]
async fn workers_remove_ends_of_which_nobody_tells_after_a_day() {
    let app = plan(1).start().await;
    let user = SignedIn::with(app.client(), NUMBER, "").await;
    let live = user.session_id().await;
    let sql = format!(
        "INSERT INTO logouts (session_id, sid, user_id, client_id, uri) VALUES
        ('{live}', 'live', 1, 'shop', 'https://a.example'),
        (NULL, 'ended', 1, 'shop', 'https://a.example')"
    );
    app.database.execute(&sql).await;
    let accounts = Accounts::connect(&app.database.url().into(), 1).await.unwrap();
    let prune = async |now: i64| {
        accounts.prune_untold_logouts(now - millis(DAY), now, 1_000).await.unwrap()
    };
    let begin = Clock::default().unix_ms();
    for (after, removed) in [
        (Duration::ZERO, 0),
        (DAY - Duration::from_millis(1), 0),
        (DAY, 1),
        (DAY, 0),
        (30 * DAY, 0),
    ] {
        assert_eq!(prune(begin + millis(after)).await, removed, "{after:?}");
    }
    assert_eq!(app.database.column::<String>("SELECT sid FROM logouts").await, ["live"]);
    // It is told by whoever comes in time.
    user.delete("/tokens/current").await.expect(204);
    assert_eq!(prune(begin + millis(30 * DAY)).await, 0);
    let due = accounts.take_due_logouts("shop", begin + millis(30 * DAY), 0, 10).await.unwrap();
    assert_eq!(due.len(), 1);
}
