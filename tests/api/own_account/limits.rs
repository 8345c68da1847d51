//! The limits of sign-ups hold for deletions and changes too, and none of them begins anew.

use serde_json::json;

use super::{
    DELETION, NEW, NUMBER, OTHER, PHONE_NUMBER, both, codes_in_process, deletion_in_process,
};
use crate::support::durations::{HOUR, SECOND};
use crate::support::in_process::{InProcess, Setup};
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
    assert_eq!(new_sends, sends, "both or none");
    app.refused_for(30 * SECOND, "resend_cooldown", deletion).await;
}

/// Whichever of the two numbers a limit refuses, and also where they share one.
#[async_test]
async fn a_change_sends_to_both_numbers_or_to_none() {
    let keys_of = |app: &InProcess, number: &str| {
        app.redis.lives().into_keys().filter(|key| key.contains(number)).collect::<Vec<_>>()
    };
    for (setting, value, code) in [
        ("SEND_COOLDOWN_SECONDS", 30, "resend_cooldown"),
        ("SENDS_PER_ADDRESS_HOUR", 2, "address_limit"),
        ("SENDS_PER_HOUR", 2, "service_limit"),
    ] {
        println!("{setting}");
        let app = Setup::limits_off().set(setting, value).start().await;
        let client = app.at(&address(0));
        let token = client.sign_in(NUMBER).await.token().to_owned();
        // One more may be sent at once, not two.
        client.ask(NUMBER).await.expect(200);
        let change =
            async || client.post_as(&token, PHONE_NUMBER, &json!({"phone_number": NEW})).await;
        change().await.expect_code(429, code);
        assert_eq!(keys_of(&app, NEW), [""; 0], "nothing is known of the new number");
        app.advance(HOUR);
        let codes = codes_in_process(&app, &client, &token, NEW).await;
        let body = both(NEW, &codes.current, &codes.new);
        client.post_as(&token, PHONE_NUMBER, &body).await.expect(200);
    }
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

/// A stranger keeps whoever is signed in neither from leaving nor from moving, at whatever address.
#[async_test]
async fn a_stranger_does_not_keep_the_owner_at_a_new_address_from_a_deletion() {
    let app = Setup::limits_off()
        .set("SEND_COOLDOWN_SECONDS", 30)
        .set("SENDS_PER_NUMBER_HOUR", 3)
        .set("SENDS_PER_NUMBER_DAY", 6)
        .start()
        .await;
    let token = app.at(&address(0)).sign_in(NUMBER).await.token().to_owned();
    app.advance(HOUR);
    let stranger = app.at(&address(1));
    while stranger.ask(NUMBER).await.status == 200 {
        app.advance(30 * 60 * SECOND);
    }
    stranger.ask(NUMBER).await.expect_code(429, "number_day_limit");
    app.advance(HOUR);
    let owner = app.at(&address(2));
    owner.post_as(&token, DELETION, &json!({})).await.expect(200);
    owner.post_as(&token, DELETION, &json!({})).await.expect_code(429, "resend_cooldown");
}
