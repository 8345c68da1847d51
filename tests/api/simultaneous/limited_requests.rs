//! A hundred requests at the same moment through two API processes: never one more than a limit
//! allows.

use std::time::Instant;

use futures_util::future::join_all;

use crate::support::app::{App, Plan, SOON};
use crate::support::client::Answer;
use crate::support::numbers::{TEST_NUMBER, abroad, address, neighbour, spread};
use crate::support::records::challenge;

const NUMBER: &str = "+919000000001";
const ELSEWHERE: &str = "198.51.100.1";

/// Limits, through two APIs that have been used before: what a test number asks for is charged to
/// nobody.
async fn two_apis<const N: usize>(limits: [(&str, &str); N]) -> App {
    let plan =
        Plan::new().apis(2).set("TRUSTED_PROXIES", "127.0.0.1").set("ALLOWED_COUNTRIES", "*");
    let plan = plan.set("TEST_NUMBERS", &format!("{TEST_NUMBER}=471100@2099-12-31"));
    let app =
        limits.into_iter().fold(plan, |plan, (name, value)| plan.set(name, value)).start().await;
    for client in app.clients_in_turn().take(2) {
        client.ask("Reviewer", TEST_NUMBER).await.expect(200);
        client.verify(TEST_NUMBER, "471100").await.expect(200);
    }
    app
}

/// A hundred numbers are asked for at once; returns how many get an SMS. All others hear of that
/// limit.
async fn allowed(
    app: &App,
    code: &str,
    number: fn(usize) -> String,
    address: fn(usize) -> String,
) -> usize {
    let asks = app
        .clients_in_turn()
        .take(100)
        .enumerate()
        .map(|(n, client)| async move { client.at(&address(n)).ask("Asha", &number(n)).await });
    let (sent, refused): (Vec<Answer>, Vec<Answer>) =
        join_all(asks).await.into_iter().partition(|answer| answer.status == 200);
    for answer in refused {
        answer.expect_code(429, code);
    }
    sent.len()
}

#[async_test]
async fn sends() {
    let app = two_apis([
        ("SENDS_PER_NUMBER_HOUR", "5"),
        ("SENDS_PER_ADDRESS_HOUR", "7"),
        ("SENDS_PER_RANGE_HOUR", "9"),
        ("SENDS_PER_FOREIGN_COUNTRY_HOUR", "11"),
        ("SENDS_PER_HOUR", "40"),
    ])
    .await;
    let begun = Instant::now();
    assert_eq!(allowed(&app, "number_hour_limit", |_| NUMBER.to_owned(), address).await, 5);
    assert_eq!(allowed(&app, "address_limit", spread, |_| ELSEWHERE.to_owned()).await, 7);
    assert_eq!(allowed(&app, "range_limit", neighbour, |n| address(100 + n)).await, 9);
    assert_eq!(allowed(&app, "country_limit", abroad, |n| address(200 + n)).await, 11);
    assert_eq!(allowed(&app, "service_limit", |n| spread(100 + n), |n| address(300 + n)).await, 8);

    app.no_job_is_left(SOON).await;
    let others = app.twilio.accepted_in_all() - app.twilio.accepted(NUMBER).len();
    assert_eq!(others, 35, "each send that was allowed is one SMS");
    // A job that still waits when its number is asked for again is dropped: one SMS with the code
    // is enough.
    assert!((1..=5).contains(&app.twilio.accepted(NUMBER).len()));

    let seconds = usize::try_from(begun.elapsed().as_secs()).unwrap();
    for api in &app.apis {
        let mut logged = api.events("send_refused");
        assert!(!logged.is_empty(), "each API tells of refusals");
        logged.retain(|event| event["reason"] == "number_hour");
        assert!(logged.len() <= seconds + 2, "one a second at most: {logged:?}");
    }
}

#[async_test]
async fn a_cooldown() {
    let app = two_apis([("SEND_COOLDOWN_SECONDS", "60")]).await;
    assert_eq!(allowed(&app, "resend_cooldown", |_| NUMBER.to_owned(), address).await, 1);
}

#[async_test]
async fn the_day_s_limits_and_the_default_country_s() {
    let app = two_apis([
        ("SENDS_PER_NUMBER_DAY", "9"),
        ("SENDS_PER_COUNTRY_HOUR", "13"),
        ("WRONG_GUESSES_PER_NUMBER_DAY", "3"),
    ])
    .await;
    assert_eq!(allowed(&app, "number_day_limit", |_| NUMBER.to_owned(), address).await, 6);
    assert_eq!(allowed(&app, "country_limit", spread, |n| address(100 + n)).await, 7);
    assert_eq!(guesses(&app, &[abroad(0)], address).await, 2);
    app.client().ask("Asha", &abroad(0)).await.expect_code(429, "wrong_guess_limit");
}

/// A hundred guesses at once, spread over so many numbers, each of which has a code; returns how
/// many were looked at.
async fn guesses(app: &App, numbers: &[String], from: fn(usize) -> String) -> u64 {
    let codes = join_all(numbers.iter().map(|number| app.code_for("Asha", number))).await;
    let targets = numbers.iter().zip(&codes).cycle();
    let calls = app.clients_in_turn().zip(targets).take(100).enumerate().map(
        |(n, (client, (number, code)))| async move {
            client.at(&from(n)).verify(number, &wrong(code)).await
        },
    );
    for answer in join_all(calls).await {
        answer.expect_error(401, "Invalid or expired OTP", "invalid_otp");
    }
    let looked_at =
        numbers.iter().map(|number| u64::from(challenge(&app.redis, number).guesses.unwrap_or(0)));
    looked_at.sum()
}

fn wrong(code: &str) -> String {
    let last = if code.ends_with('0') { '1' } else { '0' };
    format!("{}{last}", &code[..code.len() - 1])
}

#[async_test]
async fn wrong_guesses() {
    let app = two_apis([
        ("WRONG_GUESSES_PER_HOUR", "3"),
        ("WRONG_GUESSES_PER_ADDRESS_HOUR", "7"),
        ("WRONG_GUESSES_PER_NUMBER_HOUR", "4"),
    ])
    .await;
    let by_both = spread(0);
    assert_eq!(guesses(&app, std::slice::from_ref(&by_both), |_| ELSEWHERE.to_owned()).await, 3);
    let code = app.code_for("Asha", &by_both).await;
    app.client().at(ELSEWHERE).verify(&by_both, &code).await.expect_code(401, "invalid_otp");
    app.client().at(&address(0)).verify(&by_both, &code).await.expect(200);

    let many: Vec<String> = (1..=20).map(spread).collect();
    assert_eq!(guesses(&app, &many, |_| "198.51.100.2".to_owned()).await, 7);

    let by_number = spread(21);
    assert_eq!(guesses(&app, std::slice::from_ref(&by_number), address).await, 4);
    app.client().ask("Asha", &by_number).await.expect_code(429, "wrong_guess_limit");
}
