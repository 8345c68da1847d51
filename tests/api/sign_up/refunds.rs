//! Sends that cost nothing do not count, nor do those whose code came back.

use crate::support::app::{Plan, SOON};
use crate::support::fake_twilio::Reply;
use crate::support::numbers::{address, neighbour, spread};

const LIMITS: [&str; 4] = [
    "SENDS_PER_NUMBER_HOUR",
    "SENDS_PER_ADDRESS_HOUR",
    "SENDS_PER_RANGE_HOUR",
    "SENDS_PER_COUNTRY_HOUR",
];

#[async_test]
async fn a_send_that_failed_for_good_and_one_that_was_verified() {
    let plan = Plan::new().set("PROVIDER_TIMEOUT_SECONDS", "1");
    let app = LIMITS.into_iter().fold(plan, |plan, limit| plan.set(limit, "2")).start().await;

    // More numbers than any limit allows, and one of them more often than its own.
    for number in [0, 1, 2, 3, 3, 3].map(neighbour) {
        app.twilio.script(&number, [Reply::error(400, 21211)]);
        let delivery = app.ask(&number).await;
        app.delivery_is(&delivery, "failed", SOON).await;
    }
    assert_eq!((app.twilio.tries(&neighbour(3)).len(), app.twilio.accepted_in_all()), (3, 0));

    // Nobody knows whether that one was sent.
    app.twilio.script(&neighbour(4), [Reply::Never]);
    let delivery = app.ask(&neighbour(4)).await;
    app.delivery_is(&delivery, "failed", SOON).await;

    let code = app.code_for("Asha", &neighbour(5)).await;
    app.client().ask("Asha", &neighbour(6)).await.expect_code(429, "address_limit");
    app.client().ask("Asha", &spread(0)).await.expect_code(429, "address_limit");
    app.client().verify(&neighbour(5), &code).await.expect(200);
    for number in [7, 8].map(neighbour) {
        let code = app.code_for("Asha", &number).await;
        app.client().verify(&number, &code).await.expect(200);
    }
    app.client().ask("Asha", &neighbour(9)).await.expect(200);
    app.client().ask("Asha", &neighbour(6)).await.expect_code(429, "address_limit");
    app.no_job_is_left(SOON).await;
}

/// Anybody can name numbers that a provider refuses, from however many addresses.
#[async_test]
async fn what_the_provider_refuses_counts_among_all_sends() {
    let app =
        Plan::new().set("SENDS_PER_HOUR", "3").set("TRUSTED_PROXIES", "127.0.0.1").start().await;
    for n in 0..3 {
        app.twilio.script(&spread(n), [Reply::error(400, 21211)]);
        let asked = app.client().at(&address(n)).ask("Asha", &spread(n)).await.expect(200);
        app.delivery_is(asked.delivery_id(), "failed", SOON).await;
    }
    let refused = app.client().at(&address(3)).ask("Asha", &spread(3)).await;
    refused.expect_code(429, "service_limit");
}
