//! Headers for browsers and caches, on every answer.

use http::{HeaderMap, Method};
use serde_json::json;

use crate::support::app::{App, Plan};
use crate::support::client::Answer;
use crate::support::numbers::{NUMBER, OTHER_NUMBER};

fn is_protected(answer: &Answer) {
    for (name, value) in [
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
    ] {
        let found: Vec<_> = answer.headers.get_all(name).iter().collect();
        assert_eq!(found, [value], "{name}: {answer:?}");
    }
    let policy = answer.header("content-security-policy");
    for directive in ["default-src 'none'", "frame-ancestors 'none'"] {
        assert!(policy.split(';').any(|one| one.trim() == directive), "{policy}");
    }
}

#[async_test]
async fn every_answer_has_them() {
    let app = App::start().await;
    let token = app.sign_in("Asha", NUMBER).await.token().to_owned();
    let authorization = format!("Bearer {token}");
    let delivery = format!("/deliveries/{}", app.ask(OTHER_NUMBER).await);
    for (path, authorization, status) in [
        ("/protected", Some(authorization.as_str()), 200),
        ("/protected", None, 401),
        ("/protected", Some("Bearer AAAAAAAAAAAAAAAAAAAAAAAAAA"), 401),
        ("/openapi.json", None, 200),
        ("/openapi.json", Some(&authorization), 200),
        ("/healthz", None, 200),
        ("/readyz", None, 200),
        ("/nothing", None, 404),
        ("/signup", None, 405),
        (&delivery, None, 200),
        ("/deliveries/unknown", None, 404),
    ] {
        let answer = app.client().get(path, authorization).await.expect(status);
        println!("{path}");
        is_protected(&answer);
        assert_eq!(
            answer.header("content-security-policy"),
            "default-src 'none'; frame-ancestors 'none'"
        );
    }
    let code = app.code_for("Asha", NUMBER).await;
    for (otp, status) in [("0", 401), (code.as_str(), 200)] {
        is_protected(&app.client().verify(NUMBER, otp).await.expect(status));
    }
    is_protected(&app.client().post("/signup", &json!([])).await.expect(400));
    is_protected(
        &app.client().send(Method::OPTIONS, "/nothing", HeaderMap::new(), "").await.expect(404),
    );
}

#[async_test]
async fn swagger_ui_may_run_its_own_scripts_and_call_home() {
    let app = Plan::new().workers(0).start().await;
    let page = app.client().get("/docs", None).await.expect(200);
    is_protected(&page);
    let policy = page.header("content-security-policy");
    let directive = |name: &str| {
        policy.split(';').find_map(|one| one.trim().strip_prefix(name)).unwrap_or_default().trim()
    };
    let scripts: Vec<_> = directive("script-src").split(' ').collect();
    assert_eq!(scripts.len(), page.text.matches("</script>").count(), "{policy}");
    assert!(scripts.iter().all(|source| source.starts_with("'sha256-")), "{policy}");
    assert_eq!(directive("connect-src"), "'self'", "{policy}");
}
