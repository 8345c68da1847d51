//! The main job, from beginning to end.

use serde_json::json;

use crate::support::app::{App, SOON};
use crate::support::fake_twilio::SENDER;
use crate::support::numbers::NUMBER;

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

/// 26 characters of base32 (RFC 4648), without padding.
fn assert_is_token(token: &str) {
    assert_eq!(token.len(), 26, "{token}");
    assert!(token.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'2'..=b'7')), "{token}");
}
