//! Challenges of a provider, which checks what solves them over HTTP.

use serde_json::json;

use crate::support::app::{App, Plan};
use crate::support::client::Answer;
use crate::support::fake_site_verify::FakeSiteVerify;
use crate::support::numbers::{NUMBER, OTHER_NUMBER};

async fn app(kind: &str, provider: &FakeSiteVerify, secret: &str) -> App {
    let plan = Plan::new().workers(0).set("SEND_COOLDOWN_SECONDS", "60");
    plan.set("CHALLENGE", kind)
        .set("CHALLENGE_SITE_KEY", "a site key")
        .set("CHALLENGE_SECRET", secret)
        .set("SENDS_PER_ADDRESS_HOUR", "2")
        .set("CHALLENGE_VERIFY_URL", &provider.url)
        .start()
        .await
}

async fn ask(app: &App, solution: &str) -> Answer {
    let body = json!({"name": "Asha", "phone_number": NUMBER, "challenge": solution});
    app.client().post("/signup", &body).await
}

#[async_test]
async fn a_provider_says_what_solves_its_challenges() {
    for kind in ["turnstile", "hcaptcha"] {
        println!("{kind}");
        let provider = FakeSiteVerify::start().await;
        let app = app(kind, &provider, "a secret").await;
        app.client().ask("Asha", NUMBER).await.expect(200);
        let asked = app.client().ask("Asha", NUMBER).await.expect(403);
        assert_eq!(asked.body["code"], "challenge_required");
        assert_eq!(asked.body["challenge"], json!({"kind": kind, "site_key": "a site key"}));
        assert!(provider.asked.lock().unwrap().is_empty());
        assert_eq!(ask(&app, "bad").await.expect(403).body["code"], "challenge_required");
        ask(&app, "good").await.expect(200);
        let asked = provider.asked.lock().unwrap().clone();
        let form = |response: &str| {
            [("secret", "a secret"), ("response", response), ("remoteip", "127.0.0.1")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec()
        };
        assert_eq!(asked, [form("bad"), form("good")]);
    }
}

/// Nobody can tell then whether a solution is right, and nothing is sent.
#[async_test]
async fn a_provider_that_is_away_or_refuses_us_is_named() {
    let provider = FakeSiteVerify::start().await;
    for (kind, name) in [("turnstile", "Turnstile"), ("hcaptcha", "hCaptcha")] {
        let app = app(kind, &provider, "a secret").await;
        app.client().ask("Asha", NUMBER).await.expect(200);
        let text = format!("{name} did not check the challenge; try again soon");
        for solution in ["broken", "cut"] {
            ask(&app, solution).await.expect_error(503, &text, "unavailable");
        }
        assert_eq!(app.apis[0].events("challenge_not_checked")[0]["provider"], name);
        ask(&app, "good").await.expect(200);
    }
    let app = app("turnstile", &provider, "another secret").await;
    app.client().ask("Asha", NUMBER).await.expect(200);
    ask(&app, "good").await.expect_code(503, "unavailable");
}

/// It costs the provider and us, and a solution is good once.
#[async_test]
async fn a_provider_is_asked_only_where_a_solution_decides() {
    let provider = FakeSiteVerify::start().await;
    let app = app("turnstile", &provider, "a secret").await;
    ask(&app, "good").await.expect(200);
    assert!(provider.asked.lock().unwrap().is_empty(), "nothing had to be solved");
    app.client().ask("Ravi", OTHER_NUMBER).await.expect(200);
    for _ in 0..5 {
        ask(&app, "good").await.expect_code(429, "address_limit");
    }
    assert!(provider.asked.lock().unwrap().is_empty(), "another limit refuses");
}
