//! Many requests at the same moment, through two API processes.

use futures_util::future::join_all;

use crate::support::app::{App, Plan, SOON};
use crate::support::client::Answer;
use crate::support::numbers::NUMBER;

async fn two_apis() -> App {
    Plan::new().apis(2).set("OTP_LENGTH", "10").start().await
}

/// Tries all OTPs at once, each with the next API in turn.
async fn verify_all(app: &App, otps: &[String]) -> Vec<Answer> {
    let calls = app
        .clients_in_turn()
        .zip(otps)
        .map(|(client, otp)| async move { client.verify(NUMBER, otp).await });
    join_all(calls).await
}

/// OTPs of ten digits that are not `code` and all differ.
fn wrong_codes(code: &str, count: u64) -> Vec<String> {
    let code: u64 = code.parse().unwrap();
    (1..=count).map(|step| format!("{:010}", (code + step) % 10_000_000_000)).collect()
}

fn successes(answers: Vec<Answer>) -> Vec<Answer> {
    let (right, wrong): (Vec<Answer>, Vec<Answer>) =
        answers.into_iter().partition(|answer| answer.status == 200);
    for answer in wrong {
        answer.expect_error(401, "Invalid or expired OTP", "invalid_otp");
    }
    right
}

#[async_test]
async fn fifty_verifications_with_the_right_code_make_one_sign_in() {
    let app = two_apis().await;
    for round in 1..=3 {
        let code = app.code_for("Asha", NUMBER).await;
        let signed_in = successes(verify_all(&app, &vec![code; 50]).await);
        assert_eq!(signed_in.len(), 1, "{signed_in:?}");
        let tokens: Vec<String> = app.database.column("SELECT scope FROM tokens").await;
        assert_eq!(tokens.len(), round, "one token for each round");
        app.client().protected(signed_in[0].token()).await.expect(200);
    }
    assert_eq!(app.database.users_with(NUMBER).await, 1);
}

#[async_test]
async fn fifty_wrong_guesses_burn_the_challenge() {
    let app = two_apis().await;
    let code = app.code_for("Asha", NUMBER).await;
    let right = successes(verify_all(&app, &wrong_codes(&code, 50)).await);
    assert!(right.is_empty(), "{right:?}");
    let late = app.client().verify(NUMBER, &code).await;
    late.expect_error(401, "Invalid or expired OTP", "invalid_otp");
    app.client().ask("Asha", NUMBER).await.expect_code(429, "otp_burned");
}

#[async_test]
async fn four_simultaneous_wrong_guesses_leave_a_fifth() {
    let app = two_apis().await;
    let code = app.code_for("Asha", NUMBER).await;
    let right = successes(verify_all(&app, &wrong_codes(&code, 4)).await);
    assert!(right.is_empty(), "{right:?}");
    app.client().verify(NUMBER, &code).await.expect(200);
}

/// Whether five guesses or more were evaluated cannot be seen from outside one guess at a time. But
/// a right code among many wrong ones only ever gets through as one of the first five: over 20
/// rounds of 49 wrong and one right, more than half of the right ones would get through if guesses
/// were evaluated without end.
#[async_test]
async fn a_right_code_behind_many_wrong_ones_is_too_late() {
    let app = two_apis().await;
    let mut got_through = 0;
    for round in 0..20 {
        let number = format!("+9198765432{round:02}");
        let code = app.code_for("Asha", &number).await;
        let mut otps = wrong_codes(&code, 49);
        otps.push(code);
        let calls = app.clients_in_turn().zip(&otps).map(|(client, otp)| {
            let number = number.clone();
            async move { client.verify(&number, otp).await }
        });
        got_through += successes(join_all(calls).await).len();
    }
    assert!(
        got_through < 10,
        "{got_through} of 20 right codes were evaluated after 49 wrong ones were sent"
    );
}

#[async_test]
async fn twenty_sign_ups_of_one_number_are_one_user() {
    let app = two_apis().await;
    let asks = app
        .clients_in_turn()
        .take(20)
        .map(|client| async move { client.ask("Asha", NUMBER).await });
    let mut deliveries: Vec<String> = Vec::new();
    for asked in join_all(asks).await {
        let asked = asked.expect(200);
        deliveries.push(asked.body["delivery_id"].as_str().unwrap().to_owned());
    }
    deliveries.sort();
    deliveries.dedup();
    assert_eq!(deliveries.len(), 20, "every answer names a delivery of its own");

    app.no_job_is_left(SOON).await;
    let sms = app.twilio.accepted(NUMBER);
    // A job that still waits when its number is asked for again is dropped: one SMS with the code
    // is enough.
    assert!((1..=20).contains(&sms.len()), "{sms:?}");
    assert_eq!(app.twilio.tries(NUMBER).len(), sms.len(), "nothing was tried twice");
    let codes: Vec<String> = sms.iter().map(|sms| sms.code()).collect();
    assert!(codes.iter().all(|code| *code == codes[0]), "one challenge, one code: {codes:?}");

    let signed_in = successes(verify_all(&app, &vec![codes[0].clone(); 20]).await);
    assert_eq!(signed_in.len(), 1, "{signed_in:?}");
    assert_eq!(app.database.users_with(NUMBER).await, 1);
}
