//! Each limit on sends at its edge: the last allowed, the first refused, the first allowed again.

use std::time::Duration;

use super::{DAY, HOUR, MINUTE, NUMBER};
use crate::support::client::Answer;
use crate::support::in_process::{InProcess, Setup};
use crate::support::numbers::{abroad, address, neighbour, spread};

/// One limit, and asks that meet no other.
struct Limit {
    setting: &'static str,
    code: &'static str,
    /// Until a full limit allows one more.
    wait: fn(u32) -> Duration,
    number: fn(usize) -> String,
    address: fn(usize) -> String,
}

/// A leaky bucket drains its capacity in an hour.
const BUCKET: fn(u32) -> Duration = |capacity| HOUR / capacity;
const ONE_NUMBER: fn(usize) -> String = |_| NUMBER.to_owned();
const ONE_ADDRESS: fn(usize) -> String = |_| address(0);

const LIMITS: [Limit; 8] = [
    Limit {
        setting: "SENDS_PER_NUMBER_HOUR",
        code: "number_hour_limit",
        wait: |_| HOUR,
        number: ONE_NUMBER,
        address,
    },
    Limit {
        setting: "SENDS_PER_NUMBER_DAY",
        code: "number_day_limit",
        wait: |_| DAY,
        number: ONE_NUMBER,
        address,
    },
    Limit {
        setting: "SENDS_PER_ADDRESS_HOUR",
        code: "address_limit",
        wait: BUCKET,
        number: spread,
        address: ONE_ADDRESS,
    },
    Limit {
        setting: "SENDS_PER_NETWORK_HOUR",
        code: "network_limit",
        wait: BUCKET,
        number: spread,
        address,
    },
    Limit {
        setting: "SENDS_PER_RANGE_HOUR",
        code: "range_limit",
        wait: BUCKET,
        number: neighbour,
        address,
    },
    Limit {
        setting: "SENDS_PER_COUNTRY_HOUR",
        code: "country_limit",
        wait: BUCKET,
        number: spread,
        address,
    },
    Limit {
        setting: "SENDS_PER_FOREIGN_COUNTRY_HOUR",
        code: "country_limit",
        wait: BUCKET,
        number: abroad,
        address,
    },
    Limit {
        setting: "SENDS_PER_HOUR",
        code: "service_limit",
        wait: BUCKET,
        number: |n| if n % 2 == 0 { spread(n) } else { abroad(n) },
        address,
    },
];

impl Limit {
    async fn start(&self, value: u32) -> InProcess {
        Setup::limits_off().set("ALLOWED_COUNTRIES", "*").set(self.setting, value).start().await
    }

    /// A third of a day's sends, rounded up, is not for strangers, but never all of them.
    fn allows(&self, value: u32) -> u32 {
        match self.setting {
            "SENDS_PER_NUMBER_DAY" => value - value.div_ceil(3).min(value - 1),
            _ => value,
        }
    }

    async fn ask(&self, app: &InProcess, n: usize) -> Answer {
        app.at(&(self.address)(n)).ask(&(self.number)(n)).await
    }
}

#[async_test]
async fn each_limit_is_exact_however_high_it_is() {
    for limit in LIMITS {
        for value in [1, 2, 5, 25] {
            println!("{} {value}", limit.setting);
            let app = limit.start(value).await;
            let mut n = 0;
            for _ in 0..limit.allows(value) {
                limit.ask(&app, n).await.expect(200);
                n += 1;
            }
            let wait = (limit.wait)(value);
            app.refused_for(wait, limit.code, async || limit.ask(&app, n).await).await;
        }
    }
}

#[async_test]
async fn a_limit_of_zero_is_off() {
    for limit in LIMITS {
        println!("{}", limit.setting);
        let app = limit.start(0).await;
        for n in 0..30 {
            limit.ask(&app, n).await.expect(200);
        }
    }
}

/// A bucket that was filled at once lets one send through with each share of the hour, and no more.
#[async_test]
async fn a_bucket_drains_evenly() {
    let app = Setup::limits_off().set("SENDS_PER_ADDRESS_HOUR", 4).start().await;
    let client = app.at(&address(0));
    for n in 0..4 {
        client.ask(&spread(n)).await.expect(200);
    }
    for n in 4..8 {
        app.refused_for(HOUR / 4, "address_limit", async || client.ask(&spread(n)).await).await;
    }
    app.advance(100 * HOUR);
    for n in 8..12 {
        client.ask(&spread(n)).await.expect(200);
    }
    client.ask(&spread(12)).await.expect_code(429, "address_limit");
}

/// An hour's sends are those of any 60 minutes, not of the hour on the clock.
#[async_test]
async fn the_hour_of_a_number_slides() {
    let app = Setup::limits_off().set("SENDS_PER_NUMBER_HOUR", 3).start().await;
    let client = app.at(&address(0));
    for _ in 0..3 {
        client.ask(NUMBER).await.expect(200);
        app.advance(HOUR / 4);
    }
    app.refused_for(HOUR / 4, "number_hour_limit", async || client.ask(NUMBER).await).await;
    app.refused_for(HOUR / 4, "number_hour_limit", async || client.ask(NUMBER).await).await;
}

#[async_test]
async fn the_cooldown_doubles_until_it_is_a_day_and_a_quiet_day_ends_it() {
    let app = Setup::limits_off().set("SEND_COOLDOWN_SECONDS", 30).start().await;
    let client = app.at(&address(0));
    let mut asked = client.ask(NUMBER).await.expect(200);
    for doublings in 0..12 {
        let wait = MINUTE / 2 * 2_u32.pow(doublings);
        assert_eq!(asked.body["resend_in"], wait.as_secs());
        asked = app.refused_for(wait, "resend_cooldown", async || client.ask(NUMBER).await).await;
    }
    assert_eq!(asked.body["resend_in"], DAY.as_secs());
    asked = app.refused_for(DAY, "resend_cooldown", async || client.ask(NUMBER).await).await;
    assert_eq!(asked.body["resend_in"], 30, "a day without a send");
}

/// Longer than a day: a limit may be raised as far as one likes.
#[async_test]
async fn a_cooldown_of_a_week_lasts_a_week() {
    let app = Setup::limits_off().set("SEND_COOLDOWN_SECONDS", (7 * DAY).as_secs()).start().await;
    let client = app.at(&address(0));
    client.ask(NUMBER).await.expect(200);
    app.refused_for(7 * DAY, "resend_cooldown", async || client.ask(NUMBER).await).await;
}

#[async_test]
async fn a_sign_in_ends_the_cooldown() {
    let app = Setup::limits_off().set("SEND_COOLDOWN_SECONDS", 30).start().await;
    let client = app.at(&address(0));
    client.ask(NUMBER).await.expect(200);
    app.refused_for(MINUTE / 2, "resend_cooldown", async || client.ask(NUMBER).await).await;
    app.advance(MINUTE);
    client.sign_in(NUMBER).await;
    let asked = client.ask(NUMBER).await.expect(200);
    assert_eq!(asked.body["resend_in"], 30, "it starts anew");
}

/// Who waits as long as told gets through, whichever limit was named.
#[async_test]
async fn of_several_limits_the_longest_wait_is_told() {
    let app = Setup::limits_off()
        .set("SEND_COOLDOWN_SECONDS", 30)
        .set("SENDS_PER_NUMBER_HOUR", 1)
        .set("SENDS_PER_ADDRESS_HOUR", 1)
        .set("SENDS_PER_RANGE_HOUR", 2)
        .set("SENDS_PER_NUMBER_DAY", 3)
        .start()
        .await;
    let client = app.at(&address(0));
    client.ask(NUMBER).await.expect(200);
    app.refused_for(HOUR, "number_hour_limit", async || client.ask(NUMBER).await).await;
    app.refused_for(DAY - HOUR, "number_day_limit", async || client.ask(NUMBER).await).await;
}

#[async_test]
async fn eight_spellings_share_one_ledger() {
    let app = Setup::defaults().start().await;
    let client = app.at(&address(0));
    let spellings = [
        "+919876543210",
        "9876543210",
        "09876543210",
        "00919876543210",
        "98765 43210",
        "tel:+91-98765-43210",
        "(+91) 98765.43210",
        "＋９１ ９８７６５ ４３２１０",
    ];
    let code = client.code_for(spellings[0]).await;
    for spelling in spellings {
        let refused = client.ask(spelling).await;
        assert_eq!(refused.retry_after(), 30, "{spelling}");
        refused.expect_code(429, "resend_cooldown");
    }
    client.verify(spellings[7], &code).await.expect(200);
}
