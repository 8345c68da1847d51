//! Every error of the two operations.

use serde_json::{Value, json};

use super::{DELETION, NEW, NUMBER, PHONE_NUMBER, both, codes_in_process, deletion_in_process};
use crate::support::client::Answer;
use crate::support::in_process::{Setup, another};
use crate::support::numbers::address;

fn is_wrong(answer: Answer) {
    answer.expect_error(401, "Invalid or expired OTP", "invalid_otp");
}

#[async_test]
async fn both_operations_are_for_who_is_signed_in() {
    let app = Setup::limits_off().start().await;
    let client = app.at(&address(0));
    let token = client.sign_in(NUMBER).await.token().to_owned();
    for path in [DELETION, PHONE_NUMBER] {
        let body = if path == DELETION { json!({}) } else { json!({"phone_number": NEW}) };
        client.post_to(path, &body).await.expect_error(401, "Unauthorized", "unauthorized");
        let unknown = client.post_as("AAAAAAAAAAAAAAAAAAAAAAAAAA", path, &body).await;
        unknown.expect_code(401, "invalid_authorization_header");
    }
    // A token that has ended, here with its user.
    let code = deletion_in_process(&app, &client, &token).await;
    client.post_as(&token, DELETION, &json!({"otp": code})).await.expect(200);
    for path in [DELETION, PHONE_NUMBER] {
        client
            .post_as(&token, path, &json!({}))
            .await
            .expect_code(401, "invalid_authorization_header");
    }
}

#[async_test]
async fn what_is_malformed_is_refused_before_anything_is_sent() {
    let app = Setup::limits_off().start().await;
    let client = app.at(&address(0));
    let token = client.sign_in(NUMBER).await.token().to_owned();
    let kept = app.redis.lives().len();
    let number_and = |field: &str, value: Value| json!({"phone_number": NEW, field: value});
    for (path, body, status, code) in [
        (DELETION, json!({"otp": 123456}), 400, "invalid_payload"),
        (DELETION, json!({"otp": "123456", "more": 1}), 400, "invalid_payload"),
        (DELETION, json!([]), 400, "invalid_payload"),
        (DELETION, json!({"otp": "12"}), 401, "invalid_otp"),
        (DELETION, json!({"otp": "12345x"}), 401, "invalid_otp"),
        (PHONE_NUMBER, json!({}), 400, "phone_number_required"),
        (PHONE_NUMBER, json!({"phone_number": ""}), 400, "phone_number_required"),
        (PHONE_NUMBER, json!({"phone_number": null}), 400, "phone_number_required"),
        (PHONE_NUMBER, json!({"phone_number": 1}), 400, "invalid_payload"),
        (PHONE_NUMBER, number_and("otp", json!("123456")), 400, "invalid_payload"),
        (PHONE_NUMBER, json!({"phone_number": "98765"}), 400, "invalid_phone_number"),
        (PHONE_NUMBER, json!({"phone_number": NUMBER}), 400, "same_phone_number"),
        (PHONE_NUMBER, json!({"phone_number": "98765 43210"}), 400, "same_phone_number"),
        (PHONE_NUMBER, both(NUMBER, "123456", "123456"), 400, "same_phone_number"),
        (PHONE_NUMBER, number_and("new_otp", json!("123456")), 400, "both_otps_required"),
        (PHONE_NUMBER, number_and("current_otp", json!("123456")), 400, "both_otps_required"),
        (PHONE_NUMBER, both(NEW, "123456", ""), 400, "both_otps_required"),
        (PHONE_NUMBER, both(NEW, "123456", "12"), 401, "invalid_otp"),
        (PHONE_NUMBER, both(NEW, "1234567890123", "123456"), 401, "invalid_otp"),
        (PHONE_NUMBER, json!({"phone_number": "+12025550143"}), 403, "destination_not_allowed"),
        (PHONE_NUMBER, json!({"phone_number": "+912223456789"}), 403, "destination_not_allowed"),
    ] {
        let answer = client.post_as(&token, path, &body).await;
        assert_eq!((answer.status, &answer.body["code"]), (status, &json!(code)), "{path} {body}");
        answer.expect_code(status, code);
    }
    assert_eq!(app.redis.lives().len(), kept, "none of this leaves anything");
}

#[async_test]
async fn a_wrong_code_is_wrong_whichever_it_is_and_the_other_one_stays_good() {
    let app = Setup::limits_off().start().await;
    let client = app.at(&address(0));
    let token = client.sign_in(NUMBER).await.token().to_owned();
    let give = async |current: &str, new: &str| {
        client.post_as(&token, PHONE_NUMBER, &both(NEW, current, new)).await
    };
    is_wrong(give("123456", "123456").await);
    let codes = codes_in_process(&app, &client, &token, NEW).await;
    for step in 1..=4 {
        is_wrong(give(&codes.current, &another(&codes.new, step)).await);
    }
    for step in 1..=4 {
        is_wrong(give(&another(&codes.current, step), &codes.new).await);
    }
    let wrong = async |otp: &str| client.post_as(&token, DELETION, &json!({"otp": otp})).await;
    is_wrong(wrong("123456").await);
    let code = deletion_in_process(&app, &client, &token).await;
    for step in 1..=4 {
        is_wrong(wrong(&another(&code, step)).await);
    }
    // Of five wrong guesses at each there is one left.
    give(&codes.current, &codes.new).await.expect(200);
}

#[async_test]
async fn five_wrong_guesses_burn_either_code_and_the_code_of_a_deletion() {
    let app = Setup::limits_off().start().await;
    let client = app.at(&address(0));
    let token = client.sign_in(NUMBER).await.token().to_owned();
    let give = async |current: &str, new: &str| {
        client.post_as(&token, PHONE_NUMBER, &both(NEW, current, new)).await
    };
    let ask = async || client.post_as(&token, PHONE_NUMBER, &json!({"phone_number": NEW})).await;
    for burn_new in [false, true] {
        let codes = codes_in_process(&app, &client, &token, NEW).await;
        for step in 1..=5 {
            let (wrong_current, wrong_new) =
                (another(&codes.current, step), another(&codes.new, step));
            is_wrong(if burn_new {
                give(&codes.current, &wrong_new).await
            } else {
                give(&wrong_current, &codes.new).await
            });
        }
        is_wrong(give(&codes.current, &codes.new).await);
        ask().await.expect_code(429, "otp_burned");
        app.advance(std::time::Duration::from_secs(601));
    }
    let code = deletion_in_process(&app, &client, &token).await;
    for step in 1..=5 {
        is_wrong(client.post_as(&token, DELETION, &json!({"otp": another(&code, step)})).await);
    }
    is_wrong(client.post_as(&token, DELETION, &json!({"otp": code})).await);
    client.post_as(&token, DELETION, &json!({})).await.expect_code(429, "otp_burned");
}

#[async_test]
async fn codes_expire_and_are_good_once() {
    let app = Setup::limits_off().start().await;
    let client = app.at(&address(0));
    let token = client.sign_in(NUMBER).await.token().to_owned();
    let give = async |number: &str, current: &str, new: &str| {
        client.post_as(&token, PHONE_NUMBER, &both(number, current, new)).await
    };
    let late = codes_in_process(&app, &client, &token, NEW).await;
    let late_deletion = deletion_in_process(&app, &client, &token).await;
    app.advance(std::time::Duration::from_secs(300));
    is_wrong(give(NEW, &late.current, &late.new).await);
    is_wrong(client.post_as(&token, DELETION, &json!({"otp": late_deletion})).await);

    let there = codes_in_process(&app, &client, &token, NEW).await;
    give(NEW, &there.current, &there.new).await.expect(200);
    give(NEW, &there.current, &there.new).await.expect_code(400, "same_phone_number");
    let back = codes_in_process(&app, &client, &token, NUMBER).await;
    is_wrong(give(NUMBER, &there.current, &there.new).await);
    give(NUMBER, &back.current, &back.new).await.expect(200);
    // Where it was before, with the codes of before.
    is_wrong(give(NEW, &there.current, &there.new).await);
    app.advance(std::time::Duration::from_secs(3600));
    is_wrong(give(NEW, &there.current, &there.new).await);
}
