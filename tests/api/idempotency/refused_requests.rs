//! Refusals and failures with an `Idempotency-Key`.

use serde_json::{Value, json};

use super::{NUMBER, is_again, post, post_raw};
use crate::support::app::{App, Plan, SOON};
use crate::support::eventually;

fn ask() -> Value {
    json!({"name": "Asha", "phone_number": NUMBER})
}

async fn api_only() -> App {
    Plan::new().workers(0).start().await
}

#[async_test]
async fn a_malformed_key_is_refused() {
    let app = api_only().await;
    let longest = "k".repeat(255);
    let too_long = "k".repeat(256);
    for key in
        ["", "\"\"", "\"", "\"abc", "a b", "a\tb", "\u{e9}", &too_long, &format!("\"{too_long}\"")]
    {
        println!("{key:?}");
        post(app.client(), key, &ask()).await.expect_code(400, "invalid_idempotency_key");
    }
    let twice = post_raw(
        app.client(),
        &[("idempotency-key", "a"), ("idempotency-key", "a")],
        ask().to_string(),
    )
    .await;
    twice.expect_code(400, "invalid_idempotency_key");
    assert!(app.job_records().is_empty(), "no job came of any of them");

    for key in ["a", "!~", "a\"b", &longest, &format!("\"{longest}\"")] {
        println!("{key}");
        post(app.client(), key, &ask()).await.expect(200);
    }
    let first = post(app.client(), "\"quoted\"", &ask()).await.expect(200);
    is_again(&post(app.client(), "quoted", &ask()).await, &first);
}

#[async_test]
async fn a_body_is_refused_as_it_is_without_a_key() {
    let app = api_only().await;
    let padded = format!("{}{}", ask(), " ".repeat(104_857 - ask().to_string().len()));
    let number = NUMBER;
    for (content_type, body) in [
        ("application/json", String::new()),
        ("application/json", "no json".to_owned()),
        ("application/json", "[]".to_owned()),
        ("application/json", json!({"name": "Asha"}).to_string()),
        ("application/json", json!({"phone_number": number}).to_string()),
        ("application/json", json!({"name": "Asha", "phone_number": "1"}).to_string()),
        ("application/json", json!({"name": "A\u{0}", "phone_number": number}).to_string()),
        ("application/json", json!({"name": "Asha", "phone_number": "+12025550143"}).to_string()),
        ("application/json", json!({"phone_number": number, "otp": "12"}).to_string()),
        ("application/json", padded.clone()),
        ("text/plain", ask().to_string()),
    ] {
        let without = post_raw(app.client(), &[("content-type", content_type)], body.clone()).await;
        assert!((400..500).contains(&without.status), "{without:?}");
        let key = format!("k-{}-{}", body.len(), content_type.len());
        for _ in 0..2 {
            let headers = [("content-type", content_type), ("idempotency-key", &key)];
            is_again(&post_raw(app.client(), &headers, body.clone()).await, &without);
        }
    }
    let mut longest = padded;
    longest.pop();
    post_raw(app.client(), &[("idempotency-key", "longest")], longest).await.expect(200);
}

#[async_test]
async fn a_bad_token_is_refused_before_the_key_is_looked_at() {
    let app = api_only().await;
    let headers =
        [("idempotency-key", "k1"), ("authorization", "Bearer AAAAAAAAAAAAAAAAAAAAAAAAAA")];
    let refused = post_raw(app.client(), &headers, ask().to_string()).await;
    refused.expect_code(401, "invalid_authorization_header");
    post(app.client(), "k1", &ask()).await.expect(200);
}

#[async_test]
async fn a_limit_is_repeated_until_it_ends() {
    let app = Plan::new().workers(0).set("SEND_COOLDOWN_SECONDS", "4").start().await;
    let sent = post(app.client(), "k1", &ask()).await.expect(200);
    let refused = post(app.client(), "k2", &ask()).await.expect(429);
    is_again(&post(app.client(), "k2", &ask()).await, &refused);
    is_again(&post(app.client(), "k1", &ask()).await, &sent);
    refused.expect_code(429, "resend_cooldown");
    let sent_again = eventually(SOON, "the end of the cooldown", async || {
        let answer = post(app.client(), "k2", &ask()).await;
        (answer.status == 200).then_some(answer)
    })
    .await;
    is_again(&post(app.client(), "k2", &ask()).await, &sent_again);
}

#[async_test]
async fn a_failure_of_the_database_is_not_kept() {
    let app = App::start().await;
    let code = app.code_for("Asha", NUMBER).await;
    let verify = json!({"phone_number": NUMBER, "otp": code});
    let outage = app.database.fail().await;
    for _ in 0..2 {
        post(app.client(), "k1", &verify).await.expect_code(503, "unavailable");
    }
    app.database.restore(outage).await;
    let signed_in = eventually(SOON, "a database that works again", async || {
        let answer = post(app.client(), "k1", &verify).await;
        assert!(answer.status == 200 || answer.status == 503, "{answer:?}");
        (answer.status == 200).then_some(answer)
    })
    .await;
    is_again(&post(app.client(), "k1", &verify).await, &signed_in);
}

#[async_test]
async fn without_redis_the_key_is_not_used_up() {
    let mut app = Plan::new().append_only().start().await;
    post(app.client(), "k0", &ask()).await.expect(200);
    app.redis.stop();
    let refused = post(app.client(), "k1", &ask()).await;
    refused.expect_error(503, "The OTP store is unavailable", "unavailable");
    app.redis.start_again();
    let sent = eventually(SOON, "an API that works again", async || {
        let answer = post(app.client(), "k1", &ask()).await;
        assert!(answer.status == 200 || answer.status == 503, "{answer:?}");
        (answer.status == 200).then_some(answer)
    })
    .await;
    is_again(&post(app.client(), "k1", &ask()).await, &sent);
}
