//! A code at the end of its life, which is 30 s at least.

use std::time::{Duration, Instant};

use crate::support::app::{Plan, SOON};
use crate::support::numbers::{NUMBER, OTHER_NUMBER};

const LIFE: Duration = Duration::from_secs(30);

#[async_test]
async fn an_expired_code_is_refused_and_never_sent() {
    let (received, waiting) = (NUMBER, OTHER_NUMBER);
    let mut app = Plan::new().set("OTP_TTL_SECONDS", "30").set("OTP_LENGTH", "10").start().await;
    let code = app.code_for("Asha", received).await;
    app.workers[0].signal("TERM");
    app.workers[0].ended(SOON).await;
    let delivery = app.ask(waiting).await;
    let asked = Instant::now();
    assert!(!app.job_records().is_empty(), "the job waits for a worker");

    tokio::time::sleep_until((asked + LIFE).into()).await;
    let late = app.client().verify(received, &code).await;
    late.expect_error(401, "Invalid or expired OTP", "invalid_otp");
    app.start_worker().await;
    app.no_job_is_left(SOON).await;
    assert!(app.twilio.tries(waiting).is_empty(), "nothing is sent after the OTP's expiry");
    let told = app.delivery(&delivery).await;
    assert_eq!((&told["status"], &told["reason"]), (&"dropped".into(), &"expired".into()));
    assert_eq!(told["asking_again_helps"], true);

    let new = app.code_for("Asha", received).await;
    assert_ne!(new, code);
    app.client().verify(received, &new).await.expect(200);
}
