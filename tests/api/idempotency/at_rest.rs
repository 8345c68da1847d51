//! What is at rest for requests that may be repeated: sealed, and not for long; and what it costs.

use serde_json::json;

use super::{NUMBER, is_again, post};
use crate::support::app::{App, Plan, SOON};

const KEY: &str = "a-key-that-nobody-else-would-choose-7c2f";

fn has(place: &[u8], secret: &str) -> bool {
    place.windows(secret.len()).any(|window| window == secret.as_bytes())
}

/// How many scripts were run so far.
fn scripts_run(app: &App) -> u64 {
    let stats: String =
        redis::cmd("INFO").arg("commandstats").query(&mut app.redis.connection()).unwrap();
    let calls = stats
        .lines()
        .filter_map(|line| line.strip_prefix("cmdstat_evalsha:calls=")?.split(',').next());
    calls.map(|calls| calls.parse::<u64>().unwrap()).sum()
}

#[async_test]
async fn nothing_of_it_is_kept_in_clear() {
    let plan = Plan::new()
        .append_only()
        .set("OTP_LENGTH", "10")
        .set("LOG", "debug")
        .set("RUST_LOG", "debug");
    let app = plan.start().await;
    let asked =
        post(app.client(), KEY, &json!({"name": "Asha", "phone_number": NUMBER})).await.expect(200);
    let code = app.twilio.wait_for_sms(NUMBER, 1, SOON).await[0].code();
    let verify = json!({"phone_number": NUMBER, "otp": code});
    let key = format!("{KEY}-2");
    let signed_in = post(app.client(), &key, &verify).await.expect(200);
    is_again(&post(app.client(), &key, &verify).await, &signed_in);
    app.no_job_is_left(SOON).await;

    let redis = app.redis.everything();
    assert!(has(&redis, "{cheershare}:idempotency:"), "there is something to be searched");
    for secret in
        [KEY, &code, signed_in.token(), "registered successfully", "sent successfully", "\"Asha\""]
    {
        assert!(!has(&redis, secret), "{secret} is in Redis");
    }
    assert!(
        asked.text.contains("sent successfully")
            && signed_in.text.contains("registered successfully")
    );
    let logs = app.logs().into_bytes();
    assert!(has(&logs, "answer_repeated"));
    for secret in [KEY, &code, signed_in.token()] {
        assert!(!has(&logs, secret), "{secret} is in a log");
    }
}

#[async_test]
async fn all_of_it_ends_within_ten_minutes() {
    let app = Plan::new().workers(0).start().await;
    for (key, name) in [("k1", "Asha"), ("k2", "Ravi"), ("k3", "A\u{0}")] {
        post(app.client(), key, &json!({"name": name, "phone_number": NUMBER})).await;
    }
    let mut lives = app.redis.lives();
    lives.retain(|key, _| key.starts_with("{cheershare}:idempotency:"));
    assert_eq!(
        lives.len(),
        5,
        "three records, the list of an address and that of refusals: {lives:?}"
    );
    // Ten minutes, less what a busy machine needed since.
    assert!(
        lives.values().all(|life| life.is_some_and(|ms| (500_000..=600_000).contains(&ms))),
        "{lives:?}"
    );
}

#[async_test]
async fn who_sends_no_key_pays_nothing() {
    let app = Plan::new().workers(0).start().await;
    let ask = json!({"name": "Asha", "phone_number": NUMBER});
    // Redis has to know the scripts first.
    post(app.client(), "k0", &ask).await.expect(200);
    let mut before = scripts_run(&app);
    let mut since_before = || {
        let now = scripts_run(&app);
        now - std::mem::replace(&mut before, now)
    };
    app.client().ask("Asha", NUMBER).await.expect(200);
    assert_eq!(since_before(), 1, "a request without a key");
    post(app.client(), "k1", &ask).await.expect(200);
    assert_eq!(since_before(), 3, "a request with a new key");
    post(app.client(), "k1", &ask).await.expect(200);
    assert_eq!(since_before(), 1, "a repeated request");
}
