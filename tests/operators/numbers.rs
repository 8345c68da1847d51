//! `api number`

use std::time::Duration;

use redis::Commands;
use serde_json::json;

use super::{MASKED, NUMBER, json, text};
use crate::support::app::{App, Plan, SOON};
use crate::support::in_process::Setup;
use crate::support::numbers::OTHER_NUMBER;

/// A guess of another length than the OTP is never right.
const WRONG: &str = "0000000";

#[async_test]
async fn show_tells_of_a_number_that_never_asked() {
    let app = Plan::new().workers(0).start().await;
    let record = json(&app, &format!("api number show {NUMBER}")).await;
    let nothing = json!({"hour": 0, "day": 0});
    assert_eq!(record["number"], MASKED);
    assert_eq!((&record["sends"], &record["wrong_guesses"]), (&nothing, &nothing));
    assert_eq!((&record["challenges"], &record["deliveries"]), (&json!([]), &json!([])));
    assert_eq!((&record["cooldown_seconds"], &record["known_addresses"]), (&0.into(), &0.into()));
    assert!(record["blocked"].is_null());
}

#[async_test]
async fn show_tells_what_is_known_and_neither_number_nor_code() {
    let app = Plan::new()
        .set("SEND_COOLDOWN_SECONDS", "600")
        .set("SENDS_PER_NUMBER_DAY", "10")
        .set("SENDS_PER_RANGE_HOUR", "10")
        .set("WRONG_GUESSES_PER_NUMBER_DAY", "100")
        .set("OTP_LENGTH", "10")
        .start()
        .await;
    let show = format!("api number show {NUMBER}");
    let asked = app.client().ask("Asha", NUMBER).await.expect(200);
    let code = app.twilio.wait_for_sms(NUMBER, 1, SOON).await[0].code();
    app.delivery_is(asked.delivery_id(), "sent", SOON).await;
    for _ in 0..2 {
        app.client().verify(NUMBER, WRONG).await.expect(401);
    }
    let record = json(&app, &show).await;
    assert_eq!(
        (&record["sends"], &record["wrong_guesses"]),
        (&json!({"hour": 1, "day": 1}), &json!({"hour": 2, "day": 2}))
    );
    let cooldown = record["cooldown_seconds"].as_u64().unwrap();
    assert!((500..=600).contains(&cooldown), "{cooldown}");
    let challenge = &record["challenges"][0];
    assert_eq!((&challenge["purpose"], &challenge["state"]), (&"sign_in".into(), &"live".into()));
    assert_eq!(
        (&challenge["wrong_guesses"], &challenge["wrong_guesses_from_known_addresses"]),
        (&2.into(), &0.into())
    );
    let delivery = &record["deliveries"][0];
    assert_eq!(delivery["delivery_id"], asked.delivery_id());
    assert_eq!((&delivery["status"], &delivery["provider"]), (&"sent".into(), &"twilio".into()));
    assert_eq!((&delivery["tries"], &delivery["reason"]), (&1.into(), &json!(null)));
    let range = &record["buckets"][0];
    assert_eq!(
        (&range["bucket"], &range["capacity"]),
        (&format!("range of {MASKED}").into(), &10.into())
    );
    assert!((0.9..=1.0).contains(&range["level"].as_f64().unwrap()), "{range}");
    assert_eq!(record["buckets"][1], json!({"bucket": "country IN", "level": 0.0, "capacity": 0}));
    assert_eq!(record["buckets"][2]["bucket"], "service");

    let told = text(&app, &show).await;
    for words in
        [MASKED, "blocked          no", "sign_in, live", "1 in the last hour", asked.delivery_id()]
    {
        assert!(told.contains(words), "{words} is not in {told}");
    }
    for secret in [&NUMBER[3..], &code] {
        assert!(!(record.to_string() + &told).contains(secret), "{told}");
    }

    app.client().verify(NUMBER, &code).await.expect(200);
    let record = json(&app, &format!("api number show {}", &NUMBER[3..])).await;
    assert_eq!(
        (&record["challenges"][0]["state"], &record["known_addresses"]),
        (&"used".into(), &1.into())
    );
    assert_eq!(record["buckets"][0]["level"], 0.0, "its send is given back");
    assert_eq!(record["cooldown_seconds"], 0);
}

#[async_test]
async fn unlock_lets_a_number_ask_and_guess_at_once() {
    let app = Plan::new()
        .set("SEND_COOLDOWN_SECONDS", "600")
        .set("SENDS_PER_NUMBER_HOUR", "1")
        .set("WRONG_GUESSES_PER_HOUR", "5")
        .set("WRONG_GUESSES_PER_NUMBER_DAY", "100")
        .start()
        .await;
    app.code_for("Ravi", OTHER_NUMBER).await;
    let code = app.code_for("Asha", NUMBER).await;
    for _ in 0..5 {
        app.client().verify(NUMBER, WRONG).await.expect(401);
    }
    app.client().ask("Asha", NUMBER).await.expect(429);
    app.client().verify(NUMBER, &code).await.expect(401);
    assert_eq!(
        json(&app, &format!("api number show {NUMBER}")).await["challenges"][0]["state"],
        "burned"
    );

    let unlocked = json(&app, &format!("api number unlock {NUMBER}")).await;
    let forgotten = json!({"cooldown": true, "sends": 1, "wrong_guesses": 5, "burned_codes": 1});
    assert_eq!(unlocked, json!({"number": MASKED, "forgotten": forgotten}));
    app.client().ask("Ravi", OTHER_NUMBER).await.expect(429);
    app.sign_in("Asha", NUMBER).await;
    app.client().ask("Ravi", OTHER_NUMBER).await.expect(429);

    let told = text(&app, &format!("api number unlock {OTHER_NUMBER}")).await;
    let expected =
        "is unlocked. Forgotten: its cooldown, sends: 1, wrong guesses: 0, burned codes: 0.";
    assert!(told.contains(expected), "{told}");
    // Its code was not burned, and is still good.
    assert_eq!(
        json(&app, &format!("api number show {OTHER_NUMBER}")).await["challenges"][0]["state"],
        "live"
    );
    app.sign_in("Ravi", OTHER_NUMBER).await;
}

#[async_test]
async fn unlock_opens_it_from_known_addresses_too() {
    let app = Plan::new()
        .set("SEND_COOLDOWN_SECONDS", "600")
        .set("SENDS_PER_NUMBER_HOUR", "1")
        .start()
        .await;
    app.sign_in("Asha", NUMBER).await;
    app.code_for("Asha", NUMBER).await;
    app.client().ask("Asha", NUMBER).await.expect(429);
    text(&app, &format!("api number unlock {NUMBER}")).await;
    app.sign_in("Asha", NUMBER).await;
}

#[async_test]
async fn a_blocked_number_can_neither_ask_nor_guess_until_it_is_unblocked() {
    let app = App::start().await;
    let code = app.code_for("Asha", NUMBER).await;
    let until_unblocked = json!({"until": null});
    let blocked = json(&app, &format!("api number block {NUMBER}")).await;
    assert_eq!(blocked, json!({"number": MASKED, "blocked": until_unblocked, "changed": true}));
    let refused = app.client().ask("Asha", NUMBER).await;
    assert!(refused.headers.get("retry-after").is_none(), "nobody knows: {refused:?}");
    refused.expect_error(403, "This number is blocked", "number_blocked");
    app.client().verify(NUMBER, &code).await.expect_error(
        401,
        "Invalid or expired OTP",
        "invalid_otp",
    );
    app.client().verify(NUMBER, WRONG).await.expect_error(
        401,
        "Invalid or expired OTP",
        "invalid_otp",
    );
    assert_eq!(json(&app, &format!("api number show {NUMBER}")).await["blocked"], until_unblocked);
    assert!(
        text(&app, &format!("api number show {NUMBER}"))
            .await
            .contains("blocked          until it is unblocked")
    );
    app.sign_in("Ravi", OTHER_NUMBER).await;

    let unblocked = json(&app, &format!("api number unblock {NUMBER}")).await;
    assert_eq!(unblocked, json!({"number": MASKED, "blocked": null, "changed": true}));
    app.client().verify(NUMBER, &code).await.expect(200);
    let told = text(&app, &format!("api number unblock {NUMBER}")).await;
    assert_eq!(told, format!("{MASKED} was not blocked.\n"));
}

#[async_test]
async fn erase_forgets_a_person_and_not_what_guards_against_abuse() {
    let app = Plan::new()
        .set("SENDS_PER_NUMBER_DAY", "10")
        .set("WRONG_GUESSES_PER_NUMBER_DAY", "100")
        .start()
        .await;
    app.sign_in("Asha", NUMBER).await;
    let asked = app.client().ask("Asha", NUMBER).await.expect(200);
    app.delivery_is(asked.delivery_id(), "sent", SOON).await;
    let code = app.twilio.wait_for_sms(NUMBER, 2, SOON).await[1].code();
    app.client().verify(NUMBER, WRONG).await.expect(401);
    text(&app, &format!("api number block {NUMBER}")).await;

    assert_eq!(
        text(&app, &format!("api number erase {NUMBER}")).await,
        format!("{MASKED} is erased. Forgotten: OTPs: 1, known addresses: 1.\n")
    );
    let record = json(&app, &format!("api number show {NUMBER}")).await;
    assert_eq!((&record["challenges"], &record["deliveries"]), (&json!([]), &json!([])));
    assert_eq!(record["known_addresses"], 0);
    assert_eq!((&record["sends"]["day"], &record["wrong_guesses"]["day"]), (&2.into(), &1.into()));
    assert!(record["blocked"].is_object());
    text(&app, &format!("api number unblock {NUMBER}")).await;
    app.client().verify(NUMBER, &code).await.expect(401);

    // Nothing looks through the keys, however many there are.
    let stats: String =
        redis::cmd("INFO").arg("commandstats").query(&mut app.redis.connection()).unwrap();
    assert!(!stats.contains("cmdstat_scan"), "{stats}");
}

#[async_test]
async fn a_number_is_blocked_for_a_time() {
    let app = App::start().await;
    let told = text(&app, &format!("api number block {NUMBER} --minutes 2")).await;
    assert!(
        told.starts_with(&format!("{MASKED} is blocked until 20")) && told.ends_with("Z.\n"),
        "{told}"
    );
    app.client().ask("Asha", NUMBER).await.expect_code(403, "number_blocked");
    let left: i64 = app.redis.connection().pttl(format!("{{cheershare}}:number:{NUMBER}")).unwrap();
    assert!((60_000..=120_000).contains(&left), "{left} ms");
    assert_eq!(
        text(&app, &format!("api number unblock {NUMBER}")).await,
        format!("{MASKED} is unblocked.\n")
    );
    app.sign_in("Asha", NUMBER).await;
}

mod in_process {
    use super::*;

    #[async_test]
    async fn a_block_ends_by_the_clock() {
        let app = Setup::limits_off().start().await;
        let client = app.at("203.0.113.7");
        let code = client.code_for(NUMBER).await;
        let (numbers, number) = (app.numbers(), NUMBER.parse().unwrap());
        numbers.block(&number, Some(Duration::from_secs(60))).await.unwrap();
        app.advance(Duration::from_millis(59_999));
        client.ask(NUMBER).await.expect_code(403, "number_blocked");
        client.verify(NUMBER, &code).await.expect(401);
        app.advance(Duration::from_millis(1));
        client.verify(NUMBER, &code).await.expect(200);
        client.ask(NUMBER).await.expect(200);
    }
}
