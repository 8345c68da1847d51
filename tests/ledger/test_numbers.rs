//! Test numbers sign in without an SMS, until their last day has ended.

use super::{DAY, HOUR, MILLISECOND, MINUTE, NUMBER};
use crate::support::in_process::{InProcess, Setup};
use crate::support::numbers::address;

/// The tests begin at 08:00 on 2027-01-15.
const TEST_NUMBERS: &str = "+919876543210=471100@2027-01-16, +12025550143=815@2027-01-16";
const CODE: &str = "471100";

async fn app() -> InProcess {
    Setup::defaults().set("TEST_NUMBERS", TEST_NUMBERS.replace("=815@", "=8150@")).start().await
}

fn jobs(app: &InProcess) -> usize {
    app.redis.lives().keys().filter(|key| key.starts_with("{cheershare}:sms")).count()
}

#[async_test]
async fn a_test_number_asks_and_signs_in_without_an_sms_or_a_cooldown() {
    let app = app().await;
    for n in 0..30 {
        let client = app.at(&address(n));
        let asked = client.ask(NUMBER).await.expect(200);
        assert_eq!((&asked.body["expires_in"], &asked.body["resend_in"]), (&300.into(), &0.into()));
        client.verify(NUMBER, CODE).await.expect(200);
        client.ask(NUMBER).await.expect(200);
        client.ask(NUMBER).await.expect(200);
    }
    assert_eq!(jobs(&app), 0, "no SMS");
    // In another country than the one that is served.
    let client = app.at(&address(0));
    client.ask("+12025550143").await.expect(200);
    client.verify("+12025550143", "8150").await.expect(200);
    let charged: Vec<String> =
        app.redis.lives().into_keys().filter(|key| key.contains(":bucket:")).collect();
    assert!(charged.is_empty(), "{charged:?}");
    // It may ask without end, from any number of addresses, so the newest ten are kept.
    let mut deliveries = app.redis.lives();
    deliveries.retain(|key, _| key.starts_with("{cheershare}:delivery:"));
    assert_eq!(deliveries.len(), 11);
    let longest = deliveries.values().map(|life| life.unwrap_or(u64::MAX)).max().unwrap();
    assert!(u128::from(longest) <= (6 * MINUTE).as_millis(), "{longest} ms");
}

#[async_test]
async fn its_code_is_no_good_before_it_asks_and_after_it_was_used() {
    let app = app().await;
    let client = app.at(&address(0));
    client.verify(NUMBER, CODE).await.expect_code(401, "invalid_otp");
    client.ask(NUMBER).await.expect(200);
    client.verify("+12025550143", CODE).await.expect_code(401, "invalid_otp");
    client.verify(NUMBER, CODE).await.expect(200);
    client.verify(NUMBER, CODE).await.expect_code(401, "invalid_otp");
}

#[async_test]
async fn limits_on_guesses_stay() {
    let app = app().await;
    let client = app.at(&address(0));
    client.ask(NUMBER).await.expect(200);
    client.guess_wrong(NUMBER, CODE, 5).await;
    client.verify(NUMBER, CODE).await.expect_code(401, "invalid_otp");
    app.refused_for(5 * MINUTE, "otp_burned", async || client.ask(NUMBER).await).await;
    client.guess_wrong(NUMBER, CODE, 4).await;
    app.advance(10 * MINUTE);
    client.ask(NUMBER).await.expect(200);
    client.guess_wrong(NUMBER, CODE, 1).await;
    client.verify(NUMBER, CODE).await.expect_code(401, "invalid_otp");
    app.advance(HOUR);
    client.ask(NUMBER).await.expect(200);
    client.verify(NUMBER, CODE).await.expect(200);
}

#[async_test]
async fn after_its_last_day_it_is_a_number_like_any_other() {
    let app = app().await;
    let client = app.at(&address(0));
    app.advance(16 * HOUR + DAY - MILLISECOND);
    client.ask(NUMBER).await.expect(200);
    client.verify(NUMBER, CODE).await.expect(200);
    assert_eq!(jobs(&app), 0);
    app.advance(MILLISECOND);
    let asked = client.ask(NUMBER).await.expect(200);
    assert!(jobs(&app) > 0, "an SMS");
    assert_eq!(asked.body["resend_in"], 30);
    client.ask(NUMBER).await.expect_code(429, "resend_cooldown");
    let code = app.deliver(&asked).await;
    if code != CODE {
        client.verify(NUMBER, CODE).await.expect_code(401, "invalid_otp");
    }
    client.verify(NUMBER, &code).await.expect(200);
    client.ask("+12025550143").await.expect_code(403, "destination_not_allowed");
}

/// Numbers for films are nobody's, so that no SMS can go astray.
#[async_test]
async fn numbers_for_films_can_be_test_numbers() {
    let numbers = "+447700900123=471100@2027-01-16, +12025550123=471100@2027-01-16";
    let app = Setup::defaults().set("TEST_NUMBERS", numbers).start().await;
    let client = app.at(&address(0));
    for number in ["+44 7700 900123", "+44 (0)7700 900123", "+1 202-555-0123"] {
        client.ask(number).await.expect(200);
        client.verify(number, CODE).await.expect(200);
    }
    client.ask("+447700900124").await.expect_code(403, "destination_not_allowed");
    assert_eq!(jobs(&app), 0);
}
