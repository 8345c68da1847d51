//! The life of a code: until it expires, is used, or is replaced.

use common::domain::otp::Otp;
use common::domain::purpose::Purpose;
use common::ledger::deliveries::Claim;
use common::ledger::otp::{OtpRequester, VerifyOutcome};
use sea_orm::ConnectionTrait;
use serde_json::json;

use super::{HOUR, MILLISECOND, MINUTE, NUMBER, SECOND};
use crate::support::client::Answer;
use crate::support::in_process::{Caller, Setup};
use crate::support::numbers::{address, spread};

fn is_refused(answer: Answer) {
    answer.expect_error(401, "Invalid or expired OTP", "invalid_otp");
}

#[async_test]
async fn a_code_lives_exactly_as_long_as_the_setting_says() {
    for seconds in [30, 300, 600] {
        let app = Setup::limits_off().set("OTP_TTL_SECONDS", seconds).start().await;
        let client = app.at(&address(0));
        let asked = client.ask(NUMBER).await.expect(200);
        assert_eq!(asked.body["expires_in"], seconds);
        let code = app.deliver(&asked).await;
        app.advance(seconds * SECOND - MILLISECOND);
        client.verify(NUMBER, &code).await.expect(200);

        let code = client.code_for(NUMBER).await;
        app.advance(seconds * SECOND);
        is_refused(client.verify(NUMBER, &code).await);
        client.sign_in(NUMBER).await;
    }
}

/// NIST SP 800-63B: no code is good for more than ten minutes, however often it is sent again.
#[async_test]
async fn a_resend_renews_a_code_while_a_full_life_ends_within_ten_minutes() {
    let app = Setup::limits_off().start().await;
    let client = app.at(&address(0));
    let code = client.code_for(NUMBER).await;
    for minute in [4, 5] {
        app.advance(if minute == 4 { 4 * MINUTE } else { MINUTE });
        let asked = client.ask(NUMBER).await.expect(200);
        assert_eq!(asked.body["expires_in"], 300, "at minute {minute}");
        assert_eq!(app.deliver(&asked).await, code, "at minute {minute}");
    }
    app.advance(5 * MINUTE - MILLISECOND);
    client.verify(NUMBER, &code).await.expect(200);
}

#[async_test]
async fn after_ten_minutes_no_resend_has_saved_a_code() {
    let app = Setup::limits_off().start().await;
    let client = app.at(&address(0));
    let code = client.code_for(NUMBER).await;
    app.advance(3 * MINUTE);
    assert_eq!(client.code_for(NUMBER).await, code);
    app.advance(2 * MINUTE);
    assert_eq!(client.code_for(NUMBER).await, code);
    app.advance(5 * MINUTE);
    is_refused(client.verify(NUMBER, &code).await);
}

#[async_test]
async fn a_resend_after_that_is_a_new_code_and_ends_the_old() {
    let app = Setup::limits_off().set("OTP_LENGTH", 10).start().await;
    let client = app.at(&address(0));
    let old = client.code_for(NUMBER).await;
    app.advance(4 * MINUTE);
    let still_on_its_way = client.ask(NUMBER).await.expect(200);
    app.advance(MINUTE + MILLISECOND);
    let asked = client.ask(NUMBER).await.expect(200);
    assert_eq!(asked.body["expires_in"], 300);
    let claim = app.claim(&still_on_its_way).await;
    assert!(matches!(&claim, Claim::Drop { reason } if reason == "replaced"), "{claim:?}");
    let new = app.deliver(&asked).await;
    assert_ne!(old, new);
    is_refused(client.verify(NUMBER, &old).await);
    client.verify(NUMBER, &new).await.expect(200);
}

#[async_test]
async fn a_code_is_used_once_and_its_other_sms_are_dropped() {
    let app = Setup::limits_off().start().await;
    let client = app.at(&address(0));
    let code = client.code_for(NUMBER).await;
    let again = client.ask(NUMBER).await.expect(200);
    client.verify(NUMBER, &code).await.expect(200);
    is_refused(client.verify(NUMBER, &code).await);
    let claim = app.claim(&again).await;
    assert!(matches!(&claim, Claim::Drop { reason } if reason == "verified"), "{claim:?}");
    assert!(matches!(app.claim(&again).await, Claim::Ended));
    is_refused(client.verify(NUMBER, &code).await);
}

#[async_test]
async fn an_expired_code_is_not_sent() {
    let app = Setup::limits_off().start().await;
    let asked = app.at(&address(0)).ask(NUMBER).await.expect(200);
    app.advance(5 * MINUTE);
    let claim = app.claim(&asked).await;
    assert!(matches!(&claim, Claim::Drop { reason } if reason == "expired"), "{claim:?}");
}

#[async_test]
async fn a_sign_in_that_failed_leaves_the_code_as_it_was() {
    let app = Setup::limits_off().start().await;
    let client = app.at(&address(0));
    let code = client.code_for(NUMBER).await;
    client.guess_wrong(NUMBER, &code, 3).await;
    let database = app.state.accounts.database();
    database.execute_unprepared("ALTER TABLE tokens RENAME TO away").await.unwrap();
    // More often than a challenge takes wrong guesses: a right one is none.
    for _ in 0..7 {
        client.verify(NUMBER, &code).await.expect_error(
            503,
            "The user store is unavailable",
            "unavailable",
        );
    }
    client.guess_wrong(NUMBER, &code, 1).await;
    database.execute_unprepared("ALTER TABLE away RENAME TO tokens").await.unwrap();
    client.verify(NUMBER, &code).await.expect(200);
    is_refused(client.verify(NUMBER, &code).await);
}

/// Between the right guess and the news that the database failed, the client may have asked again.
#[async_test]
async fn putting_a_code_back_leaves_a_newer_one_alone() {
    let app = Setup::limits_off().set("OTP_LENGTH", 10).start().await;
    let client = app.at(&address(0));
    let old = client.code_for(NUMBER).await;
    let number = NUMBER.parse().unwrap();
    let from = std::net::IpAddr::from([203, 0, 113, 1]).into();
    let asker = OtpRequester { purpose: Purpose::SignIn, number: &number, address: from };
    let guessed = app.state.otp.store.verify(asker, &Otp::parse(&old).unwrap()).await.unwrap();
    let VerifyOutcome::Right(verified) = guessed else { panic!("a right guess, not {guessed:?}") };
    let new = client.code_for(NUMBER).await;
    app.state.otp.store.restore(&verified).await.unwrap();
    is_refused(client.verify(NUMBER, &old).await);
    client.verify(NUMBER, &new).await.expect(200);
    app.state.otp.store.restore(&verified).await.unwrap();
    is_refused(client.verify(NUMBER, &new).await);
}

/// Keys live on in Redis for a while; the instants in them decide.
#[async_test]
async fn an_old_challenge_counts_for_nothing() {
    let app = Setup::limits_off().start().await;
    let client = app.at(&address(0));
    let code = client.code_for(NUMBER).await;
    client.guess_wrong(NUMBER, &code, 5).await;
    app.advance(HOUR);
    is_refused(client.verify(NUMBER, &code).await);
    client.sign_in(NUMBER).await;
}

#[async_test]
async fn a_code_may_be_typed_as_people_do_and_what_cannot_be_one_costs_no_guess() {
    let app = Setup::limits_off().start().await;
    let client = app.at(&address(0));
    let native = |zero: char| {
        move |code: &str| {
            code.chars()
                .filter_map(|digit| char::from_u32(zero as u32 + digit.to_digit(10)?))
                .collect()
        }
    };
    let spellings: [&dyn Fn(&str) -> String; 6] = [
        &|code| format!(" {} {}", &code[..3], &code[3..]),
        &|code| format!("{}-{}", &code[..3], &code[3..]),
        &|code| format!("\u{202d}{code}\u{202c}"),
        &native('\u{966}'),
        &native('\u{660}'),
        &native('\u{ff10}'),
    ];
    for spell in spellings {
        let code = client.code_for(NUMBER).await;
        for malformed in ["12ab56", "123", "12345678901", "-12345", "123,456", "\u{202e}123456"] {
            is_refused(client.verify(NUMBER, malformed).await);
        }
        println!("{}", spell(&code));
        client.verify(NUMBER, &spell(&code)).await.expect(200);
    }
}

/// Anybody can ask for anybody's number, with any name.
#[async_test]
async fn a_new_user_has_the_name_that_came_from_where_the_code_is_redeemed() {
    let app = Setup::limits_off().start().await;
    let (owner, stranger) = (app.at(&address(0)), app.at(&address(1)));
    let ask = async |client: &Caller<'_>, n: usize, name: &str| {
        let body = json!({"name": name, "phone_number": spread(n)});
        client.post_to("/signup", &body).await.expect(200)
    };
    let name_of = async |n: usize, asked: &Answer, name: Option<&str>| {
        let body =
            json!({"phone_number": spread(n), "otp": app.deliver(asked).await, "name": name});
        owner.post_to("/signup", &body).await.expect(200).body["data"]["name"].clone()
    };

    ask(&owner, 0, "Asha").await;
    let asked = ask(&stranger, 0, "Mallory").await;
    assert_eq!(name_of(0, &asked, None).await, "Asha", "a stranger asked later");

    ask(&stranger, 1, "Mallory").await;
    ask(&owner, 1, "Aysha").await;
    let asked = ask(&owner, 1, "Asha").await;
    assert_eq!(name_of(1, &asked, None).await, "Asha", "a stranger asked earlier");

    let asked = ask(&stranger, 2, "Mallory").await;
    assert_eq!(name_of(2, &asked, None).await, "", "only a stranger asked");

    ask(&owner, 3, "Aysha").await;
    let asked = ask(&stranger, 3, "Mallory").await;
    assert_eq!(name_of(3, &asked, Some("Asha")).await, "Asha", "it came with the OTP");

    ask(&owner, 4, "Asha").await;
    app.advance(11 * MINUTE);
    let asked = ask(&stranger, 4, "Mallory").await;
    assert_eq!(name_of(4, &asked, None).await, "", "what came with an earlier OTP is forgotten");

    // Without limits anybody can ask without end: the newest twenty names are kept.
    ask(&owner, 5, "Asha").await;
    let mut asked = ask(&owner, 5, "Asha").await;
    for n in 1..=20 {
        asked = ask(&app.at(&address(n)), 5, "Mallory").await;
    }
    assert_eq!(name_of(5, &asked, None).await, "", "too many asked");
}

/// Two versions of the service run side by side during an update: what a newer one added to a
/// number's record is kept, and what an older one lacks does no harm.
#[async_test]
async fn a_number_s_record_of_another_version_is_kept_whole() {
    const LOAD: &str = "local record = cmsgpack.unpack(redis.call('GET', KEYS[1]))";
    const SAVE: &str = "redis.call('SET', KEYS[1], cmsgpack.pack(record), 'KEEPTTL') return {}";
    let app = Setup::defaults().start().await;
    let client = app.at(&address(0));
    let change = |lua: &str| -> Vec<String> {
        redis::Script::new(&format!("{LOAD} {lua}"))
            .key(format!("{{cheershare}}:number:{NUMBER}"))
            .invoke(&mut app.redis.connection())
            .unwrap()
    };
    let code = client.code_for(NUMBER).await;
    change(&format!("record[1], record[#record + 1] = 9, 'of a newer version' {SAVE}"));
    client.guess_wrong(NUMBER, &code, 1).await;
    client.verify(NUMBER, &code).await.expect(200);
    app.advance(MINUTE);
    client.ask(NUMBER).await.expect(200);
    assert_eq!(
        change("return { tostring(record[1]), record[#record] }"),
        ["9", "of a newer version"]
    );

    // Without its last two fields.
    change(&format!("for _ = 1, 2 do record[#record] = nil end {SAVE}"));
    app.advance(MINUTE);
    let code = client.code_for(NUMBER).await;
    client.guess_wrong(NUMBER, &code, 1).await;
    client.verify(NUMBER, &code).await.expect(200);
}
