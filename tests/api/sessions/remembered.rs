//! Live sessions are kept in memory, and what ends or changes one is heard of everywhere.

use std::time::Duration;

use http::Method;
use serde_json::json;

use super::{NUMBER, SignedIn, plan};
use crate::operators;
use crate::support::app::{App, SOON};
use crate::support::eventually;

/// The longest that a session is kept, whatever is heard.
const LONGEST: Duration = Duration::from_secs(2);

/// Ends all sessions without telling anybody.
const END_SILENTLY: &str = "DELETE FROM tokens";

async fn hears_of_changes(app: &mut App) {
    for api in &mut app.apis {
        api.wait_for_event("session_changes_heard", SOON).await;
    }
}

/// A user, as seen by each of two APIs, both of which remember the session.
async fn remembered(app: &App, device: &str) -> [SignedIn; 2] {
    let clients: Vec<_> = app.clients_in_turn().take(2).collect();
    let here = SignedIn::with(&clients[0], NUMBER, device).await;
    let there = here.at(&clients[1]);
    for one in [&here, &there] {
        one.get("/me").await.expect(200);
    }
    [here, there]
}

#[async_test]
async fn whatever_ends_or_changes_a_session_is_heard_of_by_the_other_process() {
    let mut app = plan(2).set("SESSIONS_PER_USER", "2").start().await;
    hears_of_changes(&mut app).await;

    let [here, there] = remembered(&app, "renewed").await;
    here.call(Method::POST, "/tokens/current/renewal", None).await.expect(200);
    there.is_soon_out().await;

    let [here, there] = remembered(&app, "ended by its id").await;
    let id = here.session_id().await;
    here.delete(&format!("/tokens/{id}")).await.expect(204);
    there.is_soon_out().await;

    let [here, there] = remembered(&app, "ended everywhere").await;
    here.delete("/tokens").await.expect(204);
    there.is_soon_out().await;

    let [_, there] = remembered(&app, "pushed out").await;
    for device in ["second", "third"] {
        SignedIn::with(app.client(), NUMBER, device).await;
    }
    there.is_soon_out().await;

    let [_, there] = remembered(&app, "ended by an operator").await;
    operators::text(&app, &format!("api sessions end {NUMBER}")).await;
    there.is_soon_out().await;

    let [here, there] = remembered(&app, "renamed").await;
    let version = here.get("/me").await.expect(200).body["data"]["version"].clone();
    let name = json!({"name": "Ravi", "version": version});
    here.call(Method::PATCH, "/me", Some(&name)).await.expect(200);
    eventually(SOON, "the new name", async || {
        (there.get("/me").await.expect(200).body["data"]["name"] == "Ravi").then_some(())
    })
    .await;
}

#[async_test]
async fn what_nobody_tells_of_is_forgotten_after_two_seconds() {
    let mut app = plan(1).start().await;
    hears_of_changes(&mut app).await;
    let one = SignedIn::with(app.client(), NUMBER, "tests").await;
    one.is_in().await;
    app.database.execute(END_SILENTLY).await;
    one.is_in().await;
    eventually(LONGEST + Duration::from_millis(500), "an end", async || {
        (one.get("/protected").await.status == 401).then_some(())
    })
    .await;
}

#[async_test]
async fn nothing_is_remembered_where_that_is_off_or_changes_cannot_be_heard() {
    let app = plan(1).set("SESSION_CACHE_SECONDS", "0").start().await;
    let one = SignedIn::with(app.client(), NUMBER, "tests").await;
    one.is_in().await;
    app.database.execute(END_SILENTLY).await;
    one.is_out().await;
    assert_eq!(app.apis[0].events("session_changes_heard").len(), 0);

    let mut app = plan(1).start().await;
    hears_of_changes(&mut app).await;
    let one = SignedIn::with(app.client(), NUMBER, "tests").await;
    one.is_in().await;
    app.redis.kill();
    app.apis[0].wait_for_event("session_changes_not_heard", SOON).await;
    one.is_in().await;
    app.database.execute(END_SILENTLY).await;
    one.get("/protected").await.expect(401);
}

#[async_test]
async fn the_use_of_a_remembered_session_is_noted_all_the_same() {
    let mut app = plan(1).start().await;
    hears_of_changes(&mut app).await;
    let one = SignedIn::with(app.client(), NUMBER, "tests").await;
    app.database.execute("UPDATE tokens SET last_used_at = '2026-01-02T03:04:05Z'").await;
    for _ in 0..5 {
        one.is_in().await;
    }
    let used = one.list("/tokens").await[0]["last_used_at"].clone();
    assert_ne!(used, "2026-01-02T03:04:05Z");
}
