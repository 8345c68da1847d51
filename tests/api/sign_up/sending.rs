//! The first half of `POST /signup`: asking for an OTP.

use serde_json::json;

use crate::support::app::{App, Plan, SOON};
use crate::support::numbers::NUMBER;

#[async_test]
async fn asking_says_what_comes_and_how_long_it_lives() {
    let app = App::start().await;
    let asked = app.client().ask("Asha", NUMBER).await.expect(200);
    assert!(asked.header("content-type").starts_with("application/json"), "{asked:?}");
    let body = asked.body.as_object().unwrap();
    assert_eq!(body["success"], true);
    assert_eq!(body["message"], "OTP sent successfully");
    assert!(body["delivery_id"].as_str().is_some_and(|id| !id.is_empty()), "{asked:?}");
    let expires_in = body["expires_in"].as_u64().unwrap();
    assert!((295..=300).contains(&expires_in), "{asked:?}");
    assert!(body["resend_in"].is_u64(), "{asked:?}");

    let again = app.client().ask("Asha", NUMBER).await.expect(200);
    assert_ne!(again.body["delivery_id"], body["delivery_id"]);
    app.twilio.wait_for_sms(NUMBER, 1, SOON).await;
}

#[async_test]
async fn asking_again_sends_the_same_code() {
    let app = App::start().await;
    let first = app.code_for("Asha", NUMBER).await;
    let second = app.code_for("Asha", NUMBER).await;
    assert_eq!(first, second, "a late SMS stays good");
    app.client().verify(NUMBER, &first).await.expect(200);
    let third = app.code_for("Asha", NUMBER).await;
    app.client().verify(NUMBER, &third).await.expect(200);
}

#[async_test]
async fn codes_are_as_long_as_the_setting_says_and_differ() {
    for length in ["4", "10"] {
        let app = Plan::new().set("OTP_LENGTH", length).start().await;
        let mut codes = Vec::new();
        for last in 0..4 {
            let number = format!("+91987654321{last}");
            let code = app.code_for("Asha", &number).await;
            assert_eq!(code.len().to_string(), length, "{code}");
            codes.push(code);
        }
        let first = &codes[0];
        // With four digits this is wrong once in 10^12 runs.
        assert!(codes.iter().any(|code| code != first), "{codes:?}");
    }
}

#[async_test]
async fn the_name_of_the_app_is_in_the_sms() {
    let app = Plan::new().set("APP_NAME", "Tea & Co").start().await;
    let code = app.code_for("Asha", NUMBER).await;
    let text = format!("Thank you for choosing Tea & Co! Your one-time password is {code}.");
    assert_eq!(app.twilio.accepted(NUMBER)[0].body(), text);
}

#[async_test]
async fn numbers_that_cannot_be_phone_numbers() {
    let app = Plan::new().workers(0).start().await;
    let long = "9".repeat(5_000);
    for number in [
        "abc",
        "1",
        "12345",
        "+",
        "+91",
        "+9198765",
        "+9198765432109876543210",
        "+0009876543210",
        "98765\u{0}43210",
        "+91 98765 4321o",
        "user@example.org",
        "\u{260e}",
        "+919876543210; DROP TABLE users",
        &long,
    ] {
        println!("{number}");
        app.client().ask("Asha", number).await.expect_code(400, "invalid_phone_number");
        app.client().verify(number, "123456").await.expect_code(400, "invalid_phone_number");
    }
}

#[async_test]
async fn names_that_are_too_long_or_cannot_be_seen_or_have_control_characters() {
    let app = Plan::new().workers(0).start().await;
    let long = "A".repeat(10_000);
    let one_too_many = "\u{e9}".repeat(101);
    for name in
        ["A\u{0}B", "\u{0}", "A\nB", "A\u{1b}[31m", "A\u{7f}", "A\u{85}B", &one_too_many, &long]
    {
        println!("{name:?}");
        app.client().ask(name, NUMBER).await.expect_code(400, "invalid_name");
    }
    for unseen in ["\u{200b}", "\u{2800}", "\u{3164}", "Asha\u{202e}"] {
        println!("{unseen:?}");
        app.client().ask(unseen, NUMBER).await.expect_code(400, "invalid_name");
    }
    let longest = "\u{e9}".repeat(100);
    for name in [
        "A",
        "\u{905}\u{928}\u{928}\u{94d}\u{92f}\u{93e}",
        "श्री\u{200d}",
        "Anne-Marie O'Neill \u{1f600}",
        &longest,
    ] {
        println!("{name:?}");
        app.client().ask(name, NUMBER).await.expect(200);
    }
}

#[async_test]
async fn all_spellings_of_one_number_are_one_user() {
    let app = App::start().await;
    let spellings = [
        "+919876543210",
        "9876543210",
        "09876543210",
        "00919876543210",
        "98765 43210",
        "+91-98765-43210",
        "+91 (98765) 43210",
        "+91.98765.43210",
        "\u{202d}+91 98765\u{2212}43210\u{202c},",
        "९८७६५ ४३२१०",
        "TEL:919876543210",
    ];
    for (index, spelling) in spellings.iter().enumerate() {
        println!("{spelling}");
        app.client().ask("Asha", spelling).await.expect(200);
        let sms = app.twilio.wait_for_sms(NUMBER, index + 1, SOON).await;
        let other = spellings[(index + 1) % spellings.len()];
        let signed_in = app.client().verify(other, &sms[index].code()).await.expect(200);
        assert_eq!(signed_in.body["data"]["phone_number"], NUMBER);
    }
    let users: Vec<String> = app.database.column("SELECT phone_number FROM users").await;
    assert_eq!(users, [NUMBER]);
    assert_eq!(
        app.twilio.counts().len(),
        1,
        "all SMS went to one number: {:?}",
        app.twilio.counts()
    );
}

#[async_test]
async fn an_otp_in_the_same_request_makes_it_a_sign_in() {
    let app = App::start().await;
    let both = json!({"name": "Asha", "phone_number": NUMBER, "otp": "123456"});
    let answer = app.client().post("/signup", &both).await;
    answer.expect_error(401, "Invalid or expired OTP", "invalid_otp");
    app.code_for("Asha", NUMBER).await;
    assert_eq!(app.twilio.tries(NUMBER).len(), 1);
}
