//! After a conversation no OTP and no token is to be found in Redis, its file, the database or a
//! log, nor a whole number in a log.

use data_encoding::{BASE32_NOPAD, BASE64, HEXLOWER, HEXUPPER};
use serde_json::{Value, json};

use crate::support::app::{App, Plan, SOON};
use crate::support::fake_twilio::{API_KEY, Reply};
use crate::support::numbers::NUMBER;
use crate::support::settings::OTP_SECRET;

/// The same number without its country, as people and libraries also write it.
const NATIONAL: &str = "9876543210";

/// Everything that stays: Redis with its file, the database, and all that the processes wrote.
async fn places(app: &App) -> [(&'static str, Vec<u8>); 3] {
    [
        ("Redis", app.redis.everything()),
        ("the database", app.database.everything().await),
        ("a log", app.logs().into_bytes()),
    ]
}

fn has(place: &[u8], secret: &[u8]) -> bool {
    place.windows(secret.len()).any(|window| window == secret)
}

/// The ways in which a secret of text is likely to be written down.
fn spellings(secret: &str) -> Vec<Vec<u8>> {
    let bytes = secret.as_bytes();
    vec![
        bytes.to_vec(),
        secret.to_lowercase().into_bytes(),
        BASE64.encode(bytes).trim_end_matches('=').as_bytes().to_vec(),
        HEXLOWER.encode(bytes).into_bytes(),
        HEXUPPER.encode(bytes).into_bytes(),
    ]
}

async fn is_nowhere(app: &App, what: &str, spellings: &[Vec<u8>]) {
    for (name, place) in places(app).await {
        for spelling in spellings {
            assert!(
                !has(&place, spelling),
                "{what} is in {name} as {}",
                String::from_utf8_lossy(spelling)
            );
        }
    }
}

fn the_logs_hold_no_number(app: &App) {
    for line in app.logs().lines() {
        assert!(!line.contains(NATIONAL), "a whole number in a log: {line}");
    }
}

/// Ten digits, so that no other number is one by chance; all that the programs can say is logged.
async fn talkative_app() -> App {
    let plan = Plan::new().append_only().set("OTP_LENGTH", "10");
    plan.set("LOG", "debug").set("RUST_LOG", "debug").start().await
}

#[async_test]
async fn a_scan_finds_what_is_there() {
    let app = talkative_app().await;
    app.sign_in("Asha of the scan", NUMBER).await;
    let [(_, redis), (_, database), (_, logs)] = places(&app).await;
    assert!(has(&redis, NUMBER.as_bytes()));
    assert!(has(&database, b"Asha of the scan"));
    assert!(has(&logs, b"listening") && has(&logs, b"worker_started"));
}

#[async_test]
async fn no_otp_and_no_token_is_kept_in_clear() {
    let app = talkative_app().await;
    // While the SMS waits for its second try, job, challenge and retry are all at rest.
    app.twilio.script(NUMBER, [Reply::Error(429, 20429, Some(1))]);
    app.client().ask("Asha", NUMBER).await.expect(200);
    let code = app.twilio.wait_for_tries(NUMBER, 1, SOON).await[0].code();
    assert_eq!(code.len(), 10);
    is_nowhere(&app, "the OTP, waiting", &spellings(&code)).await;

    app.twilio.wait_for_sms(NUMBER, 1, SOON).await;
    is_nowhere(&app, "the OTP, sent", &spellings(&code)).await;

    let wrong = format!("{:010}", (code.parse::<u64>().unwrap() + 1) % 10_000_000_000);
    app.client().verify(NUMBER, &wrong).await.expect_code(401, "invalid_otp");
    is_nowhere(&app, "a wrong guess", &spellings(&wrong)).await;

    let signed_in = app.client().verify(NUMBER, &code).await.expect(200);
    let token = signed_in.token();
    app.client().protected(token).await.expect(200);
    app.client()
        .protected(&token.to_lowercase())
        .await
        .expect_code(401, "invalid_authorization_header");
    app.no_job_is_left(SOON).await;
    is_nowhere(&app, "the used OTP", &spellings(&code)).await;
    let mut token_spellings = spellings(token);
    let bytes = BASE32_NOPAD.decode(token.as_bytes()).unwrap();
    token_spellings.extend([
        HEXLOWER.encode(&bytes).into_bytes(),
        HEXUPPER.encode(&bytes).into_bytes(),
        bytes,
    ]);
    is_nowhere(&app, "the token", &token_spellings).await;
    for secret in [OTP_SECRET, API_KEY] {
        is_nowhere(&app, "a secret of the settings", &spellings(secret)).await;
    }
    the_logs_hold_no_number(&app);
}

#[async_test]
async fn changes_of_accounts_give_nothing_away() {
    const NEW: &str = "+919123456780";
    let app = talkative_app().await;
    let token = app.sign_in("Asha", NUMBER).await.token().to_owned();
    let change = async |body: Value| app.client().post_as(&token, "/me/phone-number", &body).await;
    app.twilio.script(NEW, [Reply::Error(429, 20429, Some(1))]);
    change(json!({"phone_number": NEW})).await.expect(200);
    let new = app.twilio.wait_for_sms(NEW, 1, SOON).await[0].code();
    let current = app.twilio.wait_for_sms(NUMBER, 2, SOON).await[1].code();
    is_nowhere(&app, "the current number's OTP", &spellings(&current)).await;
    is_nowhere(&app, "the new number's OTP", &spellings(&new)).await;
    change(json!({"phone_number": NEW, "current_otp": current, "new_otp": current}))
        .await
        .expect(401);
    change(json!({"phone_number": NEW, "current_otp": current, "new_otp": new})).await.expect(200);
    app.twilio.wait_for_sms(NUMBER, 3, SOON).await;

    app.client().post_as(&token, "/me/deletion", &json!({})).await.expect(200);
    let deletion = app.twilio.wait_for_sms(NEW, 2, SOON).await[1].code();
    app.client().post_as(&token, "/me/deletion", &json!({"otp": deletion})).await.expect(200);
    app.no_job_is_left(SOON).await;
    for (what, code) in [("the current", current), ("the new", new), ("the deletion's", deletion)] {
        is_nowhere(&app, &format!("{what} OTP, used"), &spellings(&code)).await;
    }
    the_logs_hold_no_number(&app);
    assert!(!app.logs().contains(&NEW[3..]), "a whole number in a log");
    let events = app.database.column::<String>("SELECT details FROM events").await;
    assert!(events.is_empty(), "{events:?}");
}

#[async_test]
async fn failures_give_nothing_away_either() {
    let mut app = talkative_app().await;
    // Twilio repeats the number in what it says.
    app.twilio.script(NUMBER, [Reply::error(500, 20500), Reply::Close, Reply::error(400, 21211)]);
    app.client().ask("Asha", NUMBER).await.expect(200);
    let code = app.twilio.wait_for_tries(NUMBER, 1, SOON).await[0].code();
    app.no_job_is_left(SOON).await;
    app.client().ask("A\u{0}", NUMBER).await.expect_code(400, "invalid_name");
    let text = format!(r#"{{"phone_number":"{NUMBER}","otp":"{code}","more":1}}"#);
    let malformed = app.client().post_raw("/signup", "application/json", text).await;
    malformed.expect_error(400, "Invalid request payload", "invalid_payload");
    app.client().get(&format!("/signup/{NUMBER}/{code}"), None).await.expect_code(404, "not_found");

    let outage = app.database.fail().await;
    app.client().verify(NUMBER, &code).await.expect_code(503, "unavailable");
    app.database.restore(outage).await;
    app.redis.stop();
    app.client().ask("Asha", NUMBER).await.expect_code(503, "unavailable");
    app.client().verify(NUMBER, &code).await.expect_code(503, "unavailable");
    app.redis.start_again();

    is_nowhere(&app, "the OTP", &spellings(&code)).await;
    the_logs_hold_no_number(&app);
}
