//! What a client sees that repeats its request: the first answer again, and nothing done twice.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{NUMBER, is_again, post, post_raw};
use crate::support::app::{App, Plan, SOON};
use crate::support::eventually;
use crate::support::raw::Connection;

fn ask() -> Value {
    json!({"name": "Asha", "phone_number": NUMBER})
}

fn verify(otp: &str) -> Value {
    json!({"phone_number": NUMBER, "otp": otp})
}

async fn two_apis() -> App {
    Plan::new().apis(2).set("OTP_LENGTH", "10").start().await
}

#[async_test]
async fn a_repeated_request_for_an_otp_sends_one_sms() {
    let app = two_apis().await;
    let first = post(app.client(), "k1", &ask()).await.expect(200);
    for client in app.clients_in_turn().take(4) {
        is_again(&post(&client, "k1", &ask()).await, &first);
    }
    app.no_job_is_left(SOON).await;
    assert_eq!(app.twilio.tries(NUMBER).len(), 1);
    let other = post(app.client(), "k2", &ask()).await.expect(200);
    assert_ne!(other.delivery_id(), first.delivery_id());
    app.twilio.wait_for_sms(NUMBER, 2, SOON).await;
}

#[async_test]
async fn a_repeated_sign_in_gives_the_same_token() {
    let app = two_apis().await;
    let code = app.code_for("Asha", NUMBER).await;
    let first = post(app.client(), "\"k1\"", &verify(&code)).await.expect(200);
    for client in app.clients_in_turn().take(4) {
        is_again(&post(&client, "k1", &verify(&code)).await, &first);
    }
    app.client().protected(first.token()).await.expect(200);
    let tokens: Vec<String> = app.database.column("SELECT scope FROM tokens").await;
    assert_eq!(tokens.len(), 1);
    // The code is used: only the key opens what came of it.
    app.client().verify(NUMBER, &code).await.expect_code(401, "invalid_otp");
    post(app.client(), "k2", &verify(&code)).await.expect_code(401, "invalid_otp");
}

#[async_test]
async fn an_answer_that_was_lost_can_be_had() {
    let app = two_apis().await;
    let code = app.code_for("Asha", NUMBER).await;
    let body = verify(&code).to_string();
    let mut connection = Connection::open(app.client().address());
    connection.write(
        format!(
            "POST /signup HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nIdempotency-Key: k1\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .as_bytes(),
    );
    drop(connection);
    eventually(SOON, "a sign-in whose client is gone", async || {
        (app.database.users_with(NUMBER).await == 1).then_some(())
    })
    .await;
    let answer = eventually(SOON, "its answer", async || {
        let answer = post_raw(app.client(), &[("idempotency-key", "k1")], body.clone()).await;
        if answer.status == 200 {
            return Some(answer);
        }
        answer.expect_code(409, "idempotency_key_in_use");
        None
    })
    .await;
    app.client().protected(answer.token()).await.expect(200);
}

#[async_test]
async fn of_ten_at_once_one_is_done() {
    let app = two_apis().await;
    for round in 1..=3 {
        let key = format!("k{round}");
        let calls = app.clients_in_turn().take(10).map(|client| {
            let key = key.clone();
            async move { post(&client, &key, &ask()).await }
        });
        let (done, in_use): (Vec<_>, Vec<_>) =
            join_all(calls).await.into_iter().partition(|answer| answer.status == 200);
        assert!(!done.is_empty());
        for answer in &done {
            is_again(answer, &done[0]);
        }
        for answer in in_use {
            assert_eq!(answer.header("retry-after"), "1", "{answer:?}");
            answer.expect_code(409, "idempotency_key_in_use");
        }
        is_again(&post(app.client(), &key, &ask()).await, &done[0]);
        app.no_job_is_left(SOON).await;
        assert_eq!(app.twilio.tries(NUMBER).len(), round);
    }
}

#[async_test]
async fn a_repeated_wrong_guess_counts_once() {
    let app = two_apis().await;
    let code = app.code_for("Asha", NUMBER).await;
    let wrong = format!("{:010}", (code.parse::<u64>().unwrap() + 1) % 10_000_000_000);
    let first = post(app.client(), "k1", &verify(&wrong)).await;
    for client in app.clients_in_turn().take(10) {
        is_again(&post(&client, "k1", &verify(&wrong)).await, &first);
    }
    first.expect_code(401, "invalid_otp");
    app.client().verify(NUMBER, &code).await.expect(200);
}

#[async_test]
async fn a_key_is_good_for_one_body() {
    let app = two_apis().await;
    let first = post(app.client(), "k1", &ask()).await.expect(200);
    let text = ask().to_string();
    for other in [
        json!({"name": "Ravi", "phone_number": NUMBER}).to_string(),
        json!({"name": "Asha", "phone_number": "+919876543211"}).to_string(),
        format!("{text} "),
        "no json".to_owned(),
    ] {
        let answer = post_raw(app.client(), &[("idempotency-key", "k1")], other).await;
        answer.expect_code(422, "idempotency_key_reused");
    }
    is_again(&post(app.client(), "k1", &ask()).await, &first);
    app.no_job_is_left(SOON).await;
    assert_eq!(app.twilio.counts().len(), 1);
}

#[async_test]
async fn a_key_is_its_clients_own() {
    let plan = Plan::new().workers(0).set("TRUSTED_PROXIES", "127.0.0.1/32");
    let app = plan.start().await;
    let from =
        async |address: &str, body: &Value| post(&app.client().at(address), "k1", body).await;
    let first = from("203.0.113.1", &ask()).await.expect(200);
    let second = from("203.0.113.2", &ask()).await.expect(200);
    let third = from("2001:db8:0:7::1", &ask()).await.expect(200);
    let ids = [&first, &second, &third].map(|answer| answer.delivery_id());
    assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2], "{ids:?}");
    is_again(&from("203.0.113.1", &ask()).await, &first);
    is_again(&from("::ffff:203.0.113.2", &ask()).await, &second);
    // An IPv6 subscriber has a /64.
    is_again(&from("2001:db8:0:7:1234::2", &ask()).await, &third);
    let other = json!({"name": "Ravi", "phone_number": NUMBER});
    from("203.0.113.3", &other).await.expect(200);
    from("203.0.113.1", &other).await.expect_code(422, "idempotency_key_reused");
}
