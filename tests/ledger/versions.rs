//! Versions and settings of the service that run side by side on one Redis. That a record of a newer
//! version is kept whole is held in `challenge.rs` and `tests/worker/send/claims.rs`.

use common::ledger::records::{Delivery, Number, read};
use data_encoding::HEXLOWER;
use redis::Commands;

use super::{MINUTE, SECOND};
use crate::support::in_process::{BEGIN, InProcess, Setup};
use crate::support::numbers::{NUMBER, address};

/// What the released version 1 had left in Redis a minute after [`BEGIN`], as `<key> <DUMP>` in
/// hexadecimal: the owner at one address had signed in, and then a stranger at another had asked
/// and guessed wrong once. It never changes: what is added to a record later is not in it.
const VERSION_1: &str = include_str!("version_1.txt");

fn restore_version_1(app: &InProcess) -> String {
    let mut queued = String::new();
    for line in VERSION_1.lines() {
        let (key, value) = line.split_once(' ').unwrap();
        let value = HEXLOWER.decode(value.as_bytes()).unwrap();
        let mut restore = redis::cmd("RESTORE");
        restore.arg(key).arg(0).arg(value).exec(&mut app.redis.connection()).unwrap();
        if let Some(id) = key.strip_prefix("{cheershare}:delivery:") {
            let kept: Vec<u8> = app.redis.connection().get(key).unwrap();
            let record: Delivery = read(&kept).unwrap();
            if record.status.as_deref() == Some("queued") {
                queued = id.to_owned();
            }
        }
    }
    queued
}

#[async_test]
async fn what_version_1_left_is_read_and_goes_on() {
    let app = Setup::defaults().start().await;
    let queued = restore_version_1(&app);
    app.advance(MINUTE);
    let kept: Vec<u8> =
        app.redis.connection().get(format!("{{cheershare}}:number:{NUMBER}")).unwrap();
    let record: Number = read(&kept).unwrap();
    let challenge = &record.challenges.as_ref().unwrap()["sign_in"];
    assert_eq!(challenge.guesses, Some(1));
    assert_eq!(challenge.deliveries.as_ref().unwrap(), std::slice::from_ref(&queued));
    let minute = BEGIN + 60_000;
    assert_eq!(record.streaks.unwrap()["all"], (1, minute));
    assert_eq!(record.sends.unwrap()["all"], [minute, BEGIN]);
    assert_eq!(record.wrong.unwrap()["all"], [minute]);
    assert_eq!(record.wrong_by_address.unwrap()[&address(1)], [minute]);

    let stranger = app.at(&address(1));
    stranger.ask(NUMBER).await.expect_code(429, "resend_cooldown");
    let code = app.deliver_id(&queued).await;
    stranger.guess_wrong(NUMBER, &code, 4).await;
    stranger.verify(NUMBER, &code).await.expect(401);
    let answer = app.at(&address(0)).verify(NUMBER, &code).await.expect(200);
    assert_eq!(answer.body["message"], "User registered successfully", "its address is known");
}

/// What is kept is the same for all; what is allowed each decides by its own settings.
#[async_test]
async fn processes_with_other_settings_share_records() {
    let old = Setup::defaults().start().await;
    let new = Setup::defaults()
        .set("OTP_TTL_SECONDS", 60)
        .set("SENDS_PER_NUMBER_HOUR", 1)
        .set("SEND_COOLDOWN_SECONDS", 10)
        .start_beside(&old)
        .await;
    let (at_old, at_new) = (old.at(&address(0)), new.at(&address(0)));
    let advance = |by| {
        old.advance(by);
        new.advance(by);
    };
    let code = at_old.code_for(NUMBER).await;
    at_old.guess_wrong(NUMBER, &code, 2).await;
    at_new.guess_wrong(NUMBER, &code, 2).await;
    advance(10 * SECOND);
    at_old.ask(NUMBER).await.expect_code(429, "resend_cooldown");
    at_new.ask(NUMBER).await.expect_code(429, "number_hour_limit");
    advance(90 * SECOND);
    at_new.verify(NUMBER, &code).await.expect(200);
    at_old.verify(NUMBER, &code).await.expect(401);
}
