//! From the job to the provider: what is tried again, what ends, and what is dropped.

use std::time::Duration;

use crate::support::app::{App, Plan, SOON};
use crate::support::eventually;
use crate::support::fake_twilio::{Reply, code_in};
use crate::support::numbers::NUMBER;

#[async_test]
async fn two_server_errors_then_success_are_three_tries_and_one_sms() {
    let app = App::start().await;
    app.twilio.script(NUMBER, [Reply::error(500, 20500), Reply::error(500, 20500)]);
    let code = app.code_for("Asha", NUMBER).await;
    app.no_job_is_left(SOON).await;
    let tries = app.twilio.tries(NUMBER);
    assert_eq!(tries.len(), 3);
    assert_eq!(app.twilio.accepted(NUMBER).len(), 1);
    assert!(tries.iter().all(|sms| sms.code() == code), "{tries:?}");
    assert!(tries.windows(2).all(|two| two[0].at < two[1].at), "{tries:?}");
    assert!(
        tries.windows(2).all(|two| two[0].validity() >= two[1].validity()),
        "what is left, not what was: {tries:?}"
    );
    app.client().verify(NUMBER, &code).await.expect(200);
}

#[async_test]
async fn transient_failures_are_tried_again() {
    let mut app = App::start().await;
    for (last, reply) in [
        (0, Reply::error(500, 20500)),
        (1, Reply::error(502, 20502)),
        (2, Reply::error(503, 20503)),
        (3, Reply::Error(429, 20429, None)),
        (4, Reply::Error(429, 20429, Some(1))),
    ] {
        let number = format!("+91987654321{last}");
        app.twilio.script(&number, [reply]);
        app.code_for("Asha", &number).await;
        assert_eq!(app.twilio.tries(&number).len(), 2, "{number}");
    }
    app.twilio.close().await;
    // A connection that was never made leaves no trace at the provider: only the worker can say
    // that it tried.
    let before = app.workers[0].events("sms_try_failed").len();
    app.client().ask("Asha", "+919876543219").await.expect(200);
    eventually(SOON, "a word of the failed try", async || {
        (app.workers[0].events("sms_try_failed").len() > before).then_some(())
    })
    .await;
    app.twilio.open().await;
    app.twilio.wait_for_sms("+919876543219", 1, SOON).await;
}

#[async_test]
async fn permanent_failures_end_the_job_after_one_try() {
    let app = App::start().await;
    let failures = [(400, 21211), (400, 21408), (400, 21610), (400, 21614)];
    for (last, (status, code)) in failures.into_iter().enumerate() {
        println!("{status} {code}");
        let number = format!("+91987654321{last}");
        app.twilio.script(&number, [Reply::error(status, code)]);
        app.client().ask("Asha", &number).await.expect(200);
        app.twilio.wait_for_tries(&number, 1, SOON).await;
        app.no_job_is_left(SOON).await;
        assert_eq!(app.twilio.tries(&number).len(), 1, "one try for {status} {code}");
        assert!(app.twilio.accepted(&number).is_empty());
        let log = app.workers[0].log();
        assert!(log.contains(&code.to_string()), "the log gives the reason {code}");
    }
}

#[async_test]
async fn a_job_is_dropped_when_nobody_wants_its_sms_any_more() {
    let mut app = Plan::new().workers(0).set("OTP_LENGTH", "10").start().await;
    app.client().ask("Asha", NUMBER).await.expect(200);
    for otp in 0..5 {
        let guess = app.client().verify(NUMBER, &format!("000000000{otp}")).await;
        guess.expect_error(401, "Invalid or expired OTP", "invalid_otp");
    }
    assert!(!app.job_records().is_empty(), "the job of a burned challenge waits");
    app.start_worker().await;
    app.no_job_is_left(SOON).await;
    assert!(app.twilio.tries(NUMBER).is_empty(), "no SMS for a burned challenge");
}

#[async_test]
async fn a_code_that_was_used_stops_its_retries() {
    let app = App::start().await;
    // The SMS goes out each time, but the worker is told that it did not.
    app.twilio.script(NUMBER, vec![Reply::error(503, 20503); 20]);
    app.client().ask("Asha", NUMBER).await.expect(200);
    let code = app.twilio.wait_for_tries(NUMBER, 1, SOON).await[0].code();
    app.client().verify(NUMBER, &code).await.expect(200);
    let before = app.twilio.tries(NUMBER).len();
    app.no_job_is_left(SOON).await;
    let after = app.twilio.tries(NUMBER).len();
    assert!(after <= before + 1, "at most the try that raced the sign-in: {before}, {after}");
    assert!(app.twilio.accepted(NUMBER).is_empty());
}

#[async_test]
async fn without_a_provider_the_worker_prints_the_sms_for_the_developer() {
    let app =
        Plan::new().without("TWILIO_SID").without("TWILIO_API_KEY").without("TWILIO_PHONE_NUMBER");
    let app = app.start().await;
    app.client().ask("Asha", NUMBER).await.expect(200);
    let sms = eventually(SOON, "the SMS in what the worker prints", async || {
        let log = app.workers[0].log();
        log.lines().find(|line| line.contains("Your one-time password is ")).map(str::to_owned)
    })
    .await;
    app.client().verify(NUMBER, &code_in(&sms)).await.expect(200);
    let log = app.workers[0].log().to_lowercase();
    assert!(log.contains("development"), "the provider says that it is one for development");
    assert!(app.twilio.counts().is_empty());
}

#[async_test]
async fn the_answer_does_not_wait_for_the_provider() {
    let app = App::start().await;
    app.twilio.script(NUMBER, [Reply::accept_after(Duration::from_secs(5))]);
    let asked = app.client().ask("Asha", NUMBER).await.expect(200);
    assert_eq!(asked.body["success"], true);
    assert!(app.twilio.accepted(NUMBER).is_empty(), "answered before the provider has");
    app.twilio.wait_for_sms(NUMBER, 1, SOON).await;
}
