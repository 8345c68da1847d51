//! Redis or the database away while people ask, sign in, move their accounts and delete them.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;

use super::own_account::{
    DELETION, NEW, NUMBER, PHONE_NUMBER, both, change, code_of_deletion, codes_of_change,
};
use crate::support::app::{App, Plan, SOON};
use crate::support::client::Answer;
use crate::support::eventually;
use crate::support::in_process::Setup;
use crate::support::numbers::OTHER_NUMBER;

const OTP_STORE: &str = "The OTP store is unavailable";
const USER_STORE: &str = "The user store is unavailable";

/// Readiness names what is away and nothing else, within its second, without a log line. What needs
/// no more than the other store is served.
async fn is_degraded_without(app: &App, missing: &str) {
    let logged = app.apis[0].log().len();
    let start = Instant::now();
    let answer = app.client().get("/readyz", None).await.expect(200);
    let took = start.elapsed();
    assert!(took < Duration::from_secs(3), "{took:?}");
    assert_eq!((&answer.body["ready"], &answer.body["degraded"]), (&true.into(), &true.into()));
    for store in ["redis", "database"] {
        assert_eq!(answer.body[store]["ok"], store != missing, "{answer:?}");
        assert!(
            answer.body[store]["time_ms"].as_f64().is_some_and(|time| time <= 1000.0),
            "{answer:?}"
        );
    }
    assert_eq!(app.apis[0].log().len(), logged, "a probe leaves nothing in the log");
}

/// Both halves of `POST /signup`, and who looks for an SMS, are told that Redis is away, and soon.
async fn redis_is_missed(app: &App, code: &str) {
    let start = Instant::now();
    app.client().ask("Asha", NUMBER).await.expect_error(503, OTP_STORE, "unavailable");
    app.client().verify(NUMBER, code).await.expect_error(503, OTP_STORE, "unavailable");
    let delivery = app.client().get("/deliveries/q3zt6nq5y6o4cbz6t2h4v5xk7e", None).await;
    delivery.expect_error(503, OTP_STORE, "unavailable");
    let took = start.elapsed();
    assert!(took < Duration::from_secs(6), "three answers took {took:?}");
}

/// What each lost guess leaves running has a bound that no number of addresses multiplies.
#[tokio::test]
async fn guesses_at_a_redis_that_hangs_leave_few_tasks_behind() {
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let app = Setup::limits_off().start().await;
    let code = app.at("203.0.113.7").code_for(NUMBER).await;
    app.redis.pause();
    let own = app.at("203.0.113.7");
    own.verify(NUMBER, &code).await.expect_code(503, "unavailable");
    let before = tasks();
    // A server lets no more in at once than MAX_CONNECTIONS.
    for crowd in 0..4 {
        let guesses = (0..500).map(|n| {
            let number = format!("+91987654{crowd}{n:03}");
            let stranger = app.at(&format!("198.51.{crowd}.{}", n % 250));
            async move { stranger.verify(&number, "000000").await }
        });
        for answer in join_all(guesses).await {
            answer.expect_code(503, "unavailable");
        }
    }
    let left = tasks() - before;
    assert!((500..=1_010).contains(&left), "{left} tasks after 2,000 guesses");
    // Past the bound Redis is not waited for.
    let start = Instant::now();
    app.at("203.0.113.9").verify(NUMBER, &code).await.expect_code(503, "unavailable");
    assert!(start.elapsed() < Duration::from_millis(500), "{:?}", start.elapsed());
    app.redis.resume();
    eventually(SOON, "the code", async || {
        (own.verify(NUMBER, &code).await.status == 200).then_some(())
    })
    .await;
}

#[async_test]
async fn without_redis_nothing_is_said_to_be_sent() {
    let mut app = Plan::new().append_only().start().await;
    let code = app.code_for("Asha", NUMBER).await;
    app.redis.stop();
    redis_is_missed(&app, &code).await;
    app.client().get("/healthz", None).await.expect(200);
    is_degraded_without(&app, "redis").await;
    app.redis.start_again();

    assert_eq!(app.code_after_outage("Asha", NUMBER).await, code, "the challenge was kept");
    assert_eq!(app.twilio.tries(NUMBER).len(), 2, "no SMS for what was answered with 503");
    app.client().verify(NUMBER, &code).await.expect(200);
}

#[async_test]
async fn a_redis_that_hangs_is_as_good_as_none() {
    let app = App::start().await;
    let code = app.code_for("Asha", NUMBER).await;
    app.redis.pause();
    redis_is_missed(&app, &code).await;
    is_degraded_without(&app, "redis").await;
    app.redis.resume();
    app.code_after_outage("Ravi", OTHER_NUMBER).await;
}

#[async_test]
async fn a_database_that_fails_leaves_the_code_as_it_was() {
    let app = App::start().await;
    let token = app.sign_in("Ravi", OTHER_NUMBER).await.token().to_owned();
    let code = app.code_for("Asha", NUMBER).await;

    let outage = app.database.fail().await;
    // More often than a challenge takes wrong guesses: a right one is not counted as such.
    let times = if app.database.is_postgres() { 7 } else { 2 };
    for _ in 0..times {
        app.client().verify(NUMBER, &code).await.expect_error(503, USER_STORE, "unavailable");
    }
    let protected = app.client().protected(&token).await;
    if app.database.is_postgres() {
        protected.expect_error(503, USER_STORE, "unavailable");
        is_degraded_without(&app, "database").await;
    } else {
        // Who only reads an SQLite database does not wait for the lock for writing.
        protected.expect(200);
    }
    app.database.restore(outage).await;

    let signed_in =
        eventually(Duration::from_secs(10), "a database that works again", async || {
            let answer = app.client().verify(NUMBER, &code).await;
            assert!(answer.status == 200 || answer.status == 503, "{answer:?}");
            (answer.status == 200).then_some(answer)
        })
        .await;
    assert_eq!(signed_in.body["message"], "User registered successfully");
    assert_eq!(app.database.users_with(NUMBER).await, 1);
    app.client().protected(signed_in.token()).await.expect(200);
    let used = app.client().verify(NUMBER, &code).await;
    used.expect_error(401, "Invalid or expired OTP", "invalid_otp");
}

/// Asks until the store that was away answers again.
async fn until_it_works(what: &str, mut attempt: impl AsyncFnMut() -> Answer) -> Answer {
    eventually(Duration::from_secs(10), what, async || {
        let answer = attempt().await;
        assert!(answer.status == 200 || answer.status == 503, "{answer:?}");
        (answer.status == 200).then_some(answer)
    })
    .await
}

#[async_test]
async fn a_database_that_fails_leaves_both_codes_as_they_were() {
    let app = App::start().await;
    let token = app.sign_in("Asha", NUMBER).await.token().to_owned();
    let codes = codes_of_change(&app, &token, NUMBER, NEW).await;
    let outage = app.database.lock().await;
    for _ in 0..2 {
        change(app.client(), &token, NEW, &codes).await.expect_code(503, "unavailable");
    }
    app.database.restore(outage).await;
    let changed =
        until_it_works("a change", async || change(app.client(), &token, NEW, &codes).await).await;
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

#[async_test]
async fn without_redis_nothing_is_said_to_be_sent_moved_or_deleted() {
    let mut app = Plan::new().append_only().start().await;
    let token = app.sign_in("Asha", NUMBER).await.token().to_owned();
    let codes = codes_of_change(&app, &token, NUMBER, NEW).await;
    let code = code_of_deletion(&app, &token, NUMBER).await;
    app.redis.stop();
    for (path, body) in [
        (PHONE_NUMBER, json!({"phone_number": NEW})),
        (PHONE_NUMBER, both(NEW, &codes.current, &codes.new)),
        (DELETION, json!({})),
        (DELETION, json!({"otp": code})),
    ] {
        app.client().post_as(&token, path, &body).await.expect_error(503, OTP_STORE, "unavailable");
    }
    app.redis.start_again();
    until_it_works("a change", async || change(app.client(), &token, NEW, &codes).await).await;
}
