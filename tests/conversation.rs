//! The main job, from beginning to end.

use std::time::Duration;

use serde_json::json;

use crate::operators;
use crate::support::app::{App, Plan, SOON};
use crate::support::fake_twilio::{Reply, SENDER};
use crate::support::numbers::{NUMBER, OTHER_NUMBER};

#[async_test]
async fn ask_read_the_sms_sign_in_and_come_back() {
    let app = App::start().await;

    let asked = app.client().ask("Asha", "98765 43210").await.expect(200);
    assert_eq!(asked.body["success"], true);
    assert_eq!(asked.body["message"], "OTP sent successfully");

    let sms = &app.twilio.wait_for_sms(NUMBER, 1, SOON).await[0];
    let code = sms.code();
    let text = format!("Thank you for choosing Cheershare! Your one-time password is {code}.");
    assert_eq!(sms.body(), text);
    assert_eq!(sms.fields["From"], SENDER);
    assert_eq!(code.len(), 6, "{text}");
    assert!((1..=300).contains(&sms.validity()), "{sms:?}");

    let first = app.client().verify(NUMBER, &code).await.expect(200);
    assert_eq!(first.body["success"], true);
    assert_eq!(first.body["message"], "User registered successfully");
    let user = &first.body["data"];
    assert_eq!(user["name"], "Asha");
    assert_eq!(user["phone_number"], NUMBER);
    assert_eq!(user["version"], 1);
    assert_is_token(first.token());

    let protected = app.client().protected(first.token()).await.expect(200);
    assert_eq!(protected.body, json!({"data": "Protected"}));

    let second = app.sign_in("Somebody else", NUMBER).await;
    assert_eq!(second.body["message"], "User logged in successfully");
    assert_eq!(second.body["data"]["id"], user["id"]);
    assert_eq!(second.body["data"]["created_at"], user["created_at"]);
    assert_ne!(second.token(), first.token());
    app.client().protected(second.token()).await.expect(200);
    app.client().protected(first.token()).await.expect(200);

    assert_eq!(app.database.users_with(NUMBER).await, 1);
    assert_eq!(app.twilio.tries(NUMBER).len(), 2, "one try for each SMS");
    assert!(app.twilio.refusals().is_empty(), "{:?}", app.twilio);
}

/// Managed services offer it: all keys are in one slot, and what else there is on the same node.
#[async_test]
async fn a_cluster_of_one_shard_serves_as_well() {
    let mut app = Plan::new().limits(1_000).cluster().start().await;
    let session = app.sign_in("Asha", NUMBER).await;
    app.client().protected(session.token()).await.expect(200);

    // What a worker held that was killed goes to another.
    app.twilio.script(OTHER_NUMBER, [Reply::accept_after(Duration::from_secs(60))]);
    let asked = app.client().ask("Asha", OTHER_NUMBER).await.expect(200);
    app.twilio.wait_for_tries(OTHER_NUMBER, 1, SOON).await;
    app.workers[0].signal("KILL");
    app.start_worker().await;
    app.delivery_is(asked.delivery_id(), "sent", Duration::from_secs(40)).await;
    app.no_job_is_left(SOON).await;

    // Operators see and change it.
    let record = operators::json(&app, &format!("api number show {NUMBER}")).await;
    assert_eq!((&record["sends"]["day"], &record["known_addresses"]), (&1.into(), &1.into()));
    for command in [
        format!("api number block {NUMBER}"),
        format!("api number unlock {NUMBER}"),
        format!("api bucket show range {NUMBER}"),
        "worker queue".to_owned(),
    ] {
        operators::json(&app, &command).await;
    }
}

/// 26 characters of base32 (RFC 4648), without padding.
fn assert_is_token(token: &str) {
    assert_eq!(token.len(), 26, "{token}");
    assert!(token.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'2'..=b'7')), "{token}");
}
