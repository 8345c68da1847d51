//! Scripts of other origins: which may call, and what stays closed.

use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::support::app::{App, Plan};
use crate::support::client::Answer;

const OURS: &str = "https://app.example.com";
const ASK: &str = r#"{"name":"Asha","phone_number":"+919876543210"}"#;

async fn open_to_two() -> App {
    Plan::new()
        .workers(0)
        .set("CORS_ORIGINS", "http://localhost:5173, https://app.example.com")
        .start()
        .await
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&'static str, &str)| {
        (HeaderName::from_static(name), value.parse().unwrap())
    };
    pairs.iter().map(pair).collect()
}

async fn get(app: &App, path: &str, pairs: &[(&'static str, &str)]) -> Answer {
    app.client().send(Method::GET, path, headers(pairs), "").await
}

async fn preflight(app: &App, path: &str, origin: &str, method: &str) -> Answer {
    let asked = [("origin", origin), ("access-control-request-method", method)];
    app.client().send(Method::OPTIONS, path, headers(&asked), "").await
}

/// The items of a list header, in alphabetical order.
fn items(answer: &Answer, name: &str) -> Vec<String> {
    let mut items: Vec<_> =
        answer.header(name).split(',').map(|item| item.trim().to_ascii_lowercase()).collect();
    items.sort_unstable();
    items
}

fn is_closed(answer: &Answer) {
    let found: Vec<_> =
        answer.headers.keys().filter(|name| name.as_str().starts_with("access-control-")).collect();
    assert!(found.is_empty(), "{answer:?}");
}

fn is_open_to(answer: &Answer, origin: &str) {
    assert_eq!(
        answer.headers.get_all("access-control-allow-origin").iter().collect::<Vec<_>>(),
        [origin],
        "{answer:?}"
    );
    assert_eq!(
        items(answer, "access-control-expose-headers"),
        [
            "accept-ranges",
            "content-disposition",
            "content-range",
            "etag",
            "last-modified",
            "location",
            "retry-after",
            "tus-checksum-algorithm",
            "tus-extension",
            "tus-max-size",
            "tus-resumable",
            "tus-version",
            "upload-expires",
            "upload-length",
            "upload-metadata",
            "upload-offset",
            "www-authenticate",
            "x-request-id"
        ]
    );
    assert!(
        !answer.headers.contains_key("access-control-allow-credentials"),
        "tokens need no cookies: {answer:?}"
    );
    assert_eq!(items(answer, "vary"), ["authorization", "origin"], "{answer:?}");
}

#[async_test]
async fn closed_by_default() {
    let app = Plan::new().workers(0).start().await;
    is_closed(&get(&app, "/healthz", &[("origin", OURS)]).await.expect(200));
    let refused = preflight(&app, "/signup", OURS, "POST").await;
    is_closed(&refused);
    refused.expect_code(405, "method_not_allowed");
}

#[async_test]
async fn the_origins_of_the_setting_may_read_answers_and_errors() {
    let app = open_to_two().await;
    for origin in [OURS, "http://localhost:5173"] {
        for (path, status) in
            [("/healthz", 200), ("/protected", 401), ("/nothing", 404), ("/signup", 405)]
        {
            let answer = get(&app, path, &[("origin", origin)]).await;
            assert_eq!(answer.status, status, "{answer:?}");
            is_open_to(&answer, origin);
        }
    }
    let asked = headers(&[("origin", OURS), ("content-type", "application/json")]);
    let answer = app.client().send(Method::POST, "/signup", asked, ASK).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    is_open_to(&answer, OURS);
}

/// Browsers send `Origin` with same-origin POSTs too.
#[async_test]
async fn any_other_origin_is_served_without_cors() {
    let app = open_to_two().await;
    let own = format!("http://{}", app.client().address());
    for origin in [
        &own,
        "null",
        "https://app.example.com.evil.example",
        "http://app.example.com",
        "https://APP.example.com",
        "",
    ] {
        println!("{origin}");
        let asked = headers(&[("origin", origin), ("content-type", "application/json")]);
        let answer = app.client().send(Method::POST, "/signup", asked, ASK).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        is_closed(&answer);
        assert_eq!(
            items(&answer, "vary"),
            ["authorization", "origin"],
            "a cache must not give it to others: {answer:?}"
        );
    }
    let without = get(&app, "/healthz", &[]).await;
    is_closed(&without);
    assert_eq!(items(&without, "vary"), ["authorization", "origin"]);
}

#[async_test]
async fn a_preflight_is_told_methods_and_headers() {
    let app = open_to_two().await;
    for (path, method) in [
        ("/signup", "POST"),
        ("/protected", "GET"),
        ("/deliveries/q3zt6nq5y6o4cbz6t2h4v5xk7e", "GET"),
    ] {
        let answer = preflight(&app, path, OURS, method).await;
        assert_eq!((answer.status, answer.text.as_str()), (204, ""), "{answer:?}");
        is_open_to(&answer, OURS);
        assert!(
            items(&answer, "access-control-allow-methods").contains(&method.to_ascii_lowercase()),
            "{answer:?}"
        );
        let sent = [
            "authorization",
            "baggage",
            "content-disposition",
            "content-type",
            "idempotency-key",
            "if-match",
            "if-modified-since",
            "if-none-match",
            "if-range",
            "if-unmodified-since",
            "range",
            "traceparent",
            "tracestate",
            "tus-resumable",
            "upload-checksum",
            "upload-length",
            "upload-metadata",
            "upload-offset",
            "x-http-method-override",
            "x-request-id",
        ];
        assert_eq!(items(&answer, "access-control-allow-headers"), sent);
        assert!(
            answer.header("access-control-max-age").parse::<u32>().is_ok_and(|seconds| seconds > 0),
            "{answer:?}"
        );
    }
}

#[async_test]
async fn what_is_no_preflight_of_a_known_origin_is_an_ordinary_request() {
    let app = open_to_two().await;
    let stranger = preflight(&app, "/signup", "https://evil.example", "POST").await;
    is_closed(&stranger);
    assert_eq!(stranger.status, 405, "{stranger:?}");
    let unknown_path = preflight(&app, "/nothing", OURS, "POST").await;
    assert_eq!(unknown_path.status, 404, "{unknown_path:?}");
    let no_question =
        app.client().send(Method::OPTIONS, "/signup", headers(&[("origin", OURS)]), "").await;
    assert_eq!((no_question.status, no_question.header("allow")), (405, "POST"), "{no_question:?}");

    let mut two = headers(&[("origin", "https://evil.example")]);
    two.append("origin", HeaderValue::from_static(OURS));
    is_closed(&app.client().send(Method::GET, "/healthz", two, "").await);
}
