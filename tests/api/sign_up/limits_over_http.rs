//! What a client sees of the ledger, over HTTP.

use crate::support::app::{App, Plan};
use crate::support::client::Answer;
use crate::support::numbers::{NUMBER, TEST_NUMBER};
use crate::support::numbers::{address, spread};

/// All but when it was said and what is random in it.
fn seen(mut answer: Answer) -> (u16, http::HeaderMap, serde_json::Value) {
    answer.headers.remove("date");
    assert!(answer.headers.remove("x-request-id").is_some(), "{answer:?}");
    if let Some(id) = answer.body.get_mut("delivery_id") {
        *id = serde_json::Value::Null;
    }
    (answer.status, answer.headers, answer.body)
}

#[async_test]
async fn known_and_unknown_numbers_look_the_same() {
    let app = Plan::new().set("TRUSTED_PROXIES", "127.0.0.1").start().await;
    app.sign_in("Asha", NUMBER).await;
    let stranger = app.client().at(&address(0));
    let guess = async |number: &str| seen(stranger.verify(number, "12345").await);
    let ask = async |number: &str| seen(stranger.ask("Ravi", number).await);
    for _ in 0..2 {
        assert_eq!(ask(NUMBER).await, ask(&spread(0)).await);
        for _ in 0..3 {
            assert_eq!(guess(NUMBER).await, guess(&spread(0)).await);
        }
    }
}

async fn limited(proxies: &str) -> App {
    Plan::new()
        .workers(0)
        .set("SENDS_PER_ADDRESS_HOUR", "2")
        .set("TRUSTED_PROXIES", proxies)
        .start()
        .await
}

#[async_test]
async fn a_client_s_word_about_its_address_counts_only_through_a_trusted_proxy() {
    let app = limited("none").await;
    for n in 0..2 {
        app.client().at(&address(n)).ask("Asha", &spread(n)).await.expect(200);
    }
    app.client().at(&address(2)).ask("Asha", &spread(2)).await.expect_code(429, "address_limit");

    let app = limited("127.0.0.0/8").await;
    for n in 0..4 {
        app.client().at(&address(n)).ask("Asha", &spread(n)).await.expect(200);
    }
    // What stands to the left of what the proxy saw is the client's own invention.
    for (n, status) in [(4, 200), (5, 429), (6, 429)] {
        let claimed = format!("{}, {}", address(n), address(0));
        app.client().at(&claimed).ask("Asha", &spread(n)).await.expect(status);
    }
}

#[async_test]
async fn a_test_number_signs_in_without_an_sms() {
    let app = Plan::new()
        .set("TEST_NUMBERS", &format!("{TEST_NUMBER}=471100@2099-12-31"))
        .set("SEND_COOLDOWN_SECONDS", "30")
        .start()
        .await;
    for _ in 0..3 {
        let asked = app.client().ask("Reviewer", TEST_NUMBER).await.expect(200);
        assert_eq!(asked.body["resend_in"], 0);
        let signed_in = app.client().verify(TEST_NUMBER, "471100").await.expect(200);
        app.client().protected(signed_in.token()).await.expect(200);
    }
    assert!(app.job_records().is_empty(), "{:?}", app.job_records());
    // By the time that a later SMS of somebody else is sent, one for this number would have been.
    app.code_for("Asha", NUMBER).await;
    assert_eq!(app.twilio.counts().len(), 1, "{:?}", app.twilio.counts());
    app.client().verify(TEST_NUMBER, "471100").await.expect_code(401, "invalid_otp");
}
