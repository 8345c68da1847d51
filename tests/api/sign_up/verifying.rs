//! The second half of `POST /signup`: signing in with an OTP.

use serde_json::json;

use crate::support::app::{App, Plan, SOON};
use crate::support::client::Answer;
use crate::support::numbers::{NUMBER, OTHER_NUMBER};

const NEVER_ASKED: &str = "+919876543299";

/// A code of the same length that is not `code`; another one for each `which` from 1 to 9.
fn wrong(code: &str, which: u8) -> String {
    let last = code.bytes().last().unwrap() - b'0';
    format!("{}{}", &code[..code.len() - 1], (last + which) % 10)
}

fn is_refused(answer: Answer) -> String {
    let text = answer.text.clone();
    answer.expect_error(401, "Invalid or expired OTP", "invalid_otp");
    text
}

#[async_test]
async fn signing_in_answers_the_user_and_a_token() {
    let app = App::start().await;
    let signed_in = app.sign_in("Asha", NUMBER).await;
    assert!(signed_in.header("content-type").starts_with("application/json"), "{signed_in:?}");

    let body = signed_in.body.as_object().unwrap();
    let fields: Vec<&str> = body.keys().map(String::as_str).collect();
    assert_eq!(fields, ["data", "message", "success", "token"]);
    let user = body["data"].as_object().unwrap();
    let fields: Vec<&str> = user.keys().map(String::as_str).collect();
    assert_eq!(fields, ["created_at", "id", "name", "phone_number", "version"]);
    assert!(user["id"].is_i64(), "{user:?}");
    assert_eq!(user["version"], 1);
    let created = user["created_at"].as_str().unwrap();
    let format = &time::format_description::well_known::Rfc3339;
    let created = time::OffsetDateTime::parse(created, format).unwrap();
    assert_eq!(created.nanosecond(), 0, "whole seconds");
}

#[async_test]
async fn every_refusal_has_the_same_body() {
    let app = App::start().await;
    let client = app.client();
    let code = app.code_for("Asha", NUMBER).await;

    let mut bodies = vec![is_refused(client.verify(NUMBER, &wrong(&code, 1)).await)];
    bodies.push(is_refused(client.verify(NEVER_ASKED, &code).await));
    client.verify(NUMBER, &code).await.expect(200);
    bodies.push(is_refused(client.verify(NUMBER, &code).await));
    for otp in [
        "123",
        "12345678901",
        "12ab56",
        " ",
        "123 456",
        "-12345",
        "1234.5",
        "\u{0661}\u{0662}\u{0663}\u{0664}",
    ] {
        println!("{otp:?}");
        bodies.push(is_refused(client.verify(NEVER_ASKED, otp).await));
    }
    let code = app.code_for("Asha", NUMBER).await;
    for which in 1..=5 {
        bodies.push(is_refused(client.verify(NUMBER, &wrong(&code, which)).await));
    }
    bodies.push(is_refused(client.verify(NUMBER, &code).await));
    assert!(bodies.iter().all(|body| *body == bodies[0]), "{bodies:?}");
}

#[async_test]
async fn five_wrong_guesses_burn_the_challenge() {
    let app = App::start().await;
    let code = app.code_for("Asha", NUMBER).await;
    for which in 1..=4 {
        is_refused(app.client().verify(NUMBER, &wrong(&code, which)).await);
    }
    app.client().verify(NUMBER, &code).await.expect(200);

    let code = app.code_for("Asha", NUMBER).await;
    for which in 1..=5 {
        is_refused(app.client().verify(NUMBER, &wrong(&code, which)).await);
    }
    is_refused(app.client().verify(NUMBER, &code).await);
    let before = app.twilio.tries(NUMBER).len();
    let again = app.client().ask("Asha", NUMBER).await;
    let wait: u64 = again.header("retry-after").parse().unwrap();
    again.expect_code(429, "otp_burned");
    assert!((1..=300).contains(&wait), "{wait}");

    // By the time that a later SMS of somebody else is sent, one for this number would have been.
    app.code_for("Ravi", OTHER_NUMBER).await;
    assert_eq!(app.twilio.tries(NUMBER).len(), before, "a burned challenge costs no SMS");
    is_refused(app.client().verify(NUMBER, &code).await);
}

#[async_test]
async fn a_resend_keeps_the_count_of_guesses() {
    let app = App::start().await;
    let code = app.code_for("Asha", NUMBER).await;
    for which in 1..=3 {
        is_refused(app.client().verify(NUMBER, &wrong(&code, which)).await);
    }
    assert_eq!(app.code_for("Asha", NUMBER).await, code);
    for which in 4..=5 {
        is_refused(app.client().verify(NUMBER, &wrong(&code, which)).await);
    }
    is_refused(app.client().verify(NUMBER, &code).await);
    app.client().ask("Asha", NUMBER).await.expect_code(429, "otp_burned");
}

#[async_test]
async fn a_code_is_good_for_its_own_number_only() {
    let app = Plan::new().set("OTP_LENGTH", "10").start().await;
    let code = app.code_for("Asha", NUMBER).await;
    let other = OTHER_NUMBER;
    app.code_for("Ravi", other).await;
    is_refused(app.client().verify(other, &code).await);
    app.client().verify(NUMBER, &code).await.expect(200);
}

#[async_test]
async fn a_name_sent_along_wins() {
    let app = App::start().await;
    let code = app.code_for("Asha", NUMBER).await;
    let bad = json!({"phone_number": NUMBER, "otp": code, "name": "A\u{0}B"});
    app.client().post("/signup", &bad).await.expect_code(400, "invalid_name");
    let named = json!({"phone_number": NUMBER, "otp": code, "name": "Asha Rao"});
    let signed_in = app.client().post("/signup", &named).await.expect(200);
    assert_eq!(signed_in.body["data"]["name"], "Asha Rao");
    let names: Vec<String> = app.database.column("SELECT name FROM users").await;
    assert_eq!(names, ["Asha Rao"]);
}

#[async_test]
async fn an_sms_says_how_long_its_code_still_lives() {
    let app = Plan::new().set("OTP_TTL_SECONDS", "60").start().await;
    let asked = app.client().ask("Asha", NUMBER).await.expect(200);
    let expires_in = asked.body["expires_in"].as_u64().unwrap();
    assert!((55..=60).contains(&expires_in), "{asked:?}");
    let sms = &app.twilio.wait_for_sms(NUMBER, 1, SOON).await[0];
    assert!((1..=60).contains(&sms.validity()), "{sms:?}");
}
