//! Owners are not locked out by strangers.

use std::time::Duration;

use super::{DAY, HOUR, MILLISECOND, MINUTE, NUMBER};
use crate::support::in_process::{InProcess, Setup};
use crate::support::numbers::{abroad, address, spread};

const HOME: &str = "198.51.100.1";

async fn known_at_home(setup: Setup) -> InProcess {
    let app = setup.start().await;
    app.at(HOME).sign_in(NUMBER).await;
    app.advance(7 * DAY);
    app
}

/// Fifty strangers ask and guess, each as often as told.
async fn strangers(app: &InProcess, times: u64) {
    for stranger in 0..50 {
        let stranger = app.at(&address(stranger));
        stranger.ask(NUMBER).await;
        stranger.guess_wrong(NUMBER, "123456", times).await;
    }
}

#[async_test]
async fn strangers_at_fifty_addresses_do_not_keep_the_owner_out() {
    let app = known_at_home(Setup::defaults()).await;
    for _ in 0..6 {
        strangers(&app, 2).await;
        app.advance(10 * MINUTE);
    }
    let owner = app.at(HOME);
    owner.ask(NUMBER).await.expect(200);
    // What is for all they can burn before it is sent, but not what is the owner's own.
    strangers(&app, 2).await;
    app.advance(MINUTE / 2);
    let asked = owner.ask(NUMBER).await.expect(200);
    strangers(&app, 2).await;
    app.at(&address(0)).ask(NUMBER).await.expect(429);
    let code = app.deliver(&asked).await;
    strangers(&app, 2).await;
    owner.verify(NUMBER, &code).await.expect(200);
    owner.sign_in(NUMBER).await;
}

/// A carrier's address has many people behind it.
#[async_test]
async fn a_stranger_behind_the_owner_s_address_guesses_at_others() {
    let app = known_at_home(Setup::defaults()).await;
    let home = app.at(HOME);
    for n in 0..100 {
        home.guess_wrong(&spread(n), "123456", 1).await;
    }
    home.sign_in(NUMBER).await;
    home.ask(&spread(0)).await.expect_code(429, "wrong_guess_limit");
    home.sign_in(NUMBER).await;
}

/// Strangers use up what is for all: their part of a day's eleven sends.
async fn seven_strangers_ask(app: &InProcess) {
    for n in 0..7 {
        let asked = app.at(&address(n)).ask(NUMBER).await.expect(200);
        app.advance(Duration::from_secs(asked.body["resend_in"].as_u64().unwrap()));
    }
}

#[async_test]
async fn an_owner_s_cooldown_is_not_what_strangers_have_brought_it_to() {
    let setup = Setup::limits_off().set("SEND_COOLDOWN_SECONDS", 30);
    let app = known_at_home(setup.set("SENDS_PER_NUMBER_DAY", 11)).await;
    seven_strangers_ask(&app).await;
    app.at(&address(7)).ask(NUMBER).await.expect_code(429, "number_day_limit");
    let owner = app.at(HOME);
    let asked = owner.ask(NUMBER).await.expect(200);
    assert_eq!(asked.body["resend_in"], 30);
    for doublings in 0..3 {
        let wait = MINUTE / 2 * 2_u32.pow(doublings);
        app.refused_for(wait, "resend_cooldown", async || owner.ask(NUMBER).await).await;
    }
    app.advance(HOUR);
    owner.ask(NUMBER).await.expect_code(429, "number_day_limit");
}

/// A client that sends its request twice by mistake costs one SMS, also from a known address.
#[async_test]
async fn nobody_gets_two_sms_at_once() {
    let app = known_at_home(Setup::limits_off().set("SEND_COOLDOWN_SECONDS", 30)).await;
    let owner = app.at(HOME);
    owner.ask(NUMBER).await.expect(200);
    let asked =
        app.refused_for(MINUTE / 2, "resend_cooldown", async || owner.ask(NUMBER).await).await;
    assert_eq!(asked.body["resend_in"], 60);
    // What is for all waits for a minute now, the owner's own cooldown is new.
    let asked =
        app.refused_for(MINUTE / 2, "resend_cooldown", async || owner.ask(NUMBER).await).await;
    assert_eq!(asked.body["resend_in"], 30);
}

/// They cap what an SMS flood costs and how often a code can be guessed, whoever it is. A third of
/// each is the known addresses' own.
#[async_test]
async fn of_the_caps_of_a_day_a_part_is_the_owner_s_own() {
    let limits = Setup::limits_off().set("SENDS_PER_NUMBER_HOUR", 1).set("SENDS_PER_NUMBER_DAY", 5);
    let app = known_at_home(limits).await;
    for n in 0..3 {
        app.at(&address(n)).ask(NUMBER).await.expect(200);
        app.advance(HOUR);
    }
    app.at(&address(3)).ask(NUMBER).await.expect_code(429, "number_day_limit");
    let owner = app.at(HOME);
    owner.ask(NUMBER).await.expect(200);
    app.refused_for(HOUR, "number_hour_limit", async || owner.ask(NUMBER).await).await;
    // The first of the strangers' sends is the first that a day has passed since.
    let left = DAY - 4 * HOUR;
    app.refused_for(left, "number_day_limit", async || owner.ask(NUMBER).await).await;

    let app = known_at_home(Setup::limits_off().set("WRONG_GUESSES_PER_NUMBER_DAY", 6)).await;
    let owner = app.at(HOME);
    let code = owner.code_for(NUMBER).await;
    for n in 0..4 {
        app.at(&address(n)).guess_wrong(NUMBER, &code, 1).await;
    }
    app.at(&address(4)).verify(NUMBER, &code).await.expect_code(401, "invalid_otp");
    app.at(&address(4)).ask(NUMBER).await.expect_code(429, "wrong_guess_limit");
    owner.guess_wrong(NUMBER, &code, 1).await;
    owner.verify(NUMBER, &code).await.expect(200);
    let code = owner.code_for(NUMBER).await;
    owner.guess_wrong(NUMBER, &code, 1).await;
    owner.verify(NUMBER, &code).await.expect_code(401, "invalid_otp");
    app.refused_for(DAY, "wrong_guess_limit", async || owner.ask(NUMBER).await).await;
}

/// Ten wrong guesses for an OTP, as many as NIST's hundred of a day have sends: five for all, and
/// then five for known addresses.
#[async_test]
async fn an_owner_s_guesses_at_an_otp_are_counted() {
    let app = known_at_home(Setup::limits_off()).await;
    let (owner, stranger) = (app.at(HOME), app.at(&address(0)));
    let code = owner.code_for(NUMBER).await;
    stranger.guess_wrong(NUMBER, &code, 6).await;
    stranger.verify(NUMBER, &code).await.expect_code(401, "invalid_otp");
    owner.guess_wrong(NUMBER, &code, 4).await;
    assert_eq!(owner.code_for(NUMBER).await, code, "sent again, because it can be used here");
    owner.guess_wrong(NUMBER, &code, 1).await;
    owner.verify(NUMBER, &code).await.expect_code(401, "invalid_otp");
    owner.ask(NUMBER).await.expect_code(429, "otp_burned");
}

#[async_test]
async fn an_owner_is_known_for_ninety_days() {
    let foreign = abroad(0);
    let setup = || {
        let setup = Setup::limits_off().set("ALLOWED_COUNTRIES", "*");
        setup.set("SENDS_PER_FOREIGN_COUNTRY_HOUR", 1)
    };
    for (age, known) in [(90 * DAY - MILLISECOND, true), (90 * DAY, false)] {
        let app = setup().start().await;
        app.at(HOME).sign_in(&foreign).await;
        app.advance(age);
        app.at(&address(0)).ask(&abroad(1)).await.expect(200);
        let stranger = app.at(&address(1)).ask(&foreign).await;
        let owner = app.at(HOME).ask(&foreign).await;
        if known {
            stranger.expect(200);
            owner.expect(200);
        } else {
            stranger.expect_code(429, "country_limit");
            owner.expect_code(429, "country_limit");
        }
    }
}

#[async_test]
async fn a_number_remembers_twenty_addresses() {
    let app = Setup::limits_off().set("SEND_COOLDOWN_SECONDS", 30).start().await;
    for n in 0..21 {
        app.at(&address(n)).sign_in(NUMBER).await;
        app.advance(MINUTE);
    }
    for _ in 0..2 {
        app.at(HOME).ask(NUMBER).await.expect(200);
        app.advance(MINUTE / 2);
    }
    app.at(&address(0)).ask(NUMBER).await.expect_code(429, "resend_cooldown");
    for n in 1..21 {
        app.at(&address(n)).ask(NUMBER).await.expect(200);
    }
}

/// Another secret seals now; whom the old one has marked is known all the same.
#[async_test]
async fn a_rotated_secret_knows_the_owner() {
    let before = known_at_home(Setup::limits_off().set("SEND_COOLDOWN_SECONDS", 30)).await;
    let secrets = format!(
        "a-new-secret-of-the-tests-1c2d3e4f5a6b7c8d9e0f,{}",
        crate::support::settings::OTP_SECRET
    );
    let rotated = Setup::limits_off().set("SEND_COOLDOWN_SECONDS", 30).set("OTP_SECRET", secrets);
    let after = rotated.start_beside(&before).await;
    after.advance(7 * DAY);
    for _ in 0..2 {
        after.at(&address(0)).ask(NUMBER).await.expect(200);
        after.advance(MINUTE / 2);
    }
    after.at(&address(1)).ask(NUMBER).await.expect_code(429, "resend_cooldown");
    after.at(HOME).ask(NUMBER).await.expect(200);
}
