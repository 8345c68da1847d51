//! `POST /webhooks/twilio/status`: what Twilio reports, signed as Twilio signs.

use std::time::{Duration, Instant};

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, Method};
use redis::Commands;
use serde_json::{Value, json};
use sha1::Sha1;

use crate::support::app::{App, Plan, SOON};
use crate::support::client::Answer;
use crate::support::fake_twilio::{ACCOUNT_SID, Reply, SENDER};
use crate::support::numbers::{NUMBER, OTHER_NUMBER};

const AUTH_TOKEN: &str = "12345678901234567890123456789012";
/// A spelling that a URL parser would change.
const PUBLIC_URL: &str = "https://SignIn.Example.com:443/auth";
const PATH: &str = "/webhooks/twilio/status";

async fn start() -> App {
    Plan::new()
        .set("PUBLIC_URL", &format!("{PUBLIC_URL}/"))
        .set("TWILIO_AUTH_TOKEN", AUTH_TOKEN)
        .start()
        .await
}

/// Twilio's algorithm: <https://www.twilio.com/docs/usage/security#validating-requests>.
fn signature(url: &str, parameters: &[(&str, &str)], auth_token: &str) -> String {
    let mut sorted = parameters.to_vec();
    sorted.sort_unstable();
    let text: String =
        sorted.iter().fold(url.to_owned(), |text, (name, value)| text + name + value);
    let mut mac = Hmac::<Sha1>::new_from_slice(auth_token.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    BASE64.encode(&mac.finalize().into_bytes())
}

/// What a report says beside the status.
fn parameters<'a>(status: &'a str, code: &'a str) -> Vec<(&'a str, &'a str)> {
    let mut parameters = vec![
        ("SmsSid", "SM00000000000000000000000000000001"),
        ("SmsStatus", status),
        ("MessageStatus", status),
        ("To", NUMBER),
        ("MessageSid", "SM00000000000000000000000000000001"),
        ("AccountSid", ACCOUNT_SID),
        ("From", SENDER),
        ("ApiVersion", "2010-04-01"),
    ];
    if !code.is_empty() {
        parameters.push(("ErrorCode", code));
    }
    parameters
}

async fn post(app: &App, path: &str, parameters: &[(&str, &str)], signature: &str) -> Answer {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    let mut headers = HeaderMap::new();
    headers.insert(
        "content-type",
        "application/x-www-form-urlencoded; charset=UTF-8".parse().unwrap(),
    );
    headers.insert("x-twilio-signature", signature.parse().unwrap());
    app.client().send(Method::POST, path, headers, body).await
}

/// Reports to the URL that the SMS was sent with; a proxy takes the public part off.
async fn report_with(app: &App, callback: &str, status: &str, code: &str) {
    let path = callback
        .strip_prefix(PUBLIC_URL)
        .unwrap_or_else(|| panic!("{callback} is not at {PUBLIC_URL}"));
    let parameters = parameters(status, code);
    let answer = post(app, path, &parameters, &signature(callback, &parameters, AUTH_TOKEN))
        .await
        .expect(204);
    assert_eq!(answer.text, "");
}

async fn report(app: &App, id: &str, status: &str, code: &str) {
    report_with(app, &format!("{PUBLIC_URL}{PATH}?delivery_id={id}"), status, code).await;
}

/// A delivery that Twilio has accepted.
async fn sent(app: &App, number: &str) -> String {
    let id = app.ask(number).await;
    app.delivery_is(&id, "sent", SOON).await;
    id
}

fn told(id: &str, status: &str, failure: Option<(&str, bool)>) -> Value {
    match failure {
        None => json!({"delivery_id": id, "status": status}),
        Some((reason, helps)) => {
            json!({"delivery_id": id, "status": status, "reason": reason, "asking_again_helps": helps})
        }
    }
}

#[async_test]
async fn a_report_reaches_its_delivery_by_the_url_that_was_sent_along() {
    let app = start().await;
    let id = sent(&app, NUMBER).await;
    let fields = app.twilio.tries(NUMBER).remove(0).fields;
    assert_eq!(fields["StatusCallback"], format!("{PUBLIC_URL}{PATH}?delivery_id={id}"));
    report_with(&app, &fields["StatusCallback"], "delivered", "").await;
    assert_eq!(app.delivery(&id).await, told(&id, "delivered", None));
}

#[async_test]
async fn reports_come_in_any_order_and_twice() {
    let app = start().await;
    let id = sent(&app, NUMBER).await;
    for (status, after) in [
        ("queued", "sent"),
        ("sending", "sent"),
        ("delivered", "delivered"),
        ("sent", "delivered"),
        ("delivered", "delivered"),
        ("undelivered", "delivered"),
        ("failed", "delivered"),
        ("read", "delivered"),
        ("a status of tomorrow", "delivered"),
    ] {
        report(&app, &id, status, "30003").await;
        assert_eq!(app.delivery(&id).await, told(&id, after, None), "after {status}");
    }

    let id = sent(&app, NUMBER).await;
    report(&app, &id, "undelivered", "30005").await;
    for status in ["sent", "delivered", "undelivered", "failed"] {
        report(&app, &id, status, "30003").await;
        let told_of = told(&id, "undelivered", Some(("unknown_number", false)));
        assert_eq!(app.delivery(&id).await, told_of, "after {status}");
    }
}

#[async_test]
async fn a_report_may_come_before_the_answer() {
    let app = start().await;
    for (last, status, code, failure) in [
        (0, "sent", "", None),
        (1, "delivered", "", None),
        (2, "undelivered", "30003", Some(("unreachable", true))),
    ] {
        let number = format!("+91987654321{last}");
        app.twilio.script(&number, [Reply::accept_after(Duration::from_secs(1))]);
        let id = app.ask(&number).await;
        let fields = app.twilio.wait_for_tries(&number, 1, SOON).await.remove(0).fields;
        report_with(&app, &fields["StatusCallback"], status, code).await;
        assert_eq!(app.delivery(&id).await, told(&id, status, failure));
        assert!(app.twilio.accepted(&number).is_empty(), "the report was before the answer");
        app.twilio.wait_for_sms(&number, 1, SOON).await;
        app.no_job_is_left(SOON).await;
        assert_eq!(
            app.delivery(&id).await,
            told(&id, status, failure),
            "and the answer changes nothing"
        );
        assert_eq!(app.twilio.tries(&number).len(), 1);
    }
}

#[async_test]
async fn a_report_tells_what_became_of_a_call_that_nobody_answered() {
    let app = start().await;
    for (last, status, code, failure) in [
        (0, "delivered", "", None),
        (1, "sent", "", None),
        (2, "undelivered", "30006", Some(("not_a_mobile_number", false))),
        (3, "failed", "30007", Some(("carrier_filtered", false))),
    ] {
        let number = format!("+91987654321{last}");
        app.twilio.script(&number, [Reply::Close]);
        let id = app.ask(&number).await;
        let unknown = app.delivery_is(&id, "failed", SOON).await;
        assert_eq!(unknown, told(&id, "failed", Some(("no_answer", true))));
        report(&app, &id, status, code).await;
        assert_eq!(app.delivery(&id).await, told(&id, status, failure));
    }
}

#[async_test]
async fn a_report_stops_the_tries_of_what_was_sent_after_all() {
    let app = start().await;
    app.twilio.script(NUMBER, [Reply::Error(503, 20503, Some(2))]);
    let id = app.ask(NUMBER).await;
    app.delivery_is(&id, "queued", SOON).await;
    app.twilio.wait_for_tries(NUMBER, 1, SOON).await;
    report(&app, &id, "sent", "").await;
    app.no_job_is_left(SOON).await;
    assert_eq!(app.delivery(&id).await, told(&id, "sent", None));
    assert_eq!(app.twilio.tries(NUMBER).len(), 1);
}

#[async_test]
async fn twilio_s_codes_are_told_as_reasons() {
    let app = start().await;
    for (status, code, reason, helps) in [
        ("undelivered", "30003", "unreachable", true),
        ("undelivered", "30004", "blocked", false),
        ("undelivered", "30005", "unknown_number", false),
        ("undelivered", "30006", "not_a_mobile_number", false),
        ("undelivered", "30007", "carrier_filtered", false),
        ("undelivered", "30008", "not_delivered", true),
        ("undelivered", "", "not_delivered", true),
        ("failed", "30036", "expired", true),
        ("failed", "21610", "opted_out", false),
        ("failed", "30002", "misconfigured", false),
        ("failed", "21703", "misconfigured", false),
        ("undelivered", "30034", "country_not_enabled", false),
        ("failed", "30001", "throttled", true),
        ("canceled", "nonsense", "not_delivered", true),
    ] {
        let id = sent(&app, NUMBER).await;
        report(&app, &id, status, code).await;
        let status = if status == "canceled" { "failed" } else { status };
        assert_eq!(
            app.delivery(&id).await,
            told(&id, status, Some((reason, helps))),
            "{status} {code}"
        );
    }
}

#[async_test]
async fn a_forged_report_is_refused_and_changes_nothing() {
    let app = start().await;
    let id = sent(&app, NUMBER).await;
    let (path, own) = (format!("{PATH}?delivery_id={id}"), parameters("delivered", ""));
    let url = format!("{PUBLIC_URL}{path}");
    let good = signature(&url, &own, AUTH_TOKEN);
    let forged = [
        String::new(),
        "nonsense".to_owned(),
        good[..good.len() - 4].to_owned(),
        signature(&url, &own, "another token"),
        signature(&url, &parameters("sent", ""), AUTH_TOKEN),
        signature(&format!("https://signin.example.com/auth{path}"), &own, AUTH_TOKEN),
        signature(&format!("http://{}{path}", app.client().address()), &own, AUTH_TOKEN),
        signature(&format!("{PUBLIC_URL}{PATH}"), &own, AUTH_TOKEN),
    ];
    for signature in &forged {
        post(&app, &path, &own, signature).await.expect_code(403, "bad_signature");
    }
    let more = [own.as_slice(), &[("Extra", "1")]].concat();
    post(&app, &path, &more, &good).await.expect_code(403, "bad_signature");
    let unsigned = app
        .client()
        .post_raw(&path, "application/x-www-form-urlencoded", "MessageStatus=delivered")
        .await;
    unsigned.expect_code(403, "bad_signature");
    // A signature for one delivery is none for another.
    let other = sent(&app, OTHER_NUMBER).await;
    post(&app, &format!("{PATH}?delivery_id={other}"), &own, &good)
        .await
        .expect_code(403, "bad_signature");
    assert_eq!(app.delivery(&other).await, told(&other, "sent", None));
    assert_eq!(app.delivery(&id).await, told(&id, "sent", None));

    post(&app, &path, &own, &good).await.expect(204);
    assert_eq!(app.delivery(&id).await, told(&id, "delivered", None));
}

/// Twilio signs the URL with a port or without one, whichever of them it was given:
/// <https://www.twilio.com/docs/usage/security>.
#[async_test]
async fn a_signature_may_be_over_the_url_with_its_port_or_without_one() {
    for (public_url, signed) in [
        ("https://a.example", ["https://a.example", "https://a.example:443"]),
        ("https://a.example:443/b", ["https://a.example/b", "https://a.example:443/b"]),
        ("https://a.example:8443", ["https://a.example", "https://a.example:8443"]),
        ("http://a.example", ["http://a.example", "http://a.example:80"]),
    ] {
        let app = Plan::new()
            .workers(0)
            .set("PUBLIC_URL", public_url)
            .set("TWILIO_AUTH_TOKEN", AUTH_TOKEN)
            .start()
            .await;
        let own = parameters("delivered", "");
        let at = |url: &str| signature(&format!("{url}{PATH}"), &own, AUTH_TOKEN);
        for url in signed {
            post(&app, PATH, &own, &at(url)).await.expect(204);
        }
        let scheme = public_url.split_once("://").unwrap().0;
        for url in [format!("{scheme}://a.example:8080"), "https://b.example".to_owned()] {
            post(&app, PATH, &own, &at(&url)).await.expect_code(403, "bad_signature");
        }
    }
}

#[async_test]
async fn no_flood_of_bad_signatures_fills_the_log() {
    let app = start().await;
    let began = Instant::now();
    for _ in 0..200 {
        let forged = post(&app, PATH, &parameters("delivered", ""), "nonsense").await;
        forged.expect_code(403, "bad_signature");
    }
    let logged = app.apis[0].events("twilio_report_refused");
    let most = began.elapsed().as_secs() + 1;
    assert!(!logged.is_empty() && logged.len() as u64 <= most, "{} lines", logged.len());
    assert_eq!(logged[0]["count"], 1, "{logged:?}");
}

#[async_test]
async fn a_report_of_what_is_not_known_is_taken_and_forgotten() {
    let app = start().await;
    let unknown = "q3zt6nq5y6o4cbz6t2h4v5xk7e";
    for query in [
        format!("?delivery_id={unknown}"),
        "?delivery_id=x".to_owned(),
        "?other=1".to_owned(),
        String::new(),
    ] {
        report_with(&app, &format!("{PUBLIC_URL}{PATH}{query}"), "delivered", "").await;
    }
    app.client().get(&format!("/deliveries/{unknown}"), None).await.expect(404);
    let kept: bool =
        app.redis.connection().exists(format!("{{cheershare}}:delivery:{unknown}")).unwrap();
    assert!(!kept, "a report makes no delivery");
    let empty =
        post(&app, PATH, &[], &signature(&format!("{PUBLIC_URL}{PATH}"), &[], AUTH_TOKEN)).await;
    empty.expect(204);
    app.client().get(PATH, None).await.expect_code(405, "method_not_allowed");
}

#[async_test]
async fn without_both_settings_nobody_reports() {
    for (name, value) in [("PUBLIC_URL", PUBLIC_URL), ("TWILIO_AUTH_TOKEN", AUTH_TOKEN)] {
        let app = Plan::new().set(name, value).start().await;
        let id = sent(&app, NUMBER).await;
        assert!(!app.twilio.tries(NUMBER)[0].fields.contains_key("StatusCallback"));
        let (path, own) = (format!("{PATH}?delivery_id={id}"), parameters("delivered", ""));
        let signature = signature(&format!("{PUBLIC_URL}{path}"), &own, AUTH_TOKEN);
        post(&app, &path, &own, &signature).await.expect_code(404, "not_found");
        assert_eq!(app.delivery(&id).await, told(&id, "sent", None));
    }
}
