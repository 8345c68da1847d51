//! What the ledger leaves in Redis, and how often it asks.

use std::collections::BTreeMap;

use common::ledger::records::read;
use futures_util::future::join_all;

use super::{DAY, HOUR, MINUTE, NUMBER};
use crate::support::in_process::{InProcess, Setup};
use crate::support::numbers::{TEST_NUMBER, abroad, address, neighbour, spread};

/// All but the queue's own.
fn ledger_keys(app: &InProcess) -> BTreeMap<String, Option<u64>> {
    let mut keys = app.redis.lives();
    keys.retain(|key, _| !key.starts_with("{cheershare}:sms:") && !key.starts_with("core:apalis"));
    keys
}

/// Everything that the ledger does, many times over.
async fn storm(app: &InProcess) {
    for round in 0..3 {
        for n in 0..24 {
            let client = app.at(&address(n / 2));
            for number in [&spread(n), &neighbour(n), &abroad(n), NUMBER] {
                let asked = client.ask(number).await;
                if asked.status == 200 && n % 2 == 0 {
                    let code = app.deliver(&asked).await;
                    client.guess_wrong(number, &code, n as u64 % 7).await;
                    client.verify(number, &code).await;
                }
            }
            client.ask(TEST_NUMBER).await;
            client.verify(TEST_NUMBER, "471100").await;
            client.guess_wrong(&spread(1_000 + n), "123456", 1).await;
            client.ask("+19002345678").await.expect(403);
            client.ask("98765").await.expect(400);
        }
        app.advance((round + 1) * 20 * MINUTE);
    }
}

#[async_test]
async fn every_key_of_the_ledger_expires() {
    let setup = Setup::defaults()
        .set("ALLOWED_COUNTRIES", "*")
        .set("TEST_NUMBERS", "+919999999999=471100@2027-12-31");
    let app = setup.start().await;
    storm(&app).await;
    let keys = ledger_keys(&app);
    for kind in [
        "delivery:",
        "number:",
        "known:",
        "wrong:address:",
        "history:",
        "deliveries:asked",
        "deliveries:sent",
        "counts:",
        "bucket:address:",
        "bucket:range:",
        "bucket:country:",
        "bucket:all",
    ] {
        assert!(
            keys.keys().any(|key| key.starts_with(&format!("{{cheershare}}:{kind}"))),
            "the storm made no {kind}"
        );
    }
    for (key, life) in keys {
        let longest = match key.split(':').nth(1) {
            Some("known") => 90 * DAY,
            Some("counts") => 8 * DAY,
            _ => DAY + MINUTE * 10,
        };
        let life = life.unwrap_or_else(|| panic!("{key} never expires"));
        assert!(u128::from(life) <= longest.as_millis(), "{key} lives for {life} ms");
    }
}

#[async_test]
async fn refusals_do_not_make_keys() {
    let app = Setup::limits_off()
        .set("SENDS_PER_HOUR", 3)
        .set("SEND_COOLDOWN_SECONDS", 30)
        .set("WRONG_GUESSES_PER_ADDRESS_HOUR", 10)
        .set("WRONG_GUESSES_PER_NUMBER_HOUR", 10)
        .start()
        .await;
    for n in 0..3 {
        app.at(&address(0)).ask(&spread(n)).await.expect(200);
    }
    let names = || app.redis.lives().into_keys().collect::<Vec<_>>();
    let before = names();
    for n in 0..100 {
        app.at(&address(n)).ask(&spread(n)).await.expect(429);
        app.at(&address(n)).ask("+12025550143").await.expect_code(403, "destination_not_allowed");
        app.at(&address(n)).ask("12025550143").await.expect_code(400, "invalid_phone_number");
        app.at(&address(n)).verify(&spread(n), "12.34").await.expect_code(401, "invalid_otp");
    }
    assert_eq!(names(), before);

    // One address that guesses at everybody: one key, and after its limit not even a longer one.
    for n in 0..100 {
        app.at(&address(0)).guess_wrong(&spread(100 + n), "123456", 1).await;
    }
    let mut with_guesses = before;
    with_guesses.push(format!("{{cheershare}}:wrong:address:{}", address(0)));
    with_guesses.sort();
    assert_eq!(names(), with_guesses);
    let mut redis = app.redis.connection();
    let kept: Vec<u8> =
        redis::cmd("GET").arg(&with_guesses[with_guesses.len() - 1]).query(&mut redis).unwrap();
    let guesses: Vec<i64> = read(&kept).unwrap();
    assert_eq!(guesses.len(), 10);
}

/// Many IPv6 addresses of one subscriber are one.
#[async_test]
async fn an_ipv6_subscriber_is_one_address() {
    let app = Setup::limits_off().set("SENDS_PER_ADDRESS_HOUR", 2).start().await;
    app.at("2001:db8:1:2::1").ask(&spread(0)).await.expect(200);
    app.at("2001:db8:1:2:ffff::2").ask(&spread(1)).await.expect(200);
    app.at("[2001:db8:1:2::3]:4711").ask(&spread(2)).await.expect_code(429, "address_limit");
    app.at("2001:db8:1:3::1").ask(&spread(3)).await.expect(200);
    app.at("203.0.113.7").ask(&spread(4)).await.expect(200);
    app.at("::ffff:203.0.113.7").ask(&spread(5)).await.expect(200);
    app.at("203.0.113.7:80").ask(&spread(6)).await.expect_code(429, "address_limit");
}

#[async_test]
async fn a_send_and_a_verification_are_one_round_trip_each() {
    let app = Setup::defaults().start().await;
    let client = app.at(&address(0));
    client.sign_in(NUMBER).await;
    let number = spread(0);
    let (asked, commands) = app.redis.commands_during(client.ask(&number)).await;
    let asked = asked.expect(200);
    assert_eq!(commands.len(), 1, "{commands:?}");
    let code = app.deliver(&asked).await;
    let (_, commands) = app.redis.commands_during(client.guess_wrong(&number, &code, 1)).await;
    assert_eq!(commands.len(), 1, "{commands:?}");
    let (verified, commands) = app.redis.commands_during(client.verify(&number, &code)).await;
    verified.expect(200);
    assert_eq!(commands.len(), 1, "{commands:?}");
    assert!(commands[0].contains("EVALSHA"), "{commands:?}");
    let (refused, commands) = app.redis.commands_during(client.ask("+12025550143")).await;
    refused.expect(403);
    assert!(commands.is_empty(), "{commands:?}");

    // A Redis that has lost its scripts is told them again: at most three commands, once.
    redis::cmd("SCRIPT").arg("FLUSH").exec(&mut app.redis.connection()).unwrap();
    let (asked, commands) = app.redis.commands_during(client.ask(&number)).await;
    asked.expect(200);
    assert!(commands.len() <= 3, "{commands:?}");
}

/// In one process as between two: no more than the limit, whatever comes at once.
#[async_test]
async fn counters_tell_operators_why() {
    let app = Setup::limits_off()
        .set("SENDS_PER_NUMBER_HOUR", 5)
        .set("WRONG_GUESSES_PER_HOUR", 3)
        .start()
        .await;
    let client = app.at(&address(0));
    let asks = join_all((0..50).map(|_| client.ask(NUMBER))).await;
    assert_eq!(asks.iter().filter(|asked| asked.status == 200).count(), 5);
    join_all((0..10).map(|_| client.verify(NUMBER, "12345"))).await;
    app.advance(HOUR);
    client.verify(NUMBER, "12345").await.expect(401);
    client.verify(&spread(0), "12345").await.expect(401);
    let refusals = &app.state.rejections;
    let named = |kind: &str, count: u64| (count > 0).then(|| format!("{kind} {count}"));
    let sends: Vec<_> =
        refusals.sends().filter_map(|(kind, count)| named(kind.into_str(), count)).collect();
    let mut guesses: Vec<_> =
        refusals.guesses().filter_map(|(kind, count)| named(kind.into_str(), count)).collect();
    guesses.sort();
    assert_eq!(sends, ["number_hour 45"]);
    assert_eq!(guesses, ["closed 7", "expired 1", "none 1", "wrong 3"]);
}
