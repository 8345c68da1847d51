//! What operators are told of what happened.

use std::collections::BTreeMap;

use common::domain::delivery::{DeliveryStatus, Reason};
use common::domain::phone::PhoneNumber;
use common::ledger::outcome::{Outcome, ProviderState};
use futures_util::future::join_all;
use ulid::Ulid;

use super::{DAY, MINUTE, NUMBER, SECOND};
use crate::support::in_process::{InProcess, Setup};
use crate::support::ledger::Ledger;
use crate::support::numbers::{TEST_NUMBER, abroad, address, spread};

fn counted<const N: usize>(counts: [(&str, i64); N]) -> BTreeMap<String, i64> {
    counts.map(|(what, times)| (what.to_owned(), times)).into()
}

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
        counted([
            ("- - guess:none", 1),
            ("- - guess:wrong", 1),
            ("IN - asked", 1),
            ("IN - refused:cooldown", 1),
            ("IN test sent", 1),
            ("IN test verified", 1),
        ])
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

/// Strangers neither push out what happened before, nor prolong it.
#[async_test]
async fn the_same_refusal_in_a_row_is_one_line() {
    let app = Setup::defaults().start().await;
    let client = app.at(&address(0));
    client.ask(NUMBER).await.expect(200);
    let key = format!("{{cheershare}}:history:{NUMBER}");
    redis::cmd("PEXPIRE").arg(&key).arg(60_000).exec(&mut app.redis.connection()).unwrap();
    for n in 1..30 {
        app.at(&address(n)).ask(NUMBER).await.expect_code(429, "resend_cooldown");
    }
    assert_eq!(history(&app, NUMBER).await, ["asked", "refused cooldown"]);
    assert!(app.redis.lives()[&key].unwrap() <= 60_000);
    assert_eq!(app.counts().await["IN - refused:cooldown"], 29);
}

#[async_test]
async fn a_report_that_comes_again_counts_once() {
    let ledger = Ledger::new(300, &["test"], 0);
    let (job, claimant) = (ledger.ask(1).await, Ulid::generate());
    ledger.claim_try(&job, claimant).await;
    // Before its call is recorded, and again.
    for status in [DeliveryStatus::Sent, DeliveryStatus::Sent] {
        ledger.report(&job, status, None).await;
    }
    let sent = Outcome::sent("test", "SM1".to_owned());
    ledger.worker.record(&job, claimant, &sent).await.unwrap();
    for status in [DeliveryStatus::Sent, DeliveryStatus::Delivered, DeliveryStatus::Delivered] {
        ledger.report(&job, status, None).await;
    }
    assert_eq!(
        ledger.counts().await,
        counted([("IN - asked", 1), ("IN test delivered", 1), ("IN test sent", 1)])
    );
}

/// A provider that fails is seen by its calls, be they tried again or not; a number that it refuses
/// is not its failure.
#[async_test]
async fn a_call_that_failed_counts_though_no_other_follows() {
    let ledger = Ledger::new(300, &["test"], 0);
    for (last, outcome, state) in [
        (1, Outcome::failed("test", Reason::NoAnswer), ProviderState::Fails),
        (2, Outcome::failed("test", Reason::InvalidNumber), ProviderState::Works),
    ] {
        let (job, claimant) = (ledger.ask(last).await, Ulid::generate());
        ledger.claim_try(&job, claimant).await;
        let outcome = outcome.with_provider_state(state, None, None);
        ledger.worker.record(&job, claimant, &outcome).await.unwrap();
    }
    assert_eq!(
        ledger.counts().await,
        counted([("IN - asked", 2), ("IN test attempt_failed", 1), ("IN test failed", 2)])
    );
}

/// However many countries are asked for in vain.
#[async_test]
async fn refusals_make_so_many_counts_of_a_minute_and_no_more() {
    let app = Setup::limits_off().set("SENDS_PER_HOUR", 1).start().await;
    let client = app.at(&address(0));
    client.ask(&spread(0)).await.expect(200);
    let key = format!("{{cheershare}}:counts:{}", app.clock.unix_ms() / 60_000);
    let mut redis = app.redis.connection();
    for n in 0..200 {
        redis::cmd("HSET").arg(&key).arg(format!("{n}  x")).arg(1).exec(&mut redis).unwrap();
    }
    client.ask(&spread(1)).await.expect_code(429, "service_limit");
    let counts = app.counts().await;
    assert_eq!(counts["- - refused:service"], 1);
    assert!(!counts.contains_key("IN - refused:service"));
}

/// Whoever asks much fills no Redis with lists of SMS.
#[async_test]
async fn of_each_status_the_last_ten_thousand_are_listed() {
    let app = Setup::limits_off().start().await;
    let client = app.at(&address(0));
    let key = "{cheershare}:deliveries:asked";
    let fill =
        "for n = 1, 10000 do redis.call('RPUSH', KEYS[1], cmsgpack.pack({ n, 'an id' })) end";
    let mut redis = app.redis.connection();
    let _: () = redis::Script::new(fill).key(key).invoke(&mut redis).unwrap();
    client.ask(NUMBER).await.expect(200);
    let length: usize = redis::cmd("LLEN").arg(key).query(&mut redis).unwrap();
    assert_eq!(length, 10_000);
    assert!(u128::from(app.redis.lives()[key].unwrap()) <= DAY.as_millis());
}

#[async_test]
async fn what_was_erased_does_not_come_back() {
    let app = Setup::limits_off().start().await;
    let client = app.at(&address(0));
    let asked = client.ask(NUMBER).await.expect(200);
    let code = app.deliver(&asked).await;
    client.verify(NUMBER, &code).await.expect(200);
    // Its code is another one by now.
    client.ask(NUMBER).await.expect(200);
    app.numbers().erase(parsed(NUMBER).e164()).await.unwrap();
    let kept = app.redis.lives().into_keys();
    let kept: Vec<_> =
        kept.filter(|key| key.contains("delivery") || key.contains("history")).collect();
    assert_eq!(kept, [""; 0]);
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
    let listed = app.redis.lives().into_keys().filter(|key| key.contains(":deliveries:")).count();
    assert_eq!(listed, 0);
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
