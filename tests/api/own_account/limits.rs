//! The limits of sign-ups hold for deletions and changes too, and none of them begins anew.

use serde_json::json;

use super::{
    DELETION, NEW, NUMBER, OTHER, PHONE_NUMBER, both, codes_in_process, deletion_in_process,
};
use crate::support::durations::SECOND;
use crate::support::in_process::Setup;
use crate::support::numbers::address;

#[async_test]
async fn a_change_meets_the_cooldowns_of_both_numbers() {
    let app = Setup::limits_off().set("SEND_COOLDOWN_SECONDS", 30).start().await;
    let client = app.at(&address(0));
    let token = client.sign_in(NUMBER).await.token().to_owned();
    let change = async |number: &str| {
        client.post_as(&token, PHONE_NUMBER, &json!({"phone_number": number})).await
    };
    let deletion = async || client.post_as(&token, DELETION, &json!({})).await;

    let asked = change(NEW).await.expect(200);
    assert_eq!(asked.body["resend_in"], 30);
    let again = app.refused_for(30 * SECOND, "resend_cooldown", async || change(NEW).await).await;
    assert_eq!(again.body["resend_in"], 60);
    // The current number waits for another new one too, and for a deletion.
    let sends =
        app.redis.lives().keys().filter(|key| key.starts_with("{cheershare}:delivery:")).count();
    change(OTHER).await.expect_code(429, "resend_cooldown");
    let new_sends =
        app.redis.lives().keys().filter(|key| key.starts_with("{cheershare}:delivery:")).count();
    assert_eq!(
        new_sends,
        sends + 1,
        "the new number's code was sent before the current number's was refused"
    );
    let refused = deletion().await;
    assert_eq!(refused.retry_after(), 60);
    refused.expect_code(429, "resend_cooldown");
    app.advance(60 * SECOND);
    deletion().await.expect(200);
}

/// The first request sent one code of two; the next one sends it again, and the other.
#[async_test]
async fn half_a_change_is_asked_for_again() {
    let app = Setup::limits_off().set("SEND_COOLDOWN_SECONDS", 30).start().await;
    let client = app.at(&address(0));
    let token = client.sign_in(NUMBER).await.token().to_owned();
    client.ask(NUMBER).await.expect(200);
    let change = async || client.post_as(&token, PHONE_NUMBER, &json!({"phone_number": NEW})).await;
    change().await.expect_code(429, "resend_cooldown");
    app.advance(30 * SECOND);
    let codes = codes_in_process(&app, &client, &token, NEW).await;
    client.post_as(&token, PHONE_NUMBER, &both(NEW, &codes.current, &codes.new)).await.expect(200);
}

#[async_test]
async fn a_deletion_begins_no_limit_anew() {
    let app = Setup::limits_off()
        .set("SENDS_PER_NUMBER_DAY", 3)
        .set("WRONG_GUESSES_PER_NUMBER_DAY", 4)
        .start()
        .await;
    let client = app.at(&address(0));
    let token = client.sign_in(NUMBER).await.token().to_owned();
    let code = deletion_in_process(&app, &client, &token).await;
    client.guess_wrong(NUMBER, &code, 0).await;
    client.post_as(&token, DELETION, &json!({"otp": code})).await.expect(200);
    let code = client.code_for(NUMBER).await;
    client.ask(NUMBER).await.expect_code(429, "number_day_limit");
    client.guess_wrong(NUMBER, &code, 4).await;
    client.verify(NUMBER, &code).await.expect_code(401, "invalid_otp");
    client.ask(NUMBER).await.expect_code(429, "wrong_guess_limit");
}

/// Nothing is sent to them: neither codes nor news.
#[async_test]
async fn test_numbers_need_no_sms() {
    let numbers = format!("{NUMBER}=471100@2027-12-31,{NEW}=471101@2027-12-31");
    let app = Setup::defaults().set("TEST_NUMBERS", numbers).start().await;
    let client = app.at(&address(0));
    client.ask(NUMBER).await.expect(200);
    let token = client.verify(NUMBER, "471100").await.expect(200).token().to_owned();
    for (there, current, new) in [(NEW, "471100", "471101"), (NUMBER, "471101", "471100")] {
        let asked =
            client.post_as(&token, PHONE_NUMBER, &json!({"phone_number": there})).await.expect(200);
        assert_eq!(asked.body["resend_in"], 0);
        client.post_as(&token, PHONE_NUMBER, &both(there, current, new)).await.expect(200);
    }
    client.post_as(&token, DELETION, &json!({})).await.expect(200);
    client.post_as(&token, DELETION, &json!({"otp": "471100"})).await.expect(200);
    let jobs = app
        .redis
        .lives()
        .into_keys()
        .filter(|key| key.starts_with("{cheershare}:sms:"))
        .collect::<Vec<_>>();
    assert!(jobs.is_empty(), "{jobs:?}");
}
