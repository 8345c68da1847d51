//! Redis or the database away while accounts are moved and deleted.

use std::time::Duration;

use serde_json::json;

use super::{DELETION, NEW, NUMBER, PHONE_NUMBER, change, code_of_deletion, codes_of_change};
use crate::support::app::{App, Plan, SOON};
use crate::support::client::Answer;
use crate::support::eventually;

/// Asks until the store that was away answers again.
async fn until_it_works(what: &str, mut attempt: impl AsyncFnMut() -> Answer) -> Answer {
    eventually(Duration::from_secs(10), what, async || {
        let answer = attempt().await;
        assert!(answer.status == 200 || answer.status == 503, "{answer:?}");
        (answer.status == 200).then_some(answer)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_fails_leaves_both_codes_as_they_were() {
    let app = App::start().await;
    let token = app.sign_in("Asha", NUMBER).await.token().to_owned();
    let codes = codes_of_change(&app, &token, NUMBER, NEW).await;
    let outage = app.database.lock().await;
    for _ in 0..2 {
        change(app.client(), &token, NEW, &codes).await.expect_code(503, "unavailable");
    }
    app.database.restore(outage).await;
    let changed = until_it_works("a change", async || change(app.client(), &token, NEW, &codes).await).await;
    assert_eq!(changed.body["data"]["phone_number"], NEW);
    let told = eventually(SOON, "the notice", async || {
        let sms = app.twilio.accepted(NUMBER);
        sms.iter().any(|sms| sms.body().contains("was changed")).then_some(())
    });
    told.await;

    let code = code_of_deletion(&app, &token, NEW).await;
    let outage = app.database.lock().await;
    for _ in 0..2 {
        let deleted = app.client().post_as(&token, DELETION, &json!({"otp": code})).await;
        deleted.expect_code(503, "unavailable");
    }
    app.database.restore(outage).await;
    let delete = async || app.client().post_as(&token, DELETION, &json!({"otp": code})).await;
    until_it_works("a deletion", delete).await;
    assert_eq!(app.database.users_with(NEW).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_nothing_is_said_to_be_sent_moved_or_deleted() {
    let mut app = Plan::new().append_only().start().await;
    let token = app.sign_in("Asha", NUMBER).await.token().to_owned();
    let codes = codes_of_change(&app, &token, NUMBER, NEW).await;
    let code = code_of_deletion(&app, &token, NUMBER).await;
    app.redis.stop();
    for (path, body) in [
        (PHONE_NUMBER, json!({"phone_number": NEW})),
        (PHONE_NUMBER, super::both(NEW, &codes.current, &codes.new)),
        (DELETION, json!({})),
        (DELETION, json!({"otp": code})),
    ] {
        app.client().post_as(&token, path, &body).await.expect_error(
            503,
            "The OTP store is unavailable",
            "unavailable",
        );
    }
    app.redis.start_again();
    until_it_works("a change", async || change(app.client(), &token, NEW, &codes).await).await;
}
