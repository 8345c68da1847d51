//! An account moves to another number.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;

use super::{Codes, NEW, NUMBER, OTHER, PHONE_NUMBER, both, change, codes_of_change};
use crate::support::app::{App, Plan, SOON};
use crate::support::fake_twilio::Reply;

const NOTICE: &str = "The phone number of your Tea & Co account was changed: this one no longer opens it. \
                      Was that not you? Contact support.";

async fn events(app: &App, user: &str, columns: &str) -> Vec<String> {
    app.database
        .column(&format!("SELECT {columns} FROM events WHERE user_id = {user} ORDER BY id"))
        .await
}

#[async_test]
async fn an_account_moves_and_its_old_number_is_told() {
    let app = Plan::new().set("APP_NAME", "Tea & Co").start().await;
    let before = app.sign_in("Asha", NUMBER).await;
    let (token, elsewhere) =
        (before.token().to_owned(), app.sign_in("Asha", NUMBER).await.token().to_owned());

    let asked = app
        .client()
        .post_as(&token, PHONE_NUMBER, &json!({"phone_number": "98765 43211"}))
        .await
        .expect(200);
    let body = asked.body.as_object().unwrap();
    let fields: Vec<&str> = body.keys().map(String::as_str).collect();
    let mut expected =
        ["success", "message", "current_delivery_id", "new_delivery_id", "expires_in", "resend_in"]
            .to_vec();
    expected.sort_unstable();
    assert_eq!(fields.len(), expected.len(), "{asked:?}");
    assert!(expected.iter().all(|field| fields.contains(field)), "{asked:?}");
    assert_eq!(
        (&body["success"], &body["message"]),
        (&json!(true), &json!("OTPs sent successfully"))
    );
    assert!((295..=300).contains(&body["expires_in"].as_u64().unwrap()), "{asked:?}");
    let current = &app.twilio.wait_for_sms(NUMBER, 3, SOON).await[2];
    let new = &app.twilio.wait_for_sms(NEW, 1, SOON).await[0];
    let codes = Codes { current: current.code(), new: new.code() };
    let text = format!(
        "{} is your code to move your Tea & Co account away from this number. Never share it.",
        codes.current
    );
    assert_eq!(current.body(), text);
    let text = format!(
        "{} is your code to use this number for your Tea & Co account. Never share it.",
        codes.new
    );
    assert_eq!(new.body(), text);
    for id in ["current_delivery_id", "new_delivery_id"] {
        app.delivery_is(body[id].as_str().unwrap(), "sent", SOON).await;
    }

    let changed = change(app.client(), &token, NEW, &codes).await.expect(200);
    let mut user = before.body["data"].clone();
    (user["phone_number"], user["version"]) = (json!(NEW), json!(2));
    assert_eq!(
        changed.body,
        json!({"success": true, "data": user, "message": "Phone number changed"})
    );

    app.client().protected(&token).await.expect(200);
    app.client().protected(&elsewhere).await.expect_code(401, "invalid_authorization_header");
    let notice = &app.twilio.wait_for_sms(NUMBER, 4, SOON).await[3];
    assert_eq!(notice.body(), NOTICE);
    assert!((3590..=3600).contains(&notice.validity()), "{notice:?}");

    let id = user["id"].to_string();
    let told = events(&app, &id, "kind || ' ' || coalesce(session_id, '')").await;
    let sessions: Vec<&str> = told.iter().map(|event| event.split_once(' ').unwrap().1).collect();
    let kinds: Vec<&str> = told.iter().map(|event| event.split_once(' ').unwrap().0).collect();
    assert_eq!(kinds, ["signed_up", "signed_in", "signed_out", "number_changed"]);
    assert_eq!(
        sessions[2..],
        [sessions[1], sessions[0]],
        "the other session ended, this one did it"
    );
    let details = events(&app, &id, "details").await;
    let parse = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert_eq!(parse(&details[2])["reason"], "number_changed");
    let masked = json!({"old_number": "+91********10", "new_number": "+91********11"});
    assert_eq!(parse(&details[3]), masked);

    // The new number opens the account, the old one begins another.
    let again = app.sign_in("Asha", NEW).await;
    assert_eq!(again.body["data"], user);
    let stranger = app.sign_in("Ravi", NUMBER).await;
    assert_eq!(stranger.body["message"], "User registered successfully");
    assert_ne!(stranger.body["data"]["id"], user["id"]);
    app.no_job_is_left(SOON).await;
    assert!(app.twilio.refusals().is_empty(), "{:?}", app.twilio);
}

#[async_test]
async fn the_notice_is_tried_again_like_any_sms() {
    let app = Plan::new().set("OTP_TTL_SECONDS", "30").start().await;
    let token = app.sign_in("Asha", NUMBER).await.token().to_owned();
    let codes = codes_of_change(&app, &token, NUMBER, NEW).await;
    app.twilio.script(NUMBER, [Reply::error(500, 20500), Reply::Error(429, 20429, Some(1))]);
    let before = app.twilio.tries(NUMBER).len();
    change(app.client(), &token, NEW, &codes).await.expect(200);
    let tries = app.twilio.wait_for_tries(NUMBER, before + 3, SOON).await;
    assert!(tries[before..].iter().all(|sms| sms.body() == tries[before].body()), "{tries:?}");
    assert!(tries[before].validity() > 3_000, "it does not end with the codes: {tries:?}");
    assert!(
        tries[before + 2].at - tries[before + 1].at >= Duration::from_secs(1),
        "the provider's word is waited for"
    );
    app.twilio.wait_for_sms(NUMBER, before + 1, SOON).await;
    app.no_job_is_left(SOON).await;
    assert_eq!(app.twilio.tries(NUMBER).len(), before + 3, "and sent once");

    // One that never works ends as a dead letter.
    let codes = codes_of_change(&app, &token, NEW, OTHER).await;
    app.twilio.script(NEW, [Reply::error(400, 21610)]);
    change(app.client(), &token, OTHER, &codes).await.expect(200);
    app.no_job_is_left(SOON).await;
    let letters = app.dead_letters().await;
    assert_eq!(letters.len(), 1, "{letters:?}");
    assert_eq!(
        (&letters[0]["reason"], &letters[0]["number"]),
        (&json!("opted_out"), &json!("+91********11"))
    );
}

#[async_test]
async fn of_two_accounts_that_want_one_number_one_gets_it() {
    let app = Plan::new().apis(2).start().await;
    for round in 0..5 {
        let numbers = [0, 1].map(|one| format!("+9198765440{round}{one}"));
        let wanted = format!("+9198765450{round}0");
        let mut wishes = Vec::new();
        for number in &numbers {
            let token = app.sign_in("Asha", number).await.token().to_owned();
            let codes = codes_of_change(&app, &token, number, &wanted).await;
            wishes.push((token, codes));
        }
        let calls = app.clients_in_turn().zip(&wishes).map(|(client, (token, codes))| {
            let wanted = wanted.clone();
            async move { change(&client, token, &wanted, codes).await }
        });
        let answers = join_all(calls).await;
        let winner = answers.iter().position(|answer| answer.status == 200).expect("one of them");
        let loser = 1 - winner;
        answers[loser].clone().expect_code(409, "phone_number_taken");
        assert_eq!(app.database.users_with(&wanted).await, 1);
        assert_eq!(app.database.users_with(&numbers[loser]).await, 1, "they keep theirs");
        assert_eq!(app.database.users_with(&numbers[winner]).await, 0);
        for (token, _) in &wishes {
            app.client().protected(token).await.expect(200);
        }
    }
}

#[async_test]
async fn simultaneous_moves_of_one_account_are_one() {
    let app = Plan::new().apis(2).start().await;
    let token = app.sign_in("Asha", NUMBER).await.token().to_owned();
    let codes = codes_of_change(&app, &token, NUMBER, NEW).await;
    let other = codes_of_change(&app, &token, NUMBER, OTHER).await;
    let bodies = [both(NEW, &codes.current, &codes.new), both(OTHER, &other.current, &other.new)];
    let calls = app.clients_in_turn().zip(bodies.iter().cycle()).take(20).map(|(client, body)| {
        let token = token.clone();
        async move { client.post_as(&token, PHONE_NUMBER, body).await }
    });
    let answers = join_all(calls).await;
    let moved: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(moved.len(), 1, "{answers:?}");
    for refused in answers.iter().filter(|answer| answer.status != 200) {
        // Who comes when it is over meets an account that has the number already, or whose number
        // sent no such code.
        let met = (refused.status, refused.body["code"].as_str().unwrap_or_default());
        let known = [(401, "invalid_otp"), (409, "edit_conflict"), (400, "same_phone_number")];
        assert!(known.contains(&met), "{refused:?}");
    }
    let versions: Vec<i32> = app.database.column("SELECT version FROM users").await;
    assert_eq!(versions, [2]);
    app.no_job_is_left(SOON).await;
    let notices =
        app.twilio.accepted(NUMBER).iter().filter(|sms| sms.body().contains("was changed")).count();
    assert_eq!(notices, 1);
}

/// The plan of its country changed, or the country is not served any more.
#[async_test]
async fn a_number_that_would_be_refused_today_can_be_left() {
    let app = App::start().await;
    let token = app.sign_in("Asha", NUMBER).await.token().to_owned();
    for (number, new) in [("+22997123456", NEW), ("+12025550143", OTHER)] {
        println!("{number}");
        app.database.execute(&format!("UPDATE users SET phone_number = '{number}'")).await;
        let codes = codes_of_change(&app, &token, number, new).await;
        change(app.client(), &token, new, &codes).await.expect(200);
        assert_eq!(app.database.users_with(new).await, 1);
    }
    app.no_job_is_left(SOON).await;
}
