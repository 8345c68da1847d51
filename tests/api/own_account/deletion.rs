//! An account is deleted.

use futures_util::future::join_all;
use serde_json::json;

use super::{DELETION, NUMBER, OTHER, code_of_deletion};
use crate::support::app::{App, Plan, SOON};

async fn rows(app: &App, table: &str, user: &str) -> usize {
    app.database
        .column::<i64>(&format!("SELECT user_id FROM {table} WHERE user_id = {user}"))
        .await
        .len()
}

#[async_test]
async fn nothing_of_an_account_is_left_and_its_number_starts_clean() {
    let app = App::start().await;
    let signed_in = app.sign_in("Asha", NUMBER).await;
    let (token, elsewhere) =
        (signed_in.token().to_owned(), app.sign_in("Asha", NUMBER).await.token().to_owned());
    let neighbour = app.sign_in("Ravi", OTHER).await.token().to_owned();
    let id = signed_in.body["data"]["id"].to_string();
    assert_eq!((rows(&app, "tokens", &id).await, rows(&app, "events", &id).await), (2, 2));
    // A code that was sent for a sign-in, with the name that was given for it.
    let for_sign_in = app.code_for("Asha", NUMBER).await;

    let asked = app.client().post_as(&token, DELETION, &json!({})).await.expect(200);
    assert_eq!(asked.body["message"], "OTP sent successfully");
    assert!((295..=300).contains(&asked.body["expires_in"].as_u64().unwrap()), "{asked:?}");
    app.delivery_is(asked.delivery_id(), "sent", SOON).await;
    let sms = &app.twilio.wait_for_sms(NUMBER, 4, SOON).await[3];
    let code = sms.code();
    assert_eq!(
        sms.body(),
        format!("{code} is your code to delete your Cheershare account. Never share it.")
    );

    let deleted = app.client().post_as(&token, DELETION, &json!({"otp": code})).await.expect(200);
    assert_eq!(deleted.body, json!({"success": true, "message": "Account deleted"}));
    assert_eq!(app.database.users_with(NUMBER).await, 0);
    assert_eq!((rows(&app, "tokens", &id).await, rows(&app, "events", &id).await), (0, 0));
    for token in [&token, &elsewhere] {
        app.client().protected(token).await.expect_code(401, "invalid_authorization_header");
    }
    app.client().protected(&neighbour).await.expect(200);

    app.client().verify(NUMBER, &for_sign_in).await.expect_code(401, "invalid_otp");
    let anew = app.sign_in("Bela", NUMBER).await;
    assert_eq!(anew.body["message"], "User registered successfully");
    let user = &anew.body["data"];
    assert_eq!((&user["name"], &user["version"]), (&json!("Bela"), &json!(1)));
    assert_ne!(user["id"].to_string(), id, "no id is given twice");
    let kinds: Vec<String> = app
        .database
        .column(&format!("SELECT kind FROM events WHERE user_id = {}", user["id"]))
        .await;
    assert_eq!(kinds, ["signed_up"]);
    app.client().protected(&token).await.expect_code(401, "invalid_authorization_header");
    app.no_job_is_left(SOON).await;
}

#[async_test]
async fn simultaneous_deletions_are_one() {
    let app = Plan::new().apis(2).start().await;
    let token = app.sign_in("Asha", NUMBER).await.token().to_owned();
    let code = code_of_deletion(&app, &token, NUMBER).await;
    let calls = app.clients_in_turn().take(20).map(|client| {
        let (token, body) = (token.clone(), json!({"otp": code}));
        async move { client.post_as(&token, DELETION, &body).await }
    });
    let answers = join_all(calls).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1, "{answers:?}");
    assert!(answers.iter().all(|answer| [200, 401].contains(&answer.status)), "{answers:?}");
    assert_eq!(app.database.users_with(NUMBER).await, 0);
}

/// The plan of its country changed, or the country is not served any more.
#[async_test]
async fn a_number_that_would_be_refused_today_can_be_deleted() {
    let app = App::start().await;
    for number in ["+22997123456", "+12025550143", "+999123456789"] {
        println!("{number}");
        let token = app.sign_in("Asha", NUMBER).await.token().to_owned();
        app.database.execute(&format!("UPDATE users SET phone_number = '{number}'")).await;
        let code = code_of_deletion(&app, &token, number).await;
        app.client().post_as(&token, DELETION, &json!({"otp": code})).await.expect(200);
        assert_eq!(app.database.users_with(number).await, 0);
    }
}
