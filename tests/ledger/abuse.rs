//! Pumping, and honest crowds that look like it. All with the limits that an operator gets who sets
//! nothing.

use std::time::Duration;

use futures_util::future::join_all;

use super::{DAY, NUMBER, SECOND};
use crate::support::in_process::{InProcess, Setup};
use crate::support::numbers::{abroad, address, neighbour, spread};

const RETURNING: &str = "+33612345678";

async fn everywhere() -> InProcess {
    Setup::defaults().set("ALLOWED_COUNTRIES", "*").start().await
}

/// Asks for 300 numbers of one foreign country, each in a range of its own and from an address of
/// its own; nobody verifies. Returns how many SMS that costs.
async fn pump(app: &InProcess, pause: Duration) -> usize {
    let mut sent = 0;
    for n in 0..300 {
        let asked = app.at(&address(n)).ask(&abroad(n)).await;
        if asked.status == 200 {
            sent += 1;
        } else {
            asked.expect_code(429, "country_limit");
        }
        app.advance(pause);
    }
    sent
}

#[async_test]
async fn pumping_a_foreign_country_stops_by_the_fifty_first_send() {
    let app = everywhere().await;
    app.at("198.51.100.1").sign_in(RETURNING).await;
    app.advance(7 * DAY);
    assert_eq!(pump(&app, Duration::ZERO).await, 50);
    let refused = app.at(&address(300)).ask(&abroad(300)).await;
    assert_eq!(refused.retry_after(), 72, "a fiftieth of an hour");
    refused.expect_code(429, "country_limit");

    app.at("198.51.100.2").sign_in(RETURNING).await;
    app.at(&address(301)).sign_in(NUMBER).await;
    app.at(&address(302)).sign_in("+447400123456").await;
    let refusals: Vec<_> = app.state.rejections.sends().filter(|(_, count)| *count > 0).collect();
    let country = common::ledger::limits::LimitKind::Country;
    assert_eq!(refusals, [(country, 251)], "operators can see it");
}

/// Five minutes drain four sends of the fifty.
#[async_test]
async fn slow_pumping_gets_what_drains_and_no_more() {
    let app = everywhere().await;
    assert_eq!(pump(&app, SECOND).await, 54);
}

#[async_test]
async fn pumping_a_range_stops_at_ten() {
    let app = everywhere().await;
    let mut sent = 0;
    for n in 0..100 {
        let asked = app.at(&address(n)).ask(&neighbour(n)).await;
        if asked.status == 200 {
            sent += 1;
        } else {
            asked.expect_code(429, "range_limit");
        }
    }
    assert_eq!(sent, 10);
}

/// Waves of 15 people, who all ask before the first of them verifies.
async fn crowd_gets_in(app: &InProcess, number: fn(usize) -> String) {
    let people: Vec<String> = (0..300).map(number).collect();
    let client = app.at("198.51.100.1");
    for wave in people.chunks(15) {
        let codes = join_all(wave.iter().map(|number| client.code_for(number))).await;
        let verified = wave.iter().zip(&codes).map(|(number, code)| client.verify(number, code));
        for answer in join_all(verified).await {
            assert_eq!(answer.expect(200).body["message"], "User registered successfully");
        }
    }
}

#[async_test]
async fn an_honest_crowd_behind_one_address_gets_in() {
    crowd_gets_in(&everywhere().await, spread).await;
}

#[async_test]
async fn an_honest_crowd_of_a_foreign_country_gets_in() {
    crowd_gets_in(&everywhere().await, abroad).await;
}

/// A company with numbers in a row, in twos and threes, because a range takes ten that have not
/// verified yet.
#[async_test]
async fn an_honest_crowd_of_one_range_gets_in() {
    let app = everywhere().await;
    let client = app.at("198.51.100.1");
    for n in 0..300 {
        client.sign_in(&neighbour(n)).await;
    }
}
