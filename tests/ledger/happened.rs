//! What operators are told of what happened.

use std::collections::BTreeMap;

use common::domain::phone::PhoneNumber;
use futures_util::future::join_all;

use super::{DAY, MINUTE, NUMBER, SECOND};
use crate::support::in_process::{InProcess, Setup};
use crate::support::numbers::{TEST_NUMBER, abroad, address, spread};

fn parsed(number: &str) -> PhoneNumber {
    PhoneNumber::parse(number, "IN".parse().unwrap()).unwrap()
}

/// What happened to the number, each with its provider and reason.
async fn history(app: &InProcess, number: &str) -> Vec<String> {
    let record = serde_json::to_value(app.numbers().record(&parsed(number)).await.unwrap());
    let history = record.unwrap()["history"].take();
    let told = |entry: &serde_json::Value| {
        let told = ["what", "provider", "reason"].map(|field| entry[field].as_str());
        told.into_iter().flatten().collect::<Vec<_>>().join(" ")
    };
    history.as_array().unwrap().iter().map(told).collect()
}

#[async_test]
async fn a_number_s_history_says_what_held_its_owner_up() {
    let app = Setup::defaults().start().await;
    let client = app.at(&address(0));
    let asked = client.ask(NUMBER).await.expect(200);
    app.advance(2 * SECOND);
    let code = app.deliver(&asked).await;
    client.guess_wrong(NUMBER, &code, 1).await;
    client.ask(NUMBER).await.expect_code(429, "resend_cooldown");
    client.verify(NUMBER, &code).await.expect(200);
    client.verify(NUMBER, &code).await.expect(401);
    assert_eq!(
        history(&app, NUMBER).await,
        [
            "asked",
            "sent test",
            "wrong_guess wrong",
            "refused cooldown",
            "verified",
            "wrong_guess none"
        ]
    );
    let record = app.numbers().record(&parsed(NUMBER)).await.unwrap();
    let refused = &record.history[3];
    assert_eq!(refused.until.unwrap().to_string(), {
        let cooldown = app.clock.unix_ms() + 28_000;
        common::runtime::clock::Timestamp::of_unix_ms(cooldown).to_string()
    });
    assert_eq!(record.history[1].delivery_id.as_deref(), Some(asked.delivery_id()));
    assert_eq!(
        app.counts().await,
        BTreeMap::from(
            [
                ("- - guess:none", 1),
                ("- - guess:wrong", 1),
                ("IN - asked", 1),
                ("IN - refused:cooldown", 1),
                ("IN test sent", 1),
                ("IN test verified", 1),
            ]
            .map(|(what, times)| (what.to_owned(), times))
        )
    );
}

#[async_test]
async fn a_history_has_fifty_entries_and_goes_a_day_after_the_last() {
    let app = Setup::limits_off().start().await;
    let client = app.at(&address(0));
    for _ in 0..60 {
        client.ask(NUMBER).await.expect(200);
    }
    assert_eq!(history(&app, NUMBER).await.len(), 50);
    let life = app.redis.lives()[&format!("{{cheershare}}:history:{NUMBER}")].unwrap();
    assert!(u128::from(life) <= DAY.as_millis());
    app.numbers().erase(parsed(NUMBER).e164()).await.unwrap();
    assert_eq!(history(&app, NUMBER).await, [""; 0]);
}

/// Nobody can fill Redis with the histories of numbers that were never sent to.
#[async_test]
async fn what_is_refused_is_told_of_numbers_that_were_sent_to_alone() {
    let app = Setup::limits_off().set("SENDS_PER_HOUR", 1).start().await;
    let client = app.at(&address(0));
    client.ask(&spread(0)).await.expect(200);
    for n in 1..20 {
        client.ask(&spread(n)).await.expect_code(429, "service_limit");
        client.guess_wrong(&spread(n), "123456", 1).await;
        assert_eq!(history(&app, &spread(n)).await, [""; 0]);
    }
    let counts = app.counts().await;
    assert_eq!((counts["IN - refused:service"], counts["- - guess:none"]), (19, 19));
}

#[async_test]
async fn a_test_number_counts_for_nothing() {
    let app =
        Setup::defaults().set("TEST_NUMBERS", "+919999999999=471100@2027-12-31").start().await;
    let client = app.at(&address(0));
    client.ask(TEST_NUMBER).await.expect(200);
    client.verify(TEST_NUMBER, "471100").await.expect(200);
    assert_eq!(app.counts().await, BTreeMap::new());
    assert_eq!(history(&app, TEST_NUMBER).await, [""; 0]);
}

#[async_test]
async fn the_minutes_are_kept_apart_for_eight_days() {
    let app = Setup::limits_off().start().await;
    let client = app.at(&address(0));
    for n in 0..3 {
        client.ask(&spread(n)).await.expect(200);
        app.advance(MINUTE);
    }
    let minutes = app.redis.lives();
    let minutes: Vec<_> =
        minutes.iter().filter(|(key, _)| key.starts_with("{cheershare}:counts:")).collect();
    assert_eq!(minutes.len(), 3);
    for (key, life) in minutes {
        assert!(u128::from(life.unwrap()) <= (8 * DAY).as_millis(), "{key}");
    }
}

/// A hundred at once, some of whom are refused, guess wrong or are abroad.
#[async_test]
async fn counts_are_exact_whatever_comes_at_once() {
    let app = Setup::limits_off()
        .set("ALLOWED_COUNTRIES", "*")
        .set("SEND_COOLDOWN_SECONDS", 30)
        .start()
        .await;
    let outcomes = join_all((0..100_usize).map(async |n| {
        let app = &app;
        let client = app.at(&address(n));
        let number = if n % 4 == 0 { abroad(n) } else { spread(n) };
        let asked = client.ask(&number).await.expect(200);
        client.ask(&number).await.expect_code(429, "resend_cooldown");
        let code = app.deliver(&asked).await;
        client.guess_wrong(&number, &code, n as u64 % 3).await;
        if n % 2 == 0 {
            client.verify(&number, &code).await.expect(200);
        }
        (n as i64 % 3, n % 2 == 0)
    }))
    .await;
    let counts = app.counts().await;
    let total = |what: &str| -> i64 {
        let of_what = counts.iter().filter(|(field, _)| field.ends_with(&format!(" {what}")));
        of_what.map(|(_, times)| times).sum()
    };
    assert_eq!([total("asked"), total("sent"), total("refused:cooldown")], [100; 3]);
    assert_eq!(total("guess:wrong"), outcomes.iter().map(|(wrong, _)| *wrong).sum::<i64>());
    let verified = outcomes.iter().filter(|(_, verified)| *verified).count();
    assert_eq!(total("verified"), i64::try_from(verified).unwrap());
    assert_eq!(counts["IN test sent"], 75);
}
