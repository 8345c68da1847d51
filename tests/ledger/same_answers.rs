//! Who has an account cannot be told from any answer to somebody who does not have their code.

use std::time::Duration;

use http::HeaderMap;
use serde_json::Value;

use super::{DAY, HOUR, MINUTE, NUMBER, SECOND};
use crate::support::client::Answer;
use crate::support::in_process::{InProcess, Setup, another};
use crate::support::numbers::{address, spread};

/// All of an answer but what is random in it.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

impl From<Answer> for Seen {
    fn from(answer: Answer) -> Self {
        let Answer { status, mut headers, mut body, .. } = answer;
        assert!(headers.remove("x-request-id").is_some(), "each request has an id of its own");
        if let Some(fields) = body.as_object_mut()
            && let Some(id) = fields.get_mut("delivery_id")
        {
            assert!(id.as_str().is_some_and(|id| !id.is_empty()), "{id}");
            *id = Value::Null;
        }
        Self { status, headers, body }
    }
}

/// An app on which the number has signed in last week, at home, or nobody ever has.
async fn start(known: bool) -> InProcess {
    // The bucket of the country would be met before the one of the service.
    let app =
        Setup::defaults().set("SENDS_PER_COUNTRY_HOUR", 0).set("SENDS_PER_HOUR", 50).start().await;
    if known {
        app.at("198.51.100.1").sign_in(NUMBER).await;
    }
    app.advance(7 * DAY);
    app
}

/// How often is guessed after asking, and how long is waited then: up to the hour's limit, the
/// day's, and a quiet start.
fn schedule() -> impl Iterator<Item = (u64, Duration)> {
    let to_the_hour_s = [(0, 31), (1, 61), (2, 121), (0, 241), (6, 481), (1, 3600)];
    let to_the_hour_s =
        to_the_hour_s.into_iter().map(|(guesses, seconds)| (guesses, seconds * SECOND));
    let to_the_day_s = (0..40).map(|round| (round % 7, HOUR / 2));
    to_the_hour_s.chain(to_the_day_s).chain([(0, 2 * DAY), (6, MINUTE)])
}

/// Everything that somebody without the code can try, up to every limit that is not about ranges
/// and countries.
async fn probe(app: &InProcess) -> Vec<Seen> {
    let mut seen = Vec::new();
    for (round, (guesses, pause)) in schedule().enumerate() {
        let prober = app.at(&address(round / 3));
        let asked = prober.ask(NUMBER).await;
        let code =
            if asked.status == 200 { app.deliver(&asked).await } else { "123456".to_owned() };
        seen.push(asked);
        seen.push(prober.ask(NUMBER).await);
        for step in 1..=guesses {
            seen.push(prober.verify(NUMBER, &another(&code, step)).await);
        }
        seen.push(prober.ask(NUMBER).await);
        for otp in ["", "1", "123", "12345678901", "abcdef", "12345"] {
            seen.push(prober.verify(NUMBER, otp).await);
        }
        let unnamed = format!(r#"{{"phone_number":"{NUMBER}","name":" "}}"#);
        seen.push(prober.post(unnamed).await);
        app.advance(pause);
    }
    let prober = app.at(&address(100));
    app.advance(2 * DAY);
    for n in 0..20 {
        prober.ask(&spread(n)).await.expect(200);
    }
    seen.push(prober.ask(NUMBER).await);
    for n in 20..50 {
        app.at(&address(1_000 + n)).ask(&spread(n)).await.expect(200);
    }
    seen.push(app.at(&address(101)).ask(NUMBER).await);
    seen.into_iter().map(Seen::from).collect()
}

#[async_test]
async fn known_and_unknown_numbers_get_the_same_answers() {
    let (known, unknown) = (start(true).await, start(false).await);
    let (known, unknown) = tokio::join!(probe(&known), probe(&unknown));
    assert_eq!(known.len(), unknown.len());
    for (step, (known, unknown)) in known.iter().zip(&unknown).enumerate() {
        assert_eq!(known, unknown, "step {step}");
    }
    for (status, code) in [
        (401, "invalid_otp"),
        (400, "name_required"),
        (429, "resend_cooldown"),
        (429, "otp_burned"),
        (429, "number_hour_limit"),
        (429, "number_day_limit"),
        (429, "address_limit"),
        (429, "service_limit"),
    ] {
        let met = known.iter().any(|seen| seen.status == status && seen.body["code"] == code);
        assert!(met, "the probe never met {status} {code}");
    }
}

const SHARED: &str = "198.51.100.7";

/// Who signed in lately, and from there, shows in one number's answers an hour at each address.
async fn answers_about(app: &InProcess, numbers: &[String]) -> Vec<Seen> {
    let mut seen = Vec::new();
    for number in numbers {
        for from in [SHARED, &address(500)] {
            seen.push(app.at(from).ask(number).await);
            seen.push(app.at(from).verify(number, "123456").await);
        }
    }
    seen.into_iter().map(Seen::from).collect()
}

fn differ(one: &[Seen], other: &[Seen]) -> usize {
    assert_eq!(one.len(), other.len());
    one.iter().zip(other).filter(|(one, other)| one != other).count()
}

/// Two apps whose history differs in who signed in from a shared address only.
async fn with_and_without_customers(setup: impl Fn() -> Setup) -> [(InProcess, Vec<String>); 2] {
    let mut apps = Vec::new();
    for customers in [true, false] {
        let app = setup().start().await;
        let numbers: Vec<_> = (0..8).map(spread).collect();
        for number in &numbers {
            if customers {
                app.at(SHARED).sign_in(number).await;
            }
        }
        app.advance(7 * DAY);
        apps.push((app, numbers));
    }
    apps.try_into().ok().unwrap()
}

/// Of a number that strangers have asked for, the cooldown would tell.
#[async_test]
async fn a_cooldown_tells_of_one_number_an_hour_who_signed_in_at_a_shared_address() {
    let setup = || Setup::defaults().set("SENDS_PER_COUNTRY_HOUR", 0);
    let mut all = Vec::new();
    for (app, numbers) in with_and_without_customers(setup).await {
        let mut seen = Vec::new();
        for hour in 0..3 {
            let stranger = app.at(&address(hour));
            for _ in 0..2 {
                for number in &numbers {
                    stranger.ask(number).await;
                }
                app.advance(MINUTE / 2);
            }
            seen.push(answers_about(&app, &numbers).await);
            seen.push(answers_about(&app, &numbers).await);
            app.advance(HOUR);
        }
        all.push(seen);
    }
    for (step, (with, without)) in all[0].iter().zip(&all[1]).enumerate() {
        let different = differ(with, without);
        println!("step {step}: {different}");
        assert!(different <= 1, "step {step}: {different}");
    }
    assert!(differ(&all[0].concat(), &all[1].concat()) > 0, "the owner of one gets in");
}

/// Nor does it matter which limit is full: wrong guesses from there, a range, the country.
#[async_test]
async fn a_full_limit_tells_of_one_number_an_hour_who_is_a_customer() {
    for (setting, value) in [
        ("WRONG_GUESSES_PER_ADDRESS_HOUR", 3),
        ("WRONG_GUESSES_PER_NETWORK_HOUR", 3),
        ("SENDS_PER_COUNTRY_HOUR", 8),
    ] {
        let mut all = Vec::new();
        for (app, numbers) in
            with_and_without_customers(|| Setup::limits_off().set(setting, value)).await
        {
            for n in 0..8 {
                app.at(&address(n)).ask(&spread(100 + n)).await.expect(200);
            }
            app.at(SHARED).guess_wrong(&spread(200), "123456", 3).await;
            app.at(&address(500)).guess_wrong(&spread(200), "123456", 3).await;
            all.push(answers_about(&app, &numbers).await);
        }
        let different = differ(&all[0], &all[1]);
        println!("{setting}: {different}");
        // One at each of two addresses at most, and from the other address only for a bucket.
        let addresses = if setting == "SENDS_PER_COUNTRY_HOUR" { 2 } else { 1 };
        assert_eq!(different, addresses, "{setting}");
    }
}

/// Where an address may send to nobody, its answers do not depend on who is a customer at all.
#[async_test]
async fn a_full_address_learns_nothing_from_a_full_bucket() {
    let setup =
        || Setup::limits_off().set("SENDS_PER_ADDRESS_HOUR", 4).set("SENDS_PER_COUNTRY_HOUR", 4);
    let mut all = Vec::new();
    for (app, numbers) in with_and_without_customers(setup).await {
        let prober = app.at(&address(0));
        for n in 100..104 {
            prober.ask(&spread(n)).await.expect(200);
        }
        let mut seen = Vec::new();
        for number in &numbers {
            seen.push(Seen::from(prober.ask(number).await));
        }
        assert!(seen.iter().all(|seen| seen.status == 429), "{seen:?}");
        all.push(seen);
    }
    assert_eq!(differ(&all[0], &all[1]), 0);
}
