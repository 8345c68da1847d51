//! Redis or the database away while people ask and sign in.

use std::time::{Duration, Instant};

use crate::support::app::{App, Plan};
use crate::support::eventually;

const NUMBER: &str = "+919876543210";
const OTP_STORE: &str = "The OTP store is unavailable";
const USER_STORE: &str = "The user store is unavailable";

/// Readiness fails for what is away and nothing else, within its second, without a log line.
async fn is_not_ready_for(app: &App, missing: &str) {
    let logged = app.apis[0].log().len();
    let start = Instant::now();
    let answer = app.client().get("/readyz", None).await.expect(503);
    let took = start.elapsed();
    assert!(took < Duration::from_secs(3), "{took:?}");
    assert_eq!(answer.body["ready"], false);
    for store in ["redis", "database"] {
        assert_eq!(answer.body[store]["ok"], store != missing, "{answer:?}");
        assert!(answer.body[store]["time_ms"].as_f64().is_some_and(|time| time <= 1000.0), "{answer:?}");
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_nothing_is_said_to_be_sent() {
    let mut app = Plan::new().append_only().start().await;
    let code = app.code_for("Asha", NUMBER).await;
    app.redis.stop();
    redis_is_missed(&app, &code).await;
    app.client().get("/healthz", None).await.expect(200);
    is_not_ready_for(&app, "redis").await;
    app.redis.start_again();

    assert_eq!(app.code_after_outage("Asha", NUMBER).await, code, "the challenge was kept");
    assert_eq!(app.twilio.tries(NUMBER).len(), 2, "no SMS for what was answered with 503");
    app.client().verify(NUMBER, &code).await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_hangs_is_as_good_as_none() {
    let app = App::start().await;
    let code = app.code_for("Asha", NUMBER).await;
    app.redis.pause();
    redis_is_missed(&app, &code).await;
    is_not_ready_for(&app, "redis").await;
    app.redis.resume();
    app.code_after_outage("Ravi", "+919876543211").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_fails_leaves_the_code_as_it_was() {
    let app = App::start().await;
    let token = app.sign_in("Ravi", "+919876543211").await.token().to_owned();
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
        is_not_ready_for(&app, "database").await;
    } else {
        // Who only reads an SQLite database does not wait for the lock for writing.
        protected.expect(200);
    }
    app.database.restore(outage).await;

    let signed_in = eventually(Duration::from_secs(10), "a database that works again", async || {
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
