//! Each limit on wrong guesses at its edge, and what does not reset it.

use std::time::Duration;

use super::{DAY, HOUR, MINUTE, NUMBER};
use crate::support::client::Answer;
use crate::support::in_process::{Caller, InProcess, Setup};
use crate::support::numbers::{address, spread};

/// One limit, and guesses that meet no other.
struct Limit {
    setting: &'static str,
    window: Duration,
    number: fn(usize) -> String,
    address: fn(usize) -> String,
}

const ONE_NUMBER: fn(usize) -> String = |_| NUMBER.to_owned();
const ONE_ADDRESS: fn(usize) -> String = |_| address(0);

const LIMITS: [Limit; 4] = [
    Limit {
        setting: "WRONG_GUESSES_PER_HOUR",
        window: HOUR,
        number: ONE_NUMBER,
        address: ONE_ADDRESS,
    },
    Limit {
        setting: "WRONG_GUESSES_PER_ADDRESS_HOUR",
        window: HOUR,
        number: spread,
        address: ONE_ADDRESS,
    },
    Limit { setting: "WRONG_GUESSES_PER_NUMBER_HOUR", window: HOUR, number: ONE_NUMBER, address },
    Limit { setting: "WRONG_GUESSES_PER_NUMBER_DAY", window: DAY, number: ONE_NUMBER, address },
];

/// What was guessed at last, and when the first guess was.
struct Guesses {
    number: String,
    code: String,
    begun: i64,
}

fn at(n: u64) -> usize {
    n.try_into().unwrap()
}

impl Limit {
    async fn start(&self, value: u64) -> InProcess {
        Setup::limits_off().set(self.setting, value).start().await
    }

    /// A third of a day's guesses, rounded up, is not for strangers, but never all of them.
    fn allows(&self, value: u64) -> u64 {
        match self.setting {
            "WRONG_GUESSES_PER_NUMBER_DAY" => value - value.div_ceil(3).min(value - 1),
            _ => value,
        }
    }

    /// Guesses wrong so often. No challenge gets as many guesses as would burn it.
    async fn guess_wrong(&self, app: &InProcess, times: u64) -> Guesses {
        let mut guesses = Guesses { number: String::new(), code: String::new(), begun: 0 };
        for n in 0..times {
            let client = app.at(&(self.address)(at(n)));
            let number = (self.number)(at(n));
            if n % 4 == 0 || number != guesses.number {
                if number == guesses.number {
                    // By then the challenge before has expired, so this is another.
                    app.advance(10 * MINUTE);
                }
                guesses.code = client.code_for(&number).await;
                guesses.number = number;
            }
            if n == 0 {
                guesses.begun = app.clock.unix_ms();
            }
            client.guess_wrong(&guesses.number, &guesses.code, 1).await;
        }
        guesses
    }

    /// Whom the limit has not seen yet, where it is not about them.
    fn last<'a>(&self, app: &'a InProcess) -> (String, Caller<'a>) {
        ((self.number)(999), app.at(&(self.address)(999)))
    }
}

fn is_refused(answer: Answer) {
    answer.expect_error(401, "Invalid or expired OTP", "invalid_otp");
}

#[async_test]
async fn the_last_guess_that_a_limit_allows_may_be_right() {
    for limit in LIMITS {
        for value in [1, 2, 7] {
            println!("{} {value}", limit.setting);
            let app = limit.start(value).await;
            limit.guess_wrong(&app, limit.allows(value) - 1).await;
            let (number, client) = limit.last(&app);
            client.sign_in(&number).await;
        }
    }
}

/// Nor is an SMS sent whose OTP would not be compared.
#[async_test]
async fn past_its_limit_even_the_right_code_is_refused_until_the_window_ends() {
    for limit in LIMITS {
        for value in [1, 2, 7] {
            println!("{} {value}", limit.setting);
            let app = limit.start(value).await;
            let guesses = limit.guess_wrong(&app, limit.allows(value)).await;
            let (number, client) = limit.last(&app);
            is_refused(client.verify(&guesses.number, &guesses.code).await);
            let passed = u64::try_from(app.clock.unix_ms() - guesses.begun).unwrap();
            let left = limit.window - Duration::from_millis(passed);
            let asked = app
                .refused_for(left, "wrong_guess_limit", async || client.ask(&number).await)
                .await;
            let code = app.deliver(&asked).await;
            client.verify(&number, &code).await.expect(200);
        }
    }
}

#[async_test]
async fn without_limits_only_a_challenge_s_own_guesses_count() {
    let app = Setup::limits_off().start().await;
    let client = app.at(&address(0));
    for _ in 0..30 {
        let code = client.code_for(NUMBER).await;
        client.guess_wrong(NUMBER, &code, 4).await;
        app.advance(10 * MINUTE);
    }
    client.sign_in(NUMBER).await;
}

/// What is closed to one address is open to another, and one address's guesses at one number do not
/// close other numbers.
#[async_test]
async fn a_limit_by_number_and_address_is_about_both() {
    let app = Setup::limits_off().set("WRONG_GUESSES_PER_HOUR", 2).start().await;
    let (one, other) = (app.at(&address(0)), app.at(&address(1)));
    let code = one.code_for(NUMBER).await;
    one.guess_wrong(NUMBER, &code, 2).await;
    is_refused(one.verify(NUMBER, &code).await);
    one.ask(NUMBER).await.expect_code(429, "wrong_guess_limit");
    one.sign_in(&spread(0)).await;
    other.verify(NUMBER, &code).await.expect(200);
}

/// Nobody can close a number for which no code is out.
#[async_test]
async fn guesses_at_nothing_count_against_who_guesses_only() {
    let app = Setup::limits_off()
        .set("WRONG_GUESSES_PER_HOUR", 1)
        .set("WRONG_GUESSES_PER_NUMBER_HOUR", 1)
        .set("WRONG_GUESSES_PER_NUMBER_DAY", 1)
        .set("WRONG_GUESSES_PER_ADDRESS_HOUR", 50)
        .start()
        .await;
    let client = app.at(&address(0));
    client.guess_wrong(NUMBER, "123456", 20).await;
    let code = client.code_for(NUMBER).await;
    client.verify(NUMBER, &code).await.expect(200);
    client.guess_wrong(NUMBER, &code, 30).await;
    client.ask(&spread(0)).await.expect_code(429, "wrong_guess_limit");
    let code = app.at(&address(1)).code_for(&spread(0)).await;
    is_refused(client.verify(&spread(0), &code).await);
    app.at(&address(1)).verify(&spread(0), &code).await.expect(200);
}

#[async_test]
async fn five_wrong_guesses_burn_a_challenge_until_it_expires() {
    let app = Setup::limits_off().start().await;
    let client = app.at(&address(0));
    let code = client.code_for(NUMBER).await;
    app.advance(MINUTE);
    client.guess_wrong(NUMBER, &code, 4).await;
    assert_eq!(client.code_for(NUMBER).await, code, "a resend of the same");
    client.guess_wrong(NUMBER, &code, 1).await;
    is_refused(client.verify(NUMBER, &code).await);
    app.advance(MINUTE);
    let asked = app.refused_for(4 * MINUTE, "otp_burned", async || client.ask(NUMBER).await).await;
    is_refused(client.verify(NUMBER, &code).await);
    let code = app.deliver(&asked).await;
    client.verify(NUMBER, &code).await.expect(200);
}

/// The defaults, as an attacker with all the time and addresses meets them: no more than 100
/// guesses a day (NIST SP 800-63B).
#[async_test]
async fn a_day_of_guessing_with_the_defaults() {
    let app = Setup::defaults().start().await;
    let mut evaluated = 0;
    for minute in (0..24 * 60).step_by(5) {
        let client = app.at(&address(minute / 10));
        let asked = client.ask(NUMBER).await;
        if asked.status == 200 {
            let code = app.deliver(&asked).await;
            client.guess_wrong(NUMBER, &code, 6).await;
            evaluated += 5;
        } else {
            asked.expect(429);
        }
        app.advance(5 * MINUTE);
    }
    assert!((25..=50).contains(&evaluated), "ten sends a day, five guesses each: {evaluated}");
    let wrong: Vec<_> = app.state.rejections.guesses().filter(|(_, count)| *count > 0).collect();
    assert!(wrong.iter().all(|(_, count)| *count <= 100), "{wrong:?}");
}

/// A leaky bucket for each IPv4 /24 and IPv6 /48.
#[async_test]
async fn a_network_guesses_wrong_so_often_and_no_more() {
    let others = "198.51.100.1";
    for of_network in [|n| format!("203.0.113.{n}"), |n| format!("2001:db8:1:{n:x}::1")] {
        let app = Setup::limits_off().set("WRONG_GUESSES_PER_NETWORK_HOUR", 4).start().await;
        let known = app.at(&of_network(200));
        known.sign_in(&spread(0)).await;
        let code = app.at(&of_network(0)).code_for(NUMBER).await;
        for n in 1..5 {
            app.at(&of_network(n)).guess_wrong(&spread(n), "123456", 1).await;
        }
        let stranger = app.at(&of_network(5));
        is_refused(stranger.verify(NUMBER, &code).await);
        app.at(others).verify(NUMBER, &code).await.expect(200);
        known.sign_in(&spread(0)).await;
        let ask = async || stranger.ask(&spread(9)).await;
        let asked = app.refused_for(HOUR / 4, "wrong_guess_limit", ask).await;
        let code = app.deliver(&asked).await;
        stranger.verify(&spread(9), &code).await.expect(200);
    }
}
