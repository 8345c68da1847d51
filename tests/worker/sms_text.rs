//! What the SMS says, as the settings want it.

use crate::support::app::{App, Plan};
use crate::support::numbers::NUMBER;

#[async_test]
async fn template_and_origin_are_in_the_sms() {
    let app = Plan::new()
        .set("APP_NAME", "Tea & Co")
        .set("OTP_TTL_SECONDS", "290")
        .set(
            "SMS_TEMPLATE",
            "{app}. Your one-time password is {code}, for {minutes} minutes. Once more: {code}.",
        )
        .set("OTP_ORIGIN", "Sign-In.example.com")
        .start()
        .await;
    let code = app.code_for("Asha", NUMBER).await;
    let text = format!(
        "Tea & Co. Your one-time password is {code}, for 5 minutes. Once more: {code}.\n\n@sign-in.example.com #{code}"
    );
    assert_eq!(app.twilio.accepted(NUMBER)[0].body(), text);
    app.client().verify(NUMBER, &code).await.expect(200);
}

#[async_test]
async fn the_usual_text_fits_one_segment() {
    let app = App::start().await;
    assert!(app.workers[0].events("sms_of_many_segments").is_empty());
}

#[async_test]
async fn a_text_of_more_than_one_segment_is_said_and_sent() {
    // A single letter outside of GSM-7, the ê, is enough for UCS-2.
    let template = "Bienvenue à la fête ! Your one-time password is {code}.";
    let app = Plan::new()
        .apis(1)
        .set("OTP_LENGTH", "10")
        .set("OTP_ORIGIN", "example.com")
        .set("SMS_TEMPLATE", template);
    let app = app.start().await;
    let said = app.workers[0].events("sms_of_many_segments");
    assert_eq!(said.len(), 1, "{said:?}");
    let code = app.code_for("Asha", NUMBER).await;
    let text = template.replace("{code}", &code) + "\n\n@example.com #" + &code;
    assert_eq!(app.twilio.accepted(NUMBER)[0].body(), text);
    assert_eq!(said[0]["encoding"], "UCS-2");
    assert_eq!(said[0]["characters"], text.chars().count());
    assert_eq!(said[0]["segments"], 2);
}
